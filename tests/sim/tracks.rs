//! What tracks decide: the arithmetic of weights, gateways that answer nobody, and groups that depend on checks while
//! the network loses packets or falls apart.

use super::lab::{
    Lab, alone, check, eth, group, lan_with, millis, on, plan, priority, router, secs, tracking, two_lans_with,
};
use proptest::prelude::*;
use vrrpd::engine::{Attachment, Outcome, Plan, Weight};
use vrrpd::sim::{NodeId, Quality};
use vrrpd::units::Priority;
use vrrpd::vrrp::{Role, Why};

/// A weight, whether it is reversed, and whether its track is healthy.
type Pull = (i16, bool, bool);

/// What the manual says, in other words than the engine's: a negative weight counts while its track fails, a positive
/// one while it is healthy, reversed ones the other way round; the sum stays within 1 and 254, and an owner is not moved.
fn by_the_manual(base: u8, pulls: &[Pull]) -> u8 {
    if base == 255 {
        return 255;
    }
    let counts = |&&(by, reverse, healthy): &&Pull| (by > 0) == (healthy != reverse);
    let sum: i32 = pulls.iter().filter(counts).map(|&(by, _, _)| i32::from(by)).sum();
    u8::try_from((i32::from(base) + sum).clamp(1, 254)).unwrap()
}

fn weighed(base: u8, pulls: &[Pull]) -> Plan {
    let mut plan = plan([alone(base, router(1))]);
    for (number, &(by, reverse, _)) in pulls.iter().enumerate() {
        let name = format!("t{number}");
        let weight = Weight::Adjust { by, reverse };
        plan.groups[0].candidacy.track.push(Attachment { track: name.as_str().into(), weight });
        plan.trackers.push(check(&name).into());
    }
    plan
}

fn set(lab: &mut Lab, node: NodeId, number: usize, healthy: bool) {
    lab.set_health(node, &format!("t{number}"), if healthy { Outcome::Passed } else { Outcome::Failed });
}

fn pull() -> impl Strategy<Value = Pull> {
    ((-253i16..=253).prop_filter("nothing", |by| *by != 0), any::<bool>(), any::<bool>())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn weights_add_up_as_the_manual_says(base in 1u8..=255, pulls in proptest::collection::vec(pull(), 0..6)) {
        let (mut lab, _, [a]) = lan_with([weighed(base, &pulls)]);
        for (number, &(_, _, healthy)) in pulls.iter().enumerate() {
            set(&mut lab, a, number, healthy);
        }
        lab.run(secs(10));
        prop_assert_eq!(lab.status(a, "r1").priority, priority(by_the_manual(base, &pulls)));
    }

    /// Whatever a track went through, only what it says now counts: no error adds up.
    #[test]
    fn a_priority_has_no_memory(
        base in 1u8..=254,
        pulls in proptest::collection::vec(pull(), 1..4),
        past in proptest::collection::vec((any::<proptest::sample::Index>(), any::<bool>()), 0..12),
    ) {
        let (mut lab, _, [a]) = lan_with([weighed(base, &pulls)]);
        for (which, healthy) in past {
            set(&mut lab, a, which.index(pulls.len()), healthy);
            lab.run(millis(1_700));
        }
        for (number, &(_, _, healthy)) in pulls.iter().enumerate() {
            set(&mut lab, a, number, healthy);
        }
        lab.run(secs(10));
        prop_assert_eq!(lab.status(a, "r1").priority, priority(by_the_manual(base, &pulls)));
    }

    /// A failure never raises who has negative weights, nor does a recovery lower who has positive ones.
    #[test]
    fn health_never_counts_against(base in 1u8..=254, pulls in proptest::collection::vec(pull(), 1..6)) {
        let plain = |healthy| pulls.iter().map(|&(by, _, _)| (by, false, healthy)).collect::<Vec<_>>();
        prop_assert!(by_the_manual(base, &plain(true)) >= by_the_manual(base, &plain(false)));
    }
}

/// Both hosts track one gateway.
fn gateway(raw: u8, weight: Option<i16>) -> Plan {
    tracking(plan([alone(raw, router(1))]), "gateway", weight)
}

/// Whoever notices first: a Master that notices resigns, for it cannot know whether its peer fares any better; the peer
/// does not, and the preferred one is Master again. All the while one of them, and only one, has the address.
#[test]
fn with_a_weight_a_gateway_that_answers_neither_takes_the_address_from_nobody() {
    let (mut lab, _, [a, b]) = lan_with([gateway(100, Some(-20)), gateway(99, Some(-20))]);
    lab.run(secs(10));
    for apart in [0, 400, 1_600, 10_000] {
        let mark = lab.mark();
        lab.set_health(b, "gateway", Outcome::Failed);
        lab.run(millis(apart));
        lab.set_health(a, "gateway", Outcome::Failed);
        for _ in 0..1_000 {
            lab.run(millis(10));
            assert_eq!(lab.holders("r1").len(), 1, "{apart} ms apart: {:?}", lab.holders("r1"));
        }
        let lowered = [a, b].map(|node| lab.status(node, "r1").priority.get());
        assert_eq!((lab.masters("r1"), lowered), (vec![a], [80, 79]), "{apart} ms apart");
        let whys: Vec<Why> = lab.changes_since(mark).into_iter().map(|(.., why)| why).collect();
        assert_eq!(whys, [Why::Demoted, Why::MasterResigned, Why::PreemptsLower, Why::HigherPriority]);
        for node in [a, b] {
            lab.set_health(node, "gateway", Outcome::Passed);
        }
        lab.run(secs(10));
        assert_eq!(lab.masters("r1"), [a]);
    }
}

