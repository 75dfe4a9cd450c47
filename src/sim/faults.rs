//! What can be done to the world: hosts come and go, networks break and heal, operators type.

use super::link::{Datagram, Quality};
use super::node::{Input, Interface, Node, Waiting};
use super::world::{NodeId, SegmentId, World};
use crate::engine::{
    Check, CheckReport, Command, CommandRefused, Engine, Event, Outcome, Plan, Provenance, TrackerSpec,
};
use crate::ids::{InterfaceName, TrackerId};
use crate::units::{Family, VirtualAddress};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

impl World {
    /// A new segment.
    pub fn add_segment(&mut self, quality: Quality) -> SegmentId {
        self.segments.push(quality);
        SegmentId(self.segments.len() - 1)
    }

    /// A new host that runs `plan` at once. Its addresses are `10.S.0.N` and `fe80::S:N`, for the segment and the node
    /// counted from 1: the later a node is added, the higher its address.
    pub fn add_node(&mut self, name: &str, plan: Plan, interfaces: &[(InterfaceName, SegmentId)]) -> NodeId {
        let interfaces: Vec<_> = interfaces.iter().map(|(name, segment)| (name.clone(), *segment, [].into())).collect();
        self.add_host(name, plan, &interfaces)
    }

    /// The same for a host whose interfaces have these addresses: adverts come from the first of a family, or from the
    /// address above where there is none.
    pub fn add_host(
        &mut self,
        name: &str,
        plan: Plan,
        interfaces: &[(InterfaceName, SegmentId, Arc<[IpAddr]>)],
    ) -> NodeId {
        let id = NodeId(self.nodes.len());
        let host = u8::try_from(id.0 + 1).unwrap_or(u8::MAX);
        let interfaces = (1..).zip(interfaces).map(|(index, (name, segment, more))| {
            let net = u8::try_from(segment.0).unwrap_or(u8::MAX);
            let ipv4 = more.iter().find_map(|address| if let IpAddr::V4(ipv4) = address { Some(*ipv4) } else { None });
            let ipv6 = more.iter().find_map(|address| if let IpAddr::V6(ipv6) = address { Some(*ipv6) } else { None });
            Interface {
                name: name.clone(),
                segment: *segment,
                index,
                present: true,
                up: true,
                ipv4: ipv4.unwrap_or(Ipv4Addr::new(10, net, 0, host)),
                ipv6: ipv6.unwrap_or(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, net.into(), host.into())),
                more: Arc::clone(more),
            }
        });
        self.nodes.push(Node {
            name: name.into(),
            plan,
            engine: None,
            epoch: 0,
            frozen: false,
            waiting: Waiting::default(),
            interfaces: interfaces.collect(),
            ports: BTreeMap::new(),
            held: BTreeSet::new(),
            lost: BTreeSet::new(),
            interfered: false,
            health: BTreeMap::new(),
            hanging: BTreeSet::new(),
            check_time: Duration::from_millis(5),
        });
        self.start(id);
        id
    }

    /// The address that a node's adverts come from on a segment.
    #[must_use]
    pub fn address(&self, node: NodeId, segment: SegmentId, family: Family) -> Option<IpAddr> {
        let interface = self.nodes.get(node.0)?.interfaces.iter().find(|interface| interface.segment == segment)?;
        Some(match family {
            Family::Ipv4 => interface.ipv4.into(),
            Family::Ipv6 => interface.ipv6.into(),
        })
    }

    pub(super) fn disturb(&mut self, node: Option<NodeId>, what: String) {
        self.disturbed = self.now;
        self.settling = self.settling_time();
        self.note(node, what);
    }

    /// Starts a node that is not running; its engine is told the plan, then the interfaces.
    pub fn start(&mut self, id: NodeId) {
        let Some(node) = self.nodes.get_mut(id.0).filter(|node| node.engine.is_none()) else { return };
        node.epoch += 1;
        node.frozen = false;
        node.engine = Some(Engine::new(0));
        let plan = node.plan.clone();
        let name = Arc::clone(&node.name);
        let count = node.interfaces.len();
        self.disturb(Some(id), format!("{name} starts"));
        self.operate(id, false, |engine, now, actions| engine.reconfigure(&plan, Provenance::default(), now, actions));
        for position in 0..count {
            self.take(id, Input::Interface(position));
        }
        for (tracker, spec) in self.engine(id).map(Engine::trackers).unwrap_or_default() {
            self.report_watched(id, tracker, &spec);
        }
    }

    /// What a node's kernel says of a process, a file or a route; interfaces have a notice of their own.
    fn report_watched(&mut self, id: NodeId, tracker: TrackerId, spec: &TrackerSpec) {
        if spec.check.is_polled() || matches!(spec.check, Check::Interface(_)) {
            return;
        }
        let Some(node) = self.nodes.get(id.0) else { return };
        let healthy = if matches!(spec.check, Check::File(_)) { Outcome::Value(0) } else { Outcome::Passed };
        let outcome = match node.health.get(&spec.name) {
            None | Some(Outcome::Passed) => healthy,
            Some(&other) => other,
        };
        self.answer(id, tracker, CheckReport { outcome, result: "simulated".into(), took: Duration::ZERO });
    }

    /// The host is gone without a word, and its kernel with it.
    pub fn crash(&mut self, id: NodeId) {
        self.disturb(Some(id), "crashes".into());
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.engine = None;
            node.frozen = false;
            node.waiting = Waiting::default();
            node.ports.clear();
            node.held.clear();
            node.lost.clear();
        }
    }

    /// The daemon is stopped in the ordinary way, and its process ends.
    pub fn stop(&mut self, id: NodeId) {
        self.disturb(Some(id), "stops".into());
        self.feed(id, Event::Shutdown);
        let Some(node) = self.nodes.get_mut(id.0) else { return };
        node.engine = None;
        node.ports.clear();
        if !node.held.is_empty() {
            let left = format!("node {} left addresses behind: {:?}", id.0, node.held);
            self.violate(left);
        }
    }

    /// The process stands still: no timer fires, packets wait in its socket.
    pub fn freeze(&mut self, id: NodeId) {
        self.disturb(Some(id), "freezes".into());
        if let Some(node) = self.nodes.get_mut(id.0) {
            node.frozen = node.engine.is_some();
        }
    }

    /// The process goes on, in the driver's order: sockets, kernel notices, check results and commands; then its timer.
    pub fn thaw(&mut self, id: NodeId) {
        self.disturb(Some(id), "thaws".into());
        let Some(node) = self.nodes.get_mut(id.0).filter(|node| node.frozen) else { return };
        node.frozen = false;
        let Waiting { packets, others } = std::mem::take(&mut node.waiting);
        for (port, datagram) in packets {
            self.receive(id, port, &datagram);
        }
        let mut others: Vec<Input> = others.into();
        others.sort_by_key(Input::class);
        for input in others {
            self.take(id, input);
        }
        self.feed(id, Event::Tick);
    }

    /// How well a segment carries from now on.
    pub fn set_quality(&mut self, segment: SegmentId, quality: Quality) {
        self.disturb(None, format!("segment {}: {quality:?}", segment.0));
        if let Some(place) = self.segments.get_mut(segment.0) {
            *place = quality;
        }
    }

    /// `to` no longer hears `from` on this segment; the other direction stays.
    pub fn cut(&mut self, segment: SegmentId, from: NodeId, to: NodeId) {
        self.disturb(None, format!("segment {}: {} no longer reaches {}", segment.0, from.0, to.0));
        self.cuts.insert((segment, from, to));
    }

    /// Neither hears the other on this segment.
    pub fn partition(&mut self, segment: SegmentId, a: NodeId, b: NodeId) {
        self.cut(segment, a, b);
        self.cut(segment, b, a);
    }

    /// `to` hears `from` again on this segment.
    pub fn mend(&mut self, segment: SegmentId, from: NodeId, to: NodeId) {
        self.disturb(None, format!("segment {}: {} reaches {} again", segment.0, from.0, to.0));
        self.cuts.remove(&(segment, from, to));
    }

    /// Every cut is mended.
    pub fn heal(&mut self) {
        self.disturb(None, "every cut is mended".into());
        self.cuts.clear();
    }

    /// An interface gains or loses its carrier.
    pub fn set_link(&mut self, node: NodeId, interface: &InterfaceName, up: bool) {
        self.change(node, interface, |interface| interface.up = up);
    }

    /// An interface is deleted or comes back, with another index.
    pub fn set_present(&mut self, node: NodeId, interface: &InterfaceName, present: bool) {
        self.change(node, interface, |interface| {
            interface.index += 100 * u32::from(present && !interface.present);
            interface.present = present;
        });
    }

    fn change(&mut self, id: NodeId, name: &InterfaceName, change: impl FnOnce(&mut Interface)) {
        let Some(node) = self.nodes.get_mut(id.0) else { return };
        let found = node.interfaces.iter_mut().enumerate().find(|(_, interface)| interface.name == *name);
        let Some((position, interface)) = found else { return };
        change(interface);
        let said = format!("{name} present {} up {}", interface.present, interface.up);
        self.disturb(Some(id), said);
        self.schedule(self.now, id, Input::Interface(position));
    }

    /// Two nodes change addresses on an interface that both have.
    pub fn swap_addresses(&mut self, a: NodeId, b: NodeId, name: &InterfaceName) {
        let of = |world: &Self, node: NodeId| {
            let found = world.nodes.get(node.0)?.interfaces.iter().find(|interface| interface.name == *name)?;
            Some((found.ipv4, found.ipv6))
        };
        let (Some(of_a), Some(of_b)) = (of(self, a), of(self, b)) else { return };
        self.change(a, name, |interface| (interface.ipv4, interface.ipv6) = of_b);
        self.change(b, name, |interface| (interface.ipv4, interface.ipv6) = of_a);
    }

    /// Somebody removes an address that a router of this label holds.
    pub fn lose_address(&mut self, id: NodeId, label: &str, address: VirtualAddress) {
        let Some(node) = self.nodes.get_mut(id.0) else { return };
        let mut briefs = node.engine.iter().flat_map(Engine::briefs);
        let Some(router) = briefs.find(|brief| &*brief.spec.name == label).map(|brief| brief.router) else { return };
        drop(briefs);
        if node.held.remove(&(router, address)) {
            node.lost.insert((router, address));
            node.interfered = true;
            self.note(Some(id), format!("loses {address}"));
            self.feed(id, Event::AddressLost { router, address, by: None });
        }
    }

    /// What a node's check of this name finds from now on.
    pub fn set_health(&mut self, node: NodeId, track: &str, outcome: Outcome) {
        self.disturb(Some(node), format!("{track} is {outcome:?}"));
        if let Some(node) = self.nodes.get_mut(node.0) {
            node.health.insert(track.into(), outcome);
        }
        let trackers = self.engine(node).map(Engine::trackers).unwrap_or_default();
        if let Some((tracker, spec)) = trackers.into_iter().find(|(_, spec)| &*spec.name == track) {
            self.report_watched(node, tracker, &spec);
        }
    }

    /// A node's check of this name no longer answers, or does so again.
    pub fn set_hanging(&mut self, node: NodeId, track: &str, hangs: bool) {
        self.disturb(Some(node), format!("{track} hangs: {hangs}"));
        let Some(node) = self.nodes.get_mut(node.0) else { return };
        if hangs {
            node.hanging.insert(track.into());
        } else {
            node.hanging.remove(track);
        }
    }

    /// An operator types a command.
    pub fn command(&mut self, node: NodeId, command: Command) {
        self.disturb(Some(node), format!("{command:?}"));
        self.schedule(self.now, node, Input::Command(command));
    }

    /// An operator types a command and reads what came of it; `None` where nobody answers, since the daemon does not run
    /// or its process stands still.
    pub fn ask(&mut self, node: NodeId, command: &Command) -> Option<Result<Vec<Arc<str>>, CommandRefused>> {
        if !self.is_awake(node) {
            return None;
        }
        self.disturb(Some(node), format!("{command:?}"));
        let mut answer = None;
        self.operate(node, false, |engine, now, actions| answer = Some(engine.command(command, now, actions)));
        answer
    }

    /// A reload; a crashed or stopped node starts with this plan next time.
    pub fn reload(&mut self, id: NodeId, plan: &Plan) {
        let Some(node) = self.nodes.get_mut(id.0) else { return };
        let same = node.plan.diff(plan).is_empty();
        node.plan = plan.clone();
        if same {
            self.note(Some(id), "reloads the same".into());
        } else {
            self.disturb(Some(id), "reloads".into());
        }
        self.operate(id, false, |engine, now, actions| engine.reconfigure(plan, Provenance::default(), now, actions));
    }

    /// The plan a node runs, or will when it starts.
    #[must_use]
    pub fn plan(&self, node: NodeId) -> Option<&Plan> {
        self.nodes.get(node.0).map(|node| &node.plan)
    }

    /// Somebody who is no node puts a packet on a segment. It is no disturbance: calm must survive it.
    pub fn inject(&mut self, segment: SegmentId, datagram: &Datagram) {
        self.transmit(NodeId(usize::MAX), segment, datagram);
    }

    /// Whether a node runs and is not frozen.
    #[must_use]
    pub fn is_awake(&self, node: NodeId) -> bool {
        self.nodes.get(node.0).is_some_and(Node::is_awake)
    }

    /// Whether a node runs, frozen or not.
    #[must_use]
    pub fn is_running(&self, node: NodeId) -> bool {
        self.engine(node).is_some()
    }
}
