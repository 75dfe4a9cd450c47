//! The daemon hangs: for how long both hosts have the address.

use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Duo, Implementation, RouterConfig, Stamp, held_by_both};
use nix::sys::signal::{Signal, kill};

use crate::options::Options;
use crate::table::statistic;

const LASTING: Duration = Duration::from_secs(8);

/// Who is stopped.
#[derive(Clone, Copy)]
enum Stopped {
    /// Those that speak.
    Speakers,
    /// Every process.
    All,
}

pub(crate) fn rows(options: &Options) {
    for (what, stopped, interval) in [
        ("SIGSTOP of the daemon for 8s at 100ms", Stopped::Speakers, Duration::from_millis(100)),
        ("SIGSTOP of all its processes for 8s at 1s", Stopped::All, Duration::from_secs(1)),
    ] {
        let samples = options.samples(options.rounds, |implementation| hung(implementation, stopped, interval));
        statistic(&format!("{what}, both have the address, longest, ms"), &samples, 100, |ms| *ms);
    }
}

fn hung(implementation: Implementation, stopped: Stopped, interval: Duration) -> f64 {
    let duo = Duo::default();
    let [ours, theirs] = [100, 99].map(|priority| RouterConfig { interval, ..RouterConfig::web(priority) });
    let address = ours.addresses[0];
    let [first, _second] = duo.start(implementation, &ours.into(), &theirs.into());
    let notices = [1, 2].map(|number| duo.lab.host(number).notices());
    sleep(2 * interval);
    let pids = match stopped {
        Stopped::Speakers => first.speakers(),
        Stopped::All => first.process().tree(),
    };
    let start = Stamp::now();
    for pid in &pids {
        kill(*pid, Signal::SIGSTOP).expect("it runs");
    }
    sleep(LASTING);
    let both = held_by_both(&notices[0], &notices[1], address, start, Stamp::now());
    for pid in pids {
        // A guardian may have ended it.
        let _ = kill(pid, Signal::SIGCONT);
    }
    both.as_secs_f64() * 1e3
}
