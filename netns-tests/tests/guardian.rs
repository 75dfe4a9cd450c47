//! A daemon that dies or hangs while its host lives: its guardian says good-bye for it.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Event, Implementation, PairConfig, RouterConfig, Stamp, skew_time};
use nix::sys::signal::{Signal, kill};

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

#[test]
fn a_killed_daemon_is_relieved_in_skew_time() {
    relieved(Signal::SIGKILL);
}

#[test]
fn a_hung_daemon_is_relieved_and_does_not_come_back_as_a_second_master() {
    relieved(Signal::SIGSTOP);
}

/// The daemon alone gets the signal, not its guardian.
fn relieved(signal: Signal) {
    let duo = Duo::default();
    let [mut first, _second] = duo.start(Implementation::Vrrpd, &web(100), &web(99));
    let gone = Stamp::now();
    kill(first.process().pid(), signal).unwrap();
    let resigns = |event: &Event| event.advert().is_some_and(|advert| advert.priority == 0);
    let resigned = duo.capture.wait_for("a resignation", gone, PATIENCE, resigns);
    assert_eq!(resigned.advert().unwrap().source, duo.lab.host(1).ip());
    duo.check_takeover(resigned.at, skew_time(3, 99, TENTH));
    duo.lab.host(1).wait_until_has(vip(), false, PATIENCE);
    duo.wait_until_master(2, &RouterConfig::web(99));
    assert!(!first.is_running());
    // Nothing is left in the way of a new one.
    drop(first);
    let _first = Daemon::start(Implementation::Vrrpd, duo.lab.host(1), &web(100));
    duo.wait_until_master(1, &RouterConfig::web(100));
}
