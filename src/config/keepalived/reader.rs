//! From files to lines: comments, continued lines, conditions, definitions, loops and includes.

use super::Surroundings;
use super::loops;
use super::macros::{self, Macros};
use super::note::{Notes, Place};
use super::tree::Line;
use std::path::Path;
use std::sync::Arc;

/// How deep includes, definitions and loops may stand within one another.
const DEEPEST: usize = 32;
/// How many steps it may all take, and how many octets they may handle.
const MOST_STEPS: usize = 500_000;
const MOST_OCTETS: usize = 32 << 20;

/// Reads a text that came from `path`, with everything it includes.
pub(super) fn read(path: &Path, text: &str, surroundings: &dyn Surroundings, notes: &mut Notes) -> Vec<Line> {
    let config_id = surroundings.config_id();
    let mut reader = Reader {
        surroundings,
        config_id,
        notes,
        macros: Macros::default(),
        lines: Vec::new(),
        steps: 0,
        octets: 0,
        depth: 0,
    };
    reader.file(path, text);
    reader.lines
}

struct Reader<'r> {
    surroundings: &'r dyn Surroundings,
    config_id: String,
    notes: &'r mut Notes,
    macros: Macros,
    lines: Vec<Line>,
    steps: usize,
    octets: usize,
    depth: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, text: &str) {
        let path: Arc<Path> = path.into();
        let mut lines = text.lines().enumerate().map(|(index, line)| (index + 1, without_comment(line)));
        while let Some((number, first)) = lines.next() {
            let place = Place { path: Arc::clone(&path), line: number };
            let (first, mut continued) = without_backslash(first);
            let mut gathered = vec![first.to_owned()];
            while continued && let Some((_, next)) = lines.next() {
                let (next, more) = without_backslash(next);
                // A blank line between the lines of a definition does not end it.
                continued = more || next.trim().is_empty();
                gathered.push(next.to_owned());
            }
            let definition = macros::definition(&gathered[0]).is_some_and(|(_, rest)| rest.trim().is_empty());
            self.feed(&gathered.join(if definition { "\n" } else { " " }), &place);
        }
    }

    /// Takes one line, or a definition of several.
    fn feed(&mut self, text: &str, place: &Place) {
        let text = text.trim();
        if text.is_empty() || !self.may_go_on(place) {
            return;
        }
        self.octets += text.len();
        self.depth += 1;
        if let Some(condition) = text.strip_prefix('@') {
            self.conditional(condition, place);
        } else if let Some((name, value)) = macros::definition(text) {
            self.macros.define(name, value.trim());
        } else if let Some(pattern) = include_pattern(text) {
            self.include(pattern, place);
        } else if text.starts_with("~SEQ") || text.starts_with("~LST") {
            self.repeat(text, place);
        } else {
            self.replace(text, place);
        }
        self.depth -= 1;
    }

    fn may_go_on(&mut self, place: &Place) -> bool {
        if self.steps > MOST_STEPS {
            return false;
        }
        self.steps += 1;
        if self.octets > MOST_OCTETS || self.steps > MOST_STEPS {
            self.steps = MOST_STEPS + 1;
            self.notes.broken(place, "includes, definitions and loops make too much of this: the rest is left out");
            return false;
        }
        if self.depth >= DEEPEST {
            let message =
                format!("includes, definitions or loops stand more than {DEEPEST} deep in one another: left out");
            self.notes.broken(place, message);
            return false;
        }
        true
    }

    /// `@ID line` and `@^ID line`.
    fn conditional(&mut self, condition: &str, place: &Place) {
        let (id, line) = condition.split_once(char::is_whitespace).unwrap_or((condition, ""));
        let (id, wanted) = id.strip_prefix('^').map_or((id, true), |id| (id, false));
        if (id == self.config_id) == wanted {
            self.feed(line, place);
        } else if wanted {
            let message = format!(
                "for config id {id} only, and this import is for {}: --config-id {id} takes it",
                self.config_id
            );
            self.notes.changed(place, message);
        }
    }

    /// Every file of a pattern, in the order of their names.
    fn include(&mut self, pattern: &str, place: &Place) {
        let pattern = self.macros.replaced(pattern, &self.built_in(place)).replace('"', "");
        let directory = place.path.parent().unwrap_or(Path::new(""));
        let mut found = Vec::new();
        for pattern in loops::braces(&pattern) {
            found.extend(self.surroundings.matching(directory, &pattern));
        }
        if found.is_empty() {
            self.notes.broken(place, format!("include finds no file {pattern}"));
        }
        for path in found {
            if !self.may_go_on(place) {
                return;
            }
            match self.surroundings.read(&path) {
                Ok(text) => self.file(&path, &text),
                Err(error) => self.notes.broken(place, format!("include cannot read {}: {error}", path.display())),
            }
        }
    }

    /// `~SEQ(...) line` and `~LST(...) line`.
    fn repeat(&mut self, text: &str, place: &Place) {
        let Some((head, line)) = loops::head(text) else {
            self.notes.broken(place, "a loop is not closed: ~SEQ(NAME, FIRST, STEP, LAST) or ~LST(NAME, VALUES)");
            return;
        };
        let head = self.macros.replaced(head, &self.built_in(place));
        let Some(rounds) = loops::rounds(&head) else {
            self.notes.broken(place, format!("{head} is not a loop that can be followed"));
            return;
        };
        for round in rounds {
            for (name, value) in &round {
                self.macros.define(name, value);
            }
            self.feed(line, place);
        }
    }

    /// A line with its definitions replaced: one at a time, since what is put in may be anything.
    fn replace(&mut self, text: &str, place: &Place) {
        match self.macros.replace_first(text, &self.built_in(place)) {
            Some(replaced) if replaced.len() > macros::LONGEST => {
                self.notes.broken(place, "definitions make this line longer than any line that means something");
            }
            Some(replaced) => {
                for line in replaced.split('\n') {
                    self.feed(line, place);
                }
            }
            None => self.lines.push(Line { text: macros::unmasked(text), place: place.clone() }),
        }
    }

    fn built_in(&self, place: &Place) -> macros::BuiltIn {
        let path = self.surroundings.absolute(&place.path);
        let directory = path.parent().map(|path| path.display().to_string()).unwrap_or_default();
        macros::BuiltIn { directory, instance: self.config_id.clone() }
    }
}

/// `include` and its variants, which differ in what they take for an error.
fn include_pattern(text: &str) -> Option<&str> {
    let (keyword, pattern) = text.split_once(char::is_whitespace)?;
    ["include", "includer", "includem", "includew", "includeb", "includea"].contains(&keyword).then(|| pattern.trim())
}

/// A line up to the first `#` or `!` outside of quotes.
fn without_comment(line: &str) -> &str {
    let mut quoted = false;
    let end = line.find(|c| {
        quoted ^= c == '"';
        !quoted && matches!(c, '#' | '!')
    });
    line[..end.unwrap_or(line.len())].trim()
}

/// A line without the `\` that continues it, and whether there was one.
fn without_backslash(line: &str) -> (&str, bool) {
    line.strip_suffix('\\').map_or((line, false), |line| (line.trim_end(), true))
}
