//! Signing with keepalived's trailer: for the daemon's adverts, and for the resignation that its guardian sends.

use super::clock;
use crate::vrrp::Auth;
use crate::wire::trailer::{TRAILER, Trailer};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What it takes to sign.
#[derive(Clone, Eq, PartialEq, Serialize, Deserialize)]
pub(super) struct Seal {
    key_id: u8,
    key: Vec<u8>,
    source: IpAddr,
    window: Duration,
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seal(key {})", self.key_id)
    }
}

impl Seal {
    /// The seal of adverts from `source`, where they are signed.
    pub(super) fn of(auth: &Auth, source: IpAddr) -> Option<Self> {
        let Auth::Hmac(auth) = auth else { return None };
        let key = auth.signing_key()?;
        Some(Self { key_id: key.id, key: key.secret.0.to_vec(), source, window: auth.window })
    }

    /// Appends a trailer to `out`, whose octets from `message` on are the encoded message.
    pub(super) fn sign(&self, stamps: &mut Stamps, message: usize, out: &mut Vec<u8>) {
        let sequence = stamps.next(self.window);
        Trailer { key_id: self.key_id, sequence }.append(self.source, message, &self.key, out);
    }

    /// Leaves room for a trailer.
    pub(super) fn reserve(out: &mut Vec<u8>) {
        out.resize(out.len() + TRAILER, 0);
    }

    /// Signs a datagram in the room that was left at its end.
    pub(super) fn sign_reserved(&self, stamps: &mut Stamps, message: usize, datagram: &mut Vec<u8>) {
        datagram.truncate(datagram.len().saturating_sub(TRAILER));
        self.sign(stamps, message, datagram);
    }
}

/// The sequence of what was signed last: it grows from packet to packet, and with the wall clock, so that it goes on
/// growing in the next run of the daemon, and in its guardian.
#[derive(Debug, Default)]
pub(super) struct Stamps {
    last: u64,
}

impl Stamps {
    fn next(&mut self, window: Duration) -> u64 {
        self.after(clock::wall(), window)
    }

    /// Where the clock was set back, it goes on from the last one as long as peers can believe that.
    fn after(&mut self, wall: SystemTime, window: Duration) -> u64 {
        // A clock before 1970 is wrong in any case.
        let sequence = Trailer::sequence_at(wall.duration_since(UNIX_EPOCH).unwrap_or_default(), 0);
        let behind = self.last.wrapping_sub(sequence);
        let within = behind >> 32 <= window.as_secs();
        self.last = if within { self.last.wrapping_add(1) } else { sequence };
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(5);

    fn at(millis: u64) -> SystemTime {
        UNIX_EPOCH + Duration::from_millis(millis)
    }

    #[test]
    fn a_sequence_is_the_time_and_grows() {
        let mut stamps = Stamps::default();
        let first = 0x6712_3456 * 1000;
        let start = 0x6712_3456_u64 << 32;
        for (millis, expected) in [
            (first, start),
            (first, start + 1),
            (first + 500, start + 0x8000_0000),
            // Set back a little: it goes on. A lot: it begins anew, as the peers' marks have expired.
            (first - 4000, start + 0x8000_0001),
            (first + 501, start + 0x8041_0000),
            (first - 6000, start - (6 << 32)),
            (first - 6000, start - (6 << 32) + 1),
        ] {
            assert_eq!(stamps.after(at(millis), WINDOW), expected, "{millis}");
        }
    }

    #[test]
    fn a_seal_does_not_show_its_key() {
        let source = IpAddr::from([192, 0, 2, 1]);
        let seal = Seal { key_id: 7, key: vec![65; 32], source, window: WINDOW };
        assert_eq!(format!("{seal:?}"), "Seal(key 7)");
    }
}
