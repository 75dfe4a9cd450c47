//! `vrrpd` and somebody else's daemon as one pair, in either role: keepalived, and FRR's.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use netns_tests::{
    Capture, Checksum, Daemon, Duo, Event, Host, Implementation, JITTER, Lab, PairConfig, Process, RouterConfig, SLACK,
    Stamp, down_interval, skew_time,
};
use nix::sys::signal::Signal;

const TENTH: Duration = Duration::from_millis(100);
const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(15);
const CENTISECOND: Duration = Duration::from_millis(10);

/// The address of the virtual router that everybody shares; an IPv6 router has a link-local one before it.
const VIP: &str = "192.168.100.10";
const VIP6: &str = "2001:db8:100::10";

/// Which daemon runs on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    Vrrpd,
    Keepalived,
    Frr,
}

use Who::{Frr, Keepalived, Vrrpd};

/// One way to set up a pair: what each side's router has besides identity, priority and addresses (of FRR's, nothing). `OWN` and `OTHER`
/// stand for the hosts' addresses.
#[derive(Debug, Clone, Copy)]
struct Flavour {
    peer: Who,
    version: u8,
    vip: &'static str,
    vrrpd: &'static str,
    theirs: &'static str,
}

const KEEPALIVED: Flavour = Flavour { peer: Keepalived, version: 3, vip: VIP, vrrpd: "", theirs: "" };
const KEEPALIVED_V2: Flavour = Flavour { version: 2, ..KEEPALIVED };
const FRR: Flavour = Flavour { peer: Frr, ..KEEPALIVED };

/// A running daemon. Of FRR's also goes the directory that each makes for itself where no option reaches.
struct Running(Process);

impl Drop for Running {
    fn drop(&mut self) {
        if self.0.is_running() {
            self.0.crash();
        }
        for name in ["zebra", "vrrpd"] {
            let _ = std::fs::remove_dir_all(format!("/var/tmp/frr/{name}.{}", self.0.pid()));
        }
    }
}

/// Each flavour as a module with a test for each side being the preferred one.
macro_rules! meets {
    ($($flavour:ident: $value:expr;)*) => { $(
        mod $flavour {
            use super::*;
            const FLAVOUR: Flavour = $value;
            #[test] fn with_vrrpd_preferred() { meets(FLAVOUR, [Vrrpd, FLAVOUR.peer]); }
            #[test] fn with_the_peer_preferred() { meets(FLAVOUR, [FLAVOUR.peer, Vrrpd]); }
        }
    )* };
}

meets! {
    keepalived_version_2: KEEPALIVED_V2;
    keepalived_version_2_with_a_password: Flavour {
        vrrpd: "authentication = { type = \"password\", secret = \"s3cr3t\" }",
        theirs: "authentication {\n auth_type PASS\n auth_pass s3cr3t\n}",
        ..KEEPALIVED_V2
    };
    keepalived_version_2_with_an_authentication_header: Flavour {
        vrrpd: "authentication = { type = \"ah\", secret = \"s3cr3t\" }",
        theirs: "authentication {\n auth_type AH\n auth_pass s3cr3t\n}",
        ..KEEPALIVED_V2
    };
    keepalived_version_3_ipv4: KEEPALIVED;
    keepalived_version_3_ipv4_with_the_form_of_the_checksum_set: Flavour { vrrpd: "checksum = \"rfc5798\"", ..KEEPALIVED };
    keepalived_version_3_ipv6: Flavour { vip: VIP6, ..KEEPALIVED };
    keepalived_without_the_pseudo_header: Flavour { theirs: "v3_checksum_as_v2", ..KEEPALIVED };
    keepalived_unicast: Flavour {
        vrrpd: "unicast_peers = [\"OTHER\"]",
        theirs: "unicast_src_ip OWN\nunicast_peer {\n OTHER\n}",
        ..KEEPALIVED
    };
    keepalived_with_virtual_macs: Flavour { vrrpd: "mac = \"virtual\"", theirs: "use_vmac", ..KEEPALIVED };
    keepalived_with_virtual_macs_ipv6: Flavour {
        vip: VIP6,
        vrrpd: "mac = \"virtual\"",
        theirs: "use_vmac",
        ..KEEPALIVED
    };
    frr_ipv4: FRR;
    frr_ipv4_with_virtual_macs: Flavour { vrrpd: "mac = \"virtual\"\nchecksum = \"rfc5798\"", ..FRR };
    frr_ipv6: Flavour { vip: VIP6, ..FRR };
    frr_ipv6_with_virtual_macs: Flavour { vip: VIP6, vrrpd: "mac = \"virtual\"", ..FRR };
}

