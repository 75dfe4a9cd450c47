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

/// The wall clock, for what people read.
#[must_use]
#[expect(clippy::disallowed_methods, reason = "this is the file that reads clocks")]
pub(super) fn wall() -> SystemTime {
    SystemTime::now()
}
