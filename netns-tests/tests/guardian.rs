//! A daemon that dies, or hangs, leaves nothing behind that another Master would have to share.

use std::time::Duration;

use netns_tests::{
    Daemon, Duo, Event, Implementation, PairConfig, RouterConfig, SLACK, Stamp, down_interval, skew_time, takeovers,
};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use Implementation::Vrrpd;

const PATIENCE: Duration = Duration::from_secs(10);

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

/// Host 1's resignation.
fn resignation(duo: &Duo, start: Stamp) -> Stamp {
    let first = duo.lab.host(1).ip();
    let resigns = |event: &Event| event.advert().is_some_and(|advert| advert.source == first && advert.priority == 0);
    duo.capture.wait_for("a resignation", start, PATIENCE, resigns).at
}

fn guardian_of(daemon: &Daemon) -> Option<Pid> {
    daemon.process().tree().into_iter().find(|&pid| pid != daemon.process().pid())
}

#[track_caller]
fn wait_for_guardian(daemon: &Daemon, other_than: Option<Pid>) -> Pid {
    let deadline = Stamp::now() + PATIENCE;
    loop {
        if let Some(guardian) = guardian_of(daemon).filter(|&pid| Some(pid) != other_than) {
            return guardian;
        }
        assert!(Stamp::now() < deadline, "no guardian");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The peer takes over by the skew after `resigned`, with the address gone from host 1 before.
fn check_hand_over(duo: &Duo, resigned: Stamp) {
    let (taken, _) = duo.capture.wait_for_advert(duo.lab.host(2).ip(), resigned, PATIENCE);
    let router = RouterConfig::web(99);
    let waited = taken - resigned;
    let theory = skew_time(router.version, router.priority, router.interval);
    assert!(waited + Duration::from_millis(1) >= theory, "{waited:?} rather than {theory:?}");
    assert!(waited <= theory + SLACK, "{waited:?} rather than {theory:?}");
    assert!(!duo.lab.host(1).has(RouterConfig::web_address()), "host 1 still has the address");
    duo.lab.host(2).wait_until_has(RouterConfig::web_address(), true, PATIENCE);
}

#[test]
fn the_guardian_resigns_and_releases_for_a_daemon_that_was_killed() {
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    wait_for_guardian(&first, None);
    let start = Stamp::now();
    kill(first.process().pid(), Signal::SIGKILL).expect("it runs");
    let resigned = resignation(&duo, start);
    assert!(resigned - start <= SLACK, "the guardian took {:?}", resigned - start);
    check_hand_over(&duo, resigned);
}

#[test]
fn the_guardian_ends_a_daemon_that_hangs_before_its_peer_takes_over() {
    let duo = Duo::default();
    let [mut first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    wait_for_guardian(&first, None);
    let start = Stamp::now();
    kill(first.process().pid(), Signal::SIGSTOP).expect("it runs");
    let resigned = resignation(&duo, start);
    check_hand_over(&duo, resigned);
    assert!(!first.is_running(), "a daemon that hangs is ended");
}

#[test]
fn a_guardian_that_dies_is_replaced_and_the_daemon_stays_master() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    let guardian = wait_for_guardian(&first, None);
    let before = takeovers(&second);
    let start = Stamp::now();
    kill(guardian, Signal::SIGKILL).expect("it runs");
    wait_for_guardian(&first, Some(guardian));
    // The new one knows what the old one knew.
    std::thread::sleep(Duration::from_millis(300));
    kill(first.process().pid(), Signal::SIGKILL).expect("it runs");
    let resigned = resignation(&duo, start);
    check_hand_over(&duo, resigned);
    assert_eq!(takeovers(&second), before + 1, "taken over just once");
}

#[test]
fn a_daemon_that_is_stopped_takes_its_guardian_along() {
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    let guardian = wait_for_guardian(&first, None);
    assert!(first.stop().success());
    assert!(kill(guardian, None).is_err(), "the guardian is gone");
}

#[test]
fn where_the_guardian_hangs_too_the_kernel_takes_the_addresses_before_the_peer_does() {
    let second_long = |priority| RouterConfig { interval: Duration::from_secs(1), ..RouterConfig::web(priority) };
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &second_long(100).into(), &second_long(99).into());
    wait_for_guardian(&first, None);
    let start = Stamp::now();
    first.freeze();
    duo.capture.wait_for_advert(duo.lab.host(2).ip(), start, PATIENCE);
    assert!(!duo.lab.host(1).has(RouterConfig::web_address()), "both hosts have the address");
    duo.check_takeover(start, down_interval(3, 99, Duration::from_secs(1)));
    first.thaw();
    // It has the higher priority, and takes back what it lost; a while later all is as it was.
    duo.wait_until_master(1, &second_long(100));
}
