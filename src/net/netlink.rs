//! Requests to the kernel: adding and removing addresses, listing links and addresses.

use super::message::{Envelope, KernelAddress, LinkState, Message, each_message};
use crate::units::VirtualAddress;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use netlink_packet_route::link::LinkMessage;
use netlink_packet_route::route::{RouteMessage, RouteProtocol};
use netlink_packet_route::rule::RuleMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::sys::socket::{setsockopt, sockopt};
use std::io;
use std::net::IpAddr;
use std::time::Duration;

/// The address protocol (`IFA_PROTO`, Linux 5.18 and later) that marks an address as put there by `vrrpd`, so that it
/// is recognised after a crash. 112 is the IP protocol number of VRRP; the kernel itself uses 1 to 3, the rest is free.
pub const ADDRESS_PROTOCOL: u8 = 112;

/// Requests in one message. Each answer takes about 1 kB of the socket's buffer, and all of them wait there before the
/// first is read.
const BATCH: usize = 128;
/// Well above what the answers of one batch need.
const ANSWERS: usize = 1 << 20;
/// The kernel fills at most 32 kB at a time in a dump.
const READ: usize = 64 << 10;
/// A dump that is interrupted by changes is asked for again this often.
const DUMP_ATTEMPTS: usize = 8;
/// The metric of a route that any other to the same place comes before.
const LAST_RESORT: u32 = 0x7fff_ffff;
/// A lifetime in the kernel that does not end.
const FOREVER: u32 = u32::MAX;

/// Why a request failed as a whole.
#[derive(Debug, thiserror::Error)]
pub enum NetlinkError {
    /// The socket could not be made.
    #[error("cannot open a netlink socket: {0}")]
    Open(#[source] io::Error),
    /// The kernel took none of the requests.
    #[error("cannot send a netlink request: {0}")]
    Send(#[source] io::Error),
    /// The answers could not be read.
    #[error("cannot read the answer to a netlink request: {0}; the request will be repeated")]
    Receive(#[source] io::Error),
    /// A listing was refused.
    #[error("the kernel does not list its {what}: {error}")]
    Dump {
        /// Links, addresses, routes or rules.
        what: &'static str,
        /// The kernel's word.
        #[source]
        error: io::Error,
    },
    /// The tables changed faster than they could be read.
    #[error("the kernel's {0} change faster than they can be listed")]
    Unsteady(&'static str),
}

/// Something to change about an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AddressChange {
    /// The interface's index.
    pub index: u32,
    /// The address with its prefix length.
    pub address: VirtualAddress,
    /// The interface is a macvlan of ours: the route to the address's subnet comes after the one by the interface below.
    pub vmac: bool,
    /// What to do.
    pub change: Change,
}

/// What to do with an address.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Change {
    /// Put it on the interface. One that is there already is refused with `EEXIST` and stays as it is.
    Add {
        /// After which the kernel removes it by itself, unless it is renewed before; in whole seconds. `None`: never.
        lifetime: Option<Duration>,
    },
    /// Let the lifetime of one of ours start anew; one that is not there is put there.
    Renew {
        /// As for [`Change::Add`].
        lifetime: Option<Duration>,
    },
    /// Take it away. One that is not there is no error.
    Remove,
}

/// Who changes addresses: the kernel, or a test's idea of it.
pub trait AddressKernel {
    /// Makes all changes in order. `refused` is told the position and the reason of each that the kernel refuses; an
    /// error says that it is unknown which of them were made.
    fn change_addresses(
        &mut self,
        changes: &[AddressChange],
        refused: &mut dyn FnMut(usize, io::Error),
    ) -> Result<(), NetlinkError>;
}

/// A netlink socket for requests. The kernel answers while it takes the request, so nothing here ever waits.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Netlink {
    /// Opens the socket.
    pub fn open() -> Result<Self, NetlinkError> {
        let socket = open_socket(NETLINK_ROUTE, 0, ANSWERS).map_err(NetlinkError::Open)?;
        Ok(Self { socket, sequence: 0, request: Vec::new(), answer: Vec::with_capacity(READ) })
    }

    /// Every address of the host (of this network namespace).
    pub fn addresses(&mut self) -> Result<Vec<KernelAddress>, NetlinkError> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump("addresses", &request, |message| match message {
            Message::Address(address) => Some(address),
            _ => None,
        })
    }

