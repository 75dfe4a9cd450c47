//! Who else claims the addresses that are held: one witness for each interface and family that has some.

use crate::ids::{InterfaceName, RouterId};
use crate::net::Witness;
use crate::time::Timestamp;
use crate::units::{Family, VirtualAddress};
use pnet_base::MacAddr;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

/// How far apart looks are at least, so that a flood of claims costs next to nothing.
const SPACING: Duration = Duration::from_secs(1);

/// All of them.
#[derive(Default)]
pub(super) struct Witnesses {
    places: BTreeMap<InterfaceName, Place>,
    looked: Timestamp,
}

#[derive(Default)]
struct Place {
    held: BTreeSet<(IpAddr, RouterId)>,
    /// Addresses came or went since its witnesses were told.
    changed: bool,
    /// The index of the interface that they listen on.
    index: Option<u32>,
    witnesses: Vec<Witness>,
}

impl Witnesses {
    /// A router holds these on that interface from now on.
    pub(super) fn hold(&mut self, router: RouterId, interface: &InterfaceName, addresses: &[VirtualAddress]) {
        let place = self.places.entry(interface.clone()).or_default();
        for address in addresses {
            place.changed |= place.held.insert((address.ip, router));
        }
    }

    /// A router does not hold these any more.
    pub(super) fn release(&mut self, router: RouterId, interface: &InterfaceName, addresses: &[VirtualAddress]) {
        let Some(place) = self.places.get_mut(interface) else { return };
        for address in addresses {
            place.changed |= place.held.remove(&(address.ip, router));
        }
    }

    /// Looks at what was heard, if it is time: whoever is awake anyway may call it each time. `index_of` says which
    /// interface has a name now.
    pub(super) fn look(
        &mut self,
        now: Timestamp,
        index_of: impl Fn(&InterfaceName) -> Option<u32>,
        mut claim: impl FnMut(&InterfaceName, IpAddr, MacAddr),
    ) {
        if self.places.is_empty() || now - self.looked < SPACING {
            return;
        }
        self.looked = now;
        for (interface, place) in &mut self.places {
            place.listen(index_of(interface));
            for witness in &mut place.witnesses {
                witness.look(|address, mac| claim(interface, address, mac));
            }
        }
        self.places.retain(|_, place| !place.held.is_empty());
    }
}

impl Place {
    /// Opened anew rather than amended: what was heard about other addresses is of no interest. Where it cannot be, the
    /// warning is missing and nothing else.
    fn listen(&mut self, index: Option<u32>) {
        if !std::mem::take(&mut self.changed) && self.index == index {
            return;
        }
        self.index = index;
        let of = |family| {
            let mut addresses: Vec<IpAddr> = self.held.iter().map(|(address, _)| *address).collect();
            addresses.retain(|address| Family::of(*address) == family);
            addresses.dedup();
            addresses
        };
        let families = [Family::Ipv4, Family::Ipv6].map(|family| (family, of(family)));
        let used = families.into_iter().filter(|(_, addresses)| !addresses.is_empty());
        let opened = used.filter_map(|(family, addresses)| Witness::open(index?, family, &addresses).ok());
        self.witnesses = opened.collect();
    }
}
