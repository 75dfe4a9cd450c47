//! The sockets of one interface and family: adverts in, adverts out.

use super::outbox::Outbox;
use super::sieve::Sieve;
use super::sys::{self, Destination, ReceiveBuffers, Slot};
use crate::ids::{PortKey, RouterId};
use crate::units::Family;
use crate::vrrp::PortSpec;
use crate::wire::{PROTOCOL_AH, PROTOCOL_VRRP, Packet};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, SockFilter, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The group that adverts go to over IPv4 (RFC 9568, 5.1.1.2).
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The group that adverts go to over IPv6 (RFC 9568, 5.1.2.2).
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
/// TTL and Hop Limit of every advert (RFC 9568, 5.1.1.3 and 5.1.2.3).
const TTL: u8 = 255;
/// Internetwork control (CS6), as keepalived and most routers mark adverts.
const TOS: u8 = 0xc0;
/// `TC_PRIO_CONTROL`: adverts overtake bulk traffic in the interface's queue.
const SOCKET_PRIORITY: u32 = 7;
/// Room for a few thousand adverts that wait in a socket (the kernel counts 1 kB and more for each): a stalled daemon,
/// or 255 neighbours at 10 ms, lose none, and a flood takes a tenth of a second to fill it. It is a limit, not an
/// allocation.
const BUFFER: usize = 4 << 20;
/// Batches that opening throws away at most: what arrived between the creation of the socket and its binding.
const STRAYS: usize = 8;

/// Why a port could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("{port}: cannot {what}: {error}{}", help(.error))]
pub struct PortError {
    /// Which port.
    pub port: PortKey,
    /// What was asked of the kernel.
    pub what: &'static str,
    /// What it answered.
    #[source]
    pub error: io::Error,
}

fn help(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "; the daemon needs the capability CAP_NET_RAW",
        Some(libc::ENODEV | libc::ENXIO) => "; the interface has just gone, it is tried again when it comes back",
        Some(libc::EAFNOSUPPORT) => "; this kernel has the address family switched off",
        _ => "",
    }
}

/// One interface and family.
pub struct Port {
    family: Family,
    index: u32,
    vrrp: Socket,
    ah: Option<Socket>,
    outbox: Outbox,
}

impl Port {
    /// Opens the sockets, bound to the interface and in the group where the specification asks for it.
    pub fn open(spec: &PortSpec) -> Result<Self, PortError> {
        let vrrp = open_socket(spec, PROTOCOL_VRRP)?;
        let ah = spec.ah.then(|| open_socket(spec, PROTOCOL_AH)).transpose()?;
        Ok(Self { family: spec.key.family, index: spec.index, vrrp, ah, outbox: Outbox::default() })
    }

    /// Takes over sockets that another daemon opened for the same specification, with the packets that wait in them.
    #[must_use]
    pub fn adopt(spec: &PortSpec, vrrp: OwnedFd, ah: Option<OwnedFd>) -> Self {
        let (family, index) = (spec.key.family, spec.index);
        Self { family, index, vrrp: vrrp.into(), ah: ah.map(Into::into), outbox: Outbox::default() }
    }

    /// The descriptors to wait for: readable when adverts have come.
    pub fn descriptors(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.sockets().map(AsFd::as_fd)
    }

