//! Links and addresses of one namespace, through rtnetlink.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{
    InfoBridge, InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::namespace::Namespace;

/// A request socket inside one namespace.
pub(crate) struct Netlink(Socket);

/// One address on an interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InterfaceAddress {
    pub(crate) index: u32,
    pub(crate) address: IpAddr,
    pub(crate) prefix: u8,
    /// Who put it there (`IFA_PROTO`); 0 where nobody said.
    pub(crate) protocol: u8,
}

impl Netlink {
    pub(crate) fn open(namespace: &Namespace) -> io::Result<Self> {
        let mut socket = namespace.enter(|| Socket::new(NETLINK_ROUTE))?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Self(socket))
    }

    /// A bridge that forwards multicast everywhere, as a switch without IGMP snooping does.
    pub(crate) fn add_bridge(&self, name: &str) -> io::Result<()> {
        let data = InfoData::Bridge(vec![InfoBridge::MulticastSnooping(false)]);
        self.add_link(vec![
            LinkAttribute::IfName(name.to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge), LinkInfo::Data(data)]),
        ])
    }

    /// A cable: one end `here`, the other one `there` in `namespace`, with this MAC address.
    pub(crate) fn add_cable(&self, here: &str, namespace: &Namespace, there: &str, mac: [u8; 6]) -> io::Result<()> {
        let mut peer = LinkMessage::default();
        peer.attributes = vec![
            LinkAttribute::IfName(there.to_owned()),
            LinkAttribute::Address(mac.to_vec()),
            LinkAttribute::NetNsFd(namespace.handle().as_raw_fd()),
        ];
        let data = InfoData::Veth(InfoVeth::Peer(peer));
        self.add_link(vec![
            LinkAttribute::IfName(here.to_owned()),
            LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), LinkInfo::Data(data)]),
        ])
    }

    fn add_link(&self, attributes: Vec<LinkAttribute>) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.attributes = attributes;
        self.change(RouteNetlinkMessage::NewLink(message), NLM_F_CREATE | NLM_F_EXCL)
    }

    pub(crate) fn delete_link(&self, index: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        self.change(RouteNetlinkMessage::DelLink(message), 0)
    }

    pub(crate) fn set_up(&self, index: u32, up: bool) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        self.change(RouteNetlinkMessage::SetLink(message), 0)
    }

    /// Plugs interface `index` into the bridge `controller`; zero unplugs it, without a loss of carrier.
    pub(crate) fn set_controller(&self, index: u32, controller: u32) -> io::Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes = vec![LinkAttribute::Controller(controller)];
        self.change(RouteNetlinkMessage::SetLink(message), 0)
    }

    pub(crate) fn add_address(&self, address: &InterfaceAddress) -> io::Result<()> {
        self.change(RouteNetlinkMessage::NewAddress(address.message()), NLM_F_CREATE | NLM_F_EXCL)
    }

    pub(crate) fn delete_address(&self, address: &InterfaceAddress) -> io::Result<()> {
        self.change(RouteNetlinkMessage::DelAddress(address.message()), 0)
    }

    /// Every address of the namespace.
    pub(crate) fn addresses(&self) -> io::Result<Vec<InterfaceAddress>> {
        let answers = self.request(RouteNetlinkMessage::GetAddress(AddressMessage::default()), NLM_F_DUMP)?;
        Ok(answers.into_iter().filter_map(|answer| InterfaceAddress::parse(&answer)).collect())
    }

    fn change(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<()> {
        self.request(message, NLM_F_ACK | flags).map(drop)
    }

    fn request(&self, message: RouteNetlinkMessage, flags: u16) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut request = NetlinkMessage::new(NetlinkHeader::default(), NetlinkPayload::from(message));
        request.header.flags = NLM_F_REQUEST | flags;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.0.send(&bytes, 0)?;
        let mut answers = Vec::new();
        loop {
            let (datagram, _) = self.0.recv_from_full()?;
            if collect(&datagram, &mut answers)? {
                return Ok(answers);
            }
        }
    }
}

/// Takes the messages out of one datagram; true when the answer is complete.
fn collect(mut datagram: &[u8], answers: &mut Vec<RouteNetlinkMessage>) -> io::Result<bool> {
    while !datagram.is_empty() {
        let length = NetlinkBuffer::new_checked(&datagram).map_err(io::Error::other)?.length();
        let message = NetlinkMessage::<RouteNetlinkMessage>::deserialize(datagram).map_err(io::Error::other)?;
        match message.payload {
            NetlinkPayload::Done(_) => return Ok(true),
            NetlinkPayload::Error(error) => return if error.code.is_none() { Ok(true) } else { Err(error.to_io()) },
            NetlinkPayload::InnerMessage(inner) => answers.push(inner),
            _ => {}
        }
        let aligned = usize::try_from(length).map_err(io::Error::other)?.next_multiple_of(4);
        datagram = datagram.get(aligned..).unwrap_or_default();
    }
    Ok(false)
}

impl InterfaceAddress {
    fn message(&self) -> AddressMessage {
        let mut message = AddressMessage::default();
        message.header.family = if self.address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
        message.header.prefix_len = self.prefix;
        message.header.index = self.index;
        message.attributes = vec![AddressAttribute::Local(self.address), AddressAttribute::Address(self.address)];
        if self.protocol != 0 {
            message.attributes.push(AddressAttribute::Protocol(self.protocol.into()));
        }
        message
    }

    fn parse(message: &RouteNetlinkMessage) -> Option<Self> {
        let RouteNetlinkMessage::NewAddress(message) = message else { return None };
        let protocol = message.attributes.iter().find_map(|attribute| match attribute {
            AddressAttribute::Protocol(protocol) => Some(u8::from(*protocol)),
            _ => None,
        });
        let (index, prefix) = (message.header.index, message.header.prefix_len);
        Some(Self { index, address: address_of(message)?, prefix, protocol: protocol.unwrap_or(0) })
    }
}

/// The address of an interface that a message is about.
pub(crate) fn address_of(message: &AddressMessage) -> Option<IpAddr> {
    let local = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Local(address) => Some(*address),
        _ => None,
    });
    let plain = message.attributes.iter().find_map(|attribute| match attribute {
        AddressAttribute::Address(address) => Some(*address),
        _ => None,
    });
    local.or(plain)
}

/// A socket that hears of links and addresses of one namespace.
pub(crate) struct Listener(Socket);

impl Listener {
    pub(crate) fn open(namespace: &Namespace) -> io::Result<Self> {
        let mut socket = namespace.enter(|| Socket::new(NETLINK_ROUTE))?;
        // RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR.
        socket.bind(&SocketAddr::new(0, 0x1 | 0x10 | 0x100))?;
        Ok(Self(socket))
    }

    /// What one datagram says; nothing if none comes in time.
    pub(crate) fn wait(&self, timeout: Duration) -> io::Result<Vec<RouteNetlinkMessage>> {
        let mut messages = Vec::new();
        let timeout = PollTimeout::try_from(timeout).map_err(io::Error::other)?;
        if poll(&mut [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)], timeout)? > 0 {
            collect(&self.0.recv_from_full()?.0, &mut messages)?;
        }
        Ok(messages)
    }
}
