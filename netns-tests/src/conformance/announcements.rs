//! Gratuitous ARP and neighbour advertisements (AN), and what of Initialize shows there (IN).

use std::net::{IpAddr, Ipv6Addr};
use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, DEVICE, PATIENCE, TENTH};
use super::{Needs, Scenario};
use crate::craft::{self, Crafted};
use crate::{Daemon, Event, Host, Packet, PairConfig, RouterConfig, Stamp};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "gratuitous_arp",
        covers: &["AN-01", "AN-02", "AN-03", "IN-05"],
        needs: Needs::Nothing,
        run: gratuitous_arp,
    },
    Scenario {
        name: "how_often_is_configurable",
        covers: &["AN-05"],
        needs: Needs::Ours,
        run: how_often_is_configurable,
    },
    Scenario {
        name: "neighbour_advertisements",
        covers: &["AN-10", "AN-11", "AN-12", "AN-14", "AN-17", "IN-06"],
        needs: Needs::Nothing,
        run: neighbour_advertisements,
    },
    Scenario {
        name: "caches_follow_a_takeover",
        covers: &["AN-04", "AN-06", "AN-13", "AN-14"],
        needs: Needs::Nothing,
        run: caches_follow_a_takeover,
    },
    Scenario { name: "an_address_more", covers: &["AN-08"], needs: Needs::Nothing, run: an_address_more },
    Scenario {
        name: "unsolicited_advertisements_are_taken",
        covers: &["AN-18"],
        needs: Needs::Nothing,
        run: advertisements_are_taken,
    },
];

fn vips() -> Vec<IpAddr> {
    (10..13).map(|last| [192, 168, 100, last].into()).collect()
}

fn six() -> Ipv6Addr {
    "fe80::10".parse().expect("an address")
}

fn own(bench: &Bench, start: Stamp) -> Vec<Event> {
    bench.capture.since(start).into_iter().filter(|event| event.source_mac == DEVICE).collect()
}

fn gratuitous_arp(bench: &mut Bench) {
    let started = Stamp::now();
    let _daemon = bench.start(vec![RouterConfig { addresses: vips(), ..RouterConfig::web(100) }]);
    let first = bench.become_master();
    sleep(5 * TENTH);
    let events = own(bench, started);
    let gratuitous: Vec<&Event> = events.iter().filter(|event| event.announced().is_some()).collect();
    let broadcast = gratuitous.iter().all(|event| event.frame[..6] == [0xff; 6] && event.frame[22..28] == DEVICE);
    bench.check("AN-01", broadcast && !gratuitous.is_empty(), format!("{} broadcasts", gratuitous.len()));
    let all = vips().iter().all(|vip| gratuitous.iter().any(|event| event.announced() == Some(*vip)));
    bench.check("AN-02", all, "each of three addresses");
    let fields = |event: &&Event| (event.frame[20..22].to_vec(), event.frame[32..38].to_vec());
    let known = gratuitous
        .iter()
        .map(fields)
        .all(|(operation, target)| operation == [0, 1] && [[0xff; 6], [0; 6], DEVICE].iter().any(|mac| target == mac));
    bench.check("AN-03", known, format!("{:02x?}", gratuitous.first().map(fields)));
    let early = events.iter().any(|event| {
        matches!(&event.packet, Packet::Arp(arp) if vips().contains(&arp.sender.into())) && event.at < first
    });
    bench.check("IN-05", !early, "no ARP with the address before the first advert");
}

fn how_often_is_configurable(bench: &mut Bench) {
    let lines = "advert_interval = \"100ms\"\ngarp_repeat = 3\ngarp_interval = \"100ms\"\ngarp_refresh = \"0s\"\nvirtual_addresses = [\"192.168.100.10/24\"]";
    let _daemon = bench.start_ours(lines);
    let start = bench.become_master();
    sleep(10 * TENTH);
    let times = own(bench, start).iter().filter(|event| event.announced() == Some(RouterConfig::web_address())).count();
    bench.check("AN-05", times == 3, format!("{times} announcements where 3 are configured"));
}

