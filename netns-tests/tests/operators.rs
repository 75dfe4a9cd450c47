//! What operators do to a running pair: drain, undrain, restart, look.
#![allow(clippy::unwrap_used)]

use std::process::Output;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, PairConfig, RouterConfig, Stamp, skew_time, with_state};
use serde_json::Value;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

/// A host of the pair that keeps its state in its own directory.
fn text(host: &Host, priority: u8) -> String {
    let plain = Implementation::Vrrpd.render(host, &PairConfig::from(RouterConfig::web(priority)));
    with_state(&plain, &host.directory().join("state"))
}

fn start(host: &Host, priority: u8) -> Daemon {
    Daemon::start_with(Implementation::Vrrpd, host, &text(host, priority))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[track_caller]
fn succeeds(daemon: &Daemon, arguments: &[&str]) -> String {
    let output = daemon.vrrpctl(arguments);
    assert!(output.status.success(), "vrrpctl {arguments:?}: {}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}

fn events(daemon: &Daemon) -> Vec<Value> {
    succeeds(daemon, &["events", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn a_drained_host_hands_over_in_skew_time_and_stays_backup_over_a_reload_and_a_crash() {
    let duo = Duo::default();
    let [first, second] = [1, 2].map(|number| duo.lab.host(number));
    let (mut one, _two) = (start(first, 100), start(second, 99));
    duo.wait_until_master(1, &RouterConfig::web(100));

    let asked = Stamp::now();
    let words = succeeds(&one, &["drain", "web"]);
    assert!(words.contains(&format!("web: drained; Master is {}", second.ip())), "{words}");
    duo.check_takeover(asked, skew_time(3, 99, TENTH));
    let router = one.router("web");
    assert_eq!((&router["drained"], &router["state"]), (&true.into(), &"BACKUP".into()));
    assert!(router["drain"]["by"].as_str().unwrap().contains("root (uid 0)"), "{router}");
    assert!(one.vrrpctl(&["status", "--check"]).status.success(), "maintenance is not a fault");

    one.rewrite_with(&text(first, 120));
    succeeds(&one, &["reload"]);
    one.reload();
    sleep(10 * TENTH);
    let configured: Vec<Value> =
        events(&one).iter().filter(|event| event["event"] == "configured").map(|event| event["by"].clone()).collect();
    assert_eq!(configured, [Value::Null, "root (uid 0)".into(), "a signal (SIGHUP)".into()]);
    assert_eq!(one.router("web")["state"], "BACKUP");

    // It is written by a thread of its own, soon.
    let numbers = events(&one).len();
    one.kill();
    let one = start(first, 120);
    sleep(10 * TENTH);
    let router = one.router("web");
    assert_eq!((&router["drained"], &router["state"]), (&true.into(), &"BACKUP".into()), "{router}");
    duo.wait_until_master(2, &RouterConfig::web(99));

    let after = events(&one);
    assert!(after.len() > numbers, "the history goes on: {} records, {numbers} before", after.len());
    for (index, event) in after.iter().enumerate() {
        assert_eq!(event["seq"], index + 1, "no number twice and none left out");
    }
    assert!(after.iter().any(|event| event["event"] == "drained" && event["by"] == "root (uid 0)"), "{after:?}");

    let words = succeeds(&one, &["explain", "web"]);
    assert!(words.contains("web is BACKUP (drained: maintenance)") && words.contains("vrrpctl undrain web"), "{words}");
    succeeds(&one, &["undrain", "web"]);
    duo.wait_until_master(1, &RouterConfig::web(120));
}

#[test]
fn nobody_is_drained_where_nobody_takes_over_unless_by_force() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let daemon = start(host, 100);
    duo.wait_until_master(1, &RouterConfig::web(100));
    let output = daemon.vrrpctl(&["drain", "web"]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(said(&output).contains("nobody took over, so it is Master again"), "{}", said(&output));
    duo.wait_until_master(1, &RouterConfig::web(100));
    let output = daemon.vrrpctl(&["drain", "wbe"]);
    assert!(said(&output).contains("is called wbe: there are web"), "{}", said(&output));

    succeeds(&daemon, &["drain", "web", "--force", "--for", "2s"]);
    host.wait_until_has(RouterConfig::web_address(), false, PATIENCE);
    assert_eq!(daemon.router("web")["state"], "BACKUP");
    duo.wait_until_master(1, &RouterConfig::web(100));
    assert_eq!(daemon.router("web")["drained"], false, "its time was up");
}

#[test]
fn a_peer_with_the_same_priority_and_other_addresses_is_a_warning_while_it_lasts() {
    let duo = Duo::default();
    let [first, second] = [1, 2].map(|number| duo.lab.host(number));
    let one = start(first, 100);
    duo.wait_until_master(1, &RouterConfig::web(100));
    let other = "192.168.100.77".parse().unwrap();
    let odd = RouterConfig { addresses: vec![other], ..RouterConfig::web(100) };
    let plain = Implementation::Vrrpd.render(second, &PairConfig::from(odd));
    let two = Daemon::start_with(Implementation::Vrrpd, second, &plain);
    sleep(10 * TENTH);
    let backup = if one.router("web")["state"] == "BACKUP" { &one } else { &two };
    let names: Vec<Value> =
        backup.router("web")["warnings"].as_array().unwrap().iter().map(|warning| warning["name"].clone()).collect();
    assert_eq!(names, ["address_list_errors", "equal_priority"]);
    let table = succeeds(backup, &["status"]);
    assert!(table.contains("WARNING equal_priority from 192.168.100."), "{table}");
    let words = succeeds(backup, &["explain", "web"]);
    assert!(words.contains("Warnings in force:\n  address_list_errors from 192.168.100."), "{words}");
}

fn gratuitous_arp(mac: [u8; 6], address: [u8; 4]) -> Vec<u8> {
    let ethernet = [&[0xff; 6][..], &mac, &[0x08, 0x06]].concat();
    [&ethernet[..], &[0, 1, 8, 0, 6, 4, 0, 1], &mac, &address, &[0; 6], &address].concat()
}

/// A host that has our address and sends no adverts: nothing but ARP and neighbour advertisements tell.
#[test]
fn a_stranger_with_our_address_is_named_and_the_previous_master_is_none() {
    let duo = Duo::default();
    let [first, second] = [1, 2].map(|number| duo.lab.host(number));
    let with_v6 = |host: &Host, priority| {
        text(host, priority).replacen(
            "interface = \"eth0\"",
            "interface = \"eth0\"\nexcluded_addresses = [\"2001:db8:100::10/64\"]",
            1,
        )
    };
    let one = Daemon::start_with(Implementation::Vrrpd, first, &with_v6(first, 100));
    let two = Daemon::start_with(Implementation::Vrrpd, second, &with_v6(second, 99));
    duo.wait_until_master(1, &RouterConfig::web(100));
    let warnings = |daemon: &Daemon| daemon.router("web")["warnings"].as_array().unwrap().clone();
    let stranger = duo.lab.client();
    // The takeover and back, with all of both Masters' announcements, is no claim.
    succeeds(&one, &["drain", "web"]);
    duo.wait_until_master(2, &RouterConfig::web(99));
    succeeds(&one, &["undrain", "web"]);
    duo.wait_until_master(1, &RouterConfig::web(100));
    sleep(Duration::from_secs(6));
    assert_eq!([warnings(&one), warnings(&two)], [Vec::<Value>::new(), Vec::new()]);

    stranger.inject(&gratuitous_arp([2, 0, 0, 0, 0, 0x66], [192, 168, 100, 10]));
    // The kernel announces a new address so.
    stranger.sysctl("ipv6/conf/eth0/ndisc_notify", "1");
    stranger.add_address("2001:db8:100::10".parse().unwrap(), 64);
    sleep(Duration::from_millis(1500));
    let mut told: Vec<(Value, Value)> =
        warnings(&one).iter().map(|warning| (warning["name"].clone(), warning["from"].clone())).collect();
    told.sort_by_key(|(_, from)| from.to_string());
    let claimed = |address: &str| (Value::from("address_claimed"), Value::from(address));
    assert_eq!(told, [claimed("192.168.100.10"), claimed("2001:db8:100::10")]);
    assert_eq!(warnings(&two), Vec::<Value>::new(), "a Backup sees Masters announce");
    for (command, words) in [
        (&["status"][..], "WARNING address_claimed from 192.168.100.10"),
        (&["explain", "web"], "with MAC address 02:00:00:00:00:66: traffic goes astray. Look for that MAC address"),
        (&["events"], "web: warning: address_claimed (192.168.100.10): another host answers for this address"),
    ] {
        let said = succeeds(&one, command);
        assert!(said.contains(words), "vrrpctl {command:?}: {said}");
    }
    assert!(one.process().log().contains("address_claimed"), "{}", one.process().log());
}

#[test]
fn a_stranger_is_noticed_by_a_successor_too() {
    let duo = Duo::default();
    let master = start(duo.lab.host(1), 100);
    duo.wait_until_master(1, &RouterConfig::web(100));
    succeeds(&master, &["upgrade"]);
    sleep(Duration::from_secs(4));
    duo.lab.client().inject(&gratuitous_arp([2, 0, 0, 0, 0, 0x66], [192, 168, 100, 10]));
    sleep(Duration::from_millis(1500));
    assert_eq!(master.router("web")["warnings"][0]["name"], "address_claimed");
}
