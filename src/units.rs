//! The quantities of the protocol, each with its range and the arithmetic that belongs to it.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::num::NonZeroU8;
use std::time::Duration;

/// The version of the protocol a virtual router speaks.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub enum Version {
    /// RFC 3768 (and RFC 2338 for authentication). IPv4 only.
    V2,
    /// RFC 9568.
    V3,
}

impl Version {
    /// The version nibble of the wire format: 2 or 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::V2 => 2,
            Self::V3 => 3,
        }
    }
}

/// The address family of a virtual router, which is part of its identity (RFC 9568, 3).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// Adverts to 224.0.0.18, addresses announced by gratuitous ARP.
    Ipv4,
    /// Adverts to `ff02::12`, addresses announced by unsolicited neighbour advertisements.
    Ipv6,
}

impl Family {
    /// The family of an address.
    #[must_use]
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::Ipv4,
            IpAddr::V6(_) => Self::Ipv6,
        }
    }

    /// The greatest prefix length: 32 or 128.
    #[must_use]
    pub const fn address_bits(self) -> u8 {
        match self {
            Self::Ipv4 => 32,
            Self::Ipv6 => 128,
        }
    }

    /// The length of an address in octets: 4 or 16.
    #[must_use]
    pub const fn address_octets(self) -> usize {
        match self {
            Self::Ipv4 => 4,
            Self::Ipv6 => 16,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        })
    }
}

/// A virtual router identifier, 1 to 255 (RFC 9568, 5.2.3).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct Vrid(NonZeroU8);

impl Vrid {
    /// `None` for 0, which is not an identifier.
    #[must_use]
    pub fn new(raw: u8) -> Option<Self> {
        NonZeroU8::new(raw).map(Self)
    }

    /// The identifier as it stands on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// The virtual router MAC address of this identifier (RFC 9568, 7.3).
    #[must_use]
    pub const fn mac(self, family: Family) -> [u8; 6] {
        let block = match family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        };
        [0x00, 0x00, 0x5e, 0x00, block, self.get()]
    }
}

impl fmt::Display for Vrid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A priority that a router may hold, 1 to 255. Zero is not a priority, it is a resignation (RFC 9568, 5.2.4).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct Priority(NonZeroU8);

impl Priority {
    /// 255: the router that owns the virtual addresses.
    pub const OWNER: Self = Self(NonZeroU8::MAX);

    /// `None` for 0.
    #[must_use]
    pub fn new(raw: u8) -> Option<Self> {
        NonZeroU8::new(raw).map(Self)
    }

    /// The priority as it stands on the wire.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0.get()
    }

    /// Whether this is the priority of the address owner.
    #[must_use]
    pub fn is_owner(self) -> bool {
        self == Self::OWNER
    }

    /// This priority plus the sum of track weights, clamped to 1..=254; an owner is not moved by weights.
    #[must_use]
    pub fn adjusted(self, delta: i32) -> Self {
        if self.is_owner() {
            return self;
        }
        let clamped = i32::from(self.get()).saturating_add(delta).clamp(1, 254);
        let raw = u8::try_from(clamped).expect("clamped to 1..=254");
        Self::new(raw).expect("clamped to at least 1")
    }

    /// `256 - priority`: how many 256ths of an interval (v2: of a second) this router waits longer.
    fn disadvantage(self) -> u32 {
        256 - u32::from(self.get())
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An advertisement interval in centiseconds, the wire's own unit in VRRPv3.
///
/// VRRPv3 carries 1 to 4095 of them (RFC 9568, 5.2.7 and erratum 8301); VRRPv2 carries 1 to 255 whole seconds
/// (RFC 3768, 5.3.7).
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct Interval(u16);

impl Interval {
    /// The default of both versions, one second.
    pub const DEFAULT: Self = Self(100);

    /// The greatest interval of VRRPv3, 40.95 s.
    pub const MAX_V3: Self = Self(0x0fff);

    /// An interval that VRRPv3 can carry: 1 to 4095 centiseconds.
    #[must_use]
    pub fn from_centis(raw: u16) -> Option<Self> {
        (1..=Self::MAX_V3.0).contains(&raw).then_some(Self(raw))
    }

    /// An interval that VRRPv2 can carry: 1 to 255 seconds.
    #[must_use]
    pub fn from_seconds(raw: u8) -> Option<Self> {
        (raw != 0).then_some(Self(u16::from(raw) * 100))
    }

    /// The interval in centiseconds.
    #[must_use]
    pub const fn centis(self) -> u16 {
        self.0
    }

    /// The interval in whole seconds, where VRRPv2 can carry it.
    #[must_use]
    pub fn whole_seconds(self) -> Option<u8> {
        u8::try_from(self.0 / 100).ok().filter(|_| self.0.is_multiple_of(100))
    }

    /// The interval as a span of time.
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0 as u64 * 10)
    }

    /// `Skew_Time` in nanoseconds, never rounded to whole centiseconds: at 10 ms that would make every priority equal.
    ///
    /// VRRPv3 scales it with the interval (RFC 9568, 6.1), VRRPv2 does not (RFC 3768, 6.1).
    #[must_use]
    pub fn skew(self, version: Version, priority: Priority) -> Duration {
        let whole = match version {
            Version::V2 => Duration::from_secs(1),
            Version::V3 => self.duration(),
        };
        whole * priority.disadvantage() / 256
    }

    /// `Active_Down_Interval` (`Master_Down_Interval` of VRRPv2): three intervals and the skew.
    #[must_use]
    pub fn down(self, version: Version, priority: Priority) -> Duration {
        self.duration() * 3 + self.skew(version, priority)
    }
}

