//! Short words for building worlds and asking about them.

pub(crate) use crate::router::ordinary as router;
use std::net::IpAddr;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::{Attachment, Candidacy, Check, GroupPlan, Plan, RouterStatus, TrackerSpec, Weight};
use vrrpd::ids::{InterfaceName, RouterKey};
use vrrpd::sim::{NodeId, Quality, SegmentId, World};
use vrrpd::time::Timestamp;
use vrrpd::units::{Priority, VirtualAddress};
use vrrpd::vrrp::{Cause, Record, Role, RouterSpec, Subject, Why};

pub(crate) fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(crate) fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

pub(crate) fn eth(number: u8) -> InterfaceName {
    InterfaceName::new(&format!("eth{number}")).unwrap()
}

pub(crate) fn priority(raw: u8) -> Priority {
    Priority::new(raw).unwrap()
}

pub(crate) fn address(raw: &str) -> VirtualAddress {
    VirtualAddress::host(raw.parse().unwrap())
}

pub(crate) fn on(interface: u8, spec: RouterSpec) -> RouterSpec {
    RouterSpec { key: RouterKey { interface: eth(interface), ..spec.key.clone() }, ..spec }
}

/// A router alone.
pub(crate) fn alone(raw_priority: u8, spec: RouterSpec) -> GroupPlan {
    GroupPlan { name: None, candidacy: stands_with(raw_priority), members: vec![Arc::new(spec)] }
}

pub(crate) fn group(name: &str, raw_priority: u8, members: impl IntoIterator<Item = RouterSpec>) -> GroupPlan {
    GroupPlan {
        name: Some(name.into()),
        candidacy: stands_with(raw_priority),
        members: members.into_iter().map(Arc::new).collect(),
    }
}

fn stands_with(raw: u8) -> Candidacy {
    Candidacy { priority: priority(raw), track: Vec::new(), promote_only_with: Vec::new() }
}

pub(crate) fn plan(groups: impl IntoIterator<Item = GroupPlan>) -> Plan {
    Plan { groups: groups.into_iter().collect(), ..Plan::default() }
}

/// A polled track: every second, two failures turn it down, two successes bring it back.
pub(crate) fn check(name: &str) -> TrackerSpec {
    TrackerSpec {
        name: name.into(),
        check: Check::Ping(IpAddr::from([192, 0, 2, 254])),
        interval: secs(1),
        timeout: secs(1),
        rise: 2,
        fall: 2,
        assume: None,
    }
}

/// The plan with every group tracking `name` by this weight; `None` is required.
pub(crate) fn tracking(mut plan: Plan, name: &str, by: Option<i16>) -> Plan {
    let weight = by.map_or(Weight::Required { reverse: false }, |by| Weight::Adjust { by, reverse: false });
    for group in &mut plan.groups {
        group.candidacy.track.push(Attachment { track: name.into(), weight });
    }
    plan.trackers.push(Arc::new(check(name)));
    plan
}

/// A world that panics where an invariant does not hold.
pub(crate) struct Lab(World);

impl Lab {
    pub(crate) fn new(seed: u64) -> Self {
        Self(World::new(seed))
    }

    pub(crate) fn run(&mut self, span: Duration) {
        if let Err(violation) = self.0.run(span) {
            panic!("{violation}\nreplay it with VRRPD_SIM_SEED={}", violation.seed);
        }
    }

    pub(crate) fn status(&self, node: NodeId, name: &str) -> RouterStatus {
        let snapshot = self.snapshot(node).expect("the node runs");
        snapshot.routers.into_iter().find(|router| &*router.name == name).expect("the router is there")
    }

    pub(crate) fn role(&self, node: NodeId, name: &str) -> Role {
        self.status(node, name).role
    }

    /// Who is Master of the router of this name.
    pub(crate) fn masters(&self, name: &str) -> Vec<NodeId> {
        let briefs = |node: &NodeId| {
            self.engine(*node).is_some_and(|engine| {
                engine.briefs().any(|brief| &*brief.spec.name == name && brief.role == Role::Master)
            })
        };
        self.node_ids().filter(briefs).collect()
    }

    /// Who holds the addresses of the router of this name.
    pub(crate) fn holders(&self, name: &str) -> Vec<NodeId> {
        let briefs = |node: &NodeId| {
            self.engine(*node)
                .is_some_and(|engine| engine.briefs().any(|brief| &*brief.spec.name == name && brief.holding))
        };
        self.node_ids().filter(briefs).collect()
    }

    /// How many records there are by now: where "since" begins.
    pub(crate) fn mark(&self) -> usize {
        self.records().len()
    }

    pub(crate) fn records_since(&self, mark: usize) -> &[(NodeId, Arc<Record>)] {
        &self.records()[mark..]
    }

    /// Every change of state since `mark`: who, the router, to what, why.
    pub(crate) fn changes_since(&self, mark: usize) -> Vec<(NodeId, String, Role, Why)> {
        let change = |(node, record): &(NodeId, Arc<Record>)| match (&record.subject, &record.cause) {
            (Subject::Router { name, .. }, &Cause::Transition { to, why, .. }) => {
                Some((*node, name.to_string(), to, why))
            }
            _ => None,
        };
        self.records_since(mark).iter().filter_map(change).collect()
    }

    /// The moment of the first change of `node` to `role` since `mark`.
    pub(crate) fn moment_of(&self, mark: usize, node: NodeId, role: Role) -> Timestamp {
        let is_it = |record: &Record| matches!(record.cause, Cause::Transition { to, .. } if to == role);
        let found = self.records_since(mark).iter().find(|(who, record)| *who == node && is_it(record));
        found.expect("such a change").1.at
    }
}

impl Deref for Lab {
    type Target = World;

    fn deref(&self) -> &World {
        &self.0
    }
}

impl DerefMut for Lab {
    fn deref_mut(&mut self) -> &mut World {
        &mut self.0
    }
}

/// Hosts on one segment, each with the same router at its own priority.
pub(crate) fn lan<const N: usize>(priorities: [u8; N], spec: &RouterSpec) -> (Lab, SegmentId, [NodeId; N]) {
    lan_with(priorities.map(|priority| plan([alone(priority, spec.clone())])))
}

/// Hosts on one segment with these plans.
pub(crate) fn lan_with<const N: usize>(plans: [Plan; N]) -> (Lab, SegmentId, [NodeId; N]) {
    let mut lab = Lab::new(1);
    let lan = lab.add_segment(Quality::GOOD);
    let nodes = plans.map(|plan| lab.add_node("host", plan, &[(eth(0), lan)]));
    (lab, lan, nodes)
}

/// Hosts on two segments with these plans.
pub(crate) fn two_lans_with<const N: usize>(plans: [Plan; N]) -> (Lab, [SegmentId; 2], [NodeId; N]) {
    let mut lab = Lab::new(1);
    let lans = [lab.add_segment(Quality::GOOD), lab.add_segment(Quality::GOOD)];
    let nodes = plans.map(|plan| lab.add_node("host", plan, &[(eth(0), lans[0]), (eth(1), lans[1])]));
    (lab, lans, nodes)
}
