//! Every packet vector through the wire room: what decodes, what is refused and why, and what we send byte for byte.

mod common;

use common::vectors::{self, Vector, Verdict};
use std::net::IpAddr;
use vrrpd::units::{Family, Interval, Version, Vrid};
use vrrpd::wire::auth::{self, AhError, AhFlavour, AhStamp};
use vrrpd::wire::ethernet::{self, EtherType};
use vrrpd::wire::ip::{Ipv4Header, Ipv6Header};
use vrrpd::wire::{
    Advert, AuthField, ChecksumForm, DecodeError, Outgoing, PROTOCOL_AH, PROTOCOL_VRRP, Packet, Standing,
};

/// Whether `error` is what the vector's reason calls it.
fn is_called(error: DecodeError, reason: &str) -> bool {
    match error {
        DecodeError::Ttl(_) => reason == "ttl",
        DecodeError::Length { .. } => reason == "length",
        DecodeError::Version(_) => reason == "version",
        DecodeError::Type(_) => reason == "type",
        DecodeError::Checksum => reason == "checksum",
        DecodeError::VridZero => reason == "vrid",
    }
}

/// Whether the wire room has to refuse the vector: its defect is one of syntax. Another virtual router's version or
/// VRID is for the engine to refuse.
fn is_refused_on_the_wire(vector: &Vector) -> bool {
    match vector.expect.reason() {
        Some("ttl" | "length" | "type" | "checksum") => true,
        Some("version") => !matches!((vector.version, vector.source), (2, IpAddr::V4(_)) | (3, _)),
        Some("vrid") => vector.vrid == 0,
        _ => false,
    }
}

#[test]
fn every_vector_is_decoded_or_refused_for_its_reason() {
    let mut refused = 0;
    for vector in vectors::load() {
        let name = &vector.name;
        match Advert::decode(&vector.packet()) {
            Ok(advert) => {
                assert!(!is_refused_on_the_wire(&vector), "{name} was decoded");
                assert_eq!(advert.version.number(), vector.version, "{name}");
                assert_eq!(advert.vrid.get(), vector.vrid, "{name}");
                assert_eq!(advert.standing.field(), vector.priority, "{name}");
                assert_eq!(advert.interval_centis, vector.interval.centis(), "{name}");
                assert_eq!(advert.addresses().collect::<Vec<_>>(), vector.addresses, "{name}");
                assert_eq!(advert.checksum, checksum_form(&vector), "{name}");
                assert_eq!(advert.auth.map(|auth| auth.kind), vector.auth.as_ref().map(|auth| auth.kind), "{name}");
                assert_eq!(advert.trailer, None, "{name}");
            }
            Err(rejection) => {
                refused += 1;
                assert!(is_refused_on_the_wire(&vector), "{name} was refused: {}", rejection.error);
                let reason = vector.expect.reason().expect("refused for a reason");
                assert!(is_called(rejection.error, reason), "{name}: {:?} where {reason} is expected", rejection.error);
                assert_eq!(rejection.vrid, vector.message.get(1).copied().and_then(Vrid::new), "{name}");
            }
        }
    }
    assert_eq!(refused, 28, "vectors wrong in syntax");
}

#[test]
fn frames_carry_what_the_vectors_describe() {
    for vector in vectors::load() {
        let packet = vector.packet();
        let name = &vector.name;
        assert_eq!((packet.source, packet.destination), (vector.source, vector.destination), "{name}");
        assert_eq!((packet.ttl, packet.protocol), (vector.ttl, vector.protocol), "{name}");
        assert!(packet.payload.ends_with(&vector.message), "{name}");
        let profiles = vectors::profiles();
        assert!(profiles.contains_key(&vector.rx_profile), "{name}");
    }
}

/// Which form of the checksum the vector has.
fn checksum_form(vector: &Vector) -> ChecksumForm {
    match (vector.source, &vector.pseudo_header_hex) {
        (IpAddr::V4(_), Some(_)) => ChecksumForm::Rfc5798,
        _ => ChecksumForm::Rfc9568,
    }
}

/// The advertisement that a vector describes, as we would send it.
fn outgoing(vector: &Vector) -> Outgoing<'_> {
    let version = if vector.version == 2 { Version::V2 } else { Version::V3 };
    let auth = vector.auth.as_ref().map_or(AuthField::NONE, |auth| AuthField {
        kind: auth.kind,
        data: *auth.data.first_chunk().expect("eight octets"),
    });
    Outgoing {
        version,
        vrid: Vrid::new(vector.vrid).expect("not zero"),
        standing: Standing::from_field(vector.priority),
        interval: Interval::from_centis(vector.interval.centis()).expect("in range"),
        checksum: checksum_form(vector),
        auth,
        source: vector.source,
        destination: vector.destination,
        addresses: &vector.addresses,
    }
}

