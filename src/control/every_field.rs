//! Every field of the status document with what makes it change: a field without a row fails, and so does a row that
//! changes nothing.

use super::backend::Status;
use super::testing::{at, drain, priority, status};
use super::{document, testing};
use crate::engine::{RouterStatus, WarningStatus};
use crate::ids::InterfaceName;
use crate::units::{Family, Interval, Version, Vrid};
use crate::vrrp::{MacMode, Role, Unfit, Why};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

type Change = fn(&mut Status);

const SECOND: Duration = Duration::from_secs(1);

/// What is the same in every document of this version.
const CONSTANT: [&str; 4] =
    ["schema", "version", "metrics.failover_overhead_seconds.buckets.le", "metrics.advert_lateness_seconds.buckets.le"];

#[rustfmt::skip]
const CHANGES: &[(&str, Change)] = &[
    ("pid", |s| s.about.pid += 1),
    ("started", |s| s.about.started += SECOND),
    ("time", |s| s.snapshot.at = at(11_000)),
    ("config.path", |s| s.about.config_path.push("other")),
    ("config.generation", |s| s.about.generation += 1),
    ("config.loaded", |s| s.about.loaded += SECOND),
    ("config.refused", |s| s.about.refused = Some(s.about.loaded)),
    ("virtual_routers.name", |s| router(s).name = "api".into()),
    ("virtual_routers.interface", |s| router(s).key.interface = eth1()),
    ("virtual_routers.family", |s| router(s).key.family = Family::Ipv6),
    ("virtual_routers.virtual_router_id", |s| router(s).key.vrid = Vrid::new(7).unwrap()),
    ("virtual_routers.version", |s| router(s).version = Version::V2),
    ("virtual_routers.state", |s| router(s).role = Role::Master),
    ("virtual_routers.since", |s| router(s).since = at(5_000)),
    ("virtual_routers.reason", |s| router(s).why = Why::Drained),
    ("virtual_routers.base_priority", |s| router(s).base_priority = priority(101)),
    ("virtual_routers.priority", |s| router(s).priority = priority(81)),
    ("virtual_routers.advert_interval_ms", |s| router(s).interval = Interval::from_centis(10).unwrap()),
    ("virtual_routers.master_interval_ms", |s| router(s).master_interval = Interval::from_centis(10).unwrap()),
    ("virtual_routers.master.address", |s| router(s).master.as_mut().unwrap().address = [10, 0, 0, 1].into()),
    ("virtual_routers.master.priority", |s| router(s).master.as_mut().unwrap().priority = None),
    ("virtual_routers.master.heard_ms_ago", |s| router(s).master.as_mut().unwrap().heard = at(9_000)),
    ("virtual_routers.virtual_addresses", |s| router(s).addresses = [testing::address("10.0.0.9", 24)].into()),
    ("virtual_routers.held_addresses", |s| router(s).held = vec![testing::address("10.0.0.9", 24)]),
    ("virtual_routers.virtual_mac", |s| router(s).mac = MacMode::Virtual),
    ("virtual_routers.sync_group", |s| router(s).group = Some("site".into())),
    ("virtual_routers.transitions", |s| router(s).counters.active_transitions += 1),
    ("virtual_routers.blocked_by", |s| router(s).blocked_by = Some("web6".into())),
    ("virtual_routers.tracks.name", |s| router(s).tracks[0].name = "other".into()),
    ("virtual_routers.tracks.healthy", |s| router(s).tracks[0].healthy = None),
    ("virtual_routers.tracks.weight", |s| router(s).tracks[0].weight = Some(5)),
    ("virtual_routers.tracks.required", |s| router(s).tracks[0].weight = None),
    ("virtual_routers.tracks.contribution", |s| router(s).tracks[0].contribution = 0),
    ("virtual_routers.unfit", |s| router(s).unfit = Some(Unfit::InterfaceDown)),
    ("virtual_routers.why_not_master", |s| router(s).role = Role::Master),
    ("virtual_routers.drained", |s| router(s).drain = None),
    ("virtual_routers.drain.by", |s| router(s).drain.as_mut().unwrap().by = "somebody".into()),
    ("virtual_routers.drain.since", |s| router(s).drain.as_mut().unwrap().since = at(6_000)),
    ("virtual_routers.drain.until", |s| router(s).drain.as_mut().unwrap().until = None),
    ("virtual_routers.drain.handing_over", |s| router(s).drain = Some(drain(true))),
    ("virtual_routers.warnings.name", |s| router(s).warnings[0].name = "owner_conflicts"),
    ("virtual_routers.warnings.from", |s| router(s).warnings[0].from = [10, 0, 0, 1].into()),
    ("virtual_routers.warnings.since", |s| router(s).warnings[0].since = at(8_000)),
    ("virtual_routers.warnings.detail", |s| router(s).warnings[0].detail = "other words".into()),
    ("virtual_routers.waits_for", |s| router(s).waits_for = vec!["nginx".into()]),
    ("virtual_routers.deadline_in_ms", |s| router(s).deadline = None),
    ("sync_groups.name", |s| s.snapshot.groups[0].name = "other".into()),
    ("sync_groups.members", |s| s.snapshot.groups[0].members.truncate(1)),
    ("sync_groups.drained", |s| router(s).group = Some("site".into())),
    ("sync_groups.state", |s| s.snapshot.groups[0].role = Role::Master),
    ("sync_groups.priority", |s| s.snapshot.groups[0].priority = priority(81)),
    ("sync_groups.blocked_by", |s| s.snapshot.groups[0].blocked_by = Some("web6".into())),
    ("tracks.name", |s| s.snapshot.trackers[0].name = "other".into()),
    ("tracks.kind", |s| s.snapshot.trackers[0].kind = "script"),
    ("tracks.healthy", |s| s.snapshot.trackers[0].healthy = Some(true)),
    ("tracks.since", |s| s.snapshot.trackers[0].since = at(4_000)),
    ("tracks.last_result", |s| s.snapshot.trackers[0].last_result = "200 OK".into()),
    ("tracks.runs", |s| s.snapshot.trackers[0].runs += 1),
    ("tracks.failures", |s| s.snapshot.trackers[0].failures += 1),
    ("tracks.last_duration_ms", |s| s.snapshot.trackers[0].last_duration = SECOND),
    ("interfaces.name", |s| s.snapshot.interfaces[0].name = eth1()),
    ("interfaces.up", |s| s.snapshot.interfaces[0].up = false),
    ("interfaces.counters_estimated", |s| s.snapshot.interfaces[0].counters_estimated = false),
    ("metrics.failover_overhead_seconds.buckets.count", |s| s.timings.failover_overhead.observe(Duration::ZERO, 1)),
    ("metrics.failover_overhead_seconds.count", |s| s.timings.failover_overhead.observe(SECOND, 1)),
    ("metrics.failover_overhead_seconds.sum", |s| s.timings.failover_overhead.observe(SECOND, 1)),
    ("metrics.advert_lateness_seconds.buckets.count", |s| s.timings.advert_lateness.observe(Duration::ZERO, 1)),
    ("metrics.advert_lateness_seconds.count", |s| s.timings.advert_lateness.observe(SECOND, 1)),
    ("metrics.advert_lateness_seconds.sum", |s| s.timings.advert_lateness.observe(SECOND, 1)),
];

