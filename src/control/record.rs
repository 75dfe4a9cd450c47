//! The renderings of a [`Record`]: JSON for programs and an English line for operators. The log, the hooks, the
//! history and `vrrpctl events` all use these.

use super::wall::WallClock;
use super::words;
use crate::units::Priority;
use crate::vrrp::{Cause, Evidence, Record, Removed, Seq, Subject};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A record as it is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Rendering {
    /// One JSON object on one line: `seq`, `time`, `boottime_s`, what it is about, what happened, and `text`.
    pub json: String,
    /// In English, without the time: `web: BACKUP -> MASTER: no advert from 192.0.2.1 (priority 100) for 3.609 s`.
    pub text: String,
}

impl Rendering {
    /// Renders `record` under the number `seq` (the history's, which goes on over restarts).
    #[must_use]
    pub fn new(record: &Record, seq: Seq, clock: &WallClock) -> Self {
        let text = sentence(record, clock);
        let mut object = Map::new();
        object.insert("seq".to_owned(), json!(seq));
        object.insert("time".to_owned(), json!(clock.rfc3339(record.at)));
        object.insert("boottime_s".to_owned(), json!(record.at.since_origin().as_secs_f64()));
        extend(&mut object, subject(&record.subject));
        extend(&mut object, cause(&record.cause, clock));
        object.insert("text".to_owned(), json!(text));
        Self { json: Value::Object(object).to_string(), text }
    }
}

fn extend(object: &mut Map<String, Value>, part: Value) {
    if let Value::Object(fields) = part {
        object.extend(fields);
    }
}

fn subject(subject: &Subject) -> Value {
    match subject {
        Subject::Daemon => json!({"subject": "daemon"}),
        Subject::Router { name, key, group } => json!({
            "subject": "virtual_router", "virtual_router": name, "interface": key.interface, "family": key.family,
            "virtual_router_id": key.vrid, "sync_group": group,
        }),
        Subject::Track { name } => json!({"subject": "track", "track": name}),
        Subject::Interface { name } => json!({"subject": "interface", "interface": name}),
    }
}

fn cause(cause: &Cause, clock: &WallClock) -> Value {
    match cause {
        Cause::Transition { from, to, why, priority, evidence } => json!({
            "event": "transition", "from": from, "to": to, "reason": why, "priority": priority,
            "evidence": seen(evidence),
        }),
        Cause::Priority { from, to } => json!({"event": "priority", "from": from, "to": to}),
        Cause::Track { healthy, result } => json!({"event": "track", "healthy": healthy, "result": result}),
        Cause::Interface { up, detail } => json!({"event": "interface", "up": up, "detail": detail}),
        Cause::Restored { removed: Removed::Address(address), by } => {
            json!({"event": "address_restored", "address": address.to_string(), "removed_by": by})
        }
        Cause::Restored { removed: Removed::Route(route), by } => {
            json!({"event": "route_restored", "route": route, "removed_by": by})
        }
        Cause::Refused { error } => json!({"event": "refused", "error": error}),
        Cause::Warning { warning, from, detail } => {
            json!({"event": "warning", "warning": warning, "from": from, "detail": detail})
        }
        Cause::Filter { on, family, dropped } => json!({
            "event": if *on { "filter_set" } else { "filter_lifted" }, "family": family.to_string(), "dropped": dropped,
        }),
        Cause::Stalled { by } => json!({"event": "stalled", "by_s": by.as_secs_f64()}),
        Cause::Configured { generation, by, changes } => {
            json!({"event": "configured", "generation": generation, "by": by, "changes": changes})
        }
        Cause::Reasserted { other, lasted, priority } => {
            let priority = priority.map(Priority::get);
            json!({"event": "reasserted", "other": other, "lasted_s": lasted.as_secs_f64(), "priority": priority})
        }
        Cause::Resumed { how, from, gap } => {
            json!({"event": how, "from": from, "gap_s": gap.as_secs_f64()})
        }
        Cause::Drain { on, by, until } => json!({
            "event": if *on { "drained" } else { "undrained" }, "by": by,
            "until": until.map(|until| clock.rfc3339(until)),
        }),
    }
}

fn seen(evidence: &Evidence) -> Value {
    json!({
        "heard_from": evidence.heard_from,
        "heard_priority": evidence.heard_priority,
        "heard_ago_s": evidence.heard_ago.map(|ago| ago.as_secs_f64()),
        "unfit": evidence.unfit,
    })
}

fn sentence(record: &Record, clock: &WallClock) -> String {
    let (name, group) = match &record.subject {
        Subject::Daemon => (None, None),
        Subject::Router { name, group, .. } => (Some(name.to_string()), group.as_deref()),
        Subject::Track { name } => (Some(format!("track {name}")), None),
        Subject::Interface { name } => (Some(format!("interface {name}")), None),
    };
    let what = happened(&record.cause, group, clock);
    words::one_line(&name.map_or_else(|| what.clone(), |name| format!("{name}: {what}")))
}

