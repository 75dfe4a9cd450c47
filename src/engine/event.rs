//! What the outside tells the engine.

use crate::ids::{InterfaceName, PortId, RouterId, TrackerId};
use crate::units::VirtualAddress;
use crate::wire::Packet;
use pnet_base::MacAddr;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

/// One event.
#[derive(Debug)]
pub enum Event<'a> {
    /// A packet came. It is decoded, judged and counted here.
    Packet {
        /// On which port.
        port: PortId,
        /// As received.
        packet: Packet<'a>,
    },
    /// The clock has reached [`Engine::next_deadline`](super::Engine::next_deadline); harmless when early.
    Tick,
    /// A check has an outcome.
    Check {
        /// Whose.
        tracker: TrackerId,
        /// What it found.
        report: CheckReport,
    },
    /// The kernel's word on an interface, in full, whenever any of it changed.
    Interface {
        /// Which.
        name: InterfaceName,
        /// `None` when it is gone.
        facts: Option<InterfaceFacts>,
    },
    /// An address that a router holds is no longer on the interface.
    AddressLost {
        /// Who holds it.
        router: RouterId,
        /// Which.
        address: VirtualAddress,
        /// Who removed it, where the kernel tells.
        by: Option<Arc<str>>,
    },
    /// A route or rule that a router holds had been removed by somebody, and is there again.
    RouteRestored {
        /// Who holds it.
        router: RouterId,
        /// Which, in words.
        route: Arc<str>,
        /// Who removed it, where the kernel tells.
        by: Option<Arc<str>>,
    },
    /// Somebody says, in ARP or neighbour discovery, where an address is.
    Claim {
        /// On which interface it was heard.
        interface: InterfaceName,
        /// The address.
        address: IpAddr,
        /// The MAC address that it is said to be at.
        mac: MacAddr,
    },
    /// A port could not be opened.
    PortRefused {
        /// Which.
        port: PortId,
        /// What was asked and what the kernel said, and what to do.
        error: Arc<str>,
    },
    /// The kernel refused to add an address for a reason that will not go away by itself.
    AddressRefused {
        /// For whom.
        router: RouterId,
        /// What was asked and what the kernel said.
        error: Arc<str>,
    },
    /// An advert or announcement could not be sent.
    SendFailed {
        /// For whom.
        router: RouterId,
        /// What the kernel said.
        error: Arc<str>,
    },
    /// The kernel-side filter of a port was set or lifted, or has more to tell.
    Filter {
        /// Of which.
        port: PortId,
        /// Whether the kernel drops useless packets now.
        on: bool,
        /// About how many it has dropped since this was last said.
        dropped: u64,
    },
    /// An operator's command.
    Command(Command),
    /// Leave: resign every Master, release every address.
    Shutdown,
}

/// What an operator may ask of a running engine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Command {
    /// Hand over and stay Backup; `router` is the label of a router or sync group, `None` means all.
    Drain {
        /// Which.
        router: Option<Arc<str>>,
        /// Who asked.
        by: Arc<str>,
        /// For how long; `None` is until it is undrained.
        until: Option<Duration>,
        /// Also where nobody takes over.
        force: bool,
    },
    /// Stand in the election again.
    Undrain {
        /// Which.
        router: Option<Arc<str>>,
        /// Who asked.
        by: Arc<str>,
    },
}

/// What the kernel knows of an interface, as far as VRRP needs it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct InterfaceFacts {
    /// The kernel's index.
    pub index: u32,
    /// Administratively up and with a carrier.
    pub up: bool,
    /// Its MAC address, where it has one.
    pub mac: Option<MacAddr>,
    /// The primary IPv4 address: the first one that is not a virtual address of ours.
    pub ipv4: Option<Ipv4Addr>,
    /// The link-local IPv6 address that is not a virtual address of ours.
    pub ipv6: Option<Ipv6Addr>,
    /// Every address on it that is not a virtual address of ours.
    pub addresses: Arc<[VirtualAddress]>,
}

/// What one run of a check found.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CheckReport {
    /// Passed, failed, or a number from a file.
    pub outcome: Outcome,
    /// In words, for operators: `exit status 1`, `connection refused`, `timed out after 500ms`.
    pub result: Arc<str>,
    /// How long it took.
    pub took: Duration,
}

/// The outcome of one run of a check.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Healthy.
    Passed,
    /// Not healthy.
    Failed,
    /// A number, multiplied by the weight (a `file` track). It counts as healthy.
    Value(i32),
}
