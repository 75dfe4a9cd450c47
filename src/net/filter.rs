//! `accept = false`: packets to a virtual address are not taken, and not forwarded either (RFC 9568, 6.4.3 and 8.3.1).
//!
//! The address is on the interface all the same, since its ARP and neighbour discovery have to be answered. An `nf_tables`
//! table of our own drops the rest. It belongs to this socket, so the kernel removes it when the daemon ends, however
//! that happens, and a reload of the host's own rules leaves it alone. Before Linux 5.12 it does not, and is removed at
//! the end and at the next start.

use super::message::{Message, each_message};
use super::netlink::open_socket;
use super::nft::Batch;
use super::sys::duplicate;
use crate::ids::RouterId;
use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::OwnedFd;

/// Room for the answers to one batch.
const ANSWERS: usize = 1 << 18;
/// Addresses in one batch.
const BATCH: usize = 256;

/// Why packets to an address cannot be refused.
#[derive(Debug, thiserror::Error)]
#[error("cannot refuse packets to {address} as accept = false has it: {error}{}", help(.error))]
pub struct FilterError {
    /// The first one that is concerned.
    pub address: IpAddr,
    #[source]
    error: io::Error,
}

fn help(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP | libc::EPROTONOSUPPORT | libc::EINVAL | libc::ENOENT) => {
            "; this kernel has no nf_tables: load the module, or write accept = true"
        }
        Some(libc::EPERM) => "; another process owns the table \"vrrpd\", or the capability CAP_NET_ADMIN is missing",
        _ => "",
    }
}

/// The addresses that packets are not taken for.
#[derive(Default)]
pub struct Filter {
    socket: Option<Socket>,
    sequence: u32,
    wanted: BTreeMap<IpAddr, BTreeSet<RouterId>>,
    present: BTreeSet<IpAddr>,
}

impl Filter {
    /// From now on packets to the address are refused, because `router` holds it so. Takes effect with
    /// [`Filter::close_up`].
    pub fn refuse(&mut self, router: RouterId, address: IpAddr) {
        self.wanted.entry(address).or_default().insert(router);
    }

    /// `router` does not refuse packets to the address any more. Takes effect with [`Filter::open_up`].
    pub fn allow(&mut self, router: RouterId, address: IpAddr) {
        if let Some(routers) = self.wanted.get_mut(&address) {
            routers.remove(&router);
            if routers.is_empty() {
                self.wanted.remove(&address);
            }
        }
    }

    /// Refuses what is not refused yet: before addresses come.
    pub fn close_up(&mut self) -> Result<(), FilterError> {
        let missing: Vec<IpAddr> = self.wanted.keys().filter(|ip| !self.present.contains(ip)).copied().collect();
        for addresses in missing.chunks(BATCH) {
            self.change(addresses, Batch::add).map_err(|error| FilterError { address: addresses[0], error })?;
            self.present.extend(addresses);
        }
        Ok(())
    }

    /// Allows what is not to be refused any more: after addresses are gone.
    pub fn open_up(&mut self) {
        let surplus: Vec<IpAddr> = self.present.iter().filter(|ip| !self.wanted.contains_key(ip)).copied().collect();
        for addresses in surplus.chunks(BATCH) {
            // Whatever the reason, the table is made anew when it is needed next.
            if self.change(addresses, Batch::remove).is_err() {
                self.discard();
                return;
            }
            self.present.retain(|address| !addresses.contains(address));
        }
    }

    /// The routers that hold the address so.
    pub fn refusing(&self, address: IpAddr) -> impl Iterator<Item = RouterId> + '_ {
        self.wanted.get(&address).into_iter().flatten().copied()
    }

    /// Removes a table that a daemon that crashed has left behind. For the start.
    pub fn sweep(&mut self) {
        let mut batch = Batch::new(self.sequence);
        batch.delete_table();
        // None is there, or it is another daemon's.
        let _ = self.send(batch);
        self.socket = None;
    }

    /// The socket that owns the table, where there is one: the table stays for as long as this does.
    #[must_use]
    pub fn owner(&self) -> Option<OwnedFd> {
        self.socket.as_ref().and_then(|socket| duplicate(socket).ok())
    }

    /// Removes the table, for the end.
    pub fn close(&mut self) {
        if self.socket.is_some() {
            self.discard();
        }
    }

    fn discard(&mut self) {
        let mut batch = Batch::new(self.sequence);
        batch.delete_table();
        let _ = self.send(batch);
        self.socket = None;
        self.present.clear();
    }

    fn change(&mut self, addresses: &[IpAddr], each: impl Fn(&mut Batch, IpAddr)) -> io::Result<()> {
        if self.socket.is_none() {
            self.make_table()?;
        }
        let mut batch = Batch::new(self.sequence);
        for &address in addresses {
            each(&mut batch, address);
        }
        self.send(batch)
    }

    fn make_table(&mut self) -> io::Result<()> {
        let made = self.make_table_as(true).or_else(|_| self.make_table_as(false));
        if made.is_err() {
            self.socket = None;
        }
        made
    }

    fn make_table_as(&mut self, owned: bool) -> io::Result<()> {
        let mut batch = Batch::new(self.sequence);
        // So that there is one to delete.
        batch.make_table(false);
        batch.delete_table();
        batch.make_table(owned);
        batch.make_content();
        self.send(batch)
    }

    fn send(&mut self, batch: Batch) -> io::Result<()> {
        let (message, acknowledged) = batch.finish();
        self.sequence = acknowledged.wrapping_add(1);
        if self.socket.is_none() {
            self.socket = Some(open_socket(NETLINK_NETFILTER, 0, ANSWERS)?);
        }
        let Some(socket) = &self.socket else { return Ok(()) };
        socket.send_to(&message, &SocketAddr::new(0, 0), 0)?;
        // The kernel has answered everything by now.
        let (mut failed, mut done) = (None, false);
        let mut answer = Vec::with_capacity(ANSWERS);
        loop {
            answer.clear();
            match socket.recv(&mut answer, 0) {
                Ok(_) => each_message(&answer, |envelope, message| match message {
                    Message::Outcome(Ok(())) => done |= envelope.sequence == acknowledged,
                    Message::Outcome(Err(error)) => failed = failed.take().or(Some(error)),
                    _ => {}
                }),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        match failed {
            Some(error) => Err(error),
            None if done => Ok(()),
            None => Err(io::Error::other("the kernel does not answer")),
        }
    }
}
