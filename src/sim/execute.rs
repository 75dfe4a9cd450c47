//! What the daemon's executor does with actions, done to the simulated world.

use super::link::Datagram;
use super::node::{Input, Node};
use super::trace::What;
use super::world::{NodeId, SegmentId, World};
use crate::engine::{CheckReport, Outcome};
use crate::ids::{PortId, RouterId};
use crate::time::Timestamp;
use crate::units::{Family, Version};
use crate::vrrp::{Action, Auth, Cause, Role, RouterSpec};
use crate::wire::trailer::Trailer;
use crate::wire::{AuthField, ChecksumForm, Outgoing, Standing};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One advert to put on a wire.
struct Sending<'a> {
    port: PortId,
    router: RouterId,
    spec: &'a RouterSpec,
    source: IpAddr,
    standing: Standing,
    checksum: ChecksumForm,
    sequence: u32,
}

impl World {
    pub(super) fn execute(&mut self, id: NodeId, action: &Action) {
        self.trace.add(self.now, Some(id), What::Action(action.clone()));
        match action {
            &Action::Advertise { port, router, ref spec, source, standing, checksum, sequence, .. } => {
                self.advertise(id, &Sending { port, router, spec, source, standing, checksum, sequence });
            }
            Action::RunCheck { tracker, spec } => {
                let Some(node) = self.nodes.get(id.0).filter(|node| !node.hanging.contains(&spec.name)) else { return };
                let outcome = node.health.get(&spec.name).copied().unwrap_or(Outcome::Passed);
                let took = node.check_time.min(spec.timeout);
                self.answer(id, *tracker, CheckReport { outcome, result: "simulated".into(), took });
            }
            Action::OpenPort { port, spec } => {
                if let Some(node) = self.nodes.get_mut(id.0) {
                    node.ports.insert(*port, spec.clone());
                }
            }
            Action::ClosePort { port } => {
                if self.nodes.get_mut(id.0).is_some_and(|node| node.ports.remove(port).is_none()) {
                    self.violate(format!("node {}: closed port {} which is not open", id.0, port.0));
                }
            }
            Action::Hold { router, addresses, .. } => {
                if let Some(node) = self.nodes.get_mut(id.0) {
                    for &address in addresses.iter() {
                        node.held.insert((*router, address));
                        node.lost.remove(&(*router, address));
                    }
                }
            }
            Action::Release { router, addresses, .. } => {
                for &address in addresses.iter() {
                    let held = (*router, address);
                    let is_known = |node: &mut Node| node.held.remove(&held) || node.lost.remove(&held);
                    if self.nodes.get_mut(id.0).is_some_and(|node| !is_known(node)) {
                        self.violate(format!("node {}: released {address}, which was not held", id.0));
                    }
                }
            }
            Action::Record(record) => {
                let returns = matches!(record.cause, Cause::Transition { from: Role::Fault, .. });
                if returns && self.nodes.get_mut(id.0).is_some_and(|node| std::mem::take(&mut node.interfered)) {
                    self.disturb(Some(id), "returns from its retreat".into());
                }
            }
            Action::Announce { .. } => {}
        }
    }

    fn advertise(&mut self, id: NodeId, sending: &Sending<'_>) {
        let Some(node) = self.nodes.get(id.0) else { return };
        let Some(port) = node.ports.get(&sending.port) else {
            return self.schedule(self.now, id, Input::SendFailed(sending.router));
        };
        let Some(interface) = node.interfaces.iter().find(|interface| interface.name == port.key.interface) else {
            return;
        };
        let (segment, carries) = (interface.segment, interface.carries());
        if !carries {
            return;
        }
        let spec = sending.spec;
        if spec.peers.is_empty() {
            self.transmit(id, segment, &datagram(sending, group(spec.key.family), self.now));
        } else {
            for &peer in spec.peers.iter() {
                self.transmit(id, segment, &datagram(sending, peer, self.now));
            }
        }
    }

    /// Puts a packet on a segment: a group reaches every other node, an address the node that has it.
    pub(super) fn transmit(&mut self, from: NodeId, segment: SegmentId, datagram: &Datagram) {
        let Some(&quality) = self.segments.get(segment.0) else { return };
        let everybody = datagram.destination.is_multicast();
        for to in self.node_ids().filter(|&to| to != from) {
            if self.cuts.contains(&(segment, from, to)) {
                continue;
            }
            for position in 0..self.nodes[to.0].interfaces.len() {
                let interface = &self.nodes[to.0].interfaces[position];
                let meant = everybody || interface.has(datagram.destination);
                if interface.segment != segment || !meant || self.nodes[to.0].engine.is_none() {
                    continue;
                }
                let arrivals = quality.arrivals(&mut self.rng);
                for after in arrivals {
                    let corrupt = self.rng.chance(quality.corruption);
                    let copy = if corrupt { datagram.corrupted(&mut self.rng) } else { datagram.clone() };
                    self.schedule(self.now + after, to, Input::Packet(position, copy));
                }
            }
        }
    }
}

fn datagram(sending: &Sending<'_>, destination: IpAddr, now: Timestamp) -> Datagram {
    let &Sending { spec, source, standing, checksum, .. } = sending;
    let addresses: Vec<IpAddr> = spec.advertised().collect();
    let auth = match spec.auth {
        Auth::Password(data) if spec.version == Version::V2 => AuthField { kind: 1, data },
        _ => AuthField { kind: 0, data: [0; 8] },
    };
    let outgoing = Outgoing {
        version: spec.version,
        vrid: spec.key.vrid,
        standing,
        interval: spec.interval,
        checksum,
        auth,
        source,
        destination,
        addresses: &addresses,
    };
    let mut payload = Vec::new();
    outgoing.encode(&mut payload);
    if let Auth::Hmac(auth) = &spec.auth
        && let Some(key) = auth.signing_key()
    {
        let sequence =
            Trailer::sequence_at(now.since_origin(), u16::try_from(sending.sequence & 0xffff).unwrap_or_default());
        Trailer { key_id: key.id, sequence }.append(source, 0, &key.secret.0, &mut payload);
    }
    Datagram::new(source, destination, 255, &payload)
}

/// The group that adverts of a family go to (RFC 9568, 5.1.1.2 and 5.1.2.2).
pub(super) fn group(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
        Family::Ipv6 => IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12)),
    }
}
