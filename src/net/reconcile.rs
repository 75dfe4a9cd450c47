//! Which addresses are held for whom, and what has to change in the kernel for that to be true.
//!
//! Holding and releasing only state what is wanted; [`Reconciler::flush`] compares it with what is there and asks for
//! the difference in one batch. So an address that moves from one virtual router to another within a batch never
//! leaves the interface, and a batch that failed is simply flushed again.

use super::message::KernelAddress;
use super::netlink::{AddressChange, AddressKernel, Change, NetlinkError};
use crate::ids::{InterfaceName, RouterId};
use crate::units::VirtualAddress;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
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

struct Holding {
    index: u32,
    vmac: bool,
    lifetime: Option<Duration>,
    /// Usually one; two while an address moves. None: to be removed.
    holders: Vec<RouterId>,
    presence: Presence,
}

/// Whether the kernel has an address, as far as is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Presence {
    Absent,
    /// Asked for; the answer was lost.
    Unknown,
    /// Put there by us.
    Ours,
    /// The same, with a lifetime that has to start anew.
    Aging,
    /// It was there before: the interface's own, as an owner's addresses are. Held, and never touched.
    Foreign,
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

    /// Adds held addresses of this lifetime once more, which starts it anew: those in the share `share` of `shares`, so
    /// that thousands need not be renewed in one go. To be flushed. Returns how many have this lifetime at all.
    pub fn renew(&mut self, lifetime: Duration, share: usize, shares: usize) -> usize {
        let mut leased = 0;
        for (key, holding) in &mut self.holdings {
            let Some(&router) = holding.holders.first().filter(|_| holding.lifetime == Some(lifetime)) else {
                continue;
            };
            leased += 1;
            if last_octet(key.1) % shares == share {
                if holding.presence == Presence::Ours {
                    holding.presence = Presence::Aging;
                }
                self.pending.push((key.clone(), router));
            }
        }
        leased
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

    /// Whether the router holds anything.
    #[must_use]
    pub fn holds_any(&self, router: RouterId) -> bool {
        self.holdings.values().any(|holding| holding.holders.contains(&router))
    }

    /// The indexes of the interfaces on which anything is held.
    #[must_use]
    pub fn indexes(&self) -> BTreeSet<u32> {
        self.holdings.values().filter(|holding| holding.is_held()).map(|holding| holding.index).collect()
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

/// What varies most between addresses.
fn last_octet(address: VirtualAddress) -> usize {
    usize::from(match address.ip {
        IpAddr::V4(ip) => ip.octets()[3],
        IpAddr::V6(ip) => ip.octets()[15],
    })
}

impl Holding {
    fn is_held(&self) -> bool {
        !self.holders.is_empty()
    }

    fn is_put(&self) -> bool {
        matches!(self.presence, Presence::Unknown | Presence::Ours | Presence::Aging)
    }
}

impl Change {
    /// What is known once the kernel has done it.
    const fn success(self) -> Presence {
        match self {
            Self::Add { .. } | Self::Renew { .. } => Presence::Ours,
            Self::Remove => Presence::Absent,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A kernel that remembers addresses and can refuse.
    #[derive(Default)]
    struct Fake {
        addresses: BTreeSet<(u32, VirtualAddress)>,
        log: Vec<AddressChange>,
        refuse: Option<i32>,
        broken: bool,
        /// It does what is asked and its answers are lost.
        mute: bool,
    }

    impl AddressKernel for Fake {
        fn change_addresses(
            &mut self,
            changes: &[AddressChange],
            refused: &mut dyn FnMut(usize, io::Error),
        ) -> Result<(), NetlinkError> {
            if self.broken {
                return Err(NetlinkError::Send(io::Error::from_raw_os_error(libc::ENOBUFS)));
            }
            for (position, change) in changes.iter().enumerate() {
                self.log.push(*change);
                if let Some(code) = self.refuse {
                    refused(position, io::Error::from_raw_os_error(code));
                    continue;
                }
                let there = self.addresses.contains(&(change.index, change.address));
                match change.change {
                    Change::Add { .. } if there => {
                        refused(position, io::Error::from_raw_os_error(libc::EEXIST));
                        false
                    }
                    Change::Add { .. } | Change::Renew { .. } => self.addresses.insert((change.index, change.address)),
                    Change::Remove => self.addresses.remove(&(change.index, change.address)),
                };
            }
            if self.mute {
                return Err(NetlinkError::Receive(io::Error::from_raw_os_error(libc::ENOBUFS)));
            }
            Ok(())
        }
    }

    const A: RouterId = RouterId(1);
    const B: RouterId = RouterId(2);

    fn eth0(index: u32) -> Placement {
        Placement { interface: InterfaceName::new("eth0").expect("a legal name"), index, lifetime: None, vmac: false }
    }

    fn ip(last: u8) -> VirtualAddress {
        VirtualAddress { ip: [192, 0, 2, last].into(), prefix: 24 }
    }

    fn flush(reconciler: &mut Reconciler, kernel: &mut Fake) -> Vec<(RouterId, VirtualAddress)> {
        let mut refusals = Vec::new();
        let done = reconciler.flush(kernel, |router, address, _| refusals.push((router, address)));
        done.expect("the kernel answers");
        refusals
    }

    #[test]
    fn an_address_that_changes_hands_stays_on_the_interface() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        reconciler.hold(A, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        kernel.log.clear();

        reconciler.release(A, &eth0(2).interface, ip(10));
        reconciler.hold(B, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        assert_eq!(kernel.log, []);

        reconciler.release(B, &eth0(2).interface, ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.is_empty());
    }

    #[test]
    fn an_address_that_was_there_before_is_held_without_being_touched() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        kernel.addresses.insert((2, ip(10)));
        let leased = Placement { lifetime: Some(Duration::from_secs(4)), ..eth0(2) };
        for placement in [eth0(2), leased] {
            reconciler.hold(A, &placement, ip(10));
            assert_eq!(flush(&mut reconciler, &mut kernel), [], "no refusal");
            assert!(!reconciler.has_put(2, ip(10)));
            reconciler.renew(Duration::from_secs(4), 0, 1);
            flush(&mut reconciler, &mut kernel);
        }
        reconciler.release(A, &eth0(2).interface, ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.contains(&(2, ip(10))));
        assert!(kernel.log.iter().all(|change| matches!(change.change, Change::Add { .. })), "{:?}", kernel.log);
    }

    #[test]
    fn an_address_of_the_interface_that_its_operator_takes_away_becomes_ours() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        kernel.addresses.insert((2, ip(10)));
        reconciler.hold(A, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        kernel.addresses.clear();
        let mut lost = Vec::new();
        reconciler.find_lost(|_, _| false, |router, _, address| lost.push((router, address)));
        assert_eq!(lost, [(A, ip(10))]);
        reconciler.hold(A, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(reconciler.has_put(2, ip(10)));
        reconciler.release(A, &eth0(2).interface, ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.is_empty());
    }

    #[test]
    fn an_address_whose_addition_was_done_but_not_answered_is_ours() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake { mute: true, ..Fake::default() });
        reconciler.hold(A, &eth0(2), ip(10));
        assert!(reconciler.flush(&mut kernel, |_, _, _| ()).is_err());
        kernel.mute = false;
        assert_eq!(flush(&mut reconciler, &mut kernel), []);
        assert!(reconciler.has_put(2, ip(10)));
    }

    #[test]
    fn two_holders_have_to_release_it_both() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        reconciler.hold(A, &eth0(2), ip(10));
        reconciler.hold(B, &eth0(2), ip(10));
        reconciler.release(A, &eth0(2).interface, ip(10));
        flush(&mut reconciler, &mut kernel);
        assert_eq!(kernel.addresses.len(), 1);
        reconciler.release(B, &eth0(2).interface, ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.is_empty());
    }

    #[test]
    fn a_refused_address_is_reported_and_tried_again_when_it_is_held_again() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        kernel.refuse = Some(libc::EPERM);
        reconciler.hold(A, &eth0(2), ip(10));
        assert_eq!(flush(&mut reconciler, &mut kernel), [(A, ip(10))]);
        kernel.refuse = None;
        reconciler.hold(A, &eth0(2), ip(10));
        assert_eq!(flush(&mut reconciler, &mut kernel), []);
        assert!(kernel.addresses.contains(&(2, ip(10))));
    }

    #[test]
    fn what_a_broken_socket_did_not_take_is_repeated_by_the_next_flush() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake { broken: true, ..Fake::default() });
        reconciler.hold(A, &eth0(2), ip(10));
        assert!(reconciler.flush(&mut kernel, |_, _, _| ()).is_err());
        kernel.broken = false;
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.contains(&(2, ip(10))));
    }

    #[test]
    fn an_interface_made_anew_gets_its_addresses_again() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        reconciler.hold(A, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        reconciler.hold(A, &eth0(3), ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.contains(&(3, ip(10))));
    }

    #[test]
    fn a_lost_address_is_reported_once_to_each_holder_and_put_back() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        reconciler.hold(A, &eth0(2), ip(10));
        reconciler.hold(B, &eth0(2), ip(10));
        reconciler.hold(A, &eth0(2), ip(11));
        flush(&mut reconciler, &mut kernel);
        kernel.addresses.remove(&(2, ip(10)));

        let mut lost = Vec::new();
        for _ in 0..2 {
            reconciler.find_lost(
                |index, address| kernel.addresses.contains(&(index, address)),
                |router, _, address| lost.push((router, address)),
            );
        }
        assert_eq!(lost, [(A, ip(10)), (B, ip(10))]);
        reconciler.hold(A, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.contains(&(2, ip(10))));
    }

    #[test]
    fn an_address_that_vanishes_while_it_is_being_released_is_there_when_it_is_held_again() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        reconciler.hold(A, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        reconciler.release(A, &eth0(2).interface, ip(10));
        kernel.addresses.clear();
        reconciler.find_lost(|_, _| false, |router, _, _| panic!("{router:?} holds nothing"));
        reconciler.hold(A, &eth0(2), ip(10));
        flush(&mut reconciler, &mut kernel);
        assert!(kernel.addresses.contains(&(2, ip(10))));
    }

    #[test]
    fn renewing_touches_only_what_has_that_lifetime_share_by_share() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        let lifetime = Duration::from_secs(3);
        let leased = Placement { lifetime: Some(lifetime), ..eth0(2) };
        reconciler.hold(A, &eth0(2), ip(10));
        reconciler.hold(A, &leased, ip(11));
        reconciler.hold(A, &leased, ip(12));
        flush(&mut reconciler, &mut kernel);
        kernel.log.clear();
        let change = Change::Renew { lifetime: leased.lifetime };
        for (share, renewed) in [(0, ip(12)), (1, ip(11))] {
            assert_eq!(reconciler.renew(lifetime, share, 2), 2);
            flush(&mut reconciler, &mut kernel);
            assert_eq!(
                std::mem::take(&mut kernel.log),
                [AddressChange { index: 2, address: renewed, vmac: false, change }]
            );
        }
        assert_eq!(reconciler.renew(Duration::from_secs(9), 0, 1), 0);
    }

    #[test]
    fn only_tagged_addresses_that_nobody_holds_are_swept_away() {
        let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
        reconciler.hold(A, &eth0(2), ip(10));
        let found = [(10, true), (11, true), (12, false)].map(|(last, tagged)| KernelAddress {
            index: 2,
            address: ip(last),
            tagged,
            secondary: false,
            tentative: false,
        });
        let swept = reconciler.sweep(&mut kernel, &found, |_, _| ()).expect("the kernel answers");
        assert_eq!(swept, 1);
        assert_eq!(kernel.log, [AddressChange { index: 2, address: ip(11), vmac: false, change: Change::Remove }]);
    }

    proptest! {
        /// Whatever is demanded, lost, refused or broken: once a flush goes through, the kernel has exactly what is held
        /// and what was there before.
        #[test]
        fn after_a_flush_the_kernel_has_what_is_held(
            steps in prop::collection::vec((0u8..7, 0u32..3, 0u8..4), 0..80),
            own in prop::collection::btree_set((0u8..4).prop_map(|last| (2, ip(last))), 0..3),
        ) {
            let (mut reconciler, mut kernel) = (Reconciler::default(), Fake { addresses: own.clone(), ..Fake::default() });
            let mut own = own;
            let mut wanted: BTreeSet<(RouterId, VirtualAddress)> = BTreeSet::new();
            for (what, router, last) in steps {
                let router = RouterId(router);
                match what {
                    0 | 1 => {
                        reconciler.hold(router, &eth0(2), ip(last));
                        wanted.insert((router, ip(last)));
                    }
                    2 => {
                        reconciler.release(router, &eth0(2).interface, ip(last));
                        wanted.remove(&(router, ip(last)));
                    }
                    3 => {
                        kernel.addresses.remove(&(2, ip(last)));
                        own.remove(&(2, ip(last)));
                        let mut again = Vec::new();
                        reconciler.find_lost(
                            |index, address| kernel.addresses.contains(&(index, address)),
                            |router, _, address| again.push((router, address)),
                        );
                        for (router, address) in again {
                            reconciler.hold(router, &eth0(2), address);
                        }
                    }
                    4 => {
                        kernel.broken = true;
                        let _ = reconciler.flush(&mut kernel, |_, _, _| ());
                        kernel.broken = false;
                    }
                    5 => {
                        reconciler.renew(Duration::from_secs(4), 0, 1);
                    }
                    _ => {
                        flush(&mut reconciler, &mut kernel);
                    }
                }
            }
            flush(&mut reconciler, &mut kernel);
            let held: BTreeSet<_> = wanted.iter().map(|&(_, address)| (2, address)).chain(own).collect();
            prop_assert_eq!(&kernel.addresses, &held);
        }
    }
}
