use super::*;
use crate::net::message::KernelAddress;
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
fn gateways_that_all_end_in_the_same_octet_are_renewed_in_even_shares() {
    let (mut reconciler, mut kernel) = (Reconciler::default(), Fake::default());
    let lifetime = Duration::from_secs(2);
    for network in 0..64 {
        let gateway = VirtualAddress { ip: [10, 0, network, 1].into(), prefix: 24 };
        reconciler.hold(A, &Placement { lifetime: Some(lifetime), ..eth0(2) }, gateway);
    }
    flush(&mut reconciler, &mut kernel);
    for share in 0..4 {
        kernel.log.clear();
        reconciler.renew(lifetime, share, 4);
        flush(&mut reconciler, &mut kernel);
        assert_eq!(kernel.log.len(), 16);
    }
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
