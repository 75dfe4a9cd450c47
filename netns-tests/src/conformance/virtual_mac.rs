//! What only a virtual MAC, and accept mode off, can keep.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::Command;
use std::sync::OnceLock;
use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, DEVICE, PATIENCE, TENTH};
use super::{Needs, Scenario};
use crate::craft;
use crate::{Daemon, Event, Implementation, Packet, PairConfig, Stamp};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "the_virtual_mac_speaks",
        covers: &["TX-07", "TX-08", "TX-09", "AN-01", "AN-10", "IN-05", "IN-06"],
        needs: Needs::VirtualMac,
        run: the_virtual_mac_speaks,
    },
    Scenario {
        name: "the_virtual_mac_answers",
        covers: &["AC-01", "AC-04", "AN-07", "AN-09", "AN-15", "AN-16"],
        needs: Needs::VirtualMac,
        run: the_virtual_mac_answers,
    },
    Scenario {
        name: "clients_see_no_change",
        covers: &["AC-20", "AN-21"],
        needs: Needs::VirtualMac,
        run: clients_see_no_change,
    },
    Scenario {
        name: "accept_mode_off",
        covers: &["AC-06", "AC-09", "AC-10"],
        needs: Needs::VirtualMac,
        run: accept_mode_off,
    },
];

const V4: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];
const V6: [u8; 6] = [0, 0, 0x5e, 0, 2, 51];
const CLIENT: [u8; 6] = [2, 0, 0, 0, 0, 99];

/// Whether the program under test takes `mac = "virtual"` and `accept = false`.
pub(super) fn is_supported() -> bool {
    static SUPPORTED: OnceLock<bool> = OnceLock::new();
    *SUPPORTED.get_or_init(|| {
        let file = std::env::temp_dir().join(format!("vrrpd-conformance-{}.toml", std::process::id()));
        let text = "[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\nmac = \"virtual\"\naccept = false\n\
                    virtual_addresses = [\"192.168.100.10/24\"]\n";
        std::fs::write(&file, text).expect("a temporary file");
        let mut command = Command::new(Implementation::Vrrpd.executable());
        let output = command.args(["--check-config", "--portable", "--config"]).arg(&file).output();
        let _ = std::fs::remove_file(&file);
        output.is_ok_and(|output| output.status.success())
    })
}

fn router(name: &str, vrid: u8, priority: u8, address: &str, more: &str) -> String {
    format!(
        "[virtual_router.{name}]\ninterface = \"eth0\"\nvirtual_router_id = {vrid}\npriority = {priority}\nmac = \"virtual\"\n\
         advert_interval = \"100ms\"\nvirtual_addresses = [\"{address}\"]\n{more}\n"
    )
}

fn start(bench: &Bench, host: usize, routers: &[String]) -> Daemon {
    let host = bench.lab.host(host);
    let head = bench.implementation.render(host, &PairConfig::default());
    Daemon::start_with(bench.implementation, host, &format!("{head}{}", routers.concat()))
}

fn web() -> Ipv4Addr {
    [192, 168, 100, 10].into()
}

fn six() -> Ipv6Addr {
    "fe80::10".parse().expect("an address")
}

fn both(priority: u8, more: &str) -> [String; 2] {
    [router("web", 51, priority, "192.168.100.10/24", more), router("web6", 51, priority, "fe80::10/64", more)]
}

fn the_virtual_mac_speaks(bench: &mut Bench) {
    let routers: Vec<String> = [1u8, 10, 255]
        .iter()
        .flat_map(|vrid| {
            let v4 = router(&format!("r{vrid}"), *vrid, 100, &format!("192.168.100.{}/24", vrid.min(&200)), "");
            [v4, router(&format!("s{vrid}"), *vrid, 100, &format!("fe80::{vrid:x}/64"), "")]
        })
        .collect();
    let started = Stamp::now();
    let _daemon = start(bench, 1, &routers);
    bench.become_master();
    sleep(5 * TENTH);
    let events = bench.capture.since(started);
    let mac = |vrid: u8, source: IpAddr| [0, 0, 0x5e, 0, if source.is_ipv4() { 1 } else { 2 }, vrid];
    let adverts: Vec<_> = events.iter().filter_map(|event| Some((event, event.advert()?))).collect();
    let own = adverts.iter().all(|(event, advert)| event.source_mac == mac(advert.vrid, advert.source));
    bench.check("TX-07", own && !adverts.is_empty(), format!("{} adverts", adverts.len()));
    let all = [1, 10, 255].iter().all(|vrid| {
        [true, false]
            .iter()
            .all(|v4| adverts.iter().any(|(_, advert)| advert.vrid == *vrid && advert.source.is_ipv4() == *v4))
    });
    bench.check("TX-08", own && all, "VRID 1, 10 and 255 in both families");
    let listed = bench.device().proc_net("if_inet6");
    let derived = listed.lines().any(|line| line.starts_with("fe8000000000000002005efffe00"));
    bench.check("TX-09", !derived, "no address with the virtual MAC in it");
    let announced: Vec<&Event> =
        events.iter().filter(|event| event.announced().is_some_and(|ip| ip != bench.device().ip6())).collect();
    let virtual_only = |v4: bool| {
        let mut of_family =
            announced.iter().filter(|event| event.announced().is_some_and(|ip| ip.is_ipv4() == v4)).peekable();
        of_family.peek().is_some()
            && of_family.all(|event| event.source_mac != DEVICE && event.source_mac[..3] == [0, 0, 0x5e])
    };
    bench.check_all(&["AN-01", "IN-05"], virtual_only(true), "gratuitous ARP from the virtual MAC only");
    bench.check_all(&["AN-10", "IN-06"], virtual_only(false), "neighbour advertisements from the virtual MAC only");
}

