//! `global_defs`: what concerns the daemon, and the defaults of the instances.

use super::document::{Document, Table};
use super::note::{Notes, Place};
use super::surroundings::Surroundings;
use super::tree::Statement;
use super::unmapped;
use crate::config::value::spelled;
use std::time::Duration;

/// How a Master announces itself; `None` is keepalived's default, for which ours stands.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Announcing {
    pub repeat: Option<u32>,
    pub delay: Option<Duration>,
    pub refresh: Option<Duration>,
}

/// What `global_defs` says.
#[derive(Debug)]
pub(super) struct Globals {
    daemon: Table,
    notify: Table,
    place: Option<Place>,
    has_script_user: bool,
    /// The version of an IPv4 instance that names none.
    pub version: u8,
    pub strict: bool,
    pub checksum_as_v2: bool,
    pub announcing: Announcing,
}

impl Default for Globals {
    fn default() -> Self {
        Self {
            daemon: Table::new("daemon", &["daemon"]),
            notify: Table::new("notify", &["notify"]),
            place: None,
            has_script_user: false,
            version: 2,
            strict: false,
            checksum_as_v2: false,
            announcing: Announcing::default(),
        }
    }
}

impl Announcing {
    /// Takes a statement if it is about announcements; `prefix` is what `global_defs` puts before the names.
    pub(super) fn take(&mut self, statement: &Statement, prefix: &str, notes: &mut Notes) -> bool {
        match statement.keyword().strip_prefix(prefix) {
            Some("garp_master_repeat") => self.repeat = statement.number(&(0..=u32::MAX), notes),
            Some("garp_master_delay") => self.delay = statement.seconds(notes),
            Some("garp_master_refresh") => self.refresh = statement.seconds(notes),
            _ => return false,
        }
        true
    }
}

impl Globals {
    pub(super) fn read(&mut self, block: &Statement, notes: &mut Notes) {
        let mark = notes.mark();
        self.place.get_or_insert_with(|| block.place.clone());
        for statement in block.inner() {
            if !self.announcing.take(statement, "vrrp_", notes) {
                self.take(statement, notes);
            }
        }
        self.daemon.remark(&notes.claim(mark));
    }

    fn take(&mut self, statement: &Statement, notes: &mut Notes) {
        match statement.keyword() {
            "vrrp_version" => self.version = statement.number(&(2..=3), notes).unwrap_or(2),
            "vrrp_strict" => self.strict = statement.flag(),
            // keepalived does not look at what follows the word.
            "v3_checksum_as_v2" => self.checksum_as_v2 = true,
            "vrrp_startup_delay" => {
                if let Some(delay) = statement.seconds(notes) {
                    self.daemon.set("startup_delay", spelled(delay));
                }
            }
            "vrrp_rt_priority" => {
                if let Some(priority) = statement.number::<u8>(&(1..=99), notes) {
                    self.daemon.set("realtime_priority", priority);
                }
            }
            "script_user" => self.script_user(statement, notes),
            "notify_fifo" | "vrrp_notify_fifo" => self.fifo(statement, notes),
            _ => unmapped::global(statement, notes),
        }
    }

    fn script_user(&mut self, statement: &Statement, notes: &mut Notes) {
        let Some(user) = statement.value() else {
            return notes.broken(&statement.place, "script_user takes the name of a user");
        };
        self.has_script_user = true;
        self.daemon.set("script_user", user.trim_end_matches(':'));
        if let Some(group) = statement.words.get(2) {
            let message = format!("programs run with the groups of their user, not as group {group}");
            notes.unmapped(&statement.place, message);
        }
    }

    fn fifo(&mut self, statement: &Statement, notes: &mut Notes) {
        match statement.value().filter(|path| path.starts_with('/')) {
            Some(path) => {
                self.notify.set("fifo", path);
                notes.changed(&statement.place, "the FIFO carries lines of JSON here: its reader has to know them");
            }
            None => notes.broken(&statement.place, "a FIFO is named by its absolute path"),
        }
    }

    /// Puts the tables into the document. `for_scripts` is there when a program runs that names no user.
    pub(super) fn write(mut self, for_scripts: Option<&dyn Surroundings>, document: &mut Document, notes: &mut Notes) {
        if let Some(surroundings) = for_scripts.filter(|_| !self.has_script_user) {
            let user = if surroundings.has_user("keepalived_script") { "keepalived_script" } else { "root" };
            self.daemon.set("script_user", user);
            if let Some(place) = &self.place {
                let mark = notes.mark();
                notes.changed(place, format!("without a script_user keepalived runs scripts as {user}"));
                self.daemon.remark(&notes.claim(mark));
            }
        }
        for table in [self.daemon, self.notify].into_iter().filter(|table| !table.is_empty()) {
            document.push(table);
        }
    }
}
