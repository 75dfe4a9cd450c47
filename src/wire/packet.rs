//! A received IP packet, as much of it as VRRP validation needs.

use std::net::IpAddr;

/// A received packet of protocol 112 (or 51, with an Authentication Header in front), not yet validated.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Packet<'a> {
    /// Source address of the IP header.
    pub source: IpAddr,
    /// Destination address of the IP header.
    pub destination: IpAddr,
    /// TTL or Hop Limit as received.
    pub ttl: u8,
    /// The IPv4 header as received, which AH covers; empty for IPv6.
    pub header: &'a [u8],
    /// Protocol of the IP header: 112, or 51 where `payload` starts with an Authentication Header.
    pub protocol: u8,
    /// What follows the IP header, without Ethernet padding.
    pub payload: &'a [u8],
}
