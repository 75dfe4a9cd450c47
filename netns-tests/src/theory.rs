//! What the protocol demands, computed here independently of `vrrpd`: RFC 9568 6.1, and RFC 3768 6.1 for version 2.

use std::time::Duration;

/// `Skew_Time` of a router with this priority: a share of the Master's interval in version 3, of one second in version 2.
#[must_use]
pub fn skew_time(version: u8, priority: u8, interval: Duration) -> Duration {
    let whole = if version == 2 { Duration::from_secs(1) } else { interval };
    whole * (256 - u32::from(priority)) / 256
}

/// `Active_Down_Interval`: the silence after which a Backup with this priority takes over.
#[must_use]
pub fn down_interval(version: u8, priority: u8, interval: Duration) -> Duration {
    3 * interval + skew_time(version, priority, interval)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_the_rfcs() {
        let (tenth, second) = (Duration::from_millis(100), Duration::from_secs(1));
        assert_eq!(skew_time(3, 100, second), Duration::from_micros(609_375));
        assert_eq!(skew_time(3, 254, tenth), Duration::from_nanos(781_250));
        assert_eq!(down_interval(3, 100, tenth), Duration::from_nanos(360_937_500));
        assert_eq!(down_interval(2, 100, 2 * second), Duration::from_micros(6_609_375));
    }
}
