//! What an engine leaves to the daemon that succeeds its own, and how another one goes on from there: as a reload does,
//! with the plan that the successor has read.

use super::counters::PortCounters;
use super::drain::Drain;
use super::flaps::Flaps;
use super::tracker::{Tracker, TrackerBequest};
use super::{Engine, Phase, Plan, Slot};
use crate::ids::{GroupId, InterfaceName, RouterId, TrackerId};
use crate::time::Timestamp;
use crate::track::Check;
use crate::vrrp::{Action, Cause, Effects, Resumption, Router, RouterBequest, RouterSpec, Seq, Subject};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Everything an engine knows, but for the plan and for what the kernel says: both are read anew.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Bequest {
    /// The virtual routers.
    pub routers: Vec<RouterBequest>,
    last_seq: Seq,
    generation: u64,
    delayed_until: Option<Timestamp>,
    trackers: Vec<TrackerBequest>,
    drains: BTreeMap<Arc<str>, Drain>,
    interfaces: BTreeMap<InterfaceName, PortCounters>,
}

/// How an engine came to go on where another one left off.
#[derive(Clone, Debug)]
pub struct Occasion {
    /// What it was for.
    pub how: Resumption,
    /// The version of the other one's daemon.
    pub from: Arc<str>,
    /// When the other one let go.
    pub since: Timestamp,
}

impl Bequest {
    /// The virtual routers that go on under `plan`, each as it was configured.
    pub fn continued<'a>(&'a self, plan: &'a Plan) -> impl Iterator<Item = (&'a RouterBequest, Arc<RouterSpec>)> + 'a {
        let by_key: BTreeMap<_, _> = self.routers.iter().map(|router| (&router.key, router)).collect();
        let specs = plan.groups.iter().flat_map(|group| &group.members);
        specs.filter_map(move |spec| {
            let router = *by_key.get(&spec.key)?;
            Some((router, router.former(spec)?))
        })
    }
}

impl Engine {
    /// What this engine leaves to a successor.
    #[must_use]
    pub fn bequeath(&self) -> Bequest {
        let drains = self.groups.iter().filter_map(|group| Some((group.drain.as_ref()?, &group.members)));
        let drains = drains.flat_map(|(drain, members)| {
            members.iter().map(|&id| (Arc::clone(&self.slot(id).router.spec().name), drain.clone()))
        });
        Bequest {
            routers: self.slots.iter().flatten().map(|slot| slot.router.bequeath()).collect(),
            last_seq: self.last_seq,
            generation: self.generation,
            delayed_until: match self.phase {
                Phase::Delayed { until } => Some(until),
                Phase::Running | Phase::Stopping => None,
            },
            trackers: self.trackers.iter().flatten().map(Tracker::bequeath).collect(),
            drains: drains.collect(),
            interfaces: self.links.all_counters().clone(),
        }
    }

    /// Goes on where the predecessor that left `bequest` stopped, as far as `plan` has the same virtual routers. For an
    /// engine that runs nothing yet but knows the interfaces; [`Engine::reconfigure`] with the same plan is next.
    pub fn resume(
        &mut self,
        bequest: Bequest,
        plan: &Plan,
        occasion: Occasion,
        now: Timestamp,
        actions: &mut Vec<Action>,
    ) {
        self.with_effects(now, actions, |engine, out| {
            let Occasion { how, from, since } = occasion;
            out.record(Subject::Daemon, Cause::Resumed { how, from, gap: out.now() - since });
            engine.inherit(bequest, plan, out);
        });
    }

    fn inherit(&mut self, bequest: Bequest, plan: &Plan, out: &mut Effects<'_>) {
        // The handles of routers that do not go on stay unused: somebody may still answer for them.
        let handles = bequest.routers.iter().map(|router| router.id.0 + 1).max().unwrap_or(0);
        self.slots.resize_with(handles as usize, || None);
        for (router, former) in bequest.continued(plan) {
            let RouterId(index) = router.id;
            let port = self.links.port_for(&router.key.port());
            let router = Router::resume(router.clone(), port, former, out.now());
            self.slots[index as usize] = Some(Slot { router, group: GroupId(0), flaps: Flaps::default() });
        }
        self.generation = bequest.generation;
        if let Some(until) = bequest.delayed_until {
            self.phase = Phase::Delayed { until };
            self.arm_startup();
        }
        self.restored = bequest.drains;
        self.links.restore_counters(bequest.interfaces);
        self.inherit_trackers(bequest.trackers, plan, out);
    }

    /// A track goes on as long as it has the same name and is of the same kind.
    fn inherit_trackers(&mut self, trackers: Vec<TrackerBequest>, plan: &Plan, out: &mut Effects<'_>) {
        let handles = trackers.iter().map(|tracker| tracker.id.0 + 1).max().unwrap_or(0);
        self.trackers.resize_with(handles as usize, || None);
        for bequest in trackers {
            let same = |spec: &&Arc<_>| same_track(&bequest, spec);
            let Some(spec) = plan.trackers.iter().find(same) else { continue };
            let TrackerId(index) = bequest.id;
            self.trackers[index as usize] = Some(Tracker::resume(bequest, Arc::clone(spec), out.now()));
            if let Check::Interface(name) = &spec.check {
                self.report_interface(TrackerId(index), name, out);
            }
        }
    }
}

fn same_track(bequest: &TrackerBequest, spec: &crate::track::TrackerSpec) -> bool {
    spec.name == bequest.name && spec.check.kind() == bequest.kind
}
