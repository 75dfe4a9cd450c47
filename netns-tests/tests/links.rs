//! Links and addresses of the host, followed through the kernel's notices.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, Notice, PairConfig, Process, RouterConfig, SLACK, Stamp};

use Implementation::Vrrpd;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);
/// How soon after the kernel's notice a lost link must be FAULT.
const PROMISE: Duration = Duration::from_millis(10);
/// A busy machine may hold up the daemon, or the one who watches it, now and then; but not every time.
const ROUNDS: usize = 5;

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

#[test]
fn a_lost_carrier_is_a_fault_within_ten_milliseconds() {
    link_down("the carrier", |duo| duo.lab.cut(duo.lab.host(1)), |duo| duo.lab.mend(duo.lab.host(1)));
}

#[test]
fn an_interface_set_down_is_a_fault_within_ten_milliseconds() {
    link_down("the interface", |duo| duo.lab.host(1).set_link(false), |duo| duo.lab.host(1).set_link(true));
}

/// From the kernel's notice that the link is gone to its notice that the daemon has given up the address.
fn link_down(what: &str, cut: impl Fn(&Duo), mend: impl Fn(&Duo)) {
    let duo = Duo::default();
    let daemon = Daemon::start(Vrrpd, duo.lab.host(1), &web(100));
    let notices = duo.lab.host(1).notices();
    let mut took = Vec::new();
    for _ in 0..ROUNDS {
        duo.lab.host(1).wait_until_has(vip(), true, PATIENCE);
        let start = Stamp::now();
        cut(&duo);
        let down = notices.wait_for(Notice::LinkDown, start, PATIENCE);
        let released = notices.wait_for(Notice::AddressGone(vip()), start, PATIENCE);
        took.push(released - down);
        let router = daemon.router("web");
        assert_eq!((router["state"].as_str(), router["reason"].as_str()), (Some("FAULT"), Some("unfit")));
        mend(&duo);
    }
    println!("{what} goes, and the address after {took:?}");
    assert!(took.iter().min().unwrap() < &PROMISE, "{took:?}");
    assert!(took.iter().all(|took| *took < SLACK), "{took:?}");
}

#[test]
fn an_address_that_somebody_removes_comes_back_at_once_and_is_counted() {
    let duo = Duo::default();
    let daemon = Daemon::start(Vrrpd, duo.lab.host(1), &web(100));
    let _second = Daemon::start(Vrrpd, duo.lab.host(2), &web(99));
    duo.wait_until_master(1, &RouterConfig::web(100));
    let notices = duo.lab.host(1).notices();
    let start = Stamp::now();
    let mut took = Vec::new();
    for round in 1..=ROUNDS {
        let removed = Stamp::now();
        duo.lab.host(1).delete_address(vip());
        let gone = notices.wait_for(Notice::AddressGone(vip()), removed, PATIENCE);
        took.push(notices.wait_for(Notice::Address(vip()), gone, PATIENCE) - gone);
        assert_eq!(daemon.router("web")["counters"]["addresses_restored"], round);
    }
    println!("a removed address is back after {took:?}");
    assert!(took.iter().min().unwrap() < &PROMISE, "{took:?}");
    assert!(took.iter().all(|took| *took < SLACK), "{took:?}");
    sleep(5 * TENTH);
    let all = duo.capture.adverts_since(start);
    assert!(all.iter().all(|(_, advert)| advert.source == duo.lab.host(1).ip() && advert.priority == 100));
    let restored = daemon.events().into_iter().filter(|event| event["event"] == "address_restored").count();
    assert_eq!(restored, ROUNDS);
}

#[test]
fn what_a_killed_daemon_left_behind_goes_at_the_next_start_and_nothing_else() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let foreign: IpAddr = [192, 168, 100, 77].into();
    host.add_address(foreign, 24);
    let daemon = Daemon::start(Vrrpd, host, &web(100));
    host.wait_until_has(vip(), true, PATIENCE);
    let tag = host.address_protocol(vip()).unwrap();
    assert_ne!(tag, 0, "the address carries the daemon's number");
    assert_eq!(host.address_protocol(foreign), Some(0));
    daemon.crash();
    assert!(host.has(vip()), "nothing was there to take the address away");

    // Another configuration: only the number tells whose the address was.
    let other = RouterConfig { vrid: 7, addresses: vec![[192, 168, 100, 11].into()], ..RouterConfig::web(100) };
    let daemon = Daemon::start(Vrrpd, host, &other.into());
    host.wait_until_has(vip(), false, PATIENCE);
    daemon.wait_for_state("web", "MASTER");
    assert!(host.has(foreign) && host.has(host.ip()), "{:?}", host.addresses());
}

