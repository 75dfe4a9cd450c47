//! Addresses, with what belongs to them: macvlans below, refused packets, routes on top.

use super::super::clock;
use super::super::leases;
use super::Executor;
use crate::engine::Event;
use crate::ids::{PortKey, RouterId};
use crate::net::{Placement, RouteOutcome};
use crate::time::Timestamp;
use crate::units::VirtualAddress;
use crate::vrrp::{Action, MacMode, RouterSpec};
use std::sync::Arc;

impl Executor {
    /// Marks the addresses whose lifetime is to be renewed; the next [`Executor::execute`] does it. Where the daemon is
    /// `awake` for its timers anyway, they may be renewed a little early.
    pub(in crate::daemon) fn renew_leases(&mut self, now: Timestamp, awake: bool) {
        while let Some(renewal) = self.leases.due(now, awake) {
            let leased = self.reconciler.renew(renewal.lifetime, renewal.share, renewal.shares);
            self.leases.renewed(renewal, leased, now);
        }
    }

    pub(super) fn change_addresses(&mut self, actions: &[Action], refusals: &mut Vec<Event<'static>>) {
        for action in actions {
            match action {
                Action::Hold { router, spec, addresses } => match self.placement(spec) {
                    Ok(Some(placement)) => {
                        for &address in addresses.iter() {
                            self.reconciler.hold(*router, &placement, address);
                        }
                        self.take_charge(*router, spec, &placement, addresses);
                    }
                    Ok(None) => {}
                    Err(error) => refusals.push(Event::AddressRefused { router: *router, error }),
                },
                Action::Release { router, spec, addresses } => self.release(*router, spec, addresses),
                _ => {}
            }
        }
        let released = actions.iter().any(|action| matches!(action, Action::Release { .. }));
        self.release_routes(released);
        // Packets are refused before there is an address to take them, and a macvlan is down before its addresses go.
        self.refuse_packets(refusals);
        if released || self.lowering {
            self.lowering = self.vmacs.lower_unused(&mut self.netlink, &self.reconciler.indexes());
        }
        // A failure as a whole leaves everything pending: the next flush repeats it.
        let _ = self.reconciler.flush(&mut self.netlink, |router, address, error| {
            let error = format!("cannot change the address {address}: {error}");
            refusals.push(Event::AddressRefused { router, error: error.into() });
        });
        self.filter.open_up();
        self.routes.put(&mut self.netlink, |router, outcome| {
            refusals.push(match outcome {
                RouteOutcome::Refused(error) => Event::SendFailed { router, error: error.into() },
                RouteOutcome::Restored { route, by } => Event::RouteRestored { router, route, by },
            });
        });
    }

    /// Everything that goes with addresses of a router but for the addresses themselves: their lifetimes, the packets that
    /// are refused, who listens for other claims, the routes.
    pub(super) fn take_charge(
        &mut self,
        router: RouterId,
        spec: &RouterSpec,
        placement: &Placement,
        addresses: &[VirtualAddress],
    ) {
        if let Some(lifetime) = placement.lifetime {
            self.leases.begin(lifetime, clock::now());
        }
        self.placed.insert(router, (placement.interface.clone(), placement.index));
        if !spec.accept {
            addresses.iter().for_each(|address| self.filter.refuse(router, address.ip));
        }
        self.witnesses.hold(router, &spec.key.interface, addresses);
        self.routes.hold(router, spec);
    }

    fn release(&mut self, router: RouterId, spec: &RouterSpec, addresses: &[VirtualAddress]) {
        self.witnesses.release(router, &spec.key.interface, addresses);
        let interface = self.placed.get(&router).map_or(&spec.key.interface, |(interface, _)| interface);
        for &address in addresses {
            self.reconciler.release(router, interface, address);
            self.filter.allow(router, address.ip);
        }
    }

    /// Routes go before the addresses that they may have as their source.
    fn release_routes(&mut self, released: bool) {
        if !self.routes.is_due() && !released {
            return;
        }
        let holding = self.reconciler.holders();
        let idle: Vec<RouterId> = self.routes.holders().filter(|router| !holding.contains(router)).collect();
        for router in idle {
            self.routes.release(router);
        }
        self.routes.withdraw(&mut self.netlink);
    }

    fn refuse_packets(&mut self, refusals: &mut Vec<Event<'static>>) {
        if let Err(error) = self.filter.close_up() {
            let text: Arc<str> = error.to_string().into();
            let concerned = self.filter.refusing(error.address);
            refusals.extend(concerned.map(|router| Event::AddressRefused { router, error: Arc::clone(&text) }));
        }
    }

    /// Where the addresses of a router go: on its interface, or on its macvlan, which is up then.
    fn placement(&mut self, spec: &RouterSpec) -> Result<Option<Placement>, Arc<str>> {
        let Some(parent) = self.index_of(&spec.key.port()) else { return Ok(None) };
        let (interface, index, vmac) = match spec.mac {
            MacMode::Interface => (spec.key.interface.clone(), parent, false),
            MacMode::Virtual => {
                let device = self.vmacs.raise(&mut self.netlink, &spec.key, parent);
                let device = device.map_err(|error| error.to_string())?;
                (device.name.clone(), device.index, true)
            }
        };
        Ok(Some(Placement { interface, index, lifetime: leases::lifetime(spec), vmac }))
    }

    fn index_of(&self, key: &PortKey) -> Option<u32> {
        self.ports.values().find(|open| open.spec.key == *key).map(|open| open.spec.index)
    }
}
