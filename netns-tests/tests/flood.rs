//! Floods: more packets than a daemon can have any use for change nothing, and cost little.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{
    Crafted, Daemon, Duo, Flood, Implementation, PairConfig, RouterConfig, Stamp, down_interval, takeovers,
};

use Implementation::Vrrpd;

const RATE: u32 = 40_000;
const LASTING: Duration = Duration::from_secs(5);
const LOG: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(15);

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

fn stranger(duo: &Duo) -> Crafted {
    Crafted { source_mac: [2, 0, 0, 0, 0, 99], ..Crafted::new(254).from(duo.lab.client().ip()) }
}

fn interface(daemon: &Daemon) -> serde_json::Value {
    daemon.status()["interfaces"][0].clone()
}

fn has_event(daemon: &Daemon, name: &str) -> bool {
    daemon.events().iter().any(|event| event["event"] == name)
}

/// Floods a pair: nobody changes its state, the Master goes on, and the log stays short.
fn withstand(duo: &Duo, daemons: &[Daemon; 2], frames: Vec<Vec<u8>>, rate: u32, meanwhile: impl Fn()) {
    let before = daemons.each_ref().map(takeovers);
    let logged = daemons.each_ref().map(|daemon| daemon.process().log().len());
    let start = Stamp::now();
    let flood = Flood::start(duo.lab.client(), frames, rate);
    sleep(LASTING);
    meanwhile();
    let sent = flood.stop();
    let over = Stamp::now();
    let expected = (over - start).as_millis() * u128::from(rate) / 1000;
    assert!(sent * 10 >= expected * 9, "only {sent} of {expected} were sent");
    assert_eq!(daemons.each_ref().map(takeovers), before);
    let [first, second] = [1, 2].map(|number| duo.lab.host(number).ip());
    let adverts = duo.capture.adverts_since(start);
    assert!(adverts.iter().all(|(_, advert)| advert.source != second), "host 2 took over");
    let kept = adverts.iter().filter(|(at, advert)| *at < over && advert.source == first).count();
    let due = usize::try_from((over - start).as_millis() / 100).unwrap();
    assert!(kept * 10 >= due * 9, "only {kept} of {due} adverts");
    for (daemon, logged) in daemons.iter().zip(logged) {
        let said = daemon.process().log().len() - logged;
        assert!(said < LOG, "{said} octets of log");
    }
}

#[test]
fn forty_thousand_malformed_adverts_a_second_change_nothing_and_are_left_to_the_kernel() {
    let duo = Duo::default();
    let daemons = duo.start(Vrrpd, &web(100), &web(99));
    withstand(&duo, &daemons, stranger(&duo).malformed(), RATE, || {
        for daemon in &daemons {
            let interface = interface(daemon);
            assert_eq!(interface["counters_estimated"], true, "{interface}");
            // It takes a fortieth of a second to notice, so that nearly all are dropped; a sample's estimate errs a little.
            let dropped = interface["counters"]["filtered"].as_u64().unwrap();
            assert!((150_000..250_000).contains(&dropped), "{dropped}");
            assert!(has_event(daemon, "filter_set"));
        }
    });
    for daemon in &daemons {
        let deadline = Stamp::now() + PATIENCE;
        while interface(daemon)["counters_estimated"] == true {
            assert!(Stamp::now() < deadline, "the filter stays");
            sleep(Duration::from_millis(100));
        }
        assert!(has_event(daemon, "filter_lifted"));
    }
    // Counted one by one again.
    let before = interface(&daemons[1])["counters"]["ip_ttl_errors"].as_u64().unwrap();
    duo.lab.client().inject(&Crafted { ttl: 254, ..stranger(&duo) }.frame());
    sleep(Duration::from_millis(100));
    assert_eq!(interface(&daemons[1])["counters"]["ip_ttl_errors"], before + 1);
}

#[test]
fn what_the_kernel_cannot_tell_changes_nothing_either() {
    let duo = Duo::default();
    let daemons = duo.start(Vrrpd, &web(100), &web(99));
    withstand(&duo, &daemons, vec![stranger(&duo).falsely_summed()], RATE, || {
        for daemon in &daemons {
            assert_eq!(interface(daemon)["counters"]["filtered"], 0);
        }
    });
}

#[test]
fn a_unicast_flood_changes_nothing() {
    let duo = Duo::default();
    let daemons = duo.start(Vrrpd, &web(100), &web(99));
    let IpAddr::V4(backup) = duo.lab.host(2).ip() else { panic!("labs have IPv4 addresses") };
    let at_backup = |advert: Crafted| Crafted { to: Some((backup, [2, 0, 0, 0, 0, 2])), ..advert };
    // Some are sound but for not being sent to the group, and some come from everywhere.
    let mut frames = at_backup(stranger(&duo)).malformed();
    frames.push(at_backup(stranger(&duo)).frame());
    frames.extend((1..=50).map(|last| at_backup(stranger(&duo).from(Ipv4Addr::new(10, 9, 8, last))).frame()));
    withstand(&duo, &daemons, frames, RATE, || {});
}

#[test]
fn a_router_that_comes_with_a_reload_is_heard_while_the_flood_goes_on() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    let flood = Flood::start(duo.lab.client(), stranger(&duo).malformed(), RATE);
    let deadline = Stamp::now() + PATIENCE;
    while interface(&second)["counters_estimated"] != true {
        assert!(Stamp::now() < deadline, "no filter");
        sleep(Duration::from_millis(100));
    }
    let other = |priority| RouterConfig {
        name: "other".to_owned(),
        vrid: 200,
        addresses: vec![[192, 168, 100, 20].into()],
        ..RouterConfig::web(priority)
    };
    for (number, daemon, priority) in [(1, &first, 100), (2, &second, 99)] {
        let routers = vec![RouterConfig::web(priority), other(priority)];
        daemon.rewrite(duo.lab.host(number), &PairConfig { routers, scripts: Vec::new() });
        assert!(daemon.vrrpctl(&["reload"]).status.success());
        daemon.wait_for_state("other", if number == 1 { "MASTER" } else { "BACKUP" });
    }
    let start = Stamp::now();
    sleep(Duration::from_secs(1));
    assert_eq!(second.router("other")["state"], "BACKUP");
    let heard = duo.capture.adverts_since(start);
    assert!(heard.iter().all(|(_, advert)| advert.source != duo.lab.host(2).ip()), "host 2 took over");
    flood.stop();
}

#[test]
fn a_peer_that_floods_valid_adverts_of_higher_priority_is_believed_until_it_stops() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    let flood = Flood::start(duo.lab.client(), vec![stranger(&duo).frame()], RATE);
    first.wait_for_state("web", "BACKUP");
    sleep(Duration::from_secs(2));
    let before = takeovers(&second);
    flood.stop();
    let over = Stamp::now();
    let (taken, _) = duo.capture.wait_for_advert(duo.lab.host(1).ip(), over, PATIENCE);
    let down = down_interval(3, 100, Duration::from_millis(100));
    assert!(taken - over <= down + netns_tests::SLACK, "{:?} rather than {down:?}", taken - over);
    duo.wait_until_master(1, &RouterConfig::web(100));
    assert_eq!(takeovers(&second), before, "only the preferred one takes over");
    assert_eq!(interface(&first)["counters"]["filtered"], 0, "valid adverts are not filtered");
}
