//! VRRP advertisements of both versions (RFC 9568, 5; RFC 3768, 5; RFC 2338, 5 for authentication).
//!
//! ```text
//!  octet  VRRPv3                          VRRPv2
//!  0      version and type, a nibble each
//!  1      virtual router identifier
//!  2      priority
//!  3      count of addresses
//!  4      reserved (4 bits), interval      authentication type
//!  5      in centiseconds (12 bits)       interval in seconds
//!  6      checksum
//!  8      addresses, 4 or 16 octets each  addresses, 4 octets each
//!         keepalived: 28 octets trailer   8 octets authentication data
//! ```

mod decode;
mod encode;

use crate::units::{Family, Interval, Priority, Version, Vrid};
use std::net::IpAddr;

/// The octets before the addresses.
const HEADER: usize = 8;

/// The low nibble of octet 0: an advertisement, the only type there is.
const ADVERTISEMENT: u8 = 1;

/// What the sender claims: that it holds the virtual router, or that it leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Priority 0: the Master is leaving.
    Resigning,
    /// The Master's priority.
    Holding(Priority),
}

impl Standing {
    /// What a priority field says.
    #[must_use]
    pub fn from_field(raw: u8) -> Self {
        Priority::new(raw).map_or(Self::Resigning, Self::Holding)
    }

    /// The priority field.
    #[must_use]
    pub fn field(self) -> u8 {
        match self {
            Self::Resigning => 0,
            Self::Holding(priority) => priority.get(),
        }
    }
}

/// What an IPv4 VRRPv3 checksum covers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub enum ChecksumForm {
    /// The message alone (RFC 9568, 5.2.8).
    #[default]
    Rfc9568,
    /// The message and an IPv4 pseudo-header, as keepalived and FRR read RFC 5798.
    Rfc5798,
}

/// The authentication fields of VRRPv2 (RFC 2338, 5.3.6 and 5.3.10).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct AuthField {
    /// 0 none, 1 password, 2 AH; others are an error of the sender.
    pub kind: u8,
    /// The eight octets of authentication data.
    pub data: [u8; 8],
}

impl AuthField {
    /// Type 0.
    pub const NONE: Self = Self { kind: 0, data: [0; 8] };

    /// Type 2: the data stays zero, the digest is in front of the message.
    pub const AH: Self = Self { kind: 2, data: [0; 8] };

    /// Type 1, the password padded with zeros.
    #[must_use]
    pub const fn password(data: [u8; 8]) -> Self {
        Self { kind: 1, data }
    }
}

/// A decoded advertisement, borrowing its address list from the receive buffer. Syntax and checksum hold;
/// whether it suits the virtual router it is for is the engine's to say.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Advert<'a> {
    /// Version nibble.
    pub version: Version,
    /// Virtual router identifier.
    pub vrid: Vrid,
    /// Priority field.
    pub standing: Standing,
    /// Advertised interval in centiseconds (v2: seconds times 100). Zero is possible here.
    pub interval_centis: u16,
    /// Which form the checksum has; [`ChecksumForm::Rfc9568`] where there is only one.
    pub checksum: ChecksumForm,
    /// VRRPv2 only.
    pub auth: Option<AuthField>,
    /// VRRPv3 only: the 28 octets of keepalived's authentication trailer, not verified
    /// ([`Trailer::verify`](super::Trailer::verify) does). The checksum does not cover them.
    pub trailer: Option<&'a [u8]>,
    /// Family of the address list, which is the IP header's.
    pub family: Family,
    pub(super) addresses: &'a [u8],
}

/// One variant for each way a packet can be wrong before a virtual router is looked up.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub enum DecodeError {
    /// TTL or Hop Limit is not 255 (RFC 9568, 5.1.1.3).
    #[error("TTL is {0}, not 255")]
    Ttl(u8),
    /// Shorter than header and addresses, or longer.
    #[error("length is {got} octets where {expected} are announced")]
    Length {
        /// What header and count announce; 8 where the header itself is cut.
        expected: usize,
        /// What came.
        got: usize,
    },
    /// Neither 2 nor 3, or 2 over IPv6.
    #[error("version {0} is not known")]
    Version(u8),
    /// Not an advertisement.
    #[error("type {0} is not an advertisement")]
    Type(u8),
    /// The checksum does not hold in any form.
    #[error("the checksum is wrong")]
    Checksum,
    /// VRID 0.
    #[error("virtual router identifier 0")]
    VridZero,
}

/// A packet that did not decode, with the VRID it carried where it got that far.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rejection {
    /// What is wrong with it.
    pub error: DecodeError,
    /// For whom it was meant.
    pub vrid: Option<Vrid>,
}

impl<'a> Advert<'a> {
    /// The advertised interval; `None` for zero (erratum 8301).
    #[must_use]
    pub fn interval(&self) -> Option<Interval> {
        match self.version {
            Version::V3 => Interval::from_centis(self.interval_centis),
            Version::V2 => u8::try_from(self.interval_centis / 100).ok().and_then(Interval::from_seconds),
        }
    }

    /// How many addresses are listed.
    #[must_use]
    pub fn count(&self) -> usize {
        self.addresses.len() / self.family.address_octets()
    }

    /// The listed addresses in the order sent.
    pub fn addresses(&self) -> impl Iterator<Item = IpAddr> + 'a {
        let family = self.family;
        self.addresses.chunks_exact(family.address_octets()).filter_map(move |octets| match family {
            Family::Ipv4 => <[u8; 4]>::try_from(octets).ok().map(IpAddr::from),
            Family::Ipv6 => <[u8; 16]>::try_from(octets).ok().map(IpAddr::from),
        })
    }
}

/// An advertisement to send.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// Version to speak.
    pub version: Version,
    /// Virtual router identifier.
    pub vrid: Vrid,
    /// Priority field.
    pub standing: Standing,
    /// The sender's own interval.
    pub interval: Interval,
    /// Which checksum to put on IPv4 VRRPv3.
    pub checksum: ChecksumForm,
    /// VRRPv2: type and data; [`AuthField::NONE`] where there is no authentication.
    pub auth: AuthField,
    /// IP source, for the pseudo-header.
    pub source: IpAddr,
    /// IP destination, for the pseudo-header.
    pub destination: IpAddr,
    /// The virtual addresses in configured order, all of the source's family and at most 255.
    pub addresses: &'a [IpAddr],
}
