//! Messages to `nf_tables`: as much of them as [`Filter`](super::Filter) needs.
//!
//! Attributes hold attributes; numbers are big-endian but for those that packets are compared with. Names and numbers are
//! those of `linux/netfilter/nf_tables.h`.

use std::net::IpAddr;

/// Sub-system and message types.
const NFTABLES: u16 = 10 << 8;
const BATCH_BEGIN: u16 = 16;
const BATCH_END: u16 = 17;
const NEW_TABLE: u16 = NFTABLES;
const DELETE_TABLE: u16 = NFTABLES | 2;
const NEW_CHAIN: u16 = NFTABLES | 3;
const NEW_RULE: u16 = NFTABLES | 6;
const NEW_SET: u16 = NFTABLES | 9;
const NEW_ELEMENTS: u16 = NFTABLES | 0xc;
const DELETE_ELEMENTS: u16 = NFTABLES | 0xe;

const NLM_F_REQUEST: u16 = 0x1;
const NLM_F_ACK: u16 = 0x4;
const NLM_F_CREATE: u16 = 0x400;
const NLM_F_APPEND: u16 = 0x800;
const NLA_F_NESTED: u16 = 0x8000;

/// The table, for both families (`NFPROTO_INET`).
const TABLE: &[u8] = b"vrrpd\0";
const INET: u8 = 1;
const CHAIN: &[u8] = b"prerouting\0";
/// `NFT_TABLE_F_OWNER`: nobody else may change it, and it goes with the socket that made it.
const OWNER: u32 = 2;
/// Before connection tracking (`NF_IP_PRI_RAW`).
const PRIORITY: i32 = -300;

const REGISTER: u32 = 1;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;

/// An attribute with its content.
struct Attribute(Vec<u8>);

fn attribute(kind: u16, value: &[u8]) -> Attribute {
    let length = u16::try_from(4 + value.len()).expect("attributes are short");
    let mut octets = length.to_ne_bytes().to_vec();
    octets.extend_from_slice(&kind.to_ne_bytes());
    octets.extend_from_slice(value);
    octets.resize(octets.len().next_multiple_of(4), 0);
    Attribute(octets)
}

fn number(kind: u16, value: u32) -> Attribute {
    attribute(kind, &value.to_be_bytes())
}

fn nested(kind: u16, inner: impl IntoIterator<Item = Attribute>) -> Attribute {
    let inner: Vec<u8> = inner.into_iter().flat_map(|attribute| attribute.0).collect();
    attribute(kind | NLA_F_NESTED, &inner)
}

/// A transaction: all of it is done, or nothing.
pub(super) struct Batch {
    octets: Vec<u8>,
    sequence: u32,
    last: usize,
}

impl Batch {
    /// One whose first message has the number after `sequence`.
    pub(super) fn new(sequence: u32) -> Self {
        let mut batch = Self { octets: Vec::new(), sequence, last: 0 };
        batch.append(BATCH_BEGIN, 0, 0, 10, []);
        batch
    }

    /// The message to send, and the number of the request that is acknowledged if all is done.
    pub(super) fn finish(mut self) -> (Vec<u8>, u32) {
        let flags = self.last + 6;
        if let Some(flags) = self.octets.get_mut(flags..flags + 2) {
            let with_answer = u16::from_ne_bytes([flags[0], flags[1]]) | NLM_F_ACK;
            flags.copy_from_slice(&with_answer.to_ne_bytes());
        }
        let acknowledged = self.sequence;
        self.append(BATCH_END, 0, 0, 10, []);
        (self.octets, acknowledged)
    }

    fn append(
        &mut self,
        kind: u16,
        flags: u16,
        family: u8,
        resource: u16,
        attributes: impl IntoIterator<Item = Attribute>,
    ) {
        self.sequence = self.sequence.wrapping_add(1);
        self.last = self.octets.len();
        self.octets.extend_from_slice(&[0; 4]);
        self.octets.extend_from_slice(&kind.to_ne_bytes());
        self.octets.extend_from_slice(&(flags | NLM_F_REQUEST).to_ne_bytes());
        self.octets.extend_from_slice(&self.sequence.to_ne_bytes());
        self.octets.extend_from_slice(&[0; 4]);
        self.octets.extend_from_slice(&[family, 0]);
        self.octets.extend_from_slice(&resource.to_be_bytes());
        for attribute in attributes {
            self.octets.extend_from_slice(&attribute.0);
        }
        let length = u32::try_from(self.octets.len() - self.last).expect("messages are short");
        self.octets[self.last..self.last + 4].copy_from_slice(&length.to_ne_bytes());
    }

