//! A received IP packet, as much of it as VRRP validation needs.

use super::reader::Reader;
use super::{PROTOCOL_AH, PROTOCOL_VRRP, auth};
use crate::units::Vrid;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The octets of an IPv4 header without options.
const IPV4_HEADER: usize = 20;

/// "More fragments" and the fragment offset.
const FRAGMENT: u16 = 0x3fff;

/// A received packet of protocol 112 (or 51, with an Authentication Header in front), not yet validated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// Source address of the IP header.
    pub source: IpAddr,
    /// Destination address of the IP header.
    pub destination: IpAddr,
    /// TTL or Hop Limit as received.
    pub ttl: u8,
    /// The IPv4 header as received, which AH covers; empty for IPv6.
    pub header: &'a [u8],
    /// Protocol of the IP header: 112, or 51 where `payload` starts with an Authentication Header.
    pub protocol: u8,
    /// What follows the IP header, without Ethernet padding.
    pub payload: &'a [u8],
}

/// What keeps a datagram from being a packet for VRRP. None of these comes through a kernel's raw socket.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum PacketError {
    /// Ends inside the IP header.
    #[error("{0} octets are less than an IPv4 header")]
    Short(usize),
    /// Not IPv4.
    #[error("IP version {0} is not 4")]
    Version(u8),
    /// The header claims to be shorter than 20 octets, or longer than the datagram.
    #[error("an IPv4 header length of {0} octets is not possible")]
    HeaderLength(usize),
    /// The total length is less than the header, or more than came.
    #[error("the IPv4 total length is {announced} octets where {got} came")]
    TotalLength {
        /// What the header says.
        announced: u16,
        /// What came.
        got: usize,
    },
    /// A piece of a datagram. VRRP is never fragmented by a sane sender and AH forbids it (RFC 2402, 3.3.4).
    #[error("the datagram is a fragment")]
    Fragment,
    /// Not VRRP, nor AH in front of VRRP: somebody else's.
    #[error("IP protocol {0} is not VRRP (112)")]
    Protocol(u8),
    /// Protocol 51 and cut before the end of the Authentication Header, or with another digest than HMAC-MD5-96.
    #[error("the Authentication Header is malformed")]
    AuthHeader,
}

impl<'a> Packet<'a> {
    /// Reads an IPv4 datagram from its header on; octets beyond the total length are Ethernet padding and left out.
    pub fn from_ipv4(datagram: &'a [u8]) -> Result<Self, PacketError> {
        let got = datagram.len();
        let header: [u8; IPV4_HEADER] = Reader::new(datagram).array().ok_or(PacketError::Short(got))?;
        let [
            version_length,
            _, //
            total_high,
            total_low,
            _,
            _, //
            fragment_high,
            fragment_low,
            ttl,
            protocol,
            _,
            _, //
            source @ ..,
            _,
            _,
            _,
            _,
        ] = header;
        let [.., d0, d1, d2, d3] = header;

        if version_length >> 4 != 4 {
            return Err(PacketError::Version(version_length >> 4));
        }
        let header_length = usize::from(version_length & 0x0f) * 4;
        if header_length < IPV4_HEADER || header_length > got {
            return Err(PacketError::HeaderLength(header_length));
        }
        let announced = u16::from_be_bytes([total_high, total_low]);
        let wrong_total = PacketError::TotalLength { announced, got };
        let datagram = datagram.get(..usize::from(announced)).ok_or(wrong_total)?;
        let (header, payload) = datagram.split_at_checked(header_length).ok_or(wrong_total)?;
        if u16::from_be_bytes([fragment_high, fragment_low]) & FRAGMENT != 0 {
            return Err(PacketError::Fragment);
        }
        match (protocol, payload) {
            (PROTOCOL_VRRP, _) => {}
            (PROTOCOL_AH, [inner, ..]) if *inner != PROTOCOL_VRRP => return Err(PacketError::Protocol(*inner)),
            (PROTOCOL_AH, payload) => _ = auth::skip(payload).ok_or(PacketError::AuthHeader)?,
            (other, _) => return Err(PacketError::Protocol(other)),
        }
        Ok(Self {
            source: Ipv4Addr::from(source).into(),
            destination: Ipv4Addr::new(d0, d1, d2, d3).into(),
            ttl,
            header,
            protocol,
            payload,
        })
    }

