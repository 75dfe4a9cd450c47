//! The laws of reloading: a plan replaces another in place, and only what is different is done.

use super::lab::{Lab, address, alone, eth, group, lan, lan_with, millis, on, plan, priority, router, secs, tracking};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use vrrpd::engine::{Attachment, Change, Engine, Event, GroupPlan, InterfaceFacts, Outcome, Plan, Provenance, Weight};
use vrrpd::time::Timestamp;
use vrrpd::units::{Interval, Version};
use vrrpd::vrrp::{Action, Cause, Preempt, Role, RouterSpec};

/// X4
#[test]
fn a_hundred_reloads_without_change_send_nothing_and_miss_nothing() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    let before = [a, b].map(|node| lab.status(node, "r1").counters);
    let mark = lab.mark();
    for _ in 0..100 {
        for node in [a, b] {
            let same = lab.plan(node).unwrap().clone();
            lab.reload(node, &same);
        }
        lab.run(millis(200));
    }
    let after = [a, b].map(|node| lab.status(node, "r1").counters);
    assert_eq!(after[0].advertisements_sent - before[0].advertisements_sent, 20);
    assert_eq!(after[1].advertisements_received - before[1].advertisements_received, 20);
    let configured = |cause: &Cause| matches!(cause, Cause::Configured { .. });
    assert_eq!(lab.records_since(mark).len(), 200);
    assert!(lab.records_since(mark).iter().all(|(_, record)| configured(&record.cause)));
}

/// X5
#[test]
fn an_address_that_moves_between_routers_is_never_absent_at_the_end() {
    let with = |vrid, addresses: &[&str]| {
        alone(150, RouterSpec { addresses: addresses.iter().map(|a| address(a)).collect(), ..router(vrid) })
    };
    let before = plan([with(1, &["192.0.2.1", "192.0.2.3"]), with(2, &["192.0.2.2"])]);
    let after = plan([with(1, &["192.0.2.1"]), with(2, &["192.0.2.2", "192.0.2.3"])]);
    let (mut lab, _, [a]) = lan_with([before.clone()]);
    lab.run(secs(10));
    for next in [after, before] {
        lab.reload(a, &next);
        let mut held = lab.held_addresses(a);
        held.sort();
        assert_eq!(held, ["192.0.2.1", "192.0.2.2", "192.0.2.3"].map(address));
        lab.run(secs(5));
        assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
    }
}

/// X7
#[test]
fn weights_that_come_and_go_leave_the_priority_as_computed_afresh() {
    let plain = plan([alone(100, router(1))]);
    let (mut lab, _, [a]) = lan_with([plain.clone()]);
    lab.set_health(a, "nginx", Outcome::Failed);
    for round in 0..20 {
        let weight = [-20, 11, -3, 7][round % 4];
        lab.reload(a, &tracking(plain.clone(), "nginx", Some(weight)));
        lab.run(secs(5));
        let expected = if weight < 0 { 100 + weight } else { 100 };
        assert_eq!(lab.status(a, "r1").priority, priority(u8::try_from(expected).unwrap()), "round {round}");
        lab.reload(a, &plain.clone());
        lab.run(secs(1));
        assert_eq!(lab.status(a, "r1").priority, priority(100), "round {round}");
    }
}

/// Rolling out another interval, one host after the other and in either order, elects nobody.
#[test]
fn an_interval_is_rolled_out_host_by_host() {
    for (old, new) in [(100, 10), (10, 100), (1_000, 10), (10, 1_000)] {
        for master_first in [true, false] {
            let every = |raw, centis| {
                plan([alone(raw, RouterSpec { interval: Interval::from_centis(centis).unwrap(), ..router(1) })])
            };
            let (mut lab, _, [a, b]) = lan_with([every(150, old), every(100, old)]);
            lab.run(secs(59) + millis(950));
            let mark = lab.mark();
            let steps = if master_first { [(a, 150), (b, 100)] } else { [(b, 100), (a, 150)] };
            for (node, raw) in steps {
                lab.reload(node, &every(raw, new));
                lab.run(secs(60));
                assert_eq!(lab.changes_since(mark), [], "{old} to {new}, the Master first: {master_first}");
            }
            assert_eq!(lab.masters("r1"), [a]);
        }
    }
}

