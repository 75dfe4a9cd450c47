//! Whether a neighbour answers an ARP request (RFC 826) on an interface.

use super::Finding;
use crate::ids::InterfaceName;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{LinkAddr, SockaddrIn, SockaddrStorage, bind};
use pnet_base::MacAddr;
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet_packet::ethernet::{EtherTypes, MutableEthernetPacket};
use socket2::{Domain, Protocol, Socket, Type};
use std::io;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::os::fd::AsRawFd;

/// Octets of an Ethernet header and of an ARP packet for IPv4.
const HEADER: usize = 14;
const PACKET: usize = 28;
/// How a reply begins: Ethernet, IPv4, their lengths, operation 2.
const REPLY: [u8; 8] = [0, 1, 8, 0, 6, 4, 0, 2];

#[derive(Debug, thiserror::Error)]
enum ArpFailure {
    #[error("ARP is for IPv4 addresses: use ping for {0}")]
    NotIpv4(IpAddr),
    #[error("there is no interface {0}, or it is not an Ethernet one")]
    NoInterface(InterfaceName),
    #[error("no socket for ARP on {interface}: {source}: the daemon needs CAP_NET_RAW")]
    Socket { interface: InterfaceName, source: io::Error },
    #[error("{interface}: {source}")]
    Interface { interface: InterfaceName, source: io::Error },
}

/// Sends one request and waits for the reply; the caller sets the limit.
pub(super) async fn check(target: IpAddr, interface: &InterfaceName) -> Finding {
    ask(target, interface).await.map_err(|failure| failure.to_string())
}

async fn ask(target: IpAddr, interface: &InterfaceName) -> Result<String, ArpFailure> {
    let IpAddr::V4(target) = target else { return Err(ArpFailure::NotIpv4(target)) };
    let failed = |source| ArpFailure::Interface { interface: interface.clone(), source };
    let asker = Asker::on(interface).map_err(failed)?.ok_or_else(|| ArpFailure::NoInterface(interface.clone()))?;
    let refused = |source| ArpFailure::Socket { interface: interface.clone(), source };
    let socket = open(&asker.link).map_err(refused)?;
    match socket.send(&asker.request(target)).await {
        // A link that loses its carrier drops what is sent: as good as lost on the way.
        Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
        sent => drop(sent.map_err(failed)?),
    }
    let mut frame = [0; 128];
    loop {
        let length = socket.recv(&mut frame).await.map_err(failed)?;
        if let Some(mac) = asker.answer(target, &frame[..length]) {
            return Ok(format!("is at {mac}"));
        }
    }
}

/// A packet socket on that interface that hears ARP only.
///
/// It travels as a `UdpSocket`, whose `send` and `recv` are the same system calls: so the runtime can wait for it.
fn open(link: &LinkAddr) -> io::Result<tokio::net::UdpSocket> {
    // The kernel takes the number in network order.
    let protocol = Protocol::from(i32::from(EtherTypes::Arp.0.to_be()));
    let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol))?;
    // The address names no protocol: the socket keeps its own.
    bind(socket.as_raw_fd(), link)?;
    socket.set_nonblocking(true)?;
    tokio::net::UdpSocket::from_std(UdpSocket::from(socket))
}

/// Who asks.
struct Asker {
    link: LinkAddr,
    mac: MacAddr,
    /// The first address of the interface; without one it asks as a prober does, with 0.0.0.0 (RFC 5227, 2.1).
    address: Ipv4Addr,
}

impl Asker {
    fn on(interface: &InterfaceName) -> io::Result<Option<Self>> {
        let all = getifaddrs()?.filter(|entry| entry.interface_name == interface.as_str());
        let addresses: Vec<SockaddrStorage> = all.filter_map(|entry| entry.address).collect();
        let link = addresses.iter().find_map(SockaddrStorage::as_link_addr).copied();
        let ipv4 = addresses.iter().find_map(SockaddrStorage::as_sockaddr_in).map(SockaddrIn::ip);
        let ask = |link: LinkAddr| {
            let mac = MacAddr::from(link.addr()?);
            Some(Self { link, mac, address: ipv4.unwrap_or(Ipv4Addr::UNSPECIFIED) })
        };
        Ok(link.and_then(ask))
    }

    fn request(&self, target: Ipv4Addr) -> [u8; HEADER + PACKET] {
        let mut frame = [0; HEADER + PACKET];
        let (header, packet) = frame.split_at_mut(HEADER);
        let mut ethernet = MutableEthernetPacket::new(header).expect("14 octets hold an Ethernet header");
        ethernet.set_destination(MacAddr::broadcast());
        ethernet.set_source(self.mac);
        ethernet.set_ethertype(EtherTypes::Arp);
        let mut arp = MutableArpPacket::new(packet).expect("28 octets hold an ARP packet");
        arp.set_hardware_type(ArpHardwareTypes::Ethernet);
        arp.set_protocol_type(EtherTypes::Ipv4);
        arp.set_hw_addr_len(6);
        arp.set_proto_addr_len(4);
        arp.set_operation(ArpOperations::Request);
        arp.set_sender_hw_addr(self.mac);
        arp.set_sender_proto_addr(self.address);
        arp.set_target_proto_addr(target);
        frame
    }

    /// The MAC address, where the frame is the reply to us.
    fn answer(&self, target: Ipv4Addr, frame: &[u8]) -> Option<MacAddr> {
        let (_, packet) = frame.split_at_checked(HEADER)?;
        let (mac, rest) = packet.strip_prefix(&REPLY)?.split_first_chunk::<6>()?;
        let (address, to) = rest.split_first_chunk::<4>()?;
        (Ipv4Addr::from(*address) == target && to.starts_with(&self.mac.octets())).then(|| MacAddr::from(*mac))
    }
}
