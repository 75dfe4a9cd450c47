//! What an instance depends on: scripts, processes, files and interfaces, and with which weight.

use super::command;
use super::document::{Document, Item, Table};
use super::note::{Notes, Place};
use super::surroundings::Surroundings;
use super::tree::Statement;
use super::value::Labels;
use crate::config::value::spelled;
use std::time::Duration;

/// A weight as keepalived has it; 0 makes a failure a fault.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Weight {
    by: i16,
    reverse: bool,
}

/// What a block of tracks names: their kinds have names of their own in keepalived.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Kind {
    Script,
    Process,
    File,
    Interface,
}

#[derive(Debug)]
struct Track {
    kind: Kind,
    /// What keepalived calls it.
    name: String,
    label: String,
    weight: Weight,
    table: Table,
}

/// A track that an instance or group depends on.
#[derive(Clone, Debug)]
pub(super) struct Attachment {
    pub label: String,
    pub weight: Weight,
    pub place: Place,
    /// Whether keepalived would leave its weight out in a member of a sync group.
    pub weighted: bool,
}

/// Every track so far.
#[derive(Debug, Default)]
pub(super) struct Tracks {
    list: Vec<Track>,
    labels: Labels,
}

impl Weight {
    /// As it stands in `track = { ... }`. keepalived's `reverse` turns the sign round and keeps when it is added; ours
    /// keeps the sign and turns round when it is added.
    fn item(self) -> Item {
        let flag = |key: &str| (key.to_owned(), Item::Flag(true));
        match (self.by, self.reverse) {
            (0, false) => "required".into(),
            (0, true) => Item::Inline(vec![flag("required"), flag("reverse")]),
            (by, false) => Item::Number(by.into()),
            (by, true) => Item::Inline(vec![("weight".to_owned(), Item::Number((-by).into())), flag("reverse")]),
        }
    }

    /// Reads `weight N [reverse]`, where the words before it have been taken.
    fn read(words: &[String], default: Self, place: &Place, notes: &mut Notes) -> Self {
        let mut weight = default;
        let mut words = words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "weight" => match words.next().and_then(|number| number.parse::<i16>().ok()) {
                    Some(by) => weight = Self { by: by.clamp(-253, 253), reverse: false },
                    None => notes.broken(place, "weight takes a number from -253 to 253"),
                },
                "reverse" => weight.reverse = true,
                "noreverse" => weight.reverse = false,
                other => notes.broken(place, format!("{other} is not part of a weight")),
            }
        }
        weight
    }
}

/// `track = { ... }` of these.
pub(super) fn item(attachments: &[Attachment]) -> Item {
    Item::Inline(attachments.iter().map(|attachment| (attachment.label.clone(), attachment.weight.item())).collect())
}

impl Tracks {
    pub(super) fn tables(&self) -> impl Iterator<Item = &Table> {
        self.list.iter().map(|track| &track.table)
    }

    /// Reads a block that defines a track.
    pub(super) fn define(&mut self, block: &Statement, surroundings: &dyn Surroundings, notes: &mut Notes) {
        let Some(name) = block.value() else {
            return notes.broken(&block.place, format!("{} has no name", block.keyword()));
        };
        let kind = match block.keyword() {
            "vrrp_script" => Kind::Script,
            "vrrp_track_process" => Kind::Process,
            _ => Kind::File,
        };
        let mark = notes.mark();
        if self.list.iter().any(|track| track.kind == kind && track.name == name) {
            return notes.broken(&block.place, format!("{name} is defined twice: this definition is left out"));
        }
        let label = self.labels.give(name);
        let default = Weight { by: i16::from(kind == Kind::File), reverse: false };
        let mut track = Track {
            kind,
            name: name.to_owned(),
            table: Table::new("track", &["track", &label]),
            label,
            weight: default,
        };
        if kind == Kind::Script {
            track.table.set("rise", 1_u8);
            track.table.set("fall", 1_u8);
        }
        for statement in block.inner() {
            track.take(statement, surroundings, notes);
        }
        let subject = match kind {
            Kind::Script => "script",
            Kind::Process => "process",
            Kind::File | Kind::Interface => "file",
        };
        if track.table.get(subject).is_none() {
            return notes.broken(&block.place, format!("{name} is left out: it has no {subject} that can be used"));
        }
        track.table.remark(&notes.claim(mark));
        self.list.push(track);
    }

    /// Reads `track_script { ... }` and its kin; `None` where the statement is something else. `own` is the interface
    /// that is tracked anyway.
    pub(super) fn attach(
        &mut self,
        block: &Statement,
        own: Option<&str>,
        notes: &mut Notes,
    ) -> Option<Vec<Attachment>> {
        let kind = match block.keyword() {
            "track_script" => Kind::Script,
            "track_process" => Kind::Process,
            "track_file" => Kind::File,
            "track_interface" => Kind::Interface,
            _ => return None,
        };
        Some(block.inner().iter().filter_map(|line| self.attachment(kind, line, own, notes)).collect())
    }

