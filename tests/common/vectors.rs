//! The packet vectors of `tests/vectors/`: what came in, and what is to become of it.

// Each test program uses a part of what a vector says.
#![allow(dead_code)]

use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};
use vrrpd::wire::Packet;

const ETHERNET: usize = 14;
const IPV6: usize = 40;

/// One packet and its expected fate.
#[derive(Debug, Deserialize)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) version: u8,
    #[serde(rename = "src")]
    pub(crate) source: IpAddr,
    #[serde(rename = "dst")]
    pub(crate) destination: IpAddr,
    #[serde(rename = "ip_ttl")]
    pub(crate) ttl: u8,
    #[serde(rename = "ip_proto")]
    pub(crate) protocol: u8,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    #[serde(rename = "adver_int")]
    pub(crate) interval: AdvertInterval,
    pub(crate) addresses: Vec<IpAddr>,
    pub(crate) auth: Option<AuthFields>,
    /// Given where the checksum covers one.
    pub(crate) pseudo_header_hex: Option<String>,
    /// The VRRP message.
    #[serde(rename = "hex", deserialize_with = "hex")]
    pub(crate) message: Vec<u8>,
    /// The whole Ethernet frame, to be injected.
    #[serde(rename = "frame_hex", deserialize_with = "hex")]
    pub(crate) frame: Vec<u8>,
    /// Name of the receiver that `expect` assumes.
    pub(crate) rx_profile: String,
    pub(crate) expect: Expect,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AdvertInterval {
    pub(crate) value: u16,
    pub(crate) unit: String,
}

impl AdvertInterval {
    pub(crate) fn centis(&self) -> u16 {
        match self.unit.as_str() {
            "seconds" => self.value * 100,
            "centiseconds" => self.value,
            unit => panic!("unit {unit}"),
        }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct AuthFields {
    #[serde(rename = "type")]
    pub(crate) kind: u8,
    #[serde(rename = "data_hex", deserialize_with = "hex")]
    pub(crate) data: Vec<u8>,
    #[serde(rename = "key_hex", default, deserialize_with = "hex")]
    pub(crate) key: Vec<u8>,
    pub(crate) sequence: Option<u32>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Expect {
    verdict: Verdict,
    reason: Option<String>,
    pub(crate) counter: String,
    #[serde(default)]
    by_rx_checksum_mode: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Verdict {
    Accept,
    AcceptLog,
    Discard,
    Conditional,
}

impl Expect {
    /// The verdict of a receiver that takes either form of the checksum, as ours does.
    pub(crate) fn verdict(&self) -> Verdict {
        if self.discarded_as().is_some() { Verdict::Discard } else { self.verdict }
    }

    /// The reason that goes with the verdict of such a receiver.
    pub(crate) fn reason(&self) -> Option<&str> {
        self.discarded_as().or(self.reason.as_deref())
    }

    fn discarded_as(&self) -> Option<&str> {
        self.by_rx_checksum_mode.get("auto")?.strip_prefix("discard:")
    }
}

/// The receiver that a vector is for.
#[derive(Debug, Deserialize)]
pub(crate) struct Profile {
    pub(crate) version: u8,
    pub(crate) family: String,
    #[serde(rename = "local_src")]
    pub(crate) source: IpAddr,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
    pub(crate) preempt: bool,
    /// "1 s" or "100 cs".
    #[serde(rename = "adver_int")]
    pub(crate) interval: String,
    /// VRRPv2 only.
    pub(crate) auth: Option<u8>,
    pub(crate) password: Option<String>,
    #[serde(rename = "key_hex", default, deserialize_with = "hex")]
    pub(crate) key: Vec<u8>,
    #[serde(rename = "vips")]
    pub(crate) addresses: Vec<IpAddr>,
}

impl Vector {
    /// The IP packet inside the frame.
    pub(crate) fn datagram(&self) -> &[u8] {
        &self.frame[ETHERNET..]
    }

    /// The packet as a socket would hand it over.
    pub(crate) fn packet(&self) -> Packet<'_> {
        if self.source.is_ipv4() {
            return Packet::from_ipv4(self.datagram()).expect("vectors are sound IPv4");
        }
        let (header, payload) = self.datagram().split_at(IPV6);
        let address = |offset: usize| Ipv6Addr::from(*header[offset..].first_chunk::<16>().expect("40 octets"));
        Packet::from_ipv6(address(8), address(24), header[7], payload)
    }
}

/// All vectors, in the order of the file.
pub(crate) fn load() -> Vec<Vector> {
    let vectors: Vec<Vector> = parse("vectors.json");
    assert!(vectors.len() >= 70, "only {} vectors were read", vectors.len());
    vectors
}

/// The receivers by name.
pub(crate) fn profiles() -> BTreeMap<String, Profile> {
    parse("receiver-profiles.json")
}

fn parse<T: serde::de::DeserializeOwned>(file: &str) -> T {
    let path = format!("{}/tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn hex<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    let octets = text.as_bytes().chunks(2).map(octet).collect::<Option<Vec<u8>>>();
    octets.ok_or_else(|| serde::de::Error::custom(format!("{text} is not hexadecimal")))
}
