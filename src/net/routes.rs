//! Routes and rules held for virtual routers. Each carries the protocol number 112, by which it is recognised and never
//! taken for an operator's.
//!
//! The kernel has them as a matter of course where nothing is known to the contrary: whatever may have removed some is
//! answered by asking for all of them once more. One that is there already is left as it is.

use super::netlink::{ADDRESS_PROTOCOL, Netlink};
use crate::ids::RouterId;
use crate::units::{Family, VirtualAddress};
use crate::vrrp::{RouterSpec, VirtualRoute, VirtualRule};
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_EXCL, NLM_F_REQUEST};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteProtocol, RouteScope, RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Item {
    Route(VirtualRoute),
    Rule(VirtualRule),
}

/// What became of a route or rule.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum RouteOutcome {
    /// Somebody had removed it; it is there again.
    Restored {
        /// Which, in words.
        route: Arc<str>,
        /// Who.
        by: Option<Arc<str>>,
    },
    /// The kernel's refusal, in words.
    Refused(String),
}

/// The routes and rules of all virtual routers.
#[derive(Default)]
pub struct Routes {
    wanted: BTreeMap<RouterId, BTreeSet<Item>>,
    present: BTreeSet<Item>,
    /// Who was seen removing one of ours since they were last put: those that are missing then were removed.
    remover: Option<Arc<str>>,
    /// Those that somebody may have removed.
    doubted: BTreeSet<Item>,
    /// Something is to be compared with what is wanted.
    due: bool,
}

impl Routes {
    /// From now on `router` holds the routes and rules of its specification, and no others.
    pub fn hold(&mut self, router: RouterId, spec: &RouterSpec) {
        let of_routes = spec.routes.iter().cloned().map(Item::Route);
        let items: BTreeSet<Item> = of_routes.chain(spec.rules.iter().cloned().map(Item::Rule)).collect();
        if items.is_empty() {
            self.wanted.remove(&router);
        } else {
            self.wanted.insert(router, items);
        }
        self.due = true;
    }

    /// From now on `router` holds none.
    pub fn release(&mut self, router: RouterId) {
        self.wanted.remove(&router);
        self.due = true;
    }

    /// Whether [`Routes::withdraw`] and [`Routes::put`] may have something to do.
    #[must_use]
    pub fn is_due(&self) -> bool {
        self.due
    }

    /// The routers that hold any.
    pub fn holders(&self) -> impl Iterator<Item = RouterId> + '_ {
        self.wanted.keys().copied()
    }

    /// Something may have removed some of them: `by`, where somebody was seen doing it.
    pub fn doubt(&mut self, by: Option<Arc<str>>) {
        let wanted = self.all_wanted();
        let doubted = self.present.extract_if(.., |item| wanted.contains(item));
        if by.is_some() {
            self.doubted.extend(doubted);
            self.remover = by;
        } else {
            doubted.for_each(drop);
        }
        self.due |= !wanted.is_empty();
    }

    /// Removes those that nobody holds any more: before addresses go.
    pub fn withdraw(&mut self, netlink: &mut Netlink) {
        let wanted = self.all_wanted();
        for item in self.present.extract_if(.., |item| !wanted.contains(item)) {
            // One that is gone already went with its interface or its source address.
            let _ = netlink.ask(item.request(false), NLM_F_REQUEST | NLM_F_ACK);
        }
    }

    /// Puts those that are not there: after addresses have come, and tells of each whether it was somebody else who had
    /// removed it, or the kernel's refusal, which is tried again after the next [`Routes::doubt`] or demand.
    pub fn put(&mut self, netlink: &mut Netlink, mut tell: impl FnMut(RouterId, RouteOutcome)) {
        if !std::mem::take(&mut self.due) {
            return;
        }
        let (doubted, by) = (std::mem::take(&mut self.doubted), self.remover.take());
        for (&router, items) in &self.wanted {
            for item in items {
                if self.present.contains(item) {
                    continue;
                }
                let flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_EXCL;
                let asked = netlink.ask(item.request(true), flags);
                let is_there = match &asked {
                    Ok(()) => true,
                    Err(error) => error.raw_os_error() == Some(libc::EEXIST),
                };
                if is_there {
                    self.present.insert(item.clone());
                }
                match asked {
                    Ok(()) if doubted.contains(item) => {
                        tell(router, RouteOutcome::Restored { route: item.to_string().into(), by: by.clone() });
                    }
                    Err(error) if !is_there => {
                        tell(router, RouteOutcome::Refused(format!("cannot add the {item}: {error}{}", help(&error))));
                    }
                    Ok(()) | Err(_) => {}
                }
            }
        }
    }

    fn all_wanted(&self) -> BTreeSet<Item> {
        self.wanted.values().flatten().cloned().collect()
    }
}

