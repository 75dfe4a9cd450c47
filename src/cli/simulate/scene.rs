//! The hosts of several files on one simulated network. Which interfaces are on the same segment follows from the
//! virtual routers: the same VRID and family on two hosts is one virtual router, whatever its interface is called.

use crate::engine::{Check, Plan};
use crate::ids::{InterfaceName, RouterKey};
use crate::sim::{NodeId, Quality, SegmentId, World};
use crate::units::{Family, Vrid};
use crate::vrrp::RouterSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// A world with the hosts in it, running.
pub(super) struct Scene {
    pub(super) world: World,
    /// By `NodeId`.
    pub(super) hosts: Vec<String>,
    pub(super) segments: Vec<SegmentId>,
    pub(super) routers: Vec<SharedRouter>,
    /// Whose an address is.
    pub(super) owners: BTreeMap<IpAddr, NodeId>,
}

/// A virtual router and who has it.
#[derive(Debug)]
pub(super) struct SharedRouter {
    pub(super) name: Arc<str>,
    pub(super) family: Family,
    pub(super) vrid: Vrid,
    /// As each host calls it.
    pub(super) on: BTreeMap<NodeId, Arc<RouterSpec>>,
}

impl SharedRouter {
    /// Whether it has this name on any host.
    pub(super) fn is_called(&self, name: &str) -> bool {
        self.on.values().any(|spec| &*spec.name == name)
    }
}

type Port = (NodeId, InterfaceName);

impl Scene {
    pub(super) fn new(hosts: Vec<(String, Plan)>, quality: Quality, seed: u64) -> Self {
        let (hosts, mut plans): (Vec<String>, Vec<Plan>) = hosts.into_iter().unzip();
        for router in shared_routers(&plans) {
            infer_sources(&router, &mut plans);
        }
        let routers = shared_routers(&plans);
        let mut world = World::lenient(seed);
        let places = places(&plans, &routers);
        let numbers: BTreeSet<usize> = places.values().copied().collect();
        let segments: BTreeMap<usize, SegmentId> =
            numbers.into_iter().map(|number| (number, world.add_segment(quality))).collect();
        let mut owners = BTreeMap::new();
        for (id, (host, plan)) in (0..).map(NodeId).zip(hosts.iter().zip(plans)) {
            let mine = places.iter().filter(|((node, _), _)| *node == id);
            let interfaces: Vec<(InterfaceName, SegmentId, Arc<[IpAddr]>)> = mine
                .map(|((_, name), number)| {
                    let segment = segments[number];
                    (name.clone(), segment, addresses(&plan, name, id, segment))
                })
                .collect();
            owners.extend(interfaces.iter().flat_map(|(_, _, all)| all.iter()).map(|&address| (address, id)));
            world.add_host(host, plan, &interfaces);
        }
        Self { world, hosts, segments: segments.into_values().collect(), routers, owners }
    }

    pub(super) fn host(&self, name: &str) -> Option<NodeId> {
        self.hosts.iter().position(|host| host == name).map(NodeId)
    }

    /// The names of the tracks that a host uses.
    pub(super) fn tracks(&self, host: NodeId) -> Vec<&str> {
        self.world.plan(host).into_iter().flat_map(|plan| &plan.trackers).map(|spec| &*spec.name).collect()
    }

    /// The interface that a track of a host watches, where it watches one.
    pub(super) fn watched_interface(&self, host: NodeId, track: &str) -> Option<InterfaceName> {
        let spec = self.world.plan(host)?.trackers.iter().find(|spec| &*spec.name == track)?;
        match &spec.check {
            Check::Interface(name) => Some(name.clone()),
            _ => None,
        }
    }

    /// Which virtual router a host knows by this identity.
    pub(super) fn position(&self, host: NodeId, key: &RouterKey) -> Option<usize> {
        self.routers.iter().position(|router| router.on.get(&host).is_some_and(|spec| spec.key == *key))
    }
}

fn specs(plan: &Plan) -> impl Iterator<Item = &Arc<RouterSpec>> {
    plan.groups.iter().flat_map(|group| &group.members)
}

