//! One virtual router in words: what it is, why, what bears on it, and what would have to change for it to be Master.

use super::backend::Status;
use super::wall::WallClock;
use super::words::{because, one_line, seconds, span, unfit, why_not_master};
use crate::engine::{RouterStatus, Snapshot, TrackerStatus};
use crate::time::Timestamp;
use crate::units::Priority;
use crate::vrrp::{Preempt, Role, Unfit};
use std::fmt::Write;
use std::time::Duration;

/// Explains the router with this label; the error names the known ones.
pub fn explain(status: &Status, name: &str) -> Result<String, String> {
    let Status { snapshot, clock, .. } = status;
    let Some(router) = snapshot.routers.iter().find(|router| &*router.name == name) else {
        let known: Vec<&str> = snapshot.routers.iter().map(|router| &*router.name).collect();
        let known =
            if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) };
        return Err(format!("no virtual router is called {name}: {known}"));
    };
    let mut out = Paragraphs::default();
    out.line(&standing(router, snapshot.at, *clock));
    out.line(&identity(router));
    out.line(&heard(router, snapshot.at));
    out.section("Maintenance", drained(router, *clock));
    out.section("Priority", arithmetic(router));
    out.section("Tracks", tracks(router, snapshot));
    out.section("Sync group", group(router, snapshot));
    out.section("Warnings in force", warnings(router, snapshot.at));
    let heading = if router.role == Role::Master { "It stays Master" } else { "For it to become Master" };
    out.section(heading, what_would_have_to_change(router, snapshot));
    Ok(out.0)
}

#[derive(Default)]
struct Paragraphs(String);

impl Paragraphs {
    fn line(&mut self, text: &str) {
        self.0.push_str(&one_line(text));
        self.0.push('\n');
    }

    fn section(&mut self, heading: &str, lines: Vec<String>) {
        if lines.is_empty() {
            return;
        }
        let _ = write!(self.0, "\n{heading}:\n");
        for line in lines {
            self.line(&format!("  {line}"));
        }
    }
}

fn standing(router: &RouterStatus, now: Timestamp, clock: WallClock) -> String {
    let why = because(router.why, &router.evidence, Some(router.priority), router.group.as_deref());
    let maintenance = if router.drain.is_some() { " (drained: maintenance)" } else { "" };
    format!(
        "{} is {}{maintenance} since {}, for {}: {why} [{}]",
        router.name,
        router.role.name(),
        clock.rfc3339(router.since),
        span(now - router.since),
        router.why.name()
    )
}

fn identity(router: &RouterStatus) -> String {
    let listed = |addresses: &[crate::units::VirtualAddress]| {
        addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
    };
    let held = if router.held.is_empty() { "nothing".to_owned() } else { listed(&router.held) };
    format!(
        "It is virtual router {} ({}, VRRPv{}) on {} for {}; it holds {held}.",
        router.key.vrid,
        router.key.family,
        router.version.number(),
        router.key.interface,
        listed(&router.addresses)
    )
}

fn heard(router: &RouterStatus, now: Timestamp) -> String {
    match &router.master {
        Some(own) if router.role == Role::Master => {
            format!("It sends adverts from {}, the last {} ago.", own.address, seconds(now - own.heard))
        }
        Some(master) => match master.priority {
            Some(priority) => format!(
                "It last heard {} as Master with priority {priority}, {} ago.",
                master.address,
                seconds(now - master.heard)
            ),
            None => format!("It last heard {} resign, {} ago.", master.address, seconds(now - master.heard)),
        },
        None => "It has heard no Master since it stands in the election.".to_owned(),
    }
}

fn drained(router: &RouterStatus, clock: WallClock) -> Vec<String> {
    let Some(drain) = &router.drain else { return Vec::new() };
    let until = match drain.until {
        Some(until) => format!("until {}", clock.rfc3339(until)),
        None => "until it is undrained".to_owned(),
    };
    let mut lines = vec![format!("drained by {} at {}, {until}", drain.by, clock.rfc3339(drain.since))];
    if drain.handing_over {
        lines.push("it has resigned and keeps its addresses until another Master is heard".to_owned());
    }
    lines
}

