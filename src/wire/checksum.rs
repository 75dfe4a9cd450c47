//! The Internet checksum (RFC 1071), built up from parts.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A running one's complement sum.
///
/// Every part but the last has an even number of octets. There is no "zero means none" here: 0x0000 is a checksum like
/// any other in VRRP, IPv4 and `ICMPv6`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Checksum {
    /// Not folded yet: 64 bits hold the sum of more words than an IP packet can carry.
    sum: u64,
}

impl Checksum {
    /// The sum of nothing.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The IPv4 pseudo-header: source, destination, protocol, length (RFC 5798, 5.2.8 as deployed).
    #[must_use]
    pub fn pseudo_ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: usize) -> Self {
        Self::new().with(&source.octets()).with(&destination.octets()).number(u64::from(protocol)).number(length as u64)
    }

    /// The IPv6 pseudo-header: source, destination, length, next header (RFC 8200, 8.1).
    #[must_use]
    pub fn pseudo_ipv6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, length: usize) -> Self {
        Self::new()
            .with(&source.octets())
            .with(&destination.octets())
            .number(u64::from(next_header))
            .number(length as u64)
    }

    /// The pseudo-header of the addresses' family; `None` where they are of two families.
    #[must_use]
    pub fn pseudo(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Some(Self::pseudo_ipv4(source, destination, protocol, length))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Some(Self::pseudo_ipv6(source, destination, protocol, length))
            }
            _ => None,
        }
    }

    /// With the octets of `part` added, an odd last one padded with zero.
    #[must_use]
    pub fn with(self, part: &[u8]) -> Self {
        let (words, odd) = part.as_chunks::<2>();
        let words = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum::<u64>();
        let odd = odd.iter().map(|octet| u64::from(*octet) << 8).sum::<u64>();
        self.number(words + odd)
    }

    /// With a number added as if its 16-bit words were: 2^16 is 1 in one's complement.
    fn number(self, number: u64) -> Self {
        Self { sum: self.sum + number }
    }

    /// What goes into the checksum field, which was zero or left out when summing.
    #[must_use]
    pub fn field(self) -> u16 {
        !self.folded()
    }

    /// Whether octets summed with their checksum field are intact.
    #[must_use]
    pub fn holds(self) -> bool {
        self.folded() == 0xffff
    }

    fn folded(self) -> u16 {
        let mut sum = self.sum;
        while sum > 0xffff {
            sum = (sum & 0xffff) + (sum >> 16);
        }
        u16::try_from(sum).expect("folded into 16 bits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pnet_packet::ip::IpNextHeaderProtocol;
    use pnet_packet::util;
    use proptest::prelude::*;

    /// The example of RFC 1071, section 3.
    #[test]
    fn the_sum_of_the_rfc() {
        let sum = Checksum::new().with(&[0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7]);
        assert_eq!(sum.field(), !0xddf2);
    }

    #[test]
    fn an_odd_last_octet_is_the_high_half_of_a_word() {
        assert_eq!(Checksum::new().with(&[0x12, 0x34, 0x56]).field(), !(0x1234 + 0x5600));
    }

    #[test]
    fn a_message_with_its_checksum_holds_and_one_flipped_bit_breaks_it() {
        let mut message = [0x31, 0x0a, 0x96, 0x01, 0x00, 0x64, 0x76, 0x2b, 192, 0, 2, 100];
        assert!(Checksum::new().with(&message).holds());
        message[3] ^= 1;
        assert!(!Checksum::new().with(&message).holds());
    }

    proptest! {
        #[test]
        fn agrees_with_pnet(octets in prop::collection::vec(any::<u8>(), 2..600), v4 in any::<[u32; 2]>(), v6 in any::<[u128; 2]>()) {
            // pnet skips one word, where the checksum field is; give it a zero there.
            let mut octets = octets;
            octets[..2].fill(0);
            let protocol = IpNextHeaderProtocol::new(112);
            prop_assert_eq!(Checksum::new().with(&octets).field(), util::checksum(&octets, 0));
            let (a, b) = (Ipv4Addr::from(v4[0]), Ipv4Addr::from(v4[1]));
            let ours = Checksum::pseudo_ipv4(a, b, 112, octets.len()).with(&octets);
            prop_assert_eq!(ours.field(), util::ipv4_checksum(&octets, 0, &[], &a, &b, protocol));
            let (a, b) = (Ipv6Addr::from(v6[0]), Ipv6Addr::from(v6[1]));
            let ours = Checksum::pseudo_ipv6(a, b, 112, octets.len()).with(&octets);
            prop_assert_eq!(ours.field(), util::ipv6_checksum(&octets, 0, &[], &a, &b, protocol));
        }

        #[test]
        fn parts_add_up_to_the_whole(octets in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..100) {
            let cut = (cut * 2).min(octets.len() & !1);
            let (head, tail) = octets.split_at(cut);
            prop_assert_eq!(Checksum::new().with(head).with(tail).field(), Checksum::new().with(&octets).field());
        }
    }
}
