//! Virtual router MAC addresses (RFC 9568, 7.3): one macvlan for each virtual router that uses one.
//!
//! It is made together with the router's port and stays down until the router is Master: an interface that is up
//! would speak with the virtual MAC address by itself (multicast listener reports), and switches would look for the
//! Master here. On the interface below it ARP is told to answer for that interface's own addresses only and to ask in
//! their name only, since its physical MAC address must never stand for a virtual address (RFC 9568, 8.1.2).

use super::message::LinkState;
use super::netlink::{Netlink, NetlinkError};
use super::sysctl::{Sysctl, SysctlError};
use crate::ids::{InterfaceName, PortKey, RouterKey};
use crate::units::{Family, Vrid};
use std::collections::{BTreeMap, BTreeSet};
use std::io;

/// What the interface below is set to, for as long as there is a macvlan on it: answer for addresses of the interface
/// itself, and ask with an address of the interface itself.
const PARENT: [(&str, &str); 2] = [("arp_ignore", "1"), ("arp_announce", "2")];

/// What a macvlan is set to. Broadcasts for the interface below reach it as well, hence `arp_ignore`.
const IPV4: [(&str, &str); 5] = [
    ("arp_ignore", "1"),
    ("arp_announce", "2"),
    ("arp_filter", "0"),
    ("promote_secondaries", "1"),
    ("accept_redirects", "0"),
];

/// The same for IPv6. A router advertisement must not give it addresses that are made of its MAC address.
const IPV6: [(&str, &str); 6] = [
    ("accept_ra", "0"),
    ("autoconf", "0"),
    ("accept_dad", "0"),
    ("dad_transmits", "0"),
    ("router_solicitations", "0"),
    ("accept_redirects", "0"),
];

/// Macvlans set down in one go.
const AT_ONCE: usize = 4;

/// How an alias of ours begins; behind it stand the settings that the interface below had before.
const ALIAS: &str = "vrrpd";

/// Why there is no macvlan.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} the macvlan {name} for the virtual MAC address: {error}{}", help(.error))]
pub struct VmacError {
    name: InterfaceName,
    what: &'static str,
    #[source]
    error: io::Error,
}

fn help(error: &io::Error) -> &'static str {
    match error.raw_os_error() {
        Some(libc::EOPNOTSUPP) => "; this kernel has no macvlan: load the module, or write mac = \"interface\"",
        Some(libc::EBUSY) => "; the interface is a port of a bridge or bond: configure the router on that instead",
        Some(libc::EADDRINUSE) => {
            "; another macvlan on the interface has this address: is another VRRP daemon running?"
        }
        _ => "",
    }
}

/// Where addresses of a virtual router with a virtual MAC address go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Device {
    /// Its name.
    pub name: InterfaceName,
    /// Its index.
    pub index: u32,
    parent: u32,
    up: bool,
}

/// The macvlans of all virtual routers.
#[derive(Default)]
pub struct Vmacs {
    devices: BTreeMap<RouterKey, Device>,
    /// What the interfaces below were set to before.
    parents: BTreeMap<InterfaceName, Before>,
}

