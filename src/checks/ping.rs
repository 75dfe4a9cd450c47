//! An ICMP echo (RFC 792, RFC 4443 4.1).

use super::Finding;
use pnet_packet::icmp::IcmpPacket;
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Sent along, and to come back unchanged.
const PAYLOAD: &[u8] = b"vrrpd echo";
/// What has room for the longest IPv4 header, the ICMP header and the payload.
const BUFFER: usize = 128;

#[derive(Debug, thiserror::Error)]
enum PingFailure {
    #[error("no socket for ICMP: {0}: the daemon needs CAP_NET_RAW")]
    Socket(io::Error),
    /// A router's or the kernel's word that there is no way.
    #[error("{0}")]
    Unreachable(io::Error),
}

/// Sends one echo request and waits for its reply; the caller sets the limit.
pub(super) async fn check(target: IpAddr) -> Finding {
    echo(target).await.map_err(|failure| failure.to_string())
}

async fn echo(target: IpAddr) -> Result<String, PingFailure> {
    let (socket, raw) = open(target).map_err(PingFailure::Socket)?;
    // From now on it hears from the target only.
    socket.connect(SocketAddr::new(target, 0)).await.map_err(PingFailure::Unreachable)?;
    let echo = Echo::next(target);
    socket.send(&echo.request()).await.map_err(PingFailure::Unreachable)?;
    let mut buffer = [0; BUFFER];
    loop {
        let length = socket.recv(&mut buffer).await.map_err(PingFailure::Unreachable)?;
        if echo.is_answered_by(&buffer[..length], raw) {
            return Ok("echo reply".into());
        }
    }
}

/// A socket for echoes, and whether it is a raw one. The unprivileged kind is tried first: the
/// kernel then sorts out whose reply it is. Where the system forbids it (`net.ipv4.ping_group_range`), a raw one.
///
/// It travels as a `UdpSocket`, whose `send` and `recv` are the same system calls: so the runtime can wait for it.
fn open(target: IpAddr) -> io::Result<(tokio::net::UdpSocket, bool)> {
    let (domain, protocol) = match target {
        IpAddr::V4(_) => (Domain::IPV4, Protocol::ICMPV4),
        IpAddr::V6(_) => (Domain::IPV6, Protocol::ICMPV6),
    };
    let open = |kind| Socket::new(domain, kind, Some(protocol));
    let (socket, raw) = match open(Type::DGRAM) {
        Ok(socket) => (socket, false),
        Err(_) => (open(Type::RAW)?, true),
    };
    socket.set_nonblocking(true)?;
    Ok((tokio::net::UdpSocket::from_std(UdpSocket::from(socket))?, raw))
}

/// One echo, told from all others of this process by its sequence number, and on a raw socket from other processes' by
/// its identifier.
struct Echo {
    target: IpAddr,
    identifier: u16,
    sequence: u16,
}

impl Echo {
    fn next(target: IpAddr) -> Self {
        static SEQUENCE: AtomicU16 = AtomicU16::new(1);
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let identifier = u16::from_be_bytes([high, low]);
        Self { target, identifier, sequence: SEQUENCE.fetch_add(1, Ordering::Relaxed) }
    }

    fn types(&self) -> (u8, u8) {
        match self.target {
            IpAddr::V4(_) => (8, 0),
            IpAddr::V6(_) => (128, 129),
        }
    }

    /// Of IPv6 the kernel fills in the checksum.
    fn request(&self) -> Vec<u8> {
        let mut message = vec![self.types().0, 0, 0, 0];
        message.extend_from_slice(&self.identifier.to_be_bytes());
        message.extend_from_slice(&self.sequence.to_be_bytes());
        message.extend_from_slice(PAYLOAD);
        if self.target.is_ipv4()
            && let Some(packet) = IcmpPacket::new(&message)
        {
            let checksum = pnet_packet::icmp::checksum(&packet);
            message[2..4].copy_from_slice(&checksum.to_be_bytes());
        }
        message
    }

    fn is_answered_by(&self, received: &[u8], raw: bool) -> bool {
        let message = match self.target {
            IpAddr::V4(_) if raw => after_ip_header(received),
            _ => Some(received),
        };
        let Some([kind, 0, _, _, id0, id1, seq0, seq1, payload @ ..]) = message else { return false };
        // The kernel replaces the identifier on an unprivileged socket.
        *kind == self.types().1
            && (!raw || u16::from_be_bytes([*id0, *id1]) == self.identifier)
            && u16::from_be_bytes([*seq0, *seq1]) == self.sequence
            && payload == PAYLOAD
    }
}

/// A raw IPv4 socket delivers the IP header too (RFC 791: its length in words is the low half of the first octet).
fn after_ip_header(packet: &[u8]) -> Option<&[u8]> {
    let words = packet.first()? & 0x0f;
    packet.get(usize::from(words) * 4..)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn echo(target: IpAddr) -> Echo {
        Echo { target, identifier: 0x1234, sequence: 0x0007 }
    }

    fn reply(kind: u8) -> Vec<u8> {
        [&[kind, 0, 0xaa, 0xaa, 0x12, 0x34, 0x00, 0x07], PAYLOAD].concat()
    }

    #[test]
    fn a_request_has_the_checksum_of_rfc_792() {
        let message = echo(Ipv4Addr::LOCALHOST.into()).request();
        let words = message.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
        let sum: u32 = words.sum();
        assert_eq!((sum & 0xffff) + (sum >> 16), 0xffff);
        assert_eq!(message[..2], [8, 0]);
        assert_eq!(message[4..8], [0x12, 0x34, 0x00, 0x07]);
    }

    #[test]
    fn only_its_own_reply_answers_it() {
        let (v4, v6) = (echo(Ipv4Addr::LOCALHOST.into()), echo(Ipv6Addr::LOCALHOST.into()));
        let header = [&[0x46][..], &[0; 23]].concat();
        assert!(v4.is_answered_by(&reply(0), false));
        assert!(v4.is_answered_by(&[header.clone(), reply(0)].concat(), true));
        assert!(v6.is_answered_by(&reply(129), true));

        assert!(!v4.is_answered_by(&reply(8), false), "the request itself, on loopback");
        assert!(!v6.is_answered_by(&reply(0), true));
        let mut other = reply(0);
        other[7] = 8;
        assert!(!v4.is_answered_by(&other, false), "another sequence number");
        let mut other = reply(129);
        other[5] = 0;
        assert!(!v6.is_answered_by(&other, true), "another process");
        for length in 0..reply(0).len() {
            assert!(!v4.is_answered_by(&reply(0)[..length], false), "cut to {length}");
            assert!(!v4.is_answered_by(&[&header, &reply(0)[..length]].concat(), true), "cut to {length}");
        }
    }
}
