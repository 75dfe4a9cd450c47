//! A new plan takes the place of the running one: what stays the same is not touched, what changed is amended in
//! place, and every group settles once.

use super::flaps::Flaps;
use super::tracker::Tracker;
use super::{Drain, Engine, Group, GroupPlan, Phase, Plan, Slot, Weight};
use crate::ids::{GroupId, RouterId, RouterKey, TrackerId};
use crate::time::Timestamp;
use crate::track::{Check, TrackerSpec};
use crate::vrrp::{Action, Cause, Effects, Fitness, Router, RouterSpec, Subject, Unfit, Why};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How a plan came to be taken over.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Provenance {
    /// Who asked for it; nobody at the start.
    pub by: Option<Arc<str>>,
    /// What is different, in words; nothing at the start.
    pub changes: Vec<String>,
}

impl Engine {
    /// Takes over `plan`. `provenance` says for the history who asked and what is different.
    pub fn reconfigure(&mut self, plan: &Plan, provenance: Provenance, now: Timestamp, actions: &mut Vec<Action>) {
        self.with_effects(now, actions, |engine, out| {
            if engine.generation == 0 && !plan.startup_delay.is_zero() {
                engine.phase = Phase::Delayed { until: out.now() + plan.startup_delay };
                engine.arm_startup();
            }
            engine.generation += 1;
            let generation = engine.generation;
            let Provenance { by, changes } = provenance;
            out.record(Subject::Daemon, Cause::Configured { generation, by, changes: changes.into() });
            engine.take_over(plan, out);
        });
    }