fn the_virtual_mac_answers(bench: &mut Bench) {
    bench.device().sysctl("ipv6/conf/all/forwarding", "1");
    let started = Stamp::now();
    let daemon = start(bench, 1, &both(255, ""));
    bench.become_master();
    bench.device().wait_until_has(web().into(), true, PATIENCE);
    sleep(2 * TENTH);
    let asked = Stamp::now();
    let client = bench.lab.client();
    let client6: Ipv6Addr = "fe80::ff:fe00:63".parse().expect("an address");
    client.inject(&craft::arp_request(CLIENT, [192, 168, 100, 99].into(), web()));
    client.inject(&craft::neighbour(135, CLIENT, client6, six()));
    sleep(3 * TENTH);
    let events = bench.capture.since(asked);
    let arps: Vec<[u8; 6]> = events
        .iter()
        .filter_map(|event| match &event.packet {
            Packet::Arp(arp) if arp.operation == 2 && arp.sender == web() => Some(arp.sender_mac),
            _ => None,
        })
        .collect();
    bench.check("AC-01", !arps.is_empty() && arps.iter().all(|mac| *mac == V4), format!("answers {arps:02x?}"));
    let solicited: Vec<&Event> = events
        .iter()
        .filter(
            |event| matches!(&event.packet, Packet::NeighbourAdvertisement(na) if na.target == six() && na.solicited),
        )
        .collect();
    let right = solicited.iter().all(|event| event.frame.get(80..86) == Some(&V6) && event.frame[58] & 0xe0 == 0xe0);
    bench.check(
        "AC-04",
        !solicited.is_empty() && right,
        format!("{} answers: {:02x?}", solicited.len(), solicited.first().map(|event| &event.frame[54..])),
    );

    // Whoever looks for the client through the virtual router's device says so with the virtual MAC.
    let device = device_with(bench, "00:00:5e:00:02:33");
    bench.device().run("ip", &["-6", "neigh", "flush", "dev", &device]);
    let asked = Stamp::now();
    let through = format!("fe80::ff:fe00:63%{device}");
    bench.device().run("ping", &["-c1", "-W1", &through]);
    bench.device().run("ping", &["-c1", "-W1", "-I", "192.168.100.10", "192.168.100.99"]);
    let events = bench.capture.since(asked);
    let solicitations: Vec<&Event> =
        events.iter().filter(|event| event.frame.get(54) == Some(&135) && event.source_mac != CLIENT).collect();
    let virtual_only = solicitations.iter().all(|event| event.source_mac == V6 && event.frame.get(80..86) == Some(&V6));
    let seen = format!(
        "{} solicitations, from {:02x?}",
        solicitations.len(),
        solicitations.first().map(|event| event.source_mac)
    );
    bench.check("AN-15", !solicitations.is_empty() && virtual_only, seen);
    let physical = |bench: &Bench, v4: bool| {
        bench.capture.since(started).iter().any(|event| match &event.packet {
            Packet::Arp(arp) => v4 && arp.sender == web() && arp.sender_mac == DEVICE,
            Packet::NeighbourAdvertisement(na) => !v4 && na.target == six() && event.source_mac == DEVICE,
            _ => {
                !v4 && event.frame.get(54) == Some(&135)
                    && event.frame.get(22..38) == Some(&six().octets())
                    && event.source_mac == DEVICE
            }
        })
    };
    let (four, six) = (physical(bench, true), physical(bench, false));
    daemon.stop();
    let _daemon = start(bench, 1, &both(255, ""));
    bench.become_master();
    sleep(3 * TENTH);
    bench.check(
        "AN-07",
        !four && !physical(bench, true),
        "no ARP with the physical MAC for an owned address after a restart",
    );
    bench.check(
        "AN-16",
        !six && !physical(bench, false),
        "no ND with the physical MAC for an owned address after a restart",
    );
    proxy_arp(bench);
}

