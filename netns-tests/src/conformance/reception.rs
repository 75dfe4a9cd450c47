//! Reception beyond the vectors (RX), what is seen of it (OB), and who is kept out (SE).

use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, PATIENCE, TENTH, counter, wait_until};
use super::{Needs, Scenario};
use crate::craft::Crafted;
use crate::{RouterConfig, Stamp, down_interval};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "a_flood_of_junk",
        covers: &["RX-17", "RX-18", "OB-01", "OB-04", "OB-06", "SE-01", "RX-01"],
        needs: Needs::Ours,
        run: a_flood_of_junk,
    },
    Scenario { name: "any_source_mac", covers: &["RX-27", "RX-06"], needs: Needs::Nothing, run: any_source_mac },
    Scenario { name: "the_other_interface", covers: &["RX-08"], needs: Needs::Ours, run: the_other_interface },
    Scenario { name: "own_adverts_reflected", covers: &["RX-26"], needs: Needs::Nothing, run: own_adverts_reflected },
    Scenario { name: "order_is_no_error", covers: &["RX-15", "PR-06"], needs: Needs::Ours, run: order_is_no_error },
    Scenario {
        name: "version_2_beside_version_3",
        covers: &["IO-05"],
        needs: Needs::Nothing,
        run: version_2_beside_version_3,
    },
    Scenario { name: "what_is_told", covers: &["OB-02", "OB-03", "OB-05"], needs: Needs::Ours, run: what_is_told },
];

fn a_flood_of_junk(bench: &mut Bench) {
    let daemon = bench.start(vec![RouterConfig::web(100)]);
    wait_until(&daemon, "web", "BACKUP");
    let started = Stamp::now();
    let routed = Crafted { ttl: 254, ..Crafted::new(250) };
    let client = bench.lab.client();
    for turn in 0..1000 {
        client.inject(&routed.frame());
        if turn % 100 == 0 {
            bench.send(&Crafted::new(150));
        }
    }
    bench.send(&Crafted::new(150));
    let last = bench.last_of(Crafted::new(150).source);
    sleep(TENTH);
    let counted = daemon.status()["interfaces"][0]["counters"]["ip_ttl_errors"].as_u64().unwrap_or(0);
    let lines = daemon.process().log().lines().filter(|line| line.contains("ip_ttl_errors")).count();
    let seen = format!("1000 packets: counted {counted}, {lines} lines");
    bench.check_all(&["RX-18", "OB-01", "RX-01"], counted == 1000, &seen);
    bench.check_all(&["RX-17", "OB-06"], (1..10).contains(&lines), &seen);
    let events = daemon.vrrpctl(&["events", "--json"]);
    let named = String::from_utf8_lossy(&events.stdout).contains("ip_ttl_errors");
    bench.check("OB-04", named, "the history names the last protocol error");
    let _ = started;
    // None of the thousand counted as a sign of life or of a better Master.
    let taken = bench.first_advert(last, PATIENCE).map_or(f64::INFINITY, |event| event.at.millis_after(last));
    bench.timed(&["SE-01"], taken, down_interval(3, 100, TENTH));
}

fn any_source_mac(bench: &mut Bench) {
    let started = Stamp::now();
    let mut master = Crafted { source_mac: [0x0a, 0xbc, 0xde, 0xf0, 0x12, 0x34], ..Crafted::new(150) };
    let _daemon = bench.start(vec![RouterConfig::web(100)]);
    bench.feed(&master, TENTH, 15);
    bench.check("RX-27", bench.adverts(started).is_empty(), "an advert with a strange MAC is heard");
    // Ethernet pads short frames: 46 octets of payload.
    master.source_mac = [0, 0, 0x5e, 0, 1, 51];
    let mut padded = bench.frame(&master);
    padded.resize(60, 0);
    for _ in 0..12 {
        bench.lab.client().inject(&padded);
        sleep(TENTH);
    }
    bench.check("RX-06", bench.adverts(started).is_empty(), "padding of the frame is no part of the packet");
}