/// An address with the prefix length that it is put on the interface with.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct VirtualAddress {
    /// The virtual address itself.
    pub ip: IpAddr,
    /// 0 to 32 or 128.
    pub prefix: u8,
}

impl VirtualAddress {
    /// The address as a host route: /32 or /128.
    #[must_use]
    pub const fn host(ip: IpAddr) -> Self {
        Self { ip, prefix: Family::of(ip).address_bits() }
    }
}

impl fmt::Display for VirtualAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ip, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn priority(raw: u8) -> Priority {
        Priority::new(raw).expect("not zero")
    }

    /// The rows of the RFC's arithmetic: (centiseconds, priority, skew in ns, down interval in ns).
    #[test]
    fn version_3_timing_is_exact_to_the_nanosecond() {
        for (centis, p, skew, down) in [
            (100, 100, 609_375_000, 3_609_375_000),
            (100, 254, 7_812_500, 3_007_812_500),
            (100, 1, 996_093_750, 3_996_093_750),
            (10, 100, 60_937_500, 360_937_500),
            (5, 150, 20_703_125, 170_703_125),
            (1, 200, 2_187_500, 32_187_500),
            (1, 254, 78_125, 30_078_125),
            (100, 255, 3_906_250, 3_003_906_250),
            (4095, 1, 40_790_039_062, 163_640_039_062),
        ] {
            let interval = Interval::from_centis(centis).expect("in range");
            assert_eq!(interval.skew(Version::V3, priority(p)), Duration::from_nanos(skew), "{centis} cs, {p}");
            assert_eq!(interval.down(Version::V3, priority(p)), Duration::from_nanos(down), "{centis} cs, {p}");
        }
    }

    #[test]
    fn version_2_skew_does_not_scale_with_the_interval() {
        for (seconds, p, down_ms) in [(1, 100, 3609), (10, 100, 30_609), (255, 254, 765_007)] {
            let interval = Interval::from_seconds(seconds).expect("in range");
            let down = interval.down(Version::V2, priority(p));
            assert_eq!(down.as_millis(), down_ms);
        }
    }

    #[test]
    fn intervals_keep_to_their_versions_range() {
        assert!(Interval::from_centis(0).is_none());
        assert!(Interval::from_centis(4096).is_none());
        assert!(Interval::from_seconds(0).is_none());
        assert_eq!(Interval::from_seconds(255).and_then(Interval::whole_seconds), Some(255));
        assert_eq!(Interval::from_centis(150).and_then(Interval::whole_seconds), None);
    }

    #[test]
    fn weights_never_reach_zero_or_the_owners_priority() {
        assert_eq!(priority(100).adjusted(-500), priority(1));
        assert_eq!(priority(100).adjusted(i32::MAX), priority(254));
        assert_eq!(priority(100).adjusted(-20), priority(80));
        assert_eq!(Priority::OWNER.adjusted(-20), Priority::OWNER);
    }

    #[test]
    fn virtual_macs_follow_family_and_vrid() {
        let vrid = Vrid::new(51).expect("not zero");
        assert_eq!(vrid.mac(Family::Ipv4), [0, 0, 0x5e, 0, 1, 51]);
        assert_eq!(vrid.mac(Family::Ipv6), [0, 0, 0x5e, 0, 2, 51]);
    }
}
