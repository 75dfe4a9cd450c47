//! All virtual routers, sync groups and tracks together: the whole behaviour of the daemon as one value. Events go in
//! with the time they happened at, actions come out in the order to do them.
//!
//! A router gives a verdict; its group takes the minimum of its members' and settles: when all of them claim, all
//! become Master, otherwise every Master among them gives way. A router alone is a group of one.

mod claim;
mod counters;
mod deadlines;
mod drain;
mod event;
mod fitness;
mod flaps;
mod links;
mod oddity;
mod plan;
mod receive;
mod reconfigure;
mod report;
mod snapshot;
mod succession;
mod tracker;
mod warnings;

pub use crate::track::{Attachment, Check, HttpCheck, TrackerSpec, Weight};
pub use crate::vrrp::RouterCounters;
pub use counters::PortCounters;
pub use drain::{CommandRefused, Drain};
pub use event::{CheckReport, Command, Event, InterfaceFacts, Outcome};
pub use plan::{Candidacy, Change, GroupPlan, Plan};
pub use reconfigure::Provenance;
pub use snapshot::{
    AttachedStatus, GroupStatus, InterfaceStatus, MasterStatus, RouterBrief, RouterStatus, Snapshot, TrackerStatus,
    WarningStatus,
};
pub use succession::{Bequest, Occasion};

use crate::ids::{GroupId, PortId, RouterId, TrackerId};
use crate::time::Timestamp;
use crate::units::Priority;
use crate::vrrp::{Action, Cause, Effects, Router, Seq, Verdict};
use deadlines::{Deadlines, Due};
use flaps::Flaps;
use links::Links;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tracker::Tracker;
use warnings::Warnings;

/// Masters of one port whose adverts are due this soon after another's send theirs along with it, once; from then on
/// they keep step and share one wake and one system call. A router never sends earlier than by 1/32 of its interval.
const SHARED_WAKE: Duration = Duration::from_millis(5);

/// The engine.
#[derive(Debug, Default)]
pub struct Engine {
    now: Timestamp,
    last_seq: Seq,
    slots: Vec<Option<Slot>>,
    groups: Vec<Group>,
    trackers: Vec<Option<Tracker>>,
    links: Links,
    deadlines: Deadlines,
    /// Memory for who is due soon.
    near: Vec<Due>,
    warnings: Warnings,
    /// The wall clock at the origin of time, since 1970.
    wall_origin: Duration,
    phase: Phase,
    generation: u64,
    /// By how much a Master overslept that noticed it at a packet; said with the next tick, once for all of them.
    stalled: Option<Duration>,
    /// Drains by the names of routers, of an earlier run: taken up by the first plan.
    restored: BTreeMap<Arc<str>, Drain>,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Phase {
    /// Nothing stands in the election before this.
    #[default]
    Running,
    Delayed {
        until: Timestamp,
    },
    Stopping,
}

#[derive(Debug)]
struct Slot {
    router: Router,
    group: GroupId,
    flaps: Flaps,
}

#[derive(Debug)]
struct Group {
    name: Option<Arc<str>>,
    candidacy: Candidacy,
    /// The candidacy's tracks with their handles.
    attached: Vec<(TrackerId, Weight)>,
    promote_only_with: Vec<TrackerId>,
    members: Vec<RouterId>,
    effective: Priority,
    drain: Option<Drain>,
}

impl Engine {
    /// An engine with nothing to run whose first record will follow `last_seq` (0 where there is no history).
    #[must_use]
    pub fn new(last_seq: Seq) -> Self {
        Self { last_seq, ..Self::default() }
    }

