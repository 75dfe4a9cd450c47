//! Does what the engine asks for, in batches: adverts leave before anything else, then addresses change, then they
//! are announced. So a takeover's first advert waits for nothing, and nobody is told of an address that is not there.

use super::clock;
use super::driver::{DriverError, watch};
use super::guardian::{Keeper, Voice};
use super::leases::{self, Leases};
use super::ports::OpenPort;
use crate::engine::Event;
use crate::ids::{InterfaceName, PortId, PortKey, RouterId};
use crate::net::{Netlink, NetlinkError, Placement, ReceiveBuffers, Reconciler};
use crate::time::Timestamp;
use crate::units::VirtualAddress;
use crate::vrrp::{Action, PortSpec, RouterSpec};
use crate::wire::{Packet, Standing};
use nix::sys::epoll::Epoll;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

/// The hands of the protocol thread.
pub(super) struct Executor {
    ports: BTreeMap<PortId, OpenPort>,
    netlink: Netlink,
    leases: Leases,
    /// Tells the guardian what to do if this process cannot do it any more.
    pub(super) keeper: Keeper,
    /// What is held for whom; the monitor asks it which addresses are ours.
    pub(super) reconciler: Reconciler,
}

impl Executor {
    /// Nothing open, nothing held.
    pub(super) fn open() -> Result<Self, DriverError> {
        Ok(Self {
            ports: BTreeMap::new(),
            netlink: Netlink::open()?,
            leases: Leases::default(),
            keeper: Keeper::default(),
            reconciler: Reconciler::default(),
        })
    }

    /// Removes addresses with our tag that nobody holds: a daemon that crashed has left them.
    pub(super) fn sweep(&mut self) -> Result<usize, NetlinkError> {
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
        self.ports.get(&port).map_or(Ok(0), |open| open.sockets.receive(buffers, each))
    }

    /// Executes actions; what the kernel refuses comes back as events. `Record` and `RunCheck` are the caller's.
    #[must_use]
    pub(super) fn execute(&mut self, actions: &[Action], epoll: &Epoll) -> Vec<Event<'static>> {
        let mut refusals = Vec::new();
        for action in actions {
            if let Action::OpenPort { port, spec } = action {
                self.open_port(*port, spec, epoll, &mut refusals);
            }
        }
        self.send_adverts(actions, &mut refusals);
        self.change_addresses(actions, &mut refusals);
        self.send_announcements(actions, &mut refusals);
        for action in actions {
            if let Action::ClosePort { port } = action {
                // Closing the sockets takes them out of the epoll set.
                self.ports.remove(port);
            }
        }
        refusals
    }

    /// When addresses are to be renewed.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.leases.next_deadline()
    }

    /// Marks the addresses whose lifetime is to be renewed; the next [`Executor::execute`] does it.
    pub(super) fn renew_leases(&mut self, now: Timestamp) {
        while let Some(renewal) = self.leases.due(now) {
            let leased = self.reconciler.renew(renewal.lifetime, renewal.share, renewal.shares);
            self.leases.renewed(renewal, leased, now);
        }
    }

    fn open_port(&mut self, id: PortId, spec: &Arc<PortSpec>, epoll: &Epoll, refusals: &mut Vec<Event<'static>>) {
        if self.ports.get_mut(&id).is_some_and(|open| open.amend(spec)) {
            return;
        }
        self.ports.remove(&id);
        let opened = OpenPort::open(spec).map_err(|error| error.to_string()).and_then(|open| {
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
                bequeath(&mut self.keeper, open, action);
            }
        }
        for open in self.ports.values_mut() {
            open.sockets.flush(|router, error| refusals.push(send_failed(router, "send an advert", &error)));
        }
    }

    fn change_addresses(&mut self, actions: &[Action], refusals: &mut Vec<Event<'static>>) {
        for action in actions {
            match action {
                Action::Hold { router, spec, addresses } => self.hold(*router, spec, addresses),
                Action::Release { router, spec, addresses } => {
                    self.keeper.releases(*router, addresses);
                    for &address in addresses.iter() {
                        self.reconciler.release(*router, &spec.key.interface, address);
                    }
                }
                _ => {}
            }
        }
        // A failure as a whole leaves everything pending: the next flush repeats it.
        let _ = self.reconciler.flush(&mut self.netlink, |router, address, error| {
            let error = format!("cannot change the address {address}: {error}");
            refusals.push(Event::AddressRefused { router, error: error.into() });
        });
    }

    fn hold(&mut self, router: RouterId, spec: &RouterSpec, addresses: &[VirtualAddress]) {
        let Some(index) = self.index_of(&spec.key.port()) else { return };
        let interface: InterfaceName = spec.key.interface.clone();
        let lifetime = leases::lifetime(spec);
        if let Some(lifetime) = lifetime {
            self.leases.begin(lifetime, clock::now());
        }
        self.keeper.holds(router, index, addresses);
        let placement = Placement { interface, index, lifetime };
        for &address in addresses {
            self.reconciler.hold(router, &placement, address);
        }
    }

    fn index_of(&self, key: &PortKey) -> Option<u32> {
        self.ports.values().find(|open| open.spec.key == *key).map(|open| open.spec.index)
    }

    fn send_announcements(&mut self, actions: &[Action], refusals: &mut Vec<Event<'static>>) {
        for action in actions {
            if let Action::Announce { port, router, addresses, .. } = action
                && let Some(open) = self.ports.get_mut(port)
            {
                open.queue_announcements(*router, addresses);
            }
        }
        for open in self.ports.values_mut() {
            open.frames.flush(|router, error| refusals.push(send_failed(router, "announce an address", &error)));
        }
    }
}

/// Keeps the guardian's idea of a Master's resignation current.
fn bequeath(keeper: &mut Keeper, open: &mut OpenPort, action: &Action) {
    /// How far a guardian's sequence number is ahead: the daemon will have sent more by the time it is used.
    const AHEAD: u32 = 1 << 20;
    let Action::Advertise { router, spec, source, standing, checksum, sequence, .. } = action else { return };
    match standing {
        Standing::Resigning => keeper.falls_silent(*router),
        Standing::Holding(_) => {
            let voice = Voice { spec: Arc::clone(spec), source: *source, checksum: *checksum };
            keeper.speaks(*router, &voice, || open.resignation(&voice, sequence.wrapping_add(AHEAD)));
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