type Before = Vec<(&'static str, String)>;

impl Vmacs {
    /// Makes the macvlans of these virtual routers on a port that is open on the interface with the index `parent`, and
    /// removes the port's others. A failure leaves a router without; [`Vmacs::raise`] tries again.
    pub fn fit(
        &mut self,
        netlink: &mut Netlink,
        port: &PortKey,
        parent: u32,
        vrids: &[Vrid],
        mut failed: impl FnMut(VmacError),
    ) {
        let wanted: Vec<RouterKey> = vrids.iter().map(|&vrid| router_on(port, vrid)).collect();
        let unwanted = |key: &RouterKey, device: &Device| {
            key.port() == *port && (device.parent != parent || !wanted.contains(key))
        };
        let gone: Vec<(RouterKey, Device)> = self.devices.extract_if(.., |key, device| unwanted(key, device)).collect();
        for (_, device) in gone {
            // One that is gone already went with the interface below.
            let _ = netlink.remove_link(device.index);
        }
        for key in wanted {
            if !self.devices.contains_key(&key)
                && let Err(error) = self.make(netlink, &key, parent)
            {
                failed(error);
            }
        }
        if !self.devices.keys().any(|key| key.interface == port.interface) {
            self.restore(&port.interface);
        }
    }

    /// Sets the macvlan of a virtual router up, as it becomes Master. One that somebody has removed is made anew.
    pub fn raise(&mut self, netlink: &mut Netlink, key: &RouterKey, parent: u32) -> Result<&Device, VmacError> {
        if let Some(device) = self.devices.get(key)
            && netlink.enable_link(device.index, true).is_err()
        {
            self.devices.remove(key);
        }
        if !self.devices.contains_key(key) {
            self.make(netlink, key, parent)?;
            let device = &self.devices[key];
            netlink.enable_link(device.index, true).map_err(|error| VmacError {
                name: device.name.clone(),
                what: "set up",
                error,
            })?;
        }
        let device = self.devices.get_mut(key).expect("it is there, or has just been made");
        device.up = true;
        Ok(device)
    }

    /// Sets macvlans down that are up with none of their addresses `held`: before they are removed, so that nothing
    /// leaves with the virtual MAC address any more. Each takes the kernel some 10 ms, so it is a few at a time; returns
    /// whether there are more.
    pub fn lower_unused(&mut self, netlink: &mut Netlink, held: &BTreeSet<u32>) -> bool {
        let mut unused = self.devices.values_mut().filter(|device| device.up && !held.contains(&device.index));
        for device in unused.by_ref().take(AT_ONCE) {
            device.up = false;
            // A failure means that it is gone.
            let _ = netlink.enable_link(device.index, false);
        }
        unused.next().is_some()
    }

    /// Takes over the macvlans of a daemon that is gone and that this one succeeds; [`Vmacs::fit`] removes those that are
    /// of no use. For the start.
    pub fn adopt(&mut self, netlink: &mut Netlink) -> Result<(), NetlinkError> {
        let links = netlink.links()?;
        let parent = |index| links.iter().find(|link| link.index == index);
        for link in &links {
            let (Some((made_on, family, vrid)), Some(macvlan)) = (link.made_for(), &link.macvlan) else { continue };
            let Some(parent) = parent(made_on) else { continue };
            let key = RouterKey { interface: parent.name.clone(), family, vrid };
            let device = Device { name: link.name.clone(), index: link.index, parent: parent.index, up: true };
            self.parents.entry(parent.name.clone()).or_insert_with(|| before(&macvlan.alias));
            self.devices.insert(key, device);
        }
        Ok(())
    }

    /// Removes everything, for the end.
    pub fn close(&mut self, netlink: &mut Netlink) {
        for device in std::mem::take(&mut self.devices).into_values() {
            let _ = netlink.remove_link(device.index);
        }
        for interface in self.parents.keys().cloned().collect::<Vec<_>>() {
            self.restore(&interface);
        }
    }

    fn make(&mut self, netlink: &mut Netlink, key: &RouterKey, parent: u32) -> Result<(), VmacError> {
        let name = device_name(parent, key.family, key.vrid);
        let step = |what, error| VmacError { name: name.clone(), what, error };
        let before = self.quiet(&key.interface).map_err(|error| step("prepare", io::Error::other(error)))?;
        let mac = key.vrid.mac(key.family);
        let index = netlink.make_macvlan(&name, parent, mac).map_err(|error| step("make", error))?;
        let prepared = netlink
            .mark_macvlan(index, alias(before))
            .and_then(|()| configure(&name, &key.interface).map_err(io::Error::other));
        if let Err(error) = prepared {
            let _ = netlink.remove_link(index);
            return Err(step("prepare", error));
        }
        self.devices.insert(key.clone(), Device { name, index, parent, up: false });
        Ok(())
    }

    /// Lets the interface below stand for its own addresses only, and notes how it was set before.
    fn quiet(&mut self, interface: &InterfaceName) -> Result<&Before, SysctlError> {
        if !self.parents.contains_key(interface) {
            let mut before = Before::new();
            for (name, value) in PARENT {
                let sysctl = Sysctl::ipv4(interface, name);
                before.extend(sysctl.read().map(|was| (name, was)));
                sysctl.write(value)?;
            }
            self.parents.insert(interface.clone(), before);
        }
        Ok(&self.parents[interface])
    }

    fn restore(&mut self, interface: &InterfaceName) {
        restore(interface, self.parents.remove(interface).unwrap_or_default());
    }
}

/// Removes the macvlans that a daemon that crashed has left behind, and sets the interfaces below to what they were
/// before it. Returns how many there were. For the start.
pub fn sweep(netlink: &mut Netlink) -> io::Result<usize> {
    let left = netlink.our_macvlans()?;
    if left.is_empty() {
        return Ok(0);
    }
    let links = netlink.links().map_err(io::Error::other)?;
    for link in &left {
        let (Some((index, ..)), Some(macvlan)) = (link.made_for(), &link.macvlan) else { continue };
        if let Some(parent) = links.iter().find(|link| link.index == index) {
            restore(&parent.name, before(&macvlan.alias));
        }
    }
    for link in &left {
        netlink.remove_link(link.index)?;
    }
    Ok(left.len())
}

/// Puts settings back, where nobody has set them to something else in the meantime.
fn restore(interface: &InterfaceName, before: Before) {
    for (name, was) in before {
        let sysctl = Sysctl::ipv4(interface, name);
        let ours = PARENT.iter().any(|&(set, value)| set == name && sysctl.read().as_deref() == Some(value));
        if ours {
            // An interface that is gone has nothing to restore.
            let _ = sysctl.write(&was);
        }
    }
}

fn configure(device: &InterfaceName, parent: &InterfaceName) -> Result<(), SysctlError> {
    for (name, value) in IPV4 {
        Sysctl::ipv4(device, name).write(value)?;
    }
    // Answers leave by the interface below, so a strict check would drop what comes in here; the greater of this and the
    // setting for all interfaces counts, and 2, which is greater than strict, is the loose one.
    let strictest = Sysctl { tree: "ipv4", interface: "all", name: "rp_filter" }.read();
    let filter = if strictest.as_deref() == Some("0") { "0" } else { "2" };
    Sysctl::ipv4(device, "rp_filter").write(filter)?;
    for tree in ["ipv4", "ipv6"] {
        // It forwards what the interface below would forward.
        let of = |interface| Sysctl { tree, interface, name: "forwarding" };
        if let Some(forwarding) = of(parent.as_str()).read() {
            of(device.as_str()).write(&forwarding)?;
        }
    }
    for (name, value) in IPV6 {
        let sysctl = Sysctl { tree: "ipv6", interface: device.as_str(), name };
        if sysctl.read().is_some() {
            sysctl.write(value)?;
        }
    }
    Ok(())
}

fn router_on(port: &PortKey, vrid: Vrid) -> RouterKey {
    RouterKey { interface: port.interface.clone(), family: port.family, vrid }
}

/// `vrrp4.51.2`: the family, the VRID, and the index of the interface below, which makes it the only one of its name.
fn device_name(parent: u32, family: Family, vrid: Vrid) -> InterfaceName {
    let digit = match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 6,
    };
    InterfaceName::new(&format!("vrrp{digit}.{vrid}.{parent}"))
        .or_else(|| InterfaceName::new(&format!("v{digit}.{vrid}x{parent:x}")))
        .expect("at most 3 + 3 + 1 + 8 octets")
}

