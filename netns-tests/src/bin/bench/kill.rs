//! `kill -9` of the daemon, on a host that lives on: when the peer takes over, and how long the address stays.

use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Duo, Implementation, Notice, RouterConfig, Stamp};
use nix::sys::signal::{Signal, kill};

use crate::options::Options;
use crate::table::statistic;

/// For how long the dead daemon's address is watched: what is longer is for good.
const WATCHED: Duration = Duration::from_secs(5);

pub(crate) fn rows(options: &Options) {
    let samples = options.samples(options.runs.div_ceil(4), killed);
    let what = "kill -9 of the daemon at 100ms";
    statistic(&format!("{what}, to the peer's first advert, median, ms"), &samples, 50, |sample| sample[0]);
    statistic(&format!("{what}, its address stays (5000: for good), median, ms"), &samples, 50, |sample| sample[1]);
    statistic(&format!("{what}, its address stays, longest, ms"), &samples, 100, |sample| sample[1]);
}

fn killed(implementation: Implementation) -> [f64; 2] {
    let duo = Duo::default();
    let router = RouterConfig::web(100);
    let [first, _second] = duo.start(implementation, &router.clone().into(), &RouterConfig::web(99).into());
    let notices = duo.lab.host(1).notices();
    sleep(Duration::from_millis(500));
    let start = Stamp::now();
    for pid in first.speakers() {
        kill(pid, Signal::SIGKILL).expect("it runs");
    }
    let (taken, _) = duo.capture.wait_for_advert(duo.lab.host(2).ip(), start, WATCHED);
    sleep(WATCHED.saturating_sub(Stamp::now() - start));
    let gone = |(at, notice): &(Stamp, Notice)| *at >= start && *notice == Notice::AddressGone(router.addresses[0]);
    let gone = notices.heard().into_iter().find(gone).map_or(start + WATCHED, |(at, _)| at);
    [taken.millis_after(start), gone.millis_after(start)]
}