#[test]
fn with_required_a_gateway_that_answers_neither_takes_the_address_away() {
    let (mut lab, _, [a, b]) = lan_with([gateway(100, None), gateway(99, None)]);
    lab.run(secs(10));
    for node in [a, b] {
        lab.set_health(node, "gateway", Outcome::Failed);
    }
    lab.run(secs(10));
    assert_eq!([a, b].map(|node| lab.role(node, "r1")), [Role::Fault; 2]);
    assert!(lab.holders("r1").is_empty());
    for node in [a, b] {
        lab.set_health(node, "gateway", Outcome::Passed);
    }
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a]);
}

/// A Backup that hears nobody because it is cut off, not because the Master is gone.
#[test]
fn an_isolated_host_that_may_promote_only_with_its_gateway_stays_backup() {
    let careful = |raw| {
        let mut plan = gateway(raw, Some(-20));
        plan.groups[0].candidacy.promote_only_with.push("gateway".into());
        plan
    };
    let (mut lab, lan, [a, b]) = lan_with([careful(100), careful(99)]);
    lab.run(secs(10));
    // The checks fail a moment before the silence is noticed, as they do where fall * interval < the down interval.
    lab.set_health(b, "gateway", Outcome::Failed);
    lab.partition(lan, a, b);
    for _ in 0..300 {
        lab.run(millis(100));
        assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![a], vec![a]));
    }
    assert_eq!(lab.status(b, "r1").waits_for, ["gateway".into()]);
    // The Master dies, and the network is whole again: then it takes over.
    lab.crash(a);
    lab.heal();
    lab.set_health(b, "gateway", Outcome::Passed);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [b]);
}

/// A group over two links that depends on a service.
fn site(raw: u8, weight: Option<i16>) -> Plan {
    tracking(plan([group("site", raw, [router(1), on(1, router(2))])]), "service", weight)
}

#[test]
fn a_group_follows_its_tracks_as_one_while_packets_are_lost() {
    for (seed_of_loss, weight) in [(10, None), (20, Some(-60)), (30, Some(-60)), (30, None)] {
        let (mut lab, lans, [a, b]) = two_lans_with([site(150, weight), site(100, weight)]);
        lab.run(secs(10));
        for lan in lans {
            lab.set_quality(lan, Quality { loss: seed_of_loss, ..Quality::GOOD });
        }
        let both = |lab: &Lab| (lab.holders("r1"), lab.holders("r2"));
        for _ in 0..20 {
            lab.set_health(a, "service", Outcome::Failed);
            lab.run(secs(20));
            assert!(!lab.masters("r1").contains(&a) && !lab.masters("r2").contains(&a), "{:?}", both(&lab));
            lab.set_health(a, "service", Outcome::Passed);
            lab.run(secs(20));
        }
        for lan in lans {
            lab.set_quality(lan, Quality::GOOD);
        }
        lab.run(secs(10));
        assert_eq!(both(&lab), (vec![a], vec![a]));
        assert!(lab.is_running(b));
    }
}

#[test]
fn a_group_whose_links_fall_apart_one_by_one_is_never_split_once_it_is_mended() {
    let (mut lab, lans, [a, b]) = two_lans_with([site(150, Some(-60)), site(100, Some(-60))]);
    lab.run(secs(10));
    for broken in lans {
        for failing in [a, b] {
            lab.partition(broken, a, b);
            lab.run(secs(7));
            lab.set_health(failing, "service", Outcome::Failed);
            lab.run(secs(7));
            // On the link that is whole both hear each other: one Master there, and it is who holds the other member too.
            let whole = if broken == lans[0] { "r2" } else { "r1" };
            assert_eq!(lab.masters(whole).len(), 1, "{:?}", lab.masters(whole));
            lab.heal();
            lab.set_health(failing, "service", Outcome::Passed);
            lab.run(secs(15));
            assert_eq!((lab.holders("r1"), lab.holders("r2")), (vec![a], vec![a]));
        }
    }
}

#[test]
fn a_group_names_the_member_and_the_track_that_hold_it_back() {
    let (mut lab, _, [a, _]) = two_lans_with([site(150, None), site(100, None)]);
    lab.run(secs(10));
    lab.set_link(a, &eth(1), false);
    lab.run(secs(10));
    let snapshot = lab.snapshot(a).unwrap();
    assert_eq!(snapshot.groups[0].blocked_by.as_deref(), Some("r2"));
    assert_eq!(lab.status(a, "r1").role, Role::Backup);
    lab.set_link(a, &eth(1), true);
    lab.set_health(a, "service", Outcome::Failed);
    lab.run(secs(10));
    let unfit = format!("{:?}", lab.status(a, "r1").unfit);
    assert!(unfit.contains("service"), "{unfit}");
    assert_eq!(Priority::new(150), Some(lab.status(a, "r1").priority));
}
