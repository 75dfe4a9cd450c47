//! Takes typed values out of a table: a wrong one is reported where it stands, and reading goes on.

use super::diagnostic::Diagnostics;
use super::keys::{KEEPALIVED_NAMES, Section};
use super::source::Place;
use super::tree::{Entry, Node, Table, Value};
use super::value::{self, Complaint};
use crate::ids::InterfaceName;
use crate::units::VirtualAddress;
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub value: T,
    pub place: Place,
}

/// A key and what it takes.
#[derive(Clone, Copy)]
pub(super) struct Field {
    pub key: &'static str,
    pub help: &'static str,
}

/// A type that can stand as a value.
pub(super) trait Read: Sized {
    /// `None` when it is something else, which has been reported then.
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self>;
}

/// One table while it is read.
pub(super) struct Fields<'t> {
    table: &'t Table,
    section: &'static Section,
    /// The name in its header, which is where a missing key is reported.
    pub place: Place,
}

impl<'t> Fields<'t> {
    /// Reports the keys that the section does not know.
    pub(super) fn open(table: &'t Table, place: Place, section: &'static Section, report: &mut Diagnostics) -> Self {
        for entry in &table.0 {
            if !section.keys.iter().any(|(key, _)| *key == entry.key) {
                unknown_key(entry, section, report);
            }
        }
        Self { table, section, place }
    }

    /// The same for an entry that has to be a table.
    pub(super) fn of(entry: &'t Entry, section: &'static Section, report: &mut Diagnostics) -> Option<Self> {
        let Value::Table(table) = &entry.node.value else {
            let message = format!("{} must be a table, not {}", entry.key, entry.node.value.kind());
            report.error(entry.node.place, message);
            return None;
        };
        Some(Self::open(table, entry.key_place, section, report))
    }

    /// The same for an element of a list of tables.
    pub(super) fn of_item(
        node: &'t Node,
        field: Field,
        section: &'static Section,
        report: &mut Diagnostics,
    ) -> Option<Self> {
        let Value::Table(table) = &node.value else {
            wrong_kind(node, field, "a list of tables", report);
            return None;
        };
        Some(Self::open(table, node.place, section, report))
    }

    pub(super) fn entry(&self, key: &'static str) -> Option<&'t Entry> {
        debug_assert!(self.section.keys.iter().any(|(known, _)| *known == key), "{key} is missing in keys.rs");
        self.table.get(key)
    }

    pub(super) fn has(&self, key: &'static str) -> bool {
        self.entry(key).is_some()
    }

    fn field(&self, key: &'static str) -> Field {
        let help = self.section.keys.iter().find(|(known, _)| *known == key).map_or("", |(_, help)| help);
        Field { key, help }
    }

    /// What it is called.
    pub(super) fn title(&self) -> &'static str {
        self.section.title
    }

    /// The value of a key; `None` when it is absent or wrong.
    pub(super) fn take<T: Read>(&self, key: &'static str, report: &mut Diagnostics) -> Option<T> {
        T::read(&self.entry(key)?.node, self.field(key), report)
    }

    /// As [`take`](Self::take), but its absence is reported.
    pub(super) fn require<T: Read>(&self, key: &'static str, report: &mut Diagnostics) -> Option<T> {
        self.present(key, report).then(|| self.take(key, report))?
    }

    /// Whether a key that must be there is; its absence is reported.
    pub(super) fn present(&self, key: &'static str, report: &mut Diagnostics) -> bool {
        if !self.has(key) {
            let message = format!("{} needs {key}", self.section.title);
            report.missing(self.place, message).help(format!("add {key}: {}", self.field(key).help));
        }
        self.has(key)
    }

    /// A whole number in a range.
    pub(super) fn number<T: TryFrom<i64>>(
        &self,
        key: &'static str,
        range: RangeInclusive<i64>,
        report: &mut Diagnostics,
    ) -> Option<At<T>> {
        let node = &self.entry(key)?.node;
        let number = match node.value {
            Value::Integer(number) if range.contains(&number) => T::try_from(number).ok(),
            _ => None,
        };
        if number.is_none() {
            let message = format!("{key} must be {} to {}", range.start(), range.end());
            report.error(node.place, message).help(self.field(key).help);
        }
        number.map(|value| At { value, place: node.place })
    }

