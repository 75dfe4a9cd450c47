//! `vrrpctl simulate`: the configurations of several hosts, run together by the real engine in virtual time.

mod assertion;
mod events;
mod play;
mod reign;
mod report;
mod scene;
mod words;

pub use assertion::{Assertion, AssertionError, Claim};
pub use events::{Deed, Event, EventError, HostDeed};

use crate::config::{self, Context, LoadError};
use crate::engine::Plan;
use crate::sim::{Quality, Violation};
use crate::vrrp::Auth;
use clap::Args;
use report::Report;
use scene::Scene;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use thiserror::Error;

/// The longest run, so that a slip of the pen does not run all night.
const LONGEST: Duration = Duration::from_hours(24);

/// Arguments of `vrrpctl simulate`.
#[derive(Args, Debug)]
pub struct SimulateArguments {
    /// The configuration of each host; a.toml is host a.
    #[arg(value_name = "FILE", required = true, num_args = 2..)]
    pub files: Vec<PathBuf>,
    /// What happens: "5s crash a", restart, freeze, thaw, cut, mend, drain or undrain; "9s fail nginx on b" or heal; "12s
    /// cut a->b" or mend for one direction. May be given several times.
    #[arg(long = "event", value_name = "EVENT", value_parser = str::parse::<Event>)]
    pub events: Vec<Event>,
    /// What has to hold: "one master within 4s" (of the start and of every event), "never two masters", "never two
    /// masters longer than 1s", "master a at 12s", "master a of web at 12s". May be given several times.
    #[arg(long = "assert", value_name = "ASSERTION", value_parser = str::parse::<Assertion>)]
    pub assertions: Vec<Assertion>,
    /// How many adverts the network loses, "2%" say.
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = percent)]
    pub loss: u8,
    /// How long it lasts.
    #[arg(long = "for", value_name = "TIME", default_value = "60s", value_parser = length)]
    pub span: Duration,
    /// Which chances it takes, in delays and losses: the same seed is the same run.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
}

fn percent(text: &str) -> Result<u8, String> {
    let number = text.strip_suffix('%').unwrap_or(text).parse().ok().filter(|&percent: &u8| percent <= 100);
    number.ok_or_else(|| "expected whole per cent, from 0% to 100%".to_owned())
}

fn length(text: &str) -> Result<Duration, String> {
    let span = humantime::parse_duration(text).map_err(|error| format!("{error}: write 60s or 5m"))?;
    if span > LONGEST || span.is_zero() {
        Err("expected at most 24h, and more than nothing".to_owned())
    } else {
        Ok(span)
    }
}

