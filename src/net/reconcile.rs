//! Which addresses are held for whom, and what has to change in the kernel for that to be true.
//!
//! Holding and releasing only state what is wanted; [`Reconciler::flush`] compares it with what is there and asks for
//! the difference in one batch. So an address that moves from one virtual router to another within a batch never
//! leaves the interface, and a batch that failed is simply flushed again.

mod holding;
mod upkeep;

use self::holding::{Holding, Presence};
use super::netlink::{AddressChange, AddressKernel, Change, NetlinkError};
use crate::ids::{InterfaceName, RouterId};
use crate::units::VirtualAddress;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::time::Duration;

/// Where and how addresses are put.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Placement {
    /// On which interface.
    pub interface: InterfaceName,
    /// Its index at the moment.
    pub index: u32,
    /// After which the kernel takes them away by itself; `None`: never.
    pub lifetime: Option<Duration>,
    /// Whether the interface is a macvlan of ours: then whatever is on it is ours too.
    pub vmac: bool,
}

type Key = (InterfaceName, VirtualAddress);

/// The addresses that virtual routers hold.
#[derive(Default)]
pub struct Reconciler {
    holdings: BTreeMap<Key, Holding>,
    /// What may differ from the kernel, in the order of the demands, with the router that a refusal concerns.
    pending: Vec<(Key, RouterId)>,
}

impl Reconciler {
    /// From now on `router` holds `address`. Holding it already is no error: it is looked at again.
    pub fn hold(&mut self, router: RouterId, placement: &Placement, address: VirtualAddress) {
        let key = (placement.interface.clone(), address);
        let holding = self.holdings.entry(key.clone()).or_insert_with(|| Holding {
            index: placement.index,
            vmac: placement.vmac,
            lifetime: None,
            holders: Vec::new(),
            presence: Presence::Absent,
        });
        if !holding.holders.contains(&router) {
            holding.holders.push(router);
        }
        if (holding.index, holding.lifetime) != (placement.index, placement.lifetime) {
            // Another interface by the same name, or another lifetime: it has to be added again.
            let same_index = holding.index == placement.index;
            (holding.index, holding.lifetime) = (placement.index, placement.lifetime);
            holding.presence = match holding.presence {
                Presence::Foreign if same_index => Presence::Foreign,
                Presence::Ours | Presence::Aging if same_index => Presence::Aging,
                _ => Presence::Absent,
            };
        }
        self.pending.push((key, router));
    }

    /// `router` holds `address`, as it did under another daemon that is gone; `ours`: it was put there by that one rather
    /// than found. To be flushed, which starts its lifetime anew.
    pub fn inherit(&mut self, router: RouterId, placement: &Placement, address: VirtualAddress, ours: bool) {
        self.hold(router, placement, address);
        if let Some(holding) = self.holdings.get_mut(&(placement.interface.clone(), address)) {
            holding.presence = match (ours, placement.lifetime) {
                (false, _) => Presence::Foreign,
                (true, None) => Presence::Ours,
                (true, Some(_)) => Presence::Aging,
            };
        }
    }

    /// From now on `router` does not hold `address` on `interface`.
    pub fn release(&mut self, router: RouterId, interface: &InterfaceName, address: VirtualAddress) {
        let key = (interface.clone(), address);
        if let Some(holding) = self.holdings.get_mut(&key) {
            holding.holders.retain(|&holder| holder != router);
            self.pending.push((key, router));
        }
    }

