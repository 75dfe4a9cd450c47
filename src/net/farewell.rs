//! Sending whole IP datagrams without receiving anything: the guardian's last words.

use super::sys;
use socket2::{Domain, Protocol, Socket, Type};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

/// Raw sockets that only send, one for each interface and family, opened when they are first needed.
#[derive(Default)]
pub struct Farewell {
    sockets: BTreeMap<(u32, bool), Socket>,
}

impl Farewell {
    /// Sends a datagram, IP header included, from the interface with this index.
    pub fn send(&mut self, index: u32, destination: IpAddr, datagram: &[u8]) -> io::Result<()> {
        let socket = match self.sockets.entry((index, destination.is_ipv6())) {
            Entry::Occupied(open) => open.into_mut(),
            Entry::Vacant(none) => none.insert(open(index, destination)?),
        };
        socket.send_to(datagram, &SocketAddr::new(destination, 0).into())?;
        Ok(())
    }
}

fn open(index: u32, destination: IpAddr) -> io::Result<Socket> {
    let domain = if destination.is_ipv6() { Domain::IPV6 } else { Domain::IPV4 };
    // Protocol RAW receives nothing.
    let socket = Socket::new(domain, Type::RAW.nonblocking(), Some(Protocol::from(libc::IPPROTO_RAW)))?;
    sys::bind_to_interface(socket.as_fd(), index)?;
    match destination {
        IpAddr::V4(_) => {
            socket.set_header_included_v4(true)?;
            socket.set_multicast_loop_v4(false)?;
        }
        IpAddr::V6(_) => {
            socket.set_header_included_v6(true)?;
            socket.set_multicast_if_v6(index)?;
            socket.set_multicast_loop_v6(false)?;
        }
    }
    Ok(socket)
}