fn arithmetic(router: &RouterStatus) -> Vec<String> {
    let mut lines = vec![format!("{:>5}  configured", router.base_priority)];
    for track in router.tracks.iter().filter(|track| track.weight.is_some()) {
        let health = health(track.healthy);
        lines.push(format!("{:>+5}  track {} is {health}", track.contribution, track.name));
    }
    let sum = router.tracks.iter().fold(i32::from(router.base_priority.get()), |sum, one| sum + one.contribution);
    let limited = sum != i32::from(router.priority.get());
    let note = match () {
        () if router.unfit.is_some() => ", while it is unfit it does not count",
        () if router.base_priority.is_owner() => ", an owner's is not moved",
        () if limited => ", kept between 1 and 254",
        () => "",
    };
    lines.push(format!("{:>5}  in force{note}", router.priority));
    if let Some(theirs) = others_priority(router) {
        lines.push(format!("{theirs:>5}  of the other Master"));
    }
    lines
}

fn others_priority(router: &RouterStatus) -> Option<Priority> {
    router.master.filter(|_| router.role != Role::Master).and_then(|master| master.priority)
}

const fn health(healthy: Option<bool>) -> &'static str {
    match healthy {
        Some(true) => "healthy",
        Some(false) => "failing",
        None => "not known yet",
    }
}

fn tracks(router: &RouterStatus, snapshot: &Snapshot) -> Vec<String> {
    let tracker = |name: &str| snapshot.trackers.iter().find(|tracker| &*tracker.name == name);
    let attached = router.tracks.iter().map(|track| {
        let effect = match track.weight {
            None => "required".to_owned(),
            Some(weight) => format!("weight {weight:+}"),
        };
        described(&track.name, &effect, track.healthy, tracker(&track.name), snapshot.at)
    });
    let awaited = router.waits_for.iter().filter(|name| router.tracks.iter().all(|track| track.name != **name));
    let awaited = awaited.map(|name| {
        let known = tracker(name);
        described(name, "promote_only_with", known.and_then(|known| known.healthy), known, snapshot.at)
    });
    attached.chain(awaited).collect()
}

fn described(
    name: &str,
    effect: &str,
    healthy: Option<bool>,
    tracker: Option<&TrackerStatus>,
    now: Timestamp,
) -> String {
    let Some(tracker) = tracker else { return format!("{name} ({effect}): {}", health(healthy)) };
    let (kind, lasts) = (tracker.kind, span(now - tracker.since));
    let TrackerStatus { last_result, runs, failures, .. } = tracker;
    let mut text = format!("{name} ({kind}, {effect}): {} for {lasts}; last result: {last_result}", health(healthy));
    if *runs > 0 {
        let _ = write!(text, "; {failures} of {runs} runs failed");
    }
    text
}

fn group(router: &RouterStatus, snapshot: &Snapshot) -> Vec<String> {
    let Some(group) = snapshot.groups.iter().find(|group| Some(&group.name) == router.group.as_ref()) else {
        return Vec::new();
    };
    let members: Vec<String> = group
        .members
        .iter()
        .map(|member| {
            let role = snapshot.routers.iter().find(|other| other.name == *member).map_or("?", |one| one.role.name());
            format!("{member} {role}")
        })
        .collect();
    let mut lines = vec![format!("{}: its members stand and fall together: {}", group.name, members.join(", "))];
    lines.extend(group.blocked_by.as_ref().map(|member| format!("{member} holds it back (vrrpctl explain {member})")));
    lines
}

fn warnings(router: &RouterStatus, now: Timestamp) -> Vec<String> {
    let warning = |one: &crate::engine::WarningStatus| {
        format!("{} from {} for {}: {}", one.name, one.from, span(now - one.since), one.detail)
    };
    router.warnings.iter().map(warning).collect()
}