/// keepalived takes version 3 over IPv4 only with a pseudo-header in the checksum; vrrpd sends the RFC's form until it hears that one.
#[test]
fn vrrpd_sends_the_checksum_that_its_peer_sends() {
    let duo = Duo::default();
    let config = |priority| PairConfig::from(RouterConfig::web(priority));
    let _first = Daemon::start(Implementation::Vrrpd, duo.lab.host(1), &config(100));
    let (_, alone) = duo.capture.wait_for_advert(duo.lab.host(1).ip(), Stamp::now(), 10 * SECOND);
    assert_eq!(alone.checksum, Checksum::Message);
    let _second = Daemon::start(Implementation::Keepalived, duo.lab.host(2), &config(99));
    duo.capture.wait_for_advert(duo.lab.host(2).ip(), Stamp::now(), 10 * SECOND);
    duo.wait_until_master(1, &RouterConfig::web(100));
    let (_, heard) = duo.capture.all_adverts().pop().unwrap();
    assert_eq!(heard.checksum, Checksum::PseudoHeader);
}

/// Election, crash and graceful stop of the preferred host, which is host 1 with priority 100; the other one has 99.
fn meets(flavour: Flavour, whose: [Who; 2]) {
    let pair = Pair::new(flavour, whose);
    let hosts = [1, 2].map(|number| pair.lab.host(number));
    let _zebras: Vec<Option<Running>> = (0..2).map(|at| (whose[at] == Frr).then(|| prepare_frr(hosts[at]))).collect();
    let interval = flavour.interval();
    let _second = pair.start(2);
    pair.capture.wait_for("an advert of the other host", Stamp::now(), PATIENCE, |event| says(event, 99));

    let mut first = pair.start(1);
    pair.wait_until_preferred_is_master();
    let killed = Stamp::now();
    first.0.crash();
    pair.check_takeover(killed, down_interval(flavour.version, 99, interval));

    let mut first = pair.start(1);
    pair.wait_until_preferred_is_master();
    let asked = Stamp::now();
    first.0.signal(Signal::SIGTERM);
    let resigned = pair.capture.wait_for("a resignation", asked, PATIENCE, |event| says(event, 0));
    pair.check_takeover(resigned.at, skew_time(flavour.version, 99, interval));
    assert!(first.0.wait(PATIENCE).unwrap().success());
    pair.wait_until_held(1, false);
    pair.wait_until_held(2, true);
}

struct Pair {
    flavour: Flavour,
    whose: [Who; 2],
    capture: Capture,
    lab: Lab,
}

/// Whether this is an advert with that priority: who speaks, whatever address it speaks from.
fn says(event: &Event, priority: u8) -> bool {
    event.advert().is_some_and(|advert| advert.priority == priority)
}

impl Flavour {
    fn interval(&self) -> Duration {
        if self.version == 2 { SECOND } else { TENTH }
    }

    fn addresses(&self) -> Vec<&'static str> {
        if self.vip == VIP6 { vec!["fe80::10/64", "2001:db8:100::10/64"] } else { vec!["192.168.100.10/24"] }
    }

    fn text(&self, who: Who, host: &Host, priority: u8) -> String {
        let (version, interval, addresses) = (self.version, self.interval(), self.addresses());
        match who {
            Vrrpd => format!(
                "[daemon]\ncontrol_socket = \"{}\"\n\n[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\npriority = {priority}\nversion = {version}\nadvert_interval = \"{}ms\"\nvirtual_addresses = {addresses:?}\n{}\n",
                host.directory().join("control.sock").display(),
                interval.as_millis(),
                self.vrrpd
            ),
            Keepalived => format!(
                "vrrp_instance web {{\n state BACKUP\n interface eth0\n virtual_router_id 51\n priority {priority}\n version {version}\n advert_int {}\n virtual_ipaddress {{\n  {}\n }}\n {}\n}}\n",
                interval.as_secs_f64(),
                addresses.join("\n  "),
                self.theirs
            ),
            Frr => {
                let family = if self.vip == VIP6 { "ipv6" } else { "ip" };
                let mut lines = vec![
                    format!("vrrp 51 version {version}"),
                    format!("vrrp 51 priority {priority}"),
                    format!("vrrp 51 advertisement-interval {}", interval.as_millis()),
                ];
                let bare = addresses.iter().map(|address| address.split('/').next().unwrap());
                lines.extend(bare.map(|address| format!("vrrp 51 {family} {address}")));
                format!("interface eth0\n {}\n", lines.join("\n "))
            }
        }
    }
}

impl Pair {
    fn new(flavour: Flavour, whose: [Who; 2]) -> Self {
        let lab = Lab::new(2);
        // The client does not see what the hosts tell only each other.
        Self { flavour, whose, capture: lab.host(2).capture(), lab }
    }