/// Why nothing was simulated.
#[derive(Debug, Error)]
pub enum SimulateError {
    /// A configuration that cannot run.
    #[error("{0}")]
    Load(#[from] LoadError),
    /// A file without a name.
    #[error("{} names no host: a.toml is host a", .0.display())]
    NoName(PathBuf),
    /// Two files of one name.
    #[error("two files are for host {0}: hosts are named by their files, so name the files after their hosts")]
    SameName(String),
    /// What the simulator does not know.
    #[error("{host}: {router} uses an Authentication Header (type = \"ah\"), which is not simulated")]
    Ah {
        /// Where.
        host: String,
        /// Which.
        router: String,
    },
    /// An event or assertion that does not fit the hosts.
    #[error("\"{text}\": {mistake}")]
    Misfit {
        /// As it was given.
        text: String,
        /// What is wrong, and what there is.
        mistake: String,
    },
    /// The run did not come to its end.
    #[error("the simulation stopped: {0}")]
    Stopped(#[from] Violation),
}

/// Prints the time line and the outcome of the assertions. The exit code is 1 where one does not hold, 2 where nothing
/// could be simulated.
#[must_use]
pub fn run(arguments: &SimulateArguments) -> ExitCode {
    match simulate(arguments) {
        Ok((text, holds)) => {
            // Nobody is left to tell when the output is closed: the exit code still says it.
            let _ = anstream::stdout().write_all(text.as_bytes());
            if holds { ExitCode::SUCCESS } else { ExitCode::from(1) }
        }
        Err(error) => {
            anstream::eprintln!("vrrpctl: {error}");
            ExitCode::from(2)
        }
    }
}

/// The report, and whether every assertion holds.
pub fn simulate(arguments: &SimulateArguments) -> Result<(String, bool), SimulateError> {
    let mut hosts: Vec<(String, Plan)> = Vec::new();
    for file in &arguments.files {
        let (name, plan) = host(file)?;
        if hosts.iter().any(|(other, _)| *other == name) {
            return Err(SimulateError::SameName(name));
        }
        hosts.push((name, plan));
    }
    let quality = Quality { loss: arguments.loss, ..Quality::GOOD };
    let mut scene = Scene::new(hosts, quality, arguments.seed);
    let mut events = arguments.events.clone();
    events.sort_by_key(|event| event.at);
    for event in &events {
        fits_event(&scene, event, arguments.span)?;
    }
    for assertion in &arguments.assertions {
        fits_assertion(&scene, assertion, arguments.span)?;
    }
    let course = play::play(&mut scene, &events, arguments.span)?;
    let report = Report { scene: &scene, course: &course };
    let (judgement, holds) = report.judge(&arguments.assertions);
    Ok((report.text() + &judgement, holds))
}

fn host(file: &Path) -> Result<(String, Plan), SimulateError> {
    let name = file.file_stem().and_then(|stem| stem.to_str()).ok_or_else(|| SimulateError::NoName(file.to_owned()))?;
    let plan = config::load(file, &Context::portable())?.plan;
    let mut members = plan.groups.iter().flat_map(|group| &group.members);
    if let Some(spec) = members.find(|spec| matches!(spec.auth, Auth::Ah { .. })) {
        return Err(SimulateError::Ah { host: name.to_owned(), router: spec.name.to_string() });
    }
    Ok((name.to_owned(), plan))
}

fn fits_event(scene: &Scene, event: &Event, span: Duration) -> Result<(), SimulateError> {
    let text = format!("{} {}", humantime::format_duration(event.at), event.deed);
    let misfit = |mistake: String| Err(SimulateError::Misfit { text: text.clone(), mistake });
    if event.at >= span {
        return misfit(after_the_end(span));
    }
    if let Some(stranger) = event.deed.hosts().into_iter().find(|host| scene.host(host).is_none()) {
        return misfit(no_host(scene, stranger));
    }
    if let Deed::Track { track, host, .. } = &event.deed
        && let Some(tracks) = scene.host(host).map(|id| scene.tracks(id))
        && !tracks.contains(&track.as_str())
    {
        let known = if tracks.is_empty() { "none".to_owned() } else { tracks.join(", ") };
        return misfit(format!("{host} uses no track {track}; it uses {known}"));
    }
    Ok(())
}

fn fits_assertion(scene: &Scene, assertion: &Assertion, span: Duration) -> Result<(), SimulateError> {
    let misfit = |mistake: String| Err(SimulateError::Misfit { text: assertion.text.clone(), mistake });
    let Claim::MasterAt { host, router, at } = &assertion.claim else { return Ok(()) };
    if *at > span {
        return misfit(after_the_end(span));
    }
    let Some(id) = scene.host(host) else { return misfit(no_host(scene, host)) };
    let mine = || scene.routers.iter().filter(|router| router.on.contains_key(&id));
    match router {
        Some(name) if !mine().any(|router| router.is_called(name)) => {
            let known: Vec<&str> = mine().filter_map(|router| router.on.get(&id)).map(|spec| &*spec.name).collect();
            misfit(format!("{host} has no virtual router {name}; it has {}", known.join(", ")))
        }
        _ => Ok(()),
    }
}

fn after_the_end(span: Duration) -> String {
    format!(
        "that is not before the end of the simulation, {}: make it longer with --for",
        humantime::format_duration(span)
    )
}

fn no_host(scene: &Scene, name: &str) -> String {
    format!("there is no host {name}: there are {}", scene.hosts.join(", "))
}
