//! From facts to fitness: what the kernel and the tracks say about a group becomes one priority for all its members.

use super::deadlines::Due;
use super::event::{CheckReport, InterfaceFacts};
use super::tracker::Tracker;
use super::{Engine, Group, Outcome, Phase};
use crate::ids::{GroupId, InterfaceName, PortId, RouterId, TrackerId};
use crate::track::Check;
use crate::vrrp::{Cause, Effects, Fitness, Promotion, Subject, Unfit};
use std::sync::Arc;
use std::time::Duration;

/// What holds for all members of a group.
struct Shared {
    delta: i32,
    failed: Option<Arc<str>>,
    promotion: Promotion,
}

impl Engine {
    pub(super) fn on_check(&mut self, id: TrackerId, report: &CheckReport, out: &mut Effects<'_>) {
        let Some(tracker) = self.trackers.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        let was = tracker.health.is_healthy();
        if tracker.observe(report, out.now()) {
            Self::record_health(tracker, was, out);
            self.refit_attached(id, out);
        }
        self.arm_tracker(id);
    }

    fn record_health(tracker: &Tracker, was: Option<bool>, out: &mut Effects<'_>) {
        let healthy = tracker.health.is_healthy();
        if let Some(healthy) = healthy.filter(|_| healthy != was) {
            let subject = Subject::Track { name: Arc::clone(&tracker.spec.name) };
            out.record(subject, Cause::Track { healthy, result: Arc::clone(&tracker.last_result) });
        }
    }

    pub(super) fn on_tracker_deadline(&mut self, id: TrackerId, out: &mut Effects<'_>) {
        let now = out.now();
        let Some(tracker) = self.trackers.get_mut(id.0 as usize).and_then(Option::as_mut) else { return };
        let was = tracker.health.is_healthy();
        if tracker.on_deadline(now, out) {
            Self::record_health(tracker, was, out);
            self.refit_attached(id, out);
        }
        self.arm_tracker(id);
    }

    fn refit_attached(&mut self, id: TrackerId, out: &mut Effects<'_>) {
        let attached = self.tracker(id).map(|tracker| tracker.attached.clone()).unwrap_or_default();
        for group in attached {
            self.refit(group, out);
        }
    }

    pub(super) fn on_interface(&mut self, name: &InterfaceName, facts: Option<InterfaceFacts>, out: &mut Effects<'_>) {
        let was = self.links.facts(name).map(|facts| facts.up);
        if !self.links.learn(name.clone(), facts) {
            return;
        }
        self.links.refit_ports(out);
        let is = self.links.facts(name).map(|facts| facts.up);
        if was != is && self.uses_interface(name) {
            let detail = match is {
                None => "it is gone",
                Some(_) => "",
            };
            let subject = Subject::Interface { name: Arc::from(name.as_str()) };
            out.record(subject, Cause::Interface { up: is == Some(true), detail: detail.into() });
        }
        self.observe_interface(name, out);
        self.refit_on(|key| key == name, out);
    }

    fn uses_interface(&self, name: &InterfaceName) -> bool {
        self.slots.iter().flatten().any(|slot| slot.router.spec().key.interface == *name)
            || self.trackers.iter().flatten().any(|tracker| tracker.spec.check == Check::Interface(name.clone()))
    }

    /// Tells the tracks that watch this interface.
    fn observe_interface(&mut self, name: &InterfaceName, out: &mut Effects<'_>) {
        let watching: Vec<TrackerId> = self
            .trackers
            .iter()
            .flatten()
            .filter(|tracker| tracker.spec.check == Check::Interface(name.clone()))
            .map(|tracker| tracker.id)
            .collect();
        for id in watching {
            self.report_interface(id, name, out);
        }
    }

    /// The state of an interface as a check's outcome.
    pub(super) fn report_interface(&mut self, id: TrackerId, name: &InterfaceName, out: &mut Effects<'_>) {
        let (outcome, result) = match self.links.facts(name) {
            Some(facts) if facts.up => (Outcome::Passed, "up"),
            Some(_) => (Outcome::Failed, "down"),
            None => (Outcome::Failed, "no such interface"),
        };
        let report = CheckReport { outcome, result: result.into(), took: Duration::ZERO };
        self.on_check(id, &report, out);
    }

    pub(super) fn on_port_refused(&mut self, port: PortId, error: &Arc<str>, out: &mut Effects<'_>) {
        self.links.refuse(port, Arc::clone(error));
        let subject = self.subject_of(port, None);
        out.record(subject, Cause::Refused { error: Arc::clone(error) });
        self.refit_all(out);
    }

