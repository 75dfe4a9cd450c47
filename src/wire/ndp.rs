//! Unsolicited neighbour advertisements (RFC 4861, 4.4 and 7.2.6; RFC 9568, 6.4.1): the new Master tells hosts and
//! switches where an IPv6 address is now.

use super::checksum::Checksum;
use super::ethernet::{self, EtherType};
use super::grow;
use super::ip::Ipv6Header;
use super::reader::Reader;
use pnet_base::MacAddr;
use pnet_packet::icmpv6::Icmpv6Types;
use pnet_packet::icmpv6::ndp::{MutableNeighborAdvertPacket, NdpOptionTypes, NeighborAdvertFlags};
use std::net::{IpAddr, Ipv6Addr};

/// Octets of the message: fixed fields, and the option with the link-layer address.
const MESSAGE: usize = 32;

/// The protocol number of `ICMPv6`.
const PROTOCOL_ICMPV6: u8 = 58;

/// All nodes on the link.
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// The sender is a router (hosts drop a default router that says otherwise), was not asked, and overrides what is
/// known.
const FLAGS: u8 = NeighborAdvertFlags::Router | NeighborAdvertFlags::Override;

/// Appends the frame that announces `address` at `mac` to all nodes. `source` is an address of the interface; the
/// announced one will do.
pub fn append_unsolicited(mac: [u8; 6], source: Ipv6Addr, address: Ipv6Addr, out: &mut Vec<u8>) {
    ethernet::append_header(ethernet::multicast_mac(IpAddr::V6(ALL_NODES)), mac, EtherType::Ipv6, out);
    let header = Ipv6Header { source, destination: ALL_NODES, next_header: PROTOCOL_ICMPV6, payload: MESSAGE };
    out.extend_from_slice(&header.octets());
    let message = grow(out, MESSAGE);
    fill(message, mac, address, 0);
    let checksum = Checksum::pseudo_ipv6(source, ALL_NODES, PROTOCOL_ICMPV6, MESSAGE).with(message).field();
    fill(message, mac, address, checksum);
}

fn fill(message: &mut [u8], mac: [u8; 6], address: Ipv6Addr, checksum: u16) {
    let mut advert = MutableNeighborAdvertPacket::new(message).expect("32 octets hold a neighbour advertisement");
    advert.set_icmpv6_type(Icmpv6Types::NeighborAdvert);
    advert.set_checksum(checksum);
    advert.set_flags(FLAGS);
    advert.set_target_addr(address);
    let (kind_and_words, link_layer) = advert.get_options_raw_mut().split_at_mut(2);
    kind_and_words.copy_from_slice(&[NdpOptionTypes::TargetLLAddr.0, 1]);
    link_layer.copy_from_slice(&mac);
}

/// Where which address is, by a neighbour advertisement in an IPv6 packet, from the IP header on (RFC 4861, 4.4 and 7.1.2).
/// `None` for any other packet, and for one that does not name a link-layer address.
#[must_use]
pub fn advertised(packet: &[u8]) -> Option<(MacAddr, Ipv6Addr)> {
    let mut reader = Reader::new(packet);
    let [version, _, _, _] = reader.array()?;
    let length = u16::from_be_bytes(reader.array()?);
    let next_and_limit: [u8; 2] = reader.array()?;
    let (source, destination) = (Ipv6Addr::from(reader.array::<16>()?), Ipv6Addr::from(reader.array::<16>()?));
    let message = reader.take(length.into())?;
    let valid = Checksum::pseudo_ipv6(source, destination, PROTOCOL_ICMPV6, message.len()).with(message).holds();
    if version >> 4 != 6 || next_and_limit != [PROTOCOL_ICMPV6, 255] || !valid {
        return None;
    }
    let mut reader = Reader::new(message);
    let [kind, code, _, _] = reader.array()?;
    let _flags: [u8; 4] = reader.array()?;
    let address = Ipv6Addr::from(reader.array::<16>()?);
    if (kind, code) != (Icmpv6Types::NeighborAdvert.0, 0) {
        return None;
    }
    loop {
        let [option, words] = reader.array()?;
        let content = reader.take(usize::from(words).checked_mul(8)?.checked_sub(2)?)?;
        if option == NdpOptionTypes::TargetLLAddr.0 {
            return Some((<[u8; 6]>::try_from(content).ok()?.into(), address));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pnet_packet::icmpv6::{Icmpv6Packet, checksum};

    const MAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x02, 0x0a];
    const SOURCE: Ipv6Addr = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    const ADDRESS: Ipv6Addr = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0x10);

    #[test]
    fn every_octet_of_the_frame() {
        let mut out = vec![0xa5; 3];
        append_unsolicited(MAC, SOURCE, ADDRESS, &mut out);
        #[rustfmt::skip]
        let expected = [
            0xa5, 0xa5, 0xa5, // what was there before
            0x33, 0x33, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x5e, 0x00, 0x02, 0x0a, 0x86, 0xdd,
            0x6c, 0x00, 0x00, 0x00, 0x00, 32, 58, 255,
            0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
            136, 0, 0x4a, 0x4a, 0xa0, 0, 0, 0,
            0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
            2, 1, 0x00, 0x00, 0x5e, 0x00, 0x02, 0x0a,
        ];
        assert_eq!(out, expected);
    }

    #[test]
    fn pnet_agrees_with_the_checksum() {
        let mut out = Vec::new();
        append_unsolicited(MAC, SOURCE, ADDRESS, &mut out);
        let message = Icmpv6Packet::new(&out[54..]).unwrap();
        assert_eq!(message.get_checksum(), checksum(&message, &SOURCE, &ALL_NODES));
    }

    #[test]
    fn what_is_advertised_is_read_and_nothing_else_taken_for_it() {
        let mut frame = Vec::new();
        append_unsolicited(MAC, SOURCE, ADDRESS, &mut frame);
        let packet = &frame[ethernet::HEADER..];
        assert_eq!(advertised(packet), Some((MacAddr::from(MAC), ADDRESS)));
        for length in 0..packet.len() {
            assert_eq!(advertised(&packet[..length]), None, "cut to {length} octets");
        }
        // All but the traffic class and the flow label, which are anybody's.
        for bit in (0..4).chain(32..packet.len() * 8) {
            let mut other = packet.to_vec();
            other[bit / 8] ^= 0x80 >> (bit % 8);
            assert_eq!(advertised(&other), None, "bit {bit}");
        }
    }
}
