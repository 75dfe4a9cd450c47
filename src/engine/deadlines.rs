//! When to look at whom again: a heap of lower bounds. A deadline that moves later usually costs nothing: its old entry
//! stays, and who it names is asked again when it comes up. An entry that is near is replaced, since a wake for nothing
//! costs more than that.

use crate::ids::{RouterId, TrackerId};
use crate::time::Timestamp;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Who has something to do at a deadline.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Due {
    /// The startup delay is over.
    Startup,
    /// A drain of limited time is over.
    DrainOver,
    Tracker(TrackerId),
    Router(RouterId),
}

/// An entry is near when the deadline is more than this many times as far away.
const NEAR: u32 = 3;

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Timestamp, Due)>>,
    /// The entry in the heap that counts for each; any other is stale. Who has none keeps a place, so that nothing is
    /// allocated when it gets one again.
    armed: BTreeMap<Due, Option<Timestamp>>,
}

impl Deadlines {
    /// Makes sure that `due` is looked at no later than `at`, and, seen from `now`, not much earlier.
    pub(super) fn arm(&mut self, due: Due, at: Timestamp, now: Timestamp) {
        let serves = |armed: Timestamp| armed <= at && (at - now) <= (armed - now) * NEAR;
        let armed = self.armed.entry(due).or_default();
        if armed.is_some_and(|armed| armed == at || serves(armed)) {
            return;
        }
        *armed = Some(at);
        self.heap.push(Reverse((at, due)));
        self.prune();
    }

    /// The next one whose bound is not after `until`.
    pub(super) fn pop(&mut self, until: Timestamp) -> Option<Due> {
        if self.next().is_none_or(|at| at > until) {
            return None;
        }
        let Reverse((_, due)) = self.heap.pop()?;
        self.armed.entry(due).and_modify(|armed| *armed = None);
        self.prune();
        Some(due)
    }

    /// How many there are who may be due at once.
    pub(super) fn participants(&self) -> usize {
        self.armed.len()
    }

    /// The earliest bound.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|&Reverse((at, _))| at)
    }

    /// No stale entry stays in front.
    fn prune(&mut self) {
        while self.heap.peek().is_some_and(|&Reverse((at, due))| self.armed.get(&due) != Some(&Some(at))) {
            self.heap.pop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_secs(seconds))
    }

    #[test]
    fn an_earlier_deadline_replaces_a_later_one_and_one_a_little_later_is_ignored() {
        let router = Due::Router(RouterId(1));
        let mut deadlines = Deadlines::default();
        for seconds in [5, 3, 9] {
            deadlines.arm(router, at(seconds), at(0));
        }
        assert_eq!(deadlines.next(), Some(at(3)));
        assert_eq!(deadlines.pop(at(2)), None);
        assert_eq!(deadlines.pop(at(3)), Some(router));
        assert_eq!(deadlines.pop(at(100)), None, "the entry for 5 s is stale");
    }

    #[test]
    fn an_entry_that_is_near_makes_way_for_a_deadline_far_behind_it() {
        let router = Due::Router(RouterId(1));
        let mut deadlines = Deadlines::default();
        deadlines.arm(router, at(36), at(0));
        let moved = [(10, 36), (20, 36), (30, 66), (40, 66), (50, 66), (60, 96)];
        for (now, next) in moved {
            deadlines.arm(router, at(now + 36), at(now));
            assert_eq!(deadlines.next(), Some(at(next)), "at {now} s");
        }
        assert_eq!(deadlines.pop(at(95)), None, "no wake in all that time");
        assert_eq!(deadlines.pop(at(96)), Some(router));
    }
}
