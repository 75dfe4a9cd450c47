//! When a port's kernel-side filter is set and when it is lifted: a thousand useless packets a second, and a thousand at
//! once, are looked at and counted one by one. What comes faster is left to the kernel, until it has been quiet a while.

use crate::net::SAMPLE;
use crate::time::Timestamp;
use std::time::Duration;

/// Useless packets that are looked at in a second, and the most that may come at once.
const EASE: u64 = 1000;

/// While the filter is set, this is how long one look at the rate takes ...
const LOOK: Duration = Duration::from_secs(1);
/// ... and this many in a row have to find less than half of [`EASE`].
const QUIET_LOOKS: u32 = 3;

/// The gate of one port.
#[derive(Debug)]
pub(super) enum Floodgate {
    /// Everything passes; so many useless packets more may come before that changes.
    Open { allowance: u64, counted_to: Timestamp },
    /// The kernel drops useless packets but for a sample.
    Shut { look_ends: Timestamp, sampled: u64, quiet: u32 },
}

/// What is to be done.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// Set the filter.
    Shut,
    /// Lift it.
    Open,
}

impl Default for Floodgate {
    fn default() -> Self {
        Self::open(Timestamp::ZERO)
    }
}

impl Floodgate {
    fn open(now: Timestamp) -> Self {
        Self::Open { allowance: EASE, counted_to: now }
    }

    /// Whether the filter is set.
    pub(super) const fn is_shut(&self) -> bool {
        matches!(self, Self::Shut { .. })
    }

    /// When to look again, even if nothing comes.
    pub(super) const fn deadline(&self) -> Option<Timestamp> {
        match self {
            Self::Open { .. } => None,
            Self::Shut { look_ends, .. } => Some(*look_ends),
        }
    }

    /// So many useless packets have come. Says so where the filter is to be set or lifted, and takes it for done.
    pub(super) fn count(&mut self, useless: u64, now: Timestamp) -> Option<Turn> {
        match self {
            Self::Open { allowance, counted_to } => {
                let millis = u64::try_from((now - *counted_to).as_millis()).unwrap_or(u64::MAX);
                let regained = millis.saturating_mul(EASE / 1000);
                *counted_to = *counted_to + Duration::from_millis(millis);
                *allowance = allowance.saturating_add(regained).min(EASE).saturating_sub(useless);
                let exhausted = *allowance == 0;
                if exhausted {
                    *self = Self::Shut { look_ends: now + LOOK, sampled: 0, quiet: 0 };
                }
                exhausted.then_some(Turn::Shut)
            }
            Self::Shut { look_ends, sampled, quiet } => {
                *sampled += useless;
                if now < *look_ends {
                    return None;
                }
                let calm = *sampled * u64::from(SAMPLE) < EASE / 2;
                *quiet = if calm { *quiet + 1 } else { 0 };
                (*look_ends, *sampled) = (now + LOOK, 0);
                let over = *quiet >= QUIET_LOOKS;
                if over {
                    *self = Self::open(now);
                }
                over.then_some(Turn::Open)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_millis(millis))
    }

    /// Feeds a rate, in packets a second, for a while, ten milliseconds at a time; the first turn, and when.
    fn turn(gate: &mut Floodgate, from: u64, millis: u64, rate: u64) -> Option<(Turn, u64)> {
        (1..=millis / 10).find_map(|step| {
            let now = from + step * 10;
            let useless = rate * step / 100 - rate * (step - 1) / 100;
            gate.count(useless, at(now)).map(|turn| (turn, now))
        })
    }

    #[test]
    fn it_shuts_at_a_thousand_a_second_and_not_below() {
        for (rate, shuts) in [
            (0, None),
            (300, None),
            (990, None),
            (2_000, Some(990)),
            (11_000, Some(100)),
            (40_000, Some(30)),
            (1_000_000, Some(10)),
        ] {
            let turned = turn(&mut Floodgate::default(), 5_000, 30_000, rate);
            assert_eq!(turned.map(|(_, at)| at - 5_000), shuts, "{rate} a second");
            assert!(turned.is_none_or(|(turn, _)| turn == Turn::Shut));
        }
    }

    #[test]
    fn a_thousand_a_second_that_come_one_by_one_are_no_flood() {
        let mut gate = Floodgate::default();
        for packet in 1..20_000 {
            assert_eq!(gate.count(1, Timestamp::from_origin(Duration::from_micros(packet * 1_010))), None);
        }
    }

    #[test]
    fn a_burst_that_had_to_wait_is_no_flood() {
        let mut gate = Floodgate::default();
        assert_eq!(gate.count(EASE - 1, at(10_000)), None);
        assert_eq!(gate.count(EASE - 1, at(11_000)), None);
        assert_eq!(gate.count(EASE - 1, at(11_001)), Some(Turn::Shut));
    }

    #[test]
    fn it_opens_after_three_quiet_seconds() {
        for (sampled_rate, opens) in [(0, Some(3_000)), (7, Some(3_000)), (8, None), (600, None)] {
            let mut gate = Floodgate::default();
            assert_eq!(gate.count(5_000, at(1_000)), Some(Turn::Shut));
            assert_eq!(gate.deadline(), Some(at(2_000)));
            let turned = turn(&mut gate, 1_000, 60_000, sampled_rate);
            assert_eq!(turned.map(|(_, at)| at - 1_000), opens, "{sampled_rate} samples a second");
            assert_eq!(gate.is_shut(), opens.is_none());
        }
    }

    #[test]
    fn a_flood_that_goes_on_after_a_pause_keeps_it_shut() {
        let mut gate = Floodgate::default();
        gate.count(5_000, at(0));
        for second in 1..=30 {
            let sampled = if second % 3 == 0 { 600 } else { 0 };
            assert_eq!(gate.count(sampled, at(second * 1_000)), None, "second {second}");
        }
    }
}