    /// Asks the kernel for what differs. Each address that it refuses is reported with the router it concerns and
    /// stays wanted: holding it again tries again. One that is there already and that we did not put there is the
    /// interface's own: it counts as held and is left alone. After an error everything is still pending, and the next
    /// flush repeats it.
    pub fn flush(
        &mut self,
        kernel: &mut impl AddressKernel,
        mut refused: impl FnMut(RouterId, VirtualAddress, io::Error),
    ) -> Result<(), NetlinkError> {
        let (changes, subjects) = self.difference();
        let mut outcomes: Vec<Presence> = changes.iter().map(|change| change.change.success()).collect();
        if !changes.is_empty() {
            let asked = kernel.change_addresses(&changes, &mut |position, error| {
                let is_there = error.raw_os_error() == Some(libc::EEXIST);
                outcomes[position] = match changes[position].change {
                    Change::Add { .. } if is_there => self.whose(&subjects[position].0),
                    Change::Add { .. } | Change::Renew { .. } => Presence::Absent,
                    Change::Remove => Presence::Ours,
                };
                if outcomes[position] != Presence::Foreign && !(is_there && outcomes[position] == Presence::Ours) {
                    refused(subjects[position].1, changes[position].address, error);
                }
            });
            if let Err(error) = asked {
                if !matches!(error, NetlinkError::Send(_)) {
                    self.doubt(&changes, &subjects);
                }
                return Err(error);
            }
        }
        for ((key, _), outcome) in subjects.into_iter().zip(outcomes) {
            if let Some(holding) = self.holdings.get_mut(&key) {
                holding.presence = outcome;
            }
        }
        self.pending.clear();
        self.holdings.retain(|_, holding| holding.is_held() || holding.is_put());
        Ok(())
    }

    /// Whose an address is that was there when it was to be added.
    fn whose(&self, key: &Key) -> Presence {
        match self.holdings.get(key) {
            Some(holding) if holding.vmac || holding.presence == Presence::Unknown => Presence::Ours,
            _ => Presence::Foreign,
        }
    }

    /// The answer to a request was lost: what was to be added may be there because of it.
    fn doubt(&mut self, changes: &[AddressChange], subjects: &[(Key, RouterId)]) {
        for (change, (key, _)) in changes.iter().zip(subjects) {
            if matches!(change.change, Change::Add { .. })
                && let Some(holding) = self.holdings.get_mut(key)
            {
                holding.presence = Presence::Unknown;
            }
        }
    }

    /// The changes for what is pending, each with the demand it comes from; none twice.
    fn difference(&self) -> (Vec<AddressChange>, Vec<(Key, RouterId)>) {
        let mut changes = Vec::new();
        let mut subjects: Vec<(Key, RouterId)> = Vec::new();
        let mut seen = BTreeSet::new();
        for (key, router) in &self.pending {
            let Some(holding) = self.holdings.get(key) else { continue };
            let change = match (holding.is_held(), holding.presence) {
                (true, Presence::Absent | Presence::Unknown) => Change::Add { lifetime: holding.lifetime },
                (true, Presence::Aging) => Change::Renew { lifetime: holding.lifetime },
                (false, Presence::Ours | Presence::Aging | Presence::Unknown) => Change::Remove,
                (true, Presence::Ours) | (_, Presence::Foreign) | (false, Presence::Absent) => continue,
            };
            if seen.insert(key) {
                changes.push(AddressChange { index: holding.index, address: key.1, vmac: holding.vmac, change });
                subjects.push((key.clone(), *router));
            }
        }
        (changes, subjects)
    }

    /// Whether the next [`Reconciler::flush`] has anything to look at.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Whether we have put this address on the interface with this index.
    #[must_use]
    pub fn has_put(&self, index: u32, address: VirtualAddress) -> bool {
        let same = |(key, holding): (&Key, &Holding)| key.1 == address && holding.index == index && holding.is_put();
        self.holdings.iter().any(same)
    }

    /// Whether we have put this address on this interface: of what is held there, what is to be removed in the end.
    #[must_use]
    pub fn is_ours(&self, interface: &InterfaceName, address: VirtualAddress) -> bool {
        self.holdings.get(&(interface.clone(), address)).is_some_and(Holding::is_put)
    }

    /// The routers that hold anything.
    #[must_use]
    pub fn holders(&self) -> BTreeSet<RouterId> {
        self.holdings.values().flat_map(|holding| &holding.holders).copied().collect()
    }

    /// The indexes of the interfaces on which anything is held.
    #[must_use]
    pub fn indexes(&self) -> BTreeSet<u32> {
        self.holdings.values().filter(|holding| holding.is_held()).map(|holding| holding.index).collect()
    }
}

#[cfg(test)]
mod tests;
