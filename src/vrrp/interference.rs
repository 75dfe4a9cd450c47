//! Somebody else on the host removes what a Master holds: it is put back, up to a budget. Two programs that undo each
//! other's work without end serve nobody, so a Master whose budget is spent retreats, and its peer takes over.

use super::verdict::Unfit;
use crate::time::Timestamp;
use crate::units::VirtualAddress;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

/// How often one thing is put back ...
const BUDGET: usize = 5;
/// ... within this time.
const WINDOW: Duration = Duration::from_secs(10);
/// How long the first retreat lasts; each further one twice as long as the one before ...
const FIRST_RETREAT: Duration = Duration::from_secs(10);
/// ... up to this. After as long without a retreat, the next is a first one.
const LONGEST_RETREAT: Duration = Duration::from_mins(10);

/// What somebody removed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Removed {
    /// An address.
    Address(VirtualAddress),
    /// A route or rule, in words.
    Route(Arc<str>),
}

/// What somebody did to one router, and what became of it.
#[derive(Debug, Default)]
pub(super) struct Interference {
    restored: BTreeMap<Removed, VecDeque<Timestamp>>,
    retreat: Option<Retreat>,
}

#[derive(Debug)]
struct Retreat {
    until: Timestamp,
    length: Duration,
    /// What makes the router unfit; `None` once it is over.
    unfit: Option<Unfit>,
}

impl Interference {
    /// Somebody (`by`, where the kernel tells) removed something, now. True while it is to be put back; false where the
    /// budget is spent and a retreat begins.
    pub(super) fn allows(&mut self, removed: Removed, by: Option<&Arc<str>>, now: Timestamp) -> bool {
        self.restored.retain(|_, times| times.back().is_some_and(|&last| now - last < WINDOW));
        let what = removed.to_string();
        let times = self.restored.entry(removed).or_default();
        times.retain(|&time| now - time < WINDOW);
        times.push_back(now);
        if times.len() <= BUDGET {
            return true;
        }
        self.restored.clear();
        self.begin(Unfit::Interference { what: what.into(), by: by.cloned() }, now);
        false
    }

    fn begin(&mut self, unfit: Unfit, now: Timestamp) {
        let before = self.retreat.as_ref().filter(|retreat| now - retreat.until < LONGEST_RETREAT);
        let length = before.map_or(FIRST_RETREAT, |retreat| (retreat.length * 2).min(LONGEST_RETREAT));
        self.retreat = Some(Retreat { until: now + length, length, unfit: Some(unfit) });
    }

    /// Why the router is on a retreat, if it is.
    pub(super) fn unfit(&self) -> Option<&Unfit> {
        self.retreat.as_ref()?.unfit.as_ref()
    }

    /// When the retreat ends.
    pub(super) fn until(&self) -> Option<Timestamp> {
        self.retreat.as_ref().filter(|retreat| retreat.unfit.is_some()).map(|retreat| retreat.until)
    }

    /// Ends a retreat whose time is up; says whether there was one.
    pub(super) fn end(&mut self, now: Timestamp) -> bool {
        let over = self.retreat.as_mut().filter(|retreat| retreat.until <= now);
        over.is_some_and(|retreat| retreat.unfit.take().is_some())
    }

    /// An operator has seen to it: everything starts anew. Says whether there was a retreat.
    pub(super) fn forgive(&mut self) -> bool {
        std::mem::take(self).until().is_some()
    }
}

impl std::fmt::Display for Removed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Address(address) => write!(f, "the address {address}"),
            Self::Route(route) => write!(f, "the {route}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_secs(seconds))
    }

    fn address(last: u8) -> Removed {
        Removed::Address(VirtualAddress::host([192, 0, 2, last].into()))
    }

    #[test]
    fn five_times_in_ten_seconds_are_within_the_budget() {
        for (moments, expected) in [
            (&[0, 0, 0, 0, 0][..], None),
            (&[0, 0, 0, 0, 0, 0], Some(5)),
            (&[0, 1, 2, 3, 4, 9], Some(5)),
            (&[0, 1, 2, 3, 4, 10], None),
            (&[0, 3, 6, 9, 12, 15, 18, 21, 24], None),
            (&[0, 1, 2, 10, 11, 11, 11, 11], Some(7)),
        ] {
            let mut interference = Interference::default();
            let refused = moments.iter().position(|&moment| !interference.allows(address(1), None, at(moment)));
            assert_eq!(refused, expected, "{moments:?}");
        }
    }

    #[test]
    fn each_thing_has_a_budget_of_its_own() {
        let mut interference = Interference::default();
        for last in 0..200 {
            assert!(interference.allows(address(last), None, at(0)), "a flush of all addresses is one removal of each");
        }
        assert!(interference.allows(Removed::Route("route 0.0.0.0/0".into()), None, at(0)));
    }

    #[test]
    fn retreats_double_until_there_is_peace() {
        let mut interference = Interference::default();
        let mut now = 0;
        let mut retreat_of = |interference: &mut Interference, pause: u64| {
            now += pause;
            while interference.allows(address(1), None, at(now)) {}
            let until = interference.until().expect("a retreat");
            let length = until - at(now);
            assert!(interference.unfit().is_some() && !interference.end(at(now)));
            now += length.as_secs();
            assert!(interference.end(at(now)) && !interference.end(at(now)));
            assert_eq!((interference.unfit(), interference.until()), (None, None));
            length.as_secs()
        };
        let lengths: Vec<u64> = (0..8).map(|_| retreat_of(&mut interference, 1)).collect();
        assert_eq!(lengths, [10, 20, 40, 80, 160, 320, 600, 600]);
        assert_eq!(retreat_of(&mut interference, 599), 600);
        assert_eq!(retreat_of(&mut interference, 600), 10, "ten minutes of peace");
    }

    #[test]
    fn an_operator_ends_a_retreat_and_clears_the_record() {
        let mut interference = Interference::default();
        assert!(!interference.forgive());
        let by: Arc<str> = "port 7".into();
        while interference.allows(address(1), Some(&by), at(0)) {}
        let unfit = Unfit::Interference { what: "the address 192.0.2.1/32".into(), by: Some(by) };
        assert_eq!(interference.unfit(), Some(&unfit));
        assert!(interference.forgive());
        assert!(interference.allows(address(1), None, at(1)));
    }
}
