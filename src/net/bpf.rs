//! Classic BPF, the kernel's language for socket filters, as far as telling adverts takes it: conditions one after the
//! other, each of which leads on or to the one exit at the end. There, of every so many refused packets one is let
//! through as a sample, picked at random.

use socket2::SockFilter;
use std::net::IpAddr;

/// The kernel's offsets of the IP header and of what it knows besides the packet (`SKF_NET_OFF`, `SKF_AD_OFF`). A raw
/// IPv6 socket sees its packets without their header, and reaches it so.
const NETWORK: u32 = 0xfff0_0000;
const RANDOM: u32 = 0xffff_f000 + 56;

/// Scratch cells: a value while it is taken apart, and where the message begins.
const VALUE: u32 = 0;
const START: u32 = 1;

/// The whole packet, however long.
pub(super) const EVERYTHING: u32 = u32::MAX;

/// Operations by their names in the kernel's documentation (`filter.rst`). A and X are the registers.
pub(super) mod op {
    pub(in crate::net) const LD_WORD: u16 = 0x20;
    pub(in crate::net) const LD_OCTET: u16 = 0x30;
    pub(in crate::net) const LD_OCTET_FROM_X: u16 = 0x50;
    pub(in crate::net) const LD_LENGTH: u16 = 0x80;
    pub(in crate::net) const LD_NUMBER: u16 = 0x00;
    pub(in crate::net) const LD_CELL: u16 = 0x60;
    pub(in crate::net) const LDX_NUMBER: u16 = 0x01;
    pub(in crate::net) const LDX_CELL: u16 = 0x61;
    pub(in crate::net) const LDX_IPV4_HEADER: u16 = 0xb1;
    pub(in crate::net) const ST: u16 = 0x02;
    pub(in crate::net) const STX: u16 = 0x03;
    pub(in crate::net) const ADD_X: u16 = 0x0c;
    pub(in crate::net) const SUB: u16 = 0x14;
    pub(in crate::net) const SUB_X: u16 = 0x1c;
    pub(in crate::net) const AND: u16 = 0x54;
    pub(in crate::net) const LSH: u16 = 0x64;
    pub(in crate::net) const RSH: u16 = 0x74;
    pub(in crate::net) const RSH_X: u16 = 0x7c;
    pub(in crate::net) const TAX: u16 = 0x07;
    pub(in crate::net) const JA: u16 = 0x05;
    pub(in crate::net) const JEQ: u16 = 0x15;
    pub(in crate::net) const JGE: u16 = 0x35;
    pub(in crate::net) const JSET: u16 = 0x45;
    pub(in crate::net) const RET: u16 = 0x06;
}

/// One instruction, as the kernel has it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Instruction {
    code: u16,
    jt: u8,
    jf: u8,
    k: u32,
}

impl Instruction {
    /// Operation, jumps if true and if false, operand.
    pub(super) const fn new(code: u16, jt: u8, jf: u8, k: u32) -> Self {
        Self { code, jt, jf, k }
    }
}

impl From<Instruction> for SockFilter {
    fn from(Instruction { code, jt, jf, k }: Instruction) -> Self {
        Self::new(code, jt, jf, k)
    }
}

/// A filter in the making.
pub(super) struct Program {
    code: Vec<Instruction>,
    /// The conditions that lead to the exit when they fail.
    refusals: Vec<usize>,
}

impl Program {
    /// Values that a condition may name at most, so that no jump is too far for its octet.
    pub(super) const VALUES: usize = 64;

    /// For IPv4 sockets, which see packets from the IP header on.
    pub(super) fn ipv4() -> Self {
        Self::starting(op::LDX_IPV4_HEADER)
    }

    /// For IPv6 sockets, which see what follows the IP header.
    pub(super) fn ipv6() -> Self {
        Self::starting(op::LDX_NUMBER)
    }

    fn starting(load: u16) -> Self {
        let mut program = Self { code: Vec::new(), refusals: Vec::new() };
        program.push(load, 0);
        program.push(op::STX, START);
        program
    }

    /// A is one octet of the IP header.
    pub(super) fn header_octet(&mut self, at: u32) {
        self.push(op::LD_OCTET, NETWORK + at);
    }

    /// A is four octets of the IP header.
    pub(super) fn header_word(&mut self, at: u32) {
        self.push(op::LD_WORD, NETWORK + at);
    }

    /// A is one octet of what follows the IP header.
    pub(super) fn octet(&mut self, at: u32) {
        self.push(op::LD_OCTET_FROM_X, at);
    }

