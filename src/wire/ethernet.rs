//! Ethernet frame headers (IEEE 802.3), and the group addresses of the packets that are sent.

use super::grow;
use pnet_base::MacAddr;
use pnet_packet::ethernet::{EtherTypes, MutableEthernetPacket};
use std::net::IpAddr;

/// Octets of a frame header.
pub const HEADER: usize = 14;

/// All stations.
pub const BROADCAST: [u8; 6] = [0xff; 6];

/// What a frame carries.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum EtherType {
    /// 0x0800.
    Ipv4,
    /// 0x0806.
    Arp,
    /// 0x86dd.
    Ipv6,
}

/// The MAC address of a multicast group (RFC 1112, 6.4; RFC 2464, 7): 01:00:5e:00:00:12 for 224.0.0.18,
/// 33:33:00:00:00:12 for `ff02::12`.
#[must_use]
pub const fn multicast_mac(group: IpAddr) -> [u8; 6] {
    match group {
        IpAddr::V4(group) => {
            let [_, a, b, c] = group.octets();
            [0x01, 0x00, 0x5e, a & 0x7f, b, c]
        }
        IpAddr::V6(group) => {
            let [.., a, b, c, d] = group.octets();
            [0x33, 0x33, a, b, c, d]
        }
    }
}

/// Appends a frame header to `out`.
pub fn append_header(destination: [u8; 6], source: [u8; 6], kind: EtherType, out: &mut Vec<u8>) {
    let mut header = MutableEthernetPacket::new(grow(out, HEADER)).expect("14 octets hold an Ethernet header");
    header.set_destination(MacAddr::from(destination));
    header.set_source(MacAddr::from(source));
    header.set_ethertype(match kind {
        EtherType::Ipv4 => EtherTypes::Ipv4,
        EtherType::Arp => EtherTypes::Arp,
        EtherType::Ipv6 => EtherTypes::Ipv6,
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_groups_of_vrrp() {
        assert_eq!(multicast_mac(IpAddr::from([224, 0, 0, 18])), [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12]);
        assert_eq!(multicast_mac("ff02::12".parse().unwrap()), [0x33, 0x33, 0x00, 0x00, 0x00, 0x12]);
        assert_eq!(multicast_mac(IpAddr::from([239, 255, 1, 2])), [0x01, 0x00, 0x5e, 0x7f, 1, 2]);
    }

    #[test]
    fn the_header_goes_behind_what_was_there() {
        let mut out = vec![0xa5];
        append_header(BROADCAST, [2, 0, 0, 0, 0, 1], EtherType::Ipv6, &mut out);
        let expected = [0xa5, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2, 0, 0, 0, 0, 1, 0x86, 0xdd];
        assert_eq!(out, expected);
    }
}
