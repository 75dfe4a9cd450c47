//! Authentication by keepalived's trailer ([`crate::wire::trailer`]): what is believed, and what came before.

use super::spec::Secret;
use crate::wire::trailer::Trailer;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How a router of VRRPv3 signs its adverts and verifies those of its peers.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HmacAuth {
    /// The keys that are believed.
    pub keys: Arc<[HmacKey]>,
    /// Which of them signs.
    pub key_id: u8,
    /// What becomes of adverts without a trailer.
    pub mode: HmacMode,
    /// How far a sender's clock may be from this host's: whole seconds, 1 s to 300 s.
    pub window: Duration,
}

/// A shared key and its number in the trailer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HmacKey {
    /// Its number.
    pub id: u8,
    /// 32 to 64 octets.
    pub secret: Secret,
}

/// The steps on which a pair goes from no authentication to one that is required. What carries a trailer is verified
/// in all of them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum HmacMode {
    /// Nothing is signed, and adverts without a trailer are believed.
    ReceiveOnly,
    /// Adverts are signed, and those without a trailer are believed.
    Permissive,
    /// Adverts are signed, and those without a trailer are refused.
    #[default]
    Enforce,
}

impl HmacAuth {
    /// The key of this number.
    #[must_use]
    pub fn key(&self, id: u8) -> Option<&HmacKey> {
        self.keys.iter().find(|key| key.id == id)
    }

    /// The key that signs, where anything is signed.
    #[must_use]
    pub fn signing_key(&self) -> Option<&HmacKey> {
        self.key(self.key_id).filter(|_| self.mode != HmacMode::ReceiveOnly)
    }

    /// Whether a stamp is near enough to the clock; both in seconds since 1970 as the wire has them, modulo 2^32.
    #[must_use]
    pub fn admits(&self, stamp: u32, wall: u32) -> bool {
        u64::from(apart(stamp, wall)) <= self.window.as_secs()
    }
}

/// How many seconds lie between two stamps.
#[must_use]
pub fn apart(stamp: u32, wall: u32) -> u32 {
    stamp.wrapping_sub(wall).min(wall.wrapping_sub(stamp))
}

/// The highest sequence of each peer.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Marks(BTreeMap<IpAddr, u64>);

impl Marks {
    /// Takes a sequence that was verified and is inside the window; false for one that came before. A mark outside the
    /// window guards nothing any more: everything at or below it is refused for its age, unless a clock was set.
    pub(super) fn take(&mut self, from: IpAddr, trailer: Trailer, auth: &HmacAuth, wall: u32) -> bool {
        let guards = |sequence| auth.admits(Trailer { sequence, ..trailer }.seconds(), wall);
        if self.0.get(&from).is_some_and(|&mark| guards(mark) && !is_later(trailer.sequence, mark)) {
            return false;
        }
        self.0.insert(from, trailer.sequence);
        true
    }
}

/// Serial number arithmetic (RFC 1982, 3.2).
fn is_later(sequence: u64, mark: u64) -> bool {
    (1..1 << 63).contains(&sequence.wrapping_sub(mark))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn auth() -> HmacAuth {
        HmacAuth { keys: Arc::new([]), key_id: 1, mode: HmacMode::Enforce, window: Duration::from_secs(5) }
    }

    #[test]
    fn the_window_has_two_sides_and_goes_over_the_end_of_32_bits() {
        for (stamp, wall, inside) in [
            (100, 100, true),
            (95, 100, true),
            (105, 100, true),
            (94, 100, false),
            (106, 100, false),
            (2, u32::MAX - 2, true),
            (u32::MAX - 2, 2, true),
            (3, u32::MAX - 2, false),
        ] {
            assert_eq!(auth().admits(stamp, wall), inside, "{stamp} at {wall}");
        }
    }

    #[test]
    fn each_peer_counts_upwards_for_itself() {
        let mut marks = Marks::default();
        let [one, two] = [1, 2].map(|host| IpAddr::from([192, 0, 2, host]));
        let at = |seconds: u64, rest: u64| Trailer { key_id: 1, sequence: seconds << 32 | rest };
        for (from, trailer, wall, taken) in [
            (one, at(100, 7), 100, true),
            (one, at(100, 7), 100, false),
            (one, at(100, 6), 100, false),
            (two, at(100, 6), 100, true),
            (one, at(100, 8), 100, true),
            (one, at(104, 0), 100, true),
            (one, at(103, 0), 101, false),
            // The clocks of both were set back by an hour: the mark is of no use any more.
            (one, at(50, 0), 50, true),
            (one, at(50, 0), 50, false),
        ] {
            assert_eq!(marks.take(from, trailer, &auth(), wall), taken, "{from} {trailer:?} at {wall}");
        }
    }
}
