//! A Master (AC), and what it is asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, DEVICE, PATIENCE, TENTH, counter, wait_until};
use super::{Needs, Scenario};
use crate::craft::{self, Crafted};
use crate::{Event, Packet, RouterConfig, Stamp, down_interval};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a_master_answers",
        covers: &["AC-13", "AC-16", "AC-12"],
        needs: Needs::Nothing,
        run: a_master_answers,
    },
    Scenario {
        name: "a_master_gives_way",
        covers: &["AC-14", "AC-15", "AC-18", "AC-19"],
        needs: Needs::Nothing,
        run: a_master_gives_way,
    },
    Scenario { name: "ties_over_ipv6", covers: &["AC-15"], needs: Needs::Nothing, run: ties_over_ipv6 },
    Scenario {
        name: "version_2_lower_adverts",
        covers: &["AC-17"],
        needs: Needs::Nothing,
        run: version_2_lower_adverts,
    },
    Scenario { name: "many_transitions", covers: &["TM-06", "PR-08"], needs: Needs::Nothing, run: many_transitions },
    Scenario {
        name: "a_master_is_there",
        covers: &["AC-02", "AC-03", "AC-07", "AC-08"],
        needs: Needs::Nothing,
        run: a_master_is_there,
    },
    Scenario { name: "flapping_is_told", covers: &["AC-21"], needs: Needs::Ours, run: flapping_is_told },
];

/// What was under way when a packet came may still go out, on a busy machine.
const GRACE: Duration = Duration::from_millis(25);

fn a_master_answers(bench: &mut Bench) {
    let interval = Duration::from_millis(500);
    let _daemon = bench.start(vec![RouterConfig { interval, ..RouterConfig::web(100) }]);
    // Learns 1 s while Backup; as Master its own interval counts.
    bench.settle();
    bench.feed(&Crafted::new(150).every(100), TENTH, 3);
    bench.send(&Crafted::new(0).every(100));
    bench.become_master();
    let (first, second) = (bench.become_master(), bench.become_master());
    bench.timed(&["AC-12"], second.millis_after(first), interval);

    for (id, advert) in [
        ("AC-13", Crafted::new(0).every(50)),
        ("AC-16", Crafted::new(50).every(50)),
        ("AC-16", Crafted::new(100).every(50).from([10, 0, 0, 1])),
    ] {
        bench.become_master();
        sleep(interval / 2);
        bench.send(&advert);
        let sent = bench.last_of(advert.source);
        let at_once = bench.at_once();
        let answer = bench.first_advert(sent, at_once).map(|event| event.at);
        bench.check(
            id,
            answer.is_some(),
            format!("no answer to {} of {} within {at_once:?}", advert.source, advert.priority),
        );
        if let (Some(answer), "AC-13") = (answer, id) {
            let next = bench.become_master();
            bench.timed(&["AC-13"], next.millis_after(answer), interval);
        }
    }
}

