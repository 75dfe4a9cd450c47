//! `vrrpctl`: arguments, dispatch and exit codes. 0: done; 1: refused, or not healthy; 2: usage, or no daemon there.

use super::arguments::{Arguments, Command, EventsArguments, ReloadArguments, StatusArguments};
use super::client::{ClientError, Conversation};
use super::drain::{drain, undrain};
use super::generate::generate;
use super::import;
use super::simulate;
use super::table;
use crate::control::{Ask, Document, Done, Explanation, ReloadAnswer, RouterDocument};
use crate::vrrp::Seq;
use clap::Parser;
use serde::Deserialize;
use std::io::Write;
use std::process::ExitCode;

/// What the exit code says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Done,
    /// Refused, or not healthy.
    NotHealthy,
}

/// Runs `vrrpctl` with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Command::ImportKeepalived(wanted) = &arguments.command {
        return import::run(wanted);
    }
    if let Command::Simulate(wanted) = &arguments.command {
        return simulate::run(wanted);
    }
    match run(&arguments) {
        Ok(Verdict::Done) => ExitCode::SUCCESS,
        Ok(Verdict::NotHealthy) => ExitCode::from(1),
        // Whoever read our output has had enough: `vrrpctl events | head`.
        Err(ClientError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(error) => {
            anstream::eprintln!("vrrpctl: {error}");
            ExitCode::from(exit_code(&error))
        }
    }
}

fn exit_code(error: &ClientError) -> u8 {
    match error {
        ClientError::Refused(_) | ClientError::Permission(_) | ClientError::Output(_) => 1,
        ClientError::NoDaemon { .. } | ClientError::Silent { .. } | ClientError::Answer(_) => 2,
    }
}

fn run(arguments: &Arguments) -> Result<Verdict, ClientError> {
    let ask = |ask| Conversation::open(&arguments.socket, &ask);
    match &arguments.command {
        Command::Status(wanted) => status(wanted, ask(Ask::Status {})?),
        Command::Events(wanted) => events(wanted, ask(Ask::Events { since: wanted.since, follow: wanted.follow })?),
        Command::Explain { router } => {
            let Explanation { text } = ask(Ask::Explain { router: router.clone() })?.answer()?;
            print(&text)?;
            Ok(Verdict::Done)
        }
        #[cfg(feature = "watch")]
        Command::Watch => super::watch::watch(&arguments.socket),
        Command::Generate { what } => {
            print(&generate(*what))?;
            Ok(Verdict::Done)
        }
        Command::Drain(wanted) => drain(&arguments.socket, wanted),
        Command::Undrain { routers } => undrain(&arguments.socket, routers),
        Command::LogLevel { level } => {
            let Done { done } = ask(Ask::LogLevel { level: level.clone() })?.answer()?;
            print(&format!("log level: {}\n", done.join(", ")))?;
            Ok(Verdict::Done)
        }
        Command::Upgrade => super::upgrade::upgrade(&arguments.socket),
        Command::Reload(wanted) => reload(wanted, ask(Ask::Reload { dry_run: wanted.dry_run })?),
        // They ask no daemon: they have been answered in `main`.
        Command::ImportKeepalived(_) | Command::Simulate(_) => Ok(Verdict::Done),
    }
}

fn status(wanted: &StatusArguments, mut conversation: Conversation) -> Result<Verdict, ClientError> {
    let document = match &wanted.router {
        None if wanted.json && !wanted.check => {
            print(&(conversation.line()? + "\n"))?;
            return Ok(Verdict::Done);
        }
        None => conversation.answer()?,
        Some(name) => only(conversation.answer()?, name)?,
    };
    if wanted.json {
        print(&(serde_json::to_string(&document)? + "\n"))?;
    } else {
        print(&table::status(&document))?;
    }
    let healthy = document.virtual_routers.iter().all(RouterDocument::is_healthy);
    Ok(if wanted.check && !healthy { Verdict::NotHealthy } else { Verdict::Done })
}

/// The document with one router, and with what belongs to that router.
fn only(mut document: Document, name: &str) -> Result<Document, ClientError> {
    let names: Vec<&str> = document.virtual_routers.iter().map(|router| router.name.as_str()).collect();
    if !names.contains(&name) {
        let known =
            if names.is_empty() { "there are none".to_owned() } else { format!("there are {}", names.join(", ")) };
        return Err(ClientError::Refused(format!("no virtual router is called {name}: {known}")));
    }
    document.virtual_routers.retain(|router| router.name == name);
    if let Some(router) = document.virtual_routers.first() {
        document.sync_groups.retain(|group| router.sync_group.as_ref() == Some(&group.name));
        document.tracks.retain(|track| router.tracks.iter().any(|attached| attached.name == track.name));
        document.interfaces.retain(|interface| interface.name == router.interface);
    }
    Ok(document)
}

/// What is read of a record to print it, and of the lines around the records.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Line {
    Record {
        seq: Seq,
        time: String,
        text: String,
    },
    End {
        #[serde(rename = "newest")]
        _newest: Seq,
    },
    Lost {
        lost: u64,
    },
}

fn events(wanted: &EventsArguments, mut conversation: Conversation) -> Result<Verdict, ClientError> {
    if wanted.follow {
        conversation.wait_forever()?;
    }
    loop {
        let line = conversation.line()?;
        match serde_json::from_str(&line)? {
            Line::End { .. } => return Ok(Verdict::Done),
            Line::Record { .. } if wanted.json => print(&(line + "\n"))?,
            Line::Record { seq, time, text } => print(&format!("{seq:>6}  {time}  {text}\n"))?,
            Line::Lost { lost } => anstream::eprintln!("vrrpctl: {lost} earlier records are no longer kept"),
        }
    }
}

fn reload(wanted: &ReloadArguments, mut conversation: Conversation) -> Result<Verdict, ClientError> {
    let ReloadAnswer { ok, diagnostics, changes } = conversation.answer()?;
    if !diagnostics.is_empty() {
        anstream::eprintln!("{}", diagnostics.trim_end());
    }
    if !ok {
        anstream::eprintln!("vrrpctl: the file is refused; the running configuration stays");
        return Ok(Verdict::NotHealthy);
    }
    let (nothing, heading) = if wanted.dry_run {
        ("nothing would change\n", "would change:\n")
    } else {
        ("reloaded: nothing changed\n", "reloaded:\n")
    };
    if changes.is_empty() {
        print(nothing)?;
    } else {
        print(&format!("{heading}  {}\n", changes.join("\n  ")))?;
    }
    Ok(Verdict::Done)
}

/// Writes at once, with colours only where somebody can see them (a terminal, and `NO_COLOR` not set).
pub(super) fn print(text: &str) -> Result<(), ClientError> {
    let mut out = anstream::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(ClientError::Output)
}
