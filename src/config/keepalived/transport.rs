//! How adverts travel: their source, their peers, their checksum and their authentication.

use super::document::{Item, Table};
use super::hmac::Hmac;
use super::note::{Notes, Place};
use super::tree::Statement;
use crate::units::{Family, Version};
use std::net::IpAddr;

/// What an instance says about it.
#[derive(Debug, Default)]
pub(super) struct Transport {
    source: Option<(IpAddr, Place)>,
    peers: Vec<(IpAddr, Place)>,
    unicast: Option<Place>,
    /// Whether a TTL below 255 is meant to be believed or sent.
    low_ttl: bool,
    auth_type: Option<(String, Place)>,
    auth_pass: Option<(String, Place)>,
    hmac: Option<Hmac>,
    checksum_as_v2: bool,
}

impl Transport {
    /// With the default for `v3_checksum_as_v2`.
    pub(super) fn new(checksum_as_v2: bool) -> Self {
        Self { checksum_as_v2, ..Self::default() }
    }

    /// Takes a statement if it is about this.
    pub(super) fn take(&mut self, statement: &Statement, notes: &mut Notes) -> bool {
        let place = &statement.place;
        match statement.keyword() {
            "mcast_src_ip" | "unicast_src_ip" => match statement.value().and_then(|text| text.parse().ok()) {
                Some(ip) => self.source = Some((ip, place.clone())),
                None => notes.broken(place, format!("{} takes an address", statement.keyword())),
            },
            "unicast_peer" => self.peers(statement, notes),
            "unicast_ttl" => self.low_ttl |= statement.number::<u8>(&(0..=255), notes).is_some_and(|ttl| ttl < 255),
            "v3_checksum_as_v2" => self.checksum_as_v2 = statement.flag(),
            "authentication" => self.authentication(statement, notes),
            "auth_hmac" => self.hmac = Some(Hmac::read(statement, notes)),
            _ => return false,
        }
        true
    }

    fn peers(&mut self, block: &Statement, notes: &mut Notes) {
        self.unicast = Some(block.place.clone());
        let mut words = block.inner_words();
        while let Some((word, place)) = words.next() {
            match word {
                "min_ttl" => self.low_ttl |= words.next().is_none_or(|(ttl, _)| ttl != "255"),
                "max_ttl" => {
                    words.next();
                }
                _ => match word.parse() {
                    Ok(ip) if self.peers.iter().any(|(other, _)| *other == ip) => {
                        notes.broken(place, format!("peer {ip} is listed twice"));
                    }
                    Ok(ip) => self.peers.push((ip, place.clone())),
                    Err(_) => notes.broken(place, format!("{word} is not the address of a peer")),
                },
            }
        }
    }

    fn authentication(&mut self, block: &Statement, notes: &mut Notes) {
        for statement in block.inner() {
            let value = || statement.value().map(|value| (value.to_owned(), statement.place.clone()));
            match statement.keyword() {
                "auth_type" => self.auth_type = value(),
                "auth_pass" => self.auth_pass = value(),
                other => notes.unmapped(&statement.place, format!("{other}: this import does not know the word")),
            }
        }
    }

    /// Sets the keys.
    pub(super) fn write(
        mut self,
        family: Family,
        version: Version,
        strict: bool,
        table: &mut Table,
        notes: &mut Notes,
    ) {
        self.write_peers(family, table, notes);
        self.write_source(family, table, notes);
        if family == Family::Ipv4 && version == Version::V3 {
            // The form that keepalived sends, and the only one that it believes.
            let form = if self.checksum_as_v2 { "rfc9568" } else { "rfc5798" };
            table.set("checksum", form);
        }
        match (self.hmac.take(), &self.auth_type) {
            (Some(hmac), None) => hmac.write(version, table, notes),
            (Some(hmac), Some((_, place))) => {
                notes.changed(place, "keepalived leaves this out beside auth_hmac, and so does this");
                hmac.write(version, table, notes);
            }
            (None, _) => self.write_authentication(version, strict, table, notes),
        }
    }

    fn write_peers(&mut self, family: Family, table: &mut Table, notes: &mut Notes) {
        let source = self.source.as_ref().map(|(ip, _)| *ip);
        self.peers.retain(|(ip, place)| {
            let why = if Family::of(*ip) != family {
                "is not of the family of the virtual addresses"
            } else if source == Some(*ip) {
                "is this host's own address"
            } else if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() {
                "is no host's address"
            } else {
                return true;
            };
            notes.broken(place, format!("peer {ip} {why}"));
            false
        });
        let Some(place) = &self.unicast else { return };
        if self.peers.is_empty() {
            return notes
                .changed(place, "unicast_peer without peers: keepalived then uses multicast, and so does this");
        }
        table.set("unicast_peers", self.peers.iter().map(|(ip, _)| ip.to_string()).collect::<Vec<_>>());
        // keepalived leaves the hop limit of unicast IPv6 to the kernel, which takes 64.
        if self.low_ttl || family == Family::Ipv6 {
            table.set("check_ttl", false);
            notes.changed(place, "adverts with any TTL are believed: set check_ttl = true when no peer is keepalived any more and none is behind a router");
        } else {
            notes.changed(place, "only adverts with TTL 255 are believed, unlike with keepalived: add check_ttl = false where a peer is behind a router");
        }
    }

    fn write_source(&self, family: Family, table: &mut Table, notes: &mut Notes) {
        let Some((ip, place)) = &self.source else { return };
        let why = match ip {
            _ if Family::of(*ip) != family => "is not of the family of the virtual addresses",
            _ if ip.is_multicast() || ip.is_unspecified() || ip.is_loopback() => "is no host's address",
            IpAddr::V6(v6) if self.peers.is_empty() && !v6.is_unicast_link_local() => {
                "is not link-local, as the source of IPv6 adverts is"
            }
            _ => return table.set("source_address", ip.to_string()),
        };
        notes.broken(place, format!("the source address {ip} {why}"));
    }

    fn write_authentication(self, version: Version, strict: bool, table: &mut Table, notes: &mut Notes) {
        let Some((kind, place)) = self.auth_type else { return };
        let kind = match kind.as_str() {
            "PASS" => "password",
            "AH" => "ah",
            other => return notes.broken(&place, format!("auth_type is PASS or AH, not {other}")),
        };
        if version == Version::V3 {
            return notes.broken(&place, "VRRPv3 has no authentication, and keepalived leaves it out too");
        }
        if strict {
            return notes.changed(&place, "keepalived in strict mode leaves authentication out, and so does this");
        }
        let Some((secret, place)) = self.auth_pass.filter(|(secret, _)| !secret.is_empty()) else {
            return notes.broken(&place, "authentication without auth_pass is left out");
        };
        let mut end = secret.len().min(8);
        while !secret.is_char_boundary(end) {
            end -= 1;
        }
        if secret.len() > 8 {
            let message =
                "VRRPv2 carries 8 octets of auth_pass: the rest is cut off, as keepalived does without a word";
            notes.changed(&place, message);
        }
        let pair = |key: &str, value: &str| (key.to_owned(), Item::from(value));
        table.set("authentication", Item::Inline(vec![pair("type", kind), pair("secret", &secret[..end])]));
    }
}
