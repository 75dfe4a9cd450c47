//! Adverts from an address that this host holds: its owner, back with no other address on its interface, speaks from
//! it, and the Master that has to hear that has it too. Linux drops a packet whose source is an address of its own, so
//! such an interface gets `accept_local`, for as long as there is a router on it that may hear its owner.
//!
//! Any number but 0 means yes to Linux, and nobody else writes [`OURS`]: so what a daemon that crashed has left behind
//! is known by its value, and what somebody else has set is left alone.

use super::sysctl::{Sysctl, SysctlError};
use crate::ids::{InterfaceName, PortKey};
use std::collections::BTreeSet;

const NAME: &str = "accept_local";
const NO: &str = "0";
const OURS: &str = "2";

/// The ports whose interfaces take packets from addresses of this host.
#[derive(Default)]
pub struct HeldSources {
    ports: BTreeSet<PortKey>,
}

impl HeldSources {
    /// Takes packets from addresses of this host on a port of family IPv4, or takes them no longer.
    pub fn fit(&mut self, port: &PortKey, wanted: bool) -> Result<(), SysctlError> {
        if wanted {
            self.ports.insert(port.clone());
            replace(&port.interface, NO, OURS)
        } else if self.ports.remove(port) {
            replace(&port.interface, OURS, NO)
        } else {
            Ok(())
        }
    }

    /// Sets everything back, for the end.
    pub fn close(&mut self) {
        for port in std::mem::take(&mut self.ports) {
            // What is gone has nothing to set back.
            let _ = replace(&port.interface, OURS, NO);
        }
    }
}

/// Sets back what a daemon that crashed has left behind. For the start.
pub fn sweep() {
    let Ok(interfaces) = std::fs::read_dir("/proc/sys/net/ipv4/conf") else { return };
    let names = interfaces.flatten().filter_map(|entry| InterfaceName::new(entry.file_name().to_str()?));
    for interface in names {
        // One that cannot be written to now will not be writable for us later either.
        let _ = replace(&interface, OURS, NO);
    }
}

fn replace(interface: &InterfaceName, from: &str, to: &str) -> Result<(), SysctlError> {
    let sysctl = Sysctl::ipv4(interface, NAME);
    if sysctl.read().as_deref() == Some(from) { sysctl.write(to) } else { Ok(()) }
}
