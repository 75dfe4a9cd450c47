//! What operators rely on, told as stories.

use super::lab::{
    Lab, address, alone, eth, group, lan, lan_with, millis, on, plan, priority, router, secs, tracking, two_lans_with,
};
use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::{Command, Outcome, Plan};
use vrrpd::sim::NodeId;
use vrrpd::time::Timestamp;
use vrrpd::units::{Family, Interval, Version};
use vrrpd::vrrp::{Cause, Preempt, Role, RouterSpec, Unfit, Why};

/// More than a packet needs on a good segment.
const TRIP: Duration = Duration::from_micros(150);

fn down(raw: u8) -> Duration {
    Interval::DEFAULT.down(Version::V3, priority(raw))
}

fn skew(raw: u8) -> Duration {
    Interval::DEFAULT.skew(Version::V3, priority(raw))
}

fn preempting(preempt: Preempt) -> RouterSpec {
    RouterSpec { preempt, ..router(1) }
}

fn drain(router: Option<&str>, until: Option<Duration>, force: bool) -> Command {
    Command::Drain { router: router.map(Into::into), by: "root".into(), until, force }
}

fn within(took: Duration, least: Duration, most: Duration) {
    assert!((least..=most).contains(&took), "{took:?} is not from {least:?} to {most:?}");
}

#[test]
fn the_highest_priority_becomes_master_after_its_own_down_interval() {
    let (mut lab, _, [a, b, c]) = lan([150, 120, 100], &router(1));
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a]);
    assert_eq!(lab.moment_of(0, a, Role::Master), Timestamp::ZERO + down(150));
    assert_eq!([b, c].map(|node| lab.role(node, "r1")), [Role::Backup; 2]);
    assert_eq!(lab.holders("r1"), [a]);
}

#[test]
fn a_crash_is_noticed_after_the_down_interval() {
    let (mut lab, _, [a, b, c]) = lan([150, 120, 100], &router(1));
    lab.run(secs(10));
    let last_advert = lab.status(a, "r1").master.unwrap().heard;
    let mark = lab.mark();
    lab.crash(a);
    lab.run(secs(5));
    assert_eq!(lab.masters("r1"), [b]);
    assert_eq!(lab.changes_since(mark), [(b, "r1".into(), Role::Master, Why::MasterSilent)]);
    within(lab.moment_of(mark, b, Role::Master) - last_advert, down(120), down(120) + TRIP);
    assert_eq!(lab.role(c, "r1"), Role::Backup);
}

#[test]
fn a_graceful_stop_takes_the_skew_time_and_leaves_nothing_behind() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    let (mark, stopped) = (lab.mark(), lab.now());
    lab.stop(a);
    lab.run(secs(5));
    let changes = lab.changes_since(mark);
    assert_eq!(changes[0], (a, "r1".into(), Role::Initialize, Why::Stopping));
    assert_eq!(changes[1..], [(b, "r1".into(), Role::Master, Why::MasterResigned)]);
    within(lab.moment_of(mark, b, Role::Master) - stopped, skew(100), skew(100) + TRIP);
}

/// BK-06: a Backup that stops says nothing.
#[test]
fn a_backup_leaves_in_silence() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    let before = lab.status(a, "r1").counters.advertisements_received;
    lab.stop(b);
    lab.run(secs(5));
    assert_eq!(lab.status(a, "r1").counters.advertisements_received, before);
    assert_eq!(lab.masters("r1"), [a]);
}

#[test]
fn a_preferred_host_that_returns_preempts() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.crash(a);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [b]);
    let (mark, back) = (lab.mark(), lab.now());
    lab.start(a);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a]);
    assert_eq!(lab.moment_of(mark, a, Role::Master) - back, down(150), "PR-01: never before its down interval");
    let changes = lab.changes_since(mark);
    assert!(changes.contains(&(a, "r1".into(), Role::Master, Why::PreemptsLower)), "{changes:?}");
    assert!(changes.contains(&(b, "r1".into(), Role::Backup, Why::HigherPriority)), "{changes:?}");
}

