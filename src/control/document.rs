//! The status as JSON, schema 1. Operators' scripts are written against these names: add to them, never rename.

use super::histogram::HistogramDocument;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The whole document.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Document {
    /// 1.
    pub schema: u32,
    /// The daemon's version.
    pub version: String,
    /// The daemon's process.
    pub pid: u32,
    /// When the daemon started. This and all other times: RFC 3339, UTC.
    pub started: String,
    /// When the snapshot was taken.
    pub time: String,
    /// The configuration in force.
    pub config: ConfigDocument,
    /// In the order of the configuration.
    pub virtual_routers: Vec<RouterDocument>,
    /// Named groups.
    pub sync_groups: Vec<GroupDocument>,
    /// By name.
    pub tracks: Vec<TrackDocument>,
    /// By name.
    pub interfaces: Vec<InterfaceDocument>,
    /// What the daemon measured of itself.
    #[serde(default)]
    pub metrics: MetricsDocument,
}

/// What the daemon measured of itself.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct MetricsDocument {
    /// From the moment the protocol allows a takeover to the first announcement handed to the kernel.
    pub failover_overhead_seconds: HistogramDocument,
    /// How much after its time an advert was handed to the kernel.
    pub advert_lateness_seconds: HistogramDocument,
}

/// The configuration in force.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ConfigDocument {
    /// The file.
    pub path: String,
    /// Its number, from 1.
    pub generation: u64,
    /// When it was loaded.
    pub loaded: String,
    /// When a newer file was refused; null where the last one read is in force.
    #[serde(default)]
    pub refused: Option<String>,
}

/// One virtual router.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RouterDocument {
    /// Its label.
    pub name: String,
    /// Its interface.
    pub interface: String,
    /// `ipv4` or `ipv6`.
    pub family: String,
    /// 1 to 255.
    pub virtual_router_id: u8,
    /// 2 or 3.
    pub version: u8,
    /// `INITIALIZE`, `BACKUP`, `MASTER` or `FAULT`.
    pub state: String,
    /// Since when.
    pub since: String,
    /// Why it entered that state: the name of a [`Why`](crate::vrrp::Why).
    pub reason: String,
    /// As configured.
    pub base_priority: u8,
    /// With all weights.
    pub priority: u8,
    /// Its own interval in milliseconds.
    pub advert_interval_ms: u64,
    /// The Master's interval in milliseconds, as learned.
    pub master_interval_ms: u64,
    /// The Master as far as it knows.
    pub master: Option<MasterDocument>,
    /// As configured, with prefix lengths.
    pub virtual_addresses: Vec<String>,
    /// What it holds now, with prefix lengths.
    pub held_addresses: Vec<String>,
    /// Where a virtual MAC address is used.
    pub virtual_mac: Option<String>,
    /// Its sync group.
    pub sync_group: Option<String>,
    /// Times it became Master.
    pub transitions: u64,
    /// The member that holds its sync group back.
    pub blocked_by: Option<String>,
    /// The tracks of its group.
    pub tracks: Vec<AttachedTrack>,
    /// What it counted, by name.
    pub counters: BTreeMap<String, u64>,
    /// What makes it unfit, in words.
    pub unfit: Option<String>,
    /// Why it is not Master, in words; null where it is.
    pub why_not_master: Option<String>,
    /// Whether an operator drained it.
    pub drained: bool,
    /// The drain, where it is.
    #[serde(default)]
    pub drain: Option<DrainDocument>,
    /// What is odd about its peers right now.
    #[serde(default)]
    pub warnings: Vec<WarningDocument>,
    /// Tracks that must be healthy before it may take over, and are not.
    pub waits_for: Vec<String>,
    /// When its next timer fires, in milliseconds from now.
    pub deadline_in_ms: Option<f64>,
}

impl RouterDocument {
    /// Whether it is Master, or a Backup that could take over. A drained one is maintenance, whatever its state.
    #[must_use]
    pub fn is_healthy(&self) -> bool {
        match self.state.as_str() {
            _ if self.drained => true,
            "MASTER" => true,
            "BACKUP" => self.blocked_by.is_none() && self.waits_for.is_empty(),
            _ => false,
        }
    }
}

/// A drain in force.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct DrainDocument {
    /// Who asked.
    pub by: String,
    /// Since when.
    pub since: String,
    /// When it ends by itself; null where it does not.
    pub until: Option<String>,
    /// It has resigned, and waits for another Master to be heard.
    pub handing_over: bool,
}

/// A warning in force.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct WarningDocument {
    /// A name that stays: `split_brain`, `owner_conflicts`, ...
    pub name: String,
    /// The address of the other router.
    pub from: String,
    /// Since when.
    pub since: String,
    /// In words, with what to do.
    pub detail: String,
}

/// The Master of a virtual router.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct MasterDocument {
    /// Its address.
    pub address: String,
    /// Its priority; null after it resigned.
    pub priority: Option<u8>,
    /// How long ago it was last heard, in milliseconds.
    pub heard_ms_ago: f64,
}

/// A track as it bears on a virtual router.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct AttachedTrack {
    /// Its name.
    pub name: String,
    /// Null before its first answer.
    pub healthy: Option<bool>,
    /// Null where it is required.
    pub weight: Option<i16>,
    /// Whether its failure makes the router unfit.
    pub required: bool,
    /// What it adds to the priority now.
    pub contribution: i32,
}

/// A sync group.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct GroupDocument {
    /// Its name.
    pub name: String,
    /// Labels of its members.
    pub members: Vec<String>,
    /// Whether an operator drained it.
    #[serde(default)]
    pub drained: bool,
    /// `MASTER` when all members are.
    pub state: String,
    /// Its effective priority.
    pub priority: u8,
    /// The member that holds it back.
    pub blocked_by: Option<String>,
}

/// A track.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TrackDocument {
    /// Its name.
    pub name: String,
    /// Its key in the configuration: `script`, `http`, ...
    pub kind: String,
    /// Null before its first answer.
    pub healthy: Option<bool>,
    /// Since when.
    pub since: String,
    /// What the last run said.
    pub last_result: String,
    /// How often it ran.
    pub runs: u64,
    /// How often it failed.
    pub failures: u64,
    /// How long the last run took.
    pub last_duration_ms: f64,
}

/// An interface.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct InterfaceDocument {
    /// Its name.
    pub name: String,
    /// Present and up.
    pub up: bool,
    /// What was wrong with packets on it before a virtual router was known, by name.
    pub counters: BTreeMap<String, u64>,
    /// Whether the counters of refused packets, the virtual routers' included, are of a sample at the moment: while the
    /// kernel drops the rest of a flood.
    #[serde(default)]
    pub counters_estimated: bool,
}
