//! What is wrong with a configuration, gathered over all of its files and rendered for the person who wrote them.

use super::source::{Place, Sources};
use std::fmt;
use std::path::{Path, PathBuf};

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Severity {
    /// The configuration is refused.
    Error,
    /// It is taken, but probably does not do what was meant.
    Warning,
}

/// Where a finding comes from: after a slip in the syntax, some are only echoes of that.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Nature {
    /// The text is not TOML.
    Syntax,
    /// Something is not there, which may be because it could not be parsed.
    Absence,
    /// Something that is there is wrong.
    Presence,
}

/// One finding.
#[derive(Clone, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, in one sentence without a full stop.
    pub message: String,
    nature: Nature,
    place: Option<Place>,
    notes: Vec<(Place, String)>,
    help: Option<String>,
}

impl Diagnostic {
    /// Says what to do about it.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into()).filter(|text| !text.is_empty());
        self
    }

    /// Shows a second place.
    pub(super) fn note(&mut self, place: Place, message: impl Into<String>) -> &mut Self {
        self.notes.push((place, message.into()));
        self
    }
}

/// Findings in the order of the files, with the texts that they point into. Displayed, it is what the operator reads.
#[derive(Clone, Debug, Default)]
pub struct Diagnostics {
    pub(super) sources: Sources,
    list: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Whether nothing was found.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The findings.
    pub fn iter(&self) -> impl Iterator<Item = &Diagnostic> {
        self.list.iter()
    }

    /// Whether the configuration has to be refused.
    #[must_use]
    pub fn has_errors(&self) -> bool {
        self.list.iter().any(|found| found.severity == Severity::Error)
    }

    /// Every file that was read, the main one first.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        self.sources.paths().map(Path::to_owned).collect()
    }

    pub(super) fn error(&mut self, place: impl Into<Option<Place>>, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Error, place.into(), message.into())
    }

    /// An error in the syntax.
    pub(super) fn syntax(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        let found = self.error(place, message);
        found.nature = Nature::Syntax;
        found
    }

    /// An error that something is not there.
    pub(super) fn missing(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        let found = self.error(place, message);
        found.nature = Nature::Absence;
        found
    }

    /// A warning that something is not there.
    pub(super) fn lacking(&mut self, place: Place, message: impl Into<String>) -> &mut Diagnostic {
        let found = self.warning(place, message);
        found.nature = Nature::Absence;
        found
    }

    pub(super) fn warning(&mut self, place: impl Into<Option<Place>>, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Severity::Warning, place.into(), message.into())
    }

    fn push(&mut self, severity: Severity, place: Option<Place>, message: String) -> &mut Diagnostic {
        self.list.push(Diagnostic {
            severity,
            message,
            nature: Nature::Presence,
            place,
            notes: Vec::new(),
            help: None,
        });
        self.list.last_mut().expect("one was pushed just now")
    }

    /// Drops what is only an echo of a slip in the syntax: findings on the same line, and all that something is missing.
    pub(super) fn drop_echoes(&mut self) {
        let is_syntax = |found: &&Diagnostic| found.nature == Nature::Syntax;
        let slips: Vec<Place> = self.list.iter().filter(is_syntax).filter_map(|found| found.place).collect();
        let sources = &self.sources;
        self.list.retain(|found| match (found.nature, found.place) {
            (Nature::Syntax, _) | (_, None) => true,
            (Nature::Absence, _) => slips.is_empty(),
            (Nature::Presence, Some(place)) => !slips.iter().any(|&slip| sources.same_line(place, slip)),
        });
    }

    /// Brings the findings into the order of the files; those without a place come last.
    pub(super) fn sort(&mut self) {
        self.list.sort_by_key(|found| (found.place.is_none(), found.place));
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for found in &self.list {
            let severity = match found.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            };
            self.block(f, found.place, severity, &found.message)?;
            for (place, message) in &found.notes {
                self.block(f, Some(*place), "note", message)?;
            }
            if let Some(help) = &found.help {
                let gutter =
                    found.notes.last().map(|note| note.0).or(found.place).map_or(0, |place| self.gutter(place));
                writeln!(f, "{:gutter$} = help: {help}", "")?;
            }
        }
        Ok(())
    }
}

impl Diagnostics {
    fn gutter(&self, place: Place) -> usize {
        self.sources.excerpt(place).map_or(1, |excerpt| excerpt.line.to_string().len())
    }

    fn block(&self, f: &mut fmt::Formatter<'_>, place: Option<Place>, label: &str, message: &str) -> fmt::Result {
        let Some(excerpt) = place.and_then(|place| self.sources.excerpt(place)) else {
            let main = self.sources.paths().next().unwrap_or(Path::new("-"));
            return writeln!(f, "{}: {label}: {message}", main.display());
        };
        let (line, column) = (excerpt.line, excerpt.column);
        let gutter = line.to_string().len();
        // Tabs stay tabs before the carets, so that they line up whatever a tab's width is.
        let indent: String =
            excerpt.text.chars().take(column - 1).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
        writeln!(f, "{}:{line}:{column}: {label}: {message}", excerpt.path.display())?;
        writeln!(f, "{:gutter$} |", "")?;
        writeln!(f, "{line} | {}", excerpt.text)?;
        writeln!(f, "{:gutter$} | {indent}{}", "", "^".repeat(excerpt.width))
    }
}
