//! Routes and rules that are held together with the virtual addresses.

use crate::ids::InterfaceName;
use crate::units::{Family, VirtualAddress};
use std::fmt;
use std::net::IpAddr;

/// A route that the Master holds.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct VirtualRoute {
    /// The destination.
    pub to: VirtualAddress,
    /// The next hop, of the same family; `None`: it is on the device's link.
    pub via: Option<IpAddr>,
    /// The interface; `None`: the one that leads to the next hop.
    pub device: Option<InterfaceName>,
    /// The routing table; 254 is the main one.
    pub table: u32,
    /// The metric; `None` is the kernel's default.
    pub metric: Option<u32>,
    /// The source address of this host's own packets that take the route.
    pub source: Option<IpAddr>,
}

impl VirtualRoute {
    /// The main routing table.
    pub const MAIN: u32 = 254;
}

impl fmt::Display for VirtualRoute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route to {}", self.to)?;
        if let Some(via) = self.via {
            write!(f, " via {via}")?;
        }
        if let Some(device) = &self.device {
            write!(f, " dev {device}")?;
        }
        if self.table != Self::MAIN {
            write!(f, " table {}", self.table)?;
        }
        Ok(())
    }
}

/// A routing rule that the Master holds.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct VirtualRule {
    /// Whose packets.
    pub family: Family,
    /// Where they come from; `None`: from anywhere.
    pub from: Option<VirtualAddress>,
    /// Where they go to; `None`: to anywhere.
    pub to: Option<VirtualAddress>,
    /// The table to look in.
    pub table: u32,
    /// The lowest is looked at first.
    pub priority: u32,
}

impl fmt::Display for VirtualRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "rule {}:", self.priority)?;
        if let Some(from) = self.from {
            write!(f, " from {from}")?;
        }
        if let Some(to) = self.to {
            write!(f, " to {to}")?;
        }
        write!(f, " lookup {}", self.table)
    }
}
