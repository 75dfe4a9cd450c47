//! An advertisement as it comes from a socket. The first octet chooses the family (bit 0) and whether an Authentication
//! Header is in front (bit 1); the rest is the payload. What decodes must survive being sent again.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use vrrpd::wire::{Advert, AuthField, Outgoing, PROTOCOL_AH, PROTOCOL_VRRP, Packet, Trailer};

/// Tries one input.
pub(crate) fn run(data: &[u8]) {
    let Some((flags, payload)) = data.split_first() else { return };
    let (source, destination): (IpAddr, IpAddr) = match flags & 1 {
        0 => (Ipv4Addr::new(192, 0, 2, 2).into(), Ipv4Addr::new(224, 0, 0, 18).into()),
        _ => (
            Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5054, 0xff, 0xfe00, 2).into(),
            Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12).into(),
        ),
    };
    let protocol = if flags & 2 == 0 { PROTOCOL_VRRP } else { PROTOCOL_AH };
    let packet = Packet { source, destination, ttl: 255, header: &[], protocol, payload };
    let Ok(advert) = Advert::decode(&packet) else { return };
    if let Some(trailer) = advert.trailer {
        let _ = Trailer::read(trailer);
        let _ = Trailer::verify(&packet, b"key");
    }

    let Some(interval) = advert.interval() else { return };
    let addresses: Vec<IpAddr> = advert.addresses().collect();
    let outgoing = Outgoing {
        version: advert.version,
        vrid: advert.vrid,
        standing: advert.standing,
        interval,
        checksum: advert.checksum,
        auth: advert.auth.unwrap_or(AuthField::NONE),
        source,
        destination,
        addresses: &addresses,
    };
    let mut out = Vec::new();
    outgoing.encode(&mut out);
    let sent = Packet { protocol: PROTOCOL_VRRP, payload: &out, ..packet };
    let again = Advert::decode(&sent).expect("what we encode decodes");
    assert_eq!((again.version, again.vrid, again.standing), (advert.version, advert.vrid, advert.standing));
    assert_eq!(again.interval_centis, advert.interval_centis);
    assert!(again.addresses().eq(addresses));
}