    fn start(&self, number: usize) -> Running {
        let (who, host) = (self.whose[number - 1], self.lab.host(number));
        let [own, other] = [host, self.lab.host(3 - number)].map(|host| host.ip().to_string());
        let text = self.flavour.text(who, host, if number == 1 { 100 } else { 99 });
        let config = host.write("daemon.conf", &text.replace("OWN", &own).replace("OTHER", &other));
        let command = match who {
            Vrrpd => Daemon::command(Implementation::Vrrpd, host, &config),
            Keepalived => Daemon::command(Implementation::Keepalived, host, &config),
            Frr => frr("vrrpd", host, &config),
        };
        Running(host.start("daemon", command))
    }

    /// Waits until host 1 alone has advertised for a while, and holds the address.
    #[track_caller]
    fn wait_until_preferred_is_master(&self) {
        let (capture, deadline) = (&self.capture, Stamp::now() + PATIENCE);
        loop {
            let start = Stamp::now();
            std::thread::sleep(self.flavour.interval() * 3 / 2);
            let adverts = capture.adverts_since(start);
            if !adverts.is_empty() && adverts.iter().all(|(_, advert)| advert.priority == 100) {
                break;
            }
            assert!(Stamp::now() < deadline, "host 1 is not the only Master");
        }
        self.wait_until_held(1, true);
        self.wait_until_held(2, false);
    }

    /// FRR leaves the address where it is, and takes the carrier from the interface that has it.
    #[track_caller]
    fn wait_until_held(&self, number: usize, held: bool) {
        if self.whose[number - 1] != Frr {
            let vip: IpAddr = self.flavour.vip.parse().unwrap();
            self.lab.host(number).wait_until_has(vip, held, PATIENCE);
        }
    }

    /// Host 2 takes over `after` the last advert of host 1: not sooner, and not much later.
    #[track_caller]
    fn check_takeover(&self, start: Stamp, after: Duration) {
        let capture = &self.capture;
        let taken = capture.wait_for("the takeover", start, after + 10 * SLACK, |event| says(event, 99)).at;
        let adverts = capture.all_adverts();
        let of_first = |at: &Stamp, priority: u8| *at < taken && priority != 99;
        let last = adverts.iter().rev().find(|(at, advert)| of_first(at, advert.priority)).unwrap().0;
        let silence = taken - last;
        // FRR computes in whole hundredths of a second, and rounds down.
        let early = if self.whose[1] == Frr { CENTISECOND } else { Duration::ZERO };
        assert!(silence + JITTER + early >= after, "taken over after {silence:?}, before {after:?} were over");
        assert!(silence <= after + SLACK, "taken over after {silence:?} rather than {after:?}");
    }
}

/// An FRR daemon with all its files in the host's directory.
fn frr(name: &str, host: &Host, config: &std::path::Path) -> Command {
    let directory = host.directory();
    let file = |suffix: &str| directory.join(format!("{name}.{suffix}"));
    let _ = std::fs::remove_file(file("pid"));
    let mut command = Command::new(format!("/usr/lib/frr/{name}"));
    command.args(["--log", "stdout", "-P", "0"]).arg("-f").arg(config);
    command.arg("--vty_socket").arg(directory).arg("-z").arg(directory.join("zserv.api")).arg("-i").arg(file("pid"));
    command
}

/// FRR's daemon needs zebra, and a macvlan for each family with the virtual MAC address and the virtual addresses.
fn prepare_frr(host: &Host) -> Running {
    run(host, &format!("chown frr:frr {}", host.directory().display()));
    for (name, mac, addresses) in [
        ("vrrp4", "00:00:5e:00:01:33", vec![format!("{VIP}/24")]),
        ("vrrp6", "00:00:5e:00:02:33", vec!["fe80::10/64".to_owned(), format!("{VIP6}/64")]),
    ] {
        run(host, &format!("ip link add {name} link eth0 type macvlan mode bridge"));
        run(host, &format!("ip link set {name} address {mac}"));
        for address in addresses {
            run(host, &format!("ip addr add {address} dev {name}"));
        }
        run(host, &format!("ip link set {name} up"));
    }
    let config = host.write("zebra.conf", "");
    let zebra = Running(host.start("zebra", frr("zebra", host, &config)));
    let deadline = Stamp::now() + PATIENCE;
    while !host.directory().join("zserv.api").exists() {
        assert!(Stamp::now() < deadline, "zebra does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
    zebra
}

fn run(host: &Host, command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    let output = host.run(words[0], &words[1..]);
    assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
}