#[test]
fn without_preempt_the_host_that_returns_stays_backup() {
    let (mut lab, _, [a, b]) = lan([150, 100], &preempting(Preempt::Never));
    lab.run(secs(10));
    lab.crash(a);
    lab.run(secs(10));
    lab.start(a);
    lab.run(secs(60));
    assert_eq!(lab.masters("r1"), [b]);
    let mark = lab.mark();
    lab.crash(b);
    lab.run(secs(10));
    assert_eq!(lab.changes_since(mark), [(a, "r1".into(), Role::Master, Why::MasterSilent)], "not a preemption");
}

#[test]
fn with_a_preempt_delay_the_host_that_returns_waits_for_it() {
    let (mut lab, _, [a, b]) = lan([150, 100], &preempting(Preempt::After(secs(30))));
    lab.run(secs(10));
    lab.crash(a);
    lab.run(secs(10));
    let (mark, back) = (lab.mark(), lab.now());
    lab.start(a);
    lab.run(secs(29));
    assert_eq!(lab.masters("r1"), [b]);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a]);
    within(lab.moment_of(mark, a, Role::Master) - back, secs(30), secs(31) + down(150));
}

/// X15: a delay before preempting is no delay before serving.
#[test]
fn nobody_waits_for_the_preempt_delay_where_there_is_no_master() {
    let (mut lab, _, [a, _]) = lan([150, 100], &preempting(Preempt::After(secs(300))));
    lab.run(secs(4));
    assert_eq!(lab.masters("r1"), [a]);
}

/// A group whose members' timers are a little apart must not begin its wait anew for ever (random seed 191).
#[test]
fn a_sync_group_preempts_after_its_delay() {
    let site = |raw| {
        let delayed = |vrid| RouterSpec { preempt: Preempt::After(secs(3)), ..router(vrid) };
        plan([group("site", raw, [delayed(1), on(1, delayed(2))])])
    };
    let (mut lab, _, [a, _]) = two_lans_with([site(150), site(100)]);
    lab.run(secs(10));
    for pause in 0..50 {
        lab.crash(a);
        lab.run(secs(5) + millis(pause * 20));
        lab.start(a);
        lab.run(secs(12));
        assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]), "after {pause}");
    }
}

#[test]
fn a_demoted_master_hands_over_in_skew_time_and_lingers_until_somebody_is_heard() {
    let watched = |raw| tracking(plan([alone(raw, router(1))]), "nginx", Some(-60));
    let (mut lab, _, [a, b]) = lan_with([watched(150), watched(100)]);
    lab.run(secs(10));
    let mark = lab.mark();
    lab.set_health(a, "nginx", Outcome::Failed);
    lab.run(millis(2_010));
    assert_eq!(lab.role(a, "r1"), Role::Backup, "two failures are enough");
    assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![], vec![a]), "it lingers");
    lab.run(secs(5));
    assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![b], vec![b]));
    let took = lab.moment_of(mark, b, Role::Master) - lab.moment_of(mark, a, Role::Backup);
    within(took, skew(100), skew(100) + TRIP);
    assert_eq!(lab.status(a, "r1").priority, priority(90));
    lab.set_health(a, "nginx", Outcome::Passed);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a], "and it comes back");
}

#[test]
fn a_demoted_master_that_nobody_replaces_goes_on_without_letting_go() {
    let (mut lab, _, [a]) = lan_with([tracking(plan([alone(150, router(1))]), "nginx", Some(-60))]);
    lab.run(secs(10));
    lab.set_health(a, "nginx", Outcome::Failed);
    let mark = lab.mark();
    for _ in 0..100 {
        lab.run(millis(100));
        assert_eq!(lab.holders("r1"), [a]);
    }
    let changes: Vec<_> = lab.changes_since(mark).into_iter().map(|(_, _, to, why)| (to, why)).collect();
    assert_eq!(changes, [(Role::Backup, Why::Demoted), (Role::Master, Why::NobodyTookOver)]);
}

