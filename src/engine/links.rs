//! Interfaces as the kernel reports them, and the ports that routers need on them.

use super::counters::PortCounters;
use super::event::InterfaceFacts;
use crate::ids::{InterfaceName, PortId, PortKey, RouterId};
use crate::units::{Family, Version, Vrid};
use crate::vrrp::{Action, Auth, Effects, Expected, MacMode, Origin, PortSpec, RouterSpec, Unfit};
use pnet_base::MacAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

#[derive(Debug, Default)]
pub(super) struct Links {
    facts: BTreeMap<InterfaceName, InterfaceFacts>,
    ports: Vec<Port>,
    by_key: BTreeMap<PortKey, PortId>,
    /// Discards on each interface, over both families.
    counters: BTreeMap<InterfaceName, PortCounters>,
}

#[derive(Debug)]
pub(super) struct Port {
    pub(super) key: PortKey,
    /// The router of each VRID.
    routers: Box<[Option<RouterId>; 256]>,
    needs: Needs,
    open: Option<Arc<PortSpec>>,
    refused: Option<Arc<str>>,
    /// While the kernel drops useless packets: about how many so far.
    filtered: Option<u64>,
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is asked for by some router on its own")]
struct Needs {
    multicast: bool,
    ah: bool,
    held_sources: bool,
    // In the order of their numbers: that of a configuration file is no reason to open a socket anew.
    virtual_macs: BTreeSet<Vrid>,
    vrids: BTreeSet<Vrid>,
    versions: BTreeSet<Version>,
    any_ttl: bool,
    peers: BTreeSet<IpAddr>,
}

impl Needs {
    fn expected(&self) -> Expected {
        Expected {
            vrids: self.vrids.iter().copied().collect(),
            versions: self.versions.iter().copied().collect(),
            any_ttl: self.any_ttl,
            origin: match (self.multicast, self.peers.is_empty()) {
                (true, true) => Origin::Group,
                (true, false) => Origin::Either,
                (false, _) => Origin::Peers(self.peers.iter().copied().collect()),
            },
        }
    }
}

impl Links {
    /// The handle of a port, given out anew where it is not known yet.
    pub(super) fn port_for(&mut self, key: &PortKey) -> PortId {
        if let Some(&id) = self.by_key.get(key) {
            return id;
        }
        let id = PortId(u32::try_from(self.ports.len()).expect("fewer than 2^32 ports"));
        self.by_key.insert(key.clone(), id);
        let routers = Box::new([None; 256]);
        let (key, needs) = (key.clone(), Needs::default());
        self.ports.push(Port { key, routers, needs, open: None, refused: None, filtered: None });
        id
    }

    pub(super) fn port(&self, id: PortId) -> Option<&Port> {
        self.ports.get(id.0 as usize)
    }

    pub(super) fn router(&self, port: PortId, vrid: Vrid) -> Option<RouterId> {
        self.port(port)?.routers[usize::from(vrid.get())]
    }

    pub(super) fn counters(&mut self, port: PortId) -> Option<&mut PortCounters> {
        let name = self.ports.get(port.0 as usize)?.key.interface.clone();
        Some(self.counters.entry(name).or_default())
    }

    /// Counts what the kernel dropped. Where its filter was set or lifted, says of which family, and how many packets it
    /// has dropped in all.
    pub(super) fn filter(&mut self, port: PortId, on: bool, dropped: u64) -> Option<(Family, u64)> {
        self.counters(port)?.filtered += dropped;
        let port = self.ports.get_mut(port.0 as usize)?;
        let before = port.filtered;
        let total = before.unwrap_or(0) + dropped;
        port.filtered = on.then_some(total);
        (before.is_some() != on).then_some((port.key.family, total))
    }

    /// Whether the kernel drops useless packets of this interface, in any family.
    pub(super) fn is_filtered(&self, interface: &InterfaceName) -> bool {
        self.ports.iter().any(|port| port.key.interface == *interface && port.filtered.is_some())
    }

    pub(super) fn counters_of(&self, interface: &InterfaceName) -> PortCounters {
        self.counters.get(interface).copied().unwrap_or_default()
    }

    pub(super) fn all_counters(&self) -> &BTreeMap<InterfaceName, PortCounters> {
        &self.counters
    }

