//! What the kernel says over netlink, reduced to what VRRP needs.
//!
//! Only the attributes that are used are decoded: one of some newer kernel that the decoder does not know must not
//! hide the loss of a link.

use super::macvlan::Macvlan;
use super::netlink::ADDRESS_PROTOCOL;
use crate::ids::InterfaceName;
use crate::units::VirtualAddress;
use netlink_packet_core::{NLM_F_DUMP_INTR, NLMSG_DONE, NLMSG_ERROR, NetlinkBuffer, NlasIterator, Parseable};
use netlink_packet_route::AddressFamily;
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressHeader, AddressMessageBuffer, AddressProtocol,
};
use netlink_packet_route::link::{LinkFlags, LinkHeader, LinkMessageBuffer};
use netlink_packet_route::route::{RouteMessage, RouteMessageBuffer, RouteProtocol};
use netlink_packet_route::rule::{RuleAttribute, RuleMessage, RuleMessageBuffer};
use pnet_base::MacAddr;
use std::io;
use std::net::IpAddr;

/// The attributes of a link message that are looked at.
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_LINKINFO: u16 = 18;
const IFLA_IFALIAS: u16 = 20;
const IFLA_INFO_KIND: u16 = 1;
/// Octets of a netlink header.
const HEADER: usize = 16;

/// An interface as the kernel reports it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinkState {
    /// The kernel's index.
    pub index: u32,
    /// Its name of the moment.
    pub name: InterfaceName,
    /// Administratively up, with a carrier, and operational.
    pub up: bool,
    /// Its MAC address, where it has one.
    pub mac: Option<MacAddr>,
    /// What is to know where it is a macvlan.
    pub macvlan: Option<Macvlan>,
}

/// An address as the kernel reports it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct KernelAddress {
    /// The interface's index.
    pub index: u32,
    /// The address and its prefix length.
    pub address: VirtualAddress,
    /// Carries [`ADDRESS_PROTOCOL`]: `vrrpd` put it there.
    pub tagged: bool,
    /// IPv4: not the first of its subnet on this interface.
    pub secondary: bool,
    /// IPv6: cannot be a source, since duplicate address detection has not finished or has failed.
    pub tentative: bool,
}

/// One message.
#[derive(Debug)]
pub(super) enum Message {
    Link(LinkState),
    LinkGone {
        index: u32,
    },
    Address(KernelAddress),
    AddressGone(KernelAddress),
    /// A route of ours.
    Route(Box<RouteMessage>),
    /// A rule of ours.
    Rule(Box<RuleMessage>),
    /// A route or rule of ours is gone.
    RouteGone,
    /// The end of a request, or of a dump.
    Outcome(io::Result<()>),
    /// Of no interest here.
    Other,
}

/// Where a message belongs.
pub(super) struct Envelope {
    pub(super) sequence: u32,
    /// Of a notice: the netlink port of who asked for the change; 0 where that was the kernel, or is not told.
    pub(super) port: u32,
    /// The tables changed during the dump: it has to be asked for again.
    pub(super) interrupted: bool,
}

