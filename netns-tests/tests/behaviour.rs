//! What any VRRP implementation must do. The suite runs against keepalived too, so that it tests the world and not what we believe of it.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{
    Checksum, Daemon, Duo, Implementation, PairConfig, RouterConfig, Stamp, against, down_interval, median, skew_time,
};

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

against!({ keepalived: Keepalived, vrrpd: Vrrpd } {
    the_higher_priority_is_elected,
    a_master_speaks_as_the_rfc_says,
    a_cut_cable_is_survived_and_the_master_returns,
    a_killed_daemon_is_replaced_and_comes_back_clean,
    a_master_that_leaves_hands_over_in_skew_time,
    without_preempt_a_better_host_waits,
    after_a_partition_the_higher_priority_stays,
    after_a_partition_of_equals_the_higher_address_stays,
    a_changed_priority_is_taken_over_at_a_reload,
    a_reload_that_changes_nothing_misses_no_advert,
    version_2_works_too,
    two_hundred_and_fifty_five_routers_move_together,
});

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

fn the_higher_priority_is_elected(implementation: Implementation) {
    let duo = Duo::default();
    let started = Stamp::now();
    let _second = Daemon::start(implementation, duo.lab.host(2), &web(99));
    duo.wait_until_master(2, &RouterConfig::web(99));
    // Nobody is Master before the down interval is over: there could be one that has not been heard yet.
    let (first_advert, _) = duo.capture.all_adverts()[0].clone();
    assert!(first_advert - started >= down_interval(3, 99, TENTH));

    let _first = Daemon::start(implementation, duo.lab.host(1), &web(100));
    duo.wait_until_master(1, &RouterConfig::web(100));
}

fn a_master_speaks_as_the_rfc_says(implementation: Implementation) {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let _daemon = Daemon::start(implementation, host, &web(100));
    let (at, advert) = duo.capture.wait_for_advert(host.ip(), Stamp::now(), PATIENCE);
    assert_eq!((advert.version, advert.vrid, advert.priority, advert.ttl), (3, 51, 100, 255));
    assert_eq!((advert.interval, advert.addresses), (TENTH, vec![vip()]));
    assert_ne!(advert.checksum, Checksum::Wrong);
    let announced = duo.capture.wait_for("a gratuitous ARP", at, PATIENCE, |event| event.announced() == Some(vip()));
    assert_eq!(announced.source_mac, [2, 0, 0, 0, 0, 1]);

    sleep(15 * TENTH);
    let adverts = duo.capture.adverts_since(at);
    let gaps: Vec<f64> = adverts.windows(2).map(|pair| pair[1].0.millis_after(pair[0].0)).collect();
    assert!((90.0..110.0).contains(&median(&gaps)), "{gaps:?}");
}

fn a_cut_cable_is_survived_and_the_master_returns(implementation: Implementation) {
    let duo = Duo::default();
    let _daemons = duo.start(implementation, &web(100), &web(99));
    let cut = Stamp::now();
    duo.lab.cut(duo.lab.host(1));
    duo.check_takeover(cut, down_interval(3, 99, TENTH));
    duo.lab.host(2).wait_until_has(vip(), true, PATIENCE);
    duo.lab.mend(duo.lab.host(1));
    duo.wait_until_master(1, &RouterConfig::web(100));
}

fn a_killed_daemon_is_replaced_and_comes_back_clean(implementation: Implementation) {
    let duo = Duo::default();
    let patient = RouterConfig { preempt: false, ..RouterConfig::web(100) };
    // One after the other: had host 2 become Master first, by less than a millisecond, host 1 would leave it alone.
    let first = Daemon::start(implementation, duo.lab.host(1), &patient.clone().into());
    duo.wait_until_master(1, &patient);
    let _second = Daemon::start(implementation, duo.lab.host(2), &web(99));
    sleep(10 * TENTH);
    let killed = Stamp::now();
    first.crash();
    duo.check_takeover(killed, down_interval(3, 99, TENTH));
    assert!(duo.lab.host(1).has(vip()), "nothing was there to take the address away");

    let back = Stamp::now();
    let _first = Daemon::start(implementation, duo.lab.host(1), &patient.into());
    duo.lab.host(1).wait_until_has(vip(), false, PATIENCE);
    duo.wait_until_master(2, &RouterConfig::web(99));
    assert!(duo.capture.adverts_since(back).iter().all(|(_, advert)| advert.source == duo.lab.host(2).ip()));
}

fn a_master_that_leaves_hands_over_in_skew_time(implementation: Implementation) {
    let duo = Duo::default();
    let [first, _second] = duo.start(implementation, &web(100), &web(99));
    let asked = Stamp::now();
    assert!(first.stop().success());
    let resignation = |event: &netns_tests::Event| event.advert().is_some_and(|advert| advert.priority == 0);
    let resigned = duo.capture.wait_for("a resignation", asked, PATIENCE, resignation);
    assert_eq!(resigned.advert().unwrap().source, duo.lab.host(1).ip());
    duo.check_takeover(resigned.at, skew_time(3, 99, TENTH));
    assert!(!duo.lab.host(1).has(vip()));
}