/// The same VRID and family is the same virtual router. Where a host has it twice, on two networks, the interface's name
/// tells them apart.
fn shared_routers(plans: &[Plan]) -> Vec<SharedRouter> {
    let identity = |spec: &RouterSpec| (spec.key.family, spec.key.vrid);
    let mut twice = BTreeSet::new();
    for plan in plans {
        let mut seen = BTreeSet::new();
        twice.extend(specs(plan).map(|spec| identity(spec)).filter(|&identity| !seen.insert(identity)));
    }
    let mut routers: BTreeMap<(Family, Vrid, Option<InterfaceName>), SharedRouter> = BTreeMap::new();
    for (id, plan) in (0..).map(NodeId).zip(plans) {
        for spec in specs(plan) {
            let (family, vrid) = identity(spec);
            let interface = twice.contains(&(family, vrid)).then(|| spec.key.interface.clone());
            let new = || SharedRouter { name: Arc::clone(&spec.name), family, vrid, on: BTreeMap::new() };
            routers.entry((family, vrid, interface)).or_insert_with(new).on.insert(id, Arc::clone(spec));
        }
    }
    routers.into_values().collect()
}

/// With unicast and without `source_address`, a host's address is the one that its peers name and it does not.
fn infer_sources(router: &SharedRouter, plans: &mut [Plan]) {
    for (&id, spec) in router.on.iter().filter(|(_, spec)| spec.source.is_none() && !spec.peers.is_empty()) {
        let others = || router.on.iter().filter(|&(&other, _)| other != id).map(|(_, other)| &other.peers);
        let named_by_all = |address: &&IpAddr| others().all(|peers| peers.contains(address));
        let mut candidates = others().next().into_iter().flat_map(|peers| peers.iter()).filter(named_by_all);
        let source = candidates.find(|address| !spec.peers.contains(address)).copied();
        let members = plans[id.0].groups.iter_mut().flat_map(|group| &mut group.members);
        for member in members.filter(|member| member.key == spec.key) {
            Arc::make_mut(member).source = source;
        }
    }
}

/// The addresses that the configuration lets adverts come from, and where it leaves that to the host, made-up ones that
/// no configuration has as a virtual address: they rise with the place on the command line.
fn addresses(plan: &Plan, interface: &InterfaceName, id: NodeId, segment: SegmentId) -> Arc<[IpAddr]> {
    let sources = specs(plan).filter(|spec| spec.key.interface == *interface).filter_map(|spec| spec.source);
    let octet = |number: usize| u8::try_from(number).unwrap_or(u8::MAX);
    let (net, host) = (octet(segment.0), octet(id.0 + 1));
    let ipv4 = Ipv4Addr::new(198, 18, net, host);
    let ipv6 = Ipv6Addr::new(0xfe80, 0, 0, 0, 0x5eed, 0x5eed, net.into(), host.into());
    let mut addresses: Vec<IpAddr> = sources.collect();
    for made_up in [IpAddr::V4(ipv4), IpAddr::V6(ipv6)] {
        if !addresses.iter().any(|address| address.is_ipv4() == made_up.is_ipv4()) {
            addresses.push(made_up);
        }
    }
    addresses.into()
}

/// Every interface that something is on, with a number that is equal for those of one segment.
fn places(plans: &[Plan], routers: &[SharedRouter]) -> BTreeMap<Port, usize> {
    let mut places: BTreeMap<Port, usize> = BTreeMap::new();
    for (number, router) in routers.iter().enumerate() {
        let ports = router.on.iter().map(|(&id, spec)| (id, spec.key.interface.clone()));
        let met: Vec<usize> = ports.filter_map(|port| places.insert(port, number)).collect();
        for place in places.values_mut().filter(|place| met.contains(place)) {
            *place = number;
        }
    }
    // What is only watched is on a segment of its own.
    let mut next = routers.len();
    for (id, plan) in (0..).map(NodeId).zip(plans) {
        for spec in &plan.trackers {
            if let Check::Interface(name) = &spec.check {
                places.entry((id, name.clone())).or_insert(next);
                next += 1;
            }
        }
    }
    places
}
