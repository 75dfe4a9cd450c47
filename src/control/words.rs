//! What the core's reasons say in English: one place for status, explanations, the log and the history.

use crate::engine::{Drain, RouterStatus};
use crate::time::Timestamp;
use crate::units::Priority;
use crate::vrrp::{Evidence, Role, Unfit, Why};
use std::net::IpAddr;
use std::time::Duration;

/// A span in seconds, to the millisecond: `3.609 s`.
#[must_use]
pub fn seconds(span: Duration) -> String {
    format!("{:.3} s", span.as_secs_f64())
}

/// A span in its two greatest units: `3h 12m`.
#[must_use]
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match () {
        () if days > 0 => format!("{days}d {}h", hours % 24),
        () if hours > 0 => format!("{hours}h {}m", minutes % 60),
        () if minutes > 0 => format!("{minutes}m {}s", seconds % 60),
        () => format!("{:.1}s", span.as_secs_f64()),
    }
}

/// Text from outside (what a check printed, say) as it may go to a terminal or a log: on one line, and without
/// control characters.
#[must_use]
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// What makes a router unfit.
pub(super) fn unfit(unfit: &Unfit) -> String {
    match unfit {
        Unfit::Starting => "the daemon is starting".to_owned(),
        Unfit::StartupDelay => "the startup delay runs".to_owned(),
        Unfit::InterfaceMissing => "its interface does not exist".to_owned(),
        Unfit::InterfaceDown => "its interface is down or has no carrier".to_owned(),
        Unfit::NoSourceAddress => "its interface has no address to send adverts from".to_owned(),
        Unfit::TrackFailed { track } => format!("the required track {track} fails"),
        Unfit::KernelRefused { error } => format!("the kernel refused what it needs: {error}"),
        Unfit::Interference { what, by } => {
            format!("{what} was removed again and again, last by {}", somebody(by.as_deref()))
        }
        Unfit::Stopping => "the daemon is stopping".to_owned(),
    }
}

/// Who did something, where that is known.
pub(super) fn somebody(by: Option<&str>) -> &str {
    by.unwrap_or("somebody")
}

/// Why a router changed its state, with what it saw.
pub(super) fn because(why: Why, evidence: &Evidence, priority: Option<Priority>, group: Option<&str>) -> String {
    let peer = evidence.heard_from.map_or_else(|| "the other router".to_owned(), |from| from.to_string());
    let at = |text: &str| evidence.heard_priority.map_or_else(|| text.to_owned(), |heard| format!("{text} {heard}"));
    match why {
        Why::Started => "it is ready to stand in the election".to_owned(),
        Why::Owner => "it owns the addresses (priority 255)".to_owned(),
        Why::MasterSilent => silent(evidence),
        Why::MasterResigned => format!("{peer} resigned (priority 0)"),
        Why::PreemptsLower => format!("it displaces {peer}, which has the {}", at("lower priority")),
        Why::HigherPriority => format!("{peer} has the {}", at("higher priority")),
        Why::HigherAddress => format!("{peer} has the {} and the higher address", at("same priority")),
        Why::NobodyTookOver => "it had handed over, and nobody else was heard".to_owned(),
        Why::Demoted => priority.map_or_else(
            || "a track lowered its priority".to_owned(),
            |priority| format!("a track lowered its priority to {priority}"),
        ),
        Why::Unfit => evidence.unfit.as_ref().map_or_else(|| "something it needs has failed".to_owned(), unfit),
        Why::HeldByGroup => group.map_or_else(
            || "another member of its sync group cannot be Master".to_owned(),
            |group| format!("another member of sync group {group} cannot be Master"),
        ),
        Why::Drained => "an operator drained it".to_owned(),
        Why::Stalled => "this host was held up for longer than its peers wait".to_owned(),
        Why::Stopping => "the daemon is stopping".to_owned(),
        Why::Removed => "a reload removed it".to_owned(),
    }
}

fn silent(evidence: &Evidence) -> String {
    let span = evidence.heard_ago.map(|ago| format!(" for {}", seconds(ago))).unwrap_or_default();
    match (evidence.heard_from, evidence.heard_priority) {
        (Some(from), Some(priority)) => format!("no advert from {from} (priority {priority}){span}"),
        (Some(from), None) => format!("no advert from {from}{span}"),
        (None, _) => format!("no Master was heard{span}"),
    }
}

/// Why a router is not Master, in words; `None` where it is.
#[must_use]
pub fn why_not_master(router: &RouterStatus, now: Timestamp) -> Option<String> {
    if router.role == Role::Master {
        return None;
    }
    if let Some(drain) = &router.drain {
        return Some(drained(router, drain, now));
    }
    if let Some(cause) = &router.unfit {
        return Some(unfit(cause));
    }
    if let Some(member) = &router.blocked_by {
        let group = router.group.as_deref().unwrap_or("its group");
        return Some(format!("sync group {group} is held back by {member}"));
    }
    if !router.waits_for.is_empty() {
        return Some(format!("it may take over only while healthy: {}", router.waits_for.join(", ")));
    }
    Some(match &router.master {
        Some(master) => other_master(router, master.address, master.priority, now),
        None => takes_over(router, now, "no Master heard yet"),
    })
}

