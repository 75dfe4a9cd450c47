//! Routes of the main table, through rtnetlink.
//!
//! The kernel says nothing of the IPv4 routes that go with an interface or an address, so news of those count too.

use crate::checks::Finding;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteFlags, RouteHeader, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};

/// Destination and prefix length.
pub(super) type Prefix = (IpAddr, u8);

/// `RTMGRP_LINK`, `_IPV4_IFADDR`, `_IPV4_ROUTE`, `_IPV6_IFADDR`, `_IPV6_ROUTE`.
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x100 | 0x400;

/// The subscription, and which of the routes that are asked for are there.
pub(super) struct Routes {
    notices: Socket,
    subscribed: bool,
    present: Result<BTreeSet<Prefix>, String>,
}

impl Routes {
    pub(super) fn new() -> io::Result<Self> {
        let notices = Socket::new(NETLINK_ROUTE)?;
        notices.set_non_blocking(true)?;
        Ok(Self { notices, subscribed: false, present: Ok(BTreeSet::new()) })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.notices.as_fd()
    }

    /// Takes what has come; whether it may bear on one of the routes that are asked for.
    pub(super) fn drain(&self, wanted: &BTreeSet<Prefix>) -> bool {
        let mut news = false;
        loop {
            match self.notices.recv_from_full() {
                Ok((datagram, _)) => news |= messages(&datagram).any(|message| bears_on(&message, wanted)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return news && !wanted.is_empty(),
                // The kernel could not tell everything (ENOBUFS).
                Err(_) => news = true,
            }
        }
    }

    /// Reads the routing table anew. The first time that a route is wanted, its notices are subscribed to before: whoever
    /// wants none is not woken by them.
    pub(super) fn refresh(&mut self, wanted: &BTreeSet<Prefix>) {
        let mut read = || {
            if !wanted.is_empty() && !self.subscribed {
                self.notices.bind(&SocketAddr::new(0, GROUPS))?;
                self.subscribed = true;
            }
            let mut present = BTreeSet::new();
            if wanted.iter().any(|(destination, _)| destination.is_ipv4()) {
                present.extend(dump(AddressFamily::Inet)?);
            }
            if wanted.iter().any(|(destination, _)| destination.is_ipv6()) {
                present.extend(dump(AddressFamily::Inet6)?);
            }
            present.retain(|prefix| wanted.contains(prefix));
            Ok(present)
        };
        self.present = read().map_err(|error: io::Error| format!("the routing table cannot be read: {error}"));
    }

    /// Whether the route is there.
    pub(super) fn check(&self, prefix: Prefix) -> Finding {
        let (destination, length) = prefix;
        match &self.present {
            Ok(present) if present.contains(&prefix) => Ok("present".into()),
            Ok(_) => Err(format!("no route to {destination}/{length} in the main table")),
            Err(trouble) => Err(trouble.clone()),
        }
    }
}

/// The messages of a datagram, as far as they can be understood.
fn messages(datagram: &[u8]) -> impl Iterator<Item = NetlinkPayload<RouteNetlinkMessage>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(*rest.first_chunk()?)).ok()?;
        let message = rest.get(..length).filter(|message| !message.is_empty())?;
        // Messages begin at multiples of four.
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(NetlinkMessage::deserialize(message).ok().map(|message| message.payload))
    })
    .flatten()
}

fn bears_on(message: &NetlinkPayload<RouteNetlinkMessage>, wanted: &BTreeSet<Prefix>) -> bool {
    match message {
        NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route) | RouteNetlinkMessage::DelRoute(route)) => {
            prefix(route).is_some_and(|prefix| wanted.contains(&prefix))
        }
        NetlinkPayload::InnerMessage(_) => true,
        _ => false,
    }
}

/// The usable routes of the main table.
fn dump(family: AddressFamily) -> io::Result<Vec<Prefix>> {
    let mut request = RouteMessage::default();
    request.header.address_family = family;
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetRoute(request));
    message.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);

    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;
    let mut routes = Vec::new();
    loop {
        let (datagram, _) = socket.recv_from_full()?;
        for message in messages(&datagram) {
            match message {
                NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewRoute(route)) if is_usable(&route) => {
                    routes.extend(prefix(&route));
                }
                NetlinkPayload::Error(error) => return Err(error.to_io()),
                NetlinkPayload::Done(_) => return Ok(routes),
                _ => {}
            }
        }
    }
}

/// In the main table, leading somewhere (neither `unreachable` nor `blackhole`), over an interface that is up.
fn is_usable(route: &RouteMessage) -> bool {
    let named = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Table(table) => Some(*table),
        _ => None,
    });
    let table = named.unwrap_or(u32::from(route.header.table));
    let useless = RouteFlags::Dead | RouteFlags::Cloned;
    table == u32::from(RouteHeader::RT_TABLE_MAIN)
        && route.header.kind == RouteType::Unicast
        && !route.header.flags.intersects(useless)
}

/// A route without a destination is the default route.
fn prefix(route: &RouteMessage) -> Option<Prefix> {
    let destination = route.attributes.iter().find_map(|attribute| match attribute {
        RouteAttribute::Destination(RouteAddress::Inet(address)) => Some(IpAddr::V4(*address)),
        RouteAttribute::Destination(RouteAddress::Inet6(address)) => Some(IpAddr::V6(*address)),
        _ => None,
    });
    let any = match route.header.address_family {
        AddressFamily::Inet => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        AddressFamily::Inet6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        _ => return None,
    };
    Some((destination.unwrap_or(any), route.header.destination_prefix_length))
}
