//! `include`: other files that are read as if their tables stood in the main file.

use super::diagnostic::Diagnostics;
use super::reader::{At, Field, Read};
use super::source::Place;
use super::tree::Table;
use super::{keys, open_top};
use std::path::{Path, PathBuf};

/// The tree of the main file and all that it includes.
pub(super) fn read_all(path: &Path, octets: &[u8], report: &mut Diagnostics) -> Table {
    let mut root = parse(path, octets, report);
    for pattern in patterns(&root, report) {
        for file in matching(path, &pattern, report) {
            match std::fs::read(&file) {
                Ok(octets) => {
                    let mut table = parse(&file, &octets, report);
                    if let Some(entry) = table.get("include") {
                        report
                            .error(entry.key_place, "an included file includes no others")
                            .help("name them in the main file's include");
                    }
                    table.0.retain(|entry| entry.key != "include");
                    root.merge(table, report);
                }
                Err(error) => {
                    report
                        .error(pattern.place, format!("{}: {error}", file.display()))
                        .help("mend it, or change the pattern");
                }
            }
        }
    }
    root
}

fn parse(path: &Path, octets: &[u8], report: &mut Diagnostics) -> Table {
    let text = String::from_utf8_lossy(octets);
    let file = report.sources.add(path, &text);
    if let Err(error) = std::str::from_utf8(octets) {
        let at = error.valid_up_to();
        let place = Place::new(file, at, at + 1);
        report.syntax(place, "the file is not UTF-8 from here on").help("save it as UTF-8");
        return Table::default();
    }
    let table = Table::parse(&text, file, report);
    open_top(&table, Place::new(file, 0, 0), report);
    table
}

fn patterns(root: &Table, report: &mut Diagnostics) -> Vec<At<String>> {
    let help = keys::TOP.keys.iter().find(|(key, _)| *key == "include").map_or("", |(_, help)| help);
    let field = Field { key: "include", help };
    root.get("include").and_then(|entry| Vec::read(&entry.node, field, report)).unwrap_or_default()
}

/// The files of a pattern in the order of their names; a path without wildcards has to exist.
fn matching(main: &Path, pattern: &At<String>, report: &mut Diagnostics) -> Vec<PathBuf> {
    let directory = main.parent().unwrap_or(Path::new(""));
    let escaped = glob::Pattern::escape(&directory.to_string_lossy());
    let absolute = Path::new(&escaped).join(&pattern.value);
    let found = match glob::glob(&absolute.to_string_lossy()) {
        Ok(paths) => paths.filter_map(Result::ok).collect::<Vec<_>>(),
        Err(error) => {
            report
                .error(pattern.place, format!("include has a pattern that cannot be: {}", error.msg))
                .help("* stands for any name, ? for one character: [\"conf.d/*.toml\"]");
            return Vec::new();
        }
    };
    if found.is_empty() && !pattern.value.contains(['*', '?', '[']) {
        report
            .error(pattern.place, format!("there is no file {}", directory.join(&pattern.value).display()))
            .help("a path without * must exist");
    }
    found
}