/// The whole frame, with the virtual router MAC address as its source.
fn frame(vector: &Vector) -> Vec<u8> {
    let outgoing = outgoing(vector);
    let mut message = Vec::new();
    outgoing.encode(&mut message);
    let mut out = Vec::new();
    let group = ethernet::multicast_mac(vector.destination);
    let source_mac = outgoing.vrid.mac(Family::of(vector.source));
    match (vector.source, vector.destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            ethernet::append_header(group, source_mac, EtherType::Ipv4, &mut out);
            let protected = vector.protocol == PROTOCOL_AH;
            let (id, payload) = if protected { (1, auth::AH + message.len()) } else { (0, message.len()) };
            let header = Ipv4Header { source, destination, protocol: vector.protocol, id, payload }.octets();
            out.extend(header);
            if protected {
                let (key, flavour, sequence) = association(vector);
                let stamp = AhStamp { spi: source.to_bits(), sequence };
                auth::append(&header, &message, key, flavour, stamp, &mut out);
            } else {
                out.extend(&message);
            }
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            ethernet::append_header(group, source_mac, EtherType::Ipv6, &mut out);
            let payload = message.len();
            out.extend(Ipv6Header { source, destination, next_header: PROTOCOL_VRRP, payload }.octets());
            out.extend(&message);
        }
        _ => panic!("{}: two families", vector.name),
    }
    out
}

/// Key, flavour and sequence number of a vector with an Authentication Header.
fn association(vector: &Vector) -> (&[u8], AhFlavour, u32) {
    let auth = vector.auth.as_ref().expect("authenticated");
    let flavour = if vector.name.contains("keepalived") { AhFlavour::Keepalived } else { AhFlavour::Rfc2402 };
    (&auth.key, flavour, auth.sequence.expect("numbered"))
}

/// What is accepted is what we would send, but for these: they have to be accepted from others.
const NOT_SENT: [&str; 2] = ["v2_noauth_nonzero_authdata", "v3_ipv4_reserved_nibble_set"];

#[test]
fn what_is_accepted_is_what_we_send_octet_by_octet() {
    let mut skipped = Vec::new();
    for vector in vectors::load() {
        if !matches!(vector.expect.verdict(), Verdict::Accept | Verdict::AcceptLog) {
            continue;
        }
        if NOT_SENT.contains(&vector.name.as_str()) {
            skipped.push(vector.name);
            continue;
        }
        let mut message = Vec::new();
        outgoing(&vector).encode(&mut message);
        assert_eq!(message, vector.message, "{}", vector.name);
        assert_eq!(frame(&vector), vector.frame, "{}", vector.name);
    }
    assert_eq!(skipped, NOT_SENT);
}

#[test]
fn authentication_headers_hold_with_their_key_and_flavour_only() {
    let vectors = vectors::load();
    let protected: Vec<&Vector> = vectors.iter().filter(|vector| vector.protocol == PROTOCOL_AH).collect();
    assert_eq!(protected.len(), 2);
    for vector in protected {
        let (key, flavour, sequence) = association(vector);
        let packet = vector.packet();
        let verified = auth::verify(&packet, key, flavour).expect("the vector's own key");
        assert_eq!(verified.payload, vector.message);
        assert_eq!((verified.sequence, verified.spi), (sequence, 0xc000_0202));
        let other = match flavour {
            AhFlavour::Keepalived => AhFlavour::Rfc2402,
            AhFlavour::Rfc2402 => AhFlavour::Keepalived,
        };
        assert_eq!(auth::verify(&packet, key, other), Err(AhError::Icv));
        assert_eq!(auth::verify(&packet, b"guess", flavour), Err(AhError::Icv));
    }
}

/// No length of any vector, and no single flipped bit, is taken for anything but the original.
#[test]
fn hostile_variants_are_the_original_or_an_error() {
    for vector in vectors::load() {
        let original = vector.packet();
        let decoded = Advert::decode(&original);
        let check = |packet: &Packet<'_>, what: &str| {
            let advert = Advert::decode(packet);
            if let (Ok(original), Ok(variant)) = (decoded, advert) {
                assert_eq!(variant, original, "{}: {what}", vector.name);
            }
        };
        for length in 0..original.payload.len() {
            let packet = Packet { payload: &original.payload[..length], ..original };
            let advert = Advert::decode(&packet);
            assert!(decoded.is_err() || advert.is_err(), "{}: decoded when cut to {length}", vector.name);
        }
        for_each_flip(original.payload, |payload, bit| {
            check(&Packet { payload, ..original }, &format!("bit {bit} of the payload"));
        });
        if vector.source.is_ipv4() {
            let datagram = vector.datagram();
            for length in 0..datagram.len() {
                assert!(Packet::from_ipv4(&datagram[..length]).is_err(), "{}: cut to {length}", vector.name);
            }
            for_each_flip(datagram, |datagram, bit| {
                if let Ok(packet) = Packet::from_ipv4(datagram) {
                    check(&packet, &format!("bit {bit} of the datagram"));
                }
            });
        }
    }
}

fn for_each_flip(octets: &[u8], mut visit: impl FnMut(&[u8], usize)) {
    let mut octets = octets.to_vec();
    for bit in 0..octets.len() * 8 {
        octets[bit / 8] ^= 1 << (bit % 8);
        visit(&octets, bit);
        octets[bit / 8] ^= 1 << (bit % 8);
    }
}
