//! Octets to an [`Advert`].

use super::{ADVERTISEMENT, Advert, AuthField, ChecksumForm, DecodeError, HEADER, Rejection, Standing};
use crate::units::{Family, Version, Vrid};
use crate::wire::checksum::Checksum;
use crate::wire::packet::Packet;
use crate::wire::reader::Reader;
use crate::wire::{PROTOCOL_VRRP, trailer};

impl<'a> Advert<'a> {
    /// Decodes in the order TTL, header length, version, type, exact length, checksum, VRID.
    ///
    /// An Authentication Header in front of the message is skipped and not verified: the key is the virtual router's,
    /// which is known only from what this returns ([`verify`](crate::wire::auth::verify) is the second step).
    pub fn decode(packet: &Packet<'a>) -> Result<Self, Rejection> {
        Self::decode_message(packet, |ttl| if ttl == 255 { Ok(()) } else { Err(DecodeError::Ttl(ttl)) })
    }

    /// The same for peers behind a router, whose packets lose TTL on the way.
    pub fn decode_any_ttl(packet: &Packet<'a>) -> Result<Self, Rejection> {
        Self::decode_message(packet, |_| Ok(()))
    }

    fn decode_message(packet: &Packet<'a>, ttl: impl Fn(u8) -> Result<(), DecodeError>) -> Result<Self, Rejection> {
        ttl(packet.ttl)
            .and_then(|()| parse(packet, packet.message()))
            .map_err(|error| Rejection { error, vrid: packet.vrid() })
    }
}

/// Everything but the TTL.
fn parse<'a>(packet: &Packet<'a>, message: &'a [u8]) -> Result<Advert<'a>, DecodeError> {
    let family = Family::of(packet.source);
    let mut reader = Reader::new(message);
    let header: [u8; HEADER] = reader.array().ok_or(DecodeError::Length { expected: HEADER, got: message.len() })?;
    let [version_type, vrid, priority, count, fourth, fifth, _, _] = header;

    let version = match (version_type >> 4, family) {
        (2, Family::Ipv4) => Version::V2,
        (3, _) => Version::V3,
        (unknown, _) => return Err(DecodeError::Version(unknown)),
    };
    let kind = version_type & 0x0f;
    if kind != ADVERTISEMENT {
        return Err(DecodeError::Type(kind));
    }

    let body = usize::from(count) * family.address_octets();
    let (auth_octets, interval_centis) = match version {
        Version::V2 => (8, u16::from(fifth) * 100),
        Version::V3 => (0, u16::from_be_bytes([fourth & 0x0f, fifth])),
    };
    let expected = HEADER + body + auth_octets;
    let wrong_length = DecodeError::Length { expected, got: message.len() };
    let covered = message.get(..expected).ok_or(wrong_length)?;
    let addresses = reader.take(body).ok_or(wrong_length)?;
    let auth = match version {
        Version::V2 => Some(AuthField { kind: fourth, data: reader.array().ok_or(wrong_length)? }),
        Version::V3 => None,
    };
    let trailer = match (version, reader.rest()) {
        (_, []) => None,
        (Version::V3, rest) if trailer::is_trailer(rest) => Some(rest),
        _ => return Err(wrong_length),
    };

    let checksum = form_that_holds(packet, version, covered).ok_or(DecodeError::Checksum)?;
    let vrid = Vrid::new(vrid).ok_or(DecodeError::VridZero)?;
    let standing = Standing::from_field(priority);
    Ok(Advert { version, vrid, standing, interval_centis, checksum, auth, trailer, family, addresses })
}

