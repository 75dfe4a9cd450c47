//! keepalived runs from its own file and `vrrpd` from what `vrrpctl import-keepalived` makes of such a file: as a pair they agree, in
//! either role.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netns_tests::{Daemon, Duo, Host, Implementation};

const PATIENCE: Duration = Duration::from_secs(20);

/// Runs `vrrpctl import-keepalived`, and gives the daemon a control socket of its own.
fn imported(host: &Host, text: &str) -> String {
    let path = host.write("keepalived.conf", text);
    let vrrpctl = Implementation::Vrrpd.executable().with_file_name("vrrpctl");
    let output = Command::new(vrrpctl).arg("import-keepalived").arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let toml = String::from_utf8(output.stdout).unwrap();
    let socket = format!("[daemon]\ncontrol_socket = \"{}\"\n", host.directory().join("control.sock").display());
    if toml.contains("[daemon]\n") { toml.replace("[daemon]\n", &socket) } else { format!("{socket}{toml}") }
}

fn start(implementation: Implementation, host: &Host, text: &str) -> Daemon {
    match implementation {
        Implementation::Keepalived => Daemon::start_with(implementation, host, text),
        Implementation::Vrrpd => Daemon::start_with(implementation, host, &imported(host, text)),
    }
}

/// Waits until this host holds all of the addresses and the other none, and sees to it that this stays so.
#[track_caller]
fn wait_until_holder(duo: &Duo, number: usize, addresses: &[IpAddr]) {
    let [holder, other] = [duo.lab.host(number), duo.lab.host(3 - number)];
    for address in addresses {
        holder.wait_until_has(*address, true, PATIENCE);
        other.wait_until_has(*address, false, PATIENCE);
    }
    let until = Instant::now() + Duration::from_secs(3);
    while Instant::now() < until {
        for address in addresses {
            assert!(holder.has(*address) && !other.has(*address), "{address} does not stay with host {number}");
        }
        sleep(Duration::from_millis(100));
    }
}

/// Host 1 is preferred, is missed, and comes back: first with `vrrpd` in its place, then with keepalived.
fn agree(first: impl Fn(&Host) -> String, second: impl Fn(&Host) -> String, addresses: &[&str]) {
    use Implementation::{Keepalived, Vrrpd};
    let addresses: Vec<IpAddr> = addresses.iter().map(|address| address.parse().unwrap()).collect();
    for [one, two] in [[Vrrpd, Keepalived], [Keepalived, Vrrpd]] {
        let duo = Duo::default();
        let hosts = [1, 2].map(|number| duo.lab.host(number));
        let texts = [first(hosts[0]), second(hosts[1])];
        let _other = start(two, hosts[1], &texts[1]);
        let preferred = start(one, hosts[0], &texts[0]);
        wait_until_holder(&duo, 1, &addresses);
        assert!(preferred.stop().success());
        wait_until_holder(&duo, 2, &addresses);
        let preferred = start(one, hosts[0], &texts[0]);
        wait_until_holder(&duo, 1, &addresses);
        drop(preferred);
    }
}

/// An instance on `eth0` with the address 192.168.100.10.
fn instance(priority: u8, lines: &str) -> String {
    format!(
        "vrrp_instance web {{\n  interface eth0\n  virtual_router_id 51\n  priority {priority}\n  virtual_ipaddress {{\n    192.168.100.10/24\n  }}\n{lines}\n}}\n"
    )
}

#[test]
fn a_simple_pair() {
    agree(
        |_| instance(100, "state MASTER\nadvert_int 1"),
        |_| instance(90, "state BACKUP\nadvert_int 1"),
        &["192.168.100.10"],
    );
}

#[test]
fn a_password_that_is_too_long() {
    let auth = |secret: &str| format!("authentication {{\n auth_type PASS\n auth_pass \"{secret}\"\n}}");
    agree(|_| instance(100, &auth("s3cr#t word")), |_| instance(90, &auth("s3cr#t wide")), &["192.168.100.10"]);
}

#[test]
fn version_3() {
    let lines = "version 3\nadvert_int 0.2";
    agree(|_| instance(100, lines), |_| instance(90, lines), &["192.168.100.10"]);
}

#[test]
fn unicast() {
    let lines = |host: &Host, peer: &str| {
        format!("version 3\nadvert_int 0.25\nunicast_src_ip {}\nunicast_peer {{\n{peer}\n}}", host.ip())
    };
    agree(
        |host| instance(100, &lines(host, "192.168.100.2")),
        |host| instance(90, &lines(host, "192.168.100.1")),
        &["192.168.100.10"],
    );
}

#[test]
fn a_sync_group() {
    let config = |priority| {
        let second = instance(priority, "").replace("web", "api").replace("51", "52").replace("100.10/", "100.11/");
        format!("{}{second}vrrp_sync_group both {{\n group {{\n  web\n  api\n }}\n}}\n", instance(priority, ""))
    };
    agree(|_| config(100), |_| config(90), &["192.168.100.10", "192.168.100.11"]);
}

#[test]
fn ipv6_with_the_virtual_mac_address() {
    let config = |priority| {
        format!(
            "vrrp_instance six {{\n  interface eth0\n  use_vmac\n  version 3\n  advert_int 0.25\n  virtual_router_id 51\n  priority {priority}\n  virtual_ipaddress {{\n    fe80::51/64\n    2001:db8:100::10/64\n  }}\n}}\n"
        )
    };
    agree(|_| config(100), |_| config(90), &["fe80::51", "2001:db8:100::10"]);
}

/// A script with a weight of either sign, and one with `reverse`, on the preferred host.
#[test]
fn weights_of_scripts() {
    use Implementation::{Keepalived, Vrrpd};
    let vip: [IpAddr; 1] = [[192, 168, 100, 10].into()];
    // The weight, whether the script is healthy, and which of 100 and 95 is higher then.
    let cases = [("-20", true, 1), ("-20", false, 2), ("20 reverse", true, 2), ("20 reverse", false, 1)];
    for [one, two] in [[Vrrpd, Keepalived], [Keepalived, Vrrpd]] {
        for (weight, healthy, holder) in cases {
            let duo = Duo::default();
            let (first, second) = (duo.lab.host(1), duo.lab.host(2));
            let script = first.write_script("check", if healthy { "exit 0" } else { "exit 1" });
            let text = format!(
                "global_defs {{\n script_user root\n}}\nvrrp_script check {{\n script \"{}\"\n interval 1\n weight {weight}\n}}\n{}",
                script.display(),
                instance(100, "version 3\nadvert_int 0.2\ntrack_script {\n check\n}")
            );
            let _first = start(one, first, &text);
            let _second = start(two, second, &instance(95, "version 3\nadvert_int 0.2"));
            wait_until_holder(&duo, holder, &vip);
        }
    }
}
