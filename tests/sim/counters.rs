//! What a router counts of its own doing, each number with what makes it rise. What it counts of packets is with the
//! vectors.

use super::lab::{Lab, address, alone, eth, lan, plan, router, secs};
use vrrpd::engine::{Command, Engine, Event, Provenance};
use vrrpd::ids::{RouterId, RouterKey};
use vrrpd::sim::NodeId;
use vrrpd::time::Timestamp;
use vrrpd::units::Family;
use vrrpd::vrrp::{RouterCounters, RouterSpec};

type Act = fn(&mut Lab, NodeId);

fn nothing(_: &mut Lab, _: NodeId) {}

fn crash(lab: &mut Lab, node: NodeId) {
    lab.crash(node);
}

fn unplug(lab: &mut Lab, node: NodeId) {
    lab.set_link(node, &eth(0), false);
}

fn drain(lab: &mut Lab, node: NodeId) {
    lab.command(node, Command::Drain { router: None, by: "root".into(), until: None, force: false });
}

fn steal(lab: &mut Lab, node: NodeId) {
    let held = lab.held_addresses(node)[0];
    lab.lose_address(node, "r1", held);
}

fn count(counters: &RouterCounters, name: &str) -> u64 {
    serde_json::to_value(counters).unwrap()[name].as_u64().unwrap()
}

#[test]
fn what_a_router_does_and_hears_is_counted() {
    const MASTER: usize = 0;
    const BACKUP: usize = 1;
    let v6 = RouterSpec {
        key: RouterKey { family: Family::Ipv6, ..router(1).key },
        addresses: ["fe80::1:1", "2001:db8::1"].map(address).into(),
        ..router(1)
    };
    let rows: [(&str, usize, Act); 11] = [
        ("advertisements_sent", MASTER, nothing),
        ("advertisements_received", BACKUP, nothing),
        ("active_transitions", BACKUP, crash),
        ("backup_transitions", MASTER, drain),
        ("fault_transitions", MASTER, unplug),
        ("priority_zero_sent", MASTER, drain),
        ("priority_zero_received", BACKUP, drain),
        ("addresses_restored", MASTER, steal),
        ("gratuitous_arp_sent", MASTER, steal),
        ("gratuitous_arp_sent", BACKUP, crash),
        ("neighbor_advertisements_sent", BACKUP, crash),
    ];
    for (name, whose, act) in rows {
        let spec = if name.starts_with("neighbor") { v6.clone() } else { router(1) };
        let (mut lab, _, nodes) = lan([150, 100], &spec);
        lab.run(secs(10));
        let before = count(&lab.status(nodes[whose], "r1").counters, name);
        act(&mut lab, nodes[MASTER]);
        lab.run(secs(5));
        let after = count(&lab.status(nodes[whose], "r1").counters, name);
        assert!(after > before, "{name}: {before}, then {after}");
    }
}

#[test]
fn what_cannot_be_sent_is_counted() {
    let mut engine = Engine::new(0);
    let mut actions = Vec::new();
    engine.reconfigure(&plan([alone(100, router(1))]), Provenance::default(), Timestamp::ZERO, &mut actions);
    let failed = Event::SendFailed { router: RouterId(0), error: "the interface is down or gone".into() };
    engine.handle(failed, Timestamp::ZERO, &mut actions);
    assert_eq!(engine.snapshot(Timestamp::ZERO).routers[0].counters.send_errors, 1);
}
