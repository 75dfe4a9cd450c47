//! Adverts of peers that do not exist. Written from the RFCs, apart from `vrrpd`'s own encoder on purpose.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An advertisement to be sent, right unless a field is made wrong.
#[derive(Debug, Clone)]
pub struct Crafted {
    /// 2 or 3.
    pub version: u8,
    /// The virtual router identifier.
    pub vrid: u8,
    /// The priority field.
    pub priority: u8,
    /// Centiseconds (version 2 sends whole seconds).
    pub centis: u16,
    /// The source address.
    pub source: IpAddr,
    /// The listed addresses.
    pub addresses: Vec<IpAddr>,
    /// The TTL or hop limit.
    pub ttl: u8,
    /// IPv4 version 3: whether the checksum covers a pseudo-header.
    pub pseudo: bool,
    /// The sender's MAC address.
    pub source_mac: [u8; 6],
    /// Version 2: authentication type and data.
    pub auth: (u8, [u8; 8]),
    /// IPv4: another destination than the group, and its MAC address.
    pub to: Option<(Ipv4Addr, [u8; 6])>,
}

impl Crafted {
    /// Version 3, virtual router 51 with 192.168.100.10, every 100 ms, from 192.168.100.200.
    #[must_use]
    pub fn new(priority: u8) -> Self {
        Self {
            version: 3,
            vrid: 51,
            priority,
            centis: 10,
            source: [192, 168, 100, 200].into(),
            addresses: vec![[192, 168, 100, 10].into()],
            ttl: 255,
            pseudo: false,
            source_mac: [2, 0, 0, 0, 0, 200],
            auth: (0, [0; 8]),
            to: None,
        }
    }

    /// The same from another address.
    #[must_use]
    pub fn from(self, source: impl Into<IpAddr>) -> Self {
        Self { source: source.into(), ..self }
    }

    /// The same with another interval.
    #[must_use]
    pub fn every(self, centis: u16) -> Self {
        Self { centis, ..self }
    }

    /// The whole Ethernet frame.
    #[must_use]
    pub fn frame(&self) -> Vec<u8> {
        match self.source {
            IpAddr::V4(source) => self.ipv4(source),
            IpAddr::V6(source) => self.ipv6(source),
        }
    }

    /// Frames like this one, each made wrong in a way that a look tells: of another version, another type, another
    /// length, another TTL. IPv4 only.
    #[must_use]
    pub fn malformed(&self) -> Vec<Vec<u8>> {
        // Behind 14 octets of Ethernet and 20 of IPv4: version and type, VRID, priority, count of addresses.
        let altered = [(34, 0x41), (34, 0x32), (37, 2), (37, 0)].map(|(at, octet)| {
            let mut frame = self.frame();
            frame[at] = octet;
            frame
        });
        altered.into_iter().chain([Self { ttl: 254, ..self.clone() }.frame()]).collect()
    }

    /// This frame with a wrong checksum. IPv4 only.
    #[must_use]
    pub fn falsely_summed(&self) -> Vec<u8> {
        let mut frame = self.frame();
        frame[40] ^= 0xff;
        frame
    }

    fn message(&self) -> Vec<u8> {
        let count = u8::try_from(self.addresses.len()).expect("crafted adverts list few addresses");
        let mut message = vec![self.version << 4 | 1, self.vrid, self.priority, count];
        if self.version == 2 {
            message.extend([self.auth.0, u8::try_from(self.centis / 100).expect("up to 255 s")]);
        } else {
            message.extend(self.centis.to_be_bytes());
        }
        message.extend([0, 0]);
        for address in &self.addresses {
            match address {
                IpAddr::V4(ip) => message.extend(ip.octets()),
                IpAddr::V6(ip) => message.extend(ip.octets()),
            }
        }
        if self.version == 2 {
            message.extend(self.auth.1);
        }
        message
    }

