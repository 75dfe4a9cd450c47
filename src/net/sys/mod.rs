//! System calls that no crate wraps safely for us. The only `unsafe` code of the project.
#![allow(unsafe_code)]

mod receive;
mod send;

pub use receive::ReceiveBuffers;
pub(super) use receive::{Slot, receive_batch};
pub(super) use send::{Destination, send_batch};
use std::io;
use std::mem::size_of;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::time::Duration;

/// Messages that one system call receives or sends.
pub const BATCH: usize = 32;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control<const N: usize>([u8; N]);

const ANY: libc::sockaddr_in6 = libc::sockaddr_in6 {
    sin6_family: 0,
    sin6_port: 0,
    sin6_flowinfo: 0,
    sin6_addr: libc::in6_addr { s6_addr: [0; 16] },
    sin6_scope_id: 0,
};

const PACKET_ADDRESS: libc::sockaddr_ll = libc::sockaddr_ll {
    sll_family: 0,
    sll_protocol: 0,
    sll_ifindex: 0,
    sll_hatype: 0,
    sll_pkttype: 0,
    sll_halen: 0,
    sll_addr: [0; 8],
};

/// Binds a socket to an interface by index, so that a rename in between cannot bind it to another one.
pub(super) fn bind_to_interface(socket: BorrowedFd<'_>, index: u32) -> io::Result<()> {
    let index = libc::c_int::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the option's value is an int that lives over the call, and its length is stated.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_BINDTOIFINDEX,
            ptr::from_ref(&index).cast(),
            length_of::<libc::c_int>(),
        )
    };
    done(result)
}

/// Binds a packet socket to an interface, to receive what has this Ethernet type; with 0 it receives nothing.
pub(super) fn bind_packet_socket(socket: BorrowedFd<'_>, index: u32, ethertype: u16) -> io::Result<()> {
    let mut address = PACKET_ADDRESS;
    address.sll_family = family(libc::AF_PACKET);
    address.sll_protocol = ethertype.to_be();
    address.sll_ifindex = libc::c_int::try_from(index).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    // SAFETY: the address is a complete `sockaddr_ll` that lives over the call, and its length is stated.
    let result =
        unsafe { libc::bind(socket.as_raw_fd(), ptr::from_ref(&address).cast(), length_of::<libc::sockaddr_ll>()) };
    done(result)
}

/// The Ethernet address, at this moment, of the interface that a packet socket is bound to; `None` where it has none.
pub(super) fn hardware_address(socket: BorrowedFd<'_>) -> io::Result<Option<[u8; 6]>> {
    let mut address = PACKET_ADDRESS;
    let mut length = length_of::<libc::sockaddr_ll>();
    // SAFETY: `address` has room for `length` octets, and both live over the call.
    let result = unsafe { libc::getsockname(socket.as_raw_fd(), ptr::from_mut(&mut address).cast(), &raw mut length) };
    done(result)?;
    Ok(address.sll_addr.first_chunk().copied().filter(|_| address.sll_halen == 6))
}

/// Puts the calling thread under `SCHED_RR`. Threads and processes it starts do not inherit that: a track script under
/// real-time scheduling could starve the host.
pub fn set_realtime(priority: u8) -> io::Result<()> {
    let parameters = libc::sched_param { sched_priority: libc::c_int::from(priority) };
    // SAFETY: pid 0 is the calling thread; the parameters live over the call.
    let result =
        unsafe { libc::sched_setscheduler(0, libc::SCHED_RR | libc::SCHED_RESET_ON_FORK, &raw const parameters) };
    done(result)
}

/// Asks for slices of `length`, 0.1 to 100 ms, for the calling thread, which is scheduled in the ordinary way. It gets no
/// more of a processor for that, but is not kept waiting until another thread's longer slice ends. Threads and processes
/// it starts do not inherit it. Linux before 6.12 takes no notice.
pub fn set_slice(length: Duration) -> io::Result<()> {
    let size = length_of::<libc::sched_attr>();
    let mut attributes = libc::sched_attr {
        size,
        sched_policy: 0,
        sched_flags: 0,
        sched_nice: 0,
        sched_priority: 0,
        sched_runtime: 0,
        sched_deadline: 0,
        sched_period: 0,
    };
    // SAFETY: pid 0 is the calling thread; the attributes live over the call, and their size is stated.
    let got = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, size, 0) };
    if got < 0 {
        return Err(io::Error::last_os_error());
    }
    attributes.sched_flags = u64::from(libc::SCHED_FLAG_RESET_ON_FORK.unsigned_abs());
    attributes.sched_runtime = u64::try_from(length.as_nanos()).unwrap_or(u64::MAX);
    // SAFETY: as above, and this call only reads them.
    let set = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) };
    if set < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Keeps every descriptor but the standard three from the programs that this process starts: whoever started it may
/// have left some open without saying that they end there.
pub fn keep_descriptors_from_children() -> io::Result<()> {
    // SAFETY: the call takes three numbers and touches no memory of ours; a descriptor's flags are all it changes.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes possession of a descriptor that this process was started with; an error where there is none of this number.
/// Programs that this one starts do not get it. To be called once for each, before anything else is opened: a number
/// that is in use by then is somebody else's.
pub fn take_descriptor(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the call takes two numbers and touches no memory of ours.
    done(unsafe { libc::fcntl(number, libc::F_SETFD, libc::FD_CLOEXEC) })?;
    // SAFETY: the descriptor is open, as the call has shown, and by the demand above nobody in this process owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Another descriptor of the same open socket.
pub(super) fn duplicate(socket: &impl AsRawFd) -> io::Result<OwnedFd> {
    // SAFETY: the socket is borrowed, and so stays open, for as long as this does.
    unsafe { BorrowedFd::borrow_raw(socket.as_raw_fd()) }.try_clone_to_owned()
}

fn done(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

fn length_of<T>() -> libc::socklen_t {
    libc::socklen_t::try_from(size_of::<T>()).expect("socket structures are small")
}

fn family(raw: libc::c_int) -> libc::sa_family_t {
    libc::sa_family_t::try_from(raw).expect("address families are small")
}
