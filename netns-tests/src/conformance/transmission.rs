//! What adverts look like (TX).

use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, DEVICE, LINK_LOCAL, PATIENCE, TENTH};
use super::{Needs, Scenario};
use crate::craft::Crafted;
use crate::{Checksum, Daemon, Event, PairConfig, RouterConfig, Stamp, down_interval};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "adverts_over_ipv4",
        covers: &[
            "TX-01", "TX-03", "TX-04", "TX-05", "TX-11", "TX-12", "TX-13", "TX-14", "TX-15", "TX-18", "TX-24", "AC-11",
            "AC-12",
        ],
        needs: Needs::Nothing,
        run: adverts_over_ipv4,
    },
    Scenario {
        name: "adverts_over_ipv6",
        covers: &["TX-02", "TX-06", "TX-20", "TX-22"],
        needs: Needs::Nothing,
        run: adverts_over_ipv6,
    },
    Scenario {
        name: "intervals_of_owners",
        covers: &["TX-16", "TX-17", "TX-21", "TX-25", "IN-01", "CF-03"],
        needs: Needs::Nothing,
        run: intervals_of_owners,
    },
    Scenario {
        name: "only_the_active_speaks",
        covers: &["TX-26", "BK-06"],
        needs: Needs::Nothing,
        run: only_the_active_speaks,
    },
    Scenario {
        name: "families_are_independent",
        covers: &["TX-27"],
        needs: Needs::Nothing,
        run: families_are_independent,
    },
    Scenario { name: "the_other_checksum", covers: &["TX-19"], needs: Needs::Ours, run: the_other_checksum },
    Scenario {
        name: "adverts_are_never_forwarded",
        covers: &["TX-10"],
        needs: Needs::Nothing,
        run: adverts_are_never_forwarded,
    },
];

fn addresses() -> Vec<IpAddr> {
    // Not in numeric order: the order of the configuration counts.
    vec![[192, 168, 100, 12].into(), [192, 168, 100, 10].into(), [192, 168, 100, 11].into()]
}

/// The adverts among `events` as frames, behind the Ethernet header.
fn packets(events: &[(Stamp, Event)]) -> Vec<&[u8]> {
    events.iter().map(|(_, event)| &event.frame[14..]).collect()
}

fn own_events(bench: &Bench, start: Stamp) -> Vec<(Stamp, Event)> {
    let own = |event: &Event| event.source_mac == DEVICE && event.advert().is_some();
    bench.capture.since(start).into_iter().filter(own).map(|event| (event.at, event)).collect()
}

fn adverts_over_ipv4(bench: &mut Bench) {
    bench.device().add_address([192, 168, 100, 77].into(), 24);
    let started = Stamp::now();
    let daemon = bench.start(vec![RouterConfig { addresses: addresses(), ..RouterConfig::web(100) }]);
    bench.become_master();
    sleep(15 * TENTH);
    let stopped = Stamp::now();
    daemon.stop();
    sleep(TENTH);
    let events = own_events(bench, started);
    let ip = packets(&events);
    let every = |holds: &dyn Fn(&[u8]) -> bool| ip.iter().all(|packet| holds(packet));
    let sent = format!("{} adverts", ip.len());
    let to_group = events.iter().all(|(_, event)| event.frame.starts_with(&[1, 0, 0x5e, 0, 0, 0x12]));
    bench.check("TX-01", to_group && every(&|packet| packet[16..20] == [224, 0, 0, 18]), &sent);
    bench.check("TX-03", every(&|packet| packet[8] == 255), &sent);
    bench.check("TX-04", every(&|packet| packet[9] == 112), &sent);
    bench.check("TX-05", every(&|packet| packet[12..16] == [192, 168, 100, 1]), &sent);
    bench.check("TX-11", every(&|packet| packet[20] >> 4 == 3), &sent);
    bench.check("TX-12", every(&|packet| packet[20] & 0x0f == 1), &sent);
    bench.check("TX-14", every(&|packet| packet[23] == 3 && packet.len() == 20 + 8 + 12), &sent);
    bench.check("TX-15", every(&|packet| packet[24] & 0xf0 == 0), &sent);
    let adverts = bench.adverts(started);
    let (last, others) = adverts.split_last().expect("it was Master");
    let sums = |wanted| adverts.iter().all(|(_, advert)| advert.checksum == wanted);
    bench.check("TX-18", sums(Checksum::Message), format!("checksum {:?}", last.1.checksum));
    bench.check(
        "TX-24",
        adverts.iter().all(|(_, advert)| advert.addresses == addresses()),
        format!("{:?}", last.1.addresses),
    );
    bench.check(
        "TX-13",
        others.iter().all(|(_, advert)| advert.priority == 100) && last.1.priority == 0,
        "100, then 0",
    );
    let gone = addresses().iter().all(|address| !bench.device().has(*address));
    let left = last.0 >= stopped && last.1.priority == 0 && others.iter().all(|(at, _)| *at < stopped + TENTH);
    bench.check("AC-11", left && gone, format!("last priority {}, addresses gone: {gone}", last.1.priority));
    let gaps: Vec<f64> = others.windows(2).map(|pair| pair[1].0.millis_after(pair[0].0)).collect();
    bench.timed(&["AC-12"], crate::median(&gaps), TENTH);
}

