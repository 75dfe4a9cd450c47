//! Frames to values: VRRP adverts, ARP, and neighbour advertisements. Written from the RFCs, apart from `vrrpd`'s own decoder on purpose.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::Stamp;

/// A frame of interest, and when the kernel saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// When it came in at, or went out of, the capturing interface.
    pub at: Stamp,
    /// The Ethernet source address.
    pub source_mac: [u8; 6],
    /// What it said.
    pub packet: Packet,
    /// The whole frame.
    pub frame: Vec<u8>,
}

/// The protocols that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Packet {
    /// A VRRP advertisement.
    Advert(Advert),
    /// An ARP request or reply.
    Arp(Arp),
    /// An IPv6 neighbour advertisement.
    NeighbourAdvertisement(NeighbourAdvertisement),
    /// Anything else, from a capture of everything.
    Other,
}

/// A VRRP advertisement, valid or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Advert {
    /// 2 or 3.
    pub version: u8,
    /// The virtual router's number.
    pub vrid: u8,
    /// 0 is a resignation.
    pub priority: u8,
    /// The advertisement interval.
    pub interval: Duration,
    /// Whose.
    pub source: IpAddr,
    /// The IP header's TTL or hop limit.
    pub ttl: u8,
    /// The virtual addresses, in wire order.
    pub addresses: Vec<IpAddr>,
    /// Which form of the checksum is right.
    pub checksum: Checksum,
}

/// What a checksum was computed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checksum {
    /// The message alone: version 2, and version 3 over IPv4 as RFC 9568 has it.
    Message,
    /// The message and a pseudo-header: IPv6, and version 3 over IPv4 as RFC 5798 is deployed.
    PseudoHeader,
    /// Neither.
    Wrong,
}

/// An ARP packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arp {
    /// 1 is a request, 2 a reply.
    pub operation: u16,
    /// Who has the address.
    pub sender_mac: [u8; 6],
    /// The address announced.
    pub sender: Ipv4Addr,
    /// The address asked for, or asked by.
    pub target: Ipv4Addr,
}

/// A neighbour advertisement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NeighbourAdvertisement {
    /// The address announced.
    pub target: Ipv6Addr,
    /// Whether it answers a solicitation.
    pub solicited: bool,
}

impl Event {
    /// The advert in it.
    #[must_use]
    pub fn advert(&self) -> Option<&Advert> {
        if let Packet::Advert(advert) = &self.packet { Some(advert) } else { None }
    }

    /// The address that a gratuitous ARP or an unsolicited neighbour advertisement in it announces.
    #[must_use]
    pub fn announced(&self) -> Option<IpAddr> {
        match &self.packet {
            Packet::Arp(arp) if arp.sender == arp.target => Some(arp.sender.into()),
            Packet::NeighbourAdvertisement(na) if !na.solicited => Some(na.target.into()),
            _ => None,
        }
    }
}

/// Reads one Ethernet frame; `None` if it is nothing of interest.
pub(crate) fn decode(at: Stamp, frame: &[u8]) -> Option<Event> {
    let source_mac = array(frame, 6)?;
    let payload = frame.get(14..)?;
    let packet = match u16::from_be_bytes(array(frame, 12)?) {
        0x0800 => ipv4(payload)?,
        0x0806 => arp(payload)?,
        0x86dd => ipv6(payload)?,
        _ => return None,
    };
    Some(Event { at, source_mac, packet, frame: frame.to_vec() })
}

/// Keeps one Ethernet frame, of interest or not; `None` if it is shorter than a header.
pub(crate) fn decode_any(at: Stamp, frame: &[u8]) -> Option<Event> {
    let other = || Some(Event { at, source_mac: array(frame, 6)?, packet: Packet::Other, frame: frame.to_vec() });
    decode(at, frame).or_else(other)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..at + N)?.try_into().ok()
}

fn arp(packet: &[u8]) -> Option<Packet> {
    Some(Packet::Arp(Arp {
        operation: u16::from_be_bytes(array(packet, 6)?),
        sender_mac: array(packet, 8)?,
        sender: Ipv4Addr::from(array::<4>(packet, 14)?),
        target: Ipv4Addr::from(array::<4>(packet, 24)?),
    }))
}

fn ipv4(packet: &[u8]) -> Option<Packet> {
    const VRRP: u8 = 112;
    const AUTHENTICATION: u8 = 51;
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes(array(packet, 2)?));
    let (source, destination) = (array::<4>(packet, 12)?, array::<4>(packet, 16)?);
    let payload = packet.get(header..total)?;
    let message = match *packet.get(9)? {
        VRRP => payload,
        // RFC 4302, 2.2: the length is in words, less two.
        AUTHENTICATION if *payload.first()? == VRRP => payload.get((usize::from(*payload.get(1)?) + 2) * 4..)?,
        _ => return None,
    };
    let length = u16::try_from(message.len()).ok()?.to_be_bytes();
    let pseudo = [&source[..], &destination, &[0, VRRP], &length].concat();
    vrrp(message, Ipv4Addr::from(source).into(), *packet.get(8)?, &pseudo)
}