    /// One event in, ordered actions out, appended to `actions`. `now` never runs backwards: the engine clamps it.
    pub fn handle(&mut self, event: Event<'_>, now: Timestamp, actions: &mut Vec<Action>) {
        self.with_effects(now, actions, |engine, out| match event {
            Event::Packet { port, packet } => engine.on_packet(port, &packet, out),
            Event::Tick => engine.on_tick(out),
            Event::Check { tracker, report } => engine.on_check(tracker, &report, out),
            Event::Interface { name, facts } => engine.on_interface(&name, facts, out),
            Event::AddressLost { router, address, by } => {
                engine.on_removal(router, out, |router, out| router.restore(address, by, out));
            }
            Event::RouteRestored { router, route, by } => {
                engine.on_removal(router, out, |router, out| router.on_route_restored(route, by, out));
            }
            Event::Claim { interface, address, mac } => engine.on_claim(&interface, address, mac, out),
            Event::PortRefused { port, error } => engine.on_port_refused(port, &error, out),
            Event::AddressRefused { router, error } => engine.on_router_trouble(router, &error, out),
            Event::SendFailed { router, error } => engine.on_send_failed(router, &error, out),
            Event::Filter { port, on, dropped } => engine.on_filter(port, on, dropped, out),
            Event::Command(command) => {
                // Whoever wants the answer uses `Engine::command`.
                let _ = engine.on_command(&command, out);
            }
            Event::Shutdown => engine.on_shutdown(out),
        });
    }

    /// Says what the wall clock showed at [`Timestamp::ZERO`], since 1970, by what it shows now. Only the time stamps of
    /// authenticated adverts are compared with it.
    pub fn set_wall_origin(&mut self, since_1970: Duration) {
        self.wall_origin = since_1970;
    }

    /// When to call [`Engine::handle`] with [`Event::Tick`] at the latest. May be early, never late.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        self.deadlines.next()
    }

    fn with_effects(&mut self, now: Timestamp, actions: &mut Vec<Action>, f: impl FnOnce(&mut Self, &mut Effects<'_>)) {
        self.now = self.now.max(now);
        let mut last_seq = self.last_seq;
        f(self, &mut Effects::new(actions, &mut last_seq, self.now));
        self.last_seq = last_seq;
    }

    fn slot(&self, id: RouterId) -> &Slot {
        self.slots.get(id.0 as usize).and_then(Option::as_ref).expect("groups and links name live routers only")
    }

    fn slot_mut(&mut self, id: RouterId) -> &mut Slot {
        self.slots.get_mut(id.0 as usize).and_then(Option::as_mut).expect("groups and links name live routers only")
    }

    /// Whether a handle that came from outside still names a router: an answer may arrive after a reload removed it.
    fn knows(&self, id: RouterId) -> bool {
        self.slots.get(id.0 as usize).is_some_and(Option::is_some)
    }

    fn tracker(&self, id: TrackerId) -> Option<&Tracker> {
        self.trackers.get(id.0 as usize)?.as_ref()
    }

    fn on_tick(&mut self, out: &mut Effects<'_>) {
        let now = out.now();
        let mut sent = false;
        let mut overslept = self.stalled.take();
        while let Some(due) = self.deadlines.pop(now) {
            match due {
                Due::Startup => self.on_startup_over(out),
                Due::DrainOver => self.on_drain_over(out),
                Due::Tracker(id) => self.on_tracker_deadline(id, out),
                Due::Router(id) if self.knows(id) => {
                    self.on_router_deadline(id, &mut overslept, out);
                    sent |= self.slot(id).router.last_advert().is_some();
                }
                Due::Router(_) => {}
            }
        }
        if let Some(by) = overslept {
            out.record(crate::vrrp::Subject::Daemon, Cause::Stalled { by });
        }
        if sent {
            self.share_wake(out);
        }
    }

    /// Lets Masters whose adverts are due soon go along with the ones just sent.
    fn share_wake(&mut self, out: &mut Effects<'_>) {
        let mut near = std::mem::take(&mut self.near);
        // Room for everybody at once: how many come together is up to chance, and may be more at any later time.
        near.reserve(self.deadlines.participants());
        while let Some(due) = self.deadlines.pop(out.now() + SHARED_WAKE) {
            near.push(due);
        }
        for due in near.drain(..) {
            match due {
                Due::Router(id) if self.knows(id) => {
                    self.slot_mut(id).router.advertise_early(SHARED_WAKE, out);
                    self.arm(id);
                }
                Due::Router(_) => {}
                Due::Tracker(id) => self.arm_tracker(id),
                Due::Startup => self.arm_startup(),
                Due::DrainOver => self.arm_drain_over(),
            }
        }
        self.near = near;
    }

    /// Lets one router act, and its group settle where its verdict changed.
    fn step(&mut self, id: RouterId, out: &mut Effects<'_>, act: impl FnOnce(&mut Router, &mut Effects<'_>)) {
        let slot = self.slot_mut(id);
        let before = slot.router.verdict();
        act(&mut slot.router, out);
        if slot.router.verdict() == before {
            self.arm(id);
        } else {
            let group = slot.group;
            self.settle(group, out);
        }
    }