/// Which form of the checksum the message has, if any: RFC 9568's is tried first.
fn form_that_holds(packet: &Packet<'_>, version: Version, message: &[u8]) -> Option<ChecksumForm> {
    let plain = Checksum::new();
    let pseudo = || Checksum::pseudo(packet.source, packet.destination, PROTOCOL_VRRP, message.len());
    let holds = |start: Checksum| start.with(message).holds();
    match (version, Family::of(packet.source)) {
        (Version::V3, Family::Ipv6) => pseudo().is_some_and(holds).then_some(ChecksumForm::Rfc9568),
        (_, _) if holds(plain) => Some(ChecksumForm::Rfc9568),
        (Version::V3, Family::Ipv4) => pseudo().is_some_and(holds).then_some(ChecksumForm::Rfc5798),
        (Version::V2, _) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::IpAddr;

    const PLAIN: [u8; 12] = [0x31, 0x0a, 0x96, 0x01, 0x00, 0x64, 0x76, 0x2b, 192, 0, 2, 100];

    fn packet(payload: &[u8]) -> Packet<'_> {
        Packet {
            source: IpAddr::from([192, 0, 2, 2]),
            destination: IpAddr::from([224, 0, 0, 18]),
            ttl: 255,
            header: &[],
            protocol: PROTOCOL_VRRP,
            payload,
        }
    }

    fn error(packet: &Packet<'_>) -> DecodeError {
        Advert::decode(packet).unwrap_err().error
    }

    #[test]
    fn the_fields_of_version_3() {
        let advert = Advert::decode(&packet(&PLAIN)).unwrap();
        assert_eq!((advert.version, advert.vrid.get(), advert.standing.field()), (Version::V3, 10, 150));
        assert_eq!((advert.interval_centis, advert.count()), (100, 1));
        assert_eq!(advert.addresses().collect::<Vec<_>>(), [IpAddr::from([192, 0, 2, 100])]);
        assert_eq!((advert.auth, advert.trailer), (None, None));
    }

    /// Each packet is wrong in everything that is checked later, so that only the order makes these errors.
    #[test]
    fn checks_are_made_in_the_order_of_the_rfc() {
        let low_ttl = Packet { ttl: 254, ..packet(&[0x42]) };
        assert_eq!(error(&low_ttl), DecodeError::Ttl(254));
        assert_eq!(error(&packet(&[0x42, 0, 0])), DecodeError::Length { expected: 8, got: 3 });
        assert_eq!(error(&packet(&[0x42, 0, 0, 9, 0, 0, 0, 0])), DecodeError::Version(4));
        assert_eq!(error(&packet(&[0x32, 0, 0, 9, 0, 0, 0, 0])), DecodeError::Type(2));
        assert_eq!(error(&packet(&[0x31, 0, 0, 9, 0, 0, 0, 0])), DecodeError::Length { expected: 44, got: 8 });
        assert_eq!(error(&packet(&[0x31, 0, 0, 0, 0, 0, 0, 0])), DecodeError::Checksum);
        assert_eq!(error(&packet(&[0x31, 0, 0, 0, 0, 0, 0xce, 0xff])), DecodeError::VridZero);
    }

    #[test]
    fn a_rejection_names_the_vrid_as_soon_as_it_was_there_to_read() {
        let vrid = |payload| Advert::decode(&packet(payload)).unwrap_err().vrid;
        assert_eq!(vrid(&[0x31]), None);
        assert_eq!(vrid(&[0x31, 7]), Vrid::new(7));
        assert_eq!(vrid(&[0x31, 0, 0]), None);
        let low_ttl = Packet { ttl: 1, ..packet(&PLAIN) };
        assert_eq!(Advert::decode(&low_ttl).unwrap_err().vrid, Vrid::new(10));
    }

    #[test]
    fn routed_peers_are_decoded_whatever_their_ttl() {
        let routed = Packet { ttl: 3, ..packet(&PLAIN) };
        assert_eq!(Advert::decode_any_ttl(&routed), Advert::decode(&packet(&PLAIN)));
        assert_eq!(error(&routed), DecodeError::Ttl(3));
    }

    #[test]
    fn only_28_octets_of_extension_type_1_are_a_trailer() {
        let with = |kind: u8, octets: usize| [&PLAIN[..], &[kind], &vec![0; octets - 1]].concat();
        let message = with(1, 28);
        let advert = Advert::decode(&packet(&message)).unwrap();
        assert_eq!(advert.trailer, Some(&message[12..]));
        for (kind, octets) in [(2, 28), (0, 28), (1, 27), (1, 29), (1, 1)] {
            let got = 12 + octets;
            assert_eq!(error(&packet(&with(kind, octets))), DecodeError::Length { expected: 12, got });
        }
    }
}
