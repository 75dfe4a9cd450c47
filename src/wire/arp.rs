//! Gratuitous ARP (RFC 826; RFC 5227, 3; RFC 9568, 6.4.1): the new Master tells hosts and switches where an IPv4
//! address is now.
//!
//! A broadcast *request*, since Linux ignores an unsolicited reply within a second of the last change; with the sender's
//! MAC address as the target's, since RFC 9568 asks for it and hosts take any.

use super::ethernet::{self, BROADCAST, EtherType};
use super::grow;
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
}
