//! From the engine's snapshot to the status document.

use super::backend::{About, Status};
use super::document::{
    AttachedTrack, ConfigDocument, Document, DrainDocument, GroupDocument, InterfaceDocument, MasterDocument,
    MetricsDocument, RouterDocument, TrackDocument, WarningDocument,
};
use super::wall::{WallClock, rfc3339};
use super::words;
use crate::engine::{
    AttachedStatus, Drain, GroupStatus, InterfaceStatus, MasterStatus, RouterStatus, TrackerStatus, WarningStatus,
};
use crate::time::Timestamp;
use crate::units::{Interval, VirtualAddress};
use crate::vrrp::MacMode;
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Renders the status as the document of schema 1.
#[must_use]
pub fn document(status: &Status) -> Document {
    let Status { snapshot, clock, about, timings } = status;
    Document {
        schema: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        pid: about.pid,
        started: rfc3339(about.started),
        time: clock.rfc3339(snapshot.at),
        config: config(about),
        virtual_routers: snapshot.routers.iter().map(|one| router(one, snapshot.at, clock)).collect(),
        sync_groups: snapshot.groups.iter().map(|one| group(one, &snapshot.routers)).collect(),
        tracks: snapshot.trackers.iter().map(|one| track(one, clock)).collect(),
        interfaces: snapshot.interfaces.iter().map(interface).collect(),
        metrics: MetricsDocument {
            failover_overhead_seconds: timings.failover_overhead.document(),
            advert_lateness_seconds: timings.advert_lateness.document(),
        },
    }
}

fn config(about: &About) -> ConfigDocument {
    ConfigDocument {
        path: about.config_path.display().to_string(),
        generation: about.generation,
        loaded: rfc3339(about.loaded),
        refused: about.refused.map(rfc3339),
    }
}

fn router(router: &RouterStatus, now: Timestamp, clock: &WallClock) -> RouterDocument {
    RouterDocument {
        name: router.name.to_string(),
        interface: router.key.interface.to_string(),
        family: router.key.family.to_string(),
        virtual_router_id: router.key.vrid.get(),
        version: router.version.number(),
        state: router.role.name().to_owned(),
        since: clock.rfc3339(router.since),
        reason: router.why.name().to_owned(),
        base_priority: router.base_priority.get(),
        priority: router.priority.get(),
        advert_interval_ms: interval_ms(router.interval),
        master_interval_ms: interval_ms(router.master_interval),
        master: router.master.as_ref().map(|heard| master(heard, now)),
        virtual_addresses: texts(&router.addresses),
        held_addresses: texts(&router.held),
        virtual_mac: (router.mac == MacMode::Virtual).then(|| mac_text(router.key.vrid.mac(router.key.family))),
        sync_group: text(router.group.as_ref()),
        transitions: router.counters.active_transitions,
        blocked_by: text(router.blocked_by.as_ref()),
        tracks: router.tracks.iter().map(attached).collect(),
        counters: by_name(&router.counters),
        unfit: router.unfit.as_ref().map(words::unfit),
        why_not_master: words::why_not_master(router, now),
        drained: router.drain.is_some(),
        drain: router.drain.as_ref().map(|one| drain(one, clock)),
        warnings: router.warnings.iter().map(|one| warning(one, clock)).collect(),
        waits_for: router.waits_for.iter().map(ToString::to_string).collect(),
        deadline_in_ms: router.deadline.map(|deadline| millis(deadline - now)),
    }
}

fn master(master: &MasterStatus, now: Timestamp) -> MasterDocument {
    MasterDocument {
        address: master.address.to_string(),
        priority: master.priority.map(crate::units::Priority::get),
        heard_ms_ago: millis(now - master.heard),
    }
}

fn attached(track: &AttachedStatus) -> AttachedTrack {
    AttachedTrack {
        name: track.name.to_string(),
        healthy: track.healthy,
        weight: track.weight,
        required: track.weight.is_none(),
        contribution: track.contribution,
    }
}

fn drain(drain: &Drain, clock: &WallClock) -> DrainDocument {
    DrainDocument {
        by: drain.by.to_string(),
        since: clock.rfc3339(drain.since),
        until: drain.until.map(|until| clock.rfc3339(until)),
        handing_over: drain.handing_over,
    }
}

fn warning(warning: &WarningStatus, clock: &WallClock) -> WarningDocument {
    WarningDocument {
        name: warning.name.to_owned(),
        from: warning.from.to_string(),
        since: clock.rfc3339(warning.since),
        detail: warning.detail.to_string(),
    }
}

fn group(group: &GroupStatus, routers: &[RouterStatus]) -> GroupDocument {
    let of_group = |router: &&RouterStatus| router.group.as_ref() == Some(&group.name);
    GroupDocument {
        drained: routers.iter().filter(of_group).any(|router| router.drain.is_some()),
        name: group.name.to_string(),
        members: group.members.iter().map(ToString::to_string).collect(),
        state: group.role.name().to_owned(),
        priority: group.priority.get(),
        blocked_by: text(group.blocked_by.as_ref()),
    }
}