fn happened(cause: &Cause, group: Option<&str>, clock: &WallClock) -> String {
    match cause {
        Cause::Transition { from, to, why, priority, evidence } => {
            format!("{} -> {}: {}", from.name(), to.name(), words::because(*why, evidence, *priority, group))
        }
        Cause::Priority { from, to } => format!("priority {from} -> {to}"),
        Cause::Track { healthy, result } => {
            let health = if *healthy { "healthy" } else { "failing" };
            if result.is_empty() { health.to_owned() } else { format!("{health}: {result}") }
        }
        Cause::Interface { up, detail } => {
            let state = if *up { "up" } else { "down" };
            if detail.is_empty() { state.to_owned() } else { format!("{state}: {detail}") }
        }
        Cause::Restored { removed, by } => {
            format!("{removed} was removed by {}; it was put back", words::somebody(by.as_deref()))
        }
        Cause::Refused { error } => format!("refused: {error}"),
        Cause::Warning { warning, from, detail } => format!("warning: {warning} ({from}): {detail}"),
        Cause::Filter { on: true, family, .. } => format!(
            "more than 1,000 useless {family} packets a second: the kernel drops most of them from now on, and counters \
             of refused packets are estimates"
        ),
        Cause::Filter { on: false, family, dropped } => format!(
            "the useless {family} packets have ceased, of which the kernel dropped about {dropped}: counters are exact again"
        ),
        Cause::Stalled { by } => format!("the protocol was held up for {} beyond its deadline", words::seconds(*by)),
        Cause::Configured { generation, by, changes } => configured(*generation, by.as_deref(), changes),
        Cause::Reasserted { other, lasted, .. } => {
            let heard = match *lasted {
                Duration::ZERO => "and gave in when it was first heard".to_owned(),
                // How long it was one before, unheard, it alone knows.
                lasted => format!("for at least {}", words::seconds(lasted)),
            };
            format!("announced its addresses again: {other} was Master too, {heard}")
        }
        Cause::Resumed { how, from, gap } => {
            let (how, gap) = (how.name(), words::seconds(*gap));
            format!("{how}: vrrpd goes on where vrrpd {from} left off, after {gap} in which its guardian stood in")
        }
        Cause::Drain { on: true, by, until: Some(until) } => {
            format!("drained by {by} until {}", clock.rfc3339(*until))
        }
        Cause::Drain { on: true, by, until: None } => format!("drained by {by}"),
        Cause::Drain { on: false, by, .. } => format!("undrained by {by}"),
    }
}

fn configured(generation: u64, by: Option<&str>, changes: &[String]) -> String {
    let by = by.map(|by| format!(", reloaded by {by}")).unwrap_or_default();
    let what = match changes {
        [] if generation > 1 => ": nothing changed".to_owned(),
        [] => String::new(),
        _ => format!(": {}", changes.join("; ")),
    };
    format!("configuration {generation} is in force{by}{what}")
}

#[cfg(test)]
mod tests {
    use super::super::testing::{address, at, clock, priority, record};
    use super::*;
    use crate::units::Family;
    use crate::vrrp::{Resumption, Role, Unfit, Why};
    use std::time::Duration;

    fn heard(evidence_priority: Option<u8>) -> Evidence {
        Evidence {
            heard_from: Some([192, 168, 100, 1].into()),
            heard_priority: evidence_priority.map(priority),
            heard_ago: Some(Duration::from_micros(3_609_375)),
            unfit: None,
        }
    }

    fn transition(to: Role, why: Why, evidence: Evidence) -> String {
        sentence(
            &record(Cause::Transition { from: Role::Backup, to, why, priority: Some(priority(80)), evidence }),
            &clock(),
        )
    }