fn neighbour_advertisements(bench: &mut Bench) {
    let addresses: Vec<IpAddr> = vec![six().into(), "2001:db8:100::10".parse().expect("an address")];
    let started = Stamp::now();
    // Duplicate address detection as a host has it, so that the daemon has to see to it.
    bench.device().sysctl("ipv6/conf/eth0/accept_dad", "1");
    bench.device().sysctl("ipv6/conf/all/accept_dad", "1");
    let _daemon = bench.start(vec![RouterConfig { addresses: addresses.clone(), ..RouterConfig::web(100) }]);
    let first = bench.become_master();
    sleep(Duration::from_millis(50));
    // Flag 0x40 is "tentative" and 0x08 "duplicate".
    let listed = bench.device().proc_net("if_inet6");
    let flags = listed.lines().find(|line| line.starts_with("fe800000000000000000000000000010"));
    let flags = flags.and_then(|line| u32::from_str_radix(line.split_whitespace().nth(4)?, 16).ok());
    bench.check("AN-17", flags.is_some_and(|flags| flags & 0x48 == 0), format!("flags {flags:02x?} after 50 ms"));
    sleep(Duration::from_millis(5500));

    let events = own(bench, started);
    let advertised: Vec<&Event> =
        events.iter().filter(|event| event.announced().is_some_and(|ip| ip.is_ipv6())).collect();
    let of = |target: IpAddr| advertised.iter().filter(move |event| event.announced() == Some(target));
    let shape = |event: &&Event| {
        event.frame[58..62] == [0xa0, 0, 0, 0] && event.frame[78..80] == [2, 1] && event.frame[80..86] == DEVICE
    };
    let each = addresses.iter().all(|address| of(*address).count() > 0);
    bench.check("AN-10", each && advertised.iter().all(shape), format!("{} advertisements", advertised.len()));
    let all_nodes =
        advertised.iter().all(|event| event.frame[..6] == [0x33, 0x33, 0, 0, 0, 1] && event.frame[21] == 255);
    bench.check("AN-11", all_nodes && each, "to ff02::1 with hop limit 255");
    bench.check("AN-14", advertised.iter().all(|event| event.frame[58] & 0x80 != 0), "R is set in each");
    for address in &addresses {
        let times: Vec<Stamp> = of(*address).map(|event| event.at).collect();
        let apart = times.windows(2).all(|pair| pair[1].millis_after(pair[0]) > 990.0);
        bench.check(
            "AN-12",
            times.len() <= 3 && apart,
            format!("{} times {address}, a second apart: {apart}", times.len()),
        );
    }
    let is_nd = |event: &&Event| {
        event.frame[12..14] == [0x86, 0xdd]
            && event.frame.get(20) == Some(&58)
            && event.frame.get(54).is_some_and(|kind| (134..=136).contains(kind))
    };
    let early: Vec<&Event> = events
        .iter()
        .filter(is_nd)
        .filter(|event| event.at < first && event.frame.get(62..78) == Some(&six().octets()))
        .collect();
    let detection = events
        .iter()
        .filter(is_nd)
        .any(|event| event.frame[54] == 135 && event.frame[22..38] == [0; 16] && event.frame[62..78] == six().octets());
    bench.check(
        "IN-06",
        early.is_empty() && !detection,
        format!("{} before the first advert, detection: {detection}", early.len()),
    );
}

/// The client's neighbour entry of an address, as `ip neigh` shows it.
fn entry(client: &Host, address: &str) -> String {
    let output = client.run("ip", &["neigh", "show", address, "dev", "eth0"]);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn caches_follow_a_takeover(bench: &mut Bench) {
    let config = |priority| {
        let v6 = RouterConfig { name: "web6".into(), addresses: vec![six().into()], ..RouterConfig::web(priority) };
        PairConfig { routers: vec![RouterConfig::web(priority), v6], scripts: Vec::new() }
    };
    let second = Daemon::start(bench.implementation, bench.lab.host(2), &config(90));
    bench.lab.host(2).wait_until_has(RouterConfig::web_address(), true, PATIENCE);
    bench.lab.host(2).wait_until_has(six().into(), true, PATIENCE);
    let client = bench.lab.client();
    client.run("ping", &["-c1", "-W2", "192.168.100.10"]);
    client.run("ping", &["-c1", "-W2", "fe80::10%eth0"]);
    let before = entry(client, "192.168.100.10") + &entry(client, "fe80::10");
    let _first = Daemon::start(bench.implementation, bench.lab.host(1), &config(100));
    bench.become_master();
    bench.device().wait_until_has(six().into(), true, PATIENCE);
    sleep(2 * TENTH);
    let client = bench.lab.client();
    let (four, six) = (entry(client, "192.168.100.10"), entry(client, "fe80::10"));
    let was = before.matches("02:00:00:00:00:02").count();
    let moved = |entry: &str| entry.contains("02:00:00:00:00:01");
    bench.check_all(&["AN-04", "AN-06"], was >= 1 && moved(&four), format!("{before:?} became {four:?}"));
    bench.check_all(&["AN-13", "AN-14"], moved(&six), format!("{before:?} became {six:?}"));
    drop(second);
}

fn an_address_more(bench: &mut Bench) {
    let daemon = bench.start(vec![RouterConfig::web(100)]);
    bench.become_master();
    let more = RouterConfig { addresses: vips(), ..RouterConfig::web(100) };
    daemon.rewrite(bench.device(), &more.into());
    let start = Stamp::now();
    daemon.reload();
    let announced = |event: &Event| event.source_mac == DEVICE && event.announced() == Some(vips()[2]);
    let announced = bench.capture.find(start, Duration::from_secs(3), announced);
    bench.check("AN-08", announced.is_some(), "an address that a reload adds is announced");
}

fn advertisements_are_taken(bench: &mut Bench) {
    let _daemon = bench.start(vec![RouterConfig { addresses: vec![six().into()], ..RouterConfig::web(100) }]);
    let device = bench.device();
    device.run("ping", &["-c1", "-W2", "2001:db8:100::63"]);
    let known = entry(device, "2001:db8:100::63");
    for state in ["Backup", "Active"] {
        let mac = [2, 0, 0, 0, 0x99, if state == "Backup" { 1 } else { 2 }];
        if state == "Backup" {
            bench.feed(
                &Crafted {
                    addresses: vec![six().into()],
                    source: "fe80::200".parse().expect("an address"),
                    ..Crafted::new(150)
                },
                TENTH,
                3,
            );
        } else {
            bench.become_master();
        }
        let target: Ipv6Addr = "2001:db8:100::63".parse().expect("an address");
        bench.lab.client().inject(&craft::neighbour(136, mac, target, target));
        sleep(TENTH);
        let now = entry(bench.device(), "2001:db8:100::63");
        let wanted = format!("02:00:00:00:99:{:02x}", mac[5]);
        bench.check("AN-18", now.contains(&wanted), format!("as {state}: {known:?} became {now:?}"));
    }
}
