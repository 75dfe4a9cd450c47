//! One open port: its sockets, and how adverts and announcements of its routers are put into them.

use super::floodgate::{Floodgate, Turn};
use super::guardian::{Datagram, Voice};
use super::seal::{Seal, Stamps};
use crate::ids::RouterId;
use crate::net::{BATCH, FrameSocket, Port, PortError, ReceiveBuffers, SAMPLE, Sieve};
use crate::time::Timestamp;
use crate::units::VirtualAddress;
use crate::vrrp::{Action, Auth, MacMode, PortSpec, RouterSpec};
use crate::wire::auth::{AhFlavour, AhStamp};
use crate::wire::ethernet::{self, EtherType};
use crate::wire::ip::{Ipv4Header, Ipv6Header};
use crate::wire::{AuthField, ChecksumForm, Outgoing, PROTOCOL_AH, PROTOCOL_VRRP, Packet, Standing, arp, auth, ndp};
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

/// The sockets of one interface and family.
pub(super) struct OpenPort {
    /// As opened.
    pub(super) spec: Arc<PortSpec>,
    /// Adverts in and out.
    pub(super) sockets: Port,
    /// Announcements out.
    pub(super) frames: FrameSocket,
    addresses: Vec<IpAddr>,
    message: Vec<u8>,
    stamps: Stamps,
    intake: Intake,
}

/// What is known of the packets that come in.
struct Intake {
    sieve: Sieve,
    gate: Floodgate,
    /// Useless ones since the gate was last told.
    useless: u64,
    /// What came before the gate was shut still waits: it is no sample.
    backlog: bool,
}

/// What there is to say of a port's kernel-side filter.
#[derive(Clone, Copy, Debug)]
pub(super) struct Filtered {
    /// Whether it is set.
    pub(super) on: bool,
    /// About how many packets it has dropped since this was last said.
    pub(super) dropped: u64,
}

impl OpenPort {
    /// Opens them.
    pub(super) fn open(spec: &Arc<PortSpec>) -> Result<Self, PortError> {
        Self::with(spec, Port::open(spec)?)
    }

    /// Opens what is missing besides these sockets.
    pub(super) fn with(spec: &Arc<PortSpec>, sockets: Port) -> Result<Self, PortError> {
        let frames = FrameSocket::open(spec.index).map_err(|error| PortError {
            port: spec.key.clone(),
            what: "open a packet socket for announcements",
            error,
        })?;
        let intake = Intake { sieve: Sieve::new(spec), gate: Floodgate::default(), useless: 0, backlog: false };
        let spec = Arc::clone(spec);
        let (addresses, message) = (Vec::new(), Vec::new());
        Ok(Self { spec, sockets, frames, addresses, message, stamps: Stamps::default(), intake })
    }

    /// Whether the open sockets serve the new specification too; if so they are kept, and no packet is missed.
    pub(super) fn amend(&mut self, spec: &Arc<PortSpec>) -> bool {
        let same = (self.spec.index, self.spec.multicast, self.spec.ah) == (spec.index, spec.multicast, spec.ah);
        if same {
            self.spec = Arc::clone(spec);
            self.intake.sieve = Sieve::new(spec);
            if self.is_filtered() {
                // Without the new sieve the old one would refuse what is for a router that came: rather none at all.
                let _ = self.sockets.tighten(&self.intake.sieve).or_else(|_| self.sockets.loosen());
            }
        }
        same
    }

    /// Takes one batch of packets and hands each to `each`, useless or not. Returns how many there were.
    pub(super) fn receive(
        &mut self,
        buffers: &mut ReceiveBuffers,
        mut each: impl FnMut(Packet<'_>),
    ) -> io::Result<usize> {
        let Self { sockets, intake, .. } = self;
        let taken = sockets.receive(buffers, |packet| {
            intake.useless += u64::from(!intake.sieve.passes(&packet));
            each(packet);
        })?;
        if taken < BATCH && std::mem::take(&mut intake.backlog) {
            intake.useless = 0;
        }
        Ok(taken)
    }

    /// Whether the kernel drops useless packets.
    pub(super) fn is_filtered(&self) -> bool {
        self.intake.gate.is_shut()
    }

    /// When to [tend](OpenPort::tend_filter) the filter, even if nothing comes.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.intake.gate.deadline()
    }

