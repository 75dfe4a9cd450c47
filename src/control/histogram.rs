//! How long something took, as a distribution. Fixed buckets, no allocation: the protocol thread counts into it.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Upper bounds of the buckets: what is lost within a millisecond is of interest, and what is longer than a second is
/// a stall whatever its length.
const BOUNDS: [Duration; 12] = [
    Duration::from_micros(100),
    Duration::from_micros(250),
    Duration::from_micros(500),
    Duration::from_millis(1),
    Duration::from_micros(2_500),
    Duration::from_millis(5),
    Duration::from_millis(10),
    Duration::from_millis(25),
    Duration::from_millis(50),
    Duration::from_millis(100),
    Duration::from_millis(250),
    Duration::from_secs(1),
];

/// A distribution of durations.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Histogram {
    /// By bucket, not cumulative; what is above the last bound is in `count` only.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

/// What the protocol thread measures of itself.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Timings {
    /// From the moment the protocol allows a takeover to the first announcement handed to the kernel.
    pub failover_overhead: Histogram,
    /// How much after its time an advert was handed to the kernel.
    pub advert_lateness: Histogram,
}

/// A [`Histogram`] in the status.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct HistogramDocument {
    /// In rising order.
    pub buckets: Vec<BucketDocument>,
    /// Everything that was counted.
    pub count: u64,
    /// In seconds.
    pub sum: f64,
}

/// What was counted up to a bound.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct BucketDocument {
    /// The bound in seconds, inclusive.
    pub le: f64,
    /// Everything up to the bound, lower buckets included.
    pub count: u64,
}

impl Histogram {
    /// Counts `times` events that took `span` each.
    pub fn observe(&mut self, span: Duration, times: u32) {
        if let Some(at) = BOUNDS.iter().position(|&bound| span <= bound) {
            self.buckets[at] += u64::from(times);
        }
        self.count += u64::from(times);
        self.sum = self.sum.saturating_add(span.saturating_mul(times));
    }

    /// As it stands in the status.
    #[must_use]
    pub fn document(&self) -> HistogramDocument {
        let cumulative = self.buckets.iter().scan(0, |below, count| {
            *below += count;
            Some(*below)
        });
        let buckets = BOUNDS.iter().zip(cumulative).map(|(le, count)| BucketDocument { le: le.as_secs_f64(), count });
        HistogramDocument { buckets: buckets.collect(), count: self.count, sum: self.sum.as_secs_f64() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative_and_their_bounds_inclusive() {
        let mut histogram = Histogram::default();
        histogram.observe(Duration::from_micros(100), 1);
        histogram.observe(Duration::from_micros(101), 3);
        histogram.observe(Duration::from_secs(2), 1);
        let document = histogram.document();
        let counts: Vec<u64> = document.buckets.iter().map(|bucket| bucket.count).collect();
        assert_eq!((counts[0], counts[1], counts[11], document.count), (1, 4, 4, 5));
        assert!((document.sum - 2.000_403).abs() < 1e-9, "{}", document.sum);
        assert!((document.buckets[0].le - 0.000_1).abs() < 1e-12 && document.buckets.is_sorted_by_key(|b| b.le));
    }

    #[test]
    fn the_bounds_rise() {
        assert!(BOUNDS.is_sorted());
    }
}
