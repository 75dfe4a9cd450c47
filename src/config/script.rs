//! Programs that the configuration names: run without a shell, so their path has to be absolute.

use super::diagnostic::Diagnostics;
use super::reader::{At, Field, Fields, Read, wrong_kind};
use super::source::Place;
use super::tree::{Node, Value};
use std::path::Path;
use std::sync::Arc;

/// A program and its arguments.
#[derive(Clone, Debug)]
pub(super) struct Argv(pub Arc<[String]>);

/// A program with who runs it: what a host is asked about.
#[derive(Clone, Debug)]
pub(super) struct ScriptUse {
    pub argv: Argv,
    pub place: Place,
    /// `None` is the daemon's `script_user`.
    pub user: Option<At<Arc<str>>>,
}

impl Read for Argv {
    fn read(node: &Node, field: Field, report: &mut Diagnostics) -> Option<Self> {
        let Value::Array(items) = &node.value else {
            if let Value::String(line) = &node.value {
                let words: Vec<String> = line.split_whitespace().map(|word| format!("{word:?}")).collect();
                report
                    .error(
                        node.place,
                        format!("{} must be a list: the program and each argument for itself", field.key),
                    )
                    .help(format!("no shell takes part: write [{}]", words.join(", ")));
            } else {
                wrong_kind(node, field, "a list", report);
            }
            return None;
        };
        let argv: Vec<String> = items.iter().filter_map(|item| argument(item, field, report)).collect();
        let Some(program) = argv.first() else {
            if items.is_empty() {
                report.error(node.place, format!("{} is empty", field.key)).help(field.help);
            }
            return None;
        };
        if !Path::new(program).is_absolute() {
            report
                .error(items[0].place, format!("{} must begin with the absolute path of a program", field.key))
                .help("there is no search path: write /usr/bin/NAME or wherever it is");
            return None;
        }
        (argv.len() == items.len()).then(|| Self(argv.into()))
    }
}

/// An argument may be empty, unlike other strings.
fn argument(node: &Node, field: Field, report: &mut Diagnostics) -> Option<String> {
    match &node.value {
        Value::String(text) if !text.contains('\0') => Some(text.clone()),
        Value::String(_) => {
            report.error(node.place, format!("{} has an argument with a zero octet", field.key)).help(field.help);
            None
        }
        _ => {
            wrong_kind(node, field, "a list of strings", report);
            None
        }
    }
}

/// The program that a key names, if it names one, run by `user`.
pub(super) fn take(
    fields: &Fields<'_>,
    key: &'static str,
    user: Option<&At<Arc<str>>>,
    report: &mut Diagnostics,
) -> Option<ScriptUse> {
    let At { value: argv, place } = fields.take(key, report)?;
    Some(ScriptUse { argv, place, user: user.cloned() })
}