fn a_master_gives_way(bench: &mut Bench) {
    let vip = RouterConfig::web_address();
    let address = |a, b, c, d| -> IpAddr { [a, b, c, d].into() };
    let rounds = [
        (&["AC-14", "AC-18"][..], Crafted::new(150), true),
        (&["AC-15"], Crafted::new(100).from(address(192, 168, 100, 2)), true),
        (&["AC-15"], Crafted::new(100).from(address(192, 168, 99, 255)), false),
        (&["AC-15"], Crafted::new(100).from(address(127, 255, 255, 254)), false),
        (&["AC-15"], Crafted::new(100).from(address(223, 0, 0, 1)), true),
        (&["AC-15"], Crafted::new(100).from(address(9, 255, 255, 255)), false),
    ];
    let _daemon = bench.start(vec![RouterConfig { preempt: false, ..RouterConfig::web(100) }]);
    bench.become_master();
    for (ids, rival, gives_way) in rounds {
        // The kernel takes no loopback source from a wire: nothing to see there.
        if rival.source == address(127, 255, 255, 254) {
            continue;
        }
        bench.become_master();
        sleep(TENTH / 3);
        bench.send(&rival);
        let sent = bench.last_of(rival.source);
        sleep(TENTH * 3 / 2);
        let spoke = bench.adverts(sent + GRACE);
        let what = format!("{} of {}: {} adverts after it", rival.source, rival.priority, spoke.len());
        bench.check_all(ids, spoke.is_empty() == gives_way, &what);
        bench.check_all(ids, spoke.iter().all(|(_, advert)| advert.priority > 0), "no resignation on this path");
        if gives_way {
            let asked = Stamp::now();
            bench.lab.client().inject(&craft::arp_request([2, 0, 0, 0, 0, 99], [192, 168, 100, 99].into(), web()));
            sleep(Duration::from_millis(30));
            let answered = bench.capture.since(asked).iter().any(|event| {
                event.source_mac == DEVICE && matches!(&event.packet, Packet::Arp(arp) if arp.sender == web())
            });
            let holds = bench.device().has(vip);
            bench.check("AC-19", !answered && !holds, format!("ARP answered: {answered}, address held: {holds}"));
            bench.feed(&rival, TENTH, 2);
            let taken = bench.takeover(rival.source, PATIENCE);
            bench.timed(ids, taken, down_interval(3, 100, TENTH));
        }
    }
}

fn web() -> Ipv4Addr {
    [192, 168, 100, 10].into()
}

fn ties_over_ipv6(bench: &mut Bench) {
    let vip: IpAddr = "fe80::10".parse().expect("an address");
    let _daemon = bench.start(vec![RouterConfig { addresses: vec![vip], ..RouterConfig::web(100) }]);
    // The device is fe80::ff:fe00:1: each of the first is smaller, the last one greater in its last octet only.
    for (source, gives_way) in [("fe80::1", false), ("fe80::fe:ffff:ffff", false), ("fe80::ff:fe00:2", true)] {
        let rival = Crafted { addresses: vec![vip], ..Crafted::new(100) };
        let rival = rival.from(source.parse::<IpAddr>().expect("an address"));
        bench.become_master();
        sleep(TENTH / 3);
        bench.send(&rival);
        let sent = bench.last_of(rival.source);
        sleep(TENTH * 3 / 2);
        let spoke = bench.adverts(sent + GRACE);
        bench.check("AC-15", spoke.is_empty() == gives_way, format!("{source}: {} adverts after it", spoke.len()));
    }
}

/// RFC 3768 has a Master pass over a lower advert in silence, RFC 9568 has it answer; both stay Master.
fn version_2_lower_adverts(bench: &mut Bench) {
    let second = Duration::from_secs(1);
    let _daemon = bench.start(vec![RouterConfig { version: 2, interval: second, ..RouterConfig::web(250) }]);
    bench.become_master();
    let sent = Stamp::now();
    bench.feed(&Crafted { version: 2, ..Crafted::new(50).every(100) }, TENTH, 3);
    sleep(2 * second);
    let adverts = bench.adverts(sent);
    let stays = adverts.len() >= 2 && adverts.iter().all(|(_, advert)| advert.priority == 250);
    bench.check(
        "AC-17",
        stays && bench.device().has(RouterConfig::web_address()),
        format!("{} adverts", adverts.len()),
    );
}