    /// Every link of the host (of this network namespace).
    pub fn links(&mut self) -> Result<Vec<LinkState>, NetlinkError> {
        let request = RouteNetlinkMessage::GetLink(LinkMessage::default());
        self.dump("links", &request, |message| match message {
            Message::Link(link) => Some(link),
            _ => None,
        })
    }

    /// The routes of one family that carry our protocol number. Where the kernel can, it leaves the others out itself.
    pub(super) fn our_routes(&mut self, family: AddressFamily) -> Result<Vec<RouteMessage>, NetlinkError> {
        let mut request = RouteMessage::default();
        request.header.address_family = family;
        request.header.protocol = RouteProtocol::Other(ADDRESS_PROTOCOL);
        let strict = self.socket.set_netlink_get_strict_chk(true).is_ok();
        let found = self.dump("routes", &RouteNetlinkMessage::GetRoute(request), |message| match message {
            Message::Route(route) => Some(*route),
            _ => None,
        });
        if strict {
            let _ = self.socket.set_netlink_get_strict_chk(false);
        }
        found
    }

    /// The rules of one family that carry our protocol number.
    pub(super) fn our_rules(&mut self, family: AddressFamily) -> Result<Vec<RuleMessage>, NetlinkError> {
        let mut request = RuleMessage::default();
        request.header.family = family;
        self.dump("rules", &RouteNetlinkMessage::GetRule(request), |message| match message {
            Message::Rule(rule) => Some(*rule),
            _ => None,
        })
    }

    fn dump<T>(
        &mut self,
        what: &'static str,
        request: &RouteNetlinkMessage,
        select: impl Fn(Message) -> Option<T>,
    ) -> Result<Vec<T>, NetlinkError> {
        for _ in 0..DUMP_ATTEMPTS {
            let (mut found, mut steady) = (Vec::new(), true);
            self.request.clear();
            let asked = self.append(request.clone(), NLM_F_REQUEST | NLM_F_DUMP);
            self.send()?;
            let mut end = None;
            while end.is_none() {
                self.read(|envelope, message| {
                    if envelope.sequence == asked {
                        steady &= !envelope.interrupted;
                        match message {
                            Message::Outcome(outcome) => end = Some(outcome),
                            other => found.extend(select(other)),
                        }
                    }
                })?;
            }
            end.unwrap_or(Ok(())).map_err(|error| NetlinkError::Dump { what, error })?;
            if steady {
                return Ok(found);
            }
        }
        Err(NetlinkError::Unsteady(what))
    }

