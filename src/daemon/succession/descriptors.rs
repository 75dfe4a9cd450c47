//! Descriptors from a predecessor: over an `exec`, or from the service manager's store.

use super::super::systemd::Notifier;
use crate::net::take_descriptor;
use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::os::fd::{OwnedFd, RawFd};

/// Where a daemon that runs another program in its place says which descriptors are for it: `PID:NAME=NUMBER:...`
pub(super) const VARIABLE: &str = "VRRPD_SUCCESSION";

/// Where a service manager says it (`sd_listen_fds(3)`): for which process, how many, their names.
pub(super) const OF_MANAGER: [&str; 3] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"];

/// The first descriptor of those that a service manager passes (`sd_listen_fds(3)`).
const FIRST: RawFd = 3;

/// Descriptors by their names.
#[derive(Debug)]
pub(super) struct Descriptors(BTreeMap<String, OwnedFd>);

impl Descriptors {
    /// Takes possession of what was passed to this process.
    pub(super) fn collect() -> Self {
        let variable = |name: &str| env::var(name).unwrap_or_default();
        let own = by_exec(&variable(VARIABLE), std::process::id());
        let [for_pid, count, names] = OF_MANAGER.map(variable);
        let stored = by_manager(&for_pid, &count, &names, std::process::id());
        if !stored.is_empty() {
            // What is in the store would keep the guardian from seeing the end of this process.
            let names: BTreeSet<&str> = stored.iter().map(|(name, _)| &**name).collect();
            let notifier = Notifier::from_environment();
            names.into_iter().for_each(|name| notifier.forget(name));
        }
        let all = own.into_iter().chain(stored);
        Self(all.filter_map(|(name, number)| Some((name, take_descriptor(number).ok()?))).collect())
    }

    pub(super) fn into_inner(self) -> BTreeMap<String, OwnedFd> {
        self.0
    }
}

/// What an `exec` of this process passed on.
fn by_exec(value: &str, pid: u32) -> Vec<(String, RawFd)> {
    let mut parts = value.split(':');
    if parts.next().and_then(|part| part.parse().ok()) != Some(pid) {
        return Vec::new();
    }
    let pair = |part: &str| {
        let (name, number) = part.split_once('=')?;
        Some((name.to_owned(), number.parse().ok().filter(|&number| number >= FIRST)?))
    };
    parts.filter_map(pair).collect()
}

/// What the service manager passed on.
fn by_manager(for_pid: &str, count: &str, names: &str, pid: u32) -> Vec<(String, RawFd)> {
    if for_pid.parse() != Ok(pid) {
        return Vec::new();
    }
    let count = count.parse().unwrap_or(0);
    names.split(':').take(count).zip(FIRST..).map(|(name, number)| (name.to_owned(), number)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(expected: &[(&str, RawFd)]) -> Vec<(String, RawFd)> {
        expected.iter().map(|&(name, number)| (name.to_owned(), number)).collect()
    }

    #[test]
    fn what_is_for_another_process_or_makes_no_sense_is_left_alone() {
        for (value, expected) in [
            ("7:state=5:guardian.9=4", &[("state", 5), ("guardian.9", 4)][..]),
            ("8:state=5", &[]),
            ("", &[]),
            ("7", &[]),
            ("7:state:port=x:state=1:", &[]),
        ] {
            assert_eq!(by_exec(value, 7), pairs(expected), "{value}");
        }
        for (for_pid, count, names, expected) in [
            ("7", "2", "state:guardian.9", &[("state", 3), ("guardian.9", 4)][..]),
            ("7", "1", "state:guardian.9", &[("state", 3)]),
            ("8", "2", "state:guardian.9", &[]),
            ("", "", "", &[]),
            ("7", "many", "state", &[]),
        ] {
            assert_eq!(by_manager(for_pid, count, names, 7), pairs(expected), "{for_pid} {count} {names}");
        }
    }
}
