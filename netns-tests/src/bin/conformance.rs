//! Runs the conformance suite and writes its table.
#![allow(clippy::print_stderr, clippy::print_stdout)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use clap::{Parser, ValueEnum};
use netns_tests::Implementation;
use netns_tests::conformance::{Column, Finding, Scenario, Tolerance, markdown, scenarios};

/// Every requirement of the VRRP RFCs against real daemons, with real packets between network namespaces.
#[derive(Parser)]
struct Arguments {
    /// Whom to test.
    #[arg(long, value_enum, default_value = "vrrpd")]
    implementation: Choice,
    /// Write the table of all requirements here; "-" is standard output.
    #[arg(long, value_name = "FILE", num_args = 0..=1, default_missing_value = "-")]
    report: Option<PathBuf>,
    /// How many scenarios run at once.
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// Timers may be 200 ms late rather than 5 ms or 2 %.
    #[arg(long)]
    loose: bool,
    /// Only scenarios with this in their name.
    #[arg(default_value = "")]
    only: String,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    Vrrpd,
    Keepalived,
    /// One after the other, side by side in the table.
    Both,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let implementations: &[Implementation] = match arguments.implementation {
        Choice::Vrrpd => &[Implementation::Vrrpd],
        Choice::Keepalived => &[Implementation::Keepalived],
        Choice::Both => &[Implementation::Vrrpd, Implementation::Keepalived],
    };
    let columns: Vec<Column> =
        implementations.iter().map(|implementation| column(*implementation, &arguments)).collect();
    let table = markdown(&columns);
    match arguments.report {
        Some(path) if path.as_os_str() == "-" => print!("{table}"),
        Some(path) => {
            if let Err(error) = std::fs::write(&path, table) {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
        None => {}
    }
    // Others fail what they fail: that is no failure of a run.
    let ours = columns.iter().filter(|column| column.implementation == Implementation::Vrrpd);
    let failed = ours.flat_map(|column| &column.findings).filter(|finding| finding.outcome.is_err()).count();
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn column(implementation: Implementation, arguments: &Arguments) -> Column {
    let tolerance = if arguments.loose { Tolerance::Loose } else { Tolerance::Strict };
    let chosen = |scenario: &Scenario| scenario.applies_to(implementation) && scenario.name.contains(&arguments.only);
    let all: Vec<Scenario> = scenarios().into_iter().filter(chosen).collect();
    let (next, findings) = (AtomicUsize::new(0), Mutex::new(Vec::<Finding>::new()));
    std::thread::scope(|scope| {
        for _ in 0..arguments.jobs.max(1) {
            scope.spawn(|| {
                while let Some(scenario) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = scenario.run(implementation, tolerance);
                    for Finding { id, scenario, outcome } in &found {
                        match outcome {
                            Ok(()) => eprintln!("{} {id} {scenario}: passed", implementation.name()),
                            Err(detail) => eprintln!("{} {id} {scenario}: FAILED: {detail}", implementation.name()),
                        }
                    }
                    findings.lock().expect("no thread panics while it holds the findings").extend(found);
                }
            });
        }
    });
    let findings = findings.into_inner().expect("no thread panics while it holds the findings");
    Column { implementation, findings }
}
