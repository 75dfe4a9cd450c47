//! Statements and their blocks.

use super::note::{Notes, Place};
use super::words;

/// A line, or the head of a block with what is in it.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// At least one.
    pub words: Vec<String>,
    /// As it was written, for what is split by the rules of command lines.
    pub raw: String,
    pub place: Place,
    pub block: Option<Vec<Statement>>,
}

impl Statement {
    /// The first word.
    pub(super) fn keyword(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    /// The word after the keyword.
    pub(super) fn value(&self) -> Option<&str> {
        self.words.get(1).map(String::as_str)
    }

    /// What is in its block.
    pub(super) fn inner(&self) -> &[Statement] {
        self.block.as_deref().unwrap_or_default()
    }

    /// Every word of its block, however they are spread over lines.
    pub(super) fn inner_words(&self) -> impl Iterator<Item = (&str, &Place)> {
        self.inner().iter().flat_map(|line| line.words.iter().map(|word| (word.as_str(), &line.place)))
    }
}

/// A line after everything that can stand for other text has been replaced.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub text: String,
    pub place: Place,
}

/// Deeper than any block that means something.
const DEEPEST: usize = 16;

/// The statements at the top of a file.
pub(super) fn parse(lines: &[Line], notes: &mut Notes) -> Vec<Statement> {
    let mut parser = Parser { top: Vec::new(), open: Vec::new(), excess: 0 };
    for line in lines {
        for piece in pieces(&line.text) {
            match piece {
                Piece::Open => parser.open(&line.place, notes),
                Piece::Close => parser.close(&line.place, notes),
                Piece::Text(text) => parser.text(text, &line.place, notes),
            }
        }
    }
    parser.finish(notes)
}

struct Parser {
    top: Vec<Statement>,
    /// The statements whose blocks are open, outermost first.
    open: Vec<Statement>,
    /// How many more blocks are open than [`DEEPEST`]; nothing in them is kept.
    excess: usize,
}

impl Parser {
    /// Where the next statement goes.
    fn current(&mut self) -> &mut Vec<Statement> {
        match self.open.last_mut() {
            Some(innermost) => innermost.block.get_or_insert_default(),
            None => &mut self.top,
        }
    }

    fn text(&mut self, text: &str, place: &Place, notes: &mut Notes) {
        if self.excess > 0 {
            return;
        }
        match words::plain(text) {
            Some(words) if words.is_empty() => {}
            Some(words) => {
                let raw = text.trim().to_owned();
                self.current().push(Statement { words, raw, place: place.clone(), block: None });
            }
            None => notes.broken(place, "a \" is never closed"),
        }
    }

    /// Takes the last statement as the head of a block.
    fn open(&mut self, place: &Place, notes: &mut Notes) {
        if self.excess > 0 || self.open.len() == DEEPEST {
            if self.excess == 0 {
                notes.broken(
                    place,
                    format!("blocks are nested more than {DEEPEST} deep: what is in this one is left out"),
                );
            }
            self.excess += 1;
            return;
        }
        let head = self.current().pop_if(|last| last.block.is_none()).unwrap_or_else(|| {
            notes.broken(place, "{ opens a block without a name");
            Statement { words: vec![String::new()], raw: String::new(), place: place.clone(), block: None }
        });
        self.open.push(Statement { block: Some(Vec::new()), ..head });
    }

    fn close(&mut self, place: &Place, notes: &mut Notes) {
        if self.excess > 0 {
            self.excess -= 1;
            return;
        }
        match self.open.pop() {
            Some(closed) => self.current().push(closed),
            None => notes.broken(place, "} closes nothing"),
        }
    }

    fn finish(mut self, notes: &mut Notes) -> Vec<Statement> {
        while let Some(unclosed) = self.open.pop() {
            notes.broken(&unclosed.place, format!("the block of {} is never closed", unclosed.keyword()));
            self.current().push(unclosed);
        }
        self.top
    }
}

#[derive(Debug)]
enum Piece<'t> {
    Text(&'t str),
    Open,
    Close,
}

/// The braces of a line outside of quotes, and what is between them. `${NAME}` of no known name is text.
fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let (mut start, mut quoted, mut reference, mut before) = (0, false, false, ' ');
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '{' if before == '$' => reference = true,
            '}' if reference => reference = false,
            '{' | '}' if !quoted => {
                pieces.push(Piece::Text(&text[start..at]));
                pieces.push(if c == '{' { Piece::Open } else { Piece::Close });
                start = at + 1;
            }
            _ => {}
        }
        before = c;
    }
    pieces.push(Piece::Text(&text[start..]));
    pieces
}
