//! The history: every change is one [`Record`]. The log line, the hook, `vrrpctl events` and the metric are four
//! renderings of it.

use crate::ids::RouterKey;
use crate::time::Timestamp;
use crate::units::{Family, Priority};
use crate::vrrp::{Removed, Unfit};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// The number of a record, from 1, without gaps.
pub type Seq = u64;

/// The state operators see.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Not started: before the startup delay is over, or not yet told of its interface.
    Initialize,
    /// It listens.
    Backup,
    /// RFC 9568's Active: it holds the addresses.
    Master,
    /// Something it needs has failed.
    Fault,
}

impl Role {
    /// The name in status, logs and hooks.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Initialize => "INITIALIZE",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
            Self::Fault => "FAULT",
        }
    }
}

/// Why a router changed its state.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// It is ready to stand in the election.
    Started,
    /// It owns the addresses (priority 255).
    Owner,
    /// No advert came for the down interval.
    MasterSilent,
    /// The Master sent priority 0.
    MasterResigned,
    /// The Master's priority is lower than its own.
    PreemptsLower,
    /// An advert of higher priority came.
    HigherPriority,
    /// An advert of equal priority from a higher address came.
    HigherAddress,
    /// It handed over, and nobody else was heard until its own timer fired.
    NobodyTookOver,
    /// A weight lowered its priority: it hands over.
    Demoted,
    /// Something it needs has failed: see [`Evidence::unfit`].
    Unfit,
    /// Another member of its sync group cannot be Master.
    HeldByGroup,
    /// An operator asked for it.
    Drained,
    /// The process was stopped or starved for longer than its peers wait.
    Stalled,
    /// The daemon stops.
    Stopping,
    /// A reload removed it.
    Removed,
}

impl Why {
    /// The name in status, logs and hooks.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Owner => "owner",
            Self::MasterSilent => "master_silent",
            Self::MasterResigned => "master_resigned",
            Self::PreemptsLower => "preempts_lower",
            Self::HigherPriority => "higher_priority",
            Self::HigherAddress => "higher_address",
            Self::NobodyTookOver => "nobody_took_over",
            Self::Demoted => "demoted",
            Self::Unfit => "unfit",
            Self::HeldByGroup => "held_by_group",
            Self::Drained => "drained",
            Self::Stalled => "stalled",
            Self::Stopping => "stopping",
            Self::Removed => "removed",
        }
    }
}

/// One change, with its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Record {
    /// Its number.
    pub seq: Seq,
    /// When it happened.
    pub at: Timestamp,
    /// What it is about.
    pub subject: Subject,
    /// What happened.
    pub cause: Cause,
}

/// What a record is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Subject {
    /// The daemon itself.
    Daemon,
    /// A virtual router.
    Router {
        /// Its label.
        name: Arc<str>,
        /// Its identity.
        key: RouterKey,
        /// Its sync group, if it has a named one.
        group: Option<Arc<str>>,
    },
    /// A track.
    Track {
        /// Its name.
        name: Arc<str>,
    },
    /// A network interface.
    Interface {
        /// Its name.
        name: Arc<str>,
    },
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Cause {
    /// A router changed its state.
    Transition {
        /// The state it left.
        from: Role,
        /// The state it entered.
        to: Role,
        /// Why.
        why: Why,
        /// Its effective priority afterwards; `None` while it is unfit.
        priority: Option<Priority>,
        /// What it saw.
        evidence: Evidence,
    },
    /// A router's effective priority changed without a change of state.
    Priority {
        /// Before.
        from: Priority,
        /// After.
        to: Priority,
    },
    /// A track's settled health changed.
    Track {
        /// Healthy from now on.
        healthy: bool,
        /// What the last check said.
        result: Arc<str>,
    },
    /// An interface came, went, or changed.
    Interface {
        /// Present, up and usable.
        up: bool,
        /// In words.
        detail: Arc<str>,
    },
    /// Somebody removed something that a Master holds; it was put back.
    Restored {
        /// What.
        removed: Removed,
        /// Who, where the kernel tells.
        by: Option<Arc<str>>,
    },
    /// The kernel refused something.
    Refused {
        /// What was asked and what it said.
        error: Arc<str>,
    },
    /// A warning about a peer; repeats are held back.
    Warning {
        /// A name that stays: `owner_conflict`, `interval_differs`, `address_list_differs`, ...
        warning: &'static str,
        /// Who.
        from: IpAddr,
        /// In words, with what to do.
        detail: Arc<str>,
    },
    /// Useless packets came too fast, and the kernel drops them from now on; or they have ceased.
    Filter {
        /// Whether it drops them now.
        on: bool,
        /// Of which family.
        family: Family,
        /// About how many it has dropped in all.
        dropped: u64,
    },
    /// The thread that runs the protocol was held up.
    Stalled {
        /// For how long beyond the deadline.
        by: Duration,
    },
    /// A configuration took effect.
    Configured {
        /// Its number, from 1.
        generation: u64,
        /// Who asked for it; `None` at the start.
        by: Option<Arc<str>>,
        /// What changed, in words.
        changes: Arc<[String]>,
    },
    /// A Master re-announced its addresses after it met another Master and stayed.
    Reasserted {
        /// The other one.
        other: IpAddr,
        /// From the first to the last of its adverts that were heard: both were Master for at least that long.
        lasted: Duration,
        /// The effective priority of the one that stays.
        priority: Option<Priority>,
    },
    /// A daemon went on where another one left off: no router changed its state.
    Resumed {
        /// What it was for.
        how: Resumption,
        /// The version of the other one.
        from: Arc<str>,
        /// For how long the guardian stood in.
        gap: Duration,
    },
    /// An operator drained or undrained a router.
    Drain {
        /// Drained from now on.
        on: bool,
        /// Who asked, or what ended it.
        by: Arc<str>,
        /// When it ends by itself.
        until: Option<Timestamp>,
    },
}

/// Why one daemon took the place of another.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Resumption {
    /// `vrrpctl upgrade`: the same process runs another program.
    Upgraded,
    /// The service manager restarted the service.
    Restarted,
}

impl Resumption {
    /// The name in the history.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Upgraded => "upgraded",
            Self::Restarted => "restarted",
        }
    }
}

/// What a router saw that made it change its state.
#[derive(Clone, Debug, Default, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Evidence {
    /// Who was heard last, or now.
    pub heard_from: Option<IpAddr>,
    /// Their priority; `None` for a resignation.
    pub heard_priority: Option<Priority>,
    /// How long ago that was.
    pub heard_ago: Option<Duration>,
    /// What made it unfit.
    pub unfit: Option<Unfit>,
}
