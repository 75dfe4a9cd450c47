//! The TOML that comes of it: tables in the order of their sections, keys in the order of the manual page.

use super::note::Note;
use crate::config::keys::SECTIONS;
use std::fmt;
use std::path::Path;

/// A value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Item {
    Text(String),
    Number(i64),
    Flag(bool),
    List(Vec<Item>),
    /// An inline table.
    Inline(Vec<(String, Item)>),
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Item {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<u8> for Item {
    fn from(number: u8) -> Self {
        Self::Number(number.into())
    }
}

impl From<Vec<String>> for Item {
    fn from(list: Vec<String>) -> Self {
        Self::List(list.into_iter().map(Self::Text).collect())
    }
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&quoted(text)),
            Self::Number(number) => write!(f, "{number}"),
            Self::Flag(flag) => write!(f, "{flag}"),
            Self::List(items) => {
                let items: Vec<String> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Inline(pairs) => {
                let pairs: Vec<String> = pairs.iter().map(|(key, item)| format!("{} = {item}", bare(key))).collect();
                write!(f, "{{ {} }}", pairs.join(", "))
            }
        }
    }
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend(format!("\\u{:04x}", u32::from(c)).chars()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A key, quoted where it has to be.
fn bare(key: &str) -> String {
    let plain = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c));
    if plain { key.to_owned() } else { quoted(key) }
}

/// A table with its remarks.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// `virtual_router` of `[virtual_router.web]`: the section that knows its keys.
    section: &'static str,
    /// `["virtual_router", "web"]`.
    path: Vec<String>,
    keys: Vec<(&'static str, Item)>,
    remarks: Vec<String>,
}

impl Table {
    pub(super) fn new(section: &'static str, path: &[&str]) -> Self {
        let path = path.iter().map(|&part| part.to_owned()).collect();
        Self { section, path, keys: Vec::new(), remarks: Vec::new() }
    }

    /// Sets a key, anew if need be.
    pub(super) fn set(&mut self, key: &'static str, item: impl Into<Item>) {
        self.keys.retain(|(present, _)| *present != key);
        self.keys.push((key, item.into()));
    }

    pub(super) fn get(&self, key: &str) -> Option<&Item> {
        self.keys.iter().find(|(present, _)| *present == key).map(|(_, item)| item)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.keys.is_empty() && self.remarks.is_empty()
    }

    /// Puts remarks at its head.
    pub(super) fn remark(&mut self, notes: &[Note]) {
        self.remarks.extend(notes.iter().map(ToString::to_string));
    }

    /// Whether it runs a program that names no user.
    pub(super) fn runs_as_script_user(&self) -> bool {
        let runs = |key: &str| key == "script" || key.starts_with("on_");
        self.get("user").is_none() && self.keys.iter().any(|(key, _)| runs(key))
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path: Vec<String> = self.path.iter().map(|part| bare(part)).collect();
        writeln!(f, "\n[{}]", path.join("."))?;
        for remark in &self.remarks {
            writeln!(f, "# {remark}")?;
        }
        let order = SECTIONS.iter().find(|section| section.title == self.section).map_or(&[][..], |found| found.keys);
        let rank = |key: &str| order.iter().position(|(known, _)| *known == key);
        let mut keys: Vec<&(&str, Item)> = self.keys.iter().collect();
        keys.sort_by_key(|(key, _)| rank(key));
        for (key, item) in keys {
            writeln!(f, "{key} = {item}")?;
        }
        Ok(())
    }
}

/// The file.
#[derive(Debug)]
pub(super) struct Document {
    head: Vec<String>,
    tables: Vec<Table>,
}

impl Document {
    pub(super) fn new(from: &Path) -> Self {
        let from = from.display().to_string().replace(char::is_control, "\u{fffd}");
        let head = vec![format!("Imported from {from}, which was written for keepalived."), String::new()];
        Self { head, tables: Vec::new() }
    }

    /// Puts remarks at its head.
    pub(super) fn remark(&mut self, notes: &[Note]) {
        self.head.extend(notes.iter().map(ToString::to_string));
    }

    pub(super) fn push(&mut self, table: Table) {
        self.tables.push(table);
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let last = self.head.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
        for line in &self.head[..last] {
            writeln!(f, "{}", format!("# {line}").trim_end())?;
        }
        self.tables.iter().try_for_each(|table| write!(f, "{table}"))
    }
}