fn without_preempt_a_better_host_waits(implementation: Implementation) {
    let duo = Duo::default();
    let patient = |priority| RouterConfig { preempt: false, ..RouterConfig::web(priority) };
    let _second = Daemon::start(implementation, duo.lab.host(2), &patient(99).into());
    duo.wait_until_master(2, &patient(99));
    let _first = Daemon::start(implementation, duo.lab.host(1), &patient(100).into());
    sleep(3 * down_interval(3, 99, TENTH));
    let second = duo.lab.host(2).ip();
    assert!(duo.capture.all_adverts().iter().all(|(_, advert)| advert.source == second), "host 1 spoke");
    assert!(!duo.lab.host(1).has(vip()));
}

fn after_a_partition_the_higher_priority_stays(implementation: Implementation) {
    partition(implementation, 100, 1);
}

fn after_a_partition_of_equals_the_higher_address_stays(implementation: Implementation) {
    partition(implementation, 99, 2);
}

/// Both hosts are Master while they do not hear each other; then `winner` alone.
fn partition(implementation: Implementation, first: u8, winner: usize) {
    let duo = Duo::default();
    let _first = Daemon::start(implementation, duo.lab.host(1), &web(first));
    duo.wait_until_master(1, &RouterConfig::web(first));
    let _second = Daemon::start(implementation, duo.lab.host(2), &web(99));
    sleep(3 * TENTH);
    duo.lab.isolate(duo.lab.host(1));
    duo.lab.host(2).wait_until_has(vip(), true, PATIENCE);
    assert!(duo.lab.host(1).has(vip()));
    duo.lab.rejoin(duo.lab.host(1));
    duo.wait_until_master(winner, &RouterConfig::web(99));
}

fn a_changed_priority_is_taken_over_at_a_reload(implementation: Implementation) {
    let duo = Duo::default();
    let [first, _second] = duo.start(implementation, &web(100), &web(99));
    first.rewrite(duo.lab.host(1), &web(98));
    first.reload();
    duo.wait_until_master(2, &RouterConfig::web(99));
    first.rewrite(duo.lab.host(1), &web(100));
    first.reload();
    duo.wait_until_master(1, &RouterConfig::web(100));
}

fn a_reload_that_changes_nothing_misses_no_advert(implementation: Implementation) {
    let duo = Duo::default();
    let interval = 3 * TENTH;
    let config = |priority| PairConfig::from(RouterConfig { interval, ..RouterConfig::web(priority) });
    let [first, second] = duo.start(implementation, &config(100), &config(99));
    // The announcements after a takeover are repeated for a while; what comes after them is due to the reload.
    sleep(Duration::from_secs(6));
    let (start, _) = duo.capture.wait_for_advert(duo.lab.host(1).ip(), Stamp::now(), PATIENCE);
    first.reload();
    second.reload();
    sleep(6 * interval);
    let adverts = duo.capture.adverts_since(start);
    assert!(adverts.iter().all(|(_, advert)| advert.source == duo.lab.host(1).ip() && advert.priority == 100));
    let gaps: Vec<Duration> = adverts.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap < 2 * interval), "an advert is missing: {gaps:?}");
    // keepalived advertises at once after a reload. An advert too many would come early here, just after the one before the reload.
    if implementation == Implementation::Vrrpd {
        assert!(
            gaps.iter().sum::<Duration>() + interval / 2 > interval * u32::try_from(gaps.len()).unwrap(),
            "one too many: {gaps:?}"
        );
        assert!(duo.capture.since(start).iter().all(|event| event.announced().is_none()), "announced again");
    }
}

fn version_2_works_too(implementation: Implementation) {
    let duo = Duo::default();
    let second = Duration::from_secs(1);
    let config =
        |priority| PairConfig::from(RouterConfig { version: 2, interval: second, ..RouterConfig::web(priority) });
    let [first, _second] = duo.start(implementation, &config(100), &config(99));
    let (_, advert) = duo.capture.all_adverts()[0].clone();
    assert_eq!((advert.version, advert.interval, advert.checksum), (2, second, Checksum::Message));
    let killed = Stamp::now();
    first.crash();
    duo.check_takeover(killed, down_interval(2, 99, second));
}

fn two_hundred_and_fifty_five_routers_move_together(implementation: Implementation) {
    let duo = Duo::default();
    let config = |priority| PairConfig { routers: RouterConfig::many(255, priority), scripts: Vec::new() };
    let daemons = [(1, 100), (2, 99)]
        .map(|(number, priority)| Daemon::start(implementation, duo.lab.host(number), &config(priority)));
    duo.wait_until_master_of(1, 255, 2 * PATIENCE);
    let [first, _second] = daemons;
    let killed = Stamp::now();
    first.crash();
    duo.wait_until_master_of(2, 255, 2 * PATIENCE);
    let took = Stamp::now() - killed;
    assert!(took < down_interval(3, 99, TENTH) + Duration::from_secs(3), "{took:?}");
    let held = duo.lab.host(2).addresses();
    let missing: Vec<_> =
        RouterConfig::many(255, 99).into_iter().filter(|router| !held.contains(&router.addresses[0])).collect();
    assert!(missing.is_empty(), "{} addresses are not held", missing.len());
}