#[test]
fn a_required_track_makes_the_master_leave_at_once() {
    let watched = |raw| tracking(plan([alone(raw, router(1))]), "nginx", None);
    let (mut lab, _, [a, b]) = lan_with([watched(150), watched(100)]);
    lab.run(secs(10));
    lab.set_health(a, "nginx", Outcome::Failed);
    lab.run(secs(5));
    assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![b], vec![b]));
    let status = lab.status(a, "r1");
    assert_eq!((status.role, status.unfit), (Role::Fault, Some(Unfit::TrackFailed { track: "nginx".into() })));
}

/// A runner that loses a check must not make it look healthy for ever.
#[test]
fn a_check_that_never_answers_again_has_failed_and_says_so() {
    let watched = |raw| tracking(plan([alone(raw, router(1))]), "nginx", None);
    let (mut lab, _, [a, b]) = lan_with([watched(150), watched(100)]);
    lab.run(secs(10));
    let mark = lab.mark();
    lab.set_hanging(a, "nginx", true);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [b]);
    let said = lab.records_since(mark).iter().any(|(node, record)| {
        matches!(&record.cause, Cause::Track { healthy: false, result } if *node == a && &**result == "no answer")
    });
    assert!(said, "{:?}", lab.records_since(mark));
    lab.set_hanging(a, "nginx", false);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a]);
}

#[test]
fn a_required_track_without_an_answer_yet_keeps_a_host_backup_for_one_fall_period() {
    let spec = RouterSpec { interval: Interval::from_centis(10).unwrap(), ..router(1) };
    let mut lab = Lab::new(1);
    let lan = lab.add_segment(vrrpd::sim::Quality::GOOD);
    let a = lab.add_node("a", Plan::default(), &[(eth(0), lan)]);
    lab.set_hanging(a, "nginx", true);
    lab.reload(a, &tracking(plan([alone(150, spec)]), "nginx", None));
    lab.run(millis(2_999));
    assert_eq!(lab.role(a, "r1"), Role::Backup);
    assert_eq!(lab.status(a, "r1").waits_for, [Arc::from("nginx")]);
    lab.run(millis(2));
    assert_eq!(lab.masters("r1"), [a]);
}

/// Masters of one port that are due within five milliseconds of each other, and within a thirty-second of their
/// interval, keep step; others keep their own time.
#[test]
fn masters_that_are_due_together_share_a_wake() {
    for (centis, apart, share) in [(100, 4, true), (100, 6, false), (10, 3, true), (10, 4, false)] {
        let spec = |vrid| RouterSpec { interval: Interval::from_centis(centis).unwrap(), ..router(vrid) };
        let (mut lab, _, [a]) = lan([150], &spec(1));
        lab.run(millis(apart));
        lab.reload(a, &plan([alone(150, spec(1)), alone(150, spec(2))]));
        lab.run(secs(10));
        let [first, second] = ["r1", "r2"].map(|name| lab.status(a, name).master.unwrap().heard);
        assert_eq!(first == second, share, "{centis} cs, {apart} ms apart");
    }
}

fn site(raw: u8) -> Plan {
    plan([group("site", raw, [router(1), on(1, router(2))])])
}

#[test]
fn a_sync_group_moves_as_one_over_two_links() {
    let (mut lab, _, [a, b]) = two_lans_with([site(150), site(100)]);
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
    let mark = lab.mark();
    lab.set_link(a, &eth(1), false);
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![b], vec![b]));
    assert_eq!((lab.holders("r1"), lab.holders("r2")), (vec![b], vec![b]));
    let changes = lab.changes_since(mark);
    assert!(changes.contains(&(a, "r1".into(), Role::Backup, Why::HeldByGroup)), "{changes:?}");
    assert!(changes.contains(&(a, "r2".into(), Role::Fault, Why::Unfit)), "{changes:?}");
    // X10: and recovers as one.
    lab.set_link(a, &eth(1), true);
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
}

