//! From the daemon's monotonic time to the time on the wall.

use crate::time::Timestamp;
use std::time::SystemTime;

/// The two clocks read at one moment. Taken anew for every rendering, so that a corrected wall clock shows at once.
#[derive(Clone, Copy, Debug)]
pub struct WallClock {
    /// What the monotonic clock said.
    pub boottime: Timestamp,
    /// What the wall clock said.
    pub wall: SystemTime,
}

impl WallClock {
    /// The wall time of `at`, as the two clocks stand to each other now.
    #[must_use]
    pub fn at(&self, at: Timestamp) -> SystemTime {
        let shifted = if at >= self.boottime {
            self.wall.checked_add(at - self.boottime)
        } else {
            self.wall.checked_sub(self.boottime - at)
        };
        shifted.unwrap_or(self.wall)
    }

    /// `at` as RFC 3339 in UTC, to the millisecond.
    #[must_use]
    pub fn rfc3339(&self, at: Timestamp) -> String {
        rfc3339(self.at(at))
    }
}

/// A wall time as RFC 3339 in UTC, to the millisecond. A clock set to before 1970 or after 9999 reads as 1970.
#[must_use]
pub fn rfc3339(wall: SystemTime) -> String {
    /// 9999-12-31T23:59:59Z, the last second RFC 3339 can write.
    const LAST: u64 = 253_402_300_799;
    let sane = wall.duration_since(SystemTime::UNIX_EPOCH).is_ok_and(|since| since.as_secs() <= LAST);
    humantime::format_rfc3339_millis(if sane { wall } else { SystemTime::UNIX_EPOCH }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn monotonic_times_become_wall_times_on_both_sides_of_now() {
        let clock = WallClock {
            boottime: Timestamp::from_origin(Duration::from_secs(100)),
            wall: humantime::parse_rfc3339("2026-01-01T00:00:00Z").unwrap(),
        };
        let at = |millis| clock.rfc3339(Timestamp::from_origin(Duration::from_millis(millis)));
        assert_eq!(at(100_000), "2026-01-01T00:00:00.000Z");
        assert_eq!(at(96_391), "2025-12-31T23:59:56.391Z");
        assert_eq!(at(103_500), "2026-01-01T00:00:03.500Z");
    }

    #[test]
    fn a_wall_clock_out_of_range_is_no_panic() {
        let far = SystemTime::UNIX_EPOCH + Duration::from_secs(400_000_000_000);
        assert_eq!(rfc3339(far), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(SystemTime::UNIX_EPOCH - Duration::from_secs(1)), "1970-01-01T00:00:00.000Z");
    }
}
