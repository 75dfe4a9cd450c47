//! System calls that no crate wraps safely for us. The only `unsafe` code of the project.
#![allow(unsafe_code)]

use std::io;
use std::mem::{self, size_of};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// Messages that one system call receives or sends.
pub const BATCH: usize = 32;

/// The longest message there is: an IPv4 header with options (60) or none, an Authentication Header (24), and a VRRP
/// message of 255 IPv6 addresses (4088), rounded up so that one that is too long shows as such.
const SLOT: usize = 4352;

/// `CMSG_SPACE` of a hop limit (24) and of an `in6_pktinfo` (40), with room to spare.
const RECEIVED_CONTROL: usize = 128;

/// `CMSG_SPACE` of one `in6_pktinfo`.
const SENT_CONTROL: usize = 40;

#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control<const N: usize>([u8; N]);

/// One received message.
pub(super) struct Slot {
    data: [u8; SLOT],
    length: usize,
    control: Control<RECEIVED_CONTROL>,
    name: libc::sockaddr_in6,
    /// IPv6: the hop limit, from its control message.
    pub(super) hop_limit: Option<u8>,
    /// IPv6: the destination, from its control message.
    pub(super) destination: Option<Ipv6Addr>,
}

impl Slot {
    fn new() -> Self {
        Self {
            data: [0; SLOT],
            length: 0,
            control: Control([0; RECEIVED_CONTROL]),
            name: ANY,
            hop_limit: None,
            destination: None,
        }
    }

    /// What was received.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.data[..self.length]
    }

    /// IPv6: the source. IPv4 has it in the header.
    pub(super) fn source(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.name.sin6_addr.s6_addr)
    }
}

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

/// Room for one batch of received messages, made once and shared by all ports of a thread.
pub struct ReceiveBuffers {
    slots: Box<[Slot]>,
}

impl ReceiveBuffers {
    /// Allocates the room, about 150 kB.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: (0..BATCH).map(|_| Slot::new()).collect() }
    }

    /// The first `count` messages.
    pub(super) fn received(&self, count: usize) -> &[Slot] {
        &self.slots[..count]
    }
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// Receives up to [`BATCH`] messages without waiting; `WouldBlock` where there is none.
pub(super) fn receive_batch(socket: BorrowedFd<'_>, buffers: &mut ReceiveBuffers) -> io::Result<usize> {
    let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
    // SAFETY: `mmsghdr` is plain integers and pointers, for which all zeroes is a valid value.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
    for ((slot, vector), header) in buffers.slots.iter_mut().zip(&mut vectors).zip(&mut headers) {
        *vector = libc::iovec { iov_base: slot.data.as_mut_ptr().cast(), iov_len: SLOT };
        header.msg_hdr.msg_iov = vector;
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = ptr::from_mut(&mut slot.name).cast();
        header.msg_hdr.msg_namelen = length_of::<libc::sockaddr_in6>();
        header.msg_hdr.msg_control = slot.control.0.as_mut_ptr().cast();
        header.msg_hdr.msg_controllen = RECEIVED_CONTROL;
    }
    let vlen = libc::c_uint::try_from(BATCH).expect("BATCH is small");
    // SAFETY: `headers` holds `vlen` headers, each pointing to an iovec, a name and a control buffer of the stated
    // lengths that live in `vectors` and in `buffers` and are not otherwise used during the call.
    let count =
        unsafe { libc::recvmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), vlen, libc::MSG_DONTWAIT, ptr::null_mut()) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    for (slot, header) in buffers.slots.iter_mut().zip(&headers).take(count) {
        slot.length = usize::try_from(header.msg_len).unwrap_or(SLOT).min(SLOT);
        (slot.hop_limit, slot.destination) = read_control(&header.msg_hdr);
    }
    Ok(count)
}

/// The hop limit and the destination among the control messages of a received IPv6 packet.
fn read_control(header: &libc::msghdr) -> (Option<u8>, Option<Ipv6Addr>) {
    let (mut hop_limit, mut destination) = (None, None);
    // SAFETY: the kernel has filled the control buffer of `header`, which is still alive, and set its length.
    let mut next = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !next.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR return only headers that lie within the buffer; the buffer is
        // aligned for them; the data is read unaligned and only with the type that level and type stand for, after
        // checking that the message is long enough for it.
        unsafe {
            let message = &*next;
            let data = libc::CMSG_DATA(next);
            let holds = |octets: u32| message.cmsg_len >= libc::CMSG_LEN(octets) as usize;
            match (message.cmsg_level, message.cmsg_type) {
                (libc::IPPROTO_IPV6, libc::IPV6_HOPLIMIT) if holds(4) => {
                    hop_limit = u8::try_from(data.cast::<libc::c_int>().read_unaligned()).ok();
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) if holds(length_of::<libc::in6_pktinfo>()) => {
                    let info = data.cast::<libc::in6_pktinfo>().read_unaligned();
                    destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
                }
                _ => {}
            }
            next = libc::CMSG_NXTHDR(header, next);
        }
    }
    (hop_limit, destination)
}