fn what_would_have_to_change(router: &RouterStatus, snapshot: &Snapshot) -> Vec<String> {
    if router.role == Role::Master {
        return vec![stays(router)];
    }
    let mut steps = Vec::new();
    if router.drain.is_some() {
        steps.push(format!("end the drain: vrrpctl undrain {}", router.name));
    }
    steps.extend(router.unfit.as_ref().map(|cause| format!("{}: {}", unfit(cause), remedy(cause, router))));
    if let Some(member) = &router.blocked_by {
        steps.push(format!("{member} must be able to be Master too: vrrpctl explain {member}"));
    }
    if !router.waits_for.is_empty() {
        steps.push(format!("these must be healthy before it takes over: {}", router.waits_for.join(", ")));
    }
    if router.unfit.is_none() {
        steps.push(election(router, snapshot));
    }
    steps
}

fn stays(router: &RouterStatus) -> String {
    format!(
        "until another router sends adverts with a priority above {}, or with {} from a higher address, or something \
         that it needs fails",
        router.priority, router.priority
    )
}

/// What it takes to win, for a router that nothing else keeps from it.
fn election(router: &RouterStatus, snapshot: &Snapshot) -> String {
    let silence = seconds(router.master_interval.down(router.version, router.priority));
    let Some(master) = router.master else {
        return why_not_master(router, snapshot.at).map_or_else(
            || format!("no Master heard for {silence}"),
            |why| if router.drain.is_some() { format!("no Master heard for {silence}") } else { why },
        );
    };
    let address = master.address;
    match master.priority {
        None => format!("{address} has resigned: it takes over unless another Master is heard"),
        Some(theirs) if theirs >= router.priority => format!(
            "{address} must fall silent for {silence} or resign, or this router's priority must exceed {theirs} (it is \
             {}){}",
            router.priority,
            regained(router, theirs)
        ),
        Some(theirs) => match router.preempt {
            Preempt::Never => format!(
                "{address} must fall silent for {silence} or resign: preempt is off, so its lower priority {theirs} is \
                 left alone"
            ),
            Preempt::After(delay) if delay > Duration::ZERO => {
                format!("preempt_delay ({}) must pass; {address} has the lower priority {theirs}", span(delay))
            }
            Preempt::After(_) => format!("it displaces {address} (lower priority {theirs}) within {silence}"),
        },
    }
}

/// Whether failing tracks are all that is missing.
fn regained(router: &RouterStatus, theirs: Priority) -> String {
    let failing = router.tracks.iter().filter(|track| track.contribution < 0);
    let lost: i32 = failing.clone().map(|track| track.contribution).sum();
    let regained = router.priority.adjusted(lost.saturating_neg());
    if lost == 0 {
        return String::new();
    }
    let names: Vec<&str> = failing.map(|track| &*track.name).collect();
    let enough = if regained > theirs { "which is enough" } else { "which is not enough" };
    format!("; with {} healthy again it would be {regained}, {enough}", names.join(", "))
}

