//! The texts that a configuration was read from, and places in them.

use std::path::{Path, PathBuf};

/// A stretch of one file, in octets.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    file: usize,
    start: usize,
    end: usize,
}

impl Place {
    /// The octets `start..end` of the file that [`Sources::add`] gave the number `file`.
    pub(super) const fn new(file: usize, start: usize, end: usize) -> Self {
        Self { file, start, end }
    }

    /// Its first octet.
    pub(super) const fn start(self) -> usize {
        self.start
    }

    /// The stretch of its file's text.
    pub(super) fn of(self, text: &str) -> Option<&str> {
        text.get(self.start..self.end)
    }
}

/// Every file read so far, the main one first.
#[derive(Clone, Debug, Default)]
pub(super) struct Sources(Vec<Source>);

#[derive(Clone, Debug)]
struct Source {
    path: PathBuf,
    text: String,
}

/// What a diagnostic shows of a place.
pub(super) struct Excerpt<'s> {
    pub path: &'s Path,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// The whole line, without its end and with secrets masked.
    pub text: String,
    /// How many characters of the line belong to the place, at least 1.
    pub width: usize,
}

impl Sources {
    /// Keeps a file and gives its number.
    pub(super) fn add(&mut self, path: &Path, text: &str) -> usize {
        self.0.push(Source { path: path.to_owned(), text: text.to_owned() });
        self.0.len() - 1
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|source| source.path.as_path())
    }

    /// Whether two places stand on the same line of the same file.
    pub(super) fn same_line(&self, a: Place, b: Place) -> bool {
        a.file == b.file && self.excerpt(a).map(|e| e.line) == self.excerpt(b).map(|e| e.line)
    }

    /// `None` for a place in no file that was added.
    pub(super) fn excerpt(&self, place: Place) -> Option<Excerpt<'_>> {
        let source = self.0.get(place.file)?;
        let text = source.text.as_str();
        let start = floor(text, place.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let line = text[line_start..line_end].trim_end_matches('\r');
        let end = floor(text, place.end.min(line_start + line.len()).max(start));
        Some(Excerpt {
            path: &source.path,
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            text: masked(line),
            width: text[start..end].chars().count().max(1),
        })
    }
}

/// The nearest boundary of a character at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// The line with the value of every `secret = "..."` as stars and every control character but the tab replaced:
/// diagnostics end up in logs and on terminals.
fn masked(line: &str) -> String {
    let clean = line.chars().map(|c| if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c });
    let mut out = String::with_capacity(line.len());
    let mut hiding: Option<char> = None;
    for c in clean {
        match hiding {
            Some(quote) if c == quote => {
                hiding = None;
                out.push(c);
            }
            Some(_) => out.push('*'),
            None => {
                if matches!(c, '"' | '\'') && is_after_secret(&out) {
                    hiding = Some(c);
                }
                out.push(c);
            }
        }
    }
    out
}

fn is_after_secret(before: &str) -> bool {
    let Some(key) = before.trim_end().strip_suffix('=') else { return false };
    key.trim_end().trim_end_matches(['"', '\'']).ends_with("secret")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_become_lines_and_columns() {
        let mut sources = Sources::default();
        let file = sources.add(Path::new("a.toml"), "one\ntwo ü = 300\r\nthree");
        for (start, end, line, column, text, width) in [
            (0, 3, 1, 1, "one", 3),
            (13, 16, 2, 9, "two ü = 300", 3),
            (9, 10, 2, 5, "two ü = 300", 1),
            (18, 99, 3, 1, "three", 5),
            (99, 99, 3, 6, "three", 1),
            (4, 20, 2, 1, "two ü = 300", 11),
        ] {
            let excerpt = sources.excerpt(Place::new(file, start, end)).expect("the file was added");
            let got = (excerpt.line, excerpt.column, excerpt.text.as_str(), excerpt.width);
            assert_eq!(got, (line, column, text, width), "{start}..{end}");
        }
    }

    #[test]
    fn secrets_and_control_characters_do_not_reach_the_log() {
        for (line, shown) in [
            (r#"x = { type = "ah", secret = "abc" }"#, r#"x = { type = "ah", secret = "***" }"#),
            (r#""secret"='a"c' # "x""#, r#""secret"='***' # "x""#),
            (r#"secret = "never closed"#, r#"secret = "************"#),
            (r#"secret_file = "/etc/x""#, r#"secret_file = "/etc/x""#),
            ("a\u{1b}[2J\tb", "a\u{fffd}[2J\tb"),
        ] {
            assert_eq!(masked(line), shown);
        }
    }
}
