//! An IPv4 datagram as it comes from a packet socket, through to the Authentication Header.

use vrrpd::wire::{Advert, AhFlavour, Packet, auth};

/// Tries one input.
pub(crate) fn run(data: &[u8]) {
    let Ok(packet) = Packet::from_ipv4(data) else { return };
    assert!(packet.header.len() >= 20 && packet.header.len() + packet.payload.len() <= data.len());
    let _ = Advert::decode(&packet);
    if let Ok(advert) = Advert::decode_any_ttl(&packet) {
        assert_eq!(advert.addresses().count(), advert.count());
    }
    for flavour in [AhFlavour::Keepalived, AhFlavour::Rfc2402] {
        let _ = auth::verify(&packet, b"s3cr3t", flavour);
    }
}
