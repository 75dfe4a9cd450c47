//! Changing the addresses of a running pair that speaks VRRPv2, as `docs/operating.md` has it.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, Stamp};

const PATIENCE: Duration = Duration::from_secs(15);
const ONE: &str = "[\"192.168.100.10/24\"]";
const TWO: &str = "[\"192.168.100.10/24\", \"192.168.100.11/24\"]";
/// More than the down interval of three seconds and the skew.
const LONG: Duration = Duration::from_secs(5);

fn text(host: &Host, priority: u8, addresses: &str) -> String {
    format!(
        "[daemon]\ncontrol_socket = \"{}\"\n\n[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\n\
         version = 2\npriority = {priority}\nvirtual_addresses = {addresses}\n",
        host.directory().join("control.sock").display(),
    )
}

fn pair(duo: &Duo) -> [Daemon; 2] {
    let start = |number, priority| {
        let host = duo.lab.host(number);
        Daemon::start_with(Implementation::Vrrpd, host, &text(host, priority, ONE))
    };
    let master = start(1, 200);
    master.wait_for_state("web", "MASTER");
    let backup = start(2, 100);
    backup.wait_for_state("web", "BACKUP");
    [master, backup]
}

fn change(host: &Host, daemon: &Daemon, priority: u8) {
    daemon.rewrite_with(&text(host, priority, TWO));
    assert!(daemon.vrrpctl(&["reload"]).status.success());
}

fn speakers(duo: &Duo, since: Stamp) -> BTreeSet<IpAddr> {
    duo.capture.adverts_since(since).into_iter().map(|(_, advert)| advert.source).collect()
}

#[test]
fn with_the_backup_stopped_meanwhile_there_is_one_master_throughout() {
    let duo = Duo::default();
    let (first, second) = (duo.lab.host(1), duo.lab.host(2));
    let [master, backup] = pair(&duo);
    let start = Stamp::now();
    assert!(backup.stop().success());
    change(first, &master, 200);
    let backup = Daemon::start_with(Implementation::Vrrpd, second, &text(second, 100, TWO));
    sleep(LONG);
    assert_eq!(backup.router("web")["state"], "BACKUP");
    assert_eq!(speakers(&duo, start), BTreeSet::from([first.ip()]));
    assert!(first.has([192, 168, 100, 11].into()));
}

#[test]
fn reloading_both_within_three_intervals_does_no_harm() {
    let duo = Duo::default();
    let (first, second) = (duo.lab.host(1), duo.lab.host(2));
    let [master, backup] = pair(&duo);
    let start = Stamp::now();
    change(second, &backup, 100);
    sleep(Duration::from_secs(1));
    change(first, &master, 200);
    sleep(LONG);
    assert_eq!(speakers(&duo, start), BTreeSet::from([first.ip()]));
}

#[test]
fn while_the_lists_differ_both_are_master_and_say_what_to_do() {
    let duo = Duo::default();
    let [master, backup] = pair(&duo);
    change(duo.lab.host(1), &master, 200);
    backup.wait_for_state("web", "MASTER");
    assert_eq!(master.router("web")["state"], "MASTER");
    let warning = backup.router("web")["warnings"].to_string();
    assert!(
        warning.contains("address_list_errors") && warning.contains("with one of them stopped meanwhile"),
        "{warning}"
    );
    change(duo.lab.host(2), &backup, 100);
    duo.capture.wait_until_only(duo.lab.host(1).ip(), Duration::from_millis(2500), PATIENCE);
}
