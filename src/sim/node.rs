//! One simulated host: its engine, its kernel as far as VRRP can tell, and the health of what it tracks.

use super::link::Datagram;
use super::world::SegmentId;
use crate::engine::{CheckReport, Command, Engine, InterfaceFacts, Outcome, Plan};
use crate::ids::{InterfaceName, PortId, RouterId, TrackerId};
use crate::units::VirtualAddress;
use crate::vrrp::PortSpec;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// Packets that a receive buffer holds while nobody reads it; later ones are dropped, as a kernel does.
pub(super) const SOCKET_BUFFER: usize = 256;

/// A host.
#[derive(Debug)]
pub(super) struct Node {
    pub(super) name: Arc<str>,
    pub(super) plan: Plan,
    /// `None` while it is crashed or stopped.
    pub(super) engine: Option<Engine>,
    /// Counts its starts: what was under way for an earlier one never arrives.
    pub(super) epoch: u32,
    pub(super) frozen: bool,
    pub(super) waiting: Waiting,
    pub(super) interfaces: Vec<Interface>,
    pub(super) ports: BTreeMap<PortId, Arc<PortSpec>>,
    pub(super) held: BTreeSet<(RouterId, VirtualAddress)>,
    /// What somebody else removed of it, and nobody has put back or released since.
    pub(super) lost: BTreeSet<(RouterId, VirtualAddress)>,
    /// What its checks find; healthy where nothing stands.
    pub(super) health: BTreeMap<Arc<str>, Outcome>,
    /// Checks that never answer.
    pub(super) hanging: BTreeSet<Arc<str>>,
    /// Somebody removed what it held: it may retreat, and returns of its own accord.
    pub(super) interfered: bool,
    /// How long its checks take.
    pub(super) check_time: Duration,
}

/// What waits for a frozen process, in the order in which the driver drains it.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) packets: VecDeque<(PortId, Datagram)>,
    pub(super) others: VecDeque<Input>,
}

/// What reaches a node, apart from its timer.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// On the interface with this position.
    Packet(usize, Datagram),
    /// The interface with this position changed.
    Interface(usize),
    SendFailed(RouterId),
    Check(TrackerId, CheckReport),
    Command(Command),
}

impl Input {
    /// The driver's order within one wake: sockets, kernel notices, then check results and commands.
    pub(super) fn class(&self) -> u8 {
        match self {
            Self::Packet(..) => 0,
            Self::Interface(_) | Self::SendFailed(_) => 1,
            Self::Check(..) | Self::Command(_) => 2,
        }
    }
}

/// A network interface.
#[derive(Clone, Debug)]
pub(super) struct Interface {
    pub(super) name: InterfaceName,
    pub(super) segment: SegmentId,
    pub(super) index: u32,
    pub(super) present: bool,
    pub(super) up: bool,
    pub(super) ipv4: Ipv4Addr,
    pub(super) ipv6: Ipv6Addr,
    /// Every address on it where the scenario gives them, with the two above where it gives those.
    pub(super) more: Arc<[IpAddr]>,
}

impl Interface {
    pub(super) fn carries(&self) -> bool {
        self.present && self.up
    }

    pub(super) fn has(&self, address: IpAddr) -> bool {
        address == IpAddr::V4(self.ipv4) || address == IpAddr::V6(self.ipv6) || self.more.contains(&address)
    }

    fn further(&self) -> impl Iterator<Item = IpAddr> {
        self.more.iter().copied().filter(|&address| address != self.ipv4 && address != self.ipv6)
    }

    pub(super) fn facts(&self) -> Option<InterfaceFacts> {
        self.present.then(|| InterfaceFacts {
            index: self.index,
            up: self.up,
            mac: None,
            ipv4: Some(self.ipv4),
            ipv6: Some(self.ipv6),
            addresses: [
                VirtualAddress { ip: self.ipv4.into(), prefix: 24 },
                VirtualAddress { ip: self.ipv6.into(), prefix: 64 },
            ]
            .into_iter()
            .chain(self.further().map(VirtualAddress::host))
            .collect(),
        })
    }
}

impl Node {
    pub(super) fn is_awake(&self) -> bool {
        self.engine.is_some() && !self.frozen
    }

    /// The port that listens on an interface for packets of the family of `destination`.
    pub(super) fn port_on(&self, interface: &Interface, destination: IpAddr) -> Option<PortId> {
        let family = crate::units::Family::of(destination);
        let listens = |spec: &PortSpec| spec.key.interface == interface.name && spec.key.family == family;
        self.ports.iter().find(|(_, spec)| listens(spec)).map(|(&port, _)| port)
    }
}
