//! Receiving adverts, many with one system call.

use super::{ANY, BATCH, Control, length_of};
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::net::Ipv6Addr;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// The longest message there is: an IPv4 header with options (60) or none, an Authentication Header (24), and a VRRP
/// message of 255 IPv6 addresses (4088), rounded up so that one that is too long shows as such.
const SLOT: usize = 4352;

/// `CMSG_SPACE` of a hop limit (24) and of an `in6_pktinfo` (40), with room to spare.
const RECEIVED_CONTROL: usize = 128;

/// One received message.
pub(in crate::net) struct Slot {
    data: [u8; SLOT],
    length: usize,
    control: Control<RECEIVED_CONTROL>,
    name: libc::sockaddr_in6,
    /// IPv6: the hop limit, from its control message.
    pub(in crate::net) hop_limit: Option<u8>,
    /// IPv6: the destination, from its control message.
    pub(in crate::net) destination: Option<Ipv6Addr>,
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
    pub(in crate::net) fn bytes(&self) -> &[u8] {
        &self.data[..self.length]
    }

    /// IPv6: the source. IPv4 has it in the header.
    pub(in crate::net) fn source(&self) -> Ipv6Addr {
        Ipv6Addr::from(self.name.sin6_addr.s6_addr)
    }
}

/// Room for one batch of received messages, made once and shared by all ports of a thread.
pub struct ReceiveBuffers {
    slots: Box<[Slot]>,
    /// How many messages to expect. Only so much is prepared at first: most wakes are for a single advert, and what is
    /// prepared for nothing costs more than its reception.
    likely: usize,
}

impl ReceiveBuffers {
    /// Allocates the room, about 150 kB.
    #[must_use]
    pub fn new() -> Self {
        Self { slots: (0..BATCH).map(|_| Slot::new()).collect(), likely: 2 }
    }

    /// The first `count` messages.
    pub(in crate::net) fn received(&self, count: usize) -> &[Slot] {
        &self.slots[..count]
    }
}

impl Default for ReceiveBuffers {
    fn default() -> Self {
        Self::new()
    }
}

/// Receives up to [`BATCH`] messages without waiting; `WouldBlock` where there is none. Fewer than that: no more waits.
pub(in crate::net) fn receive_batch(socket: BorrowedFd<'_>, buffers: &mut ReceiveBuffers) -> io::Result<usize> {
    let (first, rest) = buffers.slots.split_at_mut(buffers.likely);
    let mut count = receive_into(socket, first)?;
    if count == first.len() && !rest.is_empty() {
        // An error concerns the next call: what has come so far is good.
        count += receive_into(socket, rest).unwrap_or(0);
    }
    buffers.likely = (count + 1).clamp(2, BATCH);
    Ok(count)
}

fn receive_into(socket: BorrowedFd<'_>, slots: &mut [Slot]) -> io::Result<usize> {
    let mut vectors = [const { MaybeUninit::<libc::iovec>::uninit() }; BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    for ((slot, vector), header) in slots.iter_mut().zip(&mut vectors).zip(&mut headers) {
        // SAFETY: `mmsghdr` is plain integers and pointers, for which all zeroes is a valid value.
        let header = &mut header.write(unsafe { zeroed() }).msg_hdr;
        header.msg_iov = vector.write(libc::iovec { iov_base: slot.data.as_mut_ptr().cast(), iov_len: SLOT });
        header.msg_iovlen = 1;
        header.msg_name = ptr::from_mut(&mut slot.name).cast();
        header.msg_namelen = length_of::<libc::sockaddr_in6>();
        header.msg_control = slot.control.0.as_mut_ptr().cast();
        header.msg_controllen = RECEIVED_CONTROL;
    }
    let prepared = libc::c_uint::try_from(slots.len().min(BATCH)).expect("BATCH is small");
    let first = headers.as_mut_ptr().cast::<libc::mmsghdr>();
    // SAFETY: the first `prepared` headers are initialised, each pointing to an iovec, a name and a control buffer of the
    // stated lengths that live in `vectors` and in `slots` and are not otherwise used during the call.
    let count = unsafe { libc::recvmmsg(socket.as_raw_fd(), first, prepared, libc::MSG_DONTWAIT, ptr::null_mut()) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    for (slot, header) in slots.iter_mut().zip(&headers).take(count) {
        // SAFETY: the kernel has filled `count` headers, no more than were prepared.
        let header = unsafe { header.assume_init_ref() };
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
