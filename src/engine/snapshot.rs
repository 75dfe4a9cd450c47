//! The state of everything at one moment, as plain data. `control/` renders it as the JSON of the status command.

use super::counters::PortCounters;
use super::drain::Drain;
use crate::ids::{GroupId, InterfaceName, RouterId, RouterKey};
use crate::time::Timestamp;
use crate::units::{Interval, Priority, Version, VirtualAddress};
use crate::vrrp::{Evidence, MacMode, Preempt, Role, RouterCounters, RouterSpec, Unfit, Why};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Everything.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// When it was taken.
    pub at: Timestamp,
    /// In the order of the plan.
    pub routers: Vec<RouterStatus>,
    /// Named sync groups only.
    pub groups: Vec<GroupStatus>,
    /// By name.
    pub trackers: Vec<TrackerStatus>,
    /// Interfaces that routers use, by name.
    pub interfaces: Vec<InterfaceStatus>,
}

/// The little of a virtual router that a simulator looks at after every event.
#[derive(Clone, Copy, Debug)]
pub struct RouterBrief<'a> {
    /// Its handle.
    pub router: RouterId,
    /// The group it is in.
    pub group: GroupId,
    /// Its configuration.
    pub spec: &'a RouterSpec,
    /// Its state.
    pub role: Role,
    /// Why it entered it.
    pub why: Why,
    /// Whether it holds its addresses.
    pub holding: bool,
    /// Whether it is fit, and may become Master now.
    pub able: bool,
}

/// One virtual router.
#[derive(Clone, Debug)]
pub struct RouterStatus {
    /// Its label.
    pub name: Arc<str>,
    /// Its identity.
    pub key: RouterKey,
    /// The version it speaks.
    pub version: Version,
    /// Its state.
    pub role: Role,
    /// Since when.
    pub since: Timestamp,
    /// Why it entered it.
    pub why: Why,
    /// What makes it unfit, where something does.
    pub unfit: Option<Unfit>,
    /// The group's base priority.
    pub base_priority: Priority,
    /// With all weights; the base while it is unfit.
    pub priority: Priority,
    /// Its own interval.
    pub interval: Interval,
    /// The Master's interval as learned.
    pub master_interval: Interval,
    /// The current Master as far as it knows: itself, or who was heard last.
    pub master: Option<MasterStatus>,
    /// When its next timer fires.
    pub deadline: Option<Timestamp>,
    /// As configured.
    pub addresses: Arc<[VirtualAddress]>,
    /// What it holds now, advertised and excluded.
    pub held: Vec<VirtualAddress>,
    /// Which MAC stands for them.
    pub mac: MacMode,
    /// Its sync group.
    pub group: Option<Arc<str>>,
    /// The member that holds its group back, where one does.
    pub blocked_by: Option<Arc<str>>,
    /// Where an operator drained it.
    pub drain: Option<Drain>,
    /// Whether it displaces a Master of lower priority.
    pub preempt: Preempt,
    /// What it saw that brought it into its state.
    pub evidence: Evidence,
    /// What is odd about its peers right now.
    pub warnings: Vec<WarningStatus>,
    /// Whether it may become Master now; what it waits for otherwise.
    pub waits_for: Vec<Arc<str>>,
    /// The tracks of its group.
    pub tracks: Vec<AttachedStatus>,
    /// Its counters.
    pub counters: RouterCounters,
}

/// A warning about a peer that is in force: what it is about was seen within the last ten seconds, or the last three
/// adverts where that is longer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct WarningStatus {
    /// A name that stays: `split_brain`, `owner_conflicts`, `address_list_errors`, ...
    pub name: &'static str,
    /// Who.
    pub from: IpAddr,
    /// Since when, without a pause.
    pub since: Timestamp,
    /// In words, with what to do.
    pub detail: Arc<str>,
}

/// The Master of a virtual router.
#[derive(Clone, Copy, Debug)]
pub struct MasterStatus {
    /// Its address.
    pub address: IpAddr,
    /// Its priority; `None` after it resigned.
    pub priority: Option<Priority>,
    /// When it was heard last (its own last advert, for the Master itself).
    pub heard: Timestamp,
}

/// A track as it bears on one group.
#[derive(Clone, Debug)]
pub struct AttachedStatus {
    /// The track's name.
    pub name: Arc<str>,
    /// `None` before its first answer.
    pub healthy: Option<bool>,
    /// Its weight; `None` where it is required.
    pub weight: Option<i16>,
    /// What it adds to the priority now.
    pub contribution: i32,
}

/// A sync group.
#[derive(Clone, Debug)]
pub struct GroupStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Labels of its members.
    pub members: Vec<Arc<str>>,
    /// `Master` when all are; otherwise the least of its members' states.
    pub role: Role,
    /// Its effective priority.
    pub priority: Priority,
    /// The member that holds it back.
    pub blocked_by: Option<Arc<str>>,
}

/// A track.
#[derive(Clone, Debug)]
pub struct TrackerStatus {
    /// Its name.
    pub name: Arc<str>,
    /// Its kind: the key in the configuration.
    pub kind: &'static str,
    /// `None` before its first answer.
    pub healthy: Option<bool>,
    /// Since when.
    pub since: Timestamp,
    /// What the last run said.
    pub last_result: Arc<str>,
    /// How often it ran.
    pub runs: u64,
    /// How often it failed.
    pub failures: u64,
    /// How long the last run took.
    pub last_duration: Duration,
}

/// An interface.
#[derive(Clone, Debug)]
pub struct InterfaceStatus {
    /// Its name.
    pub name: InterfaceName,
    /// Present and up.
    pub up: bool,
    /// What was wrong with packets on it before a router was known.
    pub counters: PortCounters,
    /// Whether the kernel drops most useless packets at the moment, so that the counters of refused ones, the routers'
    /// included, are of a sample.
    pub counters_estimated: bool,
}
