//! `vrrp_sync_group`: routers that stand and fall together.

use super::document::{Document, Table};
use super::instance::{Instance, add};
use super::note::{Notes, Place};
use super::notify::Hooks;
use super::surroundings::Surroundings;
use super::track::{self, Tracks};
use super::tree::Statement;
use super::unmapped;
use super::value::Labels;

/// Every group so far.
#[derive(Debug, Default)]
pub(super) struct Groups {
    labels: Labels,
    tables: Vec<Table>,
}

impl Groups {
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.tables.iter()
    }

    /// Reads a group; its members give up their priority and their tracks to it.
    pub(super) fn read(
        &mut self,
        block: &Statement,
        instances: &mut [Instance],
        tracks: &mut Tracks,
        surroundings: &dyn Surroundings,
        notes: &mut Notes,
    ) {
        let mark = notes.mark();
        let Some(name) = block.value() else { return notes.broken(&block.place, "vrrp_sync_group has no name") };
        let label = self.labels.give(name);
        if label != name {
            notes.changed(&block.place, format!("{name} is called {label} here"));
        }
        let mut table = Table::new("sync_group", &["sync_group", &label]);
        let mut hooks = Hooks::new("sync_group", &label);
        let mut attachments = Vec::new();
        let mut members: Vec<usize> = Vec::new();
        let mut weights_count = false;
        for statement in block.inner() {
            if let Some(more) = tracks.attach(statement, None, notes) {
                add(&mut attachments, more, notes);
            } else if statement.keyword() == "group" {
                members.extend(self::members(statement, instances, notes));
            } else if statement.keyword() == "sync_group_tracking_weight" {
                weights_count = true;
            } else if !hooks.take(statement, surroundings, notes) {
                unmapped::instance(statement, notes);
            }
        }
        let Some(priority) = priority(&members, instances, &block.place, notes) else {
            return notes.broken(&block.place, format!("{name} is left out: it has no members"));
        };
        for &member in &members {
            let Some(instance) = instances.get_mut(member) else { continue };
            let own = std::mem::take(&mut instance.tracks);
            for attachment in own.iter().filter(|attachment| attachment.weighted && !weights_count) {
                let message = format!(
                    "{} keeps its weight and moves to sync group {label}; keepalived leaves weights of members out unless sync_group_tracking_weight is set",
                    attachment.label
                );
                notes.changed(&attachment.place, message);
            }
            add(&mut attachments, own, notes);
        }
        let labels = members.iter().filter_map(|&member| instances.get(member)).map(|member| member.label.clone());
        table.set("members", labels.collect::<Vec<_>>());
        table.set("priority", priority);
        if !attachments.is_empty() {
            table.set("track", track::item(&attachments));
        }
        table.remark(&notes.claim(mark));
        self.tables.push(table);
        self.tables.extend(hooks.finish(notes));
    }

    pub(super) fn write(self, document: &mut Document) {
        for table in self.tables {
            document.push(table);
        }
    }
}

/// The members that `group { ... }` names.
fn members(block: &Statement, instances: &mut [Instance], notes: &mut Notes) -> Vec<usize> {
    let mut found = Vec::new();
    for (name, place) in block.inner_words() {
        match instances.iter().position(|instance| instance.name == name) {
            None => notes.broken(place, format!("there is no vrrp_instance {name} that could be carried over")),
            Some(index) if instances[index].in_group => {
                notes.broken(place, format!("{name} is in a group already: it stays in the first one"));
            }
            Some(index) => {
                instances[index].in_group = true;
                found.push(index);
            }
        }
    }
    found
}

/// The one priority of all: the highest, since the host that had any of them Master has them all.
fn priority(members: &[usize], instances: &[Instance], place: &Place, notes: &mut Notes) -> Option<u8> {
    let priorities: Vec<u8> =
        members.iter().filter_map(|&member| instances.get(member)).map(|member| member.priority).collect();
    let highest = priorities.iter().copied().max()?;
    if priorities.iter().any(|&priority| priority != highest) {
        let listed: Vec<String> = priorities.iter().map(ToString::to_string).collect();
        let message = format!(
            "a sync group has one priority: {highest}, the highest of its members' ({}). A keepalived peer compares each member's with it",
            listed.join(", ")
        );
        notes.changed(place, message);
    }
    Some(highest)
}
