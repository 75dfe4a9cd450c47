//! What the process must be allowed to do, checked before anything is touched; and what each part of it gives up.
//!
//! | | effective | besides, permitted |
//! |---|---|---|
//! | protocol thread, guardian | `NET_ADMIN`, `NET_RAW` | |
//! | service side | `NET_ADMIN`, `NET_RAW`, `KILL` | what the next line, and an upgrade, need |
//! | threads that start programs | `SETUID`, `SETGID` | |
//! | log, history, signals; programs | | |
//!
//! All of them as far as the daemon was given them: under the packaged unit there are the first two.

use crate::net::keep_descriptors_from_children;
use caps::{CapSet, Capability, CapsHashSet};
use rustix::thread::{CapabilitiesSecureBits, set_capabilities_secure_bits};

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

const NETWORK: [Capability; 2] = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW];
/// To end a program of another user.
const SERVICE: [Capability; 3] = [Capability::CAP_NET_ADMIN, Capability::CAP_NET_RAW, Capability::CAP_KILL];
/// To start a program as another user.
const RUNNER: [Capability; 2] = [Capability::CAP_SETUID, Capability::CAP_SETGID];
/// What the service side keeps without using it: for the threads that it starts, `SETPCAP` for [`run_programs_only`] among
/// them, and for its successor on an upgrade, which binds the control socket and may run in real time.
const KEPT: [Capability; 8] = [
    Capability::CAP_NET_ADMIN,
    Capability::CAP_NET_RAW,
    Capability::CAP_KILL,
    Capability::CAP_SETUID,
    Capability::CAP_SETGID,
    Capability::CAP_SETPCAP,
    Capability::CAP_CHOWN,
    Capability::CAP_SYS_NICE,
];

/// Gives a program that takes this one's place what [`serve_only`] took from all others. Where the daemon runs as
/// root it has them anyway.
pub(super) fn keep_for_successor() {
    // The successor locks its memory before it gives anything up, as this one did.
    hand_down(KEPT.into_iter().chain([Capability::CAP_IPC_LOCK]));
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

/// Of the calling thread, before anything else: all that a start takes, and no right to files that their owners and modes
/// do not give, so that what can be read at the start can be read at a reload.
pub(super) fn start_only() {
    keep(&KEPT, &KEPT);
}

/// Does something in a thread that has no capabilities, nor have the threads that it starts.
pub(super) fn without_any<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    let bare = || {
        keep(&[], &[]);
        work()
    };
    std::thread::scope(|scope| match scope.spawn(bare).join() {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Of the calling thread, the one that serves: nothing but what it uses and has to pass on. Takes ambient capabilities
/// and inherited descriptors away, so that no program starts with any.
pub(super) fn serve_only() {
    // A kernel without ambient capabilities has none to take away.
    let _ = caps::clear(None, CapSet::Ambient);
    keep(&SERVICE, &KEPT);
    let _ = caps::clear(None, CapSet::Inheritable);
    // Linux before 5.11 cannot; service managers and shells leave none open.
    let _ = keep_descriptors_from_children();
}

/// Of the calling thread, the one that runs the protocol: it keeps, for the guardian that it starts, what it uses.
pub(super) fn network_only() {
    keep(&NETWORK, &NETWORK);
    hand_down(NETWORK);
}

/// Of the calling thread, one that starts programs: those get no capabilities, not even as root.
pub(super) fn run_programs_only() {
    // Both take SETPCAP, which a daemon that is not root does not have, and need not: its programs are not root either.
    let _ = caps::raise(None, CapSet::Effective, Capability::CAP_SETPCAP);
    let _ = set_capabilities_secure_bits(CapabilitiesSecureBits::NO_ROOT | CapabilitiesSecureBits::NO_ROOT_LOCKED);
    let _ = caps::clear(None, CapSet::Bounding);
    keep(&RUNNER, &RUNNER);
}

/// Lets programs that the calling thread starts have these. What the thread does not have is no error.
fn hand_down(capabilities: impl IntoIterator<Item = Capability>) {
    for capability in capabilities {
        let _ = caps::raise(None, CapSet::Inheritable, capability);
        let _ = caps::raise(None, CapSet::Ambient, capability);
    }
}

/// Drops everything else. What the thread does not have is no error.
fn keep(effective: &[Capability], permitted: &[Capability]) {
    let has = caps::read(None, CapSet::Permitted).unwrap_or_default();
    let of = |wanted: &[Capability]| wanted.iter().copied().filter(|one| has.contains(one)).collect::<CapsHashSet>();
    // First the smaller set: what is effective must be permitted.
    let _ = caps::clear(None, CapSet::Effective);
    let _ = caps::set(None, CapSet::Permitted, &of(permitted));
    let _ = caps::set(None, CapSet::Effective, &of(effective));
}
