//! `vrrpd --check-config`: what is wrong with a configuration, or what would run.

use super::summary::Summary;
use crate::config::{self, Context, LoadError, SystemHost};
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

/// What came of it, which is also the exit code.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// It can run.
    Good,
    /// It has errors.
    Refused,
    /// The file cannot be read.
    Unreadable,
}

impl From<Verdict> for ExitCode {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Good => Self::SUCCESS,
            Verdict::Refused => Self::from(1),
            Verdict::Unreadable => Self::from(2),
        }
    }
}

/// Checks a file for this host, or with `portable` for any, with the summary on standard output and the diagnostics on
/// standard error.
#[must_use]
pub fn run(path: &Path, portable: bool) -> ExitCode {
    let host = SystemHost;
    let context = if portable { Context::portable() } else { Context::check(&host) };
    // Nobody is left to tell when the output is closed: the exit code still says it.
    check(path, &context, &mut io::stdout().lock(), &mut io::stderr().lock()).0.into()
}

/// The same with outputs of the caller's; also whether all could be written.
pub fn check(
    path: &Path,
    context: &Context<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> (Verdict, io::Result<()>) {
    match config::load(path, context) {
        Ok(loaded) => {
            let written =
                write!(err, "{}", loaded.warnings).and_then(|()| write!(out, "{}", Summary { path, loaded: &loaded }));
            (Verdict::Good, written)
        }
        Err(LoadError::Refused(diagnostics)) => (Verdict::Refused, write!(err, "{diagnostics}")),
        Err(error @ LoadError::Unreadable { .. }) => {
            let advice = "give another file with --config FILE, or create this one";
            (Verdict::Unreadable, writeln!(err, "{error}\n = help: {advice}"))
        }
    }
}