    /// Sets or lifts the kernel-side filter where the useless packets of late call for it.
    pub(super) fn tend_filter(&mut self, now: Timestamp) -> Option<Filtered> {
        let Intake { sieve, gate, useless, backlog } = &mut self.intake;
        let over = gate.deadline().is_some_and(|at| at <= now);
        if *useless == 0 && !over {
            return None;
        }
        let (mut count, was_shut) = (std::mem::take(useless), gate.is_shut());
        if *backlog {
            (count, *backlog) = (0, !over);
        }
        match gate.count(count, now) {
            Some(Turn::Shut) if self.sockets.tighten(sieve).is_ok() => *backlog = true,
            // Then it stays as it was, and the next thousand try again.
            Some(Turn::Shut) => {
                *gate = Floodgate::default();
                return None;
            }
            Some(Turn::Open) => _ = self.sockets.loosen(),
            None => {}
        }
        let dropped = if was_shut { count * u64::from(SAMPLE - 1) } else { 0 };
        (was_shut || gate.is_shut()).then_some(Filtered { on: gate.is_shut(), dropped })
    }

    /// Queues an [`Action::Advertise`]: to the group, or to each peer.
    pub(super) fn queue_advert(&mut self, action: &Action) {
        let Action::Advertise { router, spec, source, standing, checksum, sequence, .. } = action else { return };
        self.addresses.clear();
        self.addresses.extend(spec.advertised());
        let group = [self.sockets.group()];
        let destinations = if spec.peers.is_empty() { &group[..] } else { &spec.peers };
        let seal = Seal::of(&spec.auth, *source);
        for &destination in destinations {
            let advert = Advert { spec, source: *source, destination, standing: *standing, checksum: *checksum };
            self.message.clear();
            advert.outgoing(&self.addresses).encode(&mut self.message);
            if let Some(seal) = &seal {
                seal.sign(&mut self.stamps, 0, &mut self.message);
            }
            self.queue_message(*router, &advert, *sequence);
        }
    }

    fn queue_message(&mut self, router: RouterId, advert: &Advert<'_>, sequence: u32) {
        let Self { sockets, frames, message, .. } = self;
        // To a peer it leaves as ordinary unicast does: only the kernel knows the way.
        if let Some(mac) = virtual_mac(advert.spec).filter(|_| advert.destination.is_multicast()) {
            frames.queue(router, |out| advert.append_frame(mac, sequence, message, out));
            return;
        }
        match (advert.source, advert.destination) {
            (IpAddr::V4(source), IpAddr::V4(to)) => {
                let path = Path { source, to, id: identification(sequence) };
                sockets.queue_ipv4(router, to, |out| path.append(&advert.spec.auth, sequence, message, out));
            }
            (IpAddr::V6(source), IpAddr::V6(to)) => {
                sockets.queue_ipv6(router, source, to, |out| out.extend_from_slice(message));
            }
            // The configuration admits peers and sources of the router's own family only.
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
    }

    /// What this router's resignation would be, to each destination.
    pub(super) fn resignation(&mut self, voice: &Voice, sequence: u32) -> Vec<Datagram> {
        self.datagrams(voice, Standing::Resigning, sequence)
    }

    /// What this router's advert would be, to each destination: whole datagrams, but for a signature, which has to be of
    /// the moment that it is sent at.
    pub(super) fn datagrams(&mut self, voice: &Voice, standing: Standing, sequence: u32) -> Vec<Datagram> {
        let Voice { spec, source, checksum } = voice;
        self.addresses.clear();
        self.addresses.extend(spec.advertised());
        let group = [self.sockets.group()];
        let destinations = if spec.peers.is_empty() { &group[..] } else { &spec.peers };
        let datagram = |&destination: &IpAddr| {
            let advert = Advert { spec, source: *source, destination, standing, checksum: *checksum };
            let mut message = Vec::new();
            advert.outgoing(&self.addresses).encode(&mut message);
            let seal = Seal::of(&spec.auth, *source);
            if seal.is_some() {
                Seal::reserve(&mut message);
            }
            let octets = advert.datagram(&message, sequence);
            let signature = seal.map(|seal| (octets.len().saturating_sub(message.len()), seal));
            Datagram { interface: self.spec.index, destination, octets, signature }
        };
        destinations.iter().map(datagram).collect()
    }

    /// Queues one announcement for each address.
    pub(super) fn queue_announcements(&mut self, router: RouterId, spec: &RouterSpec, addresses: &[VirtualAddress]) {
        // Asked for each time: a bond changes its MAC address when it fails over.
        let Ok(mac) = virtual_mac(spec).map_or_else(|| self.frames.mac(), Ok) else { return };
        for address in addresses {
            self.frames.queue(router, |out| match address.ip {
                IpAddr::V4(ip) => arp::append_gratuitous(mac, ip, out),
                IpAddr::V6(ip) => ndp::append_unsolicited(mac, ip, ip, out),
            });
        }
    }
}

/// The virtual router MAC address, for a router that uses it.
fn virtual_mac(spec: &RouterSpec) -> Option<[u8; 6]> {
    (spec.mac == MacMode::Virtual).then(|| spec.key.vrid.mac(spec.key.family))
}

/// What one advert says to one destination.
struct Advert<'a> {
    spec: &'a RouterSpec,
    source: IpAddr,
    destination: IpAddr,
    standing: Standing,
    checksum: ChecksumForm,
}

