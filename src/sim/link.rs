//! Segments: what carries packets from one node's interface to the others', and what it does to them.

use super::rng::Rng;
use crate::wire::Packet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How well a segment carries packets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Quality {
    /// Per cent of deliveries that are lost.
    pub loss: u8,
    /// Per cent of deliveries that come twice.
    pub duplication: u8,
    /// Per cent of deliveries with one bit flipped behind the IP header.
    pub corruption: u8,
    /// The least time a packet takes.
    pub delay: Duration,
    /// Up to this much is added; more than the time between two packets reorders them.
    pub jitter: Duration,
}

impl Quality {
    /// A switch that works: 50 to 150 microseconds, nothing lost.
    pub const GOOD: Self = Self {
        loss: 0,
        duplication: 0,
        corruption: 0,
        delay: Duration::from_micros(50),
        jitter: Duration::from_micros(100),
    };

    /// Whether every packet arrives, unharmed.
    #[must_use]
    pub const fn is_faithful(&self) -> bool {
        self.loss == 0 && self.corruption == 0
    }

    /// When the copies of one packet arrive, counted from now; none where it is lost.
    pub(super) fn arrivals(&self, rng: &mut Rng) -> impl Iterator<Item = Duration> + use<> {
        let lost = rng.chance(self.loss);
        let mut arrival = || self.delay + rng.span(self.jitter);
        let first = (!lost).then(&mut arrival);
        let second = first.map(|_| arrival());
        let second = second.filter(|_| rng.chance(self.duplication));
        first.into_iter().chain(second)
    }
}

/// A packet of the simulated network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Datagram {
    /// Source of the IP header.
    pub source: IpAddr,
    /// Destination of the IP header.
    pub destination: IpAddr,
    /// TTL or Hop Limit.
    pub ttl: u8,
    /// The IPv4 header; empty for IPv6.
    pub header: Arc<[u8]>,
    /// The VRRP message.
    pub payload: Arc<[u8]>,
}

impl Datagram {
    /// A packet of protocol 112 from `source` to `destination`.
    #[must_use]
    pub fn new(source: IpAddr, destination: IpAddr, ttl: u8, payload: &[u8]) -> Self {
        let header: Arc<[u8]> = match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let total = u16::try_from(20 + payload.len()).unwrap_or(u16::MAX);
                let [high, low] = total.to_be_bytes();
                let fixed = [0x45, 0xc0, high, low, 0, 0, 0, 0, ttl, 112, 0, 0];
                fixed.into_iter().chain(source.octets()).chain(destination.octets()).collect()
            }
            _ => Arc::new([]),
        };
        Self { source, destination, ttl, header, payload: payload.into() }
    }

    /// As the receiver's socket gives it.
    #[must_use]
    pub fn packet(&self) -> Packet<'_> {
        Packet {
            source: self.source,
            destination: self.destination,
            ttl: self.ttl,
            header: &self.header,
            protocol: 112,
            payload: &self.payload,
        }
    }

    /// With one bit flipped.
    pub(super) fn corrupted(&self, rng: &mut Rng) -> Self {
        let mut payload = self.payload.to_vec();
        let at = rng.index(payload.len());
        if let Some(octet) = payload.get_mut(at) {
            *octet ^= 1 << rng.below(8);
        }
        Self { payload: payload.into(), ..self.clone() }
    }
}
