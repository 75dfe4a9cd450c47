//! Sending complete Ethernet frames: gratuitous ARP and unsolicited neighbour advertisements.

use super::outbox::Outbox;
use super::sys::{self, Destination};
use crate::ids::RouterId;
use socket2::{Domain, Socket, Type};
use std::io;
use std::os::fd::AsFd;

/// A packet socket of one interface that only sends.
pub struct FrameSocket {
    socket: Socket,
    outbox: Outbox,
}

impl FrameSocket {
    /// Opens it on the interface with this index.
    pub fn open(index: u32) -> io::Result<Self> {
        // Protocol 0 from the start: not even a frame that arrives before the bind is queued.
        let socket = Socket::new(Domain::PACKET, Type::RAW.nonblocking(), None)?;
        sys::bind_packet_socket(socket.as_fd(), index, 0)?;
        Ok(Self { socket, outbox: Outbox::default() })
    }

    /// The interface's MAC address of the moment: a bond's changes when it fails over.
    pub fn mac(&self) -> io::Result<[u8; 6]> {
        sys::hardware_address(self.socket.as_fd())?
            .ok_or_else(|| io::Error::other("the interface has no Ethernet address, so there is nothing to announce"))
    }

    /// Queues the frame that `write` appends, Ethernet header included.
    pub fn queue(&mut self, router: RouterId, write: impl FnOnce(&mut Vec<u8>)) {
        self.outbox.queue(router, Destination::Bound, write);
    }

    /// Sends what is queued; each refusal is reported with the router it concerns. Returns how many were sent.
    pub fn flush(&mut self, failed: impl FnMut(RouterId, io::Error)) -> usize {
        self.outbox.flush(self.socket.as_fd(), failed)
    }
}
