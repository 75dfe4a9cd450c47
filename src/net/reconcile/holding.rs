//! One address on one interface: who holds it, and whether the kernel has it.

use crate::ids::RouterId;
use crate::net::netlink::Change;
use std::time::Duration;

pub(super) struct Holding {
    pub(super) index: u32,
    pub(super) vmac: bool,
    pub(super) lifetime: Option<Duration>,
    /// Usually one; two while an address moves. None: to be removed.
    pub(super) holders: Vec<RouterId>,
    pub(super) presence: Presence,
}

/// Whether the kernel has an address, as far as is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Presence {
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

impl Holding {
    pub(super) fn is_held(&self) -> bool {
        !self.holders.is_empty()
    }

    pub(super) fn is_put(&self) -> bool {
        matches!(self.presence, Presence::Unknown | Presence::Ours | Presence::Aging)
    }
}

impl Change {
    /// What is known once the kernel has done it.
    pub(super) const fn success(self) -> Presence {
        match self {
            Self::Add { .. } | Self::Renew { .. } => Presence::Ours,
            Self::Remove => Presence::Absent,
        }
    }
}
