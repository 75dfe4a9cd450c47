//! What goes over the control socket: one JSON object on a line each way; `events` answers with many lines.

use crate::vrrp::Seq;
use serde::{Deserialize, Serialize};

/// What a client may ask. A line that is none of these gets a [`Refusal`], and the connection is closed.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub enum Ask {
    /// Everything, as a [`Document`](super::Document).
    Status {},
    /// The history: one record a line, then an [`EventsEnd`]; with `follow` there is no end.
    Events {
        /// Only records after this number.
        #[serde(default)]
        since: Option<Seq>,
        /// Go on with each new record as it comes.
        #[serde(default)]
        follow: bool,
    },
    /// One router in words; answered by an [`Explanation`].
    Explain {
        /// Its label.
        router: String,
    },
    /// Hand over and stay Backup; answered by a [`Done`].
    Drain {
        /// The label of a router or sync group; all where it is left out.
        #[serde(default)]
        router: Option<String>,
        /// For how many milliseconds; until it is undrained where it is left out.
        #[serde(default)]
        for_ms: Option<u64>,
        /// Also where nobody takes over.
        #[serde(default)]
        force: bool,
    },
    /// Stand in the election again; answered by a [`Done`].
    Undrain {
        /// The label of a router or sync group; all where it is left out.
        #[serde(default)]
        router: Option<String>,
    },
    /// Log more or less from now on, until the next start; answered by a [`Done`].
    LogLevel {
        /// `error`, `warn`, `info`, `debug` or `trace`.
        level: String,
    },
    /// Load the configuration anew; answered by a [`ReloadAnswer`].
    Reload {
        /// Only say what would change.
        #[serde(default)]
        dry_run: bool,
    },
    /// Run the program that is installed now in the place of this one; answered by an [`UpgradeAnswer`], and then the
    /// connection ends.
    Upgrade {},
}

impl Ask {
    /// Whether it changes something, and so needs root or the control group.
    #[must_use]
    pub const fn changes_something(&self) -> bool {
        match self {
            Self::Status {} | Self::Events { .. } | Self::Explain { .. } => false,
            Self::Reload { .. }
            | Self::Upgrade {}
            | Self::Drain { .. }
            | Self::Undrain { .. }
            | Self::LogLevel { .. } => true,
        }
    }
}

/// The answer to what cannot be done.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Refusal {
    /// What is wrong, and what to do.
    pub error: String,
}

/// The last line of the history.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EventsEnd {
    /// The number of the newest record: what to give as `since` the next time.
    pub newest: Seq,
}

/// What came of a reload.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ReloadAnswer {
    /// Whether the file is good.
    pub ok: bool,
    /// Errors and warnings, as text; may be empty.
    pub diagnostics: String,
    /// What changed, or would change.
    pub changes: Vec<String>,
}

/// What came of the demand for an upgrade.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct UpgradeAnswer {
    /// Whether the program would run with the configuration. It does so now.
    pub ok: bool,
    /// What it said of the configuration, or why there is no upgrade now; may be empty.
    pub diagnostics: String,
    /// The version that ends.
    pub version: String,
}

/// One router in words.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Explanation {
    /// Lines for people.
    pub text: String,
}

/// What a command was carried out for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Done {
    /// The labels of routers, or what is in force now.
    pub done: Vec<String>,
}