    /// The kernel will not give a router what it needs: it leaves the election until its interface changes.
    pub(super) fn on_router_trouble(&mut self, id: RouterId, error: &Arc<str>, out: &mut Effects<'_>) {
        if !self.knows(id) {
            return;
        }
        let subject = self.slot(id).router.subject();
        out.record(subject, Cause::Refused { error: Arc::clone(error) });
        let unfit = Fitness::Unfit(Unfit::KernelRefused { error: Arc::clone(error) });
        self.step(id, out, |router, out| router.set_fitness(unfit, out));
    }

    fn refit_on(&mut self, mut on: impl FnMut(&InterfaceName) -> bool, out: &mut Effects<'_>) {
        let mut groups: Vec<GroupId> = self
            .slots
            .iter()
            .flatten()
            .filter(|slot| on(&slot.router.spec().key.interface))
            .map(|slot| slot.group)
            .collect();
        groups.sort_unstable();
        groups.dedup();
        for group in groups {
            self.refit(group, out);
        }
    }

    pub(super) fn refit_all(&mut self, out: &mut Effects<'_>) {
        self.refit_on(|_| true, out);
    }

    /// Works out the fitness of every member of a group anew, and lets the group settle once.
    pub(super) fn refit(&mut self, id: GroupId, out: &mut Effects<'_>) {
        let shared = self.shared(&self.groups[id.0 as usize]);
        let group = &mut self.groups[id.0 as usize];
        group.effective = group.candidacy.priority.adjusted(shared.delta);
        for member in group.members.clone() {
            let fitness = self.fitness(member, &shared, id);
            self.slot_mut(member).router.set_fitness(fitness, out);
        }
        self.settle(id, out);
    }

    fn shared(&self, group: &Group) -> Shared {
        let mut shared = Shared { delta: 0, failed: None, promotion: Promotion::Allowed };
        let mut waits = false;
        for &(id, weight) in &group.attached {
            let Some(tracker) = self.tracker(id) else { continue };
            match tracker.contribution(weight) {
                Some(adds) => shared.delta = shared.delta.saturating_add(adds),
                None => shared.failed = shared.failed.or_else(|| Some(Arc::clone(&tracker.spec.name))),
            }
            waits |= weight.is_required() && tracker.is_awaited();
        }
        let healthy = |id: &TrackerId| self.tracker(*id).and_then(|tracker| tracker.health.is_healthy()) == Some(true);
        waits |= !group.promote_only_with.iter().all(healthy);
        shared.promotion = match &group.drain {
            Some(drain) if !drain.handing_over => Promotion::Forbidden,
            None if !waits => Promotion::Allowed,
            Some(_) | None => Promotion::Resuming,
        };
        shared
    }

    fn fitness(&self, id: RouterId, shared: &Shared, group: GroupId) -> Fitness {
        match self.phase {
            Phase::Stopping => return Fitness::Unfit(Unfit::Stopping),
            Phase::Delayed { .. } => return Fitness::Unfit(Unfit::StartupDelay),
            Phase::Running => {}
        }
        let router = &self.slot(id).router;
        let source = match self.links.source_of(router.port(), router.spec()) {
            Ok(source) => source,
            Err(unfit) => return Fitness::Unfit(unfit),
        };
        if let Some(unfit) = router.retreat() {
            return Fitness::Unfit(unfit.clone());
        }
        if let Some(track) = &shared.failed {
            return Fitness::Unfit(Unfit::TrackFailed { track: Arc::clone(track) });
        }
        let priority = self.groups[group.0 as usize].effective;
        Fitness::Fit { priority, source, promotion: shared.promotion }
    }

    /// What a group waits for before it may become Master.
    pub(super) fn awaited_by(&self, group: &Group) -> Vec<Arc<str>> {
        let name = |tracker: &Tracker| Arc::clone(&tracker.spec.name);
        let unanswered = group.attached.iter().filter(|(_, weight)| weight.is_required()).filter_map(|&(id, _)| {
            let tracker = self.tracker(id)?;
            tracker.is_awaited().then(|| name(tracker))
        });
        let unhealthy = group.promote_only_with.iter().filter_map(|&id| {
            let tracker = self.tracker(id)?;
            (tracker.health.is_healthy() != Some(true)).then(|| name(tracker))
        });
        unanswered.chain(unhealthy).collect()
    }

    pub(super) fn arm_all_trackers(&mut self) {
        for id in self.trackers.iter().flatten().map(|tracker| tracker.id).collect::<Vec<_>>() {
            if let Some(at) = self.tracker(id).and_then(Tracker::next_deadline) {
                self.deadlines.arm(Due::Tracker(id), at, self.now);
            }
        }
    }
}
