//! A script starts failing: how long until the other host has the address.

use std::time::Duration;

use netns_tests::Handover;

use crate::options::Options;
use crate::table::statistic;

/// In turn, as for the crashes.
pub(crate) fn rows(options: &Options) {
    let interval = Duration::from_millis(100);
    let pairs: Vec<Handover> = options.contenders().map(|contender| Handover::open(contender, interval)).collect();
    let mut samples = vec![Vec::new(); pairs.len()];
    for _ in 0..options.runs {
        for (pair, samples) in pairs.iter().zip(&mut samples) {
            samples.push(pair.measure());
        }
    }
    for (name, percent) in [("median", 50), ("p90", 90)] {
        statistic(&format!("failing script at {interval:?} to the peer's ARP, {name}, ms"), &samples, percent, |ms| {
            *ms
        });
    }
}
