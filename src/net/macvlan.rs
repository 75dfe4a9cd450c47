//! Requests about macvlans: the interfaces that carry virtual router MAC addresses.

use super::message::LinkState;
use super::netlink::Netlink;
use crate::ids::InterfaceName;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    AfSpecInet6, AfSpecUnspec, In6AddrGenMode, InfoData, InfoKind, InfoMacVlan, LinkAttribute, LinkFlags, LinkInfo,
    LinkMessage, MacVlanMode,
};
use std::io;

/// A macvlan as the kernel lists it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Macvlan {
    /// Its Ethernet address.
    pub mac: [u8; 6],
    /// The index of the interface it is on.
    pub parent: u32,
    /// Administratively up.
    pub enabled: bool,
    /// The text that goes with it.
    pub alias: String,
}

impl Netlink {
    /// Makes a macvlan that is down, and gives its index. Its mode is VEPA: it speaks with the network and with no other
    /// macvlan of this host. It must not be private, since the kernel then keeps multicast with the macvlan's own source
    /// address from the interface below: a Master would never hear another one.
    pub(super) fn make_macvlan(&mut self, name: &InterfaceName, parent: u32, mac: [u8; 6]) -> io::Result<u32> {
        let mut message = LinkMessage::default();
        message.attributes = vec![
            LinkAttribute::IfName(name.to_string()),
            LinkAttribute::Link(parent),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::LinkInfo(vec![
                LinkInfo::Kind(InfoKind::MacVlan),
                LinkInfo::Data(InfoData::MacVlan(vec![InfoMacVlan::Mode(MacVlanMode::Vepa)])),
            ]),
        ];
        let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
        self.ask(RouteNetlinkMessage::NewLink(message), flags)?;
        Ok(nix::net::if_::if_nametoindex(name.as_str())?)
    }

    /// Writes its alias, and keeps the kernel from giving it a link-local address made of its MAC address (RFC 9568,
    /// 7.4). Neither can be done while it is made.
    pub(super) fn mark_macvlan(&mut self, index: u32, alias: String) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes = vec![LinkAttribute::IfAlias(alias)];
        if std::fs::exists("/proc/sys/net/ipv6").unwrap_or(false) {
            let mode = AfSpecInet6::AddrGenMode(In6AddrGenMode::None);
            message.attributes.push(LinkAttribute::AfSpecUnspec(vec![AfSpecUnspec::Inet6(vec![mode])]));
        }
        self.ask(RouteNetlinkMessage::SetLink(message), NLM_F_REQUEST | NLM_F_ACK)
    }

    /// Sets an interface up or down.
    pub(super) fn enable_link(&mut self, index: u32, enabled: bool) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if enabled { LinkFlags::Up } else { LinkFlags::empty() };
        self.ask(RouteNetlinkMessage::SetLink(message), NLM_F_REQUEST | NLM_F_ACK)
    }

    /// Removes an interface.
    pub(super) fn remove_link(&mut self, index: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.ask(RouteNetlinkMessage::DelLink(message), NLM_F_REQUEST | NLM_F_ACK)
    }

    /// The macvlans that carry a virtual router MAC address and that we have made.
    pub(super) fn our_macvlans(&mut self) -> io::Result<Vec<LinkState>> {
        let mut links = self.links().map_err(io::Error::other)?;
        links.retain(LinkState::is_ours);
        Ok(links)
    }
}
