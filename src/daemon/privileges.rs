//! What the process must be allowed to do, checked before anything is touched.

use crate::net::keep_descriptors_from_children;
use caps::{CapSet, Capability};

/// A capability that is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "vrrpd lacks the capability {capability}, which it needs to {purpose}: \
     run it as root, or as the packaged unit does with AmbientCapabilities={capability}"
)]
pub(super) struct MissingCapability {
    /// Which.
    pub(super) capability: Capability,
    /// What for.
    pub(super) purpose: &'static str,
}

const NEEDED: [(Capability, &str); 2] = [
    (Capability::CAP_NET_RAW, "send and receive VRRP packets"),
    (Capability::CAP_NET_ADMIN, "put virtual addresses on interfaces"),
];

/// Takes ambient capabilities and inherited descriptors away, so that the programs of checks and hooks start without
/// any. Before the first thread starts: each has capabilities of its own.
pub(super) fn keep_from_children() {
    // A kernel without ambient capabilities has none to take away.
    let _ = caps::clear(None, CapSet::Ambient);
    // Linux before 5.11 cannot; service managers and shells leave none open.
    let _ = keep_descriptors_from_children();
}

/// Gives a program that takes this one's place what [`keep_from_children`] took from all others. Where the daemon runs as
/// root it has them anyway.
pub(super) fn keep_for_successor() {
    for (capability, _) in NEEDED {
        let _ = caps::raise(None, CapSet::Inheritable, capability);
        let _ = caps::raise(None, CapSet::Ambient, capability);
    }
}

/// Names the first capability that is missing.
pub(super) fn check() -> Result<(), MissingCapability> {
    for (capability, purpose) in NEEDED {
        // A kernel that does not tell will refuse the operation itself, and say so.
        if !caps::has_cap(None, CapSet::Effective, capability).unwrap_or(true) {
            return Err(MissingCapability { capability, purpose });
        }
    }
    Ok(())
}
