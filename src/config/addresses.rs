//! The addresses of one router: its own, its peers', and what has to hold between them.

use super::diagnostic::Diagnostics;
use super::reader::{At, Fields};
use super::tree::{Entry, Value};
use crate::units::{Family, Version, VirtualAddress};
use std::net::IpAddr;

/// An advert counts its addresses in one octet.
const MOST: usize = 255;

/// What was written, without what was wrong.
pub(super) struct AddressDraft {
    pub advertised: Vec<At<VirtualAddress>>,
    pub excluded: Vec<At<VirtualAddress>>,
    pub peers: Vec<IpAddr>,
    pub source: Option<IpAddr>,
    /// The family of the first virtual address, which is the router's.
    pub family: Option<Family>,
}

pub(super) fn read(fields: &Fields<'_>, version: Version, report: &mut Diagnostics) -> AddressDraft {
    let advertised: Vec<At<VirtualAddress>> = fields.require("virtual_addresses", report).unwrap_or_default();
    let excluded: Vec<At<VirtualAddress>> = fields.take("excluded_addresses", report).unwrap_or_default();
    let family = advertised.first().map(|at| Family::of(at.value.ip));
    how_many(fields, &advertised, report);
    one_family(&advertised, version, report);
    twice(&advertised, &excluded, report);
    let source: Option<At<IpAddr>> = fields.take("source_address", report);
    let peers: Vec<At<IpAddr>> = fields.take("unicast_peers", report).unwrap_or_default();
    if let Some(entry) = fields.entry("unicast_peers").filter(|entry| is_empty_list(entry)) {
        report
            .error(entry.node.place, "unicast_peers is empty")
            .help("name the other hosts, or leave it out for multicast");
    }
    if let Some(family) = family {
        for peer in &peers {
            judge_peer(peer, family, source.as_ref(), &advertised, report);
        }
        if let Some(source) = &source {
            judge_source(source, family, !peers.is_empty(), report);
        }
    }
    for (index, peer) in peers.iter().enumerate() {
        if let Some(first) = peers[..index].iter().find(|first| first.value == peer.value) {
            report
                .error(peer.place, format!("peer {} is listed twice", peer.value))
                .note(first.place, "it is first listed here")
                .help("remove one of the two");
        }
    }
    AddressDraft {
        advertised,
        excluded,
        peers: peers.into_iter().map(|at| at.value).collect(),
        source: source.map(|at| at.value),
        family,
    }
}

fn is_empty_list(entry: &Entry) -> bool {
    matches!(&entry.node.value, Value::Array(items) if items.is_empty())
}

fn how_many(fields: &Fields<'_>, advertised: &[At<VirtualAddress>], report: &mut Diagnostics) {
    let Some(entry) = fields.entry("virtual_addresses") else { return };
    if is_empty_list(entry) {
        report
            .error(entry.node.place, "virtual_addresses is empty")
            .help("a virtual router has at least one address: [\"192.168.100.10/24\"]");
    }
    if advertised.len() > MOST {
        report
            .error(entry.node.place, format!("an advert carries at most {MOST} addresses, not {}", advertised.len()))
            .help("move the others to excluded_addresses");
    }
}

fn one_family(advertised: &[At<VirtualAddress>], version: Version, report: &mut Diagnostics) {
    let Some(first) = advertised.first() else { return };
    let family = Family::of(first.value.ip);
    for other in advertised.iter().filter(|other| Family::of(other.value.ip) != family) {
        report
            .error(other.place, "virtual_addresses are of one family")
            .note(first.place, format!("the first one makes this router {family}"))
            .help("make a second virtual_router with the same id for the other family, and a sync_group of both");
    }
    if family == Family::Ipv4 {
        return;
    }
    if version == Version::V2 {
        report
            .error(first.place, "version 2 is IPv4 only")
            .help("leave out version = 2, or make a version 3 router for IPv6");
    }
    if let IpAddr::V6(ip) = first.value.ip
        && !ip.is_unicast_link_local()
    {
        report.error(first.place, "the first address of an IPv6 router must be link-local (RFC 9568, 5.2.9)").help(
            format!(
                "put one of your own before it, such as \"fe80::{:x}/64\", the same on every host",
                link_local_hint(ip)
            ),
        );
    }
}

/// The last group of the address, so that the proposed one resembles it.
fn link_local_hint(ip: std::net::Ipv6Addr) -> u16 {
    ip.segments()[7].max(1)
}

fn twice(advertised: &[At<VirtualAddress>], excluded: &[At<VirtualAddress>], report: &mut Diagnostics) {
    let all: Vec<&At<VirtualAddress>> = advertised.iter().chain(excluded).collect();
    for (index, address) in all.iter().enumerate() {
        if let Some(first) = all[..index].iter().find(|first| first.value.ip == address.value.ip) {
            report
                .error(address.place, format!("address {} is listed twice", address.value.ip))
                .note(first.place, "it is first listed here")
                .help("remove one of the two");
        }
    }
}

fn judge_peer(
    peer: &At<IpAddr>,
    family: Family,
    source: Option<&At<IpAddr>>,
    advertised: &[At<VirtualAddress>],
    report: &mut Diagnostics,
) {
    let ip = peer.value;
    if Family::of(ip) != family {
        report
            .error(peer.place, format!("peer {ip} is not of the router's family, {family}"))
            .help("write the address that the peer sends its adverts from");
    } else if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() {
        report.error(peer.place, format!("{ip} is no host's address")).help("write the peer's own address");
    } else if let Some(source) = source.filter(|source| source.value == ip) {
        report
            .error(peer.place, format!("peer {ip} is this router's own source_address"))
            .note(source.place, "it is set here")
            .help("list the other hosts only");
    } else if let Some(address) = advertised.iter().find(|address| address.value.ip == ip) {
        report
            .error(peer.place, format!("peer {ip} is a virtual address of this router"))
            .note(address.place, "it is listed here")
            .help("a peer is a host: write its own address");
    }
}

fn judge_source(source: &At<IpAddr>, family: Family, unicast: bool, report: &mut Diagnostics) {
    let ip = source.value;
    if Family::of(ip) != family {
        report
            .error(source.place, format!("source_address {ip} is not of the router's family, {family}"))
            .help("write an address of this host of that family, or leave it out");
        return;
    }
    if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() {
        report.error(source.place, format!("{ip} is no host's address")).help("write an address of the interface");
    }
    if let IpAddr::V6(v6) = ip
        && !unicast
        && !v6.is_unicast_link_local()
    {
        report
            .error(source.place, "IPv6 adverts come from a link-local address (RFC 9568, 5.1.2.1)")
            .help("write a link-local address of the interface, or leave it out");
    }
}
