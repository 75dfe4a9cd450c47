//! The kernel-side filter of one port: which packets can be for a virtual router here, told without looking any deeper
//! than it takes. One description, two executions: [`Sieve::passes`] here, and a program for the kernel.
//!
//! It never refuses what decoding and the virtual router's own checks would accept; what it lets through is looked at
//! as ever.

use super::bpf::{Instruction, Program, last_word};
use crate::units::{Family, Version};
use crate::vrrp::{Expected, Origin, PortSpec};
use crate::wire::{PROTOCOL_AH, PROTOCOL_VRRP, Packet, auth};
use std::net::Ipv4Addr;

/// Of what it refuses, the filter lets one in this many through: so it is seen when that ceases.
pub const SAMPLE: u32 = 64;

/// Octets of a message before its addresses.
const HEADER: usize = 8;
const VERSION_TYPE: usize = 0;
const VRID: usize = 1;
const COUNT: usize = 3;

/// The low nibble of the first octet.
const ADVERTISEMENT: u8 = 1;

/// What can be for a virtual router of one port.
pub struct Sieve {
    family: Family,
    ttl: bool,
    /// Version and type, which share an octet.
    versions: Vec<u32>,
    vrids: [u32; 8],
    beyond: Vec<u32>,
    origin: Option<Words>,
}

/// The last four octets of source or destination have to be among these.
enum Words {
    Source(Vec<u32>),
    Destination(u32),
}

impl Sieve {
    /// The sieve for a port's routers as they are now.
    #[must_use]
    pub fn new(spec: &PortSpec) -> Self {
        let Expected { vrids, versions, any_ttl, origin } = &spec.expected;
        let mut map = [0; 8];
        for vrid in vrids.iter() {
            map[usize::from(vrid.get() / 32)] |= 1 << (vrid.get() % 32);
        }
        let origin = match origin {
            Origin::Group => Some(Words::Destination(group_word(spec.key.family))),
            // More than a program has room for: then their addresses are looked at later.
            Origin::Peers(peers) if peers.len() > Program::VALUES => None,
            Origin::Peers(peers) => Some(Words::Source(peers.iter().copied().map(last_word).collect())),
            Origin::Either => None,
        };
        Self {
            family: spec.key.family,
            ttl: !any_ttl,
            versions: versions.iter().map(|version| u32::from(version.number() << 4 | ADVERTISEMENT)).collect(),
            vrids: map,
            beyond: versions.iter().flat_map(|version| beyond(*version)).copied().collect(),
            origin,
        }
    }

    /// Whether the packet can be for a virtual router of this port.
    #[must_use]
    pub fn passes(&self, packet: &Packet<'_>) -> bool {
        let message = packet.message();
        let octet = |at: usize| message.get(at).copied().map_or(0, u32::from);
        let listed = usize::from(message.get(COUNT).copied().unwrap_or(0)) << self.entry_shift();
        let beyond = message.len().checked_sub(HEADER + listed).and_then(|beyond| u32::try_from(beyond).ok());
        let vrid = octet(VRID);
        (!self.ttl || packet.ttl == 255)
            && match &self.origin {
                None => true,
                Some(Words::Source(words)) => words.contains(&last_word(packet.source)),
                Some(Words::Destination(word)) => last_word(packet.destination) == *word,
            }
            && message.len() >= HEADER
            && self.versions.contains(&octet(VERSION_TYPE))
            && self.vrids[vrid as usize / 32] >> (vrid % 32) & 1 == 1
            && beyond.is_some_and(|beyond| self.beyond.contains(&beyond))
    }

