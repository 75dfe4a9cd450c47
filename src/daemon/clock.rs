//! The only place that reads a clock.

use crate::time::Timestamp;
use nix::time::{ClockId, clock_gettime};
use std::time::{Duration, SystemTime};

/// The moment it is: `CLOCK_BOOTTIME`, which no operator can set and which goes on while the machine sleeps.
#[must_use]
pub(super) fn now() -> Timestamp {
    let time = clock_gettime(ClockId::CLOCK_BOOTTIME).expect("every Linux has CLOCK_BOOTTIME");
    Timestamp::from_origin(Duration::from(time))
}

/// `CLOCK_MONOTONIC`, by which the service manager tells one reload from another.
#[must_use]
pub(super) fn monotonic() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).expect("every Linux has CLOCK_MONOTONIC").into()
}

/// What the wall clock showed at the origin of [`now`], since 1970, by what it shows now.
#[must_use]
pub(super) fn wall_origin() -> Duration {
    let since_1970 = wall().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    since_1970.saturating_sub(now().since_origin())
}

/// The wall clock, for what people read.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}
