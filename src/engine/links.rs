//! Interfaces as the kernel reports them, and the ports that routers need on them.

use super::counters::PortCounters;
use super::event::InterfaceFacts;
use crate::ids::{InterfaceName, PortId, PortKey, RouterId};
use crate::units::{Family, Vrid};
use crate::vrrp::{Action, Auth, Effects, MacMode, PortSpec, RouterSpec, Unfit};
use pnet_base::MacAddr;
use std::collections::BTreeMap;
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
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
struct Needs {
    multicast: bool,
    ah: bool,
    virtual_macs: Vec<Vrid>,
    vrids: Vec<Vrid>,
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
        self.ports.push(Port { key: key.clone(), routers, needs: Needs::default(), open: None, refused: None });
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

    pub(super) fn counters_of(&self, interface: &InterfaceName) -> PortCounters {
        self.counters.get(interface).copied().unwrap_or_default()
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

    pub(super) fn need(&mut self, id: PortId, router: RouterId, spec: &RouterSpec) {
        let port = &mut self.ports[id.0 as usize];
        port.routers[usize::from(spec.key.vrid.get())] = Some(router);
        port.needs.multicast |= spec.peers.is_empty();
        port.needs.ah |= matches!(spec.auth, Auth::Ah { .. });
        if spec.mac == MacMode::Virtual {
            port.needs.virtual_macs.push(spec.key.vrid);
        }
        port.needs.vrids.push(spec.key.vrid);
    }

    /// Opens and closes ports where what is open differs from what is needed and possible.
    pub(super) fn refit_ports(&mut self, out: &mut Effects<'_>) {
        for (index, port) in self.ports.iter_mut().enumerate() {
            let id = PortId(u32::try_from(index).expect("ports are numbered in 32 bits"));
            let wanted = self.facts.get(&port.key.interface).filter(|_| !port.needs.vrids.is_empty()).map(|facts| {
                let Needs { multicast, ah, mut virtual_macs, mut vrids } = port.needs.clone();
                // The order of a configuration file is no reason to open a socket anew.
                vrids.sort_unstable();
                virtual_macs.sort_unstable();
                Arc::new(PortSpec {
                    key: port.key.clone(),
                    index: facts.index,
                    multicast,
                    ah,
                    virtual_macs: virtual_macs.into(),
                    vrids: vrids.into(),
                })
            });
            if wanted == port.open {
                continue;
            }
            port.refused = None;
            match &wanted {
                Some(spec) => out.push(Action::OpenPort { port: id, spec: Arc::clone(spec) }),
                None => out.push(Action::ClosePort { port: id }),
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