/// Takes apart what one `recv` returned. What is cut or garbled ends it.
pub(super) fn each_message(mut bytes: &[u8], mut each: impl FnMut(Envelope, Message)) {
    while let Ok(message) = NetlinkBuffer::new_checked(bytes) {
        let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
        if length < HEADER {
            return;
        }
        let interrupted = message.flags() & NLM_F_DUMP_INTR != 0;
        let envelope = Envelope { sequence: message.sequence_number(), port: message.port_number(), interrupted };
        each(envelope, decode(message.message_type(), message.payload()).unwrap_or(Message::Other));
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
}

fn decode(kind: u16, payload: &[u8]) -> Option<Message> {
    Some(match kind {
        NLMSG_ERROR | NLMSG_DONE => Message::Outcome(outcome(payload)),
        libc::RTM_NEWLINK => Message::Link(link(payload)?),
        libc::RTM_DELLINK => Message::LinkGone { index: link_header(payload)?.index },
        libc::RTM_NEWADDR => Message::Address(address(payload)?),
        libc::RTM_DELADDR => Message::AddressGone(address(payload)?),
        libc::RTM_NEWROUTE => Message::Route(Box::new(our_route(payload)?)),
        libc::RTM_DELROUTE => our_route(payload).map(|_| Message::RouteGone)?,
        libc::RTM_NEWRULE => Message::Rule(Box::new(our_rule(payload)?)),
        libc::RTM_DELRULE => our_rule(payload).map(|_| Message::RouteGone)?,
        _ => return None,
    })
}

fn our_route(payload: &[u8]) -> Option<RouteMessage> {
    let buffer = RouteMessageBuffer::new_checked(&payload).ok()?;
    // First the octet that tells most routes apart: there may be a million of them.
    let ours = RouteProtocol::Other(ADDRESS_PROTOCOL) == RouteProtocol::from(*payload.get(5)?);
    ours.then(|| RouteMessage::parse(&buffer).ok()).flatten()
}

fn our_rule(payload: &[u8]) -> Option<RuleMessage> {
    let rule = RuleMessage::parse(&RuleMessageBuffer::new_checked(&payload).ok()?).ok()?;
    let ours = RuleAttribute::Protocol(RouteProtocol::Other(ADDRESS_PROTOCOL));
    rule.attributes.contains(&ours).then_some(rule)
}

/// Error messages and the end of a dump both begin with zero or a negated errno.
fn outcome(payload: &[u8]) -> io::Result<()> {
    let code = payload.get(..4).and_then(|code| <[u8; 4]>::try_from(code).ok()).map_or(0, i32::from_ne_bytes);
    if code >= 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(code.saturating_neg())) }
}

/// A bridge reports its ports as links of family `AF_BRIDGE`: a port that leaves it "is deleted". That is not meant.
fn link_header(payload: &[u8]) -> Option<LinkHeader> {
    let header = LinkHeader::parse(&LinkMessageBuffer::new_checked(payload).ok()?).ok()?;
    (header.interface_family == AddressFamily::Unspec).then_some(header)
}

fn link(payload: &[u8]) -> Option<LinkState> {
    let header = link_header(payload)?;
    let mut link = Attributes::default();
    for attribute in LinkMessageBuffer::new_checked(payload).ok()?.attributes().filter_map(Result::ok) {
        let value = attribute.value();
        match attribute.kind() {
            IFLA_IFNAME => link.name = InterfaceName::new(&text(value)?),
            IFLA_ADDRESS => link.mac = value.try_into().ok(),
            IFLA_LINK => link.parent = value.try_into().ok().map(u32::from_ne_bytes),
            IFLA_IFALIAS => link.alias = text(value).unwrap_or_default(),
            IFLA_LINKINFO => {
                let mut info = NlasIterator::new(value).filter_map(Result::ok);
                link.macvlan = info.any(|nla| nla.kind() == IFLA_INFO_KIND && nla.value() == b"macvlan\0");
            }
            _ => {}
        }
    }
    let working = LinkFlags::Up | LinkFlags::LowerUp | LinkFlags::Running;
    let macvlan = match (link.macvlan, link.mac, link.parent) {
        (true, Some(mac), Some(parent)) => {
            Some(Macvlan { mac, parent, enabled: header.flags.contains(LinkFlags::Up), alias: link.alias })
        }
        _ => None,
    };
    Some(LinkState {
        index: header.index,
        name: link.name?,
        up: header.flags.contains(working),
        mac: link.mac.map(MacAddr::from),
        macvlan,
    })
}

#[derive(Default)]
struct Attributes {
    name: Option<InterfaceName>,
    mac: Option<[u8; 6]>,
    parent: Option<u32>,
    alias: String,
    macvlan: bool,
}

fn text(value: &[u8]) -> Option<String> {
    std::str::from_utf8(value).ok().map(|text| text.trim_end_matches('\0').to_owned())
}

