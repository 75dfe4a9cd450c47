//! The world: one virtual clock, one seed, nodes on segments. Nothing happens in it but what the seed decides.

use super::invariant::{self, Invariant, Moment, Violation};
use super::link::{Datagram, Quality};
use super::node::{Input, Interface, Node, SOCKET_BUFFER};
use super::rng::Rng;
use super::trace::{Trace, What};
use crate::engine::{CheckReport, Engine, Event, Snapshot};
use crate::ids::PortId;
use crate::time::Timestamp;
use crate::units::VirtualAddress;
use crate::vrrp::{Action, Record};
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeSet, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

/// How many events one virtual second may bring. More is a storm: it fails instead of hanging.
const EVENTS_A_SECOND: u32 = 20_000;

/// A host of the world.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct NodeId(pub usize);

/// A segment of the world: what a switch is to real hosts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SegmentId(pub usize);

/// The simulated world.
pub struct World {
    pub(super) now: Timestamp,
    seed: u64,
    pub(super) rng: Rng,
    pub(super) nodes: Vec<Node>,
    pub(super) segments: Vec<Quality>,
    /// One-way: the second node does not hear the first one on this segment.
    pub(super) cuts: BTreeSet<(SegmentId, NodeId, NodeId)>,
    queue: BinaryHeap<Reverse<Scheduled>>,
    order: u64,
    pub(super) trace: Trace,
    invariants: Vec<Box<dyn Invariant>>,
    violation: Option<Violation>,
    /// When anything last happened that a calm network does not have.
    pub(super) disturbed: Timestamp,
    /// How long after it all has settled.
    pub(super) settling: Duration,
    second: (u64, u32),
    actions: Vec<Action>,
}

/// Something on its way to a node.
struct Scheduled {
    at: Timestamp,
    class: u8,
    order: u64,
    node: NodeId,
    epoch: u32,
    input: Input,
}

