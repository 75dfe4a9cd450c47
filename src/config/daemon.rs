//! `[daemon]`: what concerns the process and no router.

use super::diagnostic::Diagnostics;
use super::keys::DAEMON;
use super::reader::{At, Fields};
use super::tree::Table;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Settings of the daemon itself, with every default filled in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct DaemonSettings {
    /// Where `vrrpctl` connects.
    pub control_socket: PathBuf,
    /// Who may, besides root.
    pub control_group: Arc<str>,
    /// Who runs the scripts that name no user of their own.
    pub script_user: Arc<str>,
    /// `SCHED_RR` priority of the protocol thread, 1 to 99; `None` is ordinary scheduling.
    pub realtime_priority: Option<u8>,
    /// The least important message that is logged.
    pub log_level: LogLevel,
    /// How log lines look.
    pub log_format: LogFormat,
    /// How long after the start nothing stands in the election.
    pub startup_delay: Duration,
    /// What has to outlive a reboot goes there.
    pub state_directory: PathBuf,
}

/// Levels of the log, the most important first.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum LogLevel {
    /// The daemon cannot do what it is for.
    Error,
    /// Something an operator should look at.
    Warn,
    /// Every change of state.
    #[default]
    Info,
    /// What led to it.
    Debug,
    /// Each packet.
    Trace,
}

impl LogLevel {
    /// By its name in the configuration.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        LEVELS.into_iter().find(|(known, _)| *known == name).map(|(_, level)| level)
    }
}

/// Forms of a log line.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum LogFormat {
    /// A sentence.
    #[default]
    Text,
    /// An object.
    Json,
}

impl Default for DaemonSettings {
    fn default() -> Self {
        Self {
            control_socket: PathBuf::from("/run/vrrpd/control.sock"),
            control_group: "vrrpd".into(),
            script_user: "nobody".into(),
            realtime_priority: None,
            log_level: LogLevel::default(),
            log_format: LogFormat::default(),
            startup_delay: Duration::ZERO,
            state_directory: PathBuf::from("/var/lib/vrrpd"),
        }
    }
}

const LEVELS: [(&str, LogLevel); 5] = [
    ("error", LogLevel::Error),
    ("warn", LogLevel::Warn),
    ("info", LogLevel::Info),
    ("debug", LogLevel::Debug),
    ("trace", LogLevel::Trace),
];

const FORMATS: [(&str, LogFormat); 2] = [("text", LogFormat::Text), ("json", LogFormat::Json)];

/// The settings, with the places of those that have to exist on this host.
pub(super) struct DaemonDraft {
    pub settings: DaemonSettings,
    pub script_user: Option<At<Arc<str>>>,
    pub control_group: Option<At<Arc<str>>>,
}

pub(super) fn read(root: &Table, report: &mut Diagnostics) -> DaemonDraft {
    let mut draft = DaemonDraft { settings: DaemonSettings::default(), script_user: None, control_group: None };
    let Some(fields) = root.get("daemon").and_then(|entry| Fields::of(entry, &DAEMON, report)) else { return draft };
    draft.script_user = fields.take("script_user", report);
    draft.control_group = fields.take("control_group", report);
    let default = DaemonSettings::default();
    draft.settings = DaemonSettings {
        control_socket: fields.take("control_socket", report).unwrap_or(default.control_socket),
        control_group: draft.control_group.as_ref().map_or(default.control_group, |group| group.value.clone()),
        script_user: draft.script_user.as_ref().map_or(default.script_user, |user| user.value.clone()),
        realtime_priority: fields.number("realtime_priority", 1..=99, report).map(|at| at.value),
        log_level: fields.choice("log_level", &LEVELS, report).map_or(default.log_level, |at| at.value),
        log_format: fields.choice("log_format", &FORMATS, report).map_or(default.log_format, |at| at.value),
        startup_delay: fields.take("startup_delay", report).unwrap_or(default.startup_delay),
        state_directory: fields.take("state_directory", report).unwrap_or(default.state_directory),
    };
    draft
}
