//! What the control socket asks of the daemon.

use super::histogram::Timings;
use super::wall::WallClock;
use crate::engine::{Command, Snapshot};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::SystemTime;
use tokio::sync::{mpsc, oneshot};

/// The way to the daemon: a bounded channel. Each request carries the way back.
pub type Backend = mpsc::Sender<Request>;

/// One request. A reply that nobody waits for any more is dropped.
#[derive(Debug)]
pub enum Request {
    /// The state of everything.
    Status(oneshot::Sender<Status>),
    /// An operator's command for the engine; the answer is whom it was about, or why it was refused.
    Command {
        /// What to do.
        command: Command,
        /// What came of it.
        reply: oneshot::Sender<Result<Vec<Arc<str>>, String>>,
    },
    /// Log more or less from now on.
    LogLevel {
        /// The least important level that is logged, by its name in the configuration.
        level: String,
        /// Who asked.
        by: Arc<str>,
        /// What is in force now, or why not.
        reply: oneshot::Sender<Result<String, String>>,
    },
    /// Read the configuration again.
    Reload {
        /// Only say what would change.
        dry_run: bool,
        /// Who asked.
        by: Arc<str>,
        /// What came of it.
        reply: oneshot::Sender<ReloadOutcome>,
    },
    /// Run the program that is installed now in the place of this one; the answer comes before that happens.
    Upgrade(oneshot::Sender<UpgradeOutcome>),
}

/// The state of everything, and what it takes to render it.
#[derive(Clone, Debug)]
pub struct Status {
    /// What the engine says.
    pub snapshot: Snapshot,
    /// The clocks when it said so.
    pub clock: WallClock,
    /// The daemon around it.
    pub about: About,
    /// What the protocol thread measured of itself.
    pub timings: Timings,
}

/// What there is to know of the daemon itself.
#[derive(Clone, Debug)]
pub struct About {
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub started: SystemTime,
    /// The configuration file.
    pub config_path: PathBuf,
    /// The number of the configuration in force, from 1.
    pub generation: u64,
    /// When that was loaded.
    pub loaded: SystemTime,
    /// When a newer file was refused; `None` where the last one read is in force.
    pub refused: Option<SystemTime>,
}

/// What came of the demand for an upgrade.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct UpgradeOutcome {
    /// Whether the program would run with the configuration: it does then, a moment later.
    pub ok: bool,
    /// What it said of the configuration, or why there is no upgrade now; may be empty.
    pub diagnostics: String,
}

/// What came of a reload.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ReloadOutcome {
    /// Whether the file is good (and in force, unless the run was dry).
    pub ok: bool,
    /// Errors and warnings as they are shown for `--check-config`; may be empty.
    pub diagnostics: String,
    /// What changed, or would change, in words.
    pub changes: Vec<String>,
}
