//! What an operator asks of one virtual router, with every default filled in.

use super::hmac::HmacAuth;
use super::route::{VirtualRoute, VirtualRule};
use crate::ids::RouterKey;
use crate::units::{Family, Interval, Version, VirtualAddress};
pub use crate::wire::AhFlavour;
use crate::wire::ChecksumForm;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The configuration of one virtual router. Priority and tracks belong to its group
/// ([`GroupPlan`](crate::engine::GroupPlan)): a router alone is a group of one.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own in the configuration")]
pub struct RouterSpec {
    /// The label operators know it by.
    pub name: Arc<str>,
    /// Its identity on the wire.
    pub key: RouterKey,
    /// The version it speaks. VRRPv2 is IPv4 only.
    pub version: Version,
    /// Its own advertisement interval.
    pub interval: Interval,
    /// Whether, and after what wait, it displaces a Master of lower priority.
    pub preempt: Preempt,
    /// The addresses it advertises, in configured order, all of the key's family; at least one.
    pub addresses: Arc<[VirtualAddress]>,
    /// Addresses held with the router but not advertised, of any family.
    pub excluded: Arc<[VirtualAddress]>,
    /// Routes held with the router.
    pub routes: Arc<[VirtualRoute]>,
    /// Routing rules held with the router.
    pub rules: Arc<[VirtualRule]>,
    /// `Accept_Mode` (RFC 9568, 6.1): a Master that is not the owner takes packets to the virtual addresses.
    pub accept: bool,
    /// Which MAC address stands for the virtual addresses.
    pub mac: MacMode,
    /// What the checksum of IPv4 VRRPv3 covers when sending. Reception takes either form.
    pub checksum: ChecksumChoice,
    /// Unicast peers; empty means multicast. Only these sources are believed.
    pub peers: Arc<[IpAddr]>,
    /// Whether the TTL of unicast adverts must be 255. Off only for peers behind a router.
    pub check_ttl: bool,
    /// The source of adverts instead of the interface's primary (IPv6: link-local) address.
    pub source: Option<IpAddr>,
    /// Authentication.
    pub auth: Auth,
    /// How the addresses are announced.
    pub announcing: Announcing,
    /// Whether the addresses carry a lifetime in the kernel.
    pub lease: bool,
    /// Whether the loss of the interface makes the router unfit.
    pub track_interface: bool,
}

impl RouterSpec {
    /// The advertised addresses without their prefix lengths.
    pub fn advertised(&self) -> impl Iterator<Item = IpAddr> + Clone + '_ {
        self.addresses.iter().map(|address| address.ip)
    }

    /// Every address the Master holds: the advertised ones, then the excluded ones.
    pub fn held(&self) -> impl Iterator<Item = VirtualAddress> + Clone + '_ {
        self.addresses.iter().chain(self.excluded.iter()).copied()
    }

    /// Announcements per address on taking over. RFC 4861, 7.2.6 allows three neighbour advertisements in a row.
    #[must_use]
    pub fn announcements(&self) -> u8 {
        const MAX_NEIGHBOR_ADVERTISEMENT: u8 = 3;
        match self.key.family {
            Family::Ipv4 => self.announcing.repeat,
            Family::Ipv6 => self.announcing.repeat.min(MAX_NEIGHBOR_ADVERTISEMENT),
        }
    }
}

/// `Preempt_Mode` with its hold time (RFC 9568, 6.1; RFC 8347, preempt/hold-time).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Preempt {
    /// A live Master of lower priority is left alone.
    Never,
    /// A live Master of lower priority is displaced, this long after it was first heard. Nobody waits where there is
    /// no Master.
    After(Duration),
}

/// Which MAC address adverts and announcements carry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub enum MacMode {
    /// The interface's own.
    #[default]
    Interface,
    /// The virtual router MAC address on a macvlan (RFC 9568, 7.3).
    Virtual,
}

/// Which checksum form to send on IPv4 VRRPv3.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ChecksumChoice {
    /// The form last heard from a peer; RFC 9568's until then.
    #[default]
    Auto,
    /// Always this one.
    Always(ChecksumForm),
}

/// A secret that never shows itself in a log.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(pub Arc<[u8]>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

/// Authentication: of VRRPv2 (RFC 2338, 5.3.6), and keepalived's for VRRPv3 between unicast peers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Auth {
    /// Type 0.
    #[default]
    None,
    /// Type 1: eight octets in clear text, the rest zero.
    Password([u8; 8]),
    /// Type 2: an Authentication Header.
    Ah {
        /// The shared key.
        key: Secret,
        /// What the digest covers and how the key is formed.
        flavour: AhFlavour,
    },
    /// A trailer behind the message of VRRPv3.
    Hmac(HmacAuth),
}

impl Auth {
    /// The authentication type of the wire: 0, 1 or 2. A trailer has none.
    #[must_use]
    pub const fn kind(&self) -> u8 {
        match self {
            Self::None | Self::Hmac(_) => 0,
            Self::Password(_) => 1,
            Self::Ah { .. } => 2,
        }
    }
}

/// How a new Master announces its addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Announcing {
    /// Announcements per address on taking over, 1 or more, the first at once.
    pub repeat: u8,
    /// The time between them.
    pub interval: Duration,
    /// And then as often as this for as long as it is Master; `None` is never.
    pub refresh: Option<Duration>,
}

impl Default for Announcing {
    fn default() -> Self {
        Self { repeat: 5, interval: Duration::from_secs(1), refresh: Some(Duration::from_mins(1)) }
    }
}
