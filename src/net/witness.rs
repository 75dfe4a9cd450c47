//! Hears who says, in ARP or neighbour discovery, where one of our virtual addresses is.
//!
//! A filter in the kernel lets through what is about one of the addresses and nothing else, and nobody has to wake for
//! it: what has come is looked at when it suits, and what does not fit into a small buffer until then is lost.

use super::bpf::{EVERYTHING, Instruction, last_word, op};
use super::sys;
use crate::units::Family;
use crate::wire::{arp, ndp};
use pnet_base::MacAddr;
use pnet_packet::ethernet::EtherTypes;
use socket2::{Domain, SockFilter, Socket, Type};
use std::io::{self, Read};
use std::net::IpAddr;
use std::os::fd::AsFd;

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
        let filter: Vec<SockFilter> = program(family, addresses).into_iter().map(SockFilter::from).collect();
        socket.attach_filter(&filter)?;
        let ethertype = match family {
            Family::Ipv4 => EtherTypes::Arp,
            Family::Ipv6 => EtherTypes::Ipv6,
        };
        sys::bind_packet_socket(socket.as_fd(), index, ethertype.0)?;
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

/// Lets through what is about one of the addresses; the socket sees packets from behind the frame header on. Unlike a
/// [`Program`](super::bpf::Program) it ends wherever something is decided: no jump would reach one exit over all the addresses.
fn program(family: Family, addresses: &[IpAddr]) -> Vec<Instruction> {
    let address_at = match family {
        // The sender's protocol address (RFC 826).
        Family::Ipv4 => 14,
        // The end of the target address of a neighbour advertisement.
        Family::Ipv6 => 60,
    };
    let (pass, refuse) = (Instruction::new(op::RET, 0, 0, EVERYTHING), Instruction::new(op::RET, 0, 0, 0));
    let mut program = Vec::new();
    if family == Family::Ipv6 {
        // ICMPv6 without extension headers, and of it the neighbour advertisement (type 136).
        for (at, value) in [(6, 58), (40, 136)] {
            program.push(Instruction::new(op::LD_OCTET, 0, 0, at));
            program.extend([Instruction::new(op::JEQ, 1, 0, value), refuse]);
        }
    }
    if addresses.len() > ADDRESSES {
        program.push(pass);
        return program;
    }
    program.push(Instruction::new(op::LD_WORD, 0, 0, address_at));
    for &address in addresses {
        program.extend([Instruction::new(op::JEQ, 0, 1, last_word(address)), pass]);
    }
    program.push(refuse);
    program
}

#[cfg(test)]
mod tests {
    use super::super::bpf::interpreter::{self, View};
    use super::*;
    use crate::wire::ethernet;
    use std::net::{Ipv4Addr, Ipv6Addr};

    const MAC: [u8; 6] = [2, 0, 0, 0, 0, 1];

    fn passes(program: &[Instruction], packet: &[u8]) -> bool {
        interpreter::passes(program, View { datagram: packet, offset: 0 }, 0)
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
        let filter = program(Family::Ipv4, &ours);
        for last in 0..=255 {
            assert_eq!(passes(&filter, &arp(last)), [10, 20, 30].contains(&last), "{last}");
        }
        assert!(!passes(&filter, &arp(10)[..17]), "a cut one");
        assert!(!passes(&program(Family::Ipv4, &[]), &arp(10)));
    }

    #[test]
    fn of_ipv6_the_neighbour_advertisements_about_our_addresses_pass() {
        let ours: Vec<IpAddr> = ["2001:db8::10", "2001:db8::20"].map(|text| text.parse().unwrap()).to_vec();
        let filter = program(Family::Ipv6, &ours);
        for last in 0..0x100 {
            assert_eq!(passes(&filter, &advertisement(last)), [0x10, 0x20].contains(&last), "{last:x}");
        }
        for (at, octet) in [(6, 17), (40, 135)] {
            let mut other = advertisement(0x10);
            other[at] = octet;
            assert!(!passes(&filter, &other), "octet {at} is {octet}");
        }
    }

    #[test]
    fn as_many_addresses_as_there_may_be_fit_into_a_program() {
        let addresses = |count: u32| (0..count).map(|low| IpAddr::from(Ipv4Addr::from_bits(low))).collect::<Vec<_>>();
        for count in [2000, 2001, 9000] {
            let filter = program(Family::Ipv4, &addresses(count));
            assert!(filter.len() <= 4096, "{} instructions", filter.len());
            assert_eq!(passes(&filter, &arp(1)), count > 2000, "above the limit everything passes");
        }
    }
}
