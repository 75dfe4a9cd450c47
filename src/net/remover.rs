//! Who removed something: a notice of the kernel carries the netlink port of the socket that asked for the change. By
//! convention, which the kernel follows where a program leaves the choice to it, the first such socket of a process has
//! the process's own number. More than that the kernel does not tell, and where an interface is asked in older ways
//! (`ifconfig`), or an IPv6 address is concerned, not even the port.

use super::message::KernelAddress;
use crate::units::VirtualAddress;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The ports seen removing something since anybody asked.
#[derive(Default)]
pub(super) struct Removers {
    addresses: BTreeMap<(u32, VirtualAddress), u32>,
    links: BTreeMap<u32, u32>,
    route: Option<u32>,
}

impl Removers {
    /// An address is gone.
    pub(super) fn note_address(&mut self, gone: &KernelAddress, port: u32) {
        if gone.tagged && port != 0 {
            self.addresses.insert((gone.index, gone.address), port);
        }
    }

    /// An interface is gone, with what was on it.
    pub(super) fn note_link(&mut self, index: u32, port: u32) {
        if port != 0 {
            self.links.insert(index, port);
        }
    }

    /// A route or rule is gone.
    pub(super) fn note_route(&mut self, port: u32) {
        self.route = Some(port).filter(|&port| port != 0);
    }

    /// Who removed an address.
    pub(super) fn of_address(&self, index: u32, address: VirtualAddress) -> Option<Arc<str>> {
        self.addresses.get(&(index, address)).or_else(|| self.links.get(&index)).copied().map(describe)
    }

    /// Everything lost has been told.
    pub(super) fn forget_addresses(&mut self) {
        self.addresses.clear();
        self.links.clear();
    }

    /// Who removed a route or rule, since this was last asked.
    pub(super) fn of_routes(&mut self) -> Option<Arc<str>> {
        self.route.take().map(describe)
    }
}

/// Who a port belongs to, as far as can be seen from here.
fn describe(port: u32) -> Arc<str> {
    match std::fs::read_to_string(format!("/proc/{port}/comm")) {
        Ok(name) => format!("netlink port {port}, process {} (pid {port})", name.trim_end()).into(),
        Err(_) => format!("netlink port {port}, of no process that is still there by that number").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_is_named_after_its_process_where_there_is_one() {
        let own = std::process::id();
        let name = std::fs::read_to_string("/proc/self/comm").expect("every process has one");
        assert_eq!(*describe(own), format!("netlink port {own}, process {} (pid {own})", name.trim_end()));
        assert!(describe(u32::MAX).ends_with("no process that is still there by that number"));
    }

    #[test]
    fn what_went_with_its_interface_was_removed_by_who_removed_that() {
        let address = VirtualAddress::host([192, 0, 2, 1].into());
        let gone = KernelAddress { index: 2, address, tagged: true, secondary: false, tentative: false };
        let mut removers = Removers::default();
        removers.note_link(2, u32::MAX);
        assert!(removers.of_address(2, address).is_some());
        assert!(removers.of_address(3, address).is_none());
        removers.forget_addresses();
        removers.note_address(&gone, 0);
        assert!(removers.of_address(2, address).is_none(), "the kernel does not tell");
        removers.note_address(&gone, u32::MAX);
        assert!(removers.of_address(2, address).is_some());
    }
}
