//! What addresses need while they are held: their lifetimes start anew, what somebody removed is found, and at the start
//! what a daemon that crashed has left goes.

use super::holding::{Holding, Presence};
use super::{Key, Reconciler};
use crate::ids::RouterId;
use crate::net::message::KernelAddress;
use crate::net::netlink::{AddressChange, AddressKernel, Change, NetlinkError};
use crate::units::VirtualAddress;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

impl Reconciler {
    /// Adds held addresses of this lifetime once more, which starts it anew: those in the share `share` of `shares`, so
    /// that thousands need not be renewed in one go. To be flushed. Returns how many have this lifetime at all.
    pub fn renew(&mut self, lifetime: Duration, share: usize, shares: usize) -> usize {
        let mut leased = 0;
        for (key, holding) in &mut self.holdings {
            let Some(&router) = holding.holders.first().filter(|_| holding.lifetime == Some(lifetime)) else {
                continue;
            };
            leased += 1;
            if spread(key.1) % shares == share {
                if holding.presence == Presence::Ours {
                    holding.presence = Presence::Aging;
                }
                self.pending.push((key.clone(), router));
            }
        }
        leased
    }

    /// Finds what should be there but is not (`is_there`), marks it so that holding it again puts it back, and reports
    /// it to each of its holders.
    pub fn find_lost(
        &mut self,
        is_there: impl Fn(u32, VirtualAddress) -> bool,
        mut lost: impl FnMut(RouterId, u32, VirtualAddress),
    ) {
        for ((_, address), holding) in &mut self.holdings {
            if holding.presence != Presence::Absent && !is_there(holding.index, *address) {
                holding.presence = Presence::Absent;
                for &router in &holding.holders {
                    lost(router, holding.index, *address);
                }
            }
        }
    }

    /// Removes what a daemon that crashed has left behind: addresses that carry our tag and that nobody holds. Those that
    /// somebody holds are taken over. Returns how many were removed. For the start.
    pub fn sweep(
        &mut self,
        kernel: &mut impl AddressKernel,
        found: &[KernelAddress],
        mut refused: impl FnMut(VirtualAddress, io::Error),
    ) -> Result<usize, NetlinkError> {
        let leftovers: Vec<AddressChange> = found
            .iter()
            .filter(|known| known.tagged && !self.adopt(known))
            .map(|known| AddressChange {
                index: known.index,
                address: known.address,
                vmac: false,
                change: Change::Remove,
            })
            .collect();
        kernel.change_addresses(&leftovers, &mut |position, error| refused(leftovers[position].address, error))?;
        Ok(leftovers.len())
    }

    /// Whether somebody holds this address with our tag, which is ours from now on.
    fn adopt(&mut self, known: &KernelAddress) -> bool {
        let same = |key: &Key, holding: &Holding| key.1 == known.address && holding.index == known.index;
        let held = self.holdings.iter_mut().find(|(key, holding)| same(key, holding) && holding.is_held());
        if let Some((_, holding)) = held {
            holding.presence = Presence::Ours;
            return true;
        }
        false
    }
}

/// Spreads addresses evenly over shares, whichever part of them varies: gateways of many networks all end in the same.
fn spread(address: VirtualAddress) -> usize {
    let sum = |octets: &[u8]| octets.iter().map(|&octet| usize::from(octet)).sum();
    match address.ip {
        IpAddr::V4(ip) => sum(&ip.octets()),
        IpAddr::V6(ip) => sum(&ip.octets()),
    }
}
