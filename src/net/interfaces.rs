//! Links and addresses as the notices have them so far, and what of that concerns VRRP.

use super::message::{KernelAddress, LinkState};
use crate::engine::InterfaceFacts;
use crate::ids::InterfaceName;
use crate::units::VirtualAddress;
use pnet_base::MacAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Everything known, and what was told of it.
#[derive(Default)]
pub(super) struct Interfaces {
    links: BTreeMap<u32, Link>,
    told: BTreeMap<InterfaceName, InterfaceFacts>,
    touched: BTreeSet<InterfaceName>,
}

struct Link {
    name: InterfaceName,
    up: bool,
    mac: Option<MacAddr>,
    /// A macvlan of ours, of which nothing is told.
    ours: bool,
    enabled: bool,
    /// In the kernel's order: the first primary one is the interface's primary address.
    addresses: Vec<KernelAddress>,
}

impl Interfaces {
    /// A link is there, or has changed; perhaps its name.
    pub(super) fn link(&mut self, state: LinkState) {
        let ours = state.is_ours();
        let enabled = state.macvlan.as_ref().is_none_or(|macvlan| macvlan.enabled);
        self.touched.insert(state.name.clone());
        if let Some(link) = self.links.get_mut(&state.index) {
            if link.name != state.name {
                self.touched.insert(std::mem::replace(&mut link.name, state.name));
            }
            (link.up, link.mac, link.ours, link.enabled) = (state.up, state.mac, ours, enabled);
        } else {
            let link = Link { name: state.name, up: state.up, mac: state.mac, ours, enabled, addresses: Vec::new() };
            self.links.insert(state.index, link);
        }
    }

    /// A link is gone, and its addresses with it.
    pub(super) fn link_gone(&mut self, index: u32) {
        if let Some(link) = self.links.remove(&index) {
            self.touched.insert(link.name);
        }
    }

    /// An address is there, or has changed.
    pub(super) fn address(&mut self, new: KernelAddress) {
        let Some(link) = self.links.get_mut(&new.index) else { return };
        match link.addresses.iter_mut().find(|known| known.address == new.address) {
            // Its lifetime started anew, as those of ours do every other second.
            Some(known) if *known == new => return,
            Some(known) => *known = new,
            None => link.addresses.push(new),
        }
        self.touched.insert(link.name.clone());
    }

    /// An address is gone.
    pub(super) fn address_gone(&mut self, gone: &KernelAddress) {
        let Some(link) = self.links.get_mut(&gone.index) else { return };
        self.touched.insert(link.name.clone());
        link.addresses.retain(|known| known.address != gone.address);
    }

    /// Replaces everything by what the kernel lists now.
    pub(super) fn replace(&mut self, links: Vec<LinkState>, addresses: Vec<KernelAddress>) {
        self.touched.extend(std::mem::take(&mut self.links).into_values().map(|link| link.name));
        for link in links {
            self.link(link);
        }
        for address in addresses {
            self.address(address);
        }
    }

    /// Whether the address is on the interface. IPv6 has an address once whatever its prefix length; IPv4 once for each.
    pub(super) fn has(&self, index: u32, address: VirtualAddress) -> bool {
        let same = |known: VirtualAddress| known.ip == address.ip && (known.ip.is_ipv6() || known == address);
        // On a macvlan that somebody has set down it is of no use.
        let usable = self.links.get(&index).filter(|link| link.enabled || !link.ours);
        usable.is_some_and(|link| link.addresses.iter().any(|known| same(known.address)))
    }

    /// Tells what has changed since it was told last, interface by interface. One that was deleted and made anew in
    /// between is told as gone, then as there.
    pub(super) fn tell_changes(
        &mut self,
        is_ours: impl Fn(&KernelAddress) -> bool,
        mut tell: impl FnMut(InterfaceName, Option<InterfaceFacts>),
    ) {
        for name in std::mem::take(&mut self.touched) {
            let link = self.links.iter().find(|(_, link)| link.name == name && !link.ours);
            let facts = link.map(|(&index, link)| link.facts(index, &is_ours));
            if let Some(told) = self.told.get(&name)
                && facts.as_ref().is_none_or(|facts| facts.index != told.index)
            {
                self.told.remove(&name);
                tell(name.clone(), None);
            }
            if let Some(facts) = facts
                && self.told.get(&name) != Some(&facts)
            {
                self.told.insert(name.clone(), facts.clone());
                tell(name, Some(facts));
            }
        }
    }
}

