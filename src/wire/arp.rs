//! Gratuitous ARP (RFC 826; RFC 5227, 3; RFC 9568, 6.4.1): the new Master tells hosts and switches where an IPv4
//! address is now.
//!
//! A broadcast *request*, since Linux ignores an unsolicited reply within a second of the last change; with the sender's
//! MAC address as the target's, since RFC 9568 asks for it and hosts take any.

use super::ethernet::{self, BROADCAST, EtherType};
use super::grow;
use super::reader::Reader;
use pnet_base::MacAddr;
use pnet_packet::arp::{ArpHardwareTypes, ArpOperations, MutableArpPacket};
use pnet_packet::ethernet::EtherTypes;
use std::net::Ipv4Addr;

/// Octets of an ARP packet for IPv4 over Ethernet.
const PACKET: usize = 28;

/// Appends the frame that announces `address` at `mac`.
pub fn append_gratuitous(mac: [u8; 6], address: Ipv4Addr, out: &mut Vec<u8>) {
    ethernet::append_header(BROADCAST, mac, EtherType::Arp, out);
    let mut arp = MutableArpPacket::new(grow(out, PACKET)).expect("28 octets hold an ARP packet");
    arp.set_hardware_type(ArpHardwareTypes::Ethernet);
    arp.set_protocol_type(EtherTypes::Ipv4);
    arp.set_hw_addr_len(6);
    arp.set_proto_addr_len(4);
    arp.set_operation(ArpOperations::Request);
    arp.set_sender_hw_addr(MacAddr::from(mac));
    arp.set_sender_proto_addr(address);
    arp.set_target_hw_addr(MacAddr::from(mac));
    arp.set_target_proto_addr(address);
}

/// What an ARP packet (RFC 826) for IPv4 over Ethernet, from behind the frame header on, says of its sender: where which
/// address is. `None` for any other, and for a probe, which says nothing (RFC 5227, 2.1.1).
#[must_use]
pub fn sender(packet: &[u8]) -> Option<(MacAddr, Ipv4Addr)> {
    let mut reader = Reader::new(packet);
    if reader.array()? != [0, 1, 8, 0, 6, 4] {
        return None;
    }
    let _operation: [u8; 2] = reader.array()?;
    let (mac, address) = (reader.array::<6>()?, Ipv4Addr::from(reader.array::<4>()?));
    (!address.is_unspecified()).then(|| (mac.into(), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_octet_of_the_frame() {
        let mut out = vec![0xa5; 3];
        append_gratuitous([0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a], Ipv4Addr::new(192, 0, 2, 100), &mut out);
        #[rustfmt::skip]
        let expected = [
            0xa5, 0xa5, 0xa5, // what was there before
            0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a, 0x08, 0x06,
            0x00, 0x01, 0x08, 0x00, 6, 4, 0x00, 0x01,
            0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a, 192, 0, 2, 100,
            0x00, 0x00, 0x5e, 0x00, 0x01, 0x0a, 192, 0, 2, 100,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn the_sender_is_read_and_nothing_else_taken_for_one() {
        let (mac, address) = ([0x02, 0, 0, 0, 0, 1], Ipv4Addr::new(192, 0, 2, 100));
        let mut frame = Vec::new();
        append_gratuitous(mac, address, &mut frame);
        let packet = &frame[ethernet::HEADER..];
        assert_eq!(sender(packet), Some((MacAddr::from(mac), address)));
        for length in 0..18 {
            assert_eq!(sender(&packet[..length]), None, "cut to {length} octets");
        }
        for octet in 0..6 {
            let mut other = packet.to_vec();
            other[octet] ^= 1;
            assert_eq!(sender(&other), None, "octet {octet}");
        }
        let mut probe = packet.to_vec();
        probe[14..18].fill(0);
        assert_eq!(sender(&probe), None);
    }
}
