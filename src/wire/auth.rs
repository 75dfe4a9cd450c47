//! The Authentication Header in front of a VRRPv2 message (RFC 2402; RFC 2338, 5.3.6.3), with HMAC-MD5-96 (RFC 2403).
//!
//! ```text
//!  octet
//!  0      next header, 112
//!  1      length of the header in words, less 2: 4
//!  2      reserved, 0
//!  4      security parameters index
//!  8      sequence number
//!  12     integrity check value: the first 12 octets of the digest
//! ```
//!
//! The digest covers the IPv4 header with its mutable fields zeroed, this header with a zero check value, and the
//! message. keepalived, which is what is in the field, reads the RFCs in its own way ([`AhFlavour::Keepalived`]).

use super::packet::Packet;
use super::reader::Reader;
use super::{PROTOCOL_AH, PROTOCOL_VRRP};
use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;

/// Octets of the whole header.
pub const AH: usize = 24;

/// Octets before the integrity check value.
const PREFIX: usize = 12;

/// Octets of the integrity check value.
const ICV: usize = AH - PREFIX;

/// The length field: the words of the header, less 2.
pub const PAYLOAD_LEN: u8 = 4;

/// TOS, flags and fragment offset, header checksum: what a router on the way may change, the TTL aside.
const MUTABLE: [usize; 5] = [1, 6, 7, 10, 11];

/// Where the TTL is.
const TTL: usize = 8;

/// How many octets of a key keepalived uses.
const KEEPALIVED_KEY: usize = 8;

/// Whose reading of RFC 2402 the Authentication Header follows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum AhFlavour {
    /// A key of at most eight octets; the TTL stays in the digest for multicast. What is in the field.
    #[default]
    Keepalived,
    /// RFC 2402 and 2403: a 16-octet key, mutable fields zeroed.
    Rfc2402,
}

/// The fields of the header that a sender chooses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AhStamp {
    /// Security parameters index; keepalived puts the source address there.
    pub spi: u32,
    /// 1 in the first packet, growing by 1 (RFC 2402, 3.3.2).
    pub sequence: u32,
}

/// What an Authentication Header that holds was in front of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AhVerified<'a> {
    /// The VRRP message.
    pub payload: &'a [u8],
    /// The sequence number, for the receiver's anti-replay check.
    pub sequence: u32,
    /// The security parameters index, which is not compared with anything here.
    pub spi: u32,
}

/// What is wrong with an Authentication Header.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum AhError {
    /// The packet is plain VRRP.
    #[error("there is no Authentication Header")]
    Missing,
    /// Shorter than 24 octets, or not in front of VRRP, or with another digest than HMAC-MD5-96.
    #[error("the Authentication Header is malformed")]
    Malformed,
    /// The IPv4 header has options; no VRRP sender has, and what of them is covered depends on each.
    #[error("the IPv4 header has options, which the Authentication Header does not allow for")]
    Options,
    /// Another key, another flavour, or another packet.
    #[error("the integrity check value is wrong")]
    Icv,
}

/// The message behind an Authentication Header, whose digest is not looked at.
pub(super) fn skip(payload: &[u8]) -> Option<&[u8]> {
    let (header, message) = payload.split_first_chunk::<AH>()?;
    matches!(header, [PROTOCOL_VRRP, PAYLOAD_LEN, ..]).then_some(message)
}

/// Verifies the Authentication Header of a packet of protocol 51. The comparison takes constant time.
pub fn verify<'a>(packet: &Packet<'a>, key: &[u8], flavour: AhFlavour) -> Result<AhVerified<'a>, AhError> {
    if packet.protocol != PROTOCOL_AH {
        return Err(AhError::Missing);
    }
    let payload = skip(packet.payload).ok_or(AhError::Malformed)?;
    let mut reader = Reader::new(packet.payload);
    let prefix: [u8; PREFIX] = reader.array().ok_or(AhError::Malformed)?;
    let icv = reader.take(ICV).ok_or(AhError::Malformed)?;
    let header = <&[u8; 20]>::try_from(packet.header).map_err(|_| AhError::Options)?;
    authenticate(header, &prefix, payload, key, flavour).verify_truncated_left(icv).map_err(|_| AhError::Icv)?;
    let [.., p0, p1, p2, p3, s0, s1, s2, s3] = prefix;
    Ok(AhVerified {
        payload,
        sequence: u32::from_be_bytes([s0, s1, s2, s3]),
        spi: u32::from_be_bytes([p0, p1, p2, p3]),
    })
}

