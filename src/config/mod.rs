//! The configuration: from a TOML file, with what it includes, to the plan that the engine runs.
//!
//! ```text
//! text -> tree -> drafts, one for each table -> cross-checks -> Plan, HookPlan, DaemonSettings
//!         places    (reader)                    (resolve, host_checks, lint)
//! ```
//!
//! The tree is walked by hand rather than through serde, since serde stops at the first error, loses the places of
//! values inside untagged and flattened types, and cannot say what a key takes. An operator mends a file once when all
//! of its errors stand there together. Each table opens as `reader::Fields`, which reports the keys that it does not
//! know and hands out typed values; a wrong value is reported and reading goes on with its default, so that one error
//! hides no other. What every key takes stands once, in [`keys`].

mod addresses;
mod auth;
mod candidacy;
mod daemon;
mod diagnostic;
mod group;
mod hmac;
mod hooks;
mod host;
mod host_checks;
mod include;
pub mod keepalived;
pub mod keys;
mod lint;
mod reader;
mod resolve;
mod router;
mod routes;
mod script;
mod source;
mod syntax;
mod system;
mod track;
mod tree;
mod value;

pub use daemon::{DaemonSettings, LogFormat, LogLevel};
pub use diagnostic::{Diagnostic, Diagnostics, Severity};
pub use hooks::{Hook, HookPlan, HookSet};
pub use host::{Context, FileFacts, Host, UserFacts};
pub use system::SystemHost;

use crate::engine::Plan;
use reader::Fields;
use resolve::Drafts;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use thiserror::Error;
use tree::{Entry, Table, Value, inner};

/// Where the configuration is when nobody says otherwise.
pub const DEFAULT_PATH: &str = "/etc/vrrpd/vrrpd.toml";

/// A configuration that can run.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What concerns the process.
    pub daemon: DaemonSettings,
    /// What the engine runs.
    pub plan: Plan,
    /// What runs when something changes.
    pub hooks: HookPlan,
    /// What is taken but probably not meant.
    pub warnings: Diagnostics,
}

/// Why a configuration cannot run.
#[derive(Debug, Error)]
pub enum LoadError {
    /// The main file cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the kernel says.
        error: io::Error,
    },
    /// What is wrong with it, all of it.
    #[error("{0}")]
    Refused(Diagnostics),
}

/// Reads a configuration with everything it includes.
pub fn load(path: &Path, context: &Context<'_>) -> Result<Loaded, LoadError> {
    let octets = std::fs::read(path).map_err(|error| LoadError::Unreadable { path: path.to_owned(), error })?;
    load_octets(path, &octets, context).map_err(LoadError::Refused)
}

/// The same for a text that has been read already; includes are relative to `path`.
pub fn load_text(path: &Path, text: &str, context: &Context<'_>) -> Result<Loaded, Diagnostics> {
    load_octets(path, text.as_bytes(), context)
}

fn load_octets(path: &Path, octets: &[u8], context: &Context<'_>) -> Result<Loaded, Diagnostics> {
    let mut report = Diagnostics::default();
    let root = include::read_all(path, octets, &mut report);
    let (drafts, hooks) = read(&root, context, &mut report);
    group::check_members(&drafts.groups, &drafts.routers, &mut report);
    resolve::check_identities(&drafts.routers, &mut report);
    host_checks::run(&drafts, context, &mut report);
    lint::run(&drafts, &mut report);
    report.drop_echoes();
    report.sort();
    if report.has_errors() {
        return Err(report);
    }
    Ok(Loaded { daemon: drafts.daemon.settings.clone(), plan: drafts.plan(), hooks, warnings: report })
}

/// Reads every table into its draft.
fn read<'t>(root: &'t Table, context: &Context<'_>, report: &mut Diagnostics) -> (Drafts, HookPlan) {
    let daemon = daemon::read(root, report);
    let script_user: Arc<str> = daemon.settings.script_user.clone();
    let tracks: Vec<_> =
        named(root, "track", report).iter().map(|entry| track::read(entry, &script_user, report)).collect();
    let router_entries = named(root, "virtual_router", report);
    let group_entries = named(root, "sync_group", report);
    let routers = router_entries.iter().filter_map(|entry| router::read(entry, &tracks, context, report)).collect();
    let groups = group_entries.iter().filter_map(|entry| group::read(entry, &tracks, report)).collect();
    let notify = |entry| inner(entry, "notify");
    let fifo = hooks::fifo(root.get("notify"), router_entries.iter().chain(group_entries).filter_map(notify), report);
    let mut hook_scripts = Vec::new();
    let mut hooks_of = |entry| hooks::read(entry, &script_user, &mut hook_scripts, report);
    let all = hooks_of(root.get("notify"));
    let mut own_hooks = |entries: &'t [Entry]| {
        let named = entries.iter().map(|entry| (entry.key.as_str().into(), hooks_of(notify(entry))));
        named.filter(|(_, set)| !set.is_empty()).collect()
    };
    let hooks = HookPlan { all, routers: own_hooks(router_entries), groups: own_hooks(group_entries), fifo };
    (Drafts { daemon, tracks, routers, groups, hook_scripts }, hooks)
}

/// The tables of a section that are named by the operator, such as `[track.NAME]`.
fn named<'t>(root: &'t Table, section: &str, report: &mut Diagnostics) -> &'t [Entry] {
    let Some(entry) = root.get(section) else { return &[] };
    let Value::Table(table) = &entry.node.value else {
        report
            .error(entry.node.place, format!("{section} must be tables, not {}", entry.node.value.kind()))
            .help(format!("each one has a name: [{section}.NAME]"));
        return &[];
    };
    for entry in table.0.iter().filter(|entry| !value::is_label(&entry.key)) {
        report
            .error(entry.key_place, format!("{section} has a name that command lines and metrics cannot carry"))
            .help("use letters, digits and _ - . : @, beginning with a letter or digit, 64 octets at most");
    }
    &table.0
}

/// Reports the unknown keys at the top of a file.
fn open_top(root: &Table, place: source::Place, report: &mut Diagnostics) {
    Fields::open(root, place, &keys::TOP, report);
}