/// Where a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Destination {
    /// To an IPv4 address; the message begins with its IP header.
    Ipv4(Ipv4Addr),
    /// To an IPv6 address, with a source and an interface chosen by us.
    Ipv6 { to: Ipv6Addr, source: Ipv6Addr, index: u32 },
    /// To the interface that the packet socket is bound to; the message begins with its Ethernet header.
    Bound,
}

/// Sends up to [`BATCH`] messages without waiting and says how many went; an error concerns the first one.
pub(super) fn send_batch<'a>(
    socket: BorrowedFd<'_>,
    messages: impl Iterator<Item = (&'a [u8], Destination)>,
) -> io::Result<usize> {
    let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
    let mut names4 =
        [libc::sockaddr_in { sin_family: 0, sin_port: 0, sin_addr: libc::in_addr { s_addr: 0 }, sin_zero: [0; 8] };
            BATCH];
    let mut names6 = [ANY; BATCH];
    let mut controls = [Control([0; SENT_CONTROL]); BATCH];
    // SAFETY: `mmsghdr` is plain integers and pointers, for which all zeroes is a valid value.
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
    let mut count = 0;
    for (slot, (bytes, destination)) in messages.take(BATCH).enumerate() {
        vectors[slot] = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let header = &mut headers[slot].msg_hdr;
        header.msg_iov = &raw mut vectors[slot];
        header.msg_iovlen = 1;
        match destination {
            Destination::Ipv4(to) => {
                names4[slot].sin_family = family(libc::AF_INET);
                names4[slot].sin_addr.s_addr = u32::from_ne_bytes(to.octets());
                header.msg_name = (&raw mut names4[slot]).cast();
                header.msg_namelen = length_of::<libc::sockaddr_in>();
            }
            Destination::Ipv6 { to, source, index } => {
                names6[slot].sin6_family = family(libc::AF_INET6);
                names6[slot].sin6_addr.s6_addr = to.octets();
                let scoped = to.is_multicast() || to.is_unicast_link_local();
                names6[slot].sin6_scope_id = if scoped { index } else { 0 };
                header.msg_name = (&raw mut names6[slot]).cast();
                header.msg_namelen = length_of::<libc::sockaddr_in6>();
                write_source(header, &mut controls[slot], source, index);
            }
            Destination::Bound => {}
        }
        count = slot + 1;
    }
    let vlen = libc::c_uint::try_from(count).expect("at most BATCH");
    // SAFETY: the first `vlen` headers each point to an iovec over borrowed bytes, which the kernel only reads, and to
    // a name and a control buffer of the stated lengths in arrays that outlive the call.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), headers.as_mut_ptr(), vlen, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// Writes an `IPV6_PKTINFO` control message: source address and interface of one packet.
fn write_source(header: &mut libc::msghdr, control: &mut Control<SENT_CONTROL>, source: Ipv6Addr, index: u32) {
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = SENT_CONTROL;
    let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: source.octets() }, ipi6_ifindex: index };
    let octets = length_of::<libc::in6_pktinfo>();
    // SAFETY: the control buffer holds SENT_CONTROL = CMSG_SPACE(20) octets and is aligned for a header, so the first
    // header and its data lie within it.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(header);
        (*first).cmsg_level = libc::IPPROTO_IPV6;
        (*first).cmsg_type = libc::IPV6_PKTINFO;
        (*first).cmsg_len = libc::CMSG_LEN(octets) as usize;
        libc::CMSG_DATA(first).cast::<libc::in6_pktinfo>().write_unaligned(info);
    }
}

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

/// Keeps every descriptor but the standard three from the programs that this process starts: whoever started it may
/// have left some open without saying that they end there.
pub fn keep_descriptors_from_children() -> io::Result<()> {
    // SAFETY: the call takes three numbers and touches no memory of ours; a descriptor's flags are all it changes.
    let result = unsafe { libc::syscall(libc::SYS_close_range, 3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
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
