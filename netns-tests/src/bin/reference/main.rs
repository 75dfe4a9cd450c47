//! The reference deployment: four hosts in two pairs, all that runs on them, a browser, and six ways to fail.

mod client;
mod deployment;
mod failures;
mod report;
mod watch;

use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use netns_tests::{Capture, Event, Stamp};

use client::{Client, PATIENCE};
use deployment::{Deployment, NAMES};
use failures::Failure;
use report::{HEADER, Row};
use watch::Watch;

/// Runs the reference deployment, lets it fail in every way, and prints what a client lost.
#[derive(Parser)]
struct Options {
    /// Only failures with this in their name.
    #[arg(long)]
    only: Option<String>,
    /// Where the client's answers are written.
    #[arg(long, default_value = "target/reference-answers.tsv")]
    answers: PathBuf,
    /// How much later than the bound a busy machine may be, in milliseconds.
    #[arg(long, default_value_t = 1500)]
    slack: u64,
}

const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(192, 168, 100, 10), Ipv4Addr::new(192, 168, 100, 20)];
/// How long a repaired host may take until it is Master again: `MariaDB` gets its data from another node first.
const RECOVERY: Duration = Duration::from_mins(2);
/// How long a failure lasts beyond the handover, or where there is none.
const LASTS: Duration = Duration::from_secs(5);
const LASTS_UNSEEN: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let options = Options::parse();
    let mut deployment = Deployment::start();
    let browser = deployment.lab.client();
    let observers = Observers {
        capture: browser.capture(),
        watch: Watch::start(browser, &ADDRESSES),
        client: Client::start(browser, Deployment::address(), &options.answers),
    };
    let slack = Duration::from_millis(options.slack);
    let mut excesses = Vec::new();
    let mut rows = Vec::new();
    for failure in failures::all() {
        if options.only.as_ref().is_none_or(|only| failure.name.contains(only)) {
            observers.client.wait_until_all_is_well(NAMES[0], RECOVERY);
            println!("{} ...", failure.name);
            rows.extend(try_out(&failure, &mut deployment, &observers));
        }
    }
    println!(
        "\nEach figure with its bound in parentheses; {slack:?} more are allowed, for the machine is busy.\n{HEADER}"
    );
    for row in &rows {
        println!("{row}");
        excesses.extend(row.excesses(slack));
    }
    println!("\nEvery answer of the client: {}", options.answers.display());
    for excess in &excesses {
        println!("TOO LONG: {excess}");
    }
    if excesses.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Those who see what a failure costs.
struct Observers {
    client: Client,
    watch: Watch,
    capture: Capture,
}

/// Lets it happen and makes it good: a row for either.
fn try_out(failure: &Failure, deployment: &mut Deployment, observers: &Observers) -> [Row; 2] {
    let start = Stamp::now();
    (failure.inflict)(deployment);
    let moved = failure.handover.map(|bound| observers.wait_for_announcement(2, start, bound));
    sleep(if moved.is_some() { LASTS } else { LASTS_UNSEEN });
    let failed = Row {
        name: failure.name,
        moved: moved.zip(failure.handover),
        loss: observers.client.loss(start, Stamp::now()),
        outage: failure.outage,
        holders: observers.watch.holders(&observers.capture, start, Stamp::now()),
        nobody: failure.nobody,
        two: failure.two,
    };

    let repaired = Stamp::now();
    (failure.repair)(deployment);
    if moved.is_some() {
        observers.wait_for_announcement(1, repaired, RECOVERY);
    }
    observers.client.wait_until_all_is_well(NAMES[0], RECOVERY);
    let repair = Row {
        name: "  and is repaired",
        moved: None,
        loss: observers.client.loss(repaired, Stamp::now()),
        outage: Some(PATIENCE),
        holders: observers.watch.holders(&observers.capture, repaired, Stamp::now()),
        nobody: Duration::ZERO,
        two: failure.two,
    };
    [failed, repair]
}

impl Observers {
    /// How many milliseconds after `start` this host announced the first pair's address.
    fn wait_for_announcement(&self, number: u8, start: Stamp, bound: Duration) -> f64 {
        let announces = |event: &Event| {
            event.source_mac == [2, 0, 0, 0, 0, number] && event.announced() == Some(Deployment::address())
        };
        let event = self.capture.wait_for("an announcement", start, bound + Duration::from_secs(15), announces);
        event.at.millis_after(start)
    }
}
