//! Does what the engine asks for, in batches: adverts leave before anything else, then addresses change, then they
//! are announced. So a takeover's first advert waits for nothing, and nobody is told of an address that is not there.
//! Where thousands of routers take over at once, each hundred is announced before the next is looked at.

mod addresses;
mod bequests;
mod holdings;
mod steps;

pub(super) use holdings::Placed;
use steps::steps;

use super::driver::{DriverError, watch};
use super::guardian::Keeper;
use super::leases::Leases;
use super::ports::{Filtered, OpenPort};
use super::timing::{Due, Stopwatch};
use super::witnesses::Witnesses;
use crate::control::Timings;
use crate::engine::Event;
use crate::ids::{InterfaceName, PortId, RouterId};
use crate::net::{
    Filter, HeldSources, Netlink, NetlinkError, ReceiveBuffers, Reconciler, Routes, Vmacs, sweep_held_sources,
    sweep_macvlans, sweep_routes,
};
use crate::time::Timestamp;
use crate::vrrp::{Action, PortSpec};
use crate::wire::Packet;
use nix::sys::epoll::Epoll;
use pnet_base::MacAddr;
use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use tracing::warn;

/// The hands of the protocol thread.
pub(super) struct Executor {
    ports: BTreeMap<PortId, OpenPort>,
    netlink: Netlink,
    leases: Leases,
    /// Tells the guardian what to do if this process cannot do it any more.
    pub(super) keeper: Keeper,
    /// What it measured.
    pub(super) timings: Timings,
    /// What is held for whom; the monitor asks it which addresses are ours.
    pub(super) reconciler: Reconciler,
    vmacs: Vmacs,
    held_sources: HeldSources,
    /// There are more macvlans to set down, at the next wake.
    lowering: bool,
    filter: Filter,
    /// What is held besides addresses.
    pub(super) routes: Routes,
    /// Hear who else claims what is held.
    witnesses: Witnesses,
    /// Where a router's addresses were put last.
    placed: BTreeMap<RouterId, (InterfaceName, u32)>,
    /// Sockets of a predecessor, by their names, until the ports are open.
    inherited: BTreeMap<String, OwnedFd>,
}

impl Executor {
    /// Nothing open, nothing held.
    pub(super) fn open() -> Result<Self, DriverError> {
        Ok(Self {
            ports: BTreeMap::new(),
            netlink: Netlink::open()?,
            leases: Leases::default(),
            keeper: Keeper::default(),
            timings: Timings::default(),
            reconciler: Reconciler::default(),
            vmacs: Vmacs::default(),
            held_sources: HeldSources::default(),
            lowering: false,
            filter: Filter::default(),
            routes: Routes::default(),
            witnesses: Witnesses::default(),
            placed: BTreeMap::new(),
            inherited: BTreeMap::new(),
        })
    }

    /// Removes what a daemon that crashed has left: macvlans and settings of ours, and addresses with our tag that nobody holds.
    pub(super) fn sweep(&mut self) -> Result<usize, NetlinkError> {
        // What cannot be removed now is in the way of a router that needs it, which says so then.
        let _ = sweep_macvlans(&mut self.netlink);
        sweep_held_sources();
        self.filter.sweep();
        let _ = sweep_routes(&mut self.netlink);
        let found = self.netlink.addresses()?;
        // What cannot be removed now belongs to an interface that is just going.
        self.reconciler.sweep(&mut self.netlink, &found, |_, _| {})
    }

    /// Takes one batch of packets from a port; zero where none waits, or the port has just been closed.
    pub(super) fn receive(
        &mut self,
        port: PortId,
        buffers: &mut ReceiveBuffers,
        each: impl FnMut(Packet<'_>),
    ) -> io::Result<usize> {
        self.ports.get_mut(&port).map_or(Ok(0), |open| open.receive(buffers, each))
    }

    /// Tells who else claims what is held, as far as that was heard and it is time to look.
    pub(super) fn hear_claims(&mut self, now: Timestamp, claim: impl FnMut(&InterfaceName, IpAddr, MacAddr)) {
        let Self { witnesses, ports, .. } = self;
        let index_of = |name: &InterfaceName| {
            ports.values().find(|open| open.spec.key.interface == *name).map(|open| open.spec.index)
        };
        witnesses.look(now, index_of, claim);
    }

    /// Sets and lifts kernel-side filters; what there is to say of each comes back as an event.
    pub(super) fn tend_filters(&mut self, now: Timestamp) -> impl Iterator<Item = Event<'static>> {
        self.ports.iter_mut().filter_map(move |(&port, open)| {
            let Filtered { on, dropped } = open.tend_filter(now)?;
            Some(Event::Filter { port, on, dropped })
        })
    }

