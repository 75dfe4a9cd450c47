//! What the kernel refuses to this program whatever it asks for: a second line, in case a mistake in it is used by
//! somebody else.
//!
//! A refused system call fails with `EPERM` rather than ending who made it: a takeover must not be lost because a library
//! does something harmless in a new way.

mod calls;

use calls::{GUARDIAN, REFUSED};
use landlock::{
    ABI, Access, AccessFs, AccessNet, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus,
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};
use std::collections::BTreeMap;

/// Why a filter is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConfinementError {
    /// The filter for system calls.
    #[error("system calls are not filtered: {0}")]
    Seccomp(#[from] seccompiler::Error),
    /// The same, where it cannot be made for this architecture.
    #[error("system calls are not filtered: {0}")]
    Architecture(#[from] seccompiler::BackendError),
    /// The rules for files.
    #[error("access to files is not restricted: {0}")]
    Landlock(#[from] RulesetError),
    /// The kernel has no such rules.
    #[error("access to files is not restricted: this kernel has no Landlock")]
    NoLandlock,
}

/// For the calling thread and what it starts, programs included: the daemon's refusals. Before any other thread starts.
pub(super) fn refuse_what_nobody_needs() -> Result<(), ConfinementError> {
    filter(&REFUSED, SeccompAction::Allow, SeccompAction::Errno(refusal()))
}

/// For the guardian: nothing but what it needs.
pub(super) fn allow_what_a_guardian_needs() -> Result<(), ConfinementError> {
    // Architectures that came later have no poll but ppoll.
    #[cfg(target_arch = "x86_64")]
    let allowed = [&GUARDIAN[..], &[libc::SYS_poll]].concat();
    #[cfg(not(target_arch = "x86_64"))]
    let allowed = GUARDIAN.to_vec();
    filter(&allowed, SeccompAction::Errno(refusal()), SeccompAction::Allow)
}

fn refusal() -> u32 {
    libc::EPERM.unsigned_abs()
}

fn filter(calls: &[libc::c_long], others: SeccompAction, these: SeccompAction) -> Result<(), ConfinementError> {
    let rules: BTreeMap<i64, Vec<_>> = calls.iter().map(|&call| (call, Vec::new())).collect();
    let architecture = TargetArch::try_from(std::env::consts::ARCH)?;
    let program: BpfProgram = SeccompFilter::new(rules, others, these, architecture)?.try_into()?;
    Ok(apply_filter(&program)?)
}

/// For the protocol thread and its guardian: files are read and programs started, but nothing is written except the
/// sysctls of the network, and there is no TCP.
pub(super) fn write_nothing() -> Result<(), ConfinementError> {
    let abi = ABI::V4;
    let rules = Ruleset::default().handle_access(AccessFs::from_all(abi))?.handle_access(AccessNet::from_all(abi))?;
    let mut rules = rules.create()?;
    for (path, access) in [("/", AccessFs::from_read(abi)), ("/proc/sys/net", AccessFs::from_all(abi))] {
        // A place that is not there need not be opened up.
        if let Ok(place) = PathFd::new(path) {
            rules = rules.add_rule(PathBeneath::new(place, access))?;
        }
    }
    match rules.restrict_self()?.ruleset {
        RulesetStatus::NotEnforced => Err(ConfinementError::NoLandlock),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}