#[test]
fn a_router_that_a_reload_removes_resigns_first() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    let mark = lab.mark();
    lab.reload(a, &Plan::default());
    lab.run(secs(2));
    assert_eq!(lab.masters("r1"), [b]);
    let skew = Interval::DEFAULT.skew(Version::V3, priority(100));
    let took = lab.moment_of(mark, b, Role::Master) - (Timestamp::ZERO + secs(10));
    assert!(took >= skew && took < skew + millis(1), "{took:?}");
}

#[test]
fn a_version_that_changes_is_a_new_router() {
    let (mut lab, _, [a]) = lan([150], &router(1));
    lab.run(secs(10));
    lab.reload(a, &plan([alone(150, RouterSpec { version: Version::V2, ..router(1) })]));
    assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![], vec![]));
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a]);
}

#[test]
fn routers_that_join_a_group_stand_and_fall_with_it() {
    let both = plan([alone(150, router(1)), alone(150, router(2))]);
    let (mut lab, _, [a]) = lan_with([both]);
    lab.run(secs(10));
    lab.reload(a, &plan([group("site", 150, [router(1), on(9, router(2))])]));
    lab.run(secs(10));
    assert_eq!(lab.role(a, "r1"), Role::Backup, "the other one is on an interface that is not there");
    lab.reload(a, &plan([group("site", 150, [router(1), router(2)])]));
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
}

#[test]
fn a_drained_group_stays_drained_over_a_reload() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.command(a, vrrpd::engine::Command::Drain { router: None, by: "root".into(), until: None, force: false });
    lab.run(secs(10));
    lab.reload(a, &plan([alone(200, router(1))]));
    lab.run(secs(30));
    assert_eq!(lab.masters("r1"), [b]);
}

fn specs() -> impl Strategy<Value = RouterSpec> {
    let preempt = prop_oneof![Just(Preempt::Never), Just(Preempt::After(secs(0))), Just(Preempt::After(secs(5)))];
    let addresses = prop::collection::btree_set(1_u8..6, 1..4);
    let excluded = prop::collection::btree_set(1_u8..4, 0..3);
    (1_u8..5, 0_u8..2, preempt, addresses, excluded, any::<bool>(), 1_u16..300).prop_map(
        |(vrid, interface, preempt, addresses, excluded, lease, centis)| RouterSpec {
            preempt,
            lease,
            interval: Interval::from_centis(centis).unwrap(),
            addresses: addresses.iter().map(|host| address(&format!("192.0.{vrid}.{host}"))).collect(),
            excluded: excluded.iter().map(|host| address(&format!("198.51.{vrid}.{host}"))).collect(),
            ..on(interface, router(vrid))
        },
    )
}

/// Any plan of up to four routers, alone or in one group, with up to one track.
fn plans() -> impl Strategy<Value = Plan> {
    let track = prop::option::of((0_u8..2, prop::option::of(-50_i16..50)));
    (prop::collection::vec(specs(), 0..5), any::<bool>(), 1_u8..=255, track).prop_map(
        |(mut specs, together, raw, track)| {
            specs.sort_by(|a, b| a.key.cmp(&b.key));
            specs.dedup_by(|a, b| a.key == b.key);
            for spec in &mut specs {
                spec.name = format!("{}-{}", spec.name, spec.key.interface).into();
            }
            let plan = if together && !specs.is_empty() {
                plan([group("site", raw, specs)])
            } else {
                plan(specs.into_iter().map(|spec| alone(raw, spec)))
            };
            match track {
                Some((name, by)) => tracking(plan, &format!("track{name}"), by),
                None => plan,
            }
        },
    )
}

/// What each router waits for, by name.
fn deadlines(engine: &Engine, now: Timestamp) -> BTreeMap<String, Option<Timestamp>> {
    let routers = engine.snapshot(now).routers;
    routers.into_iter().map(|router| (router.name.to_string(), router.deadline)).collect()
}

