//! An engine goes on where another one stopped, with what that one left: as text, as it goes through memory.

#[path = "common/router.rs"]
mod router;

use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::{
    Attachment, Bequest, Candidacy, Check, CheckReport, Command, Engine, Event, GroupPlan, Provenance,
};
use vrrpd::engine::{InterfaceFacts, Occasion, Outcome, Plan, RouterStatus, TrackerSpec, Weight};
use vrrpd::ids::InterfaceName;
use vrrpd::time::Timestamp;
use vrrpd::units::{Interval, Priority, Version, VirtualAddress, Vrid};
use vrrpd::vrrp::{Action, Cause, Resumption, Role, RouterSpec};

fn at(millis: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(millis))
}

fn address(host: u8) -> VirtualAddress {
    VirtualAddress { ip: [192, 0, 2, host].into(), prefix: 24 }
}

fn spec() -> RouterSpec {
    RouterSpec { name: "web".into(), addresses: Arc::new([address(10)]), lease: true, ..router::ordinary(51) }
}

fn plan(spec: RouterSpec) -> Plan {
    let track = TrackerSpec {
        name: "nginx".into(),
        check: Check::Script { argv: Arc::new(["/bin/true".to_owned()]), user: "nobody".into() },
        interval: Duration::from_secs(1),
        timeout: Duration::from_secs(1),
        fall: 1,
        rise: 1,
        assume: None,
    };
    let attachment = Attachment { track: "nginx".into(), weight: Weight::Adjust { by: -20, reverse: false } };
    let candidacy = Candidacy {
        priority: Priority::new(100).expect("not zero"),
        track: vec![attachment],
        promote_only_with: Vec::new(),
    };
    let group = GroupPlan { name: None, candidacy, members: vec![Arc::new(spec)] };
    Plan { groups: vec![group], trackers: vec![Arc::new(track)], startup_delay: Duration::ZERO }
}

/// Tells an engine of its interface.
fn attach(engine: &mut Engine, now: Timestamp) {
    let facts = InterfaceFacts {
        index: 2,
        up: true,
        mac: None,
        ipv4: Some([192, 0, 2, 1].into()),
        ipv6: None,
        addresses: Arc::new([address(1)]),
    };
    let name = InterfaceName::new("eth0").expect("a name");
    engine.handle(Event::Interface { name, facts: Some(facts) }, now, &mut Vec::new());
}

fn router(engine: &Engine, now: Timestamp) -> RouterStatus {
    engine.snapshot(now).routers.remove(0)
}

/// An engine that is Master since 3.6 s with a track that fails, at 10 s.
fn master() -> Engine {
    let mut engine = Engine::new(0);
    attach(&mut engine, at(0));
    engine.reconfigure(&plan(spec()), Provenance::default(), at(0), &mut Vec::new());
    let tracker = engine.trackers()[0].0;
    let report = CheckReport { outcome: Outcome::Failed, result: "exit status 1".into(), took: Duration::ZERO };
    engine.handle(Event::Check { tracker, report }, at(1), &mut Vec::new());
    while let Some(due) = engine.next_deadline().filter(|&due| due <= at(10_000)) {
        engine.handle(Event::Tick, due, &mut Vec::new());
    }
    assert_eq!(router(&engine, at(10_000)).role, Role::Master);
    engine
}

/// What goes through memory.
fn through_memory(engine: &Engine) -> Bequest {
    let text = serde_json::to_string(&engine.bequeath()).expect("a bequest is text");
    serde_json::from_str(&text).expect("and comes back")
}

/// Another engine that goes on at `now` under `plan`, and everything that it does by then.
fn succeed(left: Bequest, plan: &Plan, now: Timestamp) -> (Engine, Vec<Action>) {
    let mut engine = Engine::new(0);
    attach(&mut engine, now);
    let mut actions = Vec::new();
    let occasion = Occasion { how: Resumption::Upgraded, from: "0.0.9".into(), since: at(10_000) };
    engine.resume(left, plan, occasion, now, &mut actions);
    engine.reconfigure(plan, Provenance::default(), now, &mut actions);
    engine.handle(Event::Tick, now, &mut actions);
    (engine, actions)
}

