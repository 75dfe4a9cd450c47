//! Random worlds under random faults. Whatever happens the invariants hold; and when all is mended, each virtual
//! router has one Master, the one that it should have.
//!
//! `VRRPD_SIM_SEEDS=n` runs n seeds instead of 10,000; `VRRPD_SIM_SEED=n` replays seed n and shows its trace.

use super::lab::{Lab, alone, eth, group, millis, on, plan, priority, router, secs, tracking};
use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::{Command, GroupPlan, Outcome, Plan};
use vrrpd::ids::RouterKey;
use vrrpd::sim::{NodeId, Quality, Rng, SegmentId};
use vrrpd::units::{Family, Interval, Version};
use vrrpd::vrrp::{Preempt, RouterSpec};

const SEEDS: u64 = 10_000;

/// How many tests share the seeds, so that they run side by side.
const SHARES: u64 = 4;

#[test]
fn random_worlds_first_share() {
    run_share(0);
}

#[test]
fn random_worlds_second_share() {
    run_share(1);
}

#[test]
fn random_worlds_third_share() {
    run_share(2);
}

#[test]
fn random_worlds_fourth_share() {
    run_share(3);
}

#[test]
fn equal_seeds_give_equal_traces() {
    for seed in 0..20 {
        assert_eq!(run_seed(seed, false), run_seed(seed, false), "seed {seed}");
        assert_ne!(run_seed(seed, false), run_seed(seed + 1, false), "seed {seed}");
    }
}

fn run_share(share: u64) {
    if let Some(seed) = number("VRRPD_SIM_SEED") {
        if share == 0 {
            run_seed(seed, true);
        }
        return;
    }
    let seeds = number("VRRPD_SIM_SEEDS").unwrap_or(SEEDS);
    for seed in (0..seeds).filter(|seed| seed % SHARES == share) {
        run_seed(seed, false);
    }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|value| value.parse().expect("a number"))
}

/// One world, from chaos to calm. Returns its fingerprint.
fn run_seed(seed: u64, narrate: bool) -> u64 {
    let mut rng = Rng::new(seed ^ 0x5eed);
    let mut lab = Lab::new(seed);
    if narrate {
        lab.narrate();
    }
    let stage = Stage::build(&mut lab, &mut rng);
    for _ in 0..(5 + rng.below(15)) {
        stage.disturb(&mut lab, &mut rng);
        let pause = rng.span(millis(2_500));
        lab.run(pause);
    }
    stage.mend(&mut lab);
    while !lab.is_calm() {
        lab.run(secs(1));
    }
    lab.run(secs(10));
    stage.assert_settled(&lab, seed);
    lab.fingerprint()
}

/// What one seed builds.
struct Stage {
    lans: Vec<SegmentId>,
    nodes: Vec<NodeId>,
    names: Vec<Arc<str>>,
    /// The node that must be Master of everything in the end, where it is certain.
    heir: Option<NodeId>,
}

impl Stage {
    fn build(lab: &mut Lab, rng: &mut Rng) -> Self {
        let lans: Vec<SegmentId> = (0..2).map(|_| lab.add_segment(quality(rng))).collect();
        let interval = [100, 100, 50, 20][rng.index(4)];
        let preempt = match rng.below(6) {
            0 => Preempt::Never,
            1 => Preempt::After(millis(rng.below(5_000))),
            _ => Preempt::After(Duration::ZERO),
        };
        let equal = rng.chance(15);
        let shape = rng.below(5);
        let count = 2 + rng.index(3);
        let weight = [None, Some(-60), Some(-20), Some(30)][rng.index(4)];
        let mut priorities = vec![250, 150, 120, 100];
        let mut nodes = Vec::new();
        let mut names = Vec::new();
        let mut best = (0, NodeId(0));
        for index in 0..count {
            let raw = if equal { 100 } else { priorities.remove(rng.index(priorities.len())) };
            let groups = groups(shape, raw, interval, preempt);
            names = groups.iter().flat_map(|group| &group.members).map(|spec| Arc::clone(&spec.name)).collect();
            let plan = tracking(plan(groups), "service", weight);
            nodes.push(lab.add_node("host", plan, &[(eth(0), lans[0]), (eth(1), lans[1])]));
            best = best.max((raw, NodeId(index)));
        }
        let certain = !equal && preempt != Preempt::Never;
        Self { lans, nodes, names, heir: certain.then_some(best.1) }
    }

