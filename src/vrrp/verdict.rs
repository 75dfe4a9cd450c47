//! What a router concludes from its own evidence, and what bears on it from outside.

use crate::units::Priority;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;

/// What this router concludes. Ordered: a group's verdict is the minimum of its members'.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Verdict {
    /// It cannot be Master.
    Unfit,
    /// Another Master lives, or may.
    Yield,
    /// It has resigned and keeps its addresses until somebody else is heard.
    Linger,
    /// It should be Master, or is.
    Claim,
}

/// Whether, and as what, a router may stand in the election.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Fitness {
    /// It may not.
    Unfit(Unfit),
    /// It may.
    Fit {
        /// The effective priority: the group's base and the sum of its track weights.
        priority: Priority,
        /// The source of its adverts, and its side of a tie.
        source: IpAddr,
        /// Whether it may become Master now; what is Master already is not touched by this.
        promotion: Promotion,
    },
}

/// Whether a router that is fit may become Master.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub enum Promotion {
    /// It may.
    Allowed,
    /// Only where it still holds the addresses since it handed over and nobody else came: it waits for a track.
    Resuming,
    /// It may not: an operator drained it.
    Forbidden,
}

/// Why a router may not stand in the election.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Unfit {
    /// The daemon is starting, or the router is new.
    Starting,
    /// The configured startup delay runs.
    StartupDelay,
    /// There is no such interface.
    InterfaceMissing,
    /// The interface is down or has no carrier.
    InterfaceDown,
    /// The interface has no address that adverts could come from.
    NoSourceAddress,
    /// A required track has failed.
    TrackFailed {
        /// Its name.
        track: Arc<str>,
    },
    /// The kernel refused what the router needs.
    KernelRefused {
        /// What was asked and what it said.
        error: Arc<str>,
    },
    /// Somebody else on this host kept removing what it holds.
    Interference {
        /// What was removed last.
        what: Arc<str>,
        /// Who was seen doing it, where the kernel tells.
        by: Option<Arc<str>>,
    },
    /// The daemon is going down.
    Stopping,
}
