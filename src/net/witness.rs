//! Hears who says, in ARP or neighbour discovery, where one of our virtual addresses is.
//!
//! A filter in the kernel lets through what is about one of the addresses and nothing else, and nobody has to wake for
//! it: what has come is looked at when it suits, and what does not fit into a small buffer until then is lost.

use super::sys;
use crate::units::Family;
use crate::wire::{arp, ndp};
use pnet_base::MacAddr;
use socket2::{Domain, SockFilter, Socket, Type};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::AsFd;

/// `ETH_P_ARP` and `ETH_P_IPV6`.
const ARP: u16 = 0x0806;
const IPV6: u16 = 0x86dd;

/// Room for some dozens of packets that wait.
const BUFFER: usize = 32 << 10;

/// Packets looked at in one go.
const PACKETS: usize = 64;

/// The longest packet that is looked at: a neighbour advertisement with the options that there are is shorter.
const PACKET: usize = 512;

/// The addresses that a filter tells apart: a program has 4096 instructions at most, and an address takes two. Of an IPv6
/// address it looks at the last four octets, and where there are more addresses, at none.
const ADDRESSES: usize = 2000;

/// A packet socket of one interface that hears about addresses of one family.
pub struct Witness {
    family: Family,
    socket: Socket,
}

impl Witness {
    /// Opens it on the interface with this index.
    pub fn open(index: u32, family: Family, addresses: &[IpAddr]) -> io::Result<Self> {
        // Without a protocol until the filter is there, so that nothing else is ever queued.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM.nonblocking(), None)?;
        socket.set_recv_buffer_size(BUFFER)?;
        socket.attach_filter(&program(family, addresses))?;
        let ethertype = match family {
            Family::Ipv4 => ARP,
            Family::Ipv6 => IPV6,
        };
        sys::bind_packet_socket(socket.as_fd(), index, ethertype)?;
        Ok(Self { family, socket })
    }

    /// Looks at what has come, and says of each packet which address it says to be where.
    pub fn look(&mut self, mut claim: impl FnMut(IpAddr, MacAddr)) {
        let mut packet = [0; PACKET];
        for _ in 0..PACKETS {
            // An interface that goes down says so here, once; the next look tries again.
            let Ok(length) = self.socket.read(&mut packet) else { return };
            let said = match self.family {
                Family::Ipv4 => arp::sender(&packet[..length]).map(|(mac, ip)| (mac, ip.into())),
                Family::Ipv6 => ndp::advertised(&packet[..length]).map(|(mac, ip)| (mac, ip.into())),
            };
            if let Some((mac, address)) = said {
                claim(address, mac);
            }
        }
    }
}

/// Operations of classic BPF by their names in the kernel's documentation (`filter.rst`).
mod op {
    pub(super) const LD_WORD: u16 = 0x20;
    pub(super) const LD_OCTET: u16 = 0x30;
    pub(super) const JEQ: u16 = 0x15;
    pub(super) const RET: u16 = 0x06;
}

/// The whole packet, however long.
const EVERYTHING: u32 = u32::MAX;

/// Lets through what is about one of the addresses; the socket sees packets from behind the frame header on.
fn program(family: Family, addresses: &[IpAddr]) -> Vec<SockFilter> {
    let instruction = |(code, jt, jf, k)| SockFilter::new(code, jt, jf, k);
    listing(family, addresses).into_iter().map(instruction).collect()
}

/// Operation, jumps if true and if false, operand.
type Instruction = (u16, u8, u8, u32);

