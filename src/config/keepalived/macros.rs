//! `$NAME=value` and what stands for it.

use std::collections::BTreeMap;

/// No line that means something is longer, in octets.
pub(super) const LONGEST: usize = 64 * 1024;

/// What `${_HASH}` and `${_BANG}` become until comments cannot be meant any more.
const HASH: char = '\u{e000}';
const BANG: char = '\u{e001}';

/// Definitions that are in force.
#[derive(Debug, Default)]
pub(super) struct Macros(BTreeMap<String, Definition>);

#[derive(Debug)]
struct Definition {
    parameters: Vec<String>,
    value: String,
}

/// What the names that begin with `_` stand for.
#[derive(Debug)]
pub(super) struct BuiltIn {
    /// `${_PWD}`.
    pub directory: String,
    /// `${_INSTANCE}`.
    pub instance: String,
}

/// A line that defines something: the name, with its parameters, and the value.
pub(super) fn definition(line: &str) -> Option<(&str, &str)> {
    let rest = line.trim_start().strip_prefix('$')?;
    let end = name_end(rest);
    let after = &rest[end..];
    let parameters = if after.starts_with('(') { after.find(')')? + 1 } else { 0 };
    let value = after[parameters..].strip_prefix('=')?;
    (end > 0).then(|| (&rest[..end + parameters], value))
}

fn name_end(text: &str) -> usize {
    if text.starts_with(|c: char| c.is_ascii_digit()) {
        return 0;
    }
    text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len())
}

impl Macros {
    /// Defines a name, anew if need be. The name may have parameters: `NAME(a,b)`.
    pub(super) fn define(&mut self, name: &str, value: &str) {
        let (name, parameters) = name.split_once('(').map_or((name, ""), |(name, rest)| (name, rest));
        let parameters = listed(parameters.trim_end_matches(')'));
        self.0.insert(name.to_owned(), Definition { parameters, value: value.to_owned() });
    }

    /// The text with the first reference to a definition replaced; `None` where there is none.
    pub(super) fn replace_first(&self, text: &str, built_in: &BuiltIn) -> Option<String> {
        text.match_indices('$').find_map(|(at, _)| {
            let (name, end) = reference(&text[at..])?;
            let value = self.value(name, built_in)?;
            Some(format!("{}{value}{}", &text[..at], &text[at + end..]))
        })
    }

    /// The text with every reference replaced, as far as that comes to an end.
    pub(super) fn replaced(&self, text: &str, built_in: &BuiltIn) -> String {
        let mut text = text.to_owned();
        for _ in 0..32 {
            match self.replace_first(&text, built_in) {
                Some(next) if next.len() <= LONGEST => text = next,
                _ => break,
            }
        }
        unmasked(&text)
    }

    fn value(&self, name: &str, built_in: &BuiltIn) -> Option<String> {
        let (name, arguments) =
            name.split_once('(').map_or((name, None), |(name, rest)| (name, Some(rest.trim_end_matches(')'))));
        match name {
            "_PWD" => return Some(built_in.directory.clone()),
            "_INSTANCE" => return Some(built_in.instance.clone()),
            "_HASH" => return Some(HASH.to_string()),
            "_BANG" => return Some(BANG.to_string()),
            _ => {}
        }
        let Definition { parameters, value } = self.0.get(name)?;
        let arguments = listed(arguments.unwrap_or_default());
        let filled = parameters.iter().zip(arguments.iter().map(String::as_str).chain(std::iter::repeat("")));
        Some(
            filled.fold(value.clone(), |value, (parameter, argument)| {
                value.replace(&format!("${{{parameter}}}"), argument)
            }),
        )
    }
}

/// The name at the start of `$NAME`, which white space or the end follows, or of `${NAME}`; and how long all of it is.
fn reference(text: &str) -> Option<(&str, usize)> {
    let rest = text.strip_prefix('$')?;
    if let Some(inner) = rest.strip_prefix('{') {
        let end = inner.find('}')?;
        return Some((&inner[..end], end + 3));
    }
    let end = name_end(rest);
    let bare = end > 0 && rest[end..].chars().next().is_none_or(char::is_whitespace);
    bare.then(|| (&rest[..end], end + 1))
}

fn listed(text: &str) -> Vec<String> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    text.split(',').map(|item| item.trim().to_owned()).collect()
}

/// The text with the characters that would have begun comments.
pub(super) fn unmasked(text: &str) -> String {
    text.replace(HASH, "#").replace(BANG, "!")
}