#[test]
fn a_member_that_claims_names_who_holds_its_group_back() {
    let (mut lab, _, [a]) = two_lans_with([site(150)]);
    lab.set_link(a, &eth(1), false);
    lab.run(secs(10));
    assert_eq!(lab.status(a, "r1").blocked_by.as_deref(), Some("r2"));
    let mark = lab.mark();
    lab.set_link(a, &eth(1), true);
    lab.run(secs(10));
    let whys: Vec<Why> = lab.changes_since(mark).into_iter().filter(|c| c.2 == Role::Master).map(|c| c.3).collect();
    assert_eq!(whys, [Why::MasterSilent; 2]);
}

/// X1, X2: what was believed of the other Master is set right as soon as there is only one again.
#[test]
fn after_a_one_way_partition_there_is_one_master_and_it_announces_itself_again() {
    let (mut lab, lan, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.cut(lan, a, b);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a, b], "b does not hear a");
    let mark = lab.mark();
    let garps = lab.status(a, "r1").counters.gratuitous_arp_sent;
    lab.heal();
    lab.run(secs(1) + TRIP);
    assert_eq!(lab.masters("r1"), [a], "within one interval");
    lab.run(secs(10));
    let reasserted = lab.records_since(mark).iter().any(|(node, record)| {
        matches!(record.cause, Cause::Reasserted { other, lasted, .. }
            if *node == a && Some(other) == lab.address(b, lan, Family::Ipv4) && lasted > secs(4))
    });
    assert!(reasserted, "{:?}", lab.records_since(mark));
    assert!(lab.status(a, "r1").counters.gratuitous_arp_sent >= garps + 5);
}

#[test]
fn a_full_partition_gives_each_side_a_master_and_heals() {
    let (mut lab, lan, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.partition(lan, a, b);
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a, b]);
    lab.heal();
    lab.run(secs(1) + TRIP);
    assert_eq!(lab.masters("r1"), [a]);
}

/// X3: it reports its own stall, and does not speak as Master before it has listened.
#[test]
fn a_master_that_was_frozen_listens_before_it_speaks() {
    for plans in [[150, 100].map(|raw| plan([alone(raw, router(1)), alone(raw, router(2))])), [site(150), site(100)]] {
        let (mut lab, _, [a, b]) = two_lans_with(plans);
        lab.run(secs(10));
        lab.freeze(a);
        lab.run(secs(10));
        assert_eq!(lab.masters("r1"), [a, b], "it cannot know yet");
        let mark = lab.mark();
        let sent = ["r1", "r2"].map(|name| lab.status(a, name).counters.advertisements_sent);
        lab.thaw(a);
        lab.run(TRIP);
        assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![b], vec![b]));
        let now = ["r1", "r2"].map(|name| lab.status(a, name).counters.advertisements_sent);
        assert_eq!(now, sent, "no stale advert");
        let stalls = lab
            .records_since(mark)
            .iter()
            .filter(|(node, record)| *node == a && matches!(record.cause, Cause::Stalled { by } if by > secs(8)));
        assert_eq!(stalls.count(), 1, "said once for all routers");
        lab.run(secs(10));
        assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
    }
}

/// Read before tick: the adverts that waited in the socket come before the timer that expired meanwhile.
#[test]
fn a_backup_that_was_frozen_does_not_take_over() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    let mark = lab.mark();
    lab.freeze(b);
    lab.run(secs(10));
    lab.thaw(b);
    lab.run(secs(10));
    assert_eq!(lab.changes_since(mark), []);
    assert_eq!(lab.masters("r1"), [a]);
}

#[test]
fn a_lone_master_that_was_frozen_resumes_without_letting_go() {
    let (mut lab, _, [a]) = lan([150], &router(1));
    lab.run(secs(10));
    lab.freeze(a);
    lab.run(secs(30));
    let mark = lab.mark();
    lab.thaw(a);
    assert_eq!(lab.holders("r1"), [a]);
    lab.run(secs(1));
    assert_eq!(lab.masters("r1"), [a]);
    let changes: Vec<_> = lab.changes_since(mark).into_iter().map(|(_, _, to, why)| (to, why)).collect();
    assert_eq!(changes, [(Role::Backup, Why::Stalled), (Role::Master, Why::NobodyTookOver)]);
}

