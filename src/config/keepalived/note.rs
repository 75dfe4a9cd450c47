//! What an import has to say about a file: each remark with the line that it is about.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A line of one of the files.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) struct Place {
    pub path: Arc<Path>,
    /// From 1.
    pub line: usize,
}

/// What kind of remark it is, the worst first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum NoteKind {
    /// The line is wrong, and keepalived makes nothing of it either.
    Broken,
    /// What the line says has no equivalent.
    Unmapped,
    /// It is carried over, with a difference that an operator should know.
    Changed,
}

/// A remark on one line.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// What kind.
    pub kind: NoteKind,
    /// One sentence without a full stop.
    pub message: String,
    place: Place,
}

impl Note {
    /// The file that it is about.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.place.path
    }

    /// The line that it is about, from 1.
    #[must_use]
    pub const fn line(&self) -> usize {
        self.place.line
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            NoteKind::Broken => "error",
            NoteKind::Unmapped => "not carried over",
            NoteKind::Changed => "note",
        };
        write!(f, "{}:{}: {kind}: {}", self.path().display(), self.line(), self.message)
    }
}

/// The remarks so far, in the order in which they were made.
#[derive(Debug, Default)]
pub(super) struct Notes {
    list: Vec<Note>,
    /// Of each, whether it stands with the table that it is about.
    claimed: Vec<bool>,
}

impl Notes {
    pub(super) fn broken(&mut self, place: &Place, message: impl Into<String>) {
        self.push(NoteKind::Broken, place, &message.into());
    }

    pub(super) fn unmapped(&mut self, place: &Place, message: impl Into<String>) {
        self.push(NoteKind::Unmapped, place, &message.into());
    }

    pub(super) fn changed(&mut self, place: &Place, message: impl Into<String>) {
        self.push(NoteKind::Changed, place, &message.into());
    }

    /// What a file contains reaches terminals through this: control characters do not. Macros and loops make one line
    /// into many, which say the same thing once.
    fn push(&mut self, kind: NoteKind, place: &Place, message: &str) {
        let message = message.replace(char::is_control, "\u{fffd}");
        let note = Note { kind, message, place: place.clone() };
        if self.list.len() < Self::MOST && !self.list.iter().rev().take(64).any(|earlier| *earlier == note) {
            self.list.push(note);
            self.claimed.push(false);
        }
    }

    /// More than anybody reads.
    const MOST: usize = 10_000;

    /// A mark for [`Notes::claim`].
    pub(super) fn mark(&self) -> usize {
        self.list.len()
    }

    /// The remarks made since the mark that stand with no table yet, in the order of the lines; now they do.
    pub(super) fn claim(&mut self, mark: usize) -> Vec<Note> {
        let notes = self.list.iter().zip(&mut self.claimed).skip(mark);
        let mut free: Vec<Note> =
            notes.filter_map(|(note, claimed)| (!std::mem::replace(claimed, true)).then(|| note.clone())).collect();
        free.sort_by(|a, b| a.place.cmp(&b.place));
        free
    }

    /// All of them, in the order of the lines.
    pub(super) fn into_list(mut self) -> Vec<Note> {
        self.list.sort_by(|a, b| a.place.cmp(&b.place));
        self.list
    }
}