fn many_transitions(bench: &mut Bench) {
    let interval = Duration::from_millis(40);
    let master = Crafted::new(150).every(4);
    let _daemon = bench.start(vec![RouterConfig { interval, ..RouterConfig::web(250) }]);
    let higher = Crafted { priority: 255, ..master };
    bench.become_master();
    let mut stale = 0;
    for _ in 0..60 {
        bench.send(&higher);
        let sent = bench.last_of(higher.source);
        sleep(interval + interval / 2);
        stale += bench.adverts(sent + GRACE).len();
        bench.send(&Crafted { priority: 0, ..higher.clone() });
        bench.first_advert(Stamp::now(), PATIENCE).expect("takes over");
    }
    bench.check("TM-06", stale == 0, format!("{stale} adverts of a Backup in 60 rounds"));
    let before = Stamp::now();
    for _ in 0..20 {
        bench.send(&Crafted::new(250).every(4).from([10, 0, 0, 1]));
        bench.send(&Crafted::new(40).every(4));
        sleep(interval);
    }
    let adverts = bench.adverts(before);
    let gaps = adverts.windows(2).map(|pair| pair[1].0.millis_after(pair[0].0));
    let longest = gaps.fold(0.0, f64::max);
    bench.check("PR-08", longest < 120.0, format!("{longest:.1} ms without an advert among lower and equal ones"));
}

fn a_master_is_there(bench: &mut Bench) {
    let six: Ipv6Addr = "fe80::12:3456".parse().expect("an address");
    let v6 = RouterConfig { name: "web6".into(), addresses: vec![six.into()], ..RouterConfig::web(100) };
    let device = bench.second_interface("10.9.9.1/24");
    device.run("ip", &["neigh", "add", "10.9.9.2", "lladdr", "02:00:00:00:09:02", "dev", "eth1"]);
    device.sysctl("ipv4/ip_forward", "1");
    let _daemon = bench.start(vec![RouterConfig::web(100), v6]);
    bench.become_master();
    bench.device().wait_until_has(RouterConfig::web_address(), true, PATIENCE);
    bench.device().wait_until_has(six.into(), true, PATIENCE);
    sleep(TENTH);
    let groups = bench.device().proc_net("igmp6");
    bench.check("AC-03", groups.contains("ff0200000000000000000001ff123456"), "member of ff02::1:ff12:3456");

    let client = bench.lab.client();
    let asked = Stamp::now();
    client.inject(&craft::arp_request([2, 0, 0, 0, 0, 99], [192, 168, 100, 99].into(), web()));
    let reply = |event: &Event| matches!(&event.packet, Packet::Arp(arp) if arp.operation == 2 && arp.sender == web());
    let reply = bench.capture.find(asked, Duration::from_secs(1), reply);
    let ping = client.run("ping", &["-c1", "-W2", "192.168.100.10"]);

    // Through the address to the network behind, whatever MAC it resolves to.
    let far = bench.device().capture_all("eth1");
    let to = reply.as_ref().map_or(DEVICE, |event| event.source_mac);
    client.inject(&craft::echo(to, [2, 0, 0, 0, 0, 99], [192, 168, 100, 99].into(), [10, 9, 9, 2].into()));
    let through = |event: &Event| event.frame.get(23) == Some(&1) && event.frame.get(30..34) == Some(&[10, 9, 9, 2]);
    let through = far.find(asked, Duration::from_secs(1), through);
    bench.check("AC-02", reply.is_some(), "an ARP reply");
    bench.check("AC-08", ping.status.success(), "echo request to the address");
    bench.check("AC-07", through.is_some(), "a packet to the MAC of the address is forwarded");
}

/// Adverts of a higher Master come with gaps longer than the down interval, again and again.
fn flapping_is_told(bench: &mut Bench) {
    let interval = Duration::from_millis(20);
    let daemon = bench.start(vec![RouterConfig { interval, ..RouterConfig::web(100) }]);
    wait_until(&daemon, "web", "BACKUP");
    for _ in 0..8 {
        bench.send(&Crafted::new(150).every(2));
        sleep(interval * 6);
    }
    let log = daemon.process().log();
    let transitions = counter(&daemon, "active_transitions");
    let told = log.lines().filter(|line| line.contains("flapping")).count();
    let shown = daemon.router("web")["warnings"].to_string();
    let holds = transitions >= 4 && told == 1 && shown.contains("flapping") && shown.contains("192.168.100.200");
    bench.check("AC-21", holds, format!("{transitions} transitions, {told} lines about flapping, in force {shown}"));
}
