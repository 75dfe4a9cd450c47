//! Sending, many messages with one system call.

use super::{ANY, BATCH, Control, family, length_of};
use std::io;
use std::mem::{MaybeUninit, zeroed};
use std::net::{Ipv4Addr, Ipv6Addr};
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;

/// `CMSG_SPACE` of one `in6_pktinfo`.
const SENT_CONTROL: usize = 40;

/// Where a message goes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::net) enum Destination {
    /// To an IPv4 address; the message begins with its IP header.
    Ipv4(Ipv4Addr),
    /// To an IPv6 address, with a source and an interface chosen by us.
    Ipv6 { to: Ipv6Addr, source: Ipv6Addr, index: u32 },
    /// To the interface that the packet socket is bound to; the message begins with its Ethernet header.
    Bound,
}

/// Sends up to [`BATCH`] messages without waiting and says how many went; an error concerns the first one.
pub(in crate::net) fn send_batch<'a>(
    socket: BorrowedFd<'_>,
    messages: impl Iterator<Item = (&'a [u8], Destination)>,
) -> io::Result<usize> {
    // Not initialised as a whole: most of the time a single message goes, and the room is for many.
    let mut envelopes = [const { MaybeUninit::<Envelope>::uninit() }; BATCH];
    let mut headers = [const { MaybeUninit::<libc::mmsghdr>::uninit() }; BATCH];
    let mut count = 0;
    for (((bytes, destination), envelope), header) in messages.zip(&mut envelopes).zip(&mut headers) {
        let envelope = envelope.write(Envelope::new(bytes, destination));
        // SAFETY: `mmsghdr` is plain integers and pointers, for which all zeroes is a valid value.
        envelope.address(&mut header.write(unsafe { zeroed() }).msg_hdr);
        count += 1;
    }
    let first = headers.as_mut_ptr().cast::<libc::mmsghdr>();
    // SAFETY: the first `count` headers are initialised, each pointing to an iovec over borrowed bytes, which the kernel
    // only reads, and to a name and a control buffer of the stated lengths, in envelopes that outlive the call.
    let sent = unsafe { libc::sendmmsg(socket.as_raw_fd(), first, count, libc::MSG_DONTWAIT) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// What the header of one message points to.
struct Envelope {
    vector: libc::iovec,
    name: Name,
    control: Control<SENT_CONTROL>,
}

enum Name {
    Ipv4(libc::sockaddr_in),
    Ipv6(libc::sockaddr_in6),
    None,
}

impl Envelope {
    fn new(bytes: &[u8], destination: Destination) -> Self {
        let vector = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
        let mut control = Control([0; SENT_CONTROL]);
        let name = match destination {
            Destination::Ipv4(to) => Name::Ipv4(libc::sockaddr_in {
                sin_family: family(libc::AF_INET),
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes(to.octets()) },
                sin_zero: [0; 8],
            }),
            Destination::Ipv6 { to, source, index } => {
                write_source(&mut control, source, index);
                let scoped = to.is_multicast() || to.is_unicast_link_local();
                Name::Ipv6(libc::sockaddr_in6 {
                    sin6_family: family(libc::AF_INET6),
                    sin6_addr: libc::in6_addr { s6_addr: to.octets() },
                    sin6_scope_id: if scoped { index } else { 0 },
                    ..ANY
                })
            }
            Destination::Bound => Name::None,
        };
        Self { vector, name, control }
    }

    /// Lets the header, which is all zeroes, point here.
    fn address(&mut self, header: &mut libc::msghdr) {
        header.msg_iov = &raw mut self.vector;
        header.msg_iovlen = 1;
        match &mut self.name {
            Name::Ipv4(name) => {
                header.msg_name = ptr::from_mut(name).cast();
                header.msg_namelen = length_of::<libc::sockaddr_in>();
            }
            Name::Ipv6(name) => {
                header.msg_name = ptr::from_mut(name).cast();
                header.msg_namelen = length_of::<libc::sockaddr_in6>();
                header.msg_control = self.control.0.as_mut_ptr().cast();
                header.msg_controllen = SENT_CONTROL;
            }
            Name::None => {}
        }
    }
}

/// Writes an `IPV6_PKTINFO` control message: source address and interface of one packet.
fn write_source(control: &mut Control<SENT_CONTROL>, source: Ipv6Addr, index: u32) {
    // SAFETY: `msghdr` is plain integers and pointers, for which all zeroes is a valid value.
    let mut header: libc::msghdr = unsafe { zeroed() };
    header.msg_control = control.0.as_mut_ptr().cast();
    header.msg_controllen = SENT_CONTROL;
    let info = libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: source.octets() }, ipi6_ifindex: index };
    let octets = length_of::<libc::in6_pktinfo>();
    // SAFETY: the control buffer holds SENT_CONTROL = CMSG_SPACE(20) octets and is aligned for a header, so the first
    // header and its data lie within it.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        (*first).cmsg_level = libc::IPPROTO_IPV6;
        (*first).cmsg_type = libc::IPV6_PKTINFO;
        (*first).cmsg_len = libc::CMSG_LEN(octets) as usize;
        libc::CMSG_DATA(first).cast::<libc::in6_pktinfo>().write_unaligned(info);
    }
}
