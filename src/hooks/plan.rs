//! Which programs are told what.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Every hook of the configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HookPlan {
    /// For every router and group.
    pub all: HookSet,
    /// For one router, by its label.
    pub routers: BTreeMap<Arc<str>, HookSet>,
    /// For one sync group, by its name.
    pub groups: BTreeMap<Arc<str>, HookSet>,
}

/// What is run on which change.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HookSet {
    /// Runs on becoming Master.
    pub on_master: Option<Hook>,
    /// Runs on becoming Backup.
    pub on_backup: Option<Hook>,
    /// Runs on FAULT.
    pub on_fault: Option<Hook>,
    /// Runs when the daemon stops or the router is taken out of the configuration.
    pub on_stop: Option<Hook>,
    /// Runs on every change, after the hook for the state.
    pub on_change: Option<Hook>,
}

/// One program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// Path and arguments, run without a shell.
    pub argv: Arc<[String]>,
    /// Who runs it.
    pub user: Arc<str>,
    /// After which it is killed.
    pub timeout: Duration,
    /// Whether keepalived's four arguments follow its own: `INSTANCE` or `GROUP`, name, state, priority.
    pub keepalived_arguments: bool,
}

impl Hook {
    /// How long a hook may run where the file does not say.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
}