    #[test]
    fn every_reason_for_a_change_of_state_reads_as_english() {
        let nothing = Evidence::default();
        let failed = Evidence { unfit: Some(Unfit::TrackFailed { track: "nginx".into() }), ..Evidence::default() };
        for (to, why, evidence, expected) in [
            (Role::Backup, Why::Started, nothing.clone(), "it is ready to stand in the election"),
            (Role::Master, Why::Owner, nothing.clone(), "it owns the addresses (priority 255)"),
            (
                Role::Master,
                Why::MasterSilent,
                heard(Some(100)),
                "no advert from 192.168.100.1 (priority 100) for 3.609 s",
            ),
            (Role::Master, Why::MasterSilent, heard(None), "no advert from 192.168.100.1 for 3.609 s"),
            (Role::Master, Why::MasterSilent, nothing.clone(), "no Master was heard"),
            (Role::Master, Why::MasterResigned, heard(None), "192.168.100.1 resigned (priority 0)"),
            (
                Role::Master,
                Why::PreemptsLower,
                heard(Some(50)),
                "it displaces 192.168.100.1, which has the lower priority 50",
            ),
            (Role::Backup, Why::HigherPriority, heard(Some(150)), "192.168.100.1 has the higher priority 150"),
            (
                Role::Backup,
                Why::HigherAddress,
                heard(Some(80)),
                "192.168.100.1 has the same priority 80 and the higher address",
            ),
            (Role::Master, Why::NobodyTookOver, nothing.clone(), "it had handed over, and nobody else was heard"),
            (Role::Backup, Why::Demoted, nothing.clone(), "a track lowered its priority to 80"),
            (Role::Fault, Why::Unfit, failed, "the required track nginx fails"),
            (Role::Fault, Why::Unfit, nothing.clone(), "something it needs has failed"),
            (Role::Backup, Why::HeldByGroup, nothing.clone(), "another member of its sync group cannot be Master"),
            (Role::Backup, Why::Drained, nothing.clone(), "an operator drained it"),
            (Role::Backup, Why::Stalled, nothing.clone(), "this host was held up for longer than its peers wait"),
            (Role::Initialize, Why::Stopping, nothing.clone(), "the daemon is stopping"),
            (Role::Initialize, Why::Removed, nothing, "a reload removed it"),
        ] {
            assert_eq!(transition(to, why, evidence), format!("web: BACKUP -> {}: {expected}", to.name()));
        }
    }

    #[test]
    fn every_other_cause_reads_as_english() {
        for (cause, expected) in [
            (Cause::Priority { from: priority(100), to: priority(80) }, "web: priority 100 -> 80"),
            (Cause::Track { healthy: false, result: "exit status 1".into() }, "web: failing: exit status 1"),
            (Cause::Track { healthy: true, result: "".into() }, "web: healthy"),
            (Cause::Interface { up: false, detail: "it is gone".into() }, "web: down: it is gone"),
            (Cause::Interface { up: false, detail: "".into() }, "web: down"),
            (Cause::Interface { up: true, detail: "".into() }, "web: up"),
            (
                Cause::Restored { removed: Removed::Address(address("192.0.2.10", 24)), by: None },
                "web: the address 192.0.2.10/24 was removed by somebody; it was put back",
            ),
            (
                Cause::Restored { removed: Removed::Route("route 0.0.0.0/0".into()), by: Some("port 7".into()) },
                "web: the route 0.0.0.0/0 was removed by port 7; it was put back",
            ),
            (
                Cause::Refused { error: "add 192.0.2.10/24: permission denied".into() },
                "web: refused: add 192.0.2.10/24: permission denied",
            ),
            (
                Cause::Warning { warning: "owner_conflict", from: [192, 0, 2, 1].into(), detail: "two owners".into() },
                "web: warning: owner_conflict (192.0.2.1): two owners",
            ),
            (
                Cause::Filter { on: true, family: Family::Ipv4, dropped: 0 },
                "web: more than 1,000 useless ipv4 packets a second: the kernel drops most of them from now on, and \
                 counters of refused packets are estimates",
            ),
            (
                Cause::Filter { on: false, family: Family::Ipv6, dropped: 199_000 },
                "web: the useless ipv6 packets have ceased, of which the kernel dropped about 199000: counters are \
                 exact again",
            ),
            (
                Cause::Stalled { by: Duration::from_millis(5_200) },
                "web: the protocol was held up for 5.200 s beyond its deadline",
            ),
            (Cause::Configured { generation: 1, by: None, changes: [].into() }, "web: configuration 1 is in force"),
            (
                Cause::Resumed { how: Resumption::Upgraded, from: "0.1.0".into(), gap: Duration::from_millis(24) },
                "web: upgraded: vrrpd goes on where vrrpd 0.1.0 left off, after 0.024 s in which its guardian stood in",
            ),
            (
                Cause::Configured { generation: 2, by: Some("a signal (SIGHUP)".into()), changes: [].into() },
                "web: configuration 2 is in force, reloaded by a signal (SIGHUP): nothing changed",
            ),
            (
                Cause::Configured {
                    generation: 3,
                    by: Some("root (uid 0)".into()),
                    changes: ["web: priority 100 -> 90".to_owned()].into(),
                },
                "web: configuration 3 is in force, reloaded by root (uid 0): web: priority 100 -> 90",
            ),
            (
                Cause::Reasserted { other: [192, 0, 2, 1].into(), lasted: Duration::ZERO, priority: None },
                "web: announced its addresses again: 192.0.2.1 was Master too, and gave in when it was first heard",
            ),
            (
                Cause::Reasserted {
                    other: [192, 0, 2, 1].into(),
                    lasted: Duration::from_millis(1_250),
                    priority: None,
                },
                "web: announced its addresses again: 192.0.2.1 was Master too, for at least 1.250 s",
            ),
            (Cause::Drain { on: true, by: "root (uid 0)".into(), until: None }, "web: drained by root (uid 0)"),
            (
                Cause::Drain { on: true, by: "root (uid 0)".into(), until: Some(at(1_800_000)) },
                "web: drained by root (uid 0) until 2026-01-01T00:30:00.000Z",
            ),
            (Cause::Drain { on: false, by: "root (uid 0)".into(), until: None }, "web: undrained by root (uid 0)"),
        ] {
            assert_eq!(sentence(&record(cause), &clock()), expected);
        }
    }