impl Advert<'_> {
    /// The complete frame to the group, from the virtual MAC address: so switches learn where the Master is (RFC 9568,
    /// 7.2).
    fn append_frame(&self, mac: [u8; 6], sequence: u32, message: &[u8], out: &mut Vec<u8>) {
        let kind = if self.destination.is_ipv4() { EtherType::Ipv4 } else { EtherType::Ipv6 };
        ethernet::append_header(ethernet::multicast_mac(self.destination), mac, kind, out);
        out.extend_from_slice(&self.datagram(message, sequence));
    }

    fn outgoing<'a>(&self, addresses: &'a [IpAddr]) -> Outgoing<'a> {
        Outgoing {
            version: self.spec.version,
            vrid: self.spec.key.vrid,
            standing: self.standing,
            interval: self.spec.interval,
            checksum: self.checksum,
            auth: AuthField {
                kind: self.spec.auth.kind(),
                data: match self.spec.auth {
                    Auth::Password(password) => password,
                    Auth::None | Auth::Ah { .. } | Auth::Hmac(_) => [0; 8],
                },
            },
            source: self.source,
            destination: self.destination,
            addresses,
        }
    }
}

impl Advert<'_> {
    /// The message with its IP header.
    fn datagram(&self, message: &[u8], sequence: u32) -> Vec<u8> {
        let mut out = Vec::new();
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(to)) => {
                let path = Path { source, to, id: identification(sequence) };
                path.append(&self.spec.auth, sequence, message, &mut out);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = Ipv6Header { source, destination, next_header: PROTOCOL_VRRP, payload: message.len() };
                out.extend_from_slice(&header.octets());
                out.extend_from_slice(message);
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {}
        }
        out
    }
}

/// An IPv4 path that an advert takes.
struct Path {
    source: Ipv4Addr,
    to: Ipv4Addr,
    id: u16,
}

impl Path {
    fn append(&self, auth: &Auth, sequence: u32, message: &[u8], out: &mut Vec<u8>) {
        match auth {
            Auth::None | Auth::Password(_) | Auth::Hmac(_) => {
                out.extend_from_slice(&self.header(PROTOCOL_VRRP, message.len()).octets());
                out.extend_from_slice(message);
            }
            Auth::Ah { key, flavour } => self.append_authenticated(&key.0, *flavour, sequence, message, out),
        }
    }

    fn append_authenticated(&self, key: &[u8], flavour: AhFlavour, sequence: u32, message: &[u8], out: &mut Vec<u8>) {
        let header = self.header(PROTOCOL_AH, auth::AH + message.len()).octets();
        out.extend_from_slice(&header);
        // keepalived puts the source address into the index, and looks for it there.
        let stamp = AhStamp { spi: self.source.to_bits(), sequence };
        auth::append(&header, message, key, flavour, stamp, out);
    }

    fn header(&self, protocol: u8, payload: usize) -> Ipv4Header {
        Ipv4Header { source: self.source, destination: self.to, protocol, id: self.id, payload }
    }
}

/// An identification that is never 0, which Linux would replace behind the digest's back.
fn identification(sequence: u32) -> u16 {
    u16::try_from(sequence % 0xffff).map_or(1, |id| id + 1)
}