#[test]
fn drained_hosts_hand_over_and_stay_backup_until_undrained() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    let mark = lab.mark();
    lab.command(a, drain(Some("r1"), None, false));
    lab.run(secs(60));
    assert_eq!(lab.masters("r1"), [b]);
    assert_eq!(lab.changes_since(mark)[0], (a, "r1".into(), Role::Backup, Why::Drained));
    within(lab.moment_of(mark, b, Role::Master) - (Timestamp::ZERO + secs(10)), skew(100), skew(100) + TRIP);
    let mark = lab.mark();
    lab.command(a, Command::Undrain { router: None, by: "root".into() });
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [a]);
    assert!(lab.changes_since(mark).contains(&(a, "r1".into(), Role::Master, Why::PreemptsLower)));
}

#[test]
fn a_host_drained_by_force_lets_go_where_nobody_takes_over() {
    let (mut lab, _, [a]) = lan([150], &router(1));
    lab.run(secs(10));
    lab.command(a, drain(None, None, true));
    lab.run(secs(3));
    assert_eq!(lab.holders("r1"), [a]);
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![], vec![]));
}

/// Backups are silent: that nobody is there shows only when nobody takes over.
#[test]
fn where_nobody_takes_over_a_drain_is_withdrawn_and_the_addresses_never_leave() {
    let (mut lab, _, [a]) = two_lans_with([site(150)]);
    lab.run(secs(10));
    let mark = lab.mark();
    lab.command(a, drain(Some("r2"), None, false));
    lab.run(secs(1));
    assert!(lab.status(a, "r1").drain.is_some_and(|drain| drain.handing_over), "the group is drained as a whole");
    for _ in 0..100 {
        lab.run(millis(100));
        assert_eq!((lab.holders("r1"), lab.holders("r2")), (vec![a], vec![a]));
    }
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
    assert_eq!(lab.status(a, "r1").drain, None);
    let whys: Vec<Why> = lab.changes_since(mark).into_iter().map(|(.., why)| why).collect();
    assert_eq!(whys, [Why::Drained, Why::Drained, Why::NobodyTookOver, Why::NobodyTookOver]);
}

#[test]
fn a_drain_holds_once_somebody_took_over_even_if_they_go_later() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.command(a, drain(None, None, false));
    lab.run(secs(5));
    let drained = lab.status(a, "r1").drain.unwrap();
    assert!(!drained.handing_over && &*drained.by == "root", "{drained:?}");
    lab.crash(b);
    lab.run(secs(60));
    assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![], vec![]));
}

#[test]
fn two_hosts_cannot_both_be_drained_without_force() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.command(a, drain(None, None, false));
    lab.run(secs(10));
    lab.command(b, drain(None, None, false));
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.status(b, "r1").drain), (vec![b], None));
}

#[test]
fn a_drain_of_limited_time_ends_by_itself() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.command(a, drain(None, Some(secs(1800)), false));
    lab.run(secs(600));
    lab.reload(a, &plan([alone(200, router(1))]));
    lab.run(secs(1190));
    assert_eq!(lab.masters("r1"), [b]);
    let mark = lab.mark();
    lab.run(secs(20));
    assert_eq!((lab.masters("r1"), lab.status(a, "r1").drain), (vec![a], None));
    let ended =
        lab.records_since(mark).iter().find(|(_, record)| matches!(record.cause, Cause::Drain { on: false, .. }));
    assert_eq!(ended.expect("it is said").1.at.since_origin(), secs(1810));
}