fn help(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::ENETUNREACH | libc::EHOSTUNREACH) => ": no interface leads to its next hop",
        Some(libc::EINVAL) => ": its source is no address of this host, or its destination has host bits",
        Some(libc::ENODEV) => ": its device is not there",
        _ => "",
    }
}

/// Removes the routes and rules that a daemon that crashed has left behind. For the start.
pub fn sweep(netlink: &mut Netlink) -> io::Result<()> {
    for family in [AddressFamily::Inet, AddressFamily::Inet6] {
        for route in netlink.our_routes(family).map_err(io::Error::other)? {
            let _ = netlink.ask(RouteNetlinkMessage::DelRoute(route), NLM_F_REQUEST | NLM_F_ACK);
        }
        for rule in netlink.our_rules(family).map_err(io::Error::other)? {
            let _ = netlink.ask(RouteNetlinkMessage::DelRule(rule), NLM_F_REQUEST | NLM_F_ACK);
        }
    }
    Ok(())
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Route(route) => route.fmt(f),
            Self::Rule(rule) => rule.fmt(f),
        }
    }
}

impl Item {
    fn request(&self, add: bool) -> RouteNetlinkMessage {
        match self {
            Self::Route(route) if add => RouteNetlinkMessage::NewRoute(route_message(route)),
            Self::Route(route) => RouteNetlinkMessage::DelRoute(route_message(route)),
            Self::Rule(rule) if add => RouteNetlinkMessage::NewRule(rule_message(rule)),
            Self::Rule(rule) => RouteNetlinkMessage::DelRule(rule_message(rule)),
        }
    }
}

fn route_message(route: &VirtualRoute) -> RouteMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = family(Family::of(route.to.ip));
    message.header.destination_prefix_length = route.to.prefix;
    message.header.table = short_table(route.table);
    message.header.protocol = RouteProtocol::Other(ADDRESS_PROTOCOL);
    let on_link = route.via.is_none() && route.to.ip.is_ipv4();
    message.header.scope = if on_link { RouteScope::Link } else { RouteScope::Universe };
    message.header.kind = RouteType::Unicast;
    let attributes = &mut message.attributes;
    if route.to.prefix > 0 {
        attributes.push(RouteAttribute::Destination(address(route.to.ip)));
    }
    attributes.extend(route.via.map(|via| RouteAttribute::Gateway(address(via))));
    attributes.extend(route.source.map(|source| RouteAttribute::PrefSource(address(source))));
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    // An interface that is not there has no number: 0 is refused.
    let index = |name: &str| nix::net::if_::if_nametoindex(name).unwrap_or(u32::MAX >> 1);
    attributes.extend(route.device.as_ref().map(|device| RouteAttribute::Oif(index(device.as_str()))));
    attributes.push(RouteAttribute::Table(route.table));
    message
}

fn rule_message(rule: &VirtualRule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family(rule.family);
    message.header.table = short_table(rule.table);
    message.header.action = RuleAction::ToTable;
    let prefix = |network: Option<VirtualAddress>| network.map_or(0, |network| network.prefix);
    (message.header.src_len, message.header.dst_len) = (prefix(rule.from), prefix(rule.to));
    let attributes = &mut message.attributes;
    attributes.extend(rule.from.filter(|from| from.prefix > 0).map(|from| RuleAttribute::Source(from.ip)));
    attributes.extend(rule.to.filter(|to| to.prefix > 0).map(|to| RuleAttribute::Destination(to.ip)));
    attributes.push(RuleAttribute::Priority(rule.priority));
    attributes.push(RuleAttribute::Table(rule.table));
    attributes.push(RuleAttribute::Protocol(RouteProtocol::Other(ADDRESS_PROTOCOL)));
    message
}

fn family(family: Family) -> AddressFamily {
    match family {
        Family::Ipv4 => AddressFamily::Inet,
        Family::Ipv6 => AddressFamily::Inet6,
    }
}

fn address(ip: IpAddr) -> RouteAddress {
    match ip {
        IpAddr::V4(ip) => RouteAddress::Inet(ip),
        IpAddr::V6(ip) => RouteAddress::Inet6(ip),
    }
}

/// The header's octet, which is no room for most tables: the attribute counts.
fn short_table(table: u32) -> u8 {
    u8::try_from(table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC)
}
