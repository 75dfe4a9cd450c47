//! The kernel's notices on links and addresses.

use super::interfaces::Interfaces;
use super::message::{Message, each_message};
use super::netlink::{Netlink, NetlinkError, open_socket};
use super::reconcile::Reconciler;
use crate::engine::InterfaceFacts;
use crate::ids::{InterfaceName, RouterId};
use crate::units::VirtualAddress;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// The groups of notices to hear: links, IPv4 addresses, IPv6 addresses (`RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`,
/// `RTMGRP_IPV6_IFADDR`).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// Room for several thousand notices: 255 virtual routers that become Master at once cause 510 and more.
const NOTICES: usize = 8 << 20;
/// The kernel never sends more than this in one datagram of notices.
const READ: usize = 64 << 10;
/// Datagrams read in one call, so that a storm of notices cannot keep the thread from its timers. More wait for the
/// next call: the descriptor stays readable.
const DATAGRAMS: usize = 1024;

/// A change.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Notice {
    /// An interface, in full, because something about it has changed; `None`: there is none by that name any more.
    Interface {
        /// Its name.
        name: InterfaceName,
        /// What it is now.
        facts: Option<InterfaceFacts>,
    },
    /// Somebody has removed an address that a router holds.
    AddressLost {
        /// Who holds it.
        router: RouterId,
        /// Which.
        address: VirtualAddress,
    },
}

/// A netlink socket for notices, and what they add up to.
pub struct Monitor {
    socket: Socket,
    requests: Netlink,
    interfaces: Interfaces,
    buffer: Vec<u8>,
    /// Notices were lost, or none have been read yet: everything has to be listed.
    stale: bool,
    /// Something was removed since lost addresses were last looked for.
    removals: bool,
}

impl Monitor {
    /// Opens the socket. The first [`Monitor::receive`] reports every interface.
    pub fn open() -> Result<Self, NetlinkError> {
        Self::with_buffer(NOTICES)
    }

    /// The same with a receive buffer of `octets`, which may be so small that notices get lost.
    pub fn with_buffer(octets: usize) -> Result<Self, NetlinkError> {
        Ok(Self {
            socket: open_socket(NETLINK_ROUTE, GROUPS, octets).map_err(NetlinkError::Open)?,
            requests: Netlink::open()?,
            interfaces: Interfaces::default(),
            buffer: Vec::with_capacity(READ),
            stale: true,
            removals: false,
        })
    }

    /// Takes the notices that wait and tells what has changed by them, links before lost addresses. Where the kernel
    /// had to drop notices, everything is listed anew and compared.
    ///
    /// After an error the next call lists everything anew.
    pub fn receive(&mut self, reconciler: &mut Reconciler, mut tell: impl FnMut(Notice)) -> Result<(), NetlinkError> {
        let drained = self.drain()?;
        if self.stale {
            let (links, addresses) = (self.requests.links()?, self.requests.addresses()?);
            self.interfaces.replace(links, addresses);
            self.removals = true;
            self.stale = false;
        }
        self.interfaces.tell_changes(
            |known| known.tagged || reconciler.has_put(known.index, known.address),
            |name, facts| tell(Notice::Interface { name, facts }),
        );
        // Only once all notices are in: a removal of our own, with the address held again since, is undone by a later one.
        if drained && std::mem::take(&mut self.removals) {
            let interfaces = &self.interfaces;
            reconciler.find_lost(
                |index, address| interfaces.has(index, address),
                |router, address| tell(Notice::AddressLost { router, address }),
            );
        }
        Ok(())
    }

    /// Reads until nothing waits any more (`true`) or the bound is reached.
    fn drain(&mut self) -> Result<bool, NetlinkError> {
        for _ in 0..DATAGRAMS {
            self.buffer.clear();
            match self.socket.recv(&mut self.buffer, 0) {
                Ok(_) if self.stale => {}
                Ok(_) => self.apply(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(true),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => self.stale = true,
                Err(error) => {
                    self.stale = true;
                    return Err(NetlinkError::Receive(error));
                }
            }
        }
        Ok(false)
    }

    fn apply(&mut self) {
        let (interfaces, removals) = (&mut self.interfaces, &mut self.removals);
        each_message(&self.buffer, |_, message| match message {
            Message::Link(link) => {
                *removals |= link.macvlan.as_ref().is_some_and(|macvlan| !macvlan.enabled);
                interfaces.link(link);
            }
            Message::LinkGone { index } => {
                interfaces.link_gone(index);
                *removals = true;
            }
            Message::Address(address) => interfaces.address(address),
            Message::AddressGone(address) => {
                interfaces.address_gone(&address);
                *removals = true;
            }
            Message::Outcome(_) | Message::Other => {}
        });
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