    /// Appends one request to the message and returns its sequence number.
    fn append(&mut self, request: RouteNetlinkMessage, flags: u16) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        let mut header = NetlinkHeader::default();
        header.flags = flags;
        header.sequence_number = self.sequence;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(request));
        message.finalize();
        let start = self.request.len();
        self.request.resize((start + message.buffer_len()).next_multiple_of(4), 0);
        message.serialize(&mut self.request[start..]);
        self.sequence
    }

    fn send(&self) -> Result<(), NetlinkError> {
        self.socket.send_to(&self.request, &SocketAddr::new(0, 0), 0).map(drop).map_err(NetlinkError::Send)
    }

    fn read(&mut self, each: impl FnMut(Envelope, Message)) -> Result<(), NetlinkError> {
        self.answer.clear();
        self.socket.recv(&mut self.answer, 0).map_err(NetlinkError::Receive)?;
        each_message(&self.answer, each);
        Ok(())
    }

    /// One request of any kind, and its answer.
    pub(super) fn ask(&mut self, request: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.request.clear();
        let asked = self.append(request, flags);
        self.send().map_err(io::Error::other)?;
        let mut answer = None;
        while answer.is_none() {
            self.read(|envelope, message| {
                if let (true, Message::Outcome(outcome)) = (envelope.sequence == asked, message) {
                    answer = Some(outcome);
                }
            })
            .map_err(io::Error::other)?;
        }
        answer.unwrap_or(Ok(()))
    }

    fn change_batch(
        &mut self,
        changes: &[AddressChange],
        mut refused: impl FnMut(usize, io::Error),
    ) -> Result<(), NetlinkError> {
        self.request.clear();
        let first = self.sequence.wrapping_add(1);
        for change in changes {
            self.append_change(change);
        }
        self.send()?;
        let mut answered = 0;
        while answered < changes.len() {
            self.read(|envelope, message| {
                let Ok(position) = usize::try_from(envelope.sequence.wrapping_sub(first)) else { return };
                let (Some(change), Message::Outcome(outcome)) = (changes.get(position), message) else { return };
                answered += 1;
                if let Err(error) = outcome
                    && !is_harmless(change.change, &error)
                {
                    refused(position, error);
                }
            })?;
        }
        Ok(())
    }

    fn append_change(&mut self, change: &AddressChange) {
        let message = address_message(change);
        let create = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
        match change.change {
            Change::Add { .. } => {
                self.append(RouteNetlinkMessage::NewAddress(message), create | NLM_F_EXCL);
            }
            Change::Renew { .. } => {
                self.append(RouteNetlinkMessage::NewAddress(message), create | NLM_F_REPLACE);
            }
            Change::Remove => {
                self.append(RouteNetlinkMessage::DelAddress(message), NLM_F_REQUEST | NLM_F_ACK);
            }
        }
    }
}

impl AddressKernel for Netlink {
    fn change_addresses(
        &mut self,
        changes: &[AddressChange],
        refused: &mut dyn FnMut(usize, io::Error),
    ) -> Result<(), NetlinkError> {
        for (number, batch) in changes.chunks(BATCH).enumerate() {
            self.change_batch(batch, |position, error| refused(number * BATCH + position, error))?;
        }
        Ok(())
    }
}

/// Opens a non-blocking netlink socket that hears the multicast groups of the bit mask.
pub(super) fn open_socket(protocol: isize, groups: u32, buffer: usize) -> io::Result<Socket> {
    let mut socket = Socket::new(protocol)?;
    socket.set_non_blocking(true)?;
    // Answers without a copy of the request: they take less of the buffer.
    socket.set_cap_ack(true)?;
    if setsockopt(&socket, sockopt::RcvBufForce, &buffer).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &buffer)?;
    }
    socket.bind(&SocketAddr::new(0, groups))?;
    Ok(socket)
}

/// The state that was asked for is there already. A link that is gone took its addresses with it.
fn is_harmless(change: Change, error: &io::Error) -> bool {
    match change {
        Change::Add { .. } | Change::Renew { .. } => false,
        Change::Remove => matches!(error.raw_os_error(), Some(libc::EADDRNOTAVAIL | libc::ENODEV)),
    }
}

fn address_message(change: &AddressChange) -> AddressMessage {
    let VirtualAddress { ip, prefix } = change.address;
    let mut message = AddressMessage::default();
    message.header.family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.prefix_len = prefix;
    message.header.index = change.index;
    message.header.scope = match ip {
        IpAddr::V6(ip) if ip.is_unicast_link_local() => AddressScope::Link,
        _ => AddressScope::Universe,
    };
    message.attributes = vec![AddressAttribute::Local(ip), AddressAttribute::Address(ip)];
    if let Change::Add { lifetime } | Change::Renew { lifetime } = change.change {
        message.attributes.push(AddressAttribute::Protocol(AddressProtocol::Other(ADDRESS_PROTOCOL)));
        if change.vmac {
            message.attributes.push(AddressAttribute::RoutePriority(LAST_RESORT));
        }
        if ip.is_ipv6() {
            // A new Master answers at once; the peer that still has the address is the one being replaced.
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        if let Some(lifetime) = lifetime {
            // Zero would be refused.
            let seconds = u32::try_from(lifetime.as_secs()).unwrap_or(FOREVER).max(1);
            let mut cache = CacheInfo::default();
            cache.ifa_valid = seconds;
            cache.ifa_preferred = seconds;
            message.attributes.push(AddressAttribute::CacheInfo(cache));
        }
    }
    message
}