fn alias(before: &Before) -> String {
    before.iter().fold(ALIAS.to_owned(), |alias, (name, was)| format!("{alias} {name}={was}"))
}

/// The settings in an alias of ours.
fn before(alias: &str) -> Before {
    let known = |name: &str| PARENT.iter().map(|&(known, _)| known).find(|&known| known == name);
    let pairs = alias.split_ascii_whitespace().skip(1).filter_map(|pair| pair.split_once('='));
    pairs.filter_map(|(name, was)| Some((known(name)?, was.to_owned()))).collect()
}

impl LinkState {
    /// Whether it is a macvlan that we have made: it carries a virtual router MAC address and the name that we would give
    /// it. That holds from the moment it is there, whatever becomes of the daemon.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.made_for().is_some()
    }

    /// For a macvlan of ours, the index of the interface that it was made on, and the virtual router that it was made
    /// for. The kernel tells another interface where that is a macvlan itself: the one below both, which may be in another
    /// network namespace.
    fn made_for(&self) -> Option<(u32, Family, Vrid)> {
        let [0x00, 0x00, 0x5e, 0x00, block, vrid] = self.macvlan.as_ref()?.mac else { return None };
        let family = match block {
            1 => Family::Ipv4,
            2 => Family::Ipv6,
            _ => return None,
        };
        let vrid = Vrid::new(vrid)?;
        let (_, index) = self.name.as_str().rsplit_once(['.', 'x'])?;
        let mut readings = [index.parse(), u32::from_str_radix(index, 16)].into_iter().flatten();
        let parent = readings.find(|&index| device_name(index, family, vrid) == self.name)?;
        Some((parent, family, vrid))
    }
}

