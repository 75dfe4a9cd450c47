//! `virtual_ipaddress` and `virtual_ipaddress_excluded`.

use super::document::Table;
use super::note::{Notes, Place};
use super::tree::Statement;
use crate::config::value::virtual_address;
use crate::units::Family;
use std::net::{IpAddr, Ipv6Addr};

/// The most that an advert carries.
const MOST: usize = 255;

/// An address with its prefix length, if it has one.
#[derive(Clone, Debug)]
struct Address {
    text: String,
    ip: IpAddr,
    device: Option<String>,
    place: Place,
}

/// The addresses of one instance.
#[derive(Debug, Default)]
pub(super) struct Addresses {
    advertised: Vec<Address>,
    excluded: Vec<Address>,
}

impl Addresses {
    /// Takes a block if it lists addresses.
    pub(super) fn take(&mut self, block: &Statement, notes: &mut Notes) -> bool {
        let list = match block.keyword() {
            "virtual_ipaddress" => &mut self.advertised,
            "virtual_ipaddress_excluded" => &mut self.excluded,
            _ => return false,
        };
        list.extend(block.inner().iter().filter_map(|line| read(line, notes)));
        true
    }

    /// The family of the first address, which is the instance's.
    pub(super) fn family(&self) -> Option<Family> {
        self.advertised.first().map(|address| Family::of(address.ip))
    }

    /// Sets the keys; `None` where nothing is left to advertise.
    pub(super) fn write(mut self, interface: &str, vrid: u8, table: &mut Table, notes: &mut Notes) -> Option<()> {
        let family = self.family()?;
        self.advertised.retain(|address| {
            let kin = Family::of(address.ip) == family;
            if !kin {
                let message = format!(
                    "{} is of another family than the first address: a second router has to carry it",
                    address.ip
                );
                notes.broken(&address.place, message);
            }
            kin
        });
        self.without_doubles(notes);
        for address in &self.advertised {
            if let Some(device) = address.device.as_ref().filter(|device| *device != interface) {
                let message = format!(
                    "{} stands on {interface} here, not on {device}: adverts have to carry it, but look whether it works there",
                    address.ip
                );
                notes.unmapped(&address.place, message);
            }
        }
        self.excluded.retain(|address| match address.device.as_ref().filter(|device| *device != interface) {
            None => true,
            Some(device) => {
                let message = format!(
                    "{} is left out: a router holds addresses on its own interface, {interface}, and not on {device}",
                    address.ip
                );
                notes.unmapped(&address.place, message);
                false
            }
        });
        if family == Family::Ipv6 {
            self.link_local_first(vrid, notes);
        }
        let texts = |list: &[Address]| -> Vec<String> { list.iter().map(|address| address.text.clone()).collect() };
        if self.advertised.len() > MOST {
            let rest = self.advertised.split_off(MOST);
            if let Some(first) = rest.first() {
                notes
                    .changed(&first.place, format!("an advert carries {MOST} addresses: the others are excluded ones"));
            }
            self.excluded.splice(0..0, rest);
        }
        table.set("virtual_addresses", texts(&self.advertised));
        if !self.excluded.is_empty() {
            table.set("excluded_addresses", texts(&self.excluded));
        }
        Some(())
    }

    fn without_doubles(&mut self, notes: &mut Notes) {
        let mut seen: Vec<IpAddr> = Vec::new();
        let mut fresh = |address: &Address| {
            let fresh = !seen.contains(&address.ip);
            if fresh {
                seen.push(address.ip);
            } else {
                notes.broken(&address.place, format!("{} is listed twice", address.ip));
            }
            fresh
        };
        self.advertised.retain(&mut fresh);
        self.excluded.retain(&mut fresh);
    }

    /// The first address of an IPv6 router is link-local (RFC 9568, 5.2.9), which keepalived does not insist on.
    fn link_local_first(&mut self, vrid: u8, notes: &mut Notes) {
        let is_link_local = |address: &Address| matches!(address.ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        let Some(first) =
            self.advertised.first().filter(|first| !is_link_local(first)).map(|first| first.place.clone())
        else {
            return;
        };
        if let Some(position) = self.advertised.iter().position(is_link_local) {
            let link_local = self.advertised.remove(position);
            notes.changed(&link_local.place, format!("{} comes first here, as the RFC has it", link_local.ip));
            self.advertised.insert(0, link_local);
            return;
        }
        let ip = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(vrid));
        let message = format!(
            "{ip} is added, since the first address of an IPv6 router is link-local (RFC 9568, 5.2.9): add it to a keepalived peer too"
        );
        notes.changed(&first, message);
        self.advertised.insert(0, Address { text: format!("{ip}/64"), ip: ip.into(), device: None, place: first });
    }
}

fn read(line: &Statement, notes: &mut Notes) -> Option<Address> {
    let text = line.keyword();
    let ip = match virtual_address(text) {
        Ok(address) => address.ip,
        Err(complaint) => {
            notes.broken(&line.place, format!("the address {}", complaint.what));
            return None;
        }
    };
    let mut address = Address { text: text.to_owned(), ip, device: None, place: line.place.clone() };
    let mut words = line.words.iter().skip(1);
    while let Some(word) = words.next() {
        let why = match word.as_str() {
            "dev" => {
                address.device = words.next().cloned();
                continue;
            }
            "brd" | "broadcast" => {
                words.next();
                "addresses have no broadcast address of their own"
            }
            "label" => {
                words.next();
                "addresses have no labels"
            }
            // What every address has anyway.
            "scope" if matches!(words.clone().next().map(String::as_str), Some("global" | "0" | "link")) => {
                words.next();
                continue;
            }
            "scope" => {
                words.next();
                "addresses have the scope that the kernel gives them"
            }
            "peer" => {
                words.next();
                "addresses have no peer address"
            }
            "track_group" => {
                words.next();
                "there are no track groups"
            }
            "preferred_lft" => {
                words.next();
                "lease is what there is of lifetimes"
            }
            "use_vmac" => "mac = \"virtual\" is for all addresses of a router",
            "no_track" => "an address that somebody removes is put back",
            "home" | "-nodad" | "mngtmpaddr" | "noprefixroute" | "autojoin" => "addresses have no such flags",
            _ => "this import does not know the word",
        };
        notes.unmapped(&line.place, format!("{word} of {ip}: {why}"));
    }
    Some(address)
}