    /// The same for a socket of IP protocol 112, or of 51 with an Authentication Header in front.
    pub(super) fn program(&self, protocol: u8) -> Vec<Instruction> {
        let (mut program, ttl_at, source_at, destination_at) = match self.family {
            Family::Ipv4 => (Program::ipv4(), 8, 12, 16),
            Family::Ipv6 => (Program::ipv6(), 7, 20, 36),
        };
        if self.ttl {
            program.header_octet(ttl_at);
            program.require_one_of(&[255]);
        }
        match &self.origin {
            None => {}
            Some(Words::Source(words)) => {
                program.header_word(source_at);
                program.require_one_of(words);
            }
            Some(Words::Destination(word)) => {
                program.header_word(destination_at);
                program.require_one_of(&[*word]);
            }
        }
        let message = if protocol == PROTOCOL_AH { auth::AH } else { 0 };
        program.length();
        program.require_at_least(offset(message + HEADER));
        if protocol == PROTOCOL_AH {
            program.octet(0);
            program.require_one_of(&[PROTOCOL_VRRP.into()]);
            program.octet(1);
            program.require_one_of(&[auth::PAYLOAD_LEN.into()]);
        }
        program.octet(offset(message + VERSION_TYPE));
        program.require_one_of(&self.versions);
        program.octet(offset(message + VRID));
        program.require_member(&self.vrids);
        program.length_beyond_list(offset(message + HEADER), offset(message + COUNT), self.entry_shift());
        program.require_one_of(&self.beyond);
        program.finish(SAMPLE)
    }

    const fn entry_shift(&self) -> u32 {
        match self.family {
            Family::Ipv4 => 2,
            Family::Ipv6 => 4,
        }
    }
}

/// Octets behind the addresses: authentication data, or nothing or keepalived's trailer.
const fn beyond(version: Version) -> &'static [u32] {
    match version {
        Version::V2 => &[8],
        Version::V3 => &[0, 28],
    }
}

fn offset(at: usize) -> u32 {
    u32::try_from(at).expect("a few dozen octets")
}

fn group_word(family: Family) -> u32 {
    match family {
        Family::Ipv4 => Ipv4Addr::new(224, 0, 0, 18).to_bits(),
        Family::Ipv6 => 0x12,
    }
}

