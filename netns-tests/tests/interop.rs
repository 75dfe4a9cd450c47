//! `vrrpd` and keepalived as one pair.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::time::Duration;

use netns_tests::{Checksum, Daemon, Duo, Implementation, PairConfig, RouterConfig, Stamp, down_interval, skew_time};

use Implementation::{Keepalived, Vrrpd};

const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn vrrpd_is_master_and_keepalived_its_backup_with_version_3() {
    pair(&Run { hosts: [Vrrpd, Keepalived], version: 3, interval: TENTH });
}

#[test]
fn keepalived_is_master_and_vrrpd_its_backup_with_version_3() {
    pair(&Run { hosts: [Keepalived, Vrrpd], version: 3, interval: TENTH });
}

#[test]
fn vrrpd_is_master_and_keepalived_its_backup_with_version_2() {
    pair(&Run { hosts: [Vrrpd, Keepalived], version: 2, interval: SECOND });
}

#[test]
fn keepalived_is_master_and_vrrpd_its_backup_with_version_2() {
    pair(&Run { hosts: [Keepalived, Vrrpd], version: 2, interval: SECOND });
}

/// keepalived takes version 3 over IPv4 only with a pseudo-header in the checksum; vrrpd sends the RFC's form until it hears that one.
#[test]
fn vrrpd_sends_the_checksum_that_its_peer_sends() {
    let duo = Duo::default();
    let config = |priority| PairConfig::from(RouterConfig::web(priority));
    let _first = Daemon::start(Vrrpd, duo.lab.host(1), &config(100));
    let (_, alone) = duo.capture.wait_for_advert(duo.lab.host(1).ip(), Stamp::now(), 10 * SECOND);
    assert_eq!(alone.checksum, Checksum::Message);
    let _second = Daemon::start(Keepalived, duo.lab.host(2), &config(99));
    duo.capture.wait_for_advert(duo.lab.host(2).ip(), Stamp::now(), 10 * SECOND);
    duo.wait_until_master(1, &RouterConfig::web(100));
    let (_, heard) = duo.capture.all_adverts().pop().unwrap();
    assert_eq!(heard.checksum, Checksum::PseudoHeader);
}

struct Run {
    hosts: [Implementation; 2],
    version: u8,
    interval: Duration,
}

/// Crash, return with preemption, and a graceful hand-over, with host 1 preferred.
fn pair(run: &Run) {
    let &Run { hosts, version, interval } = run;
    let router = |priority| RouterConfig { version, interval, ..RouterConfig::web(priority) };
    let config = |priority| PairConfig::from(router(priority));
    let vip: IpAddr = RouterConfig::web_address();
    let duo = Duo::default();
    // The preferred host comes second, so that it has heard the other one.
    let _second = Daemon::start(hosts[1], duo.lab.host(2), &config(99));
    duo.wait_until_master(2, &router(99));
    let first = Daemon::start(hosts[0], duo.lab.host(1), &config(100));
    duo.wait_until_master(1, &router(100));

    let killed = Stamp::now();
    first.crash();
    duo.check_takeover(killed, down_interval(version, 99, interval));
    let first = Daemon::start(hosts[0], duo.lab.host(1), &config(100));
    duo.wait_until_master(1, &router(100));

    let asked = Stamp::now();
    assert!(first.stop().success());
    let resigns = |event: &netns_tests::Event| event.advert().is_some_and(|advert| advert.priority == 0);
    let resigned = duo.capture.wait_for("a resignation", asked, 10 * SECOND, resigns);
    duo.check_takeover(resigned.at, skew_time(version, 99, interval));
    duo.lab.host(2).wait_until_has(vip, true, 10 * SECOND);
    assert!(!duo.lab.host(1).has(vip));
}
