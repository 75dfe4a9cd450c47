//! One daemon takes the place of another, and nobody notices: a restart by a service manager that has a store for
//! descriptors. The manager is the harness's own; it speaks systemd's protocol.

use std::time::Duration;

use netns_tests::{
    Daemon, Duo, Event, Implementation, Job, Manager, Onlooker, PairConfig, RouterConfig, SLACK, Stamp, takeovers,
    upgrade,
};
use nix::sys::signal::{Signal, kill};

const PATIENCE: Duration = Duration::from_secs(10);

fn every(interval: Duration, priority: u8) -> PairConfig {
    RouterConfig { interval, ..RouterConfig::web(priority) }.into()
}

fn web(priority: u8) -> PairConfig {
    every(Duration::from_millis(100), priority)
}

/// A pair whose Master is a service.
fn service(duo: &Duo, interval: Duration) -> (Manager, Daemon, Daemon) {
    let manager = Manager::new(duo.lab.host(1));
    let first = manager.start(duo.lab.host(1), &every(interval, 100));
    let second = Daemon::start(Implementation::Vrrpd, duo.lab.host(2), &every(interval, 99));
    duo.wait_until_master(1, &RouterConfig { interval, ..RouterConfig::web(100) });
    (manager, first, second)
}

/// Host 1's resignation.
#[track_caller]
fn resignation(duo: &Duo, start: Stamp) -> Duration {
    let first = duo.lab.host(1).ip();
    let resigns = |event: &Event| event.advert().is_some_and(|advert| advert.source == first && advert.priority == 0);
    duo.capture.wait_for("a resignation", start, PATIENCE, resigns).at - start
}

fn nobody_notices(interval: Duration, bound: Duration) {
    let duo = Duo::default();
    let (manager, first, second) = service(&duo, interval);
    let before = (takeovers(&second), first.router("web"));
    let onlooker = Onlooker::new(&duo);
    manager.end(duo.lab.host(1), first, Job::Restart);
    // As long as it takes to start the next one.
    std::thread::sleep(Duration::from_millis(300));
    let first = manager.start(duo.lab.host(1), &every(interval, 100));
    first.wait_for_state("web", "MASTER");
    let seen = onlooker.finish(Duration::from_secs(1));
    println!("{interval:?}: {seen:?}");
    seen.assert_unnoticed();
    assert!(seen.longest_gap <= bound, "{seen:?}");
    assert_eq!(takeovers(&second), before.0, "the peer took over");
    for kept in ["since", "reason"] {
        assert_eq!(first.router("web")[kept], before.1[kept], "{kept}");
    }
    let restarted = first.events().into_iter().filter(|event| event["event"] == "restarted").count();
    assert_eq!(restarted, 1);
    assert_eq!(manager.stored(), 0, "what was taken over is not stored any more");
}

#[test]
fn nobody_notices_at_100_ms() {
    nobody_notices(Duration::from_millis(100), Duration::from_millis(150));
}

#[test]
fn nobody_notices_at_10_ms() {
    nobody_notices(Duration::from_millis(10), Duration::from_millis(30));
}

#[test]
fn nor_do_they_notice_an_upgrade_after_a_restart() {
    let duo = Duo::default();
    let interval = Duration::from_millis(100);
    let (manager, first, second) = service(&duo, interval);
    let before = takeovers(&second);
    let onlooker = Onlooker::new(&duo);
    manager.end(duo.lab.host(1), first, Job::Restart);
    let first = manager.start(duo.lab.host(1), &every(interval, 100));
    first.wait_for_state("web", "MASTER");
    upgrade(&first);
    let seen = onlooker.finish(Duration::from_secs(1));
    seen.assert_unnoticed();
    assert_eq!(takeovers(&second), before, "the peer took over");
    assert_eq!(first.router("web")["state"], "MASTER");
}

#[test]
fn a_stop_is_a_stop() {
    let duo = Duo::default();
    let (manager, first, _second) = service(&duo, Duration::from_millis(100));
    let start = Stamp::now();
    manager.end(duo.lab.host(1), first, Job::Stop);
    assert!(resignation(&duo, start) <= SLACK);
    assert!(!duo.lab.host(1).has(RouterConfig::web_address()));
}

#[test]
fn where_no_other_daemon_follows_the_guardian_resigns_in_the_end() {
    let duo = Duo::default();
    let (manager, first, _second) = service(&duo, Duration::from_millis(100));
    manager.end(duo.lab.host(1), first, Job::Restart);
    let start = Stamp::now();
    let after = resignation(&duo, start);
    assert!(after <= Duration::from_secs(2) + SLACK, "{after:?}");
    duo.wait_until_master(2, &RouterConfig::web(99));
    // One that comes too late starts anew, and takes back what it is preferred for.
    let first = manager.start(duo.lab.host(1), &web(100));
    duo.wait_until_master(1, &RouterConfig::web(100));
    assert!(first.process().log().contains("did not wait any longer"), "{}", first.process().log());
}

#[test]
fn a_configuration_that_does_not_run_is_the_end_of_a_reign() {
    let duo = Duo::default();
    let (manager, first, _second) = service(&duo, Duration::from_millis(100));
    manager.end(duo.lab.host(1), first, Job::Restart);
    let start = Stamp::now();
    let mut broken = web(100);
    broken.routers[0].vrid = 0;
    let mut failed = manager.start(duo.lab.host(1), &broken);
    assert!(resignation(&duo, start) <= SLACK, "before the guardian's time is up");
    assert_eq!(failed.process_mut().wait(PATIENCE).and_then(|status| status.code()), Some(1));
    duo.wait_until_master(2, &RouterConfig::web(99));
}

#[test]
fn a_state_that_is_not_understood_is_a_clean_start() {
    for (contents, complaint) in [
        (&b"\0\0\0\x63{}"[..], "has schema 99"),
        (b"\0\0\0\x01{\"version\": [1", "is not understood"),
        (b"\0", "cannot be read"),
    ] {
        let duo = Duo::default();
        let (manager, first, _second) = service(&duo, Duration::from_millis(100));
        manager.end(duo.lab.host(1), first, Job::Restart);
        manager.garble(contents);
        let start = Stamp::now();
        let first = manager.start(duo.lab.host(1), &web(100));
        assert!(resignation(&duo, start) <= SLACK, "{complaint}");
        duo.wait_until_master(1, &RouterConfig::web(100));
        assert!(first.process().log().contains(complaint), "{}", first.process().log());
    }
}

#[test]
fn a_successor_that_is_killed_at_any_moment_of_its_start_leaves_nothing() {
    for delay in [0, 5, 15, 30, 60] {
        let duo = Duo::default();
        let (manager, first, _second) = service(&duo, Duration::from_millis(100));
        manager.end(duo.lab.host(1), first, Job::Restart);
        let start = Stamp::now();
        let doomed = manager.start(duo.lab.host(1), &web(100));
        std::thread::sleep(Duration::from_millis(delay));
        kill(doomed.process().pid(), Signal::SIGKILL).expect("it runs");
        let after = resignation(&duo, start);
        assert!(after <= Duration::from_secs(2) + SLACK, "killed after {delay} ms: resigned after {after:?}");
        duo.wait_until_master(2, &RouterConfig::web(99));
    }
}