    fn nft(&mut self, kind: u16, flags: u16, attributes: impl IntoIterator<Item = Attribute>) {
        self.append(kind, flags, INET, 0, attributes);
    }

    /// The table, which may be there already.
    pub(super) fn make_table(&mut self, owned: bool) {
        let flags = if owned { OWNER } else { 0 };
        self.nft(NEW_TABLE, NLM_F_CREATE, [attribute(1, TABLE), number(2, flags)]);
    }

    /// The table with all that is in it; it must be there.
    pub(super) fn delete_table(&mut self) {
        self.nft(DELETE_TABLE, 0, [attribute(1, TABLE)]);
    }

    /// A set of addresses for each family, and the chain that drops what goes to them: before routing, so that it is
    /// neither taken nor forwarded.
    pub(super) fn make_content(&mut self) {
        for family in [Family::Ipv4, Family::Ipv6] {
            let (kind, length) = (family.key_type(), family.length());
            // The identifier lets rules of the same batch refer to the set.
            let id = number(10, family.id());
            let names = [attribute(1, TABLE), attribute(2, family.set())];
            let key = [number(3, 0), number(4, kind), number(5, length), id];
            self.nft(NEW_SET, NLM_F_CREATE, names.into_iter().chain(key));
        }
        let hook = nested(4, [number(1, 0), attribute(2, &PRIORITY.to_be_bytes())]);
        let chain = [attribute(1, TABLE), attribute(3, CHAIN), hook, attribute(7, b"filter\0"), number(5, ACCEPT)];
        self.nft(NEW_CHAIN, NLM_F_CREATE, chain);
        // What this host says to itself has not come from the network.
        self.rule([is_loopback(), vec![verdict(ACCEPT)]]);
        self.rule([to_member(Family::Ipv6), is_neighbour_discovery(), vec![verdict(ACCEPT)]]);
        for family in [Family::Ipv4, Family::Ipv6] {
            self.rule([to_member(family), vec![verdict(DROP)]]);
        }
    }

    fn rule<const N: usize>(&mut self, expressions: [Vec<Attribute>; N]) {
        let expressions = nested(4, expressions.into_iter().flatten());
        let rule = [attribute(1, TABLE), attribute(2, CHAIN), expressions];
        self.nft(NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, rule);
    }

    /// Adds an address to its family's set, where it may be already.
    pub(super) fn add(&mut self, address: IpAddr) {
        self.nft(NEW_ELEMENTS, NLM_F_CREATE, elements(address));
    }

    /// Takes an address out; it must be there.
    pub(super) fn remove(&mut self, address: IpAddr) {
        self.nft(DELETE_ELEMENTS, 0, elements(address));
    }
}

#[derive(Clone, Copy)]
enum Family {
    Ipv4,
    Ipv6,
}

impl Family {
    fn set(self) -> &'static [u8] {
        match self {
            Self::Ipv4 => b"refused4\0",
            Self::Ipv6 => b"refused6\0",
        }
    }

    fn id(self) -> u32 {
        match self {
            Self::Ipv4 => 1,
            Self::Ipv6 => 2,
        }
    }

    /// How `nft list` shows the elements.
    fn key_type(self) -> u32 {
        match self {
            Self::Ipv4 => 7,
            Self::Ipv6 => 8,
        }
    }

    fn length(self) -> u32 {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 => 16,
        }
    }

    fn protocol(self) -> u8 {
        match self {
            Self::Ipv4 => 2,
            Self::Ipv6 => 10,
        }
    }

    /// Where the destination address lies in the header.
    fn destination(self) -> u32 {
        match self {
            Self::Ipv4 => 16,
            Self::Ipv6 => 24,
        }
    }
}