fn ipv6(packet: &[u8]) -> Option<Packet> {
    const VRRP: u8 = 112;
    const ICMP: u8 = 58;
    let length = array::<2>(packet, 4)?;
    let message = packet.get(40..40 + usize::from(u16::from_be_bytes(length)))?;
    let (source, destination) = (array::<16>(packet, 8)?, array::<16>(packet, 24)?);
    match *packet.get(6)? {
        VRRP => {
            let pseudo = [&source[..], &destination, &[0, 0], &length, &[0, 0, 0, VRRP]].concat();
            vrrp(message, Ipv6Addr::from(source).into(), *packet.get(7)?, &pseudo)
        }
        ICMP if *message.first()? == 136 => Some(Packet::NeighbourAdvertisement(NeighbourAdvertisement {
            target: Ipv6Addr::from(array::<16>(message, 8)?),
            solicited: message.get(4)? & 0x40 != 0,
        })),
        _ => None,
    }
}

fn vrrp(message: &[u8], source: IpAddr, ttl: u8, pseudo: &[u8]) -> Option<Packet> {
    let version = message.first()? >> 4;
    let count = usize::from(*message.get(3)?);
    let interval = match version {
        2 => Duration::from_secs(u64::from(*message.get(5)?)),
        _ => Duration::from_millis(10) * u32::from(u16::from_be_bytes(array(message, 4)?) & 0x0fff),
    };
    let size = if source.is_ipv4() { 4 } else { 16 };
    let addresses = message.get(8..8 + count * size)?.chunks(size).filter_map(address).collect();
    let checksum = match (sums_up(&[message]), sums_up(&[pseudo, message])) {
        (true, _) => Checksum::Message,
        (_, true) => Checksum::PseudoHeader,
        _ => Checksum::Wrong,
    };
    let (vrid, priority) = (*message.get(1)?, *message.get(2)?);
    Some(Packet::Advert(Advert { version, vrid, priority, interval, source, ttl, addresses, checksum }))
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    if bytes.len() == 4 { array::<4>(bytes, 0).map(IpAddr::from) } else { array::<16>(bytes, 0).map(IpAddr::from) }
}

/// RFC 1071: right if the sum with the checksum in it is all ones. Every part but the last has an even length.
fn sums_up(parts: &[&[u8]]) -> bool {
    let words = parts.iter().flat_map(|part| part.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    (folded & 0xffff) + (folded >> 16) == 0xffff
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.at)?;
        match &self.packet {
            Packet::Advert(advert) => {
                let Advert { version, vrid, priority, interval, source, ttl, addresses, checksum } = advert;
                write!(f, "VRRPv{version} {source} vrid {vrid} priority {priority} every {interval:?} ttl {ttl} ")?;
                write!(f, "checksum {checksum:?} {addresses:?}")
            }
            Packet::Arp(Arp { operation, sender, target, sender_mac }) => {
                let kind = if *operation == 1 { "request" } else { "reply" };
                write!(f, "ARP {kind} {sender} ({sender_mac:02x?}) to {target}")
            }
            Packet::NeighbourAdvertisement(na) => write!(f, "NA {} solicited {}", na.target, na.solicited),
            Packet::Other => write!(f, "{} octets", self.frame.len()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advert_as_keepalived_sends_it() {
        let frame = [
            0x01, 0, 0x5e, 0, 0, 0x12, 2, 0, 0, 0, 0, 1, 8, 0, 0x45, 0xc0, 0, 32, 0, 1, 0, 0, 255, 112, 0, 0, 192, 168,
            100, 1, 224, 0, 0, 18, 0x31, 51, 100, 1, 0, 10, 0, 0, 192, 168, 100, 10,
        ];
        let event = decode(Stamp::now(), &frame).unwrap();
        let advert = event.advert().unwrap();
        assert_eq!((advert.version, advert.vrid, advert.priority, advert.ttl), (3, 51, 100, 255));
        assert_eq!(advert.interval, Duration::from_millis(100));
        assert_eq!(advert.addresses, ["192.168.100.10".parse::<IpAddr>().unwrap()]);
        assert_eq!(advert.checksum, Checksum::Wrong);
    }

    #[test]
    fn no_frame_makes_it_panic() {
        for length in 0..80 {
            for kind in [[8, 0], [8, 6], [0x86, 0xdd]] {
                let mut frame = vec![0xa5; length];
                if let Some(field) = frame.get_mut(12..14) {
                    field.copy_from_slice(&kind);
                }
                let _ = decode(Stamp::now(), &frame);
            }
        }
    }
}