/// What to do about each thing that makes a router unfit.
fn remedy(cause: &Unfit, router: &RouterStatus) -> String {
    let interface = &router.key.interface;
    match cause {
        Unfit::Starting => "it waits for the kernel's word on its interface".to_owned(),
        Unfit::StartupDelay => "it stands in the election when startup_delay is over".to_owned(),
        Unfit::InterfaceMissing => format!("create {interface}, or correct the interface in the configuration"),
        Unfit::InterfaceDown => format!("bring {interface} up (ip link set {interface} up), or look at its cable"),
        Unfit::NoSourceAddress => {
            format!("give {interface} an address of its own of that family, or set source_address")
        }
        Unfit::TrackFailed { track } => format!("mend what {track} looks at; see its last result above"),
        Unfit::KernelRefused { .. } => {
            format!("remove the cause; it is tried again when {interface} changes or the configuration is reloaded")
        }
        Unfit::Interference { .. } => format!(
            "end what removes it, then vrrpctl undrain {} or reload; otherwise it tries again by itself, after ten seconds \
             at first and twice as long each time",
            router.name
        ),
        Unfit::Stopping => "start the daemon again".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{backup, drain, master, priority, status};
    use super::*;
    use crate::engine::{MasterStatus, WarningStatus};
    use crate::vrrp::{Evidence, Why};

    fn of(router: RouterStatus) -> String {
        explain(&status(vec![router]), "web").unwrap()
    }

    #[test]
    fn a_backup_with_everything() {
        let warning = WarningStatus {
            name: "address_list_errors",
            from: [192, 168, 100, 1].into(),
            since: super::super::testing::at(8_000),
            detail: "it lists other addresses".into(),
        };
        let text = of(RouterStatus { group: Some("site".into()), warnings: vec![warning], ..backup() });
        assert_eq!(
            text,
            "web is BACKUP since 2026-01-01T00:00:04.000Z, for 6.0s: 192.168.100.1 has the higher priority 150 [higher_priority]
It is virtual router 51 (ipv4, VRRPv3) on eth0 for 192.168.100.10/24; it holds nothing.
It last heard 192.168.100.1 as Master with priority 150, 0.250 s ago.

Priority:
    100  configured
    -20  track nginx is failing
     80  in force
    150  of the other Master

Tracks:
  nginx (http, weight -20): failing for 7.0s; last result: connection refused; 3 of 12 runs failed

Sync group:
  site: its members stand and fall together: web BACKUP, web6 ?

Warnings in force:
  address_list_errors from 192.168.100.1 for 2.0s: it lists other addresses

For it to become Master:
  192.168.100.1 must fall silent for 3.688 s or resign, or this router's priority must exceed 150 (it is 80); with nginx healthy again it would be 100, which is not enough
"
        );
    }

    #[test]
    fn a_master_says_what_would_end_it() {
        let text = of(master());
        assert!(text.contains("It sends adverts from 192.168.100.2, the last 0.500 s ago."), "{text}");
        assert!(
            text.contains("It stays Master:\n  until another router sends adverts with a priority above 80"),
            "{text}"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        assert_eq!(
            explain(&status(vec![backup()]), "wbe").unwrap_err(),
            "no virtual router is called wbe: there are web"
        );
        assert_eq!(explain(&status(vec![]), "web").unwrap_err(), "no virtual router is called web: there are none");
    }

    /// A new reason does not compile until it stands here.
    #[test]
    fn every_reason_is_explained() {
        let expected = |why| match why {
            Why::Started => "it is ready to stand in the election",
            Why::Owner => "it owns the addresses",
            Why::MasterSilent => "no advert from 192.168.100.1 (priority 150) for 0.000 s",
            Why::MasterResigned => "192.168.100.1 resigned",
            Why::PreemptsLower => "it displaces 192.168.100.1",
            Why::HigherPriority => "192.168.100.1 has the higher priority 150",
            Why::HigherAddress => "192.168.100.1 has the same priority 150 and the higher address",
            Why::NobodyTookOver => "it had handed over, and nobody else was heard",
            Why::Demoted => "a track lowered its priority to 80",
            Why::Unfit => "something it needs has failed",
            Why::HeldByGroup => "another member of its sync group cannot be Master",
            Why::Drained => "an operator drained it",
            Why::Stalled => "this host was held up for longer than its peers wait",
            Why::Stopping => "the daemon is stopping",
            Why::Removed => "a reload removed it",
        };
        for why in [
            Why::Started,
            Why::Owner,
            Why::MasterSilent,
            Why::MasterResigned,
            Why::PreemptsLower,
            Why::HigherPriority,
            Why::HigherAddress,
            Why::NobodyTookOver,
            Why::Demoted,
            Why::Unfit,
            Why::HeldByGroup,
            Why::Drained,
            Why::Stalled,
            Why::Stopping,
            Why::Removed,
        ] {
            let text = of(RouterStatus { why, ..backup() });
            let first = text.lines().next().unwrap();
            assert!(first.contains(expected(why)) && first.ends_with(&format!("[{}]", why.name())), "{first}");
        }
    }

    #[test]
    fn everything_that_makes_it_unfit_has_a_remedy() {
        let expected = |cause: &Unfit| match cause {
            Unfit::Starting => "the daemon is starting: it waits for the kernel's word",
            Unfit::StartupDelay => "the startup delay runs: it stands in the election when startup_delay is over",
            Unfit::InterfaceMissing => "its interface does not exist: create eth0",
            Unfit::InterfaceDown => "its interface is down or has no carrier: bring eth0 up",
            Unfit::NoSourceAddress => "no address to send adverts from: give eth0 an address",
            Unfit::TrackFailed { .. } => "the required track nginx fails: mend what nginx looks at",
            Unfit::KernelRefused { .. } => "the kernel refused what it needs: bind: no: remove the cause",
            Unfit::Interference { .. } => {
                "the rule 7 was removed again and again, last by port 7: end what removes it, then vrrpctl undrain web"
            }
            Unfit::Stopping => "the daemon is stopping: start the daemon again",
        };
        for cause in [
            Unfit::Starting,
            Unfit::StartupDelay,
            Unfit::InterfaceMissing,
            Unfit::InterfaceDown,
            Unfit::NoSourceAddress,
            Unfit::TrackFailed { track: "nginx".into() },
            Unfit::KernelRefused { error: "bind: no".into() },
            Unfit::Interference { what: "the rule 7".into(), by: Some("port 7".into()) },
            Unfit::Stopping,
        ] {
            let text = of(RouterStatus { role: Role::Fault, unfit: Some(cause.clone()), ..backup() });
            assert!(text.contains(expected(&cause)), "{text}");
        }
    }

    #[test]
    fn a_drained_router_is_maintenance() {
        let text = of(RouterStatus { drain: Some(drain(false)), ..backup() });
        assert!(text.starts_with("web is BACKUP (drained: maintenance)"), "{text}");
        assert!(
            text.contains("drained by root (uid 0) at 2026-01-01T00:00:05.000Z, until 2026-01-01T00:30:10.000Z"),
            "{text}"
        );
        assert!(text.contains("end the drain: vrrpctl undrain web"), "{text}");
        let text = of(RouterStatus { drain: Some(drain(true)), ..backup() });
        assert!(text.contains("keeps its addresses until another Master is heard"), "{text}");
    }

    #[test]
    fn what_it_would_take_follows_from_who_is_master() {
        let heard =
            |theirs: Option<u8>| Some(MasterStatus { priority: theirs.map(priority), ..backup().master.unwrap() });
        for (router, expected) in [
            (RouterStatus { master: heard(Some(90)), ..backup() }, "it would be 100, which is enough"),
            (RouterStatus { master: heard(None), ..backup() }, "192.168.100.1 has resigned: it takes over unless"),
            (
                RouterStatus { master: heard(Some(70)), preempt: Preempt::Never, ..backup() },
                "preempt is off, so its lower priority 70 is left alone",
            ),
            (
                RouterStatus { master: heard(Some(70)), preempt: Preempt::After(Duration::from_secs(90)), ..backup() },
                "preempt_delay (1m 30s) must pass",
            ),
            (RouterStatus { master: heard(Some(70)), ..backup() }, "it displaces 192.168.100.1 (lower priority 70)"),
            (RouterStatus { master: None, ..backup() }, "no Master heard yet; takes over in 3.500 s"),
            (
                RouterStatus { waits_for: vec!["gateway".into()], ..backup() },
                "these must be healthy before it takes over: gateway",
            ),
            (RouterStatus { blocked_by: Some("web6".into()), ..backup() }, "web6 must be able to be Master too"),
            (RouterStatus { evidence: Evidence::default(), ..backup() }, "the other router has the higher priority"),
        ] {
            let text = of(router);
            assert!(text.contains(expected), "{expected:?} is not in {text}");
        }
    }
}
