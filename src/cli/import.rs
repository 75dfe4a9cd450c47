//! `vrrpctl import-keepalived`: another daemon's configuration as ours.

use crate::config::keepalived::{NoteKind, Surroundings, ThisHost, import};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

/// Arguments of `vrrpctl import-keepalived`.
#[derive(Args, Debug)]
pub struct ImportArguments {
    /// keepalived's configuration, often /etc/keepalived/keepalived.conf.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Take the lines for this config id (`@ID`), as keepalived's option of that name does [default: the host's name].
    #[arg(long, value_name = "ID")]
    pub config_id: Option<String>,
    /// Exit with 1 too when anything is not carried over.
    #[arg(long)]
    pub strict: bool,
}

/// Prints the TOML on standard output and the remarks on standard error. The exit code is 1 where lines are wrong or
/// the result would be refused as it stands, 2 where the file cannot be read.
#[must_use]
pub fn run(arguments: &ImportArguments) -> ExitCode {
    let host = ThisHost { config_id: arguments.config_id.clone() };
    let text = match host.read(&arguments.file) {
        Ok(text) => text,
        Err(error) => {
            anstream::eprintln!("vrrpctl: {}: {error}", arguments.file.display());
            return ExitCode::from(2);
        }
    };
    let imported = import(&arguments.file, &text, &host);
    for note in &imported.notes {
        anstream::eprintln!("{note}");
    }
    if let Some(diagnostics) = &imported.refused {
        anstream::eprintln!("{diagnostics}vrrpctl: the result has to be mended before vrrpd takes it");
    }
    let written = anstream::stdout().write_all(imported.toml.as_bytes()).is_ok();
    let worst = imported.notes.iter().map(|note| note.kind).min();
    let refused = match worst {
        Some(NoteKind::Broken) => true,
        Some(NoteKind::Unmapped) => arguments.strict,
        Some(NoteKind::Changed) | None => false,
    };
    if refused || !written || imported.refused.is_some() { ExitCode::from(1) } else { ExitCode::SUCCESS }
}
