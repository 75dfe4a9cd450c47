//! Where a router's actions go, and the actions that its transitions are made of.

use super::interference::Removed;
use super::record::{Cause, Evidence, Record, Role, Seq, Subject, Why};
use super::router::{Router, State};
use super::verdict::Fitness;
use super::{Action, RouterSpec};
use crate::time::Timestamp;
use crate::units::{Family, VirtualAddress};
use crate::wire::Standing;
use std::sync::Arc;

/// Collects actions in causal order and numbers the records among them.
#[derive(Debug)]
pub struct Effects<'a> {
    actions: &'a mut Vec<Action>,
    last_seq: &'a mut Seq,
    now: Timestamp,
}

impl<'a> Effects<'a> {
    /// Actions go to the end of `actions`; `last_seq` is the number of the last record so far.
    #[must_use]
    pub fn new(actions: &'a mut Vec<Action>, last_seq: &'a mut Seq, now: Timestamp) -> Self {
        Self { actions, last_seq, now }
    }

    /// The moment at which all of this happens.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// One more thing to do.
    pub fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// One more line of the history.
    pub fn record(&mut self, subject: Subject, cause: Cause) {
        *self.last_seq += 1;
        self.push(Action::Record(Arc::new(Record { seq: *self.last_seq, at: self.now, subject, cause })));
    }
}

impl Router {
    /// What records about this router name.
    #[must_use]
    pub fn subject(&self) -> Subject {
        let RouterSpec { name, key, .. } = &*self.spec;
        Subject::Router { name: Arc::clone(name), key: key.clone(), group: self.group.clone() }
    }

    pub(super) fn advertise(&mut self, out: &mut Effects<'_>) {
        if let Some(priority) = self.priority() {
            self.send(Standing::Holding(priority), out);
        }
        if let State::Master { last_advert, .. } = &mut self.state {
            *last_advert = out.now();
        }
    }

    pub(super) fn resign(&mut self, out: &mut Effects<'_>) {
        self.counters.priority_zero_sent += 1;
        self.send(Standing::Resigning, out);
    }

    fn send(&mut self, standing: Standing, out: &mut Effects<'_>) {
        let Fitness::Fit { source, .. } = self.fitness else { return };
        self.counters.advertisements_sent += 1;
        self.sequence = self.sequence.wrapping_add(1);
        out.push(Action::Advertise {
            port: self.port,
            router: self.id,
            spec: Arc::clone(&self.spec),
            source,
            standing,
            checksum: self.checksum(),
            sequence: self.sequence,
        });
    }

    pub(super) fn hold(&mut self, out: &mut Effects<'_>) {
        self.holding = true;
        // Also where it lingered: a lease may have run out meanwhile.
        self.hold_these(self.spec.held().collect(), out);
    }

    pub(super) fn hold_these(&self, addresses: Arc<[VirtualAddress]>, out: &mut Effects<'_>) {
        out.push(Action::Hold { router: self.id, spec: Arc::clone(&self.spec), addresses });
    }

    /// Puts an address back that somebody else removed, and retreats from the election where that happens too often. Not
    /// where this host was held up meanwhile: the lease ran out so that another Master could take over.
    pub fn restore(&mut self, address: VirtualAddress, by: Option<Arc<str>>, out: &mut Effects<'_>) {
        let is_master = matches!(self.state, State::Master { .. }) && self.overslept(out.now()).is_none();
        if !is_master || !self.spec.held().any(|held| held == address) {
            return;
        }
        if self.tolerates(Removed::Address(address), by, out) {
            self.counters.addresses_restored += 1;
            self.hold_these(Arc::new([address]), out);
            self.announce_these(Arc::new([address]), out);
        }
    }

    /// A route or rule that somebody else removed has been put back.
    pub fn on_route_restored(&mut self, route: Arc<str>, by: Option<Arc<str>>, out: &mut Effects<'_>) {
        if matches!(self.state, State::Master { .. }) && self.tolerates(Removed::Route(route), by, out) {
            self.counters.routes_restored += 1;
        }
    }

    /// Says what was removed; false where that was once too often.
    fn tolerates(&mut self, removed: Removed, by: Option<Arc<str>>, out: &mut Effects<'_>) -> bool {
        if self.interference.allows(removed.clone(), by.as_ref(), out.now()) {
            out.record(self.subject(), Cause::Restored { removed, by });
            return true;
        }
        if let Some(unfit) = self.retreat().cloned() {
            self.set_fitness(Fitness::Unfit(unfit), out);
        }
        false
    }

    pub(super) fn release(&mut self, out: &mut Effects<'_>) {
        if std::mem::take(&mut self.holding) {
            self.release_these(self.spec.held().collect(), out);
        }
    }

    pub(super) fn release_these(&self, addresses: Arc<[VirtualAddress]>, out: &mut Effects<'_>) {
        out.push(Action::Release { router: self.id, spec: Arc::clone(&self.spec), addresses });
    }

    pub(super) fn announce(&mut self, out: &mut Effects<'_>) {
        self.announce_these(self.spec.held().collect(), out);
        if let State::Master { announces_left, last_announce, .. } = &mut self.state {
            *announces_left = announces_left.saturating_sub(1);
            *last_announce = out.now();
        }
    }

    pub(super) fn announce_these(&mut self, addresses: Arc<[VirtualAddress]>, out: &mut Effects<'_>) {
        for address in addresses.iter() {
            match Family::of(address.ip) {
                Family::Ipv4 => self.counters.gratuitous_arp_sent += 1,
                Family::Ipv6 => self.counters.neighbor_advertisements_sent += 1,
            }
        }
        out.push(Action::Announce { port: self.port, router: self.id, spec: Arc::clone(&self.spec), addresses });
    }

    /// Enters a state; where operators see another one than before, says so.
    pub(super) fn enter(&mut self, state: State, why: Why, out: &mut Effects<'_>) {
        let from = self.role();
        self.state = state;
        self.report_change(from, why, out);
    }

    pub(super) fn report_change(&mut self, from: Role, why: Why, out: &mut Effects<'_>) {
        let to = self.role();
        if from == to {
            return;
        }
        match to {
            Role::Master => self.counters.active_transitions += 1,
            Role::Backup => self.counters.backup_transitions += 1,
            Role::Fault => self.counters.fault_transitions += 1,
            Role::Initialize => {}
        }
        (self.since, self.why) = (out.now(), why);
        self.evidence = self.evidence_at(out.now());
        let evidence = self.evidence.clone();
        out.record(self.subject(), Cause::Transition { from, to, why, priority: self.priority(), evidence });
    }

    fn evidence_at(&self, now: Timestamp) -> Evidence {
        Evidence {
            heard_from: self.heard.map(|heard| heard.from),
            heard_priority: self.heard.and_then(|heard| heard.priority),
            heard_ago: self.heard.map(|heard| now - heard.at),
            unfit: match &self.fitness {
                Fitness::Unfit(unfit) => Some(unfit.clone()),
                Fitness::Fit { .. } => None,
            },
        }
    }
}
