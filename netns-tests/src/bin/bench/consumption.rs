//! Processor time, memory, and how punctual adverts are, of many virtual routers on one interface.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Capture, Daemon, Duo, Implementation, PairConfig, RouterConfig, Stamp, Usage, Used, percentile};

use crate::options::Options;
use crate::table::statistic;

/// How often adverts may come before a capture of them would take more time than the daemons.
const CAPTURED: Duration = Duration::from_millis(50);

pub(crate) fn rows(options: &Options) {
    for &(count, interval) in &options.routers {
        let interval = Duration::from_millis(interval);
        let time = Duration::from_secs(options.seconds);
        let samples = options.samples(options.rounds, |implementation| measured(implementation, count, interval, time));
        for (role, number) in [("Master", 0), ("Backup", 1)] {
            let what = format!("{role} of {count} at {interval:?}");
            statistic(&format!("{what}, processor, % of a core"), &samples, 50, |(used, _)| {
                used[number].processor_percent
            });
            statistic(&format!("{what}, memory (PSS), KiB"), &samples, 50, |(used, _)| used[number].memory_kib);
        }
        if interval >= CAPTURED {
            let what = format!("Master of {count} at {interval:?}, lateness of adverts, p99, ms");
            statistic(&what, &samples, 50, |(_, late)| *late);
        }
    }
}

/// What Master and Backup use once the announcements after the takeover are over, and how late adverts are.
fn measured(implementation: Implementation, count: u8, interval: Duration, time: Duration) -> ([Used; 2], f64) {
    let duo = Duo::default();
    let config = |priority| PairConfig {
        routers: RouterConfig::many(count, priority)
            .into_iter()
            .map(|router| RouterConfig { interval, ..router })
            .collect(),
        scripts: Vec::new(),
    };
    let first = Daemon::start(implementation, duo.lab.host(1), &config(100));
    duo.wait_until_master_of(1, count.into(), Duration::from_mins(1));
    let second = Daemon::start(implementation, duo.lab.host(2), &config(99));
    sleep(Duration::from_secs(7));
    duo.wait_until_master_of(1, count.into(), Duration::from_mins(1));
    let Duo { capture, lab: _lab } = duo;
    let capture = Some(capture).filter(|_| interval >= CAPTURED);
    let start = Stamp::now();
    let usages = [first, second].map(|daemon| (Usage::start(daemon.process().tree()), daemon));
    sleep(time);
    let used = usages.map(|(usage, _daemon)| usage.finish());
    (used, capture.map_or(f64::NAN, |capture| lateness(&capture, start, interval)))
}

/// By how many milliseconds 99 of 100 adverts are not later than an interval after the one before.
fn lateness(capture: &Capture, start: Stamp, interval: Duration) -> f64 {
    let mut last: BTreeMap<u8, Stamp> = BTreeMap::new();
    let mut late = Vec::new();
    for (at, advert) in capture.adverts_since(start) {
        if let Some(before) = last.insert(advert.vrid, at) {
            late.push((at.millis_after(before) - interval.as_secs_f64() * 1e3).max(0.0));
        }
    }
    percentile(&late, 99)
}