#[test]
fn every_field_follows_what_it_is_about() {
    let before = fields(&everything());
    for (field, change) in CHANGES {
        let mut status = everything();
        change(&mut status);
        assert!(before.contains_key(*field), "there is no field {field}");
        assert_ne!(fields(&status).get(*field), before.get(*field), "{field}");
    }
}

#[test]
fn no_field_is_without_a_row() {
    let in_table = CHANGES.iter().map(|&(field, _)| field).chain(CONSTANT);
    let of_document: BTreeSet<String> = fields(&everything()).into_keys().filter(|name| !is_counter(name)).collect();
    assert_eq!(of_document, in_table.map(str::to_owned).collect());
}

#[test]
fn every_counter_is_shown_under_its_own_name() {
    let before = fields(&everything());
    let counters: Vec<&String> = before.keys().filter(|name| is_counter(name)).collect();
    assert!(counters.len() > 30, "{counters:?}");
    for field in counters {
        let mut status = everything();
        let (of, name) = field.split_once(".counters.").unwrap();
        match of {
            "virtual_routers" => count(&mut router(&mut status).counters, name),
            _ => count(&mut status.snapshot.interfaces[0].counters, name),
        }
        assert_eq!(fields(&status)[field], 99, "{field}");
    }
}

/// A drained router with a warning, and one of everything else.
fn everything() -> Status {
    let warning = WarningStatus {
        name: "split_brain",
        from: [192, 168, 100, 2].into(),
        since: at(7_000),
        detail: "another Master".into(),
    };
    status(vec![RouterStatus { drain: Some(drain(false)), warnings: vec![warning], ..testing::backup() }])
}

fn router(status: &mut Status) -> &mut RouterStatus {
    &mut status.snapshot.routers[0]
}

fn eth1() -> InterfaceName {
    InterfaceName::new("eth1").unwrap()
}

/// Sets one counter of many to 99.
fn count<T: Serialize + DeserializeOwned>(counters: &mut T, name: &str) {
    let mut values = serde_json::to_value(&*counters).unwrap();
    values[name] = 99.into();
    *counters = serde_json::from_value(values).unwrap();
}

fn is_counter(field: &str) -> bool {
    field.contains(".counters.")
}

/// The values by the names that lead to them; of a list of objects, the first.
fn fields(status: &Status) -> BTreeMap<String, Value> {
    let mut fields = BTreeMap::new();
    collect("", serde_json::to_value(document(status)).unwrap(), &mut fields);
    fields
}

fn collect(path: &str, value: Value, fields: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members {
                let path = if path.is_empty() { name } else { format!("{path}.{name}") };
                collect(&path, value, fields);
            }
        }
        Value::Array(mut list) if list.first().is_some_and(Value::is_object) => {
            collect(path, list.swap_remove(0), fields);
        }
        value => {
            fields.insert(path.to_owned(), value);
        }
    }
}