    fn disturb(&self, lab: &mut Lab, rng: &mut Rng) {
        let node = self.nodes[rng.index(self.nodes.len())];
        let other = self.nodes[rng.index(self.nodes.len())];
        let lan = self.lans[rng.index(self.lans.len())];
        let interface = eth(u8::from(rng.chance(50)));
        let by = Arc::from("random");
        match rng.below(20) {
            0 => lab.crash(node),
            1 => lab.stop(node),
            2 | 3 => lab.start(node),
            4 => lab.freeze(node),
            5 | 6 => lab.thaw(node),
            7 if node != other => lab.cut(lan, node, other),
            8 if node != other => lab.partition(lan, node, other),
            9 => lab.heal(),
            10 => lab.set_link(node, &interface, false),
            11 => lab.set_link(node, &interface, true),
            12 => lab.set_present(node, &interface, rng.chance(50)),
            13 => lab.set_health(node, "service", Outcome::Failed),
            14 => lab.set_health(node, "service", Outcome::Passed),
            15 => lab.command(node, drain(by, rng)),
            16 => lab.command(node, Command::Undrain { router: None, by }),
            17 => lab.set_quality(lan, quality(rng)),
            18 if lab.is_awake(node) => {
                let plan = amended(lab.plan(node).expect("a known node"), rng);
                lab.reload(node, &plan);
            }
            _ => {}
        }
    }

    fn mend(&self, lab: &mut Lab) {
        for &lan in &self.lans {
            lab.set_quality(lan, Quality::GOOD);
        }
        lab.heal();
        for &node in &self.nodes {
            lab.thaw(node);
            lab.start(node);
            for interface in [eth(0), eth(1)] {
                lab.set_present(node, &interface, true);
                lab.set_link(node, &interface, true);
            }
            lab.set_health(node, "service", Outcome::Passed);
            lab.command(node, Command::Undrain { router: None, by: "random".into() });
        }
    }

    fn assert_settled(&self, lab: &Lab, seed: u64) {
        for name in &self.names {
            let masters = lab.masters(name);
            assert_eq!(masters.len(), 1, "seed {seed}: {name} has {masters:?}");
            assert_eq!(lab.holders(name), masters, "seed {seed}: {name}");
            if let Some(heir) = self.heir {
                assert_eq!(masters, [heir], "seed {seed}: {name}");
            }
        }
    }
}

/// The shapes of plans: one router, two, a group over two segments, a group of both families, VRRPv2.
fn groups(shape: u64, raw: u8, centis: u16, preempt: Preempt) -> Vec<GroupPlan> {
    let interval = Interval::from_centis(centis).unwrap();
    let spec = |vrid| RouterSpec { interval, preempt, ..router(vrid) };
    match shape {
        0 => vec![alone(raw, spec(1))],
        1 => vec![alone(raw, spec(1)), alone(raw, on(1, spec(2)))],
        2 => vec![group("site", raw, [spec(1), on(1, spec(2))])],
        3 => vec![group("both", raw, [spec(1), v6(spec(1))])],
        _ => vec![alone(raw, RouterSpec { version: Version::V2, interval: Interval::DEFAULT, ..spec(1) })],
    }
}

fn v6(spec: RouterSpec) -> RouterSpec {
    RouterSpec {
        name: format!("{}v6", spec.name).into(),
        key: RouterKey { family: Family::Ipv6, ..spec.key.clone() },
        addresses: ["fe80::1:1", "2001:db8::1"].map(super::lab::address).into(),
        ..spec
    }
}

/// A plan with another address, and sometimes another announcement: what a reload may change without an election.
fn amended(plan: &Plan, rng: &mut Rng) -> Plan {
    let mut plan = plan.clone();
    for group in &mut plan.groups {
        for member in &mut group.members {
            let mut spec = (**member).clone();
            if rng.chance(50) {
                let extra = super::lab::address(&format!("198.51.100.{}", rng.below(5)));
                spec.excluded = if rng.chance(50) { [extra].into() } else { [].into() };
            }
            spec.announcing.repeat = 1 + u8::try_from(rng.below(5)).unwrap();
            *member = spec.into();
        }
        if rng.chance(20) && group.candidacy.priority > priority(100) {
            group.candidacy.track.reverse();
        }
    }
    plan
}

fn quality(rng: &mut Rng) -> Quality {
    if rng.chance(40) {
        return Quality::GOOD;
    }
    let up_to = |rng: &mut Rng, bound| u8::try_from(rng.below(bound)).unwrap();
    Quality {
        loss: up_to(rng, 50),
        duplication: up_to(rng, 30),
        corruption: up_to(rng, 20),
        delay: rng.span(millis(20)),
        jitter: rng.span(millis(300)) + Duration::from_micros(1),
    }
}

fn drain(by: Arc<str>, rng: &mut Rng) -> Command {
    let until = rng.chance(50).then(|| secs(rng.below(20)));
    Command::Drain { router: None, by, until, force: rng.chance(50) }
}
