//! The state of everything, read off for operators.

use super::snapshot::{
    AttachedStatus, GroupStatus, InterfaceStatus, MasterStatus, RouterBrief, RouterStatus, Snapshot, TrackerStatus,
};
use super::{Engine, Group, Slot, Weight};
use crate::ids::{InterfaceName, TrackerId};
use crate::time::Timestamp;
use crate::track::TrackerSpec;
use crate::vrrp::{Fitness, Role, Verdict};
use std::collections::BTreeSet;
use std::sync::Arc;

impl Engine {
    /// Everything at one moment.
    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let now = now.max(self.now);
        let members = self.groups.iter().flat_map(|group| group.members.iter().map(move |&id| (group, id)));
        Snapshot {
            at: now,
            routers: members.map(|(group, id)| self.router_status(group, self.slot(id), now)).collect(),
            groups: self.groups.iter().filter_map(|group| self.group_status(group)).collect(),
            trackers: self.tracker_statuses(),
            interfaces: self.interface_statuses(),
        }
    }

    /// The tracks of the plan with their handles.
    #[must_use]
    pub fn trackers(&self) -> Vec<(TrackerId, Arc<TrackerSpec>)> {
        self.trackers.iter().flatten().map(|tracker| (tracker.id, Arc::clone(&tracker.spec))).collect()
    }

    /// Every router in brief, group by group. Costs nothing to speak of.
    pub fn briefs(&self) -> impl Iterator<Item = RouterBrief<'_>> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        members.map(|&router| {
            let Slot { router: state, group, .. } = self.slot(router);
            let (role, _, why) = state.standing_since();
            let (holding, able) = (state.is_holding(), state.is_promotable());
            RouterBrief { router, group: *group, spec: state.spec(), role, why, holding, able }
        })
    }

    fn router_status(&self, group: &Group, slot: &Slot, now: Timestamp) -> RouterStatus {
        let router = &slot.router;
        let spec = router.spec();
        let (role, since, why) = router.standing_since();
        RouterStatus {
            name: Arc::clone(&spec.name),
            key: spec.key.clone(),
            version: spec.version,
            role,
            since,
            why,
            unfit: match router.fitness() {
                Fitness::Unfit(unfit) => Some(unfit.clone()),
                Fitness::Fit { .. } => None,
            },
            base_priority: group.candidacy.priority,
            priority: router.priority().unwrap_or(group.effective),
            interval: spec.interval,
            master_interval: router.master_interval(),
            master: Self::master_status(slot),
            deadline: router.next_deadline(),
            addresses: Arc::clone(&spec.addresses),
            held: if router.is_holding() { spec.held().collect() } else { Vec::new() },
            mac: spec.mac,
            group: group.name.clone(),
            blocked_by: self.blocker(group, slot),
            drain: group.drain.clone(),
            preempt: spec.preempt,
            evidence: router.evidence().clone(),
            warnings: self.warnings_in_force(slot, now),
            waits_for: self.awaited_by(group),
            tracks: self.attached_statuses(group),
            counters: router.counters,
        }
    }

    fn master_status(slot: &Slot) -> Option<MasterStatus> {
        let router = &slot.router;
        match (router.last_advert(), router.source(), router.heard()) {
            (Some(heard), Some(address), _) => Some(MasterStatus { address, priority: router.priority(), heard }),
            (_, _, Some(heard)) => {
                Some(MasterStatus { address: heard.from, priority: heard.priority, heard: heard.at })
            }
            _ => None,
        }
    }

    /// The member that keeps a claiming router from becoming Master.
    fn blocker(&self, group: &Group, slot: &Slot) -> Option<Arc<str>> {
        if slot.router.verdict() < Verdict::Claim || slot.router.role() == Role::Master {
            return None;
        }
        let members = group.members.iter().map(|&id| &self.slot(id).router);
        let least = members.min_by_key(|router| router.verdict())?;
        (least.verdict() < Verdict::Claim).then(|| Arc::clone(&least.spec().name))
    }

    fn attached_statuses(&self, group: &Group) -> Vec<AttachedStatus> {
        let attached = group.attached.iter().filter_map(|&(id, weight)| {
            let tracker = self.tracker(id)?;
            Some(AttachedStatus {
                name: Arc::clone(&tracker.spec.name),
                healthy: tracker.health.is_healthy(),
                weight: match weight {
                    Weight::Required { .. } => None,
                    Weight::Adjust { by, .. } => Some(by),
                },
                contribution: tracker.contribution(weight).unwrap_or(0),
            })
        });
        attached.collect()
    }

    fn group_status(&self, group: &Group) -> Option<GroupStatus> {
        let name = group.name.clone()?;
        let members = || group.members.iter().map(|&id| &self.slot(id).router);
        let least = members().min_by_key(|router| router.verdict())?;
        let blocked = least.verdict() < Verdict::Claim && members().any(|router| router.verdict() == Verdict::Claim);
        Some(GroupStatus {
            name,
            members: members().map(|router| Arc::clone(&router.spec().name)).collect(),
            role: least.role(),
            priority: group.effective,
            blocked_by: blocked.then(|| Arc::clone(&least.spec().name)),
        })
    }

    fn tracker_statuses(&self) -> Vec<TrackerStatus> {
        let mut statuses: Vec<TrackerStatus> = self
            .trackers
            .iter()
            .flatten()
            .map(|tracker| TrackerStatus {
                name: Arc::clone(&tracker.spec.name),
                kind: tracker.spec.check.kind(),
                healthy: tracker.health.is_healthy(),
                since: tracker.since,
                last_result: Arc::clone(&tracker.last_result),
                runs: tracker.runs,
                failures: tracker.failures,
                last_duration: tracker.last_duration,
            })
            .collect();
        statuses.sort_by(|a, b| a.name.cmp(&b.name));
        statuses
    }

    fn interface_statuses(&self) -> Vec<InterfaceStatus> {
        let names: BTreeSet<&InterfaceName> =
            self.slots.iter().flatten().map(|slot| &slot.router.spec().key.interface).collect();
        let status = |name: &InterfaceName| InterfaceStatus {
            name: name.clone(),
            up: self.links.facts(name).is_some_and(|facts| facts.up),
            counters: self.links.counters_of(name),
            counters_estimated: self.links.is_filtered(name),
        };
        names.into_iter().map(status).collect()
    }
}
