//! How soon a host that is no longer fit hands over, measured from what happened to what the network sees.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::process::Command;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Event, Handover, Implementation, JITTER, RouterConfig, SLACK, Stamp, median};

use Implementation::{Keepalived, Vrrpd};

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);
const ROUNDS: usize = 5;

#[test]
fn a_demoted_master_hands_over_in_skew_time_and_sooner_than_keepalived_does() {
    let [ours, theirs] = [Vrrpd, Keepalived].map(|implementation| {
        let pair = Handover::open(implementation, TENTH);
        let theory = pair.theory().as_secs_f64() * 1e3;
        let took: Vec<f64> = (0..ROUNDS).map(|_| pair.measure()).collect();
        println!(
            "{}: the failing exit of a script to the peer's gratuitous ARP in {:.1} ms (median of {took:.1?}), skew time {theory:.1} ms",
            implementation.name(),
            median(&took)
        );
        if implementation == Vrrpd {
            assert!(took.iter().all(|took| *took + JITTER.as_secs_f64() * 1e3 >= theory), "{took:?} before {theory}");
            let late = theory + SLACK.as_secs_f64() * 1e3;
            assert!(median(&took) < late, "{took:?}: later than {late}");
        }
        median(&took)
    });
    // It waits for three intervals and the skew time, where ours waits for the skew time alone.
    assert!(ours < theirs, "vrrpd {ours} ms, keepalived {theirs} ms");
}

/// From the signal that ends a tracked process to the resignation on the wire.
#[test]
fn a_process_that_dies_is_acted_on_within_ten_milliseconds() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    // The kernel keeps fifteen octets of a name.
    let name = format!("worker{}", std::process::id());
    let program = host.directory().join(&name);
    fs::copy("/bin/sleep", &program).unwrap();
    let work = || {
        let mut command = Command::new(&program);
        command.arg("1000");
        host.start("worker", command)
    };
    let mut worker = work();
    let config = RouterConfig { track: vec![("worker".to_owned(), None)], ..RouterConfig::web(100) };
    let text = Vrrpd.render(host, &config.clone().into());
    let track = format!("\n[track.worker]\nprocess = \"{name}\"\nfall = 1\nrise = 1\n");
    let _first = Daemon::start_with(Vrrpd, host, &(text + &track));
    let _second = Daemon::start(Vrrpd, duo.lab.host(2), &RouterConfig::web(99).into());
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        duo.wait_until_master(1, &config);
        let killed = Stamp::now();
        worker.crash();
        let resigns = |event: &Event| event.advert().is_some_and(|advert| advert.priority == 0);
        took.push(duo.capture.wait_for("a resignation", killed, PATIENCE, resigns).at.millis_after(killed));
        duo.wait_until_master(2, &RouterConfig::web(99));
        worker = work();
    }
    println!("a tracked process dies, and its host resigns in {:.1} ms (median of {took:.1?})", median(&took));
    let best = took.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(best < 10.0, "{took:?}");
    assert!(took.iter().all(|took| *took < SLACK.as_secs_f64() * 1e3), "{took:?}");
}
