//! Warnings, each said at most once a minute for the same router, reason and source, however many packets deserve it.

use super::oddity::Oddity;
use super::{Engine, Slot, WarningStatus};
use crate::ids::{PortId, RouterId};
use crate::time::Timestamp;
use crate::vrrp::{Cause, Effects, SPLIT_BRAIN, Subject};
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

/// How long the same warning stays quiet.
const QUIET: Duration = Duration::from_mins(1);

/// How many warnings are remembered. A flood from ever new sources reaches this and is then silent, but counted.
const REMEMBERED: usize = 256;

/// How long a warning stays in force after what it is about was last seen, unless its signs are rarer than that.
const IN_FORCE: Duration = Duration::from_secs(10);

type Key = (PortId, Option<RouterId>, &'static str, IpAddr);

#[derive(Debug, Default)]
pub(super) struct Warnings {
    said: BTreeMap<Key, Timestamp>,
    seen: BTreeMap<(RouterId, &'static str, IpAddr), Seen>,
}

/// What a router's warning is about, from the first time to the last without a pause.
#[derive(Debug)]
struct Seen {
    since: Timestamp,
    last: Timestamp,
    /// For how long after the last time it is in force.
    lasts: Duration,
    oddity: Oddity,
}

impl Seen {
    fn is_over(&self, now: Timestamp) -> bool {
        now - self.last >= self.lasts
    }
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

    /// Something odd was seen, now. `spacing` is how far apart its signs are while it lasts.
    pub(super) fn note(&mut self, router: RouterId, oddity: Oddity, from: IpAddr, spacing: Duration, now: Timestamp) {
        let key = (router, oddity.name(), from);
        if self.seen.len() >= REMEMBERED && !self.seen.contains_key(&key) {
            self.seen.retain(|_, seen| !seen.is_over(now));
            if self.seen.len() >= REMEMBERED {
                return;
            }
        }
        let lasts = IN_FORCE.max(spacing * 3);
        let seen = self.seen.entry(key).or_insert(Seen { since: now, last: now, lasts, oddity });
        if seen.is_over(now) {
            seen.since = now;
        }
        (seen.last, seen.lasts, seen.oddity) = (now, lasts, oddity);
    }

    fn in_force(&self, router: RouterId, now: Timestamp) -> impl Iterator<Item = WarningStatus> {
        let first = (router, "", IpAddr::V4(Ipv4Addr::UNSPECIFIED));
        let of_router = self.seen.range(first..).take_while(move |((id, ..), _)| *id == router);
        of_router.filter(move |(_, seen)| !seen.is_over(now)).map(|(&(_, name, from), seen)| WarningStatus {
            name,
            from,
            since: seen.since,
            detail: seen.oddity.to_string().into(),
        })
    }
}

impl Engine {
    pub(super) fn warnings_in_force(&self, slot: &Slot, now: Timestamp) -> Vec<WarningStatus> {
        let split = slot.router.rival().map(|(from, since)| WarningStatus {
            name: "split_brain",
            from,
            since,
            detail: SPLIT_BRAIN.into(),
        });
        split.into_iter().chain(self.warnings.in_force(slot.router.id(), now)).collect()
    }

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

    #[test]
    fn a_warning_is_in_force_for_ten_seconds_or_three_adverts() {
        let at = |seconds| Timestamp::from_origin(Duration::from_secs(seconds));
        let from = IpAddr::from([192, 0, 2, 1]);
        let (web, db) = (RouterId(1), RouterId(2));
        let since = |warnings: &Warnings, router, seconds| {
            let in_force: Vec<_> = warnings.in_force(router, at(seconds)).collect();
            assert!(in_force.len() < 2, "{in_force:?}");
            in_force.first().map(|warning| (warning.name, warning.since))
        };
        let mut warnings = Warnings::default();
        warnings.note(web, Oddity::EqualPriority, from, Duration::from_secs(1), at(100));
        warnings.note(web, Oddity::EqualPriority, from, Duration::from_secs(1), at(105));
        warnings.note(db, Oddity::OwnerConflict, from, Duration::from_secs(40), at(100));
        assert_eq!(since(&warnings, web, 114), Some(("equal_priority", at(100))));
        assert_eq!(since(&warnings, web, 115), None, "over");
        assert_eq!(since(&warnings, db, 219), Some(("owner_conflicts", at(100))));
        assert_eq!(since(&warnings, db, 220), None);
        warnings.note(web, Oddity::EqualPriority, from, Duration::from_secs(1), at(300));
        assert_eq!(since(&warnings, web, 301), Some(("equal_priority", at(300))), "after a pause it is new");
        for source in 0..10_000_u32 {
            warnings.note(web, Oddity::AuthFailure, IpAddr::V4(source.into()), Duration::from_secs(1), at(301));
        }
        assert!(warnings.seen.len() <= REMEMBERED, "a flood of sources is bounded");
    }
}