    fn attachment(&mut self, kind: Kind, line: &Statement, own: Option<&str>, notes: &mut Notes) -> Option<Attachment> {
        let name = line.keyword();
        let known = self.list.iter().position(|track| track.kind == kind && track.name == name);
        let weights = line.words.get(1..).unwrap_or_default();
        if kind == Kind::Interface && own == Some(name) && weights.is_empty() {
            return None;
        }
        let index = match known {
            Some(index) => index,
            None if kind == Kind::Interface => self.add_interface(name),
            None => {
                notes.broken(&line.place, format!("there is no {name} to track"));
                return None;
            }
        };
        let track = self.list.get(index)?;
        let weight = Weight::read(weights, track.weight, &line.place, notes);
        if kind == Kind::File && weight.by == 0 {
            notes.unmapped(
                &line.place,
                format!("{name} with weight 0: a number in a file moves the priority and is no fault"),
            );
            return None;
        }
        let weight =
            if kind == Kind::File && weight.reverse { Weight { by: -weight.by, reverse: false } } else { weight };
        let weighted = weight.by != 0;
        Some(Attachment { label: track.label.clone(), weight, place: line.place.clone(), weighted })
    }

    fn add_interface(&mut self, name: &str) -> usize {
        let label = self.labels.give(&format!("link-{name}"));
        let mut table = Table::new("track", &["track", &label]);
        table.set("interface", name);
        self.list.push(Track { kind: Kind::Interface, name: name.to_owned(), label, weight: Weight::default(), table });
        self.list.len() - 1
    }

    pub(super) fn write(self, document: &mut Document) {
        for track in self.list {
            document.push(track.table);
        }
    }
}

impl Track {
    fn take(&mut self, statement: &Statement, surroundings: &dyn Surroundings, notes: &mut Notes) {
        let place = &statement.place;
        match (self.kind, statement.keyword()) {
            (_, "weight") => self.weight = Weight::read(&statement.words, self.weight, place, notes),
            (Kind::Script, "script") => {
                if let Some(command) = command::read(statement, surroundings, notes) {
                    self.table.set("script", command.argv);
                }
            }
            (Kind::Script, "interval") => self.period("interval", Duration::from_secs(1), statement, notes),
            (Kind::Script, "timeout") => self.period("timeout", Duration::ZERO, statement, notes),
            (Kind::Script, "rise") => self.count("rise", statement, notes),
            (Kind::Script, "fall") => self.count("fall", statement, notes),
            (Kind::Script, "user") => match statement.value() {
                Some(user) => self.table.set("user", user),
                None => notes.broken(place, "user takes the name of a user"),
            },
            (Kind::Script, "init_fail") => self.table.set("assume", "failed"),
            (Kind::Process, "process") => self.process(statement, notes),
            (Kind::Process, "quorum") if statement.value() == Some("1") => {}
            (
                Kind::Process,
                "quorum" | "quorum_max" | "param_match" | "full_command" | "delay" | "fork_delay" | "terminate_delay",
            ) => {
                let message =
                    format!("{}: one process of this name is enough, and it counts at once", statement.keyword());
                notes.unmapped(place, message);
            }
            (Kind::File, "file") => match statement.value().filter(|path| path.starts_with('/')) {
                Some(path) => self.table.set("file", path),
                None => notes.unmapped(place, "a file is named by its absolute path"),
            },
            (Kind::File, "init_file") => {
                notes.unmapped(place, "init_file: vrrpd writes no such file; one that is missing fails");
            }
            (_, keyword) => notes.unmapped(place, format!("{keyword}: this import does not know the word")),
        }
    }

    /// A time, for which nothing stands where it is 0.
    fn period(&mut self, key: &'static str, instead_of_zero: Duration, statement: &Statement, notes: &mut Notes) {
        let Some(period) = statement.seconds(notes) else { return };
        let period = if period.is_zero() { instead_of_zero } else { period };
        if period.is_zero() {
            return;
        }
        let least = Duration::from_millis(10);
        if period < least {
            notes.changed(&statement.place, format!("{key} is at least 10ms here"));
        }
        self.table.set(key, spelled(period.max(least)));
    }

    fn count(&mut self, key: &'static str, statement: &Statement, notes: &mut Notes) {
        let Some(count) = statement.number::<u32>(&(1..=u32::MAX), notes) else { return };
        if count > 255 {
            notes.changed(&statement.place, format!("{key} is at most 255 here"));
        }
        self.table.set(key, u8::try_from(count).unwrap_or(u8::MAX));
    }

    /// A name as the kernel keeps it: the last part of the path, 15 octets of it.
    fn process(&mut self, statement: &Statement, notes: &mut Notes) {
        let path = statement.value().unwrap_or_default();
        let mut name = path.rsplit('/').next().unwrap_or(path);
        while name.len() > 15 {
            name = &name[..name.char_indices().next_back().map_or(0, |(at, _)| at)];
        }
        if name.is_empty() {
            return notes.broken(&statement.place, "process takes the name of a program");
        }
        if name != path {
            notes.changed(&statement.place, format!("the process is known by its name in /proc/PID/comm, {name}"));
        }
        if statement.words.len() > 2 {
            notes.unmapped(&statement.place, "a process is known by its name, not by its arguments");
        }
        self.table.set("process", name);
    }
}