    /// One of a few words.
    pub(super) fn choice<T: Copy>(
        &self,
        key: &'static str,
        choices: &[(&str, T)],
        report: &mut Diagnostics,
    ) -> Option<At<T>> {
        let node = &self.entry(key)?.node;
        if let Value::String(word) = &node.value
            && let Some((_, value)) = choices.iter().find(|(known, _)| known == word)
        {
            return Some(At { value: *value, place: node.place });
        }
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        report.error(node.place, format!("{key} must be {}", listed(&words, "or"))).help(self.field(key).help);
        None
    }
}

/// `a`, `a or b`, `a, b or c`.
pub(super) fn listed<S: AsRef<str>>(words: &[S], joint: &str) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    match words.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} {joint} {last}", rest.join(", ")),
        _ => words.concat(),
    }
}

/// The nearest of the known names, where one is near enough to have been meant.
pub(super) fn nearest<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let reach = (name.chars().count() / 3).max(1);
    known
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= reach)
        .min()
        .map(|(_, candidate)| candidate)
}

fn unknown_key(entry: &Entry, section: &Section, report: &mut Diagnostics) {
    let known = || section.keys.iter().map(|(key, _)| *key);
    let keepalived = KEEPALIVED_NAMES.iter().find(|(name, _)| *name == entry.key);
    let help = if let Some((_, help)) = keepalived {
        (*help).to_owned()
    } else if let Some(near) = nearest(&entry.key, known()) {
        format!("did you mean {near}?")
    } else {
        format!("{} knows {}", section.title, listed(&known().collect::<Vec<_>>(), "and"))
    };
    report.error(entry.key_place, format!("unknown key {} in {}", entry.key, section.title)).help(help);
}

/// Reports a value of the wrong kind.
pub(super) fn wrong_kind(node: &Node, field: Field, expected: impl Display, report: &mut Diagnostics) {
    let message = format!("{} must be {expected}, not {}", field.key, node.value.kind());
    report.error(node.place, message).help(field.help);
}

fn text<T>(node: &Node, field: Field, parse: fn(&str) -> Result<T, Complaint>, report: &mut Diagnostics) -> Option<T> {
    let Value::String(text) = &node.value else {
        wrong_kind(node, field, "a string", report);
        return None;
    };
    match parse(text) {
        Ok(value) => Some(value),
        Err(Complaint { what, help }) => {
            report.error(node.place, format!("{} {what}", field.key)).help(help.unwrap_or(field.help.to_owned()));
            None
        }
    }
}

fn plain(text: &str) -> Result<String, Complaint> {
    if text.is_empty() {
        return Err(Complaint { what: "must not be empty".to_owned(), help: None });
    }
    if text.contains('\0') {
        return Err(Complaint {
            what: "must not contain the character U+0000".to_owned(),
            help: Some("it ends a text in C: no program, path or peer would see what follows it".to_owned()),
        });
    }
    Ok(text.to_owned())
}

/// Types that are written as a string.
macro_rules! read_text {
    ($($type:ty: $parse:expr;)*) => {$(
        impl Read for $type {
            fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
                text(node, field, $parse, report)
            }
        }
    )*};
}

read_text! {
    String: plain;
    Arc<str>: |text| plain(text).map(Into::into);
    IpAddr: value::ip;
    Ipv4Addr: value::ipv4;
    SocketAddr: value::socket_address;
    VirtualAddress: value::virtual_address;
    InterfaceName: value::interface;
    PathBuf: value::path;
    Url: |text| value::url(text).map(|url| Url(url.into()));
    Route: |text| value::route(text).map(|(ip, prefix)| Route(ip, prefix));
}

/// A URL that an `http` track takes.
pub(super) struct Url(pub Arc<str>);

/// A destination that a `route` track takes.
pub(super) struct Route(pub IpAddr, pub u8);

impl Read for Duration {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        if let Value::Integer(number) = node.value {
            report
                .error(node.place, format!("{} needs a unit: {number} could be seconds or milliseconds", field.key))
                .help(value::spellings(&number.to_string()));
            return None;
        }
        text(node, field, value::duration, report)
    }
}

impl Read for bool {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        let Value::Boolean(truth) = node.value else {
            wrong_kind(node, field, "true or false", report);
            return None;
        };
        Some(truth)
    }
}

impl<T: Read> Read for At<T> {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        T::read(node, field, report).map(|value| Self { value, place: node.place })
    }
}

/// A list without its wrong elements, each of which has been reported.
impl<T: Read> Read for Vec<T> {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        let Value::Array(items) = &node.value else {
            wrong_kind(node, field, "a list", report);
            return None;
        };
        Some(items.iter().filter_map(|item| T::read(item, field, report)).collect())
    }
}
