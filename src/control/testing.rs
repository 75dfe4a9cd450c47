//! Snapshots and records for the tests of this room.

use super::backend::{About, Status};
use super::histogram::Timings;
use super::wall::WallClock;
use crate::engine::{
    AttachedStatus, Drain, GroupStatus, InterfaceStatus, MasterStatus, PortCounters, RouterStatus, Snapshot,
    TrackerStatus,
};
use crate::ids::{InterfaceName, RouterKey};
use crate::time::Timestamp;
use crate::units::{Family, Interval, Priority, Version, VirtualAddress, Vrid};
use crate::vrrp::{Cause, Evidence, MacMode, Preempt, Record, Role, RouterCounters, Subject, Why};
use std::time::Duration;

pub(super) fn at(millis: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(millis))
}

pub(super) fn priority(raw: u8) -> Priority {
    Priority::new(raw).unwrap()
}

/// The monotonic origin is 2026-01-01T00:00:00Z.
pub(super) fn clock() -> WallClock {
    let wall = humantime::parse_rfc3339("2026-01-01T00:00:00Z").unwrap();
    WallClock { boottime: Timestamp::ZERO, wall }
}

pub(super) fn key() -> RouterKey {
    RouterKey { interface: InterfaceName::new("eth0").unwrap(), family: Family::Ipv4, vrid: Vrid::new(51).unwrap() }
}

pub(super) fn address(text: &str, prefix: u8) -> VirtualAddress {
    VirtualAddress { ip: text.parse().unwrap(), prefix }
}

/// The router `web`, Backup to 192.168.100.1 with priority 150, 10 s after the origin.
pub(super) fn backup() -> RouterStatus {
    RouterStatus {
        name: "web".into(),
        key: key(),
        version: Version::V3,
        role: Role::Backup,
        since: at(4_000),
        why: Why::HigherPriority,
        unfit: None,
        base_priority: priority(100),
        priority: priority(80),
        interval: Interval::DEFAULT,
        master_interval: Interval::DEFAULT,
        master: Some(MasterStatus {
            address: [192, 168, 100, 1].into(),
            priority: Some(priority(150)),
            heard: at(9_750),
        }),
        deadline: Some(at(13_500)),
        addresses: [address("192.168.100.10", 24)].into(),
        held: Vec::new(),
        mac: MacMode::Interface,
        group: None,
        blocked_by: None,
        drain: None,
        preempt: Preempt::After(Duration::ZERO),
        evidence: Evidence {
            heard_from: Some([192, 168, 100, 1].into()),
            heard_priority: Some(priority(150)),
            heard_ago: Some(Duration::ZERO),
            unfit: None,
        },
        warnings: Vec::new(),
        waits_for: Vec::new(),
        tracks: vec![AttachedStatus {
            name: "nginx".into(),
            healthy: Some(false),
            weight: Some(-20),
            contribution: -20,
        }],
        counters: RouterCounters { active_transitions: 1, advertisements_received: 7, ..RouterCounters::default() },
    }
}

/// For half an hour from 10 s after the origin.
pub(super) fn drain(handing_over: bool) -> Drain {
    Drain { by: "root (uid 0)".into(), since: at(5_000), until: Some(at(1_810_000)), handing_over }
}

/// The same router as Master.
pub(super) fn master() -> RouterStatus {
    RouterStatus {
        role: Role::Master,
        why: Why::MasterSilent,
        held: vec![address("192.168.100.10", 24)],
        master: Some(MasterStatus {
            address: [192, 168, 100, 2].into(),
            priority: Some(priority(80)),
            heard: at(9_500),
        }),
        ..backup()
    }
}

pub(super) fn status(routers: Vec<RouterStatus>) -> Status {
    let snapshot = Snapshot {
        at: at(10_000),
        routers,
        groups: vec![GroupStatus {
            name: "site".into(),
            members: vec!["web".into(), "web6".into()],
            role: Role::Backup,
            priority: priority(80),
            blocked_by: None,
        }],
        trackers: vec![TrackerStatus {
            name: "nginx".into(),
            kind: "http",
            healthy: Some(false),
            since: at(3_000),
            last_result: "connection refused".into(),
            runs: 12,
            failures: 3,
            last_duration: Duration::from_micros(400),
        }],
        interfaces: vec![InterfaceStatus {
            name: InterfaceName::new("eth0").unwrap(),
            up: true,
            counters: PortCounters::default(),
            counters_estimated: true,
        }],
    };
    Status { snapshot, clock: clock(), about: about(), timings: Timings::default() }
}

pub(super) fn about() -> About {
    About {
        pid: 1234,
        started: clock().wall,
        config_path: "/etc/vrrpd/vrrpd.toml".into(),
        generation: 1,
        loaded: clock().wall,
        refused: None,
    }
}

pub(super) fn record(cause: Cause) -> Record {
    Record { seq: 1, at: at(1_500), subject: Subject::Router { name: "web".into(), key: key(), group: None }, cause }
}