impl Link {
    fn facts(&self, index: u32, is_ours: impl Fn(&KernelAddress) -> bool) -> InterfaceFacts {
        let foreign = || self.addresses.iter().filter(|known| !is_ours(known));
        InterfaceFacts {
            index,
            up: self.up,
            mac: self.mac,
            ipv4: foreign().filter(|known| !known.secondary).find_map(|known| match known.address.ip {
                IpAddr::V4(ip) => Some(ip),
                IpAddr::V6(_) => None,
            }),
            ipv6: foreign().filter(|known| !known.tentative).find_map(|known| match known.address.ip {
                IpAddr::V6(ip) if ip.is_unicast_link_local() => Some(ip),
                _ => None,
            }),
            addresses: foreign().map(|known| known.address).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> InterfaceName {
        InterfaceName::new(text).expect("a legal name")
    }

    fn link(index: u32, text: &str, up: bool) -> LinkState {
        LinkState { index, name: name(text), up, mac: None, macvlan: None }
    }

    fn address(index: u32, ip: &str) -> KernelAddress {
        let address = VirtualAddress::host(ip.parse().expect("an address"));
        KernelAddress { index, address, tagged: false, secondary: false, tentative: false }
    }

    fn changes(interfaces: &mut Interfaces) -> Vec<(InterfaceName, Option<InterfaceFacts>)> {
        let mut changes = Vec::new();
        interfaces.tell_changes(|known| known.tagged, |name, facts| changes.push((name, facts)));
        changes
    }

    /// One interface, up, with an IPv4 and a link-local address, already told.
    fn known() -> Interfaces {
        let mut interfaces = Interfaces::default();
        interfaces.link(link(2, "eth0", true));
        interfaces.address(address(2, "192.0.2.1"));
        interfaces.address(address(2, "fe80::1"));
        changes(&mut interfaces);
        interfaces
    }

    fn facts_after(change: impl FnOnce(&mut Interfaces)) -> Vec<(String, Option<InterfaceFacts>)> {
        let mut interfaces = known();
        change(&mut interfaces);
        changes(&mut interfaces).into_iter().map(|(name, facts)| (name.to_string(), facts)).collect()
    }

    #[test]
    fn what_is_told_is_told_once() {
        let mut interfaces = Interfaces::default();
        interfaces.link(link(2, "eth0", true));
        interfaces.address(address(2, "192.0.2.1"));
        interfaces.address(address(2, "fe80::1"));
        let told = changes(&mut interfaces);
        let facts = told[0].1.as_ref().expect("it is there");
        assert_eq!((facts.index, facts.up), (2, true));
        assert_eq!(facts.ipv4, Some([192, 0, 2, 1].into()));
        assert_eq!(facts.ipv6, Some("fe80::1".parse().expect("an address")));
        assert_eq!(facts.addresses.len(), 2);
        interfaces.link(link(2, "eth0", true));
        interfaces.address(address(2, "192.0.2.1"));
        assert_eq!(changes(&mut interfaces), []);
    }

    #[test]
    fn addresses_of_ours_are_no_facts() {
        let ours = KernelAddress { tagged: true, ..address(2, "192.0.2.99") };
        assert_eq!(facts_after(|interfaces| interfaces.address(ours)), []);
    }

    #[test]
    fn secondary_and_tentative_addresses_are_no_sources() {
        let mut interfaces = Interfaces::default();
        interfaces.link(link(2, "eth0", true));
        interfaces.address(KernelAddress { secondary: true, ..address(2, "192.0.2.1") });
        interfaces.address(KernelAddress { tentative: true, ..address(2, "fe80::1") });
        let told = changes(&mut interfaces);
        let facts = told[0].1.as_ref().expect("it is there");
        assert_eq!((facts.ipv4, facts.ipv6), (None, None));
        interfaces.address(address(2, "fe80::1"));
        let told = changes(&mut interfaces);
        assert!(told[0].1.as_ref().is_some_and(|facts| facts.ipv6.is_some()));
    }

    #[test]
    fn losing_the_carrier_is_one_change() {
        let told = facts_after(|interfaces| interfaces.link(link(2, "eth0", false)));
        assert_eq!(told.len(), 1);
        assert!(told[0].1.as_ref().is_some_and(|facts| !facts.up && facts.ipv4.is_some()));
    }

    #[test]
    fn a_rename_is_one_interface_gone_and_another_come() {
        let told = facts_after(|interfaces| interfaces.link(link(2, "lan0", true)));
        assert_eq!(told.len(), 2);
        assert_eq!((told[0].0.as_str(), &told[0].1), ("eth0", &None));
        assert!(told[1].0 == "lan0" && told[1].1.as_ref().is_some_and(|facts| facts.ipv4.is_some()));
    }

    #[test]
    fn an_interface_made_anew_is_gone_and_then_there() {
        let told = facts_after(|interfaces| {
            interfaces.link_gone(2);
            interfaces.link(link(3, "eth0", true));
        });
        assert_eq!(told.len(), 2);
        assert_eq!(told[0], ("eth0".to_owned(), None));
        assert!(told[1].1.as_ref().is_some_and(|facts| facts.index == 3 && facts.addresses.is_empty()));
    }

    #[test]
    fn a_resynchronisation_tells_only_what_differs() {
        let same = |interfaces: &mut Interfaces| {
            interfaces.replace(vec![link(2, "eth0", true)], vec![address(2, "192.0.2.1"), address(2, "fe80::1")]);
        };
        assert_eq!(facts_after(same), []);
        let told = facts_after(|interfaces| interfaces.replace(vec![], vec![]));
        assert_eq!(told, [("eth0".to_owned(), None)]);
    }
}
