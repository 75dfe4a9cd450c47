//! `virtual_routes` and `virtual_rules`: what a Master holds besides addresses.

use super::diagnostic::Diagnostics;
use super::keys::{VIRTUAL_ROUTE, VIRTUAL_RULE};
use super::reader::{At, Field, Fields, Read, Route};
use super::tree::Node;
use crate::ids::InterfaceName;
use crate::units::{Family, VirtualAddress};
use crate::vrrp::{VirtualRoute, VirtualRule};
use std::net::IpAddr;

/// Rules of lower numbers come before the kernel's own, which are 0, 32766 and 32767.
const RULE_PRIORITY: u32 = 1000;
const ANY: i64 = u32::MAX as i64;

impl Read for VirtualRoute {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        let fields = Fields::of_item(node, field, &VIRTUAL_ROUTE, report)?;
        let to = fields.require("to", report).map(network);
        let via: Option<At<IpAddr>> = fields.take("via", report);
        let source: Option<At<IpAddr>> = fields.take("source", report);
        let device: Option<InterfaceName> = fields.take("device", report);
        let to = to?;
        let family = Family::of(to.ip);
        for (key, address) in [("via", &via), ("source", &source)] {
            if let Some(at) = address.as_ref().filter(|at| Family::of(at.value) != family) {
                report.error(at.place, format!("{key} is of another family than the route's destination"));
            }
        }
        if let Some(at) = via.as_ref().filter(|at| device.is_none() && is_link_local(at.value)) {
            report.error(at.place, "a link-local next hop needs a device").help("add device = \"eth0\", say");
        }
        Some(Self {
            to,
            via: via.map(|at| at.value),
            device,
            table: fields.number("table", 1..=ANY, report).map_or(Self::MAIN, |at| at.value),
            metric: fields.number("metric", 1..=ANY, report).map(|at| at.value),
            source: source.map(|at| at.value),
        })
    }
}

impl Read for VirtualRule {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        let fields = Fields::of_item(node, field, &VIRTUAL_RULE, report)?;
        let from = fields.take("from", report).map(network);
        let to = fields.take("to", report).map(network);
        let table = fields.present("table", report).then(|| fields.number("table", 1..=ANY, report)).flatten();
        let priority = fields.number("priority", 1..=32765, report).map_or(RULE_PRIORITY, |at| at.value);
        let Some(some) = from.or(to) else {
            report.error(fields.place, "a virtual rule needs from or to").help("add from = \"10.0.0.0/8\", say");
            return None;
        };
        let family = Family::of(some.ip);
        if to.is_some_and(|to| Family::of(to.ip) != family) {
            report.error(fields.place, "from and to are of different families").help("write two rules");
        }
        Some(Self { family, from, to, table: table?.value, priority })
    }
}

fn network(Route(ip, prefix): Route) -> VirtualAddress {
    VirtualAddress { ip, prefix }
}

fn is_link_local(ip: IpAddr) -> bool {
    matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local())
}