/// An engine that runs `plan` on a host with both interfaces.
fn running(plan: &Plan) -> Engine {
    let mut engine = Engine::new(0);
    let mut actions = Vec::new();
    engine.reconfigure(plan, Provenance::default(), Timestamp::ZERO, &mut actions);
    for number in [0, 1] {
        let ipv4 = Some([10, 0, number, 1].into());
        let facts = InterfaceFacts { index: number.into(), up: true, ipv4, ..InterfaceFacts::default() };
        let event = Event::Interface { name: eth(number), facts: Some(facts) };
        engine.handle(event, Timestamp::ZERO, &mut actions);
    }
    engine
}

/// Ticks until `span` has passed.
fn tick(engine: &mut Engine, span: std::time::Duration, actions: &mut Vec<Action>) {
    let end = Timestamp::ZERO + span;
    while let Some(due) = engine.next_deadline().filter(|&due| due <= end) {
        engine.handle(Event::Tick, due, actions);
    }
    engine.handle(Event::Tick, end, actions);
}

/// What an engine runs, without the state it is in.
fn as_configured(engine: &Engine) -> String {
    let snapshot = engine.snapshot(Timestamp::ZERO);
    let mut lines: Vec<String> = snapshot
        .routers
        .iter()
        .map(|router| {
            let tracks: Vec<_> = router.tracks.iter().map(|track| (&track.name, track.weight)).collect();
            format!(
                "{} {} {:?} {:?} {:?} {:?} {:?} {tracks:?}",
                router.name,
                router.key,
                router.version,
                router.base_priority,
                router.interval,
                router.addresses,
                router.group
            )
        })
        .collect();
    lines.extend(snapshot.groups.iter().map(|group| format!("{} {:?}", group.name, group.members)));
    lines.extend(snapshot.trackers.iter().map(|track| format!("{} {}", track.name, track.kind)));
    lines.extend(snapshot.interfaces.iter().map(|interface| format!("{} {}", interface.name, interface.up)));
    lines.join("\n")
}

/// The same plan, nothing of it the same in memory.
fn read_again(plan: &Plan) -> Plan {
    let mut again = plan.clone();
    for spec in again.groups.iter_mut().flat_map(|group| &mut group.members) {
        *spec = Arc::new(RouterSpec::clone(spec));
    }
    for spec in &mut again.trackers {
        *spec = Arc::new(spec.as_ref().clone());
    }
    again
}

