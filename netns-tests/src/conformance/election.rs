//! Real daemons among themselves: owners (RX, PR), distinct priorities, and what a client sees.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, DEVICE, PATIENCE, TENTH};
use super::{Needs, Scenario};
use crate::craft::Crafted;
use crate::{Daemon, PairConfig, RouterConfig, Stamp, down_interval};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "two_owners", covers: &["RX-10", "PR-04", "PR-05"], needs: Needs::Nothing, run: two_owners },
    Scenario { name: "an_owner_returns", covers: &["PR-03"], needs: Needs::Nothing, run: an_owner_returns },
    Scenario {
        name: "an_owner_without_other_addresses",
        covers: &["CF-03", "IN-01", "PR-03"],
        needs: Needs::VirtualMac,
        run: an_owner_without_other_addresses,
    },
    Scenario { name: "three_backups", covers: &["PR-07"], needs: Needs::Nothing, run: three_backups },
];

/// An owner, and an advert of another one with a higher address: heard, told, and followed.
fn two_owners(bench: &mut Bench) {
    bench.device().add_address(RouterConfig::web_address(), 24);
    let daemon = bench.start(vec![RouterConfig::web(255)]);
    bench.become_master();
    let lower = Crafted::new(255).from([10, 0, 0, 1]);
    let start = Stamp::now();
    bench.feed(&lower, TENTH, 3);
    sleep(TENTH * 3 / 2);
    let stays = bench.adverts(start).len() >= 2;
    let higher = Crafted::new(255);
    bench.feed(&higher, TENTH, 5);
    let gone = bench.adverts(Stamp::now() + Duration::ZERO).is_empty();
    let start = Stamp::now();
    bench.feed(&higher, TENTH, 3);
    let spoke = bench.adverts(start).len();
    let told = match bench.implementation {
        crate::Implementation::Vrrpd => daemon.process().log().contains("owner_conflicts"),
        crate::Implementation::Keepalived => daemon.process().log().contains("255"),
    };
    let seen = format!("stays against 10.0.0.1: {stays}, {spoke} adverts against 192.168.100.200, told: {told}");
    bench.check_all(&["RX-10", "PR-04"], stays && gone && spoke == 0, &seen);
    bench.check("PR-05", told, &seen);
}

fn an_owner_returns(bench: &mut Bench) {
    let second = bench.lab.host(2);
    let _other = Daemon::start(bench.implementation, second, &RouterConfig::web(250).into());
    second.wait_until_has(RouterConfig::web_address(), true, PATIENCE);
    bench.device().add_address(RouterConfig::web_address(), 24);
    let started = Stamp::now();
    let _owner = bench.start(vec![RouterConfig { preempt: false, ..RouterConfig::web(255) }]);
    bench.become_master();
    sleep(2 * TENTH);
    let adverts = bench.capture.adverts_since(started);
    let taken = adverts.iter().find(|(_, advert)| advert.priority == 255).map(|(at, _)| *at).expect("an owner speaks");
    let others = adverts.iter().filter(|(at, advert)| advert.source == second.ip() && *at > taken + TENTH);
    let after = others.count();
    let soon = taken - started < down_interval(3, 250, TENTH) + Duration::from_secs(2);
    bench.check(
        "PR-03",
        after == 0 && soon,
        format!("owner after {:?}; {after} adverts of the other one", taken - started),
    );
}

/// The owner's adverts come from the very address that the Master before it holds.
fn an_owner_without_other_addresses(bench: &mut Bench) {
    let (second, vip) = (bench.lab.host(2), RouterConfig::web_address());
    let _other = Daemon::start(bench.implementation, second, &RouterConfig::web(250).into());
    second.wait_until_has(vip, true, PATIENCE);
    bench.device().delete_address(bench.device().ip());
    bench.device().add_address(vip, 24);
    let started = Stamp::now();
    let owner = bench.start(vec![RouterConfig::web(255)]);
    let own = |event: &crate::Event| event.source_mac == DEVICE && event.advert().is_some();
    let first = bench.capture.find(started, PATIENCE, own);
    let source = first.as_ref().and_then(|event| event.advert()).map(|advert| (advert.source, advert.priority));
    bench.check_all(&["CF-03", "IN-01"], source == Some((vip, 255)), format!("{source:?}"));
    sleep(5 * TENTH);
    let start = Stamp::now();
    sleep(5 * TENTH);
    let adverts = bench.capture.adverts_since(start);
    let alone = adverts.len() > 2 && adverts.iter().all(|(_, advert)| advert.source == vip);
    bench.check("PR-03", alone && !bench.lab.host(2).has(vip), format!("{:?}", adverts.last()));
    owner.stop();
    bench.check("IN-01", bench.device().has(vip), "what was on the interface before stays there after a stop");
}

fn three_backups(bench: &mut Bench) {
    let config = |priority| PairConfig::from(RouterConfig::web(priority));
    let priorities = [(1, 250), (2, 240), (3, 60)];
    let start = |(number, priority)| Daemon::start(bench.implementation, bench.lab.host(number), &config(priority));
    let [first, _second, _third] = priorities.map(start);
    bench.capture.wait_until_only(bench.device().ip(), 3 * TENTH, PATIENCE);
    let killed = Stamp::now();
    first.crash();
    sleep(down_interval(3, 60, TENTH) * 3);
    let adverts = bench.capture.adverts_since(killed + Duration::from_millis(20));
    let sources: BTreeSet<IpAddr> = adverts.iter().map(|(_, advert)| advert.source).collect();
    let second = bench.lab.host(2).ip();
    bench.check("PR-07", sources == BTreeSet::from([second]), format!("adverts of {sources:?}"));
}
