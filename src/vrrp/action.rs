//! What the outside must do, in the order given. Every action is self-contained: executing one never looks back into
//! the engine.

use super::record::Record;
use super::spec::RouterSpec;
use crate::ids::{PortId, PortKey, RouterId, TrackerId};
use crate::track::TrackerSpec;
use crate::units::{Version, VirtualAddress, Vrid};
use crate::wire::{ChecksumForm, Standing};
use std::net::IpAddr;
use std::sync::Arc;

/// One thing to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// An interface that routers need is there: open its sockets, or open them anew where the specification changed.
    OpenPort {
        /// The handle that packets from these sockets carry.
        port: PortId,
        /// What to open.
        spec: Arc<PortSpec>,
    },
    /// The interface is gone, or nobody needs the port: close its sockets.
    ClosePort {
        /// Which.
        port: PortId,
    },
    /// Send an advertisement now.
    Advertise {
        /// The port to send from.
        port: PortId,
        /// For whom, for its counters.
        router: RouterId,
        /// What to say, and to whom: the group, or each of `spec.peers`.
        spec: Arc<RouterSpec>,
        /// The source address.
        source: IpAddr,
        /// Holding or resigning.
        standing: Standing,
        /// The checksum form for IPv4 VRRPv3.
        checksum: ChecksumForm,
        /// Which of this router's adverts it is, from 1: the sequence number of an Authentication Header.
        sequence: u32,
    },
    /// Put these addresses on the interface (or the macvlan). Holding what is held already is no error.
    Hold {
        /// For whom.
        router: RouterId,
        /// Where and how.
        spec: Arc<RouterSpec>,
        /// Which.
        addresses: Arc<[VirtualAddress]>,
    },
    /// Take these addresses away again.
    Release {
        /// For whom.
        router: RouterId,
        /// From where.
        spec: Arc<RouterSpec>,
        /// Which.
        addresses: Arc<[VirtualAddress]>,
    },
    /// Send one gratuitous ARP or unsolicited neighbour advertisement for each address.
    Announce {
        /// The port to send from.
        port: PortId,
        /// For whom.
        router: RouterId,
        /// On which interface, with which MAC.
        spec: Arc<RouterSpec>,
        /// Which.
        addresses: Arc<[VirtualAddress]>,
    },
    /// Run a check once and report its outcome with [`Event::Check`](crate::engine::Event::Check).
    RunCheck {
        /// Whose outcome it will be.
        tracker: TrackerId,
        /// What to run.
        spec: Arc<TrackerSpec>,
    },
    /// Tell the log, the hooks, the history and whoever follows it.
    Record(Arc<Record>),
}

impl Action {
    /// Whether addresses come or go by it.
    #[must_use]
    pub const fn moves_addresses(&self) -> bool {
        matches!(self, Self::Hold { .. } | Self::Release { .. })
    }
}

/// What one port must listen to.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PortSpec {
    /// Interface and family.
    pub key: PortKey,
    /// The kernel's index of the interface.
    pub index: u32,
    /// Whether any router on it uses multicast.
    pub multicast: bool,
    /// Whether any router on it expects an Authentication Header (IP protocol 51).
    pub ah: bool,
    /// Whether an owner may speak to it from an address that this host holds meanwhile, as its Master.
    pub held_sources: bool,
    /// Those of the identifiers whose routers use the virtual MAC address.
    pub virtual_macs: Arc<[Vrid]>,
    /// What adverts for its routers have in common.
    pub expected: Expected,
}

/// What adverts for the routers of one port have in common: the kernel-side filter is made of it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Expected {
    /// The identifiers configured on the port.
    pub vrids: Arc<[Vrid]>,
    /// The versions that its routers speak.
    pub versions: Arc<[Version]>,
    /// Whether any of its routers takes adverts with a TTL or Hop Limit other than 255.
    pub any_ttl: bool,
    /// From and to where.
    pub origin: Origin,
}

/// Where adverts for the routers of one port come from, and where they go.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Origin {
    /// To the multicast group, for all of them.
    #[default]
    Group,
    /// From one of these, for all of them; in order.
    Peers(Arc<[IpAddr]>),
    /// Some of them use multicast, some unicast.
    Either,
}