    /// How many plans have been taken over.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.generation
    }

    fn take_over(&mut self, plan: &Plan, out: &mut Effects<'_>) {
        let new_trackers = self.take_trackers(&plan.trackers, out.now());
        let mut before = self.routers_by_key();
        let drains = self.drains_by_name();
        let old_groups = std::mem::take(&mut self.groups);
        self.links.forget_needs();
        let mut moved = Vec::new();
        for (index, group) in plan.groups.iter().enumerate() {
            let id = GroupId(u32::try_from(index).expect("fewer than 2^32 groups"));
            let members =
                group.members.iter().map(|spec| self.take_router(spec, group, id, &mut before, &mut moved, out));
            let members: Vec<RouterId> = members.collect();
            self.take_group(group, members, &drains);
        }
        self.retire(before.into_values().chain(moved), out);
        drop(old_groups);
        self.links.refit_ports(out);
        for id in new_trackers {
            if let Some(Check::Interface(name)) = self.tracker(id).map(|tracker| tracker.spec.check.clone()) {
                self.report_interface(id, &name, out);
            }
        }
        for slot in self.slots.iter_mut().flatten() {
            slot.router.forgive_interference();
        }
        self.arm_all_trackers();
        self.arm_drain_over();
        self.refit_all(out);
    }

    /// Keeps what is known of tracks that still look at the same thing; returns the new ones.
    fn take_trackers(&mut self, specs: &[Arc<TrackerSpec>], now: Timestamp) -> Vec<TrackerId> {
        let mut known: BTreeMap<Arc<str>, TrackerId> =
            self.trackers.iter().flatten().map(|tracker| (Arc::clone(&tracker.spec.name), tracker.id)).collect();
        let mut new = Vec::new();
        for spec in specs {
            let kept = known.remove(&spec.name).and_then(|id| self.trackers.get_mut(id.0 as usize)?.as_mut());
            match kept {
                Some(tracker) if tracker.spec.check == spec.check => {
                    tracker.amend(Arc::clone(spec));
                    tracker.attached.clear();
                }
                Some(tracker) => {
                    *tracker = Tracker::new(tracker.id, Arc::clone(spec), now);
                    new.push(tracker.id);
                }
                None => {
                    let id = TrackerId(u32::try_from(self.trackers.len()).expect("fewer than 2^32 tracks"));
                    self.trackers.push(Some(Tracker::new(id, Arc::clone(spec), now)));
                    new.push(id);
                }
            }
        }
        for gone in known.into_values() {
            self.trackers[gone.0 as usize] = None;
        }
        new
    }

    fn routers_by_key(&self) -> BTreeMap<RouterKey, RouterId> {
        let ids = (0..).map(RouterId).zip(&self.slots);
        ids.filter_map(|(id, slot)| Some((slot.as_ref()?.router.spec().key.clone(), id))).collect()
    }

    /// The drains in force, and those of an earlier run.
    fn drains_by_name(&mut self) -> BTreeMap<Arc<str>, Drain> {
        let mut drains = std::mem::take(&mut self.restored);
        for group in &self.groups {
            let Some(drain) = &group.drain else { continue };
            for &id in &group.members {
                drains.insert(Arc::clone(&self.slot(id).router.spec().name), drain.clone());
            }
        }
        drains
    }

    /// The router of this identity, amended, or a new one. A change of version is a new one: nothing learned holds.
    fn take_router(
        &mut self,
        spec: &Arc<RouterSpec>,
        group: &GroupPlan,
        group_id: GroupId,
        before: &mut BTreeMap<RouterKey, RouterId>,
        moved: &mut Vec<RouterId>,
        out: &mut Effects<'_>,
    ) -> RouterId {
        let port = self.links.port_for(&spec.key.port());
        let kept = match before.remove(&spec.key) {
            Some(id) if self.slot(id).router.spec().version == spec.version => Some(id),
            Some(id) => {
                moved.push(id);
                None
            }
            None => None,
        };
        let id = kept.unwrap_or_else(|| RouterId(u32::try_from(self.slots.len()).expect("fewer than 2^32 routers")));
        if kept.is_some() {
            let slot = self.slot_mut(id);
            slot.group = group_id;
            slot.router.amend(spec, group.name.clone(), out);
        } else {
            let router = Router::new(id, port, group.name.clone(), Arc::clone(spec), out.now());
            self.slots.push(Some(Slot { router, group: group_id, flaps: Flaps::default() }));
        }
        self.links.need(port, id, spec, group.candidacy.priority.is_owner());
        id
    }

    fn take_group(&mut self, plan: &GroupPlan, members: Vec<RouterId>, drains: &BTreeMap<Arc<str>, Drain>) {
        let id = GroupId(u32::try_from(self.groups.len()).expect("fewer than 2^32 groups"));
        let by_name = |name: &Arc<str>| self.trackers.iter().flatten().find(|tracker| tracker.spec.name == *name);
        let attached: Vec<(TrackerId, Weight)> = plan
            .candidacy
            .track
            .iter()
            .filter_map(|attachment| Some((by_name(&attachment.track)?.id, attachment.weight)))
            .collect();
        let promote_only_with =
            plan.candidacy.promote_only_with.iter().filter_map(|name| Some(by_name(name)?.id)).collect();
        for &(tracker, _) in &attached {
            self.attach(tracker, id);
        }
        for &tracker in &promote_only_with {
            self.attach(tracker, id);
        }
        let drain = plan.members.iter().find_map(|spec| drains.get(&spec.name)).cloned();
        let effective = plan.candidacy.priority;
        let candidacy = plan.candidacy.clone();
        self.groups.push(Group {
            name: plan.name.clone(),
            candidacy,
            attached,
            promote_only_with,
            members,
            effective,
            drain,
        });
    }

    fn attach(&mut self, tracker: TrackerId, group: GroupId) {
        if let Some(tracker) = self.trackers.get_mut(tracker.0 as usize).and_then(Option::as_mut)
            && !tracker.attached.contains(&group)
        {
            tracker.attached.push(group);
        }
    }

    fn retire(&mut self, gone: impl Iterator<Item = RouterId>, out: &mut Effects<'_>) {
        for id in gone {
            if let Some(mut slot) = self.slots.get_mut(id.0 as usize).and_then(Option::take) {
                slot.router.leave(Why::Removed, Fitness::Unfit(Unfit::Stopping), out);
            }
        }
    }
}