proptest! {
    #[test]
    fn nothing_differs_from_itself(a in plans()) {
        prop_assert_eq!(a.diff(&a), []);
        let mut shuffled = a.clone();
        shuffled.groups.reverse();
        shuffled.trackers.reverse();
        prop_assert_eq!(a.diff(&shuffled), []);
    }

    /// What differs one way differs the other way, with before and after exchanged.
    #[test]
    fn a_difference_reads_both_ways(a in plans(), b in plans()) {
        let forth: Vec<Change> = a.diff(&b).into_iter().map(reversed).collect();
        prop_assert_eq!(forth, b.diff(&a));
        prop_assert_eq!(a.diff(&b).is_empty(), sorted(&a) == sorted(&b));
    }

    /// What was read again and is the same is the same in memory, and nothing else changes.
    #[test]
    fn a_plan_shares_what_is_the_same(a in plans(), b in plans()) {
        let mut again = read_again(&a);
        again.share(&a);
        for (new, running) in again.groups.iter().zip(&a.groups) {
            let same = new.members.iter().zip(&running.members).all(|(new, running)| Arc::ptr_eq(new, running));
            prop_assert!(same, "{:?}", new.members);
        }
        prop_assert!(again.trackers.iter().zip(&a.trackers).all(|(new, running)| Arc::ptr_eq(new, running)));
        let mut other = read_again(&b);
        other.share(&a);
        prop_assert_eq!(other, b);
    }

    #[test]
    fn a_reload_runs_what_a_fresh_start_would(a in plans(), b in plans(), after in 0_u64..20) {
        let mut engine = running(&a);
        let mut actions = Vec::new();
        tick(&mut engine, secs(after), &mut actions);
        engine.reconfigure(&b, Provenance::default(), Timestamp::ZERO + secs(after), &mut actions);
        prop_assert_eq!(as_configured(&engine), as_configured(&running(&b)));
    }

    #[test]
    fn a_reload_that_changes_nothing_says_so_and_does_nothing(a in plans(), after in 0_u64..20) {
        let mut engine = running(&a);
        tick(&mut engine, secs(after), &mut Vec::new());
        let mut shuffled = a.clone();
        shuffled.groups.reverse();
        for plan in [&a, &shuffled] {
            let now = Timestamp::ZERO + secs(after);
            let (before, mut actions) = (deadlines(&engine, now), Vec::new());
            engine.reconfigure(plan, Provenance::default(), now, &mut actions);
            let done: Vec<&Action> = actions.iter().filter(|action| !is_configured(action)).collect();
            prop_assert!(done.is_empty(), "{done:?}");
            prop_assert_eq!(actions.len(), 1);
            prop_assert_eq!(deadlines(&engine, now), before);
        }
    }

    #[test]
    fn a_priority_alone_releases_nothing(a in plans(), raw in 1_u8..=254, after in 0_u64..20) {
        let mut engine = running(&a);
        tick(&mut engine, secs(after), &mut Vec::new());
        let mut b = a.clone();
        for group in &mut b.groups {
            group.candidacy.priority = priority(raw);
        }
        let mut actions = Vec::new();
        engine.reconfigure(&b, Provenance::default(), Timestamp::ZERO + secs(after), &mut actions);
        let touches = |action: &Action| matches!(action, Action::Release { .. } | Action::ClosePort { .. });
        prop_assert!(!actions.iter().any(touches), "{actions:?}");
    }

    /// From any plan to any other and back, under the invariants of the simulator.
    #[test]
    fn reloads_keep_the_invariants(sequence in prop::collection::vec((plans(), 0_u64..6_000), 1..6)) {
        let mut lab = Lab::new(1);
        let lans = [0, 1].map(|_| lab.add_segment(vrrpd::sim::Quality::GOOD));
        let a = lab.add_node("a", Plan::default(), &[(eth(0), lans[0]), (eth(1), lans[1])]);
        for (plan, pause) in sequence {
            lab.reload(a, &plan);
            lab.run(millis(pause));
        }
        lab.stop(a);
        lab.run(secs(1));
    }
}

fn is_configured(action: &Action) -> bool {
    matches!(action, Action::Record(record) if matches!(record.cause, Cause::Configured { .. }))
}

fn reversed(change: Change) -> Change {
    match change {
        Change::Added(spec) => Change::Removed(spec),
        Change::Removed(spec) => Change::Added(spec),
        Change::Amended { from, to } => Change::Amended { from: to, to: from },
        Change::Group { name, from, to } => Change::Group { name, from: to, to: from },
        Change::Track { name, from, to } => Change::Track { name, from: to, to: from },
    }
}

fn sorted(plan: &Plan) -> Plan {
    let mut plan = plan.clone();
    plan.groups.sort_by_key(GroupPlan::label);
    plan.trackers.sort_by(|a, b| a.name.cmp(&b.name));
    plan
}

#[test]
fn a_track_that_moves_from_group_to_group_bears_on_the_new_one_only() {
    let before = tracking(plan([alone(150, router(1)), alone(150, router(2))]), "nginx", Some(-50));
    let (mut lab, _, [a]) = lan_with([before.clone()]);
    lab.set_health(a, "nginx", Outcome::Failed);
    lab.run(secs(10));
    assert_eq!(["r1", "r2"].map(|name| lab.status(a, name).priority), [priority(100); 2]);
    let mut after = before;
    after.groups[0].candidacy.track.clear();
    after.groups[1].candidacy.track =
        vec![Attachment { track: Arc::from("nginx"), weight: Weight::Adjust { by: -30, reverse: false } }];
    lab.reload(a, &after);
    lab.run(secs(10));
    assert_eq!(["r1", "r2"].map(|name| lab.status(a, name).priority), [priority(150), priority(120)]);
}