    /// A group is Master as a whole or not at all.
    fn settle(&mut self, group: GroupId, out: &mut Effects<'_>) {
        let members = std::mem::take(&mut self.groups[group.0 as usize].members);
        let verdict = members.iter().map(|&id| self.slot(id).router.verdict()).min();
        for &id in &members {
            let router = &mut self.slot_mut(id).router;
            match verdict {
                Some(Verdict::Claim) => router.grant(out),
                Some(less) => router.hold_back(less, out),
                None => {}
            }
            self.arm(id);
        }
        self.groups[group.0 as usize].members = members;
        self.follow_hand_over(group, out);
    }

    fn arm(&mut self, id: RouterId) {
        if let Some(at) = self.slot(id).router.next_deadline() {
            self.deadlines.arm(Due::Router(id), at, self.now);
        }
    }

    fn arm_tracker(&mut self, id: TrackerId) {
        if let Some(at) = self.tracker(id).and_then(Tracker::next_deadline) {
            self.deadlines.arm(Due::Tracker(id), at, self.now);
        }
    }

    fn arm_startup(&mut self) {
        if let Phase::Delayed { until } = self.phase {
            self.deadlines.arm(Due::Startup, until, self.now);
        }
    }

    fn on_startup_over(&mut self, out: &mut Effects<'_>) {
        if matches!(self.phase, Phase::Delayed { until } if until <= out.now()) {
            self.phase = Phase::Running;
            self.refit_all(out);
        }
        self.arm_startup();
    }

    /// Somebody removed what a router holds.
    fn on_removal(&mut self, id: RouterId, out: &mut Effects<'_>, act: impl FnOnce(&mut Router, &mut Effects<'_>)) {
        if self.knows(id) {
            self.step(id, out, act);
        }
    }

    fn on_filter(&mut self, port: PortId, on: bool, dropped: u64, out: &mut Effects<'_>) {
        if let Some((family, dropped)) = self.links.filter(port, on, dropped) {
            out.record(self.subject_of(port, None), Cause::Filter { on, family, dropped });
        }
    }

    fn on_router_deadline(&mut self, id: RouterId, overslept: &mut Option<Duration>, out: &mut Effects<'_>) {
        if self.slot_mut(id).router.end_retreat(out.now()) {
            let group = self.slot(id).group;
            return self.refit(group, out);
        }
        self.step(id, out, |router, out| *overslept = (*overslept).max(router.on_deadline(out)));
    }

    fn on_send_failed(&mut self, id: RouterId, error: &Arc<str>, out: &mut Effects<'_>) {
        if !self.knows(id) {
            return;
        }
        self.slot_mut(id).router.counters.send_errors += 1;
        let router = &self.slot(id).router;
        if let Some(source) = router.source()
            && self.warnings.permits(router.port(), Some(id), "send_errors", source, out.now())
        {
            let subject = self.slot(id).router.subject();
            out.record(subject, Cause::Refused { error: Arc::clone(error) });
        }
    }

    fn on_shutdown(&mut self, out: &mut Effects<'_>) {
        self.phase = Phase::Stopping;
        self.refit_all(out);
    }
}
