//! What the engine answers to an operator.

#![allow(clippy::unwrap_used, reason = "a test may")]

#[path = "common/router.rs"]
mod router;

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::{Candidacy, Command, Drain, Engine, Event, GroupPlan, InterfaceFacts, Plan, Provenance};
use vrrpd::ids::InterfaceName;
use vrrpd::time::Timestamp;
use vrrpd::units::Priority;
use vrrpd::vrrp::{Action, Role, RouterSpec};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_secs(seconds))
}

fn spec(vrid: u8) -> Arc<RouterSpec> {
    Arc::new(router::ordinary(vrid))
}

/// Router 1 alone, with this priority, and 2 and 3 as the group `site`.
fn plan(priority: u8) -> Plan {
    let candidacy =
        |raw| Candidacy { priority: Priority::new(raw).unwrap(), track: Vec::new(), promote_only_with: Vec::new() };
    let lone = GroupPlan { name: None, candidacy: candidacy(priority), members: vec![spec(1)] };
    let site = GroupPlan { name: Some("site".into()), candidacy: candidacy(100), members: vec![spec(2), spec(3)] };
    Plan { groups: vec![lone, site], ..Plan::default() }
}

fn link_up(engine: &mut Engine, out: &mut Vec<Action>) {
    let facts = InterfaceFacts { index: 2, up: true, ipv4: Some(Ipv4Addr::new(192, 0, 2, 100)), ..Default::default() };
    engine.handle(Event::Interface { name: InterfaceName::new("eth0").unwrap(), facts: Some(facts) }, at(1), out);
}

fn started(priority: u8) -> Engine {
    let mut engine = Engine::new(0);
    let mut out = Vec::new();
    engine.reconfigure(&plan(priority), Provenance::default(), at(1), &mut out);
    link_up(&mut engine, &mut out);
    engine
}

fn drain(router: Option<&str>, force: bool) -> Command {
    Command::Drain { router: router.map(Into::into), by: "root".into(), until: None, force }
}

/// The names that were drained, or why not.
fn asked(engine: &mut Engine, command: &Command) -> Result<Vec<String>, String> {
    let done = engine.command(command, at(2), &mut Vec::new());
    done.map(|names| names.iter().map(ToString::to_string).collect()).map_err(|refused| refused.to_string())
}

#[test]
fn an_unknown_name_lists_the_known_ones() {
    let refused = "no virtual router or sync group is called wbe: there are r1, r2, r3";
    assert_eq!(asked(&mut started(100), &drain(Some("wbe"), true)), Err(refused.to_owned()));
    let undrain = Command::Undrain { router: Some("wbe".into()), by: "root".into() };
    assert_eq!(asked(&mut started(100), &undrain), Err(refused.to_owned()));
}

#[test]
fn a_member_stands_for_its_group_and_no_name_for_all() {
    for (name, expected) in [
        (Some("r1"), &["r1"][..]),
        (Some("r3"), &["r2", "r3"]),
        (Some("site"), &["r2", "r3"]),
        (None, &["r1", "r2", "r3"]),
    ] {
        let done = asked(&mut started(100), &drain(name, true)).unwrap();
        assert_eq!(done, expected, "{name:?}");
    }
}

#[test]
fn a_backup_that_hears_no_master_is_drained_by_force_only() {
    let mut engine = started(100);
    let refused = asked(&mut engine, &drain(None, false)).unwrap_err();
    assert!(
        refused.starts_with("r1 is not Master, and no other Master is heard") && refused.ends_with("use --force"),
        "{refused}"
    );
    assert!(engine.snapshot(at(2)).routers.iter().all(|router| router.drain.is_none()), "none of them is drained");
    assert!(asked(&mut engine, &drain(None, true)).is_ok());
}

/// An owner claims at once, and would be Master for a moment.
#[test]
fn a_restored_drain_is_in_force_before_anything_else_happens() {
    let mut engine = Engine::new(0);
    let restored = Drain { by: "root".into(), since: at(0), until: Some(at(50)), handing_over: false };
    engine.restore_drain("r1".into(), restored.clone());
    engine.restore_drain("gone".into(), restored.clone());
    let mut out = Vec::new();
    engine.reconfigure(&plan(255), Provenance::default(), at(1), &mut out);
    link_up(&mut engine, &mut out);
    let r1 = engine.snapshot(at(1)).routers.remove(0);
    assert_eq!((r1.role, r1.drain), (Role::Backup, Some(restored)));
    assert!(!out.iter().any(|action| matches!(action, Action::Hold { .. } | Action::Advertise { .. })), "{out:?}");
    engine.handle(Event::Tick, at(50), &mut out);
    assert_eq!(engine.snapshot(at(50)).routers[0].role, Role::Master, "its time is up");
}
