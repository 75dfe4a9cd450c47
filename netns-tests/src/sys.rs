//! What no crate offers without `unsafe`: the address of an interface for packet sockets, and owning a descriptor that
//! came with a message.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use socket2::SockAddr;

/// Every frame on interface `index`, in `sockaddr_ll` form.
pub(crate) fn every_frame_on(index: u32) -> io::Result<SockAddr> {
    let index = i32::try_from(index).map_err(io::Error::other)?;
    // SAFETY: `sockaddr_ll` fits into the zeroed `sockaddr_storage` it is written to, and the length is set to its size.
    let ((), address) = unsafe {
        SockAddr::try_init(|storage, length| {
            let address = &mut *storage.cast::<libc::sockaddr_ll>();
            address.sll_family = libc::AF_PACKET.try_into().map_err(io::Error::other)?;
            address.sll_protocol = u16::try_from(libc::ETH_P_ALL).map_err(io::Error::other)?.to_be();
            address.sll_ifindex = index;
            *length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
            Ok(())
        })
    }?;
    Ok(address)
}

/// A descriptor that has just come with a message. To be called once for each.
pub(crate) fn received(number: RawFd) -> OwnedFd {
    // SAFETY: the kernel has made the descriptor for this process, and nobody else knows of it.
    unsafe { OwnedFd::from_raw_fd(number) }
}