#[test]
fn draining_again_changes_the_time_and_undraining_ends_a_hand_over() {
    let (mut lab, _, [a]) = lan([150], &router(1));
    lab.run(secs(10));
    lab.command(a, drain(None, Some(secs(5)), true));
    lab.run(secs(1));
    lab.command(a, drain(None, Some(secs(100)), true));
    lab.run(secs(50));
    assert!(lab.status(a, "r1").drain.is_some());
    assert_eq!(lab.holders("r1"), []);
    lab.command(a, Command::Undrain { router: None, by: "root".into() });
    lab.run(secs(5));
    assert_eq!(lab.masters("r1"), [a]);
    lab.command(a, drain(None, None, false));
    lab.run(secs(1));
    lab.command(a, Command::Undrain { router: None, by: "root".into() });
    lab.run(secs(5));
    assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![a], vec![a]));
}

#[test]
fn warnings_are_in_force_while_their_cause_lasts() {
    let (mut lab, _, [a, b]) = lan([100, 100], &router(1));
    lab.run(secs(20));
    let backup = if lab.masters("r1") == [a] { b } else { a };
    let names = |lab: &Lab| lab.status(backup, "r1").warnings.iter().map(|one| one.name).collect::<Vec<_>>();
    assert_eq!(names(&lab), ["equal_priority"]);
    assert!(lab.status(backup, "r1").warnings[0].since.since_origin() < secs(10), "since the first of them");
    lab.reload(backup, &plan([alone(90, router(1))]));
    lab.run(secs(11));
    assert_eq!(names(&lab), Vec::<&str>::new());
}

#[test]
fn a_split_brain_is_in_force_until_one_side_gives_in() {
    let (mut lab, segment, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    // What b sends arrives at a, but not the other way round.
    lab.cut(segment, a, b);
    lab.run(secs(10));
    let warnings = lab.status(a, "r1").warnings;
    assert_eq!(warnings.iter().map(|one| one.name).collect::<Vec<_>>(), ["split_brain"]);
    assert_eq!(lab.masters("r1"), [a, b]);
    lab.heal();
    lab.run(secs(5));
    assert_eq!(lab.status(a, "r1").warnings, []);
}

/// X9
#[test]
fn an_interface_that_is_deleted_and_made_anew_needs_nobody() {
    let (mut lab, _, [a, b]) = two_lans_with([site(150), site(100)]);
    lab.run(secs(10));
    lab.set_present(a, &eth(0), false);
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![b], vec![b]));
    assert_eq!(lab.status(a, "r1").unfit, Some(Unfit::InterfaceMissing));
    lab.set_present(a, &eth(0), true);
    lab.run(secs(10));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
}

/// X23, PR-08
#[test]
fn equal_priorities_do_not_move_for_an_hour() {
    let (mut lab, _, [_, b]) = lan([100, 100], &router(1));
    lab.run(secs(10));
    assert_eq!(lab.masters("r1"), [b], "both claimed; the higher address won");
    let mark = lab.mark();
    lab.run(secs(3_600));
    assert_eq!(lab.changes_since(mark), []);
}

#[test]
fn equal_groups_with_crossed_addresses_settle() {
    // On eth1 the first host has the higher address: its interface is the later one of its pair there.
    for seed in 0..100 {
        let mut lab = Lab::new(seed);
        let lans = [0, 1].map(|_| lab.add_segment(vrrpd::sim::Quality::GOOD));
        let cross = |raw| plan([group("site", raw, [router(1), on(1, router(2))])]);
        let a = lab.add_node("a", cross(100), &[(eth(0), lans[0]), (eth(1), lans[1])]);
        let b = lab.add_node("b", cross(100), &[(eth(0), lans[0]), (eth(1), lans[1])]);
        lab.swap_addresses(a, b, &eth(1));
        lab.run(secs(30));
        let masters = lab.masters("r1");
        assert_eq!(masters.len(), 1, "seed {seed}");
        assert_eq!(lab.masters("r2"), masters, "seed {seed}");
        let mark = lab.mark();
        lab.run(secs(60));
        assert_eq!(lab.changes_since(mark), [], "seed {seed}");
    }
}

