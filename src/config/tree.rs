//! TOML as an owned tree in which every key and value knows its place, whichever file it came from.

use super::diagnostic::Diagnostics;
use super::source::Place;
use super::syntax;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub place: Place,
    pub value: Value,
}

/// The values of TOML, as far as a configuration can use them.
#[derive(Clone, Debug)]
pub(super) enum Value {
    String(String),
    Integer(i64),
    Boolean(bool),
    Array(Vec<Node>),
    Table(Table),
    /// A kind that no key takes, by its name: `float`, `datetime`, an integer beyond 64 bits.
    Other(&'static str),
}

impl Node {
    fn empty_open_list(&mut self, text: &str) -> Option<usize> {
        let closed = self.place.of(text).is_some_and(|text| text.ends_with(']'));
        match &mut self.value {
            Value::Table(table) => table.empty_open_list(text),
            Value::Array(items) if closed => items.iter_mut().find_map(|item| item.empty_open_list(text)),
            Value::Array(items) => {
                items.clear();
                Some(self.place.start())
            }
            _ => None,
        }
    }
}

impl Value {
    /// What it is, with its article.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::String(_) => "a string",
            Self::Integer(_) => "a number",
            Self::Boolean(_) => "a boolean",
            Self::Array(_) => "a list",
            Self::Table(_) => "a table",
            Self::Other(kind) => kind,
        }
    }
}

/// Keys and values in the order of the file.
#[derive(Clone, Debug, Default)]
pub(super) struct Table(pub Vec<Entry>);

/// One key and its value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub key: String,
    pub key_place: Place,
    pub node: Node,
}

impl Table {
    pub(super) fn get(&self, key: &str) -> Option<&Entry> {
        self.0.iter().find(|entry| entry.key == key)
    }

    /// Parses a text; what is wrong with its syntax goes into the report.
    pub(super) fn parse(text: &str, file: usize, report: &mut Diagnostics) -> Self {
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut root = convert(table.get_ref(), file);
        let open_list = root.empty_open_list(text);
        syntax::report(text, file, open_list, &errors, report);
        root
    }

    /// Empties the first list, at any depth, that is never closed, and tells where it begins: the parser lets it reach
    /// to the end of the text.
    fn empty_open_list(&mut self, text: &str) -> Option<usize> {
        self.0.iter_mut().find_map(|entry| entry.node.empty_open_list(text))
    }

    /// Takes in another file's tables, two levels deep: sections by their name, what stands in them by key. A name
    /// defined twice is an error that shows both places.
    pub(super) fn merge(&mut self, other: Self, report: &mut Diagnostics) {
        for entry in other.0 {
            let known = self.0.iter_mut().find(|mine| mine.key == entry.key);
            match (known, entry) {
                (Some(Entry { node: Node { value: Value::Table(mine), .. }, key, .. }), entry) => {
                    let Value::Table(theirs) = entry.node.value else { continue };
                    for inner in theirs.0 {
                        match mine.get(&inner.key) {
                            Some(first) => {
                                let name = format!("{key}.{}", inner.key);
                                defined_twice(&name, first.key_place, inner.key_place, report);
                            }
                            None => mine.0.push(inner),
                        }
                    }
                }
                (Some(first), entry) => defined_twice(&entry.key, first.key_place, entry.key_place, report),
                (None, entry) => self.0.push(entry),
            }
        }
    }
}

/// What stands under a key of an entry that is a table.
pub(super) fn inner<'t>(entry: &'t Entry, key: &str) -> Option<&'t Entry> {
    match &entry.node.value {
        Value::Table(table) => table.get(key),
        _ => None,
    }
}

fn defined_twice(name: &str, first: Place, second: Place, report: &mut Diagnostics) {
    report
        .error(second, format!("{name} is defined twice"))
        .note(first, "it is first defined here")
        .help("keep one of the two");
}

fn convert(table: &DeTable<'_>, file: usize) -> Table {
    let entry = |(key, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| -> Entry {
        let key: &Spanned<std::borrow::Cow<'_, str>> = key;
        let span = key.span();
        Entry {
            key: key.get_ref().to_string(),
            key_place: Place::new(file, span.start, span.end),
            node: node(value, file),
        }
    };
    Table(table.iter().map(entry).collect())
}

fn node(value: &Spanned<DeValue<'_>>, file: usize) -> Node {
    let span = value.span();
    let value = match value.get_ref() {
        DeValue::String(text) => Value::String(text.to_string()),
        DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
            .map_or(Value::Other("a number out of range"), Value::Integer),
        DeValue::Float(_) => Value::Other("a fraction"),
        DeValue::Datetime(_) => Value::Other("a date"),
        DeValue::Boolean(truth) => Value::Boolean(*truth),
        DeValue::Array(items) => Value::Array(items.iter().map(|item| node(item, file)).collect()),
        DeValue::Table(table) => Value::Table(convert(table, file)),
    };
    Node { place: Place::new(file, span.start, span.end), value }
}
