//! What is asked of a run.

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use clap::{Parser, ValueEnum};
use netns_tests::Implementation;

/// Compares vrrpd with keepalived: how they fare in crashes, hangs, floods, under load and at scale, and what they use.
#[derive(Parser)]
pub(crate) struct Options {
    /// Which figures, instead of all.
    #[arg(long, value_delimiter = ',')]
    only: Vec<Row>,
    /// Another keepalived than Debian's.
    #[arg(long)]
    keepalived: Option<PathBuf>,
    /// What is compared: the first is the measure of the others.
    #[arg(long, value_delimiter = ',', default_value = "keepalived,vrrpd")]
    compare: Vec<Contender>,
    /// Crashes and the like per figure and implementation.
    #[arg(long, default_value_t = 20)]
    pub(crate) runs: usize,
    /// How often that which takes longer is measured; the median counts.
    #[arg(long, default_value_t = 3)]
    pub(crate) rounds: usize,
    /// Advertisement intervals for the crashes, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "1000,100,10")]
    pub(crate) intervals: Vec<u64>,
    /// Numbers of virtual routers, and their advertisement intervals in milliseconds, for processor time and memory.
    #[arg(long, value_delimiter = ',', default_value = "1@100,255@100,255@10", value_parser = crowd)]
    pub(crate) routers: Vec<(u8, u64)>,
    /// How long each measurement of processor time lasts, in seconds.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Interfaces for the crowd, each with 255 virtual routers.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub(crate) interfaces: u8,
}

/// A family of figures.
#[derive(Clone, Copy, PartialEq, ValueEnum)]
pub(crate) enum Row {
    /// A host crashes: overhead over theory to the first advert and the first gratuitous ARP.
    Crash,
    /// A script starts failing.
    Script,
    /// The daemon is killed, its host lives on.
    Kill,
    /// The daemon hangs.
    Hang,
    /// Malformed adverts, 300 and 40,000 a second.
    Flood,
    /// Eight busy loops.
    Load,
    /// Processor time, memory, lateness of adverts.
    Consumption,
    /// Thousands of virtual routers on many interfaces.
    Crowd,
    /// The Master is restarted.
    Upgrade,
}

#[derive(Clone, Copy, ValueEnum)]
enum Contender {
    Keepalived,
    Vrrpd,
}

impl Options {
    /// Whether this family is asked for.
    pub(crate) fn selects(&self, row: Row) -> bool {
        self.only.is_empty() || self.only.contains(&row)
    }

    /// Who takes part.
    pub(crate) fn contenders(&self) -> impl Iterator<Item = Implementation> {
        self.compare.iter().map(|contender| match contender {
            Contender::Keepalived => Implementation::Keepalived,
            Contender::Vrrpd => Implementation::Vrrpd,
        })
    }

    /// Measures `runs` times, all contenders in turn, so that they see the same noise.
    pub(crate) fn samples<T>(&self, runs: usize, measure: impl Fn(Implementation) -> T) -> Vec<Vec<T>> {
        let mut samples: Vec<Vec<T>> = self.contenders().map(|_| Vec::new()).collect();
        for _ in 0..runs {
            for (contender, samples) in self.contenders().zip(&mut samples) {
                samples.push(measure(contender));
            }
        }
        samples
    }

    /// Whoever starts keepalived looks into the environment: begins anew with the other one there.
    pub(crate) fn settle_executables(&self) {
        const VARIABLE: &str = "KEEPALIVED";
        let Some(keepalived) = &self.keepalived else { return };
        if std::env::var_os(VARIABLE).as_deref() == Some(keepalived.as_os_str()) {
            return;
        }
        let again = Command::new("/proc/self/exe").args(std::env::args_os().skip(1)).env(VARIABLE, keepalived).exec();
        panic!("starting anew with {}: {again}", keepalived.display());
    }
}

/// `255@10`: how many, and their interval in milliseconds.
fn crowd(text: &str) -> Result<(u8, u64), String> {
    let parsed = text.split_once('@').and_then(|(count, interval)| Some((count.parse().ok()?, interval.parse().ok()?)));
    parsed.ok_or_else(|| format!("{text} is not like 255@10: how many, and their interval in milliseconds"))
}
