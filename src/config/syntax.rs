//! What the TOML parser complains of, in words for the person who wrote the file.

use super::diagnostic::Diagnostics;
use super::source::Place;
use toml::de::Error;

/// Reports each slip once. The parser stumbles again on the same line, and in a list that is never closed (`open_list`
/// is where that begins) on all that follows: the first stumble is the one to mend.
pub(super) fn report(text: &str, file: usize, open_list: Option<usize>, errors: &[Error], report: &mut Diagnostics) {
    let mut slips: Vec<Place> = Vec::new();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let in_list = open_list.filter(|&start| start <= span.start);
        let place = in_list.map_or(Place::new(file, span.start, span.end), |start| Place::new(file, start, start + 1));
        if slips.iter().any(|&earlier| report.sources.same_line(earlier, place)) {
            continue;
        }
        slips.push(place);
        if in_list.is_some() {
            report.syntax(place, "this list is never closed").help("write ] after its last value");
        } else if error.message().contains("duplicate key") {
            defined_twice(text, file, place, report);
        } else {
            report.syntax(place, error.message().replace('\n', ", ")).help(advice(error.message()));
        }
    }
}

fn advice(message: &str) -> &'static str {
    if message.contains("string values must be quoted") {
        "write a value here, text in double quotes"
    } else if message.contains("basic string") {
        "a string ends on its line with the same quote that it begins with"
    } else if message.contains("array") {
        "a list is [\"a\", \"b\"], with a comma between its values"
    } else {
        "the file must be TOML: key = \"text\", key = 1, key = [\"a\", \"b\"], [section.name]"
    }
}

fn defined_twice(text: &str, file: usize, place: Place, report: &mut Diagnostics) {
    let name = place.of(text).unwrap_or_default();
    let first = first_definition(text, place.start(), name);
    let found = report.syntax(place, format!("{name} is defined twice"));
    if let Some(at) = first {
        found.note(Place::new(file, at, at + name.len()), "it is first defined here");
    }
    found.help("keep one of the two, or rename one");
}

/// Where a name that stands again at `at` stands first: a table's in an equal header, a key's in the lines between it
/// and its header.
fn first_definition(text: &str, at: usize, name: &str) -> Option<usize> {
    let line_start = text.get(..at)?.rfind('\n').map_or(0, |end| end + 1);
    let line = text[line_start..].lines().next()?;
    if header(line).is_some() {
        let earlier = lines(&text[..line_start]).find(|(_, other)| header(other) == header(line))?;
        return Some(earlier.0 + earlier.1.find(name)?);
    }
    let own_table = lines(&text[..line_start]).collect::<Vec<_>>();
    let own_table = own_table.iter().rev().take_while(|(_, line)| header(line).is_none());
    let defines =
        |line: &str| line.trim_start().strip_prefix(name).is_some_and(|rest| rest.trim_start().starts_with('='));
    own_table.filter(|(_, line)| defines(line)).last().map(|(start, line)| start + line.find(name).unwrap_or(0))
}

fn lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.split_inclusive('\n').scan(0, |start, line| {
        let at = *start;
        *start += line.len();
        Some((at, line))
    })
}

/// `virtual_router.web` of `[virtual_router.web]  # comment`.
fn header(line: &str) -> Option<&str> {
    let rest = line.trim_start().strip_prefix('[')?;
    rest.split(']').next().map(str::trim)
}