#[cfg(test)]
mod tests {
    use super::super::bpf::interpreter::{self, View};
    use super::*;
    use crate::ids::{InterfaceName, PortKey};
    use crate::units::Vrid;
    use crate::wire::Advert;
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv6Addr};
    use std::sync::Arc;

    const ETHERNET: usize = 14;
    const IPV6: usize = 40;
    /// No multiple of the sample.
    const UNLUCKY: u32 = 1;

    /// The datagrams of `tests/vectors/`.
    fn datagrams() -> Vec<Vec<u8>> {
        let vectors: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/vectors/vectors.json")).expect("the vectors are JSON");
        let frames = vectors.as_array().expect("a list").iter().map(|vector| &vector["frame_hex"]);
        let octet = |frame: &str, at| u8::from_str_radix(&frame[at..at + 2], 16).expect("hexadecimal");
        frames
            .map(|frame| frame.as_str().expect("text"))
            .map(|frame| (0..frame.len()).step_by(2).skip(ETHERNET).map(|at| octet(frame, at)).collect())
            .collect()
    }

    /// The packet as the socket hands it over, and as its filter sees it. `None` where the kernel would drop it before.
    fn received(datagram: &[u8]) -> Option<(Packet<'_>, View<'_>)> {
        match datagram.first()? >> 4 {
            4 => {
                let packet = Packet::from_ipv4(datagram).ok()?;
                let datagram = &datagram[..packet.header.len() + packet.payload.len()];
                Some((packet, View { datagram, offset: 0 }))
            }
            6 => {
                let (header, payload) = datagram.split_at_checked(IPV6)?;
                let address = |at: usize| Some(Ipv6Addr::from(*header[at..].first_chunk::<16>()?));
                let packet = Packet::from_ipv6(address(8)?, address(24)?, header[7], payload);
                Some((packet, View { datagram, offset: IPV6 }))
            }
            _ => None,
        }
    }

    fn sieve(family: Family, expected: Expected) -> Sieve {
        let key = PortKey { interface: InterfaceName::new("eth0").expect("a legal name"), family };
        Sieve::new(&PortSpec {
            key,
            index: 2,
            multicast: true,
            ah: true,
            held_sources: false,
            virtual_macs: Arc::new([]),
            expected,
        })
    }

    /// Whether a virtual router could accept it: what decoding, and the checks of version, identifier and addresses, say.
    fn acceptable(packet: &Packet<'_>, expected: &Expected) -> bool {
        let advert = if expected.any_ttl { Advert::decode_any_ttl(packet) } else { Advert::decode(packet) };
        let Ok(advert) = advert else { return false };
        let group = match advert.family {
            Family::Ipv4 => IpAddr::from([224, 0, 0, 18]),
            Family::Ipv6 => IpAddr::from([0xff02, 0, 0, 0, 0, 0, 0, 0x12]),
        };
        expected.vrids.contains(&advert.vrid)
            && expected.versions.contains(&advert.version)
            && match &expected.origin {
                Origin::Group => packet.destination == group,
                Origin::Peers(peers) => peers.contains(&packet.source),
                Origin::Either => true,
            }
    }

    /// Both executions say the same, and refuse nothing that is acceptable. Returns what they say.
    fn check(datagram: &[u8], expected: &Expected) -> Option<bool> {
        let (packet, view) = received(datagram)?;
        let sieve = sieve(Family::of(packet.source), expected.clone());
        let passes = sieve.passes(&packet);
        assert_eq!(
            interpreter::passes(&sieve.program(packet.protocol), view, UNLUCKY),
            passes,
            "{packet:?} {expected:?}"
        );
        assert!(passes || !acceptable(&packet, expected), "refused: {packet:?} {expected:?}");
        Some(passes)
    }

    fn vrids(raw: &[u8]) -> Arc<[Vrid]> {
        raw.iter().copied().filter_map(Vrid::new).collect()
    }

    #[test]
    fn of_the_vectors_all_that_is_acceptable_passes_and_most_of_the_others_do_not() {
        let expected = Expected { vrids: vrids(&[10]), versions: [Version::V3].into(), ..Expected::default() };
        let said: Vec<bool> = datagrams().iter().filter_map(|datagram| check(datagram, &expected)).collect();
        let passed = said.iter().filter(|passes| **passes).count();
        assert!(said.len() > 60 && passed > 5 && passed * 2 < said.len(), "{passed} of {}", said.len());
    }

    fn expectations() -> impl Strategy<Value = Expected> {
        let peers = prop::collection::vec(
            prop_oneof![
                Just(IpAddr::from([192, 0, 2, 2])),
                Just(IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0, 2])),
                any::<IpAddr>()
            ],
            0..70,
        );
        let origin = prop_oneof![
            Just(Origin::Group),
            Just(Origin::Either),
            peers.prop_map(|peers| Origin::Peers(peers.into())),
        ];
        let raw = prop::collection::vec(prop_oneof![Just(10), Just(51), any::<u8>()], 0..255);
        let versions = prop::sample::subsequence(vec![Version::V2, Version::V3], 0..=2);
        (raw, versions, any::<bool>(), origin).prop_map(|(raw, versions, any_ttl, origin)| Expected {
            vrids: vrids(&raw),
            versions: versions.into(),
            any_ttl,
            origin,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Vectors as they are, changed in a few places, and cut.
        #[test]
        fn both_executions_agree_and_refuse_nothing_acceptable(
            which in any::<prop::sample::Index>(),
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            cut in prop::option::of(any::<prop::sample::Index>()),
            expected in expectations(),
        ) {
            let mut datagram = datagrams().swap_remove(which.index(datagrams().len()));
            for (at, value) in changes {
                let at = at.index(datagram.len());
                datagram[at] = value;
            }
            if let Some(cut) = cut {
                datagram.truncate(cut.index(datagram.len()));
            }
            check(&datagram, &expected);
        }
    }
}