#[test]
fn a_startup_delay_keeps_everything_out_of_the_election() {
    let slow = Plan { startup_delay: secs(20), ..plan([alone(255, router(1))]) };
    let (mut lab, _, [a, b]) = lan_with([slow, plan([alone(100, router(1))])]);
    lab.run(secs(19));
    assert_eq!((lab.masters("r1"), lab.role(a, "r1")), (vec![b], Role::Initialize));
    lab.run(millis(1_001));
    assert_eq!(lab.masters("r1"), [a], "PR-03: the owner does not wait");
}

#[test]
fn an_isolated_host_stays_backup_where_promotion_needs_the_gateway() {
    let careful = |raw| {
        let mut plan = tracking(plan([alone(raw, router(1))]), "gateway", Some(0));
        plan.groups[0].candidacy.promote_only_with.push("gateway".into());
        plan
    };
    let (mut lab, lan, [a, b]) = lan_with([careful(150), careful(100)]);
    lab.run(secs(10));
    lab.partition(lan, a, b);
    lab.set_health(b, "gateway", Outcome::Failed);
    lab.run(secs(30));
    assert_eq!(lab.masters("r1"), [a]);
    assert_eq!(lab.status(b, "r1").waits_for, [Arc::from("gateway")]);
    lab.set_health(b, "gateway", Outcome::Passed);
    lab.run(secs(3));
    assert_eq!(lab.masters("r1"), [a, b], "it has been waiting to");
    lab.set_health(b, "gateway", Outcome::Failed);
    lab.run(secs(30));
    assert_eq!(lab.masters("r1"), [a, b], "who is Master already stays");
}

/// AC-12, BK-12: a Backup times out by the Master's interval, and as Master it sends by its own.
#[test]
fn hosts_with_different_intervals_still_fail_over() {
    let every =
        |raw, centis| plan([alone(raw, RouterSpec { interval: Interval::from_centis(centis).unwrap(), ..router(1) })]);
    let (mut lab, _, [a, b]) = lan_with([every(150, 500), every(100, 10)]);
    lab.run(secs(60));
    assert_eq!(lab.masters("r1"), [a]);
    let mark = lab.mark();
    lab.run(secs(600));
    assert_eq!(lab.changes_since(mark), []);
    lab.crash(a);
    lab.run(secs(20));
    assert_eq!(lab.masters("r1"), [b]);
    let sent = lab.status(b, "r1").counters.advertisements_sent;
    lab.run(secs(10));
    assert_eq!(lab.status(b, "r1").counters.advertisements_sent - sent, 100);
}

#[test]
fn version_2_fails_over_too() {
    let spec = RouterSpec { version: Version::V2, interval: Interval::from_seconds(2).unwrap(), ..router(1) };
    let (mut lab, _, [a, b]) = lan([150, 100], &spec);
    lab.run(secs(20));
    assert_eq!(lab.masters("r1"), [a]);
    let last = lab.status(a, "r1").master.unwrap().heard;
    let mark = lab.mark();
    lab.crash(a);
    lab.run(secs(20));
    let theory = Duration::from_micros(6_609_375);
    within(lab.moment_of(mark, b, Role::Master) - last, theory, theory + TRIP);
}

#[test]
fn unicast_peers_fail_over_and_believe_nobody_else() {
    let peers = |raw, peer: &str| plan([alone(raw, RouterSpec { peers: [peer.parse().unwrap()].into(), ..router(1) })]);
    let (mut lab, _, [a, b, c]) =
        lan_with([peers(150, "10.0.0.2"), peers(100, "10.0.0.1"), plan([alone(200, router(1))])]);
    lab.run(secs(20));
    assert_eq!(lab.masters("r1"), [a, c], "c speaks to the group, which neither a nor b listens to");
    assert!(lab.status(a, "r1").counters.source_address_errors > 10);
    lab.crash(a);
    lab.run(secs(20));
    assert_eq!(lab.masters("r1"), [b, c]);
}

