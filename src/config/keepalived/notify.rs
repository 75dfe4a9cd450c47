//! `notify_master` and its kin, of an instance or of a group.

use super::command;
use super::document::Table;
use super::note::{Notes, Place};
use super::surroundings::Surroundings;
use super::tree::Statement;

/// The hooks of one instance or group.
#[derive(Debug)]
pub(super) struct Hooks {
    table: Table,
    /// Who runs the first one; `None` before there is one, and `Some("")` for the `script_user`.
    user: Option<String>,
    /// Where a `notify` stands, which is given arguments.
    generic: Option<Place>,
    /// Where one for a state stands, which is not.
    specific: Option<Place>,
}

impl Hooks {
    /// The hooks of `[SECTION.NAME]`.
    pub(super) fn new(section: &'static str, name: &str) -> Self {
        Self { table: Table::new("notify", &[section, name, "notify"]), user: None, generic: None, specific: None }
    }

    /// Takes a statement if it names a hook.
    pub(super) fn take(&mut self, statement: &Statement, surroundings: &dyn Surroundings, notes: &mut Notes) -> bool {
        let key = match statement.keyword() {
            "notify_master" => "on_master",
            "notify_backup" => "on_backup",
            "notify_fault" => "on_fault",
            "notify_stop" => "on_stop",
            "notify" => "on_change",
            _ => return false,
        };
        let Some(command) = command::read(statement, surroundings, notes) else { return true };
        let user = command.user.unwrap_or_default();
        let first = self.user.get_or_insert_with(|| user.clone());
        if *first != user {
            let name = |user: &str| if user.is_empty() { "the script_user".to_owned() } else { user.to_owned() };
            let message = format!(
                "the programs of one notify table run as one user: this one runs as {}, not as {}",
                name(first),
                name(&user)
            );
            notes.unmapped(&statement.place, message);
        }
        let place = Some(statement.place.clone());
        if key == "on_change" {
            self.generic = place;
        } else {
            self.specific = place;
        }
        self.table.set(key, command.argv);
        true
    }

    /// The table, if any hook was taken.
    pub(super) fn finish(mut self, notes: &mut Notes) -> Option<Table> {
        let mark = notes.mark();
        if let Some(user) = self.user.filter(|user| !user.is_empty()) {
            self.table.set("user", user);
        }
        if let Some(place) = &self.generic {
            self.table.set("keepalived_arguments", true);
            if self.specific.is_some() {
                let message = "notify is given four arguments, and here the programs for single states get them too, after their own";
                notes.changed(place, message);
            }
        }
        self.table.remark(&notes.claim(mark));
        Some(self.table).filter(|table| !table.is_empty())
    }
}
