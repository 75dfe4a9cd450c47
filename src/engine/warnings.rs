//! Warnings, each said at most once a minute for the same router, reason and source, however many packets deserve it.

use super::Engine;
use crate::ids::{PortId, RouterId};
use crate::time::Timestamp;
use crate::vrrp::{Cause, Effects, Subject};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// How long the same warning stays quiet.
const QUIET: Duration = Duration::from_mins(1);

/// How many warnings are remembered. A flood from ever new sources reaches this and is then silent, but counted.
const REMEMBERED: usize = 256;

type Key = (PortId, Option<RouterId>, &'static str, IpAddr);

#[derive(Debug, Default)]
pub(super) struct Warnings {
    said: BTreeMap<Key, Timestamp>,
}

impl Warnings {
    /// Whether this warning may be said now; if so it counts as said.
    pub(super) fn permits(
        &mut self,
        port: PortId,
        router: Option<RouterId>,
        name: &'static str,
        from: IpAddr,
        now: Timestamp,
    ) -> bool {
        let key = (port, router, name, from);
        if self.said.get(&key).is_some_and(|&said| now - said < QUIET) {
            return false;
        }
        if self.said.len() >= REMEMBERED && !self.said.contains_key(&key) {
            self.said.retain(|_, said| now - *said < QUIET);
            if self.said.len() >= REMEMBERED {
                return false;
            }
        }
        self.said.insert(key, now);
        true
    }
}

impl Engine {
    pub(super) fn subject_of(&self, port: PortId, router: Option<RouterId>) -> Subject {
        match (router, self.links.port(port)) {
            (Some(id), _) => self.slot(id).router.subject(),
            (None, Some(port)) => Subject::Interface { name: Arc::from(port.key.interface.as_str()) },
            (None, None) => Subject::Daemon,
        }
    }
}

pub(super) fn warn(subject: Subject, warning: &'static str, from: IpAddr, detail: &str, out: &mut Effects<'_>) {
    out.record(subject, Cause::Warning { warning, from, detail: detail.into() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_said_once_a_minute_and_a_flood_of_sources_falls_silent() {
        let mut warnings = Warnings::default();
        let at = |seconds| Timestamp::from_origin(Duration::from_secs(seconds));
        let mut permits = |from: u32, seconds| {
            warnings.permits(PortId(0), None, "checksum_errors", IpAddr::V4(from.into()), at(seconds))
        };
        assert!(permits(1, 0));
        assert!(!permits(1, 59));
        assert!(permits(1, 60));
        let said = (0..10_000).filter(|&from| permits(from, 61)).count();
        assert!(said < REMEMBERED + 1, "{said} lines for a flood");
        assert!(permits(1, 200), "and speaks again afterwards");
    }
}