fn link_local_vip() -> IpAddr {
    "fe80::10".parse().expect("an address")
}

fn adverts_over_ipv6(bench: &mut Bench) {
    let addresses: Vec<IpAddr> = vec![link_local_vip(), "2001:db8:100::10".parse().expect("an address")];
    let _daemon = bench.start(vec![RouterConfig { addresses: addresses.clone(), ..RouterConfig::web(100) }]);
    let started = bench.become_master();
    sleep(5 * TENTH);
    let events = own_events(bench, started);
    let ip = packets(&events);
    let group: IpAddr = "ff02::12".parse().expect("an address");
    let IpAddr::V6(group) = group else { return };
    let to_group = events.iter().all(|(_, event)| event.frame.starts_with(&[0x33, 0x33, 0, 0, 0, 0x12]));
    let sent = format!("{} adverts", ip.len());
    bench.check("TX-02", to_group && ip.iter().all(|packet| packet[24..40] == group.octets()), &sent);
    let adverts = bench.adverts(started);
    let own = LINK_LOCAL;
    bench.check("TX-06", adverts.iter().all(|(_, advert)| advert.source == own), format!("{:?}", adverts[0].1.source));
    let right = adverts.iter().all(|(_, advert)| advert.checksum == Checksum::PseudoHeader && advert.ttl == 255);
    bench.check("TX-20", right, format!("{:?}", adverts[0].1));
    bench.check(
        "TX-22",
        adverts.iter().all(|(_, advert)| advert.addresses == addresses),
        format!("{:?}", adverts[0].1),
    );
}

/// Owners speak at once, whatever their interval.
fn intervals_of_owners(bench: &mut Bench) {
    let owner = |vrid: u8, version, millis| RouterConfig {
        name: format!("r{vrid}"),
        vrid,
        version,
        interval: Duration::from_millis(millis),
        addresses: vec![[192, 168, 100, 100 + vrid].into()],
        ..RouterConfig::web(255)
    };
    let wanted = [(1, 3, 10), (2, 3, 100), (3, 3, 1000), (4, 3, 40_950), (5, 2, 1000), (6, 2, 255_000)];
    // Those whose addresses are on the interface own them.
    for (vrid, ..) in &wanted {
        bench.device().add_address([192, 168, 100, 100 + vrid].into(), 32);
    }
    let started = Stamp::now();
    let _daemon = bench.start(wanted.map(|(vrid, version, millis)| owner(vrid, version, millis)).into());
    bench.become_master();
    sleep(Duration::from_millis(1300));
    let adverts = bench.adverts(started);
    let first = |vrid: u8| adverts.iter().find(|(_, advert)| advert.vrid == vrid);
    let interval = |vrid: u8| first(vrid).map(|(_, advert)| advert.interval);
    let holds = |version| {
        let mut of_version = wanted.iter().filter(|(_, own, _)| *own == version);
        of_version.all(|(vrid, _, millis)| interval(*vrid) == Some(Duration::from_millis(*millis)))
    };
    let seen = format!("{:?}", wanted.map(|(vrid, ..)| interval(vrid)));
    bench.check("TX-16", holds(3), &seen);
    bench.check("TX-17", holds(2), &seen);
    bench.check("CF-03", adverts.iter().all(|(_, advert)| advert.priority == 255), &seen);
    let second = first(5).is_some_and(|(_, advert)| advert.checksum == Checksum::Message && advert.version == 2);
    bench.check("TX-21", second, format!("{:?}", first(5)));
    let events = own_events(bench, started);
    let of_second = |event: &Event| event.advert().is_some_and(|advert| advert.vrid == 5);
    let trailer = events.iter().filter(|(_, event)| of_second(event)).all(|(_, event)| event.frame[46..] == [0; 8]);
    bench.check("TX-25", trailer, "eight octets of zero behind the address");
    let (at, _) = first(3).expect("owners speak").clone();
    let announced = |event: &Event| event.announced() == Some([192, 168, 100, 103].into());
    let announced = bench.capture.find(started, TENTH, announced).is_some_and(|event| event.at >= at);
    let next = adverts.iter().filter(|(_, advert)| advert.vrid == 3).nth(1).map(|(next, _)| next.millis_after(at));
    bench.check("IN-01", announced, "announced after the first advert");
    bench.timed(&["IN-01"], next.unwrap_or(f64::INFINITY), Duration::from_secs(1));
}

