//! A Master that gives way again and again: at small intervals, adverts that wait in a queue do that (RFC 9568, 2.5).

use crate::time::Timestamp;
use std::time::Duration;

/// So many times ...
const TIMES: usize = 3;

/// ... within this is no accident.
const SPAN: Duration = Duration::from_mins(1);

/// When a router gave way last, oldest first.
#[derive(Debug, Default)]
pub(super) struct Flaps([Option<Timestamp>; TIMES]);

impl Flaps {
    /// It has given way to another Master, now. Returns whether that has become a habit.
    pub(super) fn note(&mut self, now: Timestamp) -> bool {
        self.0.rotate_left(1);
        self.0[TIMES - 1] = Some(now);
        self.0[0].is_some_and(|first| now - first < SPAN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_times_within_a_minute() {
        let mut flaps = Flaps::default();
        let habits = [0, 59, 61, 100, 118, 119, 400].map(|seconds| {
            let now = Timestamp::from_origin(Duration::from_secs(seconds));
            flaps.note(now)
        });
        assert_eq!(habits, [false, false, false, true, true, true, false]);
    }
}