fn elements(address: IpAddr) -> [Attribute; 3] {
    let (family, octets) = match address {
        IpAddr::V4(ip) => (Family::Ipv4, ip.octets().to_vec()),
        IpAddr::V6(ip) => (Family::Ipv6, ip.octets().to_vec()),
    };
    let key = nested(1, [attribute(1, &octets)]);
    [attribute(1, TABLE), attribute(2, family.set()), nested(3, [nested(1, [key])])]
}

fn expression(name: &[u8], data: impl IntoIterator<Item = Attribute>) -> Attribute {
    nested(1, [attribute(1, name), nested(2, data)])
}

/// Loads something about the packet.
fn meta(key: u32) -> Attribute {
    expression(b"meta\0", [number(1, REGISTER), number(2, key)])
}

/// Loads octets of the packet: of the network header (1) or the transport header (2).
fn payload(header: u32, offset: u32, length: u32) -> Attribute {
    expression(b"payload\0", [number(1, REGISTER), number(2, header), number(3, offset), number(4, length)])
}

/// Goes on with the rule only where what was loaded compares so: equal (0), not greater (3), not less (5).
fn compare(how: u32, with: &[u8]) -> Attribute {
    expression(b"cmp\0", [number(1, REGISTER), number(2, how), nested(3, [attribute(1, with)])])
}

fn verdict(code: u32) -> Attribute {
    let verdict = nested(2, [nested(2, [number(1, code)])]);
    expression(b"immediate\0", [number(1, 0), verdict])
}

/// `meta iif lo`: the loopback interface is the first of every network namespace.
fn is_loopback() -> Vec<Attribute> {
    vec![meta(4), compare(0, &1u32.to_ne_bytes())]
}

/// `meta nfproto F F daddr @set`.
fn to_member(family: Family) -> Vec<Attribute> {
    let lookup = [attribute(1, family.set()), number(2, REGISTER), number(4, family.id())];
    let destination = payload(1, family.destination(), family.length());
    vec![meta(15), compare(0, &[family.protocol()]), destination, expression(b"lookup\0", lookup)]
}

/// `icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert }`.
fn is_neighbour_discovery() -> Vec<Attribute> {
    vec![meta(16), compare(0, &[58]), payload(2, 0, 1), compare(5, &[135]), compare(3, &[136])]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(mut octets: &[u8]) -> Vec<(u16, u16, u32)> {
        let mut messages = Vec::new();
        while let Some((head, _)) = octets.split_first_chunk::<16>() {
            let [a, b, c, d, kind0, kind1, flags0, flags1, s0, s1, s2, s3, ..] = *head;
            let sequence = u32::from_ne_bytes([s0, s1, s2, s3]);
            messages.push((u16::from_ne_bytes([kind0, kind1]), u16::from_ne_bytes([flags0, flags1]), sequence));
            let length = u32::from_ne_bytes([a, b, c, d]);
            assert_eq!(length % 4, 0);
            octets = &octets[usize::try_from(length).expect("short")..];
        }
        assert!(octets.is_empty(), "whole messages only");
        messages
    }

    #[test]
    fn a_batch_has_a_beginning_an_end_and_one_answer() {
        let mut batch = Batch::new(41);
        batch.make_table(true);
        batch.add(IpAddr::from([192, 0, 2, 10]));
        let (octets, acknowledged) = batch.finish();
        let expected = [
            (BATCH_BEGIN, NLM_F_REQUEST, 42),
            (NEW_TABLE, NLM_F_REQUEST | NLM_F_CREATE, 43),
            (NEW_ELEMENTS, NLM_F_REQUEST | NLM_F_CREATE | NLM_F_ACK, 44),
            (BATCH_END, NLM_F_REQUEST, 45),
        ];
        assert_eq!(messages(&octets), expected);
        assert_eq!(acknowledged, 44);
    }

    #[test]
    fn an_attribute_is_padded_and_its_length_is_not() {
        let octets = attribute(1, TABLE).0;
        assert_eq!((octets.len(), &octets[..2]), (12, &10u16.to_ne_bytes()[..]));
        assert_eq!(nested(3, [number(2, 7)]).0[2..4], (3 | NLA_F_NESTED).to_ne_bytes());
    }
}