    /// A is how many octets follow the IP header.
    pub(super) fn length(&mut self) {
        self.push(op::LD_LENGTH, 0);
        self.push(op::SUB_X, 0);
    }

    /// A is by how much what follows the IP header is longer than `fixed` octets and a list, whose count stands in the
    /// octet `count_at` and whose entries have `1 << entry_shift` octets.
    pub(super) fn length_beyond_list(&mut self, fixed: u32, count_at: u32, entry_shift: u32) {
        self.octet(count_at);
        self.push(op::LSH, entry_shift);
        self.push(op::ADD_X, 0);
        self.push(op::TAX, 0);
        self.length();
        self.push(op::SUB, fixed);
        self.push(op::LDX_CELL, START);
    }

    /// A is at least this.
    pub(super) fn require_at_least(&mut self, least: u32) {
        self.refuse_unless(op::JGE, least);
    }

    /// A is one of these, [`Program::VALUES`] at most.
    pub(super) fn require_one_of(&mut self, values: &[u32]) {
        debug_assert!(values.len() <= Self::VALUES);
        let Some((&last, others)) = values.split_last() else { return self.refuse_all() };
        for (left, &value) in (1..=others.len()).rev().zip(others) {
            self.branch(op::JEQ, value, left, 0);
        }
        self.refuse_unless(op::JEQ, last);
    }

    /// A, an octet, is a member of the set, in which bit `v % 32` of word `v / 32` stands for the value `v`.
    pub(super) fn require_member(&mut self, set: &[u32; 8]) {
        if *set == [0; 8] {
            return self.refuse_all();
        }
        self.push(op::ST, VALUE);
        self.push(op::AND, 31);
        self.push(op::TAX, 0);
        self.push(op::LD_CELL, VALUE);
        self.push(op::RSH, 5);
        let mut words = (0..).zip(set).filter(|(_, word)| **word != 0).peekable();
        let mut left = words.clone().count();
        while let Some((number, &word)) = words.next() {
            left -= 1;
            if words.peek().is_some() {
                self.branch(op::JEQ, number, 0, 2);
                self.push(op::LD_NUMBER, word);
                // Over the words that follow, three instructions each, but for the last, which has two.
                self.push(op::JA, u32::try_from(left * 3 - 1).expect("eight words"));
            } else {
                self.refuse_unless(op::JEQ, number);
                self.push(op::LD_NUMBER, word);
            }
        }
        self.push(op::RSH_X, 0);
        self.refuse_unless(op::JSET, 1);
        self.push(op::LDX_CELL, START);
    }

    /// The whole program: what met every condition passes, and of the rest one in `sample`, which is a power of two.
    pub(super) fn finish(mut self, sample: u32) -> Vec<Instruction> {
        self.push(op::RET, EVERYTHING);
        let exit = self.code.len();
        self.push(op::LD_WORD, RANDOM);
        self.push(op::AND, sample - 1);
        self.branch(op::JEQ, 0, 0, 1);
        self.push(op::RET, EVERYTHING);
        self.push(op::RET, 0);
        for &at in &self.refusals {
            self.code[at].jf = short(exit - at - 1);
        }
        self.code
    }

    fn push(&mut self, code: u16, k: u32) {
        self.code.push(Instruction::new(code, 0, 0, k));
    }

    fn branch(&mut self, code: u16, k: u32, jt: usize, jf: usize) {
        self.code.push(Instruction::new(code, short(jt), short(jf), k));
    }

    fn refuse_all(&mut self) {
        self.refuse_unless(op::JSET, 0);
    }

    fn refuse_unless(&mut self, code: u16, k: u32) {
        self.refusals.push(self.code.len());
        self.push(code, k);
    }
}

/// What a program compares an address by: the last four octets. All of an IPv4 address, enough of an IPv6 one.
pub(super) fn last_word(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(ip) => ip.to_bits(),
        IpAddr::V6(ip) => u32::try_from(ip.to_bits() & u128::from(u32::MAX)).expect("masked to 32 bits"),
    }
}

fn short(jump: usize) -> u8 {
    u8::try_from(jump).expect("two conditions of 64 values and a few more are less than 255 instructions")
}

#[cfg(test)]
pub(super) mod interpreter {
    //! What the kernel makes of a program, as its documentation has it.

    use super::{EVERYTHING, Instruction, NETWORK, RANDOM, op};