fn only_the_active_speaks(bench: &mut Bench) {
    let started = Stamp::now();
    bench.feed(&Crafted::new(150), TENTH, 2);
    let daemon = bench.start(vec![RouterConfig::web(100)]);
    let long = down_interval(3, 100, TENTH) * 10;
    let times = u32::try_from(long.as_millis() / 100).expect("few");
    bench.feed(&Crafted::new(150), TENTH, times);
    let silent = bench.adverts(started).is_empty();
    bench.check("TX-26", silent, format!("{:?}", bench.adverts(started).first()));
    daemon.stop();
    sleep(2 * TENTH);
    bench.check("BK-06", bench.adverts(started).is_empty(), "no advert, and no priority 0");
}

fn families_are_independent(bench: &mut Bench) {
    let config = |v4, v6| {
        let six = RouterConfig { name: "web6".into(), addresses: vec![link_local_vip()], ..RouterConfig::web(v6) };
        PairConfig { routers: vec![RouterConfig::web(v4), six], scripts: Vec::new() }
    };
    let _first = Daemon::start(bench.implementation, bench.lab.host(1), &config(110, 90));
    let _second = Daemon::start(bench.implementation, bench.lab.host(2), &config(90, 110));
    let (web, six) = (RouterConfig::web_address(), link_local_vip());
    let split = |bench: &Bench| {
        let [first, second] = [1, 2].map(|number| bench.lab.host(number).addresses());
        first.contains(&web) && !second.contains(&web) && second.contains(&six) && !first.contains(&six)
    };
    let deadline = Stamp::now() + PATIENCE;
    while !split(bench) && Stamp::now() < deadline {
        sleep(TENTH);
    }
    sleep(5 * TENTH);
    bench.check("TX-27", split(bench), "one VRID: IPv4 on host 1, IPv6 on host 2");
}

fn the_other_checksum(bench: &mut Bench) {
    let lines = "advert_interval = \"100ms\"\nvirtual_addresses = [\"192.168.100.10/24\"]\nchecksum = \"rfc5798\"";
    let _daemon = bench.start_ours(lines);
    let at = bench.become_master();
    let (_, advert) = bench.adverts(at)[0].clone();
    bench.check("TX-19", advert.checksum == Checksum::PseudoHeader, format!("{:?}", advert.checksum));
}

fn adverts_are_never_forwarded(bench: &mut Bench) {
    let device = bench.second_interface("10.9.9.1/24");
    device.sysctl("ipv4/ip_forward", "1");
    device.sysctl("ipv6/conf/all/forwarding", "1");
    let _daemon = bench.start(vec![RouterConfig::web(100)]);
    let far = bench.device().capture_all("eth1");
    bench.feed(&Crafted::new(150), TENTH, 10);
    bench.become_master();
    sleep(5 * TENTH);
    bench.check("TX-10", far.all_adverts().is_empty(), "nothing for the group leaves the other interface");
}