/// PR-07: of several Backups one takes over, and no other speaks.
#[test]
fn of_several_backups_exactly_one_speaks_up() {
    let (mut lab, _, [a, b, c, d]) = lan([150, 130, 110, 100], &router(1));
    lab.run(secs(10));
    lab.crash(a);
    lab.run(secs(20));
    assert_eq!(lab.masters("r1"), [b]);
    let silent: Vec<NodeId> =
        [c, d].into_iter().filter(|&node| lab.status(node, "r1").counters.advertisements_sent == 0).collect();
    assert_eq!(silent, [c, d]);
}

#[test]
fn an_address_that_somebody_removed_is_put_back_and_announced() {
    let (mut lab, _, [a]) = lan([150], &router(1));
    lab.run(secs(30));
    let counters = lab.status(a, "r1").counters;
    lab.lose_address(a, "r1", address("192.0.2.1"));
    let after = lab.status(a, "r1").counters;
    assert_eq!(after.addresses_restored, counters.addresses_restored + 1);
    assert_eq!(after.gratuitous_arp_sent, counters.gratuitous_arp_sent + 1);
    lab.run(secs(1));
    assert_eq!(lab.holders("r1"), [a]);
}

/// What a program on the host removes at once whenever it appears.
fn lose_until_fault(lab: &mut Lab, node: NodeId) -> u64 {
    let before = lab.status(node, "r1").counters.addresses_restored;
    while lab.role(node, "r1") == Role::Master {
        lab.lose_address(node, "r1", address("192.0.2.1"));
        lab.run(millis(50));
    }
    lab.status(node, "r1").counters.addresses_restored - before
}

#[test]
fn a_master_whose_address_is_removed_again_and_again_retreats_for_longer_each_time() {
    let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(30));
    for retreat in [10, 20, 40] {
        let (mark, began) = (lab.mark(), lab.now());
        assert_eq!(lose_until_fault(&mut lab, a), 5, "the sixth time within ten seconds is one too many");
        let status = lab.status(a, "r1");
        assert!(matches!(&status.unfit, Some(Unfit::Interference { by: None, .. })), "{:?}", status.unfit);
        lab.run(secs(2));
        assert_eq!((lab.masters("r1"), lab.holders("r1")), (vec![b], vec![b]));
        lab.run(secs(retreat + 10));
        assert_eq!(lab.masters("r1"), [a], "its time is up, and it preempts");
        within(lab.moment_of(mark, a, Role::Backup) - began, secs(retreat), secs(retreat) + millis(300));
    }
}

#[test]
fn an_operator_ends_a_retreat_by_a_reload_or_by_undrain() {
    type Way<'a> = &'a dyn Fn(&mut Lab, NodeId);
    let by_undrain = |lab: &mut Lab, node| {
        lab.command(node, Command::Undrain { router: Some("r1".into()), by: "root".into() });
        lab.run(millis(10));
    };
    let by_reload = |lab: &mut Lab, node| lab.reload(node, &plan([alone(150, router(1))]));
    let ways: [Way<'_>; 2] = [&by_undrain, &by_reload];
    for end in ways {
        let (mut lab, _, [a, b]) = lan([150, 100], &router(1));
        lab.run(secs(30));
        lose_until_fault(&mut lab, a);
        lab.run(secs(2));
        assert_eq!(lab.masters("r1"), [b]);
        end(&mut lab, a);
        assert_eq!(lab.role(a, "r1"), Role::Backup);
        lab.run(secs(5));
        assert_eq!(lab.masters("r1"), [a]);
    }
}

#[test]
fn a_group_retreats_as_a_whole() {
    let site = |raw| plan([group("site", raw, [router(1), router(2)])]);
    let (mut lab, _, [a, b]) = lan_with([site(150), site(100)]);
    lab.run(secs(30));
    lose_until_fault(&mut lab, a);
    lab.run(secs(2));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![b], vec![b]));
    lab.run(secs(20));
    assert_eq!((lab.masters("r1"), lab.masters("r2")), (vec![a], vec![a]));
}
