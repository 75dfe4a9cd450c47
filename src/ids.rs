//! Identities: what stays the same about a router, a group, a track or an interface while all else changes.

use crate::units::{Family, Vrid};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// The name of a network interface: 1 to 15 octets, no `/`, no white space.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct InterfaceName(Arc<str>);

impl InterfaceName {
    /// The kernel's limit (`IFNAMSIZ` less the terminator).
    pub const MAX: usize = 15;

    /// `None` for a name that the kernel would refuse.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=Self::MAX).contains(&name.len());
        let legal = !name.contains(|c: char| c == '/' || c == '\0' || c.is_whitespace()) && name != "." && name != "..";
        (fits && legal).then(|| Self(name.into()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identity of a virtual router on the wire (RFC 9568, 3). Its name in the configuration is only a label.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
pub struct RouterKey {
    /// The interface that adverts are sent and heard on.
    pub interface: InterfaceName,
    /// The family of the adverts and of the advertised addresses.
    pub family: Family,
    /// The virtual router identifier.
    pub vrid: Vrid,
}

impl RouterKey {
    /// The port this router sends and listens on.
    #[must_use]
    pub fn port(&self) -> PortKey {
        PortKey { interface: self.interface.clone(), family: self.family }
    }
}

impl fmt::Display for RouterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.interface, self.family, self.vrid)
    }
}

/// The identity of a port: one receiving socket for each interface and family.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct PortKey {
    /// The interface the socket is bound to.
    pub interface: InterfaceName,
    /// The family of the packets on it.
    pub family: Family,
}

impl fmt::Display for PortKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.interface, self.family)
    }
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Deserialize, Serialize)]
        pub struct $name(pub u32);
    };
}

handle! {
    /// A virtual router for as long as the engine knows it; a reload that keeps its [`RouterKey`] keeps this.
    RouterId
}
handle! {
    /// A sync group, or the group of one that a lone router forms.
    GroupId
}
handle! {
    /// A track; it keeps its handle over a reload as long as its name stays.
    TrackerId
}
handle! {
    /// A port, given out by the engine with the action that opens it.
    PortId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interface_names_are_what_the_kernel_takes() {
        for good in ["eth0", "bond0.100", "a", "fifteen-letters"] {
            assert!(InterfaceName::new(good).is_some(), "{good}");
        }
        for bad in ["", "sixteen-letters!", "a b", "a/b", ".", ".."] {
            assert!(InterfaceName::new(bad).is_none(), "{bad}");
        }
    }
}