fn the_other_interface(bench: &mut Bench) {
    bench.second_interface("192.168.100.3/24");
    let other = "[virtual_router.other]\ninterface = \"eth1\"\nvirtual_router_id = 52\nvirtual_addresses = [\"192.168.100.11/24\"]";
    let lines = format!("advert_interval = \"10s\"\nvirtual_addresses = [\"192.168.100.10/24\"]\n{other}");
    let daemon = bench.start_ours(&lines);
    wait_until(&daemon, "web", "BACKUP");
    // 52 is configured on the other interface, and not on this one.
    bench.send(&Crafted { vrid: 52, ..Crafted::new(150).every(100) });
    sleep(TENTH);
    let status = daemon.status();
    let of = |name: &str| {
        let interfaces = status["interfaces"].as_array().cloned().unwrap_or_default();
        interfaces.iter().find(|found| found["name"] == name).map(|found| found["counters"]["vrid_errors"].clone())
    };
    let received = daemon.router("other")["counters"]["advertisements_received"].clone();
    let holds = of("eth0") == Some(1.into()) && of("eth1") == Some(0.into()) && received == 0;
    bench.check(
        "RX-08",
        holds,
        format!("vrid_errors on eth0 {:?}, on eth1 {:?}; received {received}", of("eth0"), of("eth1")),
    );
}

fn own_adverts_reflected(bench: &mut Bench) {
    let interval = Duration::from_millis(500);
    let _daemon = bench.start(vec![RouterConfig { interval, ..RouterConfig::web(200) }]);
    bench.become_master();
    sleep(interval / 4);
    let sent = Stamp::now();
    let own = Crafted::new(200).every(50).from(bench.device().ip());
    bench.feed(&own, Duration::from_millis(5), 20);
    sleep(TENTH);
    // The crafted ones are captured, too; the device's come from its own MAC.
    let spoke = bench
        .capture
        .since(sent)
        .iter()
        .filter(|event| event.source_mac == super::bench::DEVICE && event.advert().is_some())
        .count();
    bench.check("RX-26", spoke <= 1, format!("{spoke} adverts in answer to 20 of its own"));
}

fn order_is_no_error(bench: &mut Bench) {
    let addresses = vec![[192, 168, 100, 10].into(), [192, 168, 100, 11].into()];
    let daemon = bench.start(vec![RouterConfig { addresses: addresses.clone(), ..RouterConfig::web(100) }]);
    wait_until(&daemon, "web", "BACKUP");
    let swapped = Crafted { addresses: addresses.into_iter().rev().collect(), ..Crafted::new(100) };
    bench.feed(&swapped, TENTH, 2);
    let errors = counter(&daemon, "address_list_errors");
    bench.check("RX-15", errors == 0, format!("{errors} errors for the same addresses in another order"));
    bench.check("PR-06", daemon.process().log().contains("equal_priority"), "a line about the equal priority");
}

/// A Master that speaks both versions: the timeout is that of its version 3 adverts.
fn version_2_beside_version_3(bench: &mut Bench) {
    let three = Crafted::new(150);
    let two = Crafted { version: 2, ..three.clone().every(100) };
    let _daemon = bench.start(vec![RouterConfig::web(100)]);
    for _ in 0..15 {
        bench.send(&two);
        bench.send(&three);
        sleep(TENTH);
    }
    let last = bench.last_of(three.source);
    // Version 2 goes on alone, and is nobody's sign of life.
    bench.feed(&two, TENTH, 8);
    let taken = bench.first_advert(last, PATIENCE).map_or(f64::INFINITY, |event| event.at.millis_after(last));
    bench.timed(&["IO-05"], taken, down_interval(3, 100, TENTH));
}

fn what_is_told(bench: &mut Bench) {
    let daemon = bench.start(vec![RouterConfig::web(100)]);
    wait_until(&daemon, "web", "BACKUP");
    let reason = || {
        wait_until(&daemon, "web", "MASTER");
        daemon.router("web")["reason"].as_str().unwrap_or_default().to_owned()
    };
    let mut reasons = vec![reason()];
    let give_way = |bench: &Bench| bench.feed(&Crafted::new(150), Duration::from_millis(20), 3);
    give_way(bench);
    bench.send(&Crafted::new(0));
    reasons.push(reason());
    give_way(bench);
    bench.feed(&Crafted::new(50), Duration::from_millis(50), 8);
    reasons.push(reason());
    let counters = daemon.router("web")["counters"].clone();
    let expected = ["master_silent", "master_resigned", "preempts_lower"];
    let transitions = [&counters["active_transitions"], &counters["backup_transitions"]];
    bench.check("OB-02", reasons == expected && transitions[0] == 3, format!("{reasons:?}, {transitions:?}"));
    bench.check("OB-03", counters["priority_zero_received"] == 1, &counters["priority_zero_received"]);
    let events = daemon.vrrpctl(&["events", "--json"]);
    let text = String::from_utf8_lossy(&events.stdout).into_owned();
    let told = expected.iter().all(|reason| text.contains(reason)) && text.contains("192.168.100.200");
    bench.check("OB-05", told, "the history has the new Master, the reason, and who was heard");
}