#[cfg(test)]
mod tests {
    use super::super::macvlan::Macvlan;
    use super::*;

    fn vrid(raw: u8) -> Vrid {
        Vrid::new(raw).expect("not 0")
    }

    #[test]
    fn names_fit_and_differ() {
        let mut names = BTreeSet::new();
        for parent in [1, 2, 20, 99_999, 100_000, 999_999, u32::MAX] {
            for family in [Family::Ipv4, Family::Ipv6] {
                for raw in [1, 2, 22, 51, 255] {
                    names.insert(device_name(parent, family, vrid(raw)));
                }
            }
        }
        assert_eq!(names.len(), 7 * 2 * 5);
        assert_eq!(device_name(2, Family::Ipv4, vrid(51)).as_str(), "vrrp4.51.2");
        assert_eq!(device_name(u32::MAX, Family::Ipv6, vrid(255)).as_str(), "v6.255xffffffff");
    }

    #[test]
    fn an_alias_says_what_was_before() {
        let was: Before = vec![("arp_ignore", "0".into()), ("arp_announce", "1".into())];
        assert_eq!(alias(&was), "vrrpd arp_ignore=0 arp_announce=1");
        assert_eq!(before(&alias(&was)), was);
        for strange in ["", "vrrpd", "vrrpd rp_filter=9", "uplink to the lab", "vrrpd arp_ignore"] {
            assert_eq!(before(strange), Before::new(), "{strange}");
        }
    }

    #[test]
    fn ours_are_the_macvlans_with_our_name_and_address() {
        let link = |name: &str, mac: [u8; 6], parent| LinkState {
            index: 9,
            name: InterfaceName::new(name).expect("a legal name"),
            up: true,
            mac: Some(mac.into()),
            macvlan: Some(Macvlan { mac, parent, enabled: true, alias: String::new() }),
        };
        let mac = vrid(51).mac(Family::Ipv4);
        assert!(link("vrrp4.51.2", mac, 2).is_ours());
        assert_eq!(link("vrrp4.51.2", mac, 9).made_for(), Some((2, Family::Ipv4, vrid(51))), "on another macvlan");
        assert_eq!(link("v4.51xffffffff", mac, 9).made_for(), Some((u32::MAX, Family::Ipv4, vrid(51))));
        assert!(!link("vrrp4.51.02", mac, 2).is_ours(), "not as we write it");
        assert!(!link("vrrp.51", mac, 2).is_ours(), "keepalived's");
        assert!(!link("vrrp4.51.2", vrid(51).mac(Family::Ipv6), 2).is_ours());
        assert!(!link("vrrp4.51.2", [2, 0, 0, 0, 0, 51], 2).is_ours());
        assert!(!LinkState { macvlan: None, ..link("vrrp4.51.2", mac, 2) }.is_ours());
    }
}