fn drained(router: &RouterStatus, drain: &Drain, now: Timestamp) -> String {
    let Drain { by, until, handing_over, .. } = drain;
    if *handing_over {
        return format!("drained by {by}; it has resigned, and keeps its addresses until another Master is heard");
    }
    let span = until.map(|until| format!(" for another {}", span(until - now))).unwrap_or_default();
    let besides = router.unfit.as_ref().map(|cause| format!("; besides, {}", unfit(cause))).unwrap_or_default();
    format!("drained by {by}{span}: maintenance (vrrpctl undrain {} ends it){besides}", router.name)
}

fn other_master(router: &RouterStatus, address: IpAddr, priority: Option<Priority>, now: Timestamp) -> String {
    match priority {
        None => takes_over(router, now, &format!("{address} has resigned")),
        Some(theirs) if theirs > router.priority => format!("{address} is Master with the higher priority {theirs}"),
        Some(theirs) if theirs == router.priority => format!("{address} is Master with the same priority {theirs}"),
        Some(theirs) => {
            format!("{address} is Master with the lower priority {theirs}: preemption is off or still waits")
        }
    }
}

fn takes_over(router: &RouterStatus, now: Timestamp, because: &str) -> String {
    router.deadline.map_or_else(
        || because.to_owned(),
        |deadline| format!("{because}; takes over in {} unless a Master is heard", seconds(deadline - now)),
    )
}

#[cfg(test)]
mod tests {
    use super::super::testing::{at, backup, drain, master, priority};
    use super::*;
    use crate::engine::MasterStatus;

    fn why(router: &RouterStatus) -> String {
        why_not_master(router, at(10_000)).unwrap()
    }

    fn heard(theirs: Option<u8>) -> RouterStatus {
        let master = MasterStatus { priority: theirs.map(priority), ..backup().master.unwrap() };
        RouterStatus { master: Some(master), ..backup() }
    }

    #[test]
    fn a_master_needs_no_excuse() {
        assert_eq!(why_not_master(&master(), at(10_000)), None);
    }

    #[test]
    fn everything_that_makes_a_router_unfit_has_words() {
        for (cause, expected) in [
            (Unfit::Starting, "the daemon is starting"),
            (Unfit::StartupDelay, "the startup delay runs"),
            (Unfit::InterfaceMissing, "its interface does not exist"),
            (Unfit::InterfaceDown, "its interface is down or has no carrier"),
            (Unfit::NoSourceAddress, "its interface has no address to send adverts from"),
            (Unfit::TrackFailed { track: "nginx".into() }, "the required track nginx fails"),
            (Unfit::KernelRefused { error: "bind: no".into() }, "the kernel refused what it needs: bind: no"),
            (
                Unfit::Interference { what: "the address 192.0.2.10/24".into(), by: None },
                "the address 192.0.2.10/24 was removed again and again, last by somebody",
            ),
            (Unfit::Stopping, "the daemon is stopping"),
        ] {
            assert_eq!(why(&RouterStatus { unfit: Some(cause), role: Role::Fault, ..backup() }), expected);
        }
    }

    #[test]
    fn a_backup_says_what_it_waits_for() {
        for (router, expected) in [
            (backup(), "192.168.100.1 is Master with the higher priority 150"),
            (heard(Some(80)), "192.168.100.1 is Master with the same priority 80"),
            (heard(Some(70)), "192.168.100.1 is Master with the lower priority 70: preemption is off or still waits"),
            (heard(None), "192.168.100.1 has resigned; takes over in 3.500 s unless a Master is heard"),
            (
                RouterStatus { master: None, ..backup() },
                "no Master heard yet; takes over in 3.500 s unless a Master is heard",
            ),
            (RouterStatus { master: None, deadline: None, ..backup() }, "no Master heard yet"),
            (
                RouterStatus { drain: Some(drain(false)), ..backup() },
                "drained by root (uid 0) for another 30m 0s: maintenance (vrrpctl undrain web ends it)",
            ),
            (
                RouterStatus { drain: Some(drain(true)), ..backup() },
                "drained by root (uid 0); it has resigned, and keeps its addresses until another Master is heard",
            ),
            (
                RouterStatus { drain: Some(drain(false)), unfit: Some(Unfit::InterfaceDown), ..backup() },
                "drained by root (uid 0) for another 30m 0s: maintenance (vrrpctl undrain web ends it); \
                 besides, its interface is down or has no carrier",
            ),
            (
                RouterStatus { blocked_by: Some("web6".into()), group: Some("site".into()), ..backup() },
                "sync group site is held back by web6",
            ),
            (
                RouterStatus { waits_for: vec!["gateway".into(), "dns".into()], ..backup() },
                "it may take over only while healthy: gateway, dns",
            ),
        ] {
            assert_eq!(why(&router), expected);
        }
    }
}
