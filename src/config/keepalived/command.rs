//! Command lines to programs with their arguments.

use super::note::Notes;
use super::surroundings::Surroundings;
use super::tree::Statement;
use super::words::{self, Word};

/// A program with its arguments, and who runs it.
#[derive(Debug)]
pub(super) struct Command {
    pub argv: Vec<String>,
    /// The user named after the command.
    pub user: Option<String>,
}

/// Reads `KEYWORD "COMMAND ARGUMENTS" [USER [GROUP]]`.
pub(super) fn read(statement: &Statement, surroundings: &dyn Surroundings, notes: &mut Notes) -> Option<Command> {
    let place = &statement.place;
    let keyword = statement.keyword();
    let Some(outer) = words::command(&statement.raw) else {
        notes.broken(place, format!("{keyword}: a quote is never closed"));
        return None;
    };
    let Some(line) = outer.get(1) else {
        notes.broken(place, format!("{keyword} names no program"));
        return None;
    };
    // What stands in quotes is a command line of its own; without quotes, it is the program alone.
    let inner = if line.quoted { words::command(&line.text) } else { Some(vec![line.clone()]) };
    let Some(words) = inner.filter(|words| words.iter().any(|word| !word.text.is_empty())) else {
        notes.broken(place, format!("{keyword}: \"{}\" is no command", line.text));
        return None;
    };
    if let Some(group) = outer.get(3) {
        notes.unmapped(
            place,
            format!("{keyword}: programs run with the groups of their user, not as group {}", group.text),
        );
    }
    let argv = argv(words, line, statement, surroundings, notes)?;
    Some(Command { argv, user: outer.get(2).map(|user| user.text.clone()) })
}

fn argv(
    words: Vec<Word>,
    line: &Word,
    statement: &Statement,
    surroundings: &dyn Surroundings,
    notes: &mut Notes,
) -> Option<Vec<String>> {
    let place = &statement.place;
    if words.iter().any(|word| word.text.contains('\0')) {
        notes.broken(place, "a command cannot contain NUL");
        return None;
    }
    if let Some(word) = words.iter().find(|word| is_for_a_shell(word)) {
        let message = format!(
            "{} is for a shell, so one runs this; keepalived hands it to the program as an argument",
            word.text
        );
        notes.changed(place, message);
        return Some(["/bin/sh", "-c", &line.text].map(str::to_owned).to_vec());
    }
    let mut argv: Vec<String> = words.into_iter().map(|word| word.text).collect();
    let program = argv.first_mut()?;
    if program.starts_with('/') {
        return Some(argv);
    }
    if program.contains('/') {
        notes.unmapped(place, format!("{program}: a program is named by its absolute path or by its name alone"));
        return None;
    }
    let found = surroundings.program(program);
    if found.is_none() {
        let message = format!("{program} is not on this host: /usr/bin/{program} is a guess, so look where it is");
        notes.changed(place, message);
    }
    *program = found.map_or_else(|| format!("/usr/bin/{program}"), |path| path.display().to_string());
    Some(argv)
}

/// Whether an unquoted word means something to a shell and nothing to a program. A `&` within a word may be part of a
/// URL; it would send the check to the background, where it always succeeds.
fn is_for_a_shell(word: &Word) -> bool {
    let text = word.text.as_str();
    let operator = ["|", "||", "&&", ";", "&", "<", ">", ">>", "2>&1"].contains(&text);
    let redirects = text.starts_with(['<', '>', '|']) || text.starts_with("2>") || text.starts_with("&>");
    !word.quoted && (operator || redirects || text.ends_with(';') || text.contains("$(") || text.contains('`'))
}