    /// A packet as a socket's filter sees it.
    #[derive(Clone, Copy)]
    pub(in crate::net) struct View<'a> {
        /// From the IP header on.
        pub(in crate::net) datagram: &'a [u8],
        /// Where the socket's idea of the packet begins.
        pub(in crate::net) offset: usize,
    }

    impl View<'_> {
        fn load(self, at: u32, octets: usize) -> Option<u32> {
            let at = if at >= NETWORK { (at - NETWORK) as usize } else { self.offset + at as usize };
            let octets = self.datagram.get(at..at + octets)?;
            Some(octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet)))
        }
    }

    /// Whether the packet passes; `random` is the kernel's dice.
    pub(in crate::net) fn passes(program: &[Instruction], packet: View<'_>, random: u32) -> bool {
        run(program, packet, random).unwrap_or(0) == EVERYTHING
    }

    /// `None` where a load reaches beyond the packet, which refuses it.
    fn run(program: &[Instruction], packet: View<'_>, random: u32) -> Option<u32> {
        let (mut a, mut x, mut cells, mut at) = (0u32, 0u32, [0u32; 16], 0);
        loop {
            let Instruction { code, jt, jf, k } = program[at];
            at += 1;
            let mut jump = |taken: bool| at += usize::from(if taken { jt } else { jf });
            match code {
                op::LD_WORD if k == RANDOM => a = random,
                op::LD_WORD => a = packet.load(k, 4)?,
                op::LD_OCTET => a = packet.load(k, 1)?,
                op::LD_OCTET_FROM_X => a = packet.load(x + k, 1)?,
                op::LD_LENGTH => a = u32::try_from(packet.datagram.len() - packet.offset).expect("short packets"),
                op::LD_NUMBER => a = k,
                op::LD_CELL => a = cells[k as usize],
                op::LDX_NUMBER => x = k,
                op::LDX_CELL => x = cells[k as usize],
                op::LDX_IPV4_HEADER => x = (packet.load(k, 1)? & 0x0f) * 4,
                op::ST => cells[k as usize] = a,
                op::STX => cells[k as usize] = x,
                op::ADD_X => a = a.wrapping_add(x),
                op::SUB => a = a.wrapping_sub(k),
                op::SUB_X => a = a.wrapping_sub(x),
                op::AND => a &= k,
                op::LSH => a <<= k,
                op::RSH => a >>= k,
                op::RSH_X => a >>= x,
                op::TAX => x = a,
                op::JA => at += k as usize,
                op::JEQ => jump(a == k),
                op::JGE => jump(a >= k),
                op::JSET => jump(a & k != 0),
                op::RET => return Some(k),
                other => panic!("no such operation: {other:#x}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::interpreter::{View, passes};
    use super::*;

    const NEVER: u32 = 1;

    fn passes_octet(program: &[Instruction], octet: u8) -> bool {
        passes(program, View { datagram: &[octet], offset: 0 }, NEVER)
    }

    #[test]
    fn every_set_of_octets_is_told_from_the_others() {
        for set in [&[0][..], &[255], &[51], &[1, 2, 31, 32, 33, 64, 255], &[7, 100, 200], &[]] {
            let mut map = [0; 8];
            set.iter().for_each(|member| map[member / 32] |= 1 << (member % 32));
            let mut program = Program::ipv6();
            program.octet(0);
            program.require_member(&map);
            let program = program.finish(64);
            for octet in 0..=255 {
                assert_eq!(passes_octet(&program, octet), set.contains(&usize::from(octet)), "{octet} in {set:?}");
            }
        }
    }

    #[test]
    fn as_many_values_as_there_may_be_are_within_reach() {
        let values: Vec<u32> = (0..64).map(|value| value * 3).collect();
        let mut program = Program::ipv6();
        for _ in 0..2 {
            program.octet(0);
            program.require_one_of(&values);
        }
        let program = program.finish(64);
        for octet in 0..=255 {
            assert_eq!(passes_octet(&program, octet), values.contains(&u32::from(octet)), "{octet}");
        }
    }

    #[test]
    fn none_of_no_values_passes() {
        let mut program = Program::ipv6();
        program.octet(0);
        program.require_one_of(&[]);
        assert!(!passes_octet(&program.finish(64), 1));
    }

    #[test]
    fn one_in_so_many_of_what_is_refused_is_let_through() {
        let mut program = Program::ipv6();
        program.octet(0);
        program.require_one_of(&[1]);
        let program = program.finish(64);
        let view = View { datagram: &[2], offset: 0 };
        let sampled = (0..6400).filter(|&random| passes(&program, view, random)).count();
        assert_eq!(sampled, 100);
    }
}