    #[test]
    fn a_transition_as_json_has_all_that_was_seen() {
        let cause = Cause::Transition {
            from: Role::Backup,
            to: Role::Master,
            why: Why::MasterSilent,
            priority: Some(priority(80)),
            evidence: heard(Some(100)),
        };
        let json: Value = serde_json::from_str(&Rendering::new(&record(cause), 17, &clock()).json).unwrap();
        assert_eq!(
            json,
            json!({
                "seq": 17, "time": "2026-01-01T00:00:01.500Z", "boottime_s": 1.5,
                "subject": "virtual_router", "virtual_router": "web", "interface": "eth0", "family": "ipv4",
                "virtual_router_id": 51, "sync_group": null,
                "event": "transition", "from": "BACKUP", "to": "MASTER", "reason": "master_silent", "priority": 80,
                "evidence": {"heard_from": "192.168.100.1", "heard_priority": 100, "heard_ago_s": 3.609_375,
                             "unfit": null},
                "text": "web: BACKUP -> MASTER: no advert from 192.168.100.1 (priority 100) for 3.609 s",
            })
        );
    }

    #[test]
    fn every_other_cause_as_json_has_what_happened_in_fields() {
        let by: Option<std::sync::Arc<str>> = Some("root (uid 0)".into());
        for (cause, expected) in [
            (
                Cause::Priority { from: priority(100), to: priority(80) },
                json!({"event": "priority", "from": 100, "to": 80}),
            ),
            (
                Cause::Track { healthy: false, result: "exit status 1".into() },
                json!({"event": "track", "healthy": false, "result": "exit status 1"}),
            ),
            (
                Cause::Interface { up: false, detail: "it is gone".into() },
                json!({"event": "interface", "up": false, "detail": "it is gone"}),
            ),
            (
                Cause::Restored { removed: Removed::Address(address("192.0.2.10", 24)), by: None },
                json!({"event": "address_restored", "address": "192.0.2.10/24"}),
            ),
            (Cause::Refused { error: "no".into() }, json!({"event": "refused", "error": "no"})),
            (
                Cause::Warning { warning: "split_brain", from: [192, 0, 2, 1].into(), detail: "two".into() },
                json!({"event": "warning", "warning": "split_brain", "from": "192.0.2.1", "detail": "two"}),
            ),
            (Cause::Stalled { by: Duration::from_millis(1_500) }, json!({"event": "stalled", "by_s": 1.5})),
            (
                Cause::Configured { generation: 2, by, changes: ["a".to_owned()].into() },
                json!({"event": "configured", "generation": 2, "by": "root (uid 0)", "changes": ["a"]}),
            ),
            (
                Cause::Reasserted {
                    other: [192, 0, 2, 1].into(),
                    lasted: Duration::from_millis(1_250),
                    priority: None,
                },
                json!({"event": "reasserted", "other": "192.0.2.1", "lasted_s": 1.25, "priority": null}),
            ),
            (
                Cause::Drain { on: true, by: "root (uid 0)".into(), until: Some(at(1_800_000)) },
                json!({"event": "drained", "by": "root (uid 0)", "until": "2026-01-01T00:30:00.000Z"}),
            ),
            (
                Cause::Drain { on: false, by: "root (uid 0)".into(), until: None },
                json!({"event": "undrained", "by": "root (uid 0)", "until": null}),
            ),
        ] {
            let got: Value = serde_json::from_str(&Rendering::new(&record(cause), 1, &clock()).json).unwrap();
            for (name, value) in expected.as_object().unwrap() {
                assert_eq!(got.get(name), Some(value), "{name} of {got}");
            }
        }
    }

    /// A script can print anything; its words end up in terminals and logs.
    #[test]
    fn what_a_check_printed_cannot_break_the_line() {
        let cause = Cause::Track { healthy: false, result: "no\n\x1b[31mway\r".into() };
        let record = Record { seq: 1, at: at(0), subject: Subject::Track { name: "nginx".into() }, cause };
        let rendering = Rendering::new(&record, 1, &clock());
        assert_eq!(rendering.text, "track nginx: failing: no  [31mway ");
        assert_eq!(rendering.json.lines().count(), 1);
    }
}