    /// Counts on from where a predecessor stopped.
    pub(super) fn restore_counters(&mut self, counters: BTreeMap<InterfaceName, PortCounters>) {
        self.counters = counters;
    }

    pub(super) fn facts(&self, interface: &InterfaceName) -> Option<&InterfaceFacts> {
        self.facts.get(interface)
    }

    /// Whether an interface of this host has that MAC address.
    pub(super) fn has_mac(&self, mac: MacAddr) -> bool {
        self.facts.values().any(|facts| facts.mac == Some(mac))
    }

    /// Returns whether anything is different from before.
    pub(super) fn learn(&mut self, name: InterfaceName, facts: Option<InterfaceFacts>) -> bool {
        match facts {
            Some(facts) if self.facts.get(&name) == Some(&facts) => false,
            Some(facts) => {
                self.facts.insert(name, facts);
                true
            }
            None => self.facts.remove(&name).is_some(),
        }
    }

    pub(super) fn refuse(&mut self, port: PortId, error: Arc<str>) {
        if let Some(port) = self.ports.get_mut(port.0 as usize) {
            port.refused = Some(error);
        }
    }

    /// Forgets which routers need which port; [`Links::need`] says it anew for each of a new plan.
    pub(super) fn forget_needs(&mut self) {
        for port in &mut self.ports {
            port.needs = Needs::default();
            port.routers.fill(None);
        }
    }

    pub(super) fn need(&mut self, id: PortId, router: RouterId, spec: &RouterSpec, is_owner: bool) {
        let port = &mut self.ports[id.0 as usize];
        port.routers[usize::from(spec.key.vrid.get())] = Some(router);
        port.needs.multicast |= spec.peers.is_empty();
        port.needs.ah |= matches!(spec.auth, Auth::Ah { .. });
        // No unicast peer has a virtual address, and an IPv6 owner's link-local address the kernel takes from anybody.
        port.needs.held_sources |= !is_owner && spec.peers.is_empty() && spec.key.family == Family::Ipv4;
        if spec.mac == MacMode::Virtual {
            port.needs.virtual_macs.insert(spec.key.vrid);
        }
        port.needs.vrids.insert(spec.key.vrid);
        port.needs.versions.insert(spec.version);
        port.needs.any_ttl |= !spec.check_ttl;
        port.needs.peers.extend(spec.peers.iter());
    }

    /// Opens and closes ports where what is open differs from what is needed and possible.
    pub(super) fn refit_ports(&mut self, out: &mut Effects<'_>) {
        for (index, port) in self.ports.iter_mut().enumerate() {
            let id = PortId(u32::try_from(index).expect("ports are numbered in 32 bits"));
            let wanted = self.facts.get(&port.key.interface).filter(|_| !port.needs.vrids.is_empty()).map(|facts| {
                Arc::new(PortSpec {
                    key: port.key.clone(),
                    index: facts.index,
                    multicast: port.needs.multicast,
                    ah: port.needs.ah,
                    held_sources: port.needs.held_sources,
                    virtual_macs: port.needs.virtual_macs.iter().copied().collect(),
                    expected: port.needs.expected(),
                })
            });
            if wanted == port.open {
                continue;
            }
            port.refused = None;
            if let Some(spec) = &wanted {
                out.push(Action::OpenPort { port: id, spec: Arc::clone(spec) });
            } else {
                port.filtered = None;
                out.push(Action::ClosePort { port: id });
            }
            port.open = wanted;
        }
    }

    /// Where a router's adverts come from, or why it cannot send any.
    pub(super) fn source_of(&self, port: PortId, spec: &RouterSpec) -> Result<IpAddr, Unfit> {
        let facts = self.facts.get(&spec.key.interface).ok_or(Unfit::InterfaceMissing)?;
        if !facts.up && spec.track_interface {
            return Err(Unfit::InterfaceDown);
        }
        if let Some(error) = self.port(port).and_then(|port| port.refused.clone()) {
            return Err(Unfit::KernelRefused { error });
        }
        let source = match (spec.source, spec.key.family) {
            (Some(source), _) => facts.addresses.iter().any(|address| address.ip == source).then_some(source),
            (None, Family::Ipv4) => facts.ipv4.map(IpAddr::V4),
            (None, Family::Ipv6) => facts.ipv6.map(IpAddr::V6),
        };
        source.ok_or(Unfit::NoSourceAddress)
    }
}
