//! What the executor leaves to a successor of this daemon, and how it takes over what a predecessor left: nothing is
//! added to the kernel or taken from it, but that lifetimes start anew.

use super::super::guardian::Speech;
use super::super::leases;
use super::Executor;
use crate::engine::Bequest;
use crate::ids::{InterfaceName, RouterId};
use crate::net::{NetlinkError, Placement, Port, sweep_held_sources, sweep_routes};
use crate::units::VirtualAddress;
use crate::vrrp::{Auth, MacMode, PortSpec, RouterSpec};
use crate::wire::{PROTOCOL_AH, PROTOCOL_VRRP};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::sync::Arc;

/// The packet filter's socket among the descriptors: it owns the table, which goes when nobody has it any more.
const FILTER: &str = "filter";

/// Adverts with numbers of their own that a guardian gets: more than VRRPv2 sends, with its whole seconds, before the
/// guardian's time is up.
const NUMBERED: u32 = 4;

/// Where a router's addresses are.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(in crate::daemon) struct Placed {
    router: RouterId,
    interface: InterfaceName,
    index: u32,
    /// Those that we have put there: others are the interface's own.
    ours: Vec<VirtualAddress>,
    /// The routes and rules held with them, in words.
    routes: String,
}

impl Executor {
    /// Starts every lifetime anew, with the next [`Executor::execute`].
    pub(in crate::daemon) fn renew_all_leases(&mut self) {
        for lifetime in self.leases.lifetimes() {
            self.reconciler.renew(lifetime, 0, 1);
        }
    }

    /// What is on which interface.
    pub(in crate::daemon) fn placed(&self, specs: &BTreeMap<RouterId, &RouterSpec>) -> Vec<Placed> {
        let holding = self.reconciler.holders();
        let held = self.placed.iter().filter(|(router, _)| holding.contains(router));
        held.filter_map(|(&router, (interface, index))| {
            let spec = specs.get(&router)?;
            let ours = spec.held().filter(|&address| self.reconciler.is_ours(interface, address)).collect();
            let (interface, routes) = (interface.clone(), in_words(spec));
            Some(Placed { router, interface, index: *index, ours, routes })
        })
        .collect()
    }

    /// What each Master goes on to say while nobody else speaks for it. The successor's numbers follow on these.
    pub(in crate::daemon) fn speeches(&mut self, bequest: &mut Bequest) -> Vec<Speech> {
        let Self { ports, keeper, .. } = self;
        let by_id: BTreeMap<_, _> = bequest.routers.iter_mut().map(|router| (router.id, router)).collect();
        let speaking = by_id.into_values().filter_map(|router| Some((router.master()?, router)));
        speaking
            .filter_map(|((standing, last), router)| {
                let voice = keeper.voice(router.id)?;
                let open = ports.values_mut().find(|open| open.spec.key == voice.spec.key.port())?;
                let numbers = if matches!(voice.spec.auth, Auth::Ah { .. }) { 1..=NUMBERED } else { 1..=1 };
                let adverts = numbers.map(|ahead| open.datagrams(voice, standing, router.sequence_after(ahead)));
                let adverts = adverts.collect();
                router.skip_sequences(NUMBERED);
                Some(Speech { router: router.id.0, pace: voice.spec.interval.duration(), last, adverts })
            })
            .collect()
    }

    /// The sockets that packets wait in, and the one that keeps the packet filter.
    pub(in crate::daemon) fn sockets(&self) -> BTreeMap<String, OwnedFd> {
        let of_ports = self.ports.values().flat_map(|open| {
            let owned = open.sockets.descriptors().filter_map(|socket| socket.try_clone_to_owned().ok());
            owned.zip([PROTOCOL_VRRP, PROTOCOL_AH]).map(|(socket, protocol)| (port_name(&open.spec, protocol), socket))
        });
        of_ports.chain(self.filter.owner().map(|socket| (FILTER.to_owned(), socket))).collect()
    }

    /// Takes over what is on the interfaces for these routers, each as it was configured.
    pub(in crate::daemon) fn adopt(
        &mut self,
        placed: Vec<Placed>,
        former: &BTreeMap<RouterId, Arc<RouterSpec>>,
        mut sockets: BTreeMap<String, OwnedFd>,
    ) -> Result<(), NetlinkError> {
        // The table can be made anew only once its owner is gone; that happens before anything else is done.
        drop(sockets.remove(FILTER));
        self.inherited = sockets;
        self.vmacs.adopt(&mut self.netlink)?;
        // The ports that still need it set it again as they open.
        sweep_held_sources();
        let held = placed.into_iter().filter_map(|placed| Some((former.get(&placed.router)?, placed)));
        let mut routes_differ = false;
        for (spec, placed) in held {
            routes_differ |= placed.routes != in_words(spec);
            self.adopt_one(spec, &placed);
        }
        if routes_differ {
            // They come back within the next wake.
            let _ = sweep_routes(&mut self.netlink);
        }
        Ok(())
    }

    fn adopt_one(&mut self, spec: &Arc<RouterSpec>, placed: &Placed) {
        let Placed { router, interface, index, ours, .. } = placed;
        let (lifetime, vmac) = (leases::lifetime(spec), spec.mac == MacMode::Virtual);
        let placement = Placement { interface: interface.clone(), index: *index, lifetime, vmac };
        let held: Vec<VirtualAddress> = spec.held().collect();
        for &address in &held {
            self.reconciler.inherit(*router, &placement, address, ours.contains(&address));
        }
        self.take_charge(*router, spec, &placement, &held);
        self.keeper.holds(*router, *index, ours);
    }

    /// The sockets of a predecessor for this port, where they serve it; a filter that it had set in a flood is its own.
    pub(super) fn inherited_port(&mut self, spec: &Arc<PortSpec>) -> Option<Port> {
        let vrrp = self.inherited.remove(&port_name(spec, PROTOCOL_VRRP))?;
        let ah = self.inherited.remove(&port_name(spec, PROTOCOL_AH));
        let port = (ah.is_some() == spec.ah).then(|| Port::adopt(spec, vrrp, ah))?;
        port.loosen().is_ok().then_some(port)
    }

    /// Whatever was not taken over is of no use any more.
    pub(in crate::daemon) fn drop_inherited(&mut self) {
        self.inherited.clear();
    }
}

/// How a socket of this port is named among descriptors: by all that it was opened with.
fn port_name(spec: &PortSpec, protocol: u8) -> String {
    let reach = if spec.multicast { "multicast" } else { "unicast" };
    format!("port.{}.{}.{reach}.{protocol}", spec.index, spec.key.family)
}

fn in_words(spec: &RouterSpec) -> String {
    format!("{:?}{:?}", spec.routes, spec.rules)
}