/// Appends the Authentication Header and the message to `out`. `header` is the IPv4 header that will go in front:
/// protocol 51, a total length that counts all three, and an identification that is not zero, since Linux would fill
/// in another one behind the digest's back.
pub fn append(header: &[u8; 20], message: &[u8], key: &[u8], flavour: AhFlavour, stamp: AhStamp, out: &mut Vec<u8>) {
    let [p0, p1, p2, p3] = stamp.spi.to_be_bytes();
    let [s0, s1, s2, s3] = stamp.sequence.to_be_bytes();
    let prefix = [PROTOCOL_VRRP, PAYLOAD_LEN, 0, 0, p0, p1, p2, p3, s0, s1, s2, s3];
    let digest = authenticate(header, &prefix, message, key, flavour).finalize().into_bytes();
    out.extend_from_slice(&prefix);
    out.extend(digest.iter().take(ICV));
    out.extend_from_slice(message);
}

fn authenticate(header: &[u8; 20], prefix: &[u8; PREFIX], message: &[u8], key: &[u8], flavour: AhFlavour) -> Hmac<Md5> {
    let key = match flavour {
        AhFlavour::Keepalived => key.get(..KEEPALIVED_KEY).unwrap_or(key),
        AhFlavour::Rfc2402 => key,
    };
    let mut mac = Hmac::<Md5>::new_from_slice(key).expect("HMAC takes a key of any length");
    mac.update(&immutable(header, flavour));
    mac.update(prefix);
    mac.update(&[0; ICV]);
    mac.update(message);
    mac
}

