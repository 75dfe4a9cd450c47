//! Owners (priority 255), and the Master that has to hear them come back from an address that it holds meanwhile.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, RouterConfig};

const PATIENCE: Duration = Duration::from_secs(10);
const SETTING: &str = "ipv4/conf/eth0/accept_local";

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

fn text(host: &Host, priority: u8, addresses: &str, more: &str) -> String {
    format!(
        "[daemon]\ncontrol_socket = \"{}\"\n\n[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\n\
         priority = {priority}\nadvert_interval = \"100ms\"\nvirtual_addresses = {addresses}\n{more}\n",
        host.directory().join("control.sock").display(),
    )
}

fn start(host: &Host, priority: u8, more: &str) -> Daemon {
    Daemon::start_with(Implementation::Vrrpd, host, &text(host, priority, "[\"192.168.100.10/24\"]", more))
}

fn setting(host: &Host) -> String {
    let read = host.run("cat", &[&format!("/proc/sys/net/{SETTING}")]);
    String::from_utf8(read.stdout).unwrap().trim().to_owned()
}

/// Linux takes no packet whose source is an address of its own, unless told to.
#[test]
fn packets_from_held_addresses_are_taken_while_an_owner_may_be_heard() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    for (priority, more, taken) in
        [(100, "", true), (255, "", false), (100, "unicast_peers = [\"192.168.100.2\"]", false)]
    {
        let daemon = start(host, priority, more);
        daemon.wait_for_state("web", "MASTER");
        assert_eq!(setting(host) != "0", taken, "priority {priority} {more}");
        daemon.rewrite_with(&text(host, 100, "[\"192.168.100.10/24\"]", "unicast_peers = [\"192.168.100.2\"]"));
        assert!(daemon.vrrpctl(&["reload"]).status.success());
        assert_eq!(setting(host), "0", "after a reload there is no owner to be heard");
        daemon.rewrite_with(&text(host, 100, "[\"192.168.100.10/24\"]", ""));
        assert!(daemon.vrrpctl(&["reload"]).status.success());
        assert_ne!(setting(host), "0", "and now there may be one again");
        assert!(daemon.stop().success());
        assert_eq!(setting(host), "0", "as it was before");
    }
}

#[test]
fn the_setting_is_put_back_after_a_crash_and_left_alone_where_somebody_else_made_it() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let mut daemon = start(host, 100, "");
    daemon.wait_for_state("web", "MASTER");
    daemon.process().signal(nix::sys::signal::Signal::SIGKILL);
    daemon.process_mut().wait(PATIENCE);
    host.wait_until_has(vip(), false, PATIENCE);
    let deadline = std::time::Instant::now() + PATIENCE;
    while setting(host) != "0" {
        assert!(std::time::Instant::now() < deadline, "the guardian puts it back");
    }

    let daemon = start(host, 100, "");
    daemon.wait_for_state("web", "MASTER");
    daemon.crash();
    assert_ne!(setting(host), "0", "nobody is left to put it back");
    let daemon = start(host, 255, "");
    daemon.wait_for_state("web", "MASTER");
    assert_eq!(setting(host), "0", "the next start does");
    assert!(daemon.stop().success());

    host.sysctl(SETTING, "1");
    for end in ["stop", "crash"] {
        let daemon = start(host, 100, "");
        daemon.wait_for_state("web", "MASTER");
        assert_eq!(setting(host), "1");
        if end == "stop" { assert!(daemon.stop().success()) } else { daemon.crash() }
    }
    let daemon = start(host, 255, "");
    daemon.wait_for_state("web", "MASTER");
    assert_eq!(setting(host), "1", "the administrator's");
}

#[test]
fn where_settings_cannot_be_written_it_says_so_and_goes_on() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let text = text(host, 100, "[\"192.168.100.10/24\"]", "");
    let config = host.write("daemon.conf", &text);
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c"]);
    command
        .arg("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys && exec \"$0\" --config \"$1\"");
    command.arg(Implementation::Vrrpd.executable()).arg(config);
    let process = host.start("read-only", command);
    host.wait_until_has(vip(), true, PATIENCE);
    let log = process.log();
    assert!(log.contains("cannot set /proc/sys/net/ipv4/conf/eth0/accept_local: Read-only file system"), "{log}");
    assert!(log.contains("an owner with no address but the virtual ones is not heard when it comes back"), "{log}");
}

/// Its adverts come from the link-local address that the Master before it holds. IPv6 takes them without being told to.
#[test]
fn an_ipv6_owner_with_no_other_link_local_address_is_heard() {
    let duo = Duo::default();
    let (owner, other) = (duo.lab.host(1), duo.lab.host(2));
    let six: IpAddr = "fe80::10".parse().unwrap();
    let start = |host: &Host, priority| {
        Daemon::start_with(Implementation::Vrrpd, host, &text(host, priority, "[\"fe80::10/64\"]", ""))
    };
    let _master = start(other, 100);
    other.wait_until_has(six, true, PATIENCE);
    owner.delete_address(owner.ip6());
    for address in
        owner.addresses().into_iter().filter(|address| matches!(address, IpAddr::V6(ip) if ip.is_unicast_link_local()))
    {
        owner.delete_address(address);
    }
    owner.add_address(six, 64);
    let _owner = start(owner, 255);
    other.wait_until_has(six, false, PATIENCE);
    duo.capture.wait_until_only(six, Duration::from_millis(250), PATIENCE);
}

/// The address that the owner speaks from is on the macvlan there, which a strict reverse path filter objects to.
#[test]
fn a_master_with_the_virtual_mac_hears_the_owner_unless_the_reverse_path_is_strict() {
    for (strictness, heard) in [("0", true), ("2", true), ("1", false)] {
        let duo = Duo::default();
        let (owner, other) = (duo.lab.host(1), duo.lab.host(2));
        other.sysctl("ipv4/conf/eth0/rp_filter", strictness);
        let master = start(other, 100, "mac = \"virtual\"");
        other.wait_until_has(vip(), true, PATIENCE);
        owner.delete_address(owner.ip());
        owner.add_address(vip(), 24);
        let returned = start(owner, 255, "");
        if heard {
            other.wait_until_has(vip(), false, PATIENCE);
        } else {
            returned.wait_for_state("web", "MASTER");
            std::thread::sleep(Duration::from_secs(1));
            assert_eq!(master.router("web")["state"], "MASTER", "the documentation says so");
        }
    }
}
