//! IP headers of packets to send (RFC 791; RFC 8200): TTL 255, and the precedence of routing protocols.

use super::checksum::Checksum;
use pnet_packet::ip::IpNextHeaderProtocol;
use pnet_packet::ipv4::MutableIpv4Packet;
use pnet_packet::ipv6::MutableIpv6Packet;
use std::net::{Ipv4Addr, Ipv6Addr};

/// TTL and Hop Limit of everything sent (RFC 9568, 5.1.1.3; RFC 4861, 4.4).
pub const TTL: u8 = 255;

/// TOS and traffic class: internetwork control, as keepalived sends it. No RFC asks for it.
pub const TRAFFIC_CLASS: u8 = 0xc0;

/// An IPv4 header without options.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ipv4Header {
    /// Source address.
    pub source: Ipv4Addr,
    /// Destination address.
    pub destination: Ipv4Addr,
    /// What follows the header.
    pub protocol: u8,
    /// Identification. Linux puts its own in place of 0.
    pub id: u16,
    /// Octets that follow the header.
    pub payload: usize,
}

impl Ipv4Header {
    /// Octets of the header.
    pub const LENGTH: usize = 20;

    /// The header with its checksum.
    #[must_use]
    pub fn octets(&self) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        self.fill(&mut octets, 0);
        let checksum = Checksum::new().with(&octets).field();
        self.fill(&mut octets, checksum);
        octets
    }

    fn fill(&self, octets: &mut [u8; Self::LENGTH], checksum: u16) {
        let mut header = MutableIpv4Packet::new(octets).expect("20 octets hold an IPv4 header");
        header.set_version(4);
        header.set_header_length(5);
        header.set_dscp(TRAFFIC_CLASS >> 2);
        header.set_total_length(length(Self::LENGTH + self.payload));
        header.set_identification(self.id);
        header.set_ttl(TTL);
        header.set_next_level_protocol(IpNextHeaderProtocol::new(self.protocol));
        header.set_checksum(checksum);
        header.set_source(self.source);
        header.set_destination(self.destination);
    }
}

/// An IPv6 header.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Ipv6Header {
    /// Source address.
    pub source: Ipv6Addr,
    /// Destination address.
    pub destination: Ipv6Addr,
    /// What follows the header.
    pub next_header: u8,
    /// Octets that follow the header.
    pub payload: usize,
}

impl Ipv6Header {
    /// Octets of the header.
    pub const LENGTH: usize = 40;

    /// The header.
    #[must_use]
    pub fn octets(&self) -> [u8; Self::LENGTH] {
        let mut octets = [0; Self::LENGTH];
        let mut header = MutableIpv6Packet::new(&mut octets).expect("40 octets hold an IPv6 header");
        header.set_version(6);
        header.set_traffic_class(TRAFFIC_CLASS);
        header.set_payload_length(length(self.payload));
        header.set_next_header(IpNextHeaderProtocol::new(self.next_header));
        header.set_hop_limit(TTL);
        header.set_source(self.source);
        header.set_destination(self.destination);
        octets
    }
}

/// A length field. 255 addresses of 16 octets fill a sixteenth of what it can say.
fn length(octets: usize) -> u16 {
    u16::try_from(octets).unwrap_or(u16::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pnet_packet::ipv4::{Ipv4Packet, checksum};

    const V4: Ipv4Header = Ipv4Header {
        source: Ipv4Addr::new(192, 0, 2, 2),
        destination: Ipv4Addr::new(224, 0, 0, 18),
        protocol: 112,
        id: 1,
        payload: 12,
    };

    #[test]
    fn ipv4_octets() {
        assert_eq!(V4.octets(), [0x45, 0xc0, 0, 32, 0, 1, 0, 0, 255, 112, 0x18, 0x98, 192, 0, 2, 2, 224, 0, 0, 18]);
    }

    #[test]
    fn pnet_agrees_with_the_header_checksum() {
        for id in [0, 1, 0x1234, 0xffff] {
            let octets = Ipv4Header { id, ..V4 }.octets();
            let packet = Ipv4Packet::new(&octets).unwrap();
            assert_eq!(packet.get_checksum(), checksum(&packet));
        }
    }

    #[test]
    fn ipv6_octets() {
        let header = Ipv6Header {
            source: Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1),
            destination: Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12),
            next_header: 112,
            payload: 40,
        };
        let mut expected = [0; 40];
        expected[..8].copy_from_slice(&[0x6c, 0x00, 0, 0, 0, 40, 112, 255]);
        expected[8..10].copy_from_slice(&[0xfe, 0x80]);
        expected[23] = 1;
        expected[24..26].copy_from_slice(&[0xff, 0x02]);
        expected[39] = 0x12;
        assert_eq!(header.octets(), expected);
    }
}