    /// Takes one batch of packets from each socket and hands each to `each`. Returns how many there were; zero when
    /// nothing waits. The caller repeats it, with a bound.
    pub fn receive(&self, buffers: &mut ReceiveBuffers, mut each: impl FnMut(Packet<'_>)) -> io::Result<usize> {
        let mut total = 0;
        for (socket, protocol) in self.by_protocol() {
            let count = receive_some(socket, buffers)?;
            for slot in buffers.received(count) {
                if let Some(packet) = self.packet(slot, protocol) {
                    each(packet);
                }
            }
            total += count;
        }
        Ok(total)
    }

    /// Lets the kernel drop what the sieve refuses, but for one in [`SAMPLE`](super::SAMPLE), from now on. What waits
    /// already is still received. Replaces the sieve that was in force.
    pub fn tighten(&self, sieve: &Sieve) -> io::Result<()> {
        self.by_protocol().try_for_each(|(socket, protocol)| {
            let program: Vec<SockFilter> = sieve.program(protocol).into_iter().map(SockFilter::from).collect();
            socket.attach_filter(&program)
        })
    }

    /// Lets everything through again.
    pub fn loosen(&self) -> io::Result<()> {
        self.sockets().try_for_each(|socket| match socket.detach_filter() {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
            other => other,
        })
    }

    /// Queues one IPv4 advert; `write` appends it with its IP header. To the group, `to` is [`Port::group`]; to peers,
    /// this is called once for each.
    pub fn queue_ipv4(&mut self, router: RouterId, to: Ipv4Addr, write: impl FnOnce(&mut Vec<u8>)) {
        self.outbox.queue(router, Destination::Ipv4(to), write);
    }

    /// Queues one IPv6 advert; `write` appends what follows the IP header, which the kernel makes.
    pub fn queue_ipv6(&mut self, router: RouterId, source: Ipv6Addr, to: Ipv6Addr, write: impl FnOnce(&mut Vec<u8>)) {
        self.outbox.queue(router, Destination::Ipv6 { to, source, index: self.index }, write);
    }

    /// The multicast group of this port's family.
    #[must_use]
    pub const fn group(&self) -> IpAddr {
        match self.family {
            Family::Ipv4 => IpAddr::V4(GROUP_V4),
            Family::Ipv6 => IpAddr::V6(GROUP_V6),
        }
    }

    /// Sends what is queued; each refusal is reported with the router it concerns. Returns how many were sent.
    pub fn flush(&mut self, failed: impl FnMut(RouterId, io::Error)) -> usize {
        self.outbox.flush(self.vrrp.as_fd(), failed)
    }

    fn sockets(&self) -> impl Iterator<Item = &Socket> {
        self.by_protocol().map(|(socket, _)| socket)
    }

    fn by_protocol(&self) -> impl Iterator<Item = (&Socket, u8)> {
        let ah = self.ah.iter().map(|socket| (socket, PROTOCOL_AH));
        std::iter::once((&self.vrrp, PROTOCOL_VRRP)).chain(ah)
    }

    fn packet<'a>(&self, slot: &'a Slot, protocol: u8) -> Option<Packet<'a>> {
        match self.family {
            Family::Ipv4 => parse_ipv4(slot.bytes()),
            Family::Ipv6 => Some(Packet {
                source: slot.source().into(),
                destination: slot.destination?.into(),
                ttl: slot.hop_limit?,
                header: &[],
                protocol,
                payload: slot.bytes(),
            }),
        }
    }
}

fn receive_some(socket: &Socket, buffers: &mut ReceiveBuffers) -> io::Result<usize> {
    match sys::receive_batch(socket.as_fd(), buffers) {
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => Ok(0),
        other => other,
    }
}

/// A packet as an IPv4 raw socket delivers it: with a header that the kernel has checked, and in one piece. Whatever
/// is wrong behind the header is left for the engine to count, so `None` is only for what is no IPv4 packet at all.
fn parse_ipv4(bytes: &[u8]) -> Option<Packet<'_>> {
    let header_length = usize::from(bytes.first()? & 0x0f) * 4;
    let total_length = usize::from(u16::from_be_bytes([*bytes.get(2)?, *bytes.get(3)?]));
    let header = bytes.get(..header_length).filter(|header| header.len() >= 20)?;
    let end = total_length.clamp(header_length, bytes.len());
    let address = |at: usize| Some(Ipv4Addr::from(<[u8; 4]>::try_from(header.get(at..at + 4)?).ok()?));
    Some(Packet {
        source: address(12)?.into(),
        destination: address(16)?.into(),
        ttl: header[8],
        header,
        protocol: header[9],
        payload: &bytes[header_length..end],
    })
}

/// Turns each step's error into a [`PortError`] that names port and step.
struct Opening<'a> {
    port: &'a PortKey,
}

impl Opening<'_> {
    fn step<T, E: Into<io::Error>>(&self, what: &'static str, result: Result<T, E>) -> Result<T, PortError> {
        result.map_err(|error| PortError { port: self.port.clone(), what, error: error.into() })
    }
}