    /// A packet of protocol 112 over IPv6, whose header the kernel keeps and describes in control messages.
    #[must_use]
    pub fn from_ipv6(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, payload: &'a [u8]) -> Self {
        Self {
            source: source.into(),
            destination: destination.into(),
            ttl: hop_limit,
            header: &[],
            protocol: PROTOCOL_VRRP,
            payload,
        }
    }

    /// The VRRP message, behind the Authentication Header where there is one; empty where that is malformed.
    #[must_use]
    pub fn message(&self) -> &'a [u8] {
        match self.protocol {
            PROTOCOL_AH => auth::skip(self.payload).unwrap_or_default(),
            _ => self.payload,
        }
    }

    /// The virtual router that the message is for, read before anything is checked.
    #[must_use]
    pub fn vrid(&self) -> Option<Vrid> {
        self.message().get(1).copied().and_then(Vrid::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 192.0.2.2 to 224.0.0.18, protocol 112, total length 24, four octets of payload.
    const DATAGRAM: [u8; 24] =
        [0x45, 0xc0, 0, 24, 0, 1, 0, 0, 255, 112, 0, 0, 192, 0, 2, 2, 224, 0, 0, 18, 0xde, 0xad, 0xbe, 0xef];

    fn with(offset: usize, octet: u8) -> [u8; 24] {
        let mut datagram = DATAGRAM;
        datagram[offset] = octet;
        datagram
    }

    #[test]
    fn header_and_payload_are_told_apart() {
        let packet = Packet::from_ipv4(&DATAGRAM).unwrap();
        assert_eq!(packet.source, IpAddr::from([192, 0, 2, 2]));
        assert_eq!(packet.destination, IpAddr::from([224, 0, 0, 18]));
        assert_eq!((packet.ttl, packet.protocol), (255, 112));
        assert_eq!(packet.header, &DATAGRAM[..20]);
        assert_eq!(packet.payload, [0xde, 0xad, 0xbe, 0xef]);
    }

    #[test]
    fn ethernet_padding_is_left_out() {
        let padded = [&DATAGRAM[..], &[0; 22]].concat();
        assert_eq!(Packet::from_ipv4(&padded).unwrap(), Packet::from_ipv4(&DATAGRAM).unwrap());
    }

    #[test]
    fn options_belong_to_the_header() {
        let datagram = with(0, 0x46);
        let packet = Packet::from_ipv4(&datagram).unwrap();
        assert_eq!((packet.header.len(), packet.payload.len()), (24, 0));
    }

    #[test]
    fn each_defect_has_its_name() {
        let total = |announced| PacketError::TotalLength { announced, got: 24 };
        for (datagram, error) in [
            (with(0, 0x65), PacketError::Version(6)),
            (with(0, 0x44), PacketError::HeaderLength(16)),
            (with(0, 0x47), PacketError::HeaderLength(28)),
            (with(3, 25), total(25)),
            (with(3, 19), total(19)),
            (with(6, 0x20), PacketError::Fragment),
            (with(7, 1), PacketError::Fragment),
            (with(9, 17), PacketError::Protocol(17)),
            (with(9, 51), PacketError::Protocol(0xde)),
        ] {
            assert_eq!(Packet::from_ipv4(&datagram), Err(error));
        }
        assert_eq!(Packet::from_ipv4(&DATAGRAM[..19]), Err(PacketError::Short(19)));
        assert!(Packet::from_ipv4(&with(6, 0x40)).is_ok(), "\"don't fragment\" is not a fragment");
    }

    proptest! {
        #[test]
        fn anything_returns(datagram in prop::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(packet) = Packet::from_ipv4(&datagram) {
                prop_assert!(packet.header.len() + packet.payload.len() <= datagram.len());
            }
        }
    }
}
