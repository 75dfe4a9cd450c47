//! The kernel's notices on links and addresses.

use super::interfaces::Interfaces;
use super::message::{Message, each_message};
use super::netlink::{Netlink, NetlinkError, open_socket};
use super::reconcile::Reconciler;
use super::remover::Removers;
use crate::engine::InterfaceFacts;
use crate::ids::{InterfaceName, RouterId};
use crate::units::VirtualAddress;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

/// The groups of notices to hear: links, IPv4 addresses, IPv6 addresses (`RTMGRP_LINK`, `RTMGRP_IPV4_IFADDR`,
/// `RTMGRP_IPV6_IFADDR`).
const GROUPS: u32 = 0x1 | 0x10 | 0x100;
/// The same for routes and rules, by number (`RTNLGRP_IPV4_ROUTE`, `RTNLGRP_IPV4_RULE`, `RTNLGRP_IPV6_ROUTE`,
/// `RTNLGRP_IPV6_RULE`).
const ROUTE_GROUPS: [u32; 4] = [7, 8, 11, 19];
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
        /// By whom, where the kernel tells.
        by: Option<Arc<str>>,
    },
    /// Routes or rules of ours may be gone.
    RoutesInDoubt {
        /// Who was seen removing one; `None`: nobody was, but what they depend on has changed.
        by: Option<Arc<str>>,
    },
}

/// A netlink socket for notices, and what they add up to.
#[expect(clippy::struct_excessive_bools, reason = "each says on its own what is still to be looked at")]
pub struct Monitor {
    socket: Socket,
    requests: Netlink,
    interfaces: Interfaces,
    buffer: Vec<u8>,
    /// Notices were lost, or none have been read yet: everything has to be listed.
    stale: bool,
    /// Something was removed since lost addresses were last looked for.
    removals: bool,
    /// Routes and rules are listened to as well.
    routes: bool,
    routes_in_doubt: bool,
    removers: Removers,
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
            routes: false,
            routes_in_doubt: false,
            removers: Removers::default(),
        })
    }

    /// Listens to routes and rules as well, from the first time that it is asked for: only where routers hold any, since
    /// the routes of a whole network may pass by.
    pub fn hear_routes(&mut self) {
        if !std::mem::replace(&mut self.routes, true) {
            for group in ROUTE_GROUPS {
                // Without these notices they are put back with the next change of an interface.
                let _ = self.socket.add_membership(group);
            }
        }
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
            self.routes_in_doubt = true;
        }
        if std::mem::take(&mut self.routes_in_doubt) {
            tell(Notice::RoutesInDoubt { by: self.removers.of_routes() });
        }
        self.interfaces.tell_changes(
            |known| known.tagged || reconciler.has_put(known.index, known.address),
            |name, facts| {
                tell(Notice::Interface { name, facts });
                // With an interface, and with its addresses, routes go without a word.
                tell(Notice::RoutesInDoubt { by: None });
            },
        );
        // Only once all notices are in: a removal of our own, with the address held again since, is undone by a later one.
        if drained && std::mem::take(&mut self.removals) {
            let Self { interfaces, removers, .. } = self;
            reconciler.find_lost(
                |index, address| interfaces.has(index, address),
                |router, index, address| {
                    tell(Notice::AddressLost { router, address, by: removers.of_address(index, address) });
                },
            );
            removers.forget_addresses();
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
        let Self { interfaces, removals, routes_in_doubt, removers, .. } = self;
        each_message(&self.buffer, |envelope, message| match message {
            Message::Link(link) => {
                *removals |= link.macvlan.as_ref().is_some_and(|macvlan| !macvlan.enabled);
                interfaces.link(link);
            }
            Message::LinkGone { index } => {
                interfaces.link_gone(index);
                removers.note_link(index, envelope.port);
                *removals = true;
            }
            Message::Address(address) => interfaces.address(address),
            Message::AddressGone(address) => {
                interfaces.address_gone(&address);
                removers.note_address(&address, envelope.port);
                *removals = true;
            }
            Message::RouteGone => {
                *routes_in_doubt = true;
                removers.note_route(envelope.port);
            }
            Message::Outcome(_) | Message::Route(_) | Message::Rule(_) | Message::Other => {}
        });
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