    /// Executes actions, of which timers brought about those from `due` on; what the kernel refuses comes back as
    /// events. `Record` and `RunCheck` are the caller's.
    #[must_use]
    pub(super) fn execute(&mut self, actions: &[Action], due: Option<Due>, epoll: &Epoll) -> Vec<Event<'static>> {
        let mut refusals = Vec::new();
        if !actions.is_empty() {
            for action in actions {
                if let Action::OpenPort { port, spec } = action {
                    self.open_port(*port, spec, epoll, &mut refusals);
                }
            }
            self.send_adverts(actions, &mut refusals);
            Stopwatch::new(&mut self.timings, due).adverts_sent(actions);
        }
        for step in steps(actions) {
            if self.is_behind() || step.iter().any(Action::moves_addresses) {
                self.change_addresses(step, &mut refusals);
            }
            self.send_announcements(step, &mut refusals);
        }
        if !actions.is_empty() {
            Stopwatch::new(&mut self.timings, due).announced(actions);
            self.bequeath(actions);
            self.close_ports(actions);
        }
        refusals
    }

    /// Whether something of an earlier batch is still to be done.
    fn is_behind(&self) -> bool {
        self.lowering || self.reconciler.is_behind() || self.routes.is_due()
    }

    /// Removes what is of no use without the daemon.
    pub(super) fn close(&mut self) {
        self.vmacs.close(&mut self.netlink);
        self.held_sources.close();
        self.filter.close();
    }

    /// Closes ports, but none that is opened again in the same batch: on an interface that was made anew.
    fn close_ports(&mut self, actions: &[Action]) {
        for (position, action) in actions.iter().enumerate() {
            let Action::ClosePort { port: closed } = action else { continue };
            let opened = |later: &Action| matches!(later, Action::OpenPort { port, .. } if port == closed);
            if actions.iter().skip(position).any(opened) {
                continue;
            }
            // Closing the sockets takes them out of the epoll set.
            if let Some(open) = self.ports.remove(closed) {
                self.vmacs.fit(&mut self.netlink, &open.spec.key, open.spec.index, &[], |_| {});
                // With the interface goes its setting.
                let _ = self.held_sources.fit(&open.spec.key, false);
            }
        }
    }

    /// When addresses are to be renewed, or what is left is to be done.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let filters = self.ports.values().filter_map(OpenPort::next_deadline);
        if self.lowering { Some(Timestamp::ZERO) } else { filters.chain(self.leases.next_deadline()).min() }
    }

    fn open_port(&mut self, id: PortId, spec: &Arc<PortSpec>, epoll: &Epoll, refusals: &mut Vec<Event<'static>>) {
        // A router left without its macvlan hears why when it becomes Master.
        self.vmacs.fit(&mut self.netlink, &spec.key, spec.index, &spec.virtual_macs, |_| {});
        if let Err(error) = self.held_sources.fit(&spec.key, spec.held_sources) {
            warn!("{error}; an owner with no address but the virtual ones is not heard when it comes back");
        }
        if self.ports.get_mut(&id).is_some_and(|open| open.amend(spec)) {
            return;
        }
        if self.ports.remove(&id).is_some_and(|old| old.is_filtered()) {
            refusals.push(Event::Filter { port: id, on: false, dropped: 0 });
        }
        let opened = match self.inherited_port(spec) {
            Some(sockets) => OpenPort::with(spec, sockets),
            None => OpenPort::open(spec),
        };
        let opened = opened.map_err(|error| error.to_string()).and_then(|open| {
            for descriptor in open.sockets.descriptors() {
                watch(epoll, descriptor, u64::from(id.0)).map_err(|error| error.to_string())?;
            }
            Ok(open)
        });
        match opened {
            Ok(open) => {
                self.ports.insert(id, open);
            }
            Err(error) => refusals.push(Event::PortRefused { port: id, error: error.into() }),
        }
    }

    fn send_adverts(&mut self, actions: &[Action], refusals: &mut Vec<Event<'static>>) {
        for action in actions {
            if let Action::Advertise { port, .. } = action
                && let Some(open) = self.ports.get_mut(port)
            {
                open.queue_advert(action);
            }
        }
        for open in self.ports.values_mut() {
            let mut failed = |router, error| refusals.push(send_failed(router, "send an advert", &error));
            open.sockets.flush(&mut failed);
            open.frames.flush(failed);
        }
    }

    fn send_announcements(&mut self, actions: &[Action], refusals: &mut Vec<Event<'static>>) {
        for action in actions {
            if let Action::Announce { port, router, spec, addresses } = action
                && let Some(open) = self.ports.get_mut(port)
            {
                open.queue_announcements(*router, spec, addresses);
            }
        }
        for open in self.ports.values_mut() {
            open.frames.flush(|router, error| refusals.push(send_failed(router, "announce an address", &error)));
        }
    }
}

fn send_failed(router: RouterId, what: &str, error: &io::Error) -> Event<'static> {
    let hint = match error.raw_os_error() {
        Some(libc::EPERM) => ": a firewall on this host forbids it",
        Some(libc::ENETDOWN | libc::ENODEV | libc::ENXIO) => ": the interface is down or gone",
        _ => "",
    };
    Event::SendFailed { router, error: format!("cannot {what}: {error}{hint}").into() }
}
