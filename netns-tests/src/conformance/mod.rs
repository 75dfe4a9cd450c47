//! The conformance suite: every requirement of RFC 9568, 5798, 3768 and 2338 as a row, scenarios with real packets that decide rows, and
//! the rows that none decides, each with its reason.
//!
//! A scenario decides several requirements at once, since a set-up costs more than a look at it. Peers are crafted, so that priority,
//! address and interval of each packet are exact. Any implementation can be the one under test; what only ours shows (counters,
//! `--check-config`) leaves a row of the others open.

mod announcements;
mod backup;
mod bench;
mod configuration;
mod decoders;
mod election;
mod exceptions;
mod master;
mod reception;
mod report;
mod transmission;
mod vectors;
mod virtual_mac;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use bench::{Bench, Tolerance};
pub use exceptions::{EXCEPTIONS, Exception};
pub use report::{Column, markdown};

use crate::Implementation;

/// One requirement: a line of `requirements.tsv`.
#[derive(Debug, Clone, Copy)]
pub struct Requirement {
    /// Such as `TX-01`.
    pub id: &'static str,
    /// RFC and section.
    pub source: &'static str,
    /// MUST, SHOULD and so on; POLICY where no RFC says anything.
    pub level: &'static str,
    /// What it asks for, in a few words.
    pub statement: &'static str,
}

/// All requirements, in order.
///
/// # Panics
///
/// If a line has not four fields.
#[must_use]
pub fn requirements() -> Vec<Requirement> {
    let row = |line: &'static str| {
        let mut fields = line.split('\t');
        let mut field = || fields.next().expect("a line has four fields");
        Requirement { id: field(), source: field(), level: field(), statement: field() }
    };
    include_str!("requirements.tsv").lines().map(row).collect()
}

/// Something to do to a daemon, and the requirements that it decides.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// As the test is called.
    pub name: &'static str,
    /// The requirements it decides; each must be checked at least once in a run.
    pub covers: &'static [&'static str],
    /// What it takes.
    pub needs: Needs,
    run: fn(&mut Bench),
}

/// What the implementation must offer for a scenario to make sense.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Any VRRP daemon will do.
    Nothing,
    /// It looks at counters, at our configuration language, or at a policy of ours.
    Ours,
    /// Ours, with `mac = "virtual"` and `accept = false`.
    VirtualMac,
}

/// What a scenario found about a requirement.
#[derive(Debug, Clone)]
pub struct Finding {
    /// The requirement.
    pub id: &'static str,
    /// The scenario.
    pub scenario: &'static str,
    /// Nothing, or what went wrong.
    pub outcome: Result<(), String>,
}

/// All scenarios.
#[must_use]
pub fn scenarios() -> Vec<Scenario> {
    let sections: [&[Scenario]; 10] = [
        transmission::SCENARIOS,
        configuration::SCENARIOS,
        reception::SCENARIOS,
        vectors::SCENARIOS,
        backup::SCENARIOS,
        master::SCENARIOS,
        election::SCENARIOS,
        announcements::SCENARIOS,
        decoders::SCENARIOS,
        virtual_mac::SCENARIOS,
    ];
    sections.concat()
}

impl Scenario {
    /// Whether it can be run against this implementation.
    #[must_use]
    pub fn applies_to(&self, implementation: Implementation) -> bool {
        match self.needs {
            Needs::Nothing => true,
            Needs::Ours => implementation == Implementation::Vrrpd,
            Needs::VirtualMac => implementation == Implementation::Vrrpd && virtual_mac::is_supported(),
        }
    }

    /// Runs it: one finding for each requirement it covers.
    #[must_use]
    pub fn run(&self, implementation: Implementation, tolerance: Tolerance) -> Vec<Finding> {
        let mut bench = Bench::new(implementation, tolerance);
        let ended = catch_unwind(AssertUnwindSafe(|| (self.run)(&mut bench)));
        let ended = ended.err().map(|panic| message(panic.as_ref()));
        let checks = bench.into_checks();
        let outcome = |id: &'static str| {
            let mut own = checks.iter().filter(|check| check.id == id).peekable();
            let seen = own.peek().is_some();
            match (own.find(|check| !check.holds), &ended) {
                (Some(failed), _) => Err(failed.detail.clone()),
                (None, Some(panic)) => Err(panic.clone()),
                (None, None) if !seen => Err("was not looked at".to_owned()),
                (None, None) => Ok(()),
            }
        };
        self.covers.iter().map(|&id| Finding { id, scenario: self.name, outcome: outcome(id) }).collect()
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("ended in a panic").to_owned()
}