fn track(track: &TrackerStatus, clock: &WallClock) -> TrackDocument {
    TrackDocument {
        name: track.name.to_string(),
        kind: track.kind.to_owned(),
        healthy: track.healthy,
        since: clock.rfc3339(track.since),
        last_result: track.last_result.to_string(),
        runs: track.runs,
        failures: track.failures,
        last_duration_ms: millis(track.last_duration),
    }
}

fn interface(interface: &InterfaceStatus) -> InterfaceDocument {
    InterfaceDocument {
        name: interface.name.to_string(),
        up: interface.up,
        counters: by_name(&interface.counters),
        counters_estimated: interface.counters_estimated,
    }
}

/// A struct of counters as a map: the field names are the counter names, told once where the struct is declared.
fn by_name(counters: &impl Serialize) -> BTreeMap<String, u64> {
    serde_json::to_value(counters).and_then(serde_json::from_value).expect("counters are a flat struct of u64")
}

fn texts(addresses: &[VirtualAddress]) -> Vec<String> {
    addresses.iter().map(ToString::to_string).collect()
}

fn text(name: Option<&Arc<str>>) -> Option<String> {
    name.map(ToString::to_string)
}

fn interval_ms(interval: Interval) -> u64 {
    u64::from(interval.centis()) * 10
}

/// Milliseconds to the microsecond.
fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e6).round() / 1e3
}

fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|octet| format!("{octet:02x}")).join(":")
}

#[cfg(test)]
mod tests {
    use super::super::testing;
    use super::*;
    use serde_json::{Value, json};

    /// The example of the contract, value by value; counters and additions apart.
    #[test]
    fn the_document_has_the_names_of_the_contract() {
        let mut value = serde_json::to_value(document(&testing::status(vec![testing::master()]))).unwrap();
        let router = value["virtual_routers"][0].as_object_mut().unwrap();
        let counters = router.remove("counters").unwrap();
        for (name, expected) in [("advertisements_sent", 0), ("advertisements_received", 7), ("checksum_errors", 0)] {
            assert_eq!(counters[name], expected, "{name}");
        }
        for addition in ["unfit", "why_not_master", "drained", "drain", "warnings", "waits_for", "deadline_in_ms"] {
            assert!(router.remove(addition).is_some(), "{addition}");
        }
        for name in ["ip_ttl_errors", "version_errors", "vrid_errors", "filtered"] {
            assert_eq!(value["interfaces"][0]["counters"][name], 0, "{name}");
        }
        assert_eq!(value["interfaces"][0]["counters_estimated"], true);
        assert_eq!(
            value["virtual_routers"],
            json!([{
                "name": "web", "interface": "eth0", "family": "ipv4", "virtual_router_id": 51, "version": 3,
                "state": "MASTER", "since": "2026-01-01T00:00:04.000Z", "reason": "master_silent",
                "base_priority": 100, "priority": 80, "advert_interval_ms": 1000, "master_interval_ms": 1000,
                "master": {"address": "192.168.100.2", "priority": 80, "heard_ms_ago": 500.0},
                "virtual_addresses": ["192.168.100.10/24"], "held_addresses": ["192.168.100.10/24"],
                "virtual_mac": null, "sync_group": null, "transitions": 1, "blocked_by": null,
                "tracks": [{"name": "nginx", "healthy": false, "weight": -20, "required": false, "contribution": -20}],
            }])
        );
        assert_eq!(
            value["tracks"],
            json!([{"name": "nginx", "kind": "http", "healthy": false, "since": "2026-01-01T00:00:03.000Z",
                    "last_result": "connection refused", "runs": 12, "failures": 3, "last_duration_ms": 0.4}])
        );
        assert_eq!(
            value["config"],
            json!({"path": "/etc/vrrpd/vrrpd.toml", "generation": 1, "loaded": "2026-01-01T00:00:00.000Z", "refused": null})
        );
        let top = ["schema", "version", "pid", "started", "sync_groups"].map(|name| value[name].clone());
        let group = json!([{"name": "site", "members": ["web", "web6"], "state": "BACKUP", "priority": 80,
                            "drained": false, "blocked_by": null}]);
        let version = Value::from(env!("CARGO_PKG_VERSION"));
        assert_eq!(top, [json!(1), version, json!(1234), json!("2026-01-01T00:00:00.000Z"), group]);
    }

    #[test]
    fn what_is_only_sometimes_there() {
        let router = RouterStatus {
            mac: MacMode::Virtual,
            group: Some("site".into()),
            blocked_by: Some("web6".into()),
            master: None,
            ..testing::backup()
        };
        let document = document(&testing::status(vec![router]));
        let router = &document.virtual_routers[0];
        assert_eq!(router.virtual_mac.as_deref(), Some("00:00:5e:00:01:33"));
        assert_eq!(router.sync_group.as_deref(), Some("site"));
        assert_eq!(router.blocked_by.as_deref(), Some("web6"));
        assert_eq!(router.master, None);
        assert_eq!(router.deadline_in_ms, Some(3500.0));
    }
}