fn open_socket(spec: &PortSpec, protocol: u8) -> Result<Socket, PortError> {
    let opening = Opening { port: &spec.key };
    let domain = match spec.key.family {
        Family::Ipv4 => Domain::IPV4,
        Family::Ipv6 => Domain::IPV6,
    };
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(Protocol::from(i32::from(protocol))));
    let socket = opening.step("open a raw socket", socket)?;
    opening.step("bind to the interface", sys::bind_to_interface(socket.as_fd(), spec.index))?;
    match spec.key.family {
        Family::Ipv4 => configure_v4(&socket, spec, &opening)?,
        Family::Ipv6 => configure_v6(&socket, spec, &opening)?,
    }
    opening.step("set the socket priority", socket.set_priority(SOCKET_PRIORITY))?;
    // Past the system's limit where we may, up to it otherwise: only ever an improvement.
    if setsockopt(&socket, sockopt::RcvBufForce, &BUFFER).is_err() {
        opening.step("size the receive buffer", socket.set_recv_buffer_size(BUFFER))?;
    }
    if setsockopt(&socket, sockopt::SndBufForce, &BUFFER).is_err() {
        opening.step("size the send buffer", socket.set_send_buffer_size(BUFFER))?;
    }
    opening.step("discard strays", discard_strays(&socket))?;
    Ok(socket)
}

fn configure_v4(socket: &Socket, spec: &PortSpec, opening: &Opening<'_>) -> Result<(), PortError> {
    opening.step("send with our own headers", socket.set_header_included_v4(true))?;
    opening.step("switch the multicast loop off", socket.set_multicast_loop_v4(false))?;
    // Otherwise a group that any other socket of the host has joined is delivered here as well.
    opening.step("limit multicast to our own group", socket.set_multicast_all_v4(false))?;
    if spec.multicast {
        let interface = InterfaceIndexOrAddress::Index(spec.index);
        opening.step("join 224.0.0.18", socket.join_multicast_v4_n(&GROUP_V4, &interface))?;
    }
    Ok(())
}

fn configure_v6(socket: &Socket, spec: &PortSpec, opening: &Opening<'_>) -> Result<(), PortError> {
    // IPV6_CHECKSUM stays off, as it is by default: with it the kernel drops what we want to count.
    opening.step("receive hop limits", socket.set_recv_hoplimit_v6(true))?;
    opening.step("receive destinations", setsockopt(socket, sockopt::Ipv6RecvPacketInfo, &true))?;
    opening.step("set the multicast hop limit", socket.set_multicast_hops_v6(u32::from(TTL)))?;
    opening.step("set the hop limit", socket.set_unicast_hops_v6(u32::from(TTL)))?;
    opening.step("set the traffic class", socket.set_tclass_v6(u32::from(TOS)))?;
    opening.step("switch the multicast loop off", socket.set_multicast_loop_v6(false))?;
    opening.step("limit multicast to our own group", socket.set_multicast_all_v6(false))?;
    if spec.multicast {
        opening.step("join ff02::12", socket.join_multicast_v6(&GROUP_V6, spec.index))?;
    }
    Ok(())
}

/// A raw socket receives from every interface until it is bound: what came in that moment is none of ours.
fn discard_strays(socket: &Socket) -> io::Result<()> {
    let mut buffers = ReceiveBuffers::new();
    for _ in 0..STRAYS {
        if receive_some(socket, &mut buffers)? == 0 {
            break;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(total_length: u16) -> Vec<u8> {
        let mut header = vec![0x45, 0xc0, 0, 0, 0, 7, 0, 0, 255, 112, 0, 0, 192, 0, 2, 1, 224, 0, 0, 18];
        header[2..4].copy_from_slice(&total_length.to_be_bytes());
        header
    }

    #[test]
    fn the_payload_ends_where_the_header_says_so() {
        let mut bytes = header(28);
        bytes.extend_from_slice(&[0xa5; 26]);
        let packet = parse_ipv4(&bytes).expect("a whole header");
        assert_eq!(packet.payload, [0xa5; 8]);
        assert_eq!((packet.ttl, packet.protocol, packet.header.len()), (255, 112, 20));
        assert_eq!(packet.source, IpAddr::from([192, 0, 2, 1]));
        assert_eq!(packet.destination, IpAddr::from(GROUP_V4));
    }

    #[test]
    fn no_cut_or_false_header_panics() {
        let mut bytes = header(2000);
        bytes.extend_from_slice(&[0; 8]);
        assert_eq!(parse_ipv4(&bytes).expect("a whole header").payload.len(), 8);
        for length in 0..20 {
            assert_eq!(parse_ipv4(&bytes[..length]), None, "{length} octets");
        }
        for ihl in 0..=15 {
            bytes[0] = 0x40 | ihl;
            let _ = parse_ipv4(&bytes);
        }
    }
}