    fn ipv4(&self, source: Ipv4Addr) -> Vec<u8> {
        let (to, to_mac) = self.to.unwrap_or((Ipv4Addr::new(224, 0, 0, 18), [1, 0, 0x5e, 0, 0, 0x12]));
        let mut message = self.message();
        let length = u16::try_from(message.len()).expect("crafted adverts are short");
        let pseudo = if self.pseudo {
            [&source.octets()[..], &to.octets(), &[0, 112], &length.to_be_bytes()].concat()
        } else {
            Vec::new()
        };
        put_checksum(&mut message, 6, &pseudo);
        let mut header = vec![0x45, 0xc0];
        header.extend((20 + length).to_be_bytes());
        header.extend([0, 1, 0, 0, self.ttl, 112, 0, 0]);
        header.extend(source.octets());
        header.extend(to.octets());
        put_checksum(&mut header, 10, &[]);
        [&ethernet(to_mac, self.source_mac, 0x0800)[..], &header, &message].concat()
    }

    fn ipv6(&self, source: Ipv6Addr) -> Vec<u8> {
        let group = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);
        let mut message = self.message();
        let length = u16::try_from(message.len()).expect("crafted adverts are short").to_be_bytes();
        let pseudo = [&source.octets()[..], &group.octets(), &[0, 0], &length, &[0, 0, 0, 112]].concat();
        put_checksum(&mut message, 6, &pseudo);
        let mut header = vec![0x6c, 0, 0, 0];
        header.extend(length);
        header.extend([112, self.ttl]);
        header.extend(source.octets());
        header.extend(group.octets());
        [&ethernet([0x33, 0x33, 0, 0, 0, 0x12], self.source_mac, 0x86dd)[..], &header, &message].concat()
    }
}

/// An ARP request for `target`, broadcast.
pub(crate) fn arp_request(mac: [u8; 6], sender: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut frame = ethernet([0xff; 6], mac, 0x0806);
    frame.extend([0, 1, 8, 0, 6, 4, 0, 1]);
    frame.extend(mac);
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend(target.octets());
    frame
}

/// An `ICMP` echo request.
pub(crate) fn echo(to_mac: [u8; 6], mac: [u8; 6], source: Ipv4Addr, target: Ipv4Addr) -> Vec<u8> {
    let mut message = vec![8, 0, 0, 0, 0x12, 0x34, 0, 1];
    put_checksum(&mut message, 2, &[]);
    let mut header = vec![0x45, 0, 0, 28, 0, 1, 0, 0, 64, 1, 0, 0];
    header.extend(source.octets());
    header.extend(target.octets());
    put_checksum(&mut header, 10, &[]);
    [&ethernet(to_mac, mac, 0x0800)[..], &header, &message].concat()
}

/// A neighbour solicitation for `target` (type 135), or an unsolicited advertisement of it (type 136).
pub(crate) fn neighbour(kind: u8, mac: [u8; 6], source: Ipv6Addr, target: Ipv6Addr) -> Vec<u8> {
    let solicits = kind == 135;
    let tail: [u8; 3] = target.octets()[13..].try_into().expect("three octets");
    let group = if solicits {
        let mut group = [0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff, 0, 0, 0];
        group[13..].copy_from_slice(&tail);
        Ipv6Addr::from(group)
    } else {
        Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1)
    };
    let flags = if solicits { 0 } else { 0x20 };
    let mut message = vec![kind, 0, 0, 0, flags, 0, 0, 0];
    message.extend(target.octets());
    message.extend([if solicits { 1 } else { 2 }, 1]);
    message.extend(mac);
    let length = u16::try_from(message.len()).expect("32 octets").to_be_bytes();
    let pseudo = [&source.octets()[..], &group.octets(), &[0, 0], &length, &[0, 0, 0, 58]].concat();
    put_checksum(&mut message, 2, &pseudo);
    let destination = group.octets();
    let to = [0x33, 0x33, destination[12], destination[13], destination[14], destination[15]];
    let mut frame = ethernet(to, mac, 0x86dd);
    frame.extend([0x60, 0, 0, 0, length[0], length[1], 58, 255]);
    frame.extend(source.octets());
    frame.extend(destination);
    frame.extend(message);
    frame
}

fn ethernet(to: [u8; 6], from: [u8; 6], kind: u16) -> Vec<u8> {
    [&to[..], &from, &kind.to_be_bytes()].concat()
}

/// RFC 1071, into the two octets at `offset`, which are zero before.
fn put_checksum(octets: &mut [u8], offset: usize, pseudo: &[u8]) {
    let words = pseudo.chunks(2).chain(octets.chunks(2));
    let sum: u32 = words.map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    let field = !u16::try_from(folded).expect("folded twice");
    octets[offset..offset + 2].copy_from_slice(&field.to_be_bytes());
}