/// The IPv4 header with the fields zeroed that the digest does not cover.
fn immutable(header: &[u8; 20], flavour: AhFlavour) -> [u8; 20] {
    let [.., destination, _, _, _] = *header;
    let multicast = destination >> 4 == 0xe;
    let keeps_ttl = flavour == AhFlavour::Keepalived && multicast;
    let mut covered = *header;
    for (offset, octet) in covered.iter_mut().enumerate() {
        if MUTABLE.contains(&offset) || (offset == TTL && !keeps_ttl) {
            *octet = 0;
        }
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ip::Ipv4Header;
    use crate::wire::{Advert, PacketError};
    use proptest::prelude::*;
    use std::net::Ipv4Addr;

    const MESSAGE: [u8; 20] = [0x21, 0x0a, 0x96, 0x01, 0x02, 0x01, 0x84, 0x8e, 192, 0, 2, 100, 0, 0, 0, 0, 0, 0, 0, 0];
    const PASSWORD: &[u8] = b"s3cr3t\0\0";
    const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
    const PEER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

    fn datagram(destination: Ipv4Addr, message: &[u8], key: &[u8], flavour: AhFlavour, sequence: u32) -> Vec<u8> {
        let source = Ipv4Addr::new(192, 0, 2, 2);
        let header =
            Ipv4Header { source, destination, protocol: PROTOCOL_AH, id: 1, payload: AH + message.len() }.octets();
        let mut out = header.to_vec();
        append(&header, message, key, flavour, AhStamp { spi: source.to_bits(), sequence }, &mut out);
        out
    }

    /// The second packet that both flavours were measured with: see `tests/vectors.rs` for the digests themselves.
    #[test]
    fn what_was_built_verifies_and_decodes() {
        let out = datagram(GROUP, &MESSAGE, PASSWORD, AhFlavour::Keepalived, 7);
        let packet = Packet::from_ipv4(&out).unwrap();
        let verified = verify(&packet, PASSWORD, AhFlavour::Keepalived).unwrap();
        assert_eq!(verified, AhVerified { payload: &MESSAGE, sequence: 7, spi: 0xc000_0202 });
        let plain = Packet { protocol: PROTOCOL_VRRP, payload: &MESSAGE, ..packet };
        assert_eq!(Advert::decode(&packet), Advert::decode(&plain));
        assert_eq!(verify(&plain, PASSWORD, AhFlavour::Keepalived), Err(AhError::Missing));
    }

    #[test]
    fn keepalived_knows_only_eight_octets_of_a_key() {
        let out = datagram(GROUP, &MESSAGE, b"password and more", AhFlavour::Keepalived, 1);
        let packet = Packet::from_ipv4(&out).unwrap();
        assert!(verify(&packet, b"password", AhFlavour::Keepalived).is_ok());
        assert_eq!(verify(&packet, b"passworD", AhFlavour::Keepalived), Err(AhError::Icv));
    }

    /// Every bit of a datagram, and which of them may change without notice.
    #[test]
    fn only_mutable_fields_can_be_changed() {
        for (destination, flavour, ttl_is_covered) in [
            (GROUP, AhFlavour::Keepalived, true),
            (PEER, AhFlavour::Keepalived, false),
            (GROUP, AhFlavour::Rfc2402, false),
            (PEER, AhFlavour::Rfc2402, false),
        ] {
            let out = datagram(destination, &MESSAGE, PASSWORD, flavour, 1);
            for bit in 0..out.len() * 8 {
                let mut flipped = out.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                let Ok(packet) = Packet::from_ipv4(&flipped) else { continue };
                let offset = bit / 8;
                let free = MUTABLE.contains(&offset) || (offset == TTL && !ttl_is_covered);
                assert_eq!(verify(&packet, PASSWORD, flavour).is_ok(), free, "{flavour:?} {destination} bit {bit}");
            }
        }
    }

    #[test]
    fn a_malformed_header_is_refused_before_any_digest() {
        let out = datagram(GROUP, &MESSAGE, PASSWORD, AhFlavour::Rfc2402, 1);
        let packet = Packet::from_ipv4(&out).unwrap();
        let refused = |payload: &[u8]| {
            let packet = Packet { payload, ..packet };
            assert_eq!(verify(&packet, PASSWORD, AhFlavour::Rfc2402), Err(AhError::Malformed));
            assert!(Advert::decode(&packet).is_err());
        };
        refused(&packet.payload[..23]);
        for (offset, octet, error) in [(0, 6, PacketError::Protocol(6)), (1, 5, PacketError::AuthHeader)] {
            let mut wrong = out.clone();
            wrong[20 + offset] = octet;
            assert_eq!(Packet::from_ipv4(&wrong), Err(error));
            refused(&wrong[20..]);
        }
        let options = Packet { header: &[0; 24], ..packet };
        assert_eq!(verify(&options, PASSWORD, AhFlavour::Rfc2402), Err(AhError::Options));
    }

    proptest! {
        #[test]
        fn round_trip(message in prop::collection::vec(any::<u8>(), 0..300), key in prop::collection::vec(any::<u8>(), 0..80),
                      rfc in any::<bool>(), to in any::<u32>(), sequence in any::<u32>()) {
            let flavour = if rfc { AhFlavour::Rfc2402 } else { AhFlavour::Keepalived };
            let out = datagram(Ipv4Addr::from_bits(to), &message, &key, flavour, sequence);
            let packet = Packet::from_ipv4(&out).unwrap();
            let verified = verify(&packet, &key, flavour).unwrap();
            prop_assert_eq!((verified.payload, verified.sequence), (&message[..], sequence));
        }

        #[test]
        fn anything_returns(payload in prop::collection::vec(any::<u8>(), 0..100), header in prop::collection::vec(any::<u8>(), 0..40)) {
            let ends = std::net::IpAddr::from([192, 0, 2, 2]);
            let packet = Packet { source: ends, destination: ends, ttl: 255, header: &header, protocol: 51, payload: &payload };
            prop_assert!(verify(&packet, PASSWORD, AhFlavour::Keepalived).is_err());
        }
    }
}