fn causes(actions: &[Action]) -> Vec<&Cause> {
    let records = actions.iter().filter_map(|action| match action {
        Action::Record(record) => Some(&record.cause),
        _ => None,
    });
    records.collect()
}

#[test]
fn a_master_speaks_at_once_and_nothing_else_happens() {
    let old = master();
    let (new, actions) = succeed(through_memory(&old), &plan(spec()), at(10_050));
    let adverts = actions.iter().filter(|action| matches!(action, Action::Advertise { .. })).count();
    let addresses = |action: &&Action| matches!(action, Action::Hold { .. } | Action::Release { .. });
    assert_eq!((adverts, actions.iter().filter(addresses).count()), (1, 0), "{actions:?}");
    let causes = causes(&actions);
    assert!(
        matches!(causes[..], [Cause::Resumed { gap, .. }, Cause::Configured { generation: 2, .. }] if *gap == Duration::from_millis(50)),
        "{causes:?}"
    );
    let (was, is) = (router(&old, at(10_050)), router(&new, at(10_050)));
    assert_eq!((is.since, is.why, is.priority), (was.since, was.why, was.priority));
    assert_eq!(is.counters.advertisements_sent, was.counters.advertisements_sent + 1);
    let [was, is] = [&old, &new].map(|engine| engine.snapshot(at(10_050)).trackers.remove(0));
    assert_eq!((is.healthy, is.since, is.last_result), (was.healthy, was.since, was.last_result));
}

#[test]
fn another_address_in_the_configuration_comes_and_the_old_one_goes_as_in_a_reload() {
    let changed = RouterSpec { addresses: Arc::new([address(11)]), ..spec() };
    let (_, actions) = succeed(through_memory(&master()), &plan(changed), at(10_050));
    let held: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            Action::Hold { addresses, .. } => Some((true, addresses.to_vec())),
            Action::Release { addresses, .. } => Some((false, addresses.to_vec())),
            _ => None,
        })
        .collect();
    assert_eq!(held, [(true, vec![address(11)]), (false, vec![address(10)])]);
    assert!(!causes(&actions).iter().any(|cause| matches!(cause, Cause::Transition { .. })));
}

#[test]
fn a_router_of_another_version_or_vrid_does_not_go_on() {
    let left = through_memory(&master());
    let mut other = spec();
    other.key.vrid = Vrid::new(52).expect("not zero");
    for spec in [RouterSpec { version: Version::V2, ..spec() }, other] {
        let plan = plan(spec);
        assert_eq!(left.continued(&plan).count(), 0);
        let (engine, actions) = succeed(left.clone(), &plan, at(10_050));
        assert_eq!(router(&engine, at(10_050)).role, Role::Backup);
        assert!(!actions.iter().any(|action| matches!(action, Action::Advertise { .. })), "{actions:?}");
    }
}

#[test]
fn a_backup_waits_anew_and_a_drain_goes_on() {
    let mut old = master();
    let drain = Command::Drain { router: None, by: "root".into(), until: None, force: true };
    old.command(&drain, at(10_000), &mut Vec::new()).expect("it is drained");
    let (new, actions) = succeed(through_memory(&old), &plan(spec()), at(11_000));
    let status = router(&new, at(11_000));
    assert_eq!(status.role, Role::Backup);
    assert_eq!(status.drain.map(|drain| drain.by), Some("root".into()));
    assert_eq!(status.deadline, Some(at(11_000) + Interval::DEFAULT.down(Version::V3, status.priority)));
    assert!(!causes(&actions).iter().any(|cause| matches!(cause, Cause::Transition { .. } | Cause::Drain { .. })));
}