#[test]
fn an_interface_that_appears_later_is_used_then() {
    let duo = Duo::default();
    let first = duo.lab.host(1);
    duo.lab.remove_interface(first);
    let daemon = Daemon::start(Vrrpd, first, &web(100));
    daemon.wait_for_state("web", "FAULT");
    duo.lab.add_interface(first);
    duo.wait_until_master(1, &RouterConfig::web(100));
    assert_eq!(daemon.router("web")["state"], "MASTER");
    duo.lab.remove_interface(first);
    daemon.wait_for_state("web", "FAULT");
    duo.lab.add_interface(first);
    duo.wait_until_master(1, &RouterConfig::web(100));
}

#[test]
fn without_a_carrier_a_router_is_in_fault() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    duo.lab.cut(duo.lab.host(1));
    first.wait_for_state("web", "FAULT");
    assert!(!duo.lab.host(1).has(vip()));
    duo.lab.host(2).wait_until_has(vip(), true, PATIENCE);
    second.wait_for_state("web", "MASTER");
    duo.lab.mend(duo.lab.host(1));
    first.wait_for_state("web", "MASTER");
    second.wait_for_state("web", "BACKUP");
}

/// A program that removes whatever it is told to as soon as it is there.
fn remove_again_and_again(host: &Host, what: &str) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", &format!("while :; do ip {what} 2>/dev/null; done")]);
    host.start("remover", command)
}

#[test]
fn who_removes_an_address_again_and_again_is_named_and_the_peer_takes_over() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    let host = duo.lab.host(1);
    let mut remover = remove_again_and_again(host, "addr del 192.168.100.10/24 dev eth0");
    second.wait_for_state("web", "MASTER");
    first.wait_for_state("web", "FAULT");
    remover.crash();
    let router = first.router("web");
    assert_eq!(router["counters"]["addresses_restored"], 5, "{router}");
    assert!(!host.has(vip()), "what a router in FAULT holds");
    let fault = first.events().into_iter().rev().find(|event| event["to"] == "FAULT").unwrap();
    let text = fault.to_string();
    assert!(text.contains("192.168.100.10/24") && text.contains("netlink port "), "{text}");
    let explained = String::from_utf8(first.vrrpctl(&["explain", "web"]).stdout).unwrap();
    assert!(explained.contains("undrain web"), "{explained}");

    let start = Stamp::now();
    assert!(first.vrrpctl(&["undrain", "web"]).status.success());
    duo.capture.wait_for_advert(host.ip(), start, PATIENCE);
    host.wait_until_has(vip(), true, PATIENCE);
}

#[test]
fn routes_and_rules_have_the_same_budget_and_it_ends_by_itself() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let gateway = duo.lab.client().ip();
    let route = format!("virtual_routes = [{{ to = \"203.0.113.0/24\", via = \"{gateway}\" }}]\n");
    let daemon = Daemon::start_with(Vrrpd, host, &(Vrrpd.render(host, &web(100)) + &route));
    daemon.wait_for_state("web", "MASTER");
    let mut remover = remove_again_and_again(host, "route del 203.0.113.0/24");
    daemon.wait_for_state("web", "FAULT");
    remover.crash();
    let router = daemon.router("web");
    assert_eq!(router["counters"]["routes_restored"], 5, "{router}");
    let restored = daemon.events().into_iter().filter(|event| event["event"] == "route_restored").count();
    assert_eq!(restored, 5);
    let start = Stamp::now();
    duo.capture.wait_for_advert(host.ip(), start, 2 * PATIENCE);
    let away = Stamp::now() - start;
    assert!(away > Duration::from_secs(8), "back after {away:?}");
    let table = String::from_utf8(host.run("ip", &["route"]).stdout).unwrap();
    assert!(table.contains("203.0.113.0/24"), "{table}");
}
