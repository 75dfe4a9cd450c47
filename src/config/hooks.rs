//! `[notify]`, for all, for one router and for one group: what runs when the state changes.

use super::diagnostic::Diagnostics;
use super::keys::NOTIFY;
use super::reader::{At, Field, Fields, Read};
use super::script::{self, ScriptUse};
use super::source::Place;
use super::tree::{Entry, inner};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Every hook of the configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct HookPlan {
    /// For every router and group: `[notify]`.
    pub all: HookSet,
    /// For one router, by its label: `[virtual_router.NAME.notify]`.
    pub routers: BTreeMap<Arc<str>, HookSet>,
    /// For one sync group, by its name: `[sync_group.NAME.notify]`.
    pub groups: BTreeMap<Arc<str>, HookSet>,
    /// A FIFO that carries every record as a line of JSON.
    pub fifo: Option<PathBuf>,
}

/// The hooks of one `notify` table.
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
    /// Absolute path and arguments, run without a shell.
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

impl HookSet {
    /// Whether nothing runs.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// The FIFO of `[notify]`, and a complaint about any other.
pub(super) fn fifo<'t>(
    all: Option<&'t Entry>,
    others: impl Iterator<Item = &'t Entry>,
    report: &mut Diagnostics,
) -> Option<PathBuf> {
    for entry in others.filter_map(|entry| inner(entry, "fifo")) {
        report
            .error(entry.key_place, "fifo stands in [notify] only")
            .help("one FIFO carries the changes of every router and group: move it there");
    }
    let entry = inner(all?, "fifo")?;
    let help = NOTIFY.keys.iter().find(|(key, _)| *key == "fifo").map_or("", |(_, help)| help);
    PathBuf::read(&entry.node, Field { key: "fifo", help }, report)
}

/// Reads one `notify` table; the programs it names are added to `scripts`.
pub(super) fn read(
    entry: Option<&Entry>,
    script_user: &Arc<str>,
    scripts: &mut Vec<ScriptUse>,
    report: &mut Diagnostics,
) -> HookSet {
    let Some(fields) = entry.and_then(|entry| Fields::of(entry, &NOTIFY, report)) else { return HookSet::default() };
    let user: Option<At<Arc<str>>> = fields.take("user", report);
    let timeout = timeout(&fields, report);
    let keepalived_arguments = fields.take("keepalived_arguments", report).unwrap_or(false);
    let mut hook = |key| {
        let script = script::take(&fields, key, user.as_ref(), report)?;
        let hook = Hook {
            argv: script.argv.0.clone(),
            user: user.as_ref().map_or_else(|| script_user.clone(), |user| user.value.clone()),
            timeout,
            keepalived_arguments,
        };
        scripts.push(script);
        Some(hook)
    };
    HookSet {
        on_master: hook("on_master"),
        on_backup: hook("on_backup"),
        on_fault: hook("on_fault"),
        on_stop: hook("on_stop"),
        on_change: hook("on_change"),
    }
}

fn timeout(fields: &Fields<'_>, report: &mut Diagnostics) -> Duration {
    let given: Option<At<Duration>> = fields.take("timeout", report);
    given.and_then(|at| not_zero(&at, "timeout", report)).unwrap_or(Hook::DEFAULT_TIMEOUT)
}

/// A duration in which something can happen.
pub(super) fn not_zero(at: &At<Duration>, key: &str, report: &mut Diagnostics) -> Option<Duration> {
    const LEAST: Duration = Duration::from_millis(1);
    if at.value < LEAST {
        let place: Place = at.place;
        report.error(place, format!("{key} must be at least 1ms")).help("write a number with a unit, such as \"1s\"");
        return None;
    }
    Some(at.value)
}
