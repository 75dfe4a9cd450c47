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
    places: BTreeMap<u32, Place>,
    /// Where the addresses of a router are.
    held: BTreeMap<RouterId, u32>,
    looked: Timestamp,
}

struct Place {
    interface: InterfaceName,
    held: BTreeSet<(IpAddr, RouterId)>,
    /// Addresses came or went since its witnesses were told.
    changed: bool,
    witnesses: Vec<Witness>,
}

impl Witnesses {
    /// A router holds these on the interface with this index from now on.
    pub(super) fn hold(&mut self, router: RouterId, name: &InterfaceName, index: u32, addresses: &[VirtualAddress]) {
        self.held.insert(router, index);
        let place = self.places.entry(index).or_insert_with(|| Place {
            interface: name.clone(),
            held: BTreeSet::new(),
            changed: true,
            witnesses: Vec::new(),
        });
        for address in addresses {
            place.changed |= place.held.insert((address.ip, router));
        }
    }

    /// A router does not hold these any more.
    pub(super) fn release(&mut self, router: RouterId, addresses: &[VirtualAddress]) {
        let Some(place) = self.held.get(&router).and_then(|index| self.places.get_mut(index)) else { return };
        for address in addresses {
            place.changed |= place.held.remove(&(address.ip, router));
        }
    }

    /// Looks at what was heard, if it is time: whoever is awake anyway may call it each time.
    pub(super) fn look(&mut self, now: Timestamp, mut claim: impl FnMut(&InterfaceName, IpAddr, MacAddr)) {
        if self.places.is_empty() || now - self.looked < SPACING {
            return;
        }
        self.looked = now;
        for (&index, place) in &mut self.places {
            if std::mem::take(&mut place.changed) {
                place.renew(index);
            }
            for witness in &mut place.witnesses {
                witness.look(|address, mac| claim(&place.interface, address, mac));
            }
        }
        self.places.retain(|_, place| !place.held.is_empty());
    }
}

impl Place {
    /// Opened anew rather than amended: what was heard about other addresses is of no interest. Where it cannot be, the
    /// warning is missing and nothing else.
    fn renew(&mut self, index: u32) {
        let of = |family| {
            let mut addresses: Vec<IpAddr> = self.held.iter().map(|(address, _)| *address).collect();
            addresses.retain(|address| Family::of(*address) == family);
            addresses.dedup();
            addresses
        };
        let families = [Family::Ipv4, Family::Ipv6].map(|family| (family, of(family)));
        let used = families.into_iter().filter(|(_, addresses)| !addresses.is_empty());
        self.witnesses = used.filter_map(|(family, addresses)| Witness::open(index, family, &addresses).ok()).collect();
    }
}
