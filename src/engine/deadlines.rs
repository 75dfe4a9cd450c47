//! When to look at whom again: a heap of lower bounds. A deadline that moves later costs nothing: the stale entry is
//! popped, and who it names is asked again.

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

#[derive(Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Timestamp, Due)>>,
    /// The earliest entry in the heap for each; an entry that differs from it is stale.
    armed: BTreeMap<Due, Timestamp>,
}

impl Deadlines {
    /// Makes sure that `due` is looked at no later than `at`.
    pub(super) fn arm(&mut self, due: Due, at: Timestamp) {
        if self.armed.get(&due).is_some_and(|&armed| armed <= at) {
            return;
        }
        self.armed.insert(due, at);
        self.heap.push(Reverse((at, due)));
    }

    /// The next one whose bound is not after `until`.
    pub(super) fn pop(&mut self, until: Timestamp) -> Option<Due> {
        while let Some(&Reverse((at, due))) = self.heap.peek() {
            if at > until {
                return None;
            }
            self.heap.pop();
            if self.armed.get(&due) == Some(&at) {
                self.armed.remove(&due);
                return Some(due);
            }
        }
        None
    }

    /// The earliest bound.
    pub(super) fn next(&self) -> Option<Timestamp> {
        self.heap.peek().map(|&Reverse((at, _))| at)
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
    fn an_earlier_deadline_replaces_a_later_one_and_a_later_one_is_ignored() {
        let router = Due::Router(RouterId(1));
        let mut deadlines = Deadlines::default();
        deadlines.arm(router, at(5));
        deadlines.arm(router, at(3));
        deadlines.arm(router, at(9));
        assert_eq!(deadlines.next(), Some(at(3)));
        assert_eq!(deadlines.pop(at(2)), None);
        assert_eq!(deadlines.pop(at(3)), Some(router));
        assert_eq!(deadlines.pop(at(100)), None, "the entry for 5 s is stale");
    }
}