fn listing(family: Family, addresses: &[IpAddr]) -> Vec<Instruction> {
    let address_at = match family {
        // The sender's protocol address (RFC 826).
        Family::Ipv4 => 14,
        // The end of the target address of a neighbour advertisement.
        Family::Ipv6 => 60,
    };
    let mut program = Vec::new();
    if family == Family::Ipv6 {
        // ICMPv6 without extension headers, and of it the neighbour advertisement (type 136).
        program.extend([(op::LD_OCTET, 0, 0, 6), (op::JEQ, 1, 0, 58), (op::RET, 0, 0, 0)]);
        program.extend([(op::LD_OCTET, 0, 0, 40), (op::JEQ, 1, 0, 136), (op::RET, 0, 0, 0)]);
    }
    if addresses.len() <= ADDRESSES {
        program.push((op::LD_WORD, 0, 0, address_at));
        for address in addresses {
            program.extend([(op::JEQ, 0, 1, last_word(*address)), (op::RET, 0, 0, EVERYTHING)]);
        }
        program.push((op::RET, 0, 0, 0));
    } else {
        program.push((op::RET, 0, 0, EVERYTHING));
    }
    program
}

fn last_word(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => {
            let [.., a, b, c, d] = ip.octets();
            u32::from_be_bytes([a, b, c, d])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::ethernet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    /// What the kernel makes of a program. A load beyond the packet refuses it.
    fn passes(program: &[Instruction], packet: &[u8]) -> bool {
        let load = |at: u32, octets: usize| {
            let octets = packet.get(at as usize..at as usize + octets)?;
            Some(octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet)))
        };
        let (mut a, mut at) = (0, 0);
        loop {
            let (code, jt, jf, k) = program[at];
            at += 1;
            match code {
                op::LD_WORD | op::LD_OCTET => match load(k, if code == op::LD_WORD { 4 } else { 1 }) {
                    Some(value) => a = value,
                    None => return false,
                },
                op::JEQ => at += usize::from(if a == k { jt } else { jf }),
                op::RET => return k == EVERYTHING,
                other => panic!("no such operation: {other:#x}"),
            }
        }
    }

    fn arp(last: u8) -> Vec<u8> {
        let mut frame = Vec::new();
        arp::append_gratuitous(MAC, Ipv4Addr::new(192, 0, 2, last), &mut frame);
        frame.split_off(ethernet::HEADER)
    }

    fn advertisement(last: u16) -> Vec<u8> {
        let (mut frame, address) = (Vec::new(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last));
        ndp::append_unsolicited(MAC, address, address, &mut frame);
        frame.split_off(ethernet::HEADER)
    }

    #[test]
    fn arp_about_our_addresses_passes_and_no_other() {
        let ours: Vec<IpAddr> = [10, 20, 30].map(|last| IpAddr::from([192, 0, 2, last])).to_vec();
        let program = listing(Family::Ipv4, &ours);
        for last in 0..=255 {
            assert_eq!(passes(&program, &arp(last)), [10, 20, 30].contains(&last), "{last}");
        }
        assert!(!passes(&program, &arp(10)[..17]), "a cut one");
        assert!(!passes(&listing(Family::Ipv4, &[]), &arp(10)));
    }

    #[test]
    fn of_ipv6_the_neighbour_advertisements_about_our_addresses_pass() {
        let ours: Vec<IpAddr> = ["2001:db8::10", "2001:db8::20"].map(|text| text.parse().unwrap()).to_vec();
        let program = listing(Family::Ipv6, &ours);
        for last in 0..0x100 {
            assert_eq!(passes(&program, &advertisement(last)), [0x10, 0x20].contains(&last), "{last:x}");
        }
        for (at, octet) in [(6, 17), (40, 135)] {
            let mut other = advertisement(0x10);
            other[at] = octet;
            assert!(!passes(&program, &other), "octet {at} is {octet}");
        }
    }

    #[test]
    fn as_many_addresses_as_there_may_be_fit_into_a_program() {
        let addresses = |count: u32| (0..count).map(|low| IpAddr::from(Ipv4Addr::from_bits(low))).collect::<Vec<_>>();
        for count in [2000, 2001, 9000] {
            let program = listing(Family::Ipv4, &addresses(count));
            assert!(program.len() <= 4096, "{} instructions", program.len());
            assert_eq!(passes(&program, &arp(1)), count > 2000, "above the limit everything passes");
        }
    }
}