fn address(payload: &[u8]) -> Option<KernelAddress> {
    let message = AddressMessageBuffer::new_checked(payload).ok()?;
    let header = AddressHeader::parse(&message).ok()?;
    let (mut local, mut address, mut tagged) = (None, None, false);
    let mut flags = AddressFlags::from_bits_retain(u32::from(header.flags.bits()));
    for attribute in message.attributes().filter_map(Result::ok) {
        match AddressAttribute::parse(&attribute) {
            Ok(AddressAttribute::Local(ip)) => local = Some(ip),
            Ok(AddressAttribute::Address(ip)) => address = Some(ip),
            Ok(AddressAttribute::Flags(all)) => flags = all,
            Ok(AddressAttribute::Protocol(protocol)) => tagged = protocol == AddressProtocol::Other(ADDRESS_PROTOCOL),
            _ => {}
        }
    }
    // On a point-to-point interface the address is the peer's and the local one stands apart.
    let ip = local.or(address)?;
    let unfinished = flags.contains(AddressFlags::Tentative) && !flags.contains(AddressFlags::Optimistic);
    Some(KernelAddress {
        index: header.index,
        address: VirtualAddress { ip, prefix: header.prefix_len },
        tagged,
        secondary: ip.is_ipv4() && flags.contains(AddressFlags::Secondary),
        tentative: matches!(ip, IpAddr::V6(_)) && (unfinished || flags.contains(AddressFlags::Dadfailed)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + payload.len()).expect("short");
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend_from_slice(&kind.to_ne_bytes());
        bytes.extend_from_slice(&[0; 10]);
        bytes.extend_from_slice(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn link_payload(family: u8, flags: u32) -> Vec<u8> {
        let mut payload = vec![family, 0, 1, 0];
        payload.extend_from_slice(&7u32.to_ne_bytes());
        payload.extend_from_slice(&flags.to_ne_bytes());
        payload.extend_from_slice(&[0; 4]);
        payload.extend_from_slice(&9u16.to_ne_bytes());
        payload.extend_from_slice(&IFLA_IFNAME.to_ne_bytes());
        payload.extend_from_slice(b"eth0\0\0\0\0");
        payload
    }

    fn all(bytes: &[u8]) -> Vec<Message> {
        let mut messages = Vec::new();
        each_message(bytes, |_, message| messages.push(message));
        messages
    }

    #[test]
    fn a_link_is_up_only_with_a_carrier() {
        for (flags, up) in [(0x1_0041, true), (0x1_0040, false), (0x41, false), (0x1_0001, false)] {
            let messages = all(&message(libc::RTM_NEWLINK, &link_payload(0, flags)));
            let [Message::Link(link)] = &messages[..] else { panic!("{messages:?}") };
            assert_eq!((link.index, link.name.as_str(), link.up), (7, "eth0", up), "{flags:x}");
        }
    }

    #[test]
    fn a_port_that_leaves_its_bridge_is_not_a_link_that_is_gone() {
        let bridge = u8::try_from(libc::AF_BRIDGE).expect("small");
        let bytes = message(libc::RTM_DELLINK, &link_payload(bridge, 0));
        assert!(matches!(all(&bytes)[..], [Message::Other]));
    }

    #[test]
    fn several_messages_come_in_one_datagram_and_cut_ones_end_it() {
        let mut bytes = message(NLMSG_ERROR, &(-libc::EPERM).to_ne_bytes());
        bytes.extend(message(NLMSG_DONE, &[0; 4]));
        bytes.extend(message(libc::RTM_DELLINK, &link_payload(0, 0)));
        assert!(matches!(
            &all(&bytes)[..],
            [Message::Outcome(Err(error)), Message::Outcome(Ok(())), Message::LinkGone { index: 7 }]
                if error.raw_os_error() == Some(libc::EPERM)
        ));
        for length in 0..bytes.len() {
            assert!(all(&bytes[..length]).len() < 3);
        }
    }
}