/// The name of the device under test's interface that has this hardware address.
fn device_with(bench: &Bench, mac: &str) -> String {
    let output = bench.device().run("ip", &["-o", "link", "show"]);
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = listed.lines().find(|line| line.contains(mac)).unwrap_or_else(|| panic!("no interface has {mac}"));
    line.split([':', '@']).nth(1).expect("a name").trim().to_owned()
}

/// For a network behind it the Master answers with the virtual MAC.
fn proxy_arp(bench: &mut Bench) {
    let far = Ipv4Addr::new(10, 9, 9, 2);
    bench.second_interface("10.9.9.1/24").sysctl("ipv4/ip_forward", "1");
    let name = device_with(bench, "00:00:5e:00:01:33");
    bench.device().sysctl(&format!("ipv4/conf/{name}/proxy_arp"), "1");
    bench.device().sysctl(&format!("ipv4/neigh/{name}/proxy_delay"), "0");
    let asked = Stamp::now();
    bench.lab.client().inject(&craft::arp_request(CLIENT, [192, 168, 100, 99].into(), far));
    sleep(5 * TENTH);
    let events = bench.capture.since(asked);
    let answers = events.iter().filter_map(|event| match &event.packet {
        Packet::Arp(arp) if arp.operation == 2 && arp.sender == far => Some(arp.sender_mac),
        _ => None,
    });
    let macs: Vec<[u8; 6]> = answers.collect();
    bench.check("AN-09", !macs.is_empty() && macs.iter().all(|mac| *mac == V4), format!("answered with {macs:02x?}"));
}

fn clients_see_no_change(bench: &mut Bench) {
    let first = start(bench, 1, &both(200, ""));
    bench.become_master();
    bench.device().wait_until_has(web().into(), true, PATIENCE);
    let _second = start(bench, 2, &both(100, ""));
    let client = bench.lab.client();
    client.run("ping", &["-c1", "-W2", "192.168.100.10"]);
    let entry = || String::from_utf8_lossy(&client.run("ip", &["neigh", "show", "192.168.100.10"]).stdout).into_owned();
    let before = entry();
    sleep(5 * TENTH);
    let killed = Stamp::now();
    first.crash();
    bench.lab.cut(bench.device());
    bench.lab.host(2).wait_until_has(web().into(), true, PATIENCE);
    sleep(2 * TENTH);
    let ping = client.run("ping", &["-c1", "-W2", "192.168.100.10"]);
    let after = entry();
    let mac = |entry: &str| entry.contains("00:00:5e:00:01:33");
    bench.check("AN-21", mac(&before) && mac(&after), format!("{before:?} stayed {after:?}"));
    let adverts = bench.capture.since(killed);
    let spoke = adverts
        .iter()
        .any(|event| event.source_mac == V4 && event.advert().is_some_and(|advert| advert.priority == 100));
    bench.check(
        "AC-20",
        spoke && ping.status.success(),
        "the first adverts of the new Master carry the virtual MAC, and the switch follows",
    );
}

fn accept_mode_off(bench: &mut Bench) {
    let _daemon = start(bench, 1, &both(100, "accept = false"));
    bench.become_master();
    bench.device().wait_until_has(web().into(), true, PATIENCE);
    sleep(2 * TENTH);
    bench.device().sysctl("ipv4/ip_forward", "1");
    let asked = Stamp::now();
    let client = bench.lab.client();
    client.inject(&craft::arp_request(CLIENT, [192, 168, 100, 99].into(), web()));
    client.inject(&craft::neighbour(135, CLIENT, "fe80::ff:fe00:63".parse().expect("an address"), six()));
    client.inject(&craft::echo(V4, CLIENT, [192, 168, 100, 99].into(), web()));
    let ping =
        [client.run("ping", &["-c1", "-W1", "192.168.100.10"]), client.run("ping", &["-c1", "-W1", "fe80::10%eth0"])];
    sleep(Duration::from_millis(200));
    let events = bench.capture.since(asked);
    let arp = events
        .iter()
        .any(|event| matches!(&event.packet, Packet::Arp(arp) if arp.operation == 2 && arp.sender == web()));
    let nd = events
        .iter()
        .any(|event| matches!(&event.packet, Packet::NeighbourAdvertisement(na) if na.target == six() && na.solicited));
    bench.check("AC-06", arp && nd, format!("ARP answered: {arp}, ND answered: {nd}"));
    bench.check("AC-09", ping.iter().all(|ping| !ping.status.success()), "no echo reply from the address");
    let again = events.iter().any(|event| {
        event.source_mac != CLIENT
            && event.frame.get(23) == Some(&1)
            && event.frame.get(30..34) == Some(&web().octets())
    });
    bench.check("AC-10", !again, "the packet does not come back onto the wire");
}
