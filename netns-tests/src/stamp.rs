//! A moment, on the clock that the kernel stamps packets with.

use std::fmt;
use std::ops::{Add, Sub};
use std::str::FromStr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::time::TimeSpec;

/// Time since 1970 on `CLOCK_REALTIME`, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp(Duration);

impl Stamp {
    /// The present moment.
    #[must_use]
    pub fn now() -> Self {
        Self(SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock stands after 1970"))
    }

    /// The moment this long before `later`.
    #[must_use]
    pub fn before(later: Self, by: Duration) -> Self {
        Self(later.0.saturating_sub(by))
    }

    /// How far `self` lies after `earlier`, in milliseconds: negative if it lies before.
    #[must_use]
    pub fn millis_after(self, earlier: Self) -> f64 {
        (self.0.as_secs_f64() - earlier.0.as_secs_f64()) * 1e3
    }
}

impl From<TimeSpec> for Stamp {
    fn from(time: TimeSpec) -> Self {
        Self(Duration::from(time))
    }
}

impl FromStr for Stamp {
    type Err = String;
    /// As `date +%s.%N` writes it.
    fn from_str(text: &str) -> Result<Self, String> {
        let (seconds, nanoseconds) = text.split_once('.').ok_or_else(|| format!("{text:?} has no point"))?;
        let seconds = seconds.parse().map_err(|error| format!("{text:?}: {error}"))?;
        let nanoseconds = nanoseconds.parse().map_err(|error| format!("{text:?}: {error}"))?;
        Ok(Self(Duration::new(seconds, nanoseconds)))
    }
}

impl Sub for Stamp {
    type Output = Duration;
    /// The distance, or zero if `earlier` is in fact later.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Stamp {
    type Output = Self;
    fn add(self, later: Duration) -> Self {
        Self(self.0 + later)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>6}.{:06}", self.0.as_secs() % 1_000_000, self.0.subsec_micros())
    }
}