impl World {
    /// An empty world with the invariants that hold everywhere.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            now: Timestamp::ZERO,
            seed,
            rng: Rng::new(seed),
            nodes: Vec::new(),
            segments: Vec::new(),
            cuts: BTreeSet::new(),
            queue: BinaryHeap::new(),
            order: 0,
            trace: Trace::default(),
            invariants: invariant::everywhere(),
            violation: None,
            disturbed: Timestamp::ZERO,
            settling: Duration::ZERO,
            second: (0, 0),
            actions: Vec::new(),
        }
    }

    /// An empty world in which nothing has to hold: for configurations that may be wrong, where two Masters on a calm
    /// network are a finding. A storm of events still ends the run.
    #[must_use]
    pub fn lenient(seed: u64) -> Self {
        Self { invariants: Vec::new(), ..Self::new(seed) }
    }

    /// One more thing that must hold after every event.
    pub fn demand(&mut self, invariant: Box<dyn Invariant>) {
        self.invariants.push(invariant);
    }

    /// Prints every line of the trace as it comes: for replaying one seed.
    pub fn narrate(&mut self) {
        self.trace.verbose = true;
    }

    /// The moment it is.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Equal for equal runs.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.trace.fingerprint()
    }

    /// Every record so far.
    #[must_use]
    pub fn records(&self) -> &[(NodeId, Arc<Record>)] {
        &self.trace.records
    }

    /// The engine of a node; `None` while it is crashed or stopped.
    #[must_use]
    pub fn engine(&self, node: NodeId) -> Option<&Engine> {
        self.nodes.get(node.0)?.engine.as_ref()
    }

    /// Every node, running or not.
    pub fn node_ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    /// The addresses that a node's kernel has for its routers, each once for each router that holds it.
    #[must_use]
    pub fn held_addresses(&self, node: NodeId) -> Vec<VirtualAddress> {
        self.nodes.get(node.0).into_iter().flat_map(|node| &node.held).map(|&(_, address)| address).collect()
    }

    /// What a node would tell its operator.
    #[must_use]
    pub fn snapshot(&self, node: NodeId) -> Option<Snapshot> {
        Some(self.engine(node)?.snapshot(self.now))
    }

    /// Lets `span` pass. Stops at the first violation of an invariant.
    pub fn run(&mut self, span: Duration) -> Result<(), Violation> {
        let end = self.now + span;
        while self.violation.is_none() && self.wake(end) {}
        self.now = self.now.max(end);
        self.violation.take().map_or(Ok(()), Err)
    }

    /// Handles what is due next, where that is not after `end`. What is under way comes before timers of the same moment.
    fn wake(&mut self, end: Timestamp) -> bool {
        let arrival = self.queue.peek().map(|Reverse(next)| next.at);
        let timer = self.next_timer();
        match (arrival, timer) {
            (Some(at), timer) if at <= end && timer.is_none_or(|(due, _)| at <= due) => {
                if let Some(Reverse(next)) = self.queue.pop() {
                    self.now = self.now.max(at);
                    self.arrive(next);
                }
                true
            }
            (_, Some((due, node))) if due <= end => {
                self.now = self.now.max(due);
                self.feed(node, Event::Tick);
                true
            }
            _ => false,
        }
    }

    fn next_timer(&self) -> Option<(Timestamp, NodeId)> {
        let awake = self.node_ids().zip(&self.nodes).filter(|(_, node)| node.is_awake());
        awake.filter_map(|(id, node)| Some((node.engine.as_ref()?.next_deadline()?, id))).min()
    }

    pub(super) fn schedule(&mut self, at: Timestamp, node: NodeId, input: Input) {
        let Some(epoch) = self.nodes.get(node.0).map(|node| node.epoch) else { return };
        self.order += 1;
        let (class, order) = (input.class(), self.order);
        self.queue.push(Reverse(Scheduled { at, class, order, node, epoch, input }));
    }

    fn arrive(&mut self, next: Scheduled) {
        let id = next.node;
        let Some(node) = self.nodes.get_mut(id.0).filter(|node| node.engine.is_some()) else { return };
        if next.epoch != node.epoch {
            return;
        }
        let input = match next.input {
            Input::Packet(interface, datagram) => {
                let Some(interface) = node.interfaces.get(interface).filter(|interface| interface.carries()) else {
                    return;
                };
                let Some(port) = node.port_on(interface, datagram.destination) else { return };
                if node.frozen {
                    if node.waiting.packets.len() < SOCKET_BUFFER {
                        node.waiting.packets.push_back((port, datagram));
                    }
                } else {
                    self.receive(id, port, &datagram);
                }
                return;
            }
            other => other,
        };
        if node.frozen {
            node.waiting.others.push_back(input);
        } else {
            self.take(id, input);
        }
    }

    pub(super) fn receive(&mut self, id: NodeId, port: PortId, datagram: &Datagram) {
        let octet = |at: usize| datagram.payload.get(at).copied().unwrap_or(0);
        self.trace.add(self.now, Some(id), What::Packet(datagram.source, octet(1), octet(2)));
        self.feed(id, Event::Packet { port, packet: datagram.packet() });
    }

    /// Feeds what is not a packet.
    pub(super) fn take(&mut self, id: NodeId, input: Input) {
        match input {
            Input::Packet(..) => {}
            Input::Interface(position) => {
                let interface = self.nodes.get(id.0).and_then(|node| node.interfaces.get(position)).cloned();
                if let Some(Interface { name, .. }) = &interface {
                    let facts = interface.as_ref().and_then(Interface::facts);
                    self.feed(id, Event::Interface { name: name.clone(), facts });
                }
            }
            Input::SendFailed(router) => self.feed(id, Event::SendFailed { router, error: "no such device".into() }),
            Input::Check(tracker, report) => self.feed(id, Event::Check { tracker, report }),
            Input::Command(command) => self.feed(id, Event::Command(command)),
        }
    }

    /// One event for one engine, its actions, and the invariants.
    pub(super) fn feed(&mut self, id: NodeId, event: Event<'_>) {
        let ticked = matches!(event, Event::Tick);
        self.operate(id, ticked, |engine, now, actions| engine.handle(event, now, actions));
    }

    pub(super) fn operate(
        &mut self,
        id: NodeId,
        ticked: bool,
        act: impl FnOnce(&mut Engine, Timestamp, &mut Vec<Action>),
    ) {
        self.count_event();
        let mut actions = std::mem::take(&mut self.actions);
        let now = self.now;
        let Some(engine) = self.nodes.get_mut(id.0).and_then(|node| node.engine.as_mut()) else { return };
        act(engine, now, &mut actions);
        for action in &actions {
            self.execute(id, action);
        }
        self.check(id, Moment { ticked, actions: &actions });
        actions.clear();
        self.actions = actions;
    }

    fn check(&mut self, node: NodeId, moment: Moment<'_>) {
        let mut invariants = std::mem::take(&mut self.invariants);
        for invariant in &mut invariants {
            if let Err(found) = invariant.check(self, node, &moment) {
                self.violate(format!("{}: {found}", invariant.name()));
            }
        }
        self.invariants = invariants;
    }

    fn count_event(&mut self) {
        let second = self.now.since_origin().as_secs();
        let count = if self.second.0 == second { self.second.1 + 1 } else { 1 };
        self.second = (second, count);
        if count > EVENTS_A_SECOND {
            self.violate(format!("storm: more than {EVENTS_A_SECOND} events in one second"));
        }
    }

    /// Notes the first violation; the run stops there.
    pub(super) fn violate(&mut self, what: String) {
        if self.violation.is_none() {
            self.violation = Some(Violation { seed: self.seed, at: self.now, what, trace: self.trace.last_lines() });
        }
    }

    pub(super) fn note(&mut self, node: Option<NodeId>, what: String) {
        self.trace.add(self.now, node, What::World(what));
    }

    /// Sends a check's outcome on its way.
    pub(super) fn answer(&mut self, node: NodeId, tracker: crate::ids::TrackerId, report: CheckReport) {
        self.schedule(self.now + report.took, node, Input::Check(tracker, report));
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.class, self.order).cmp(&(other.at, other.class, other.order))
    }
}
