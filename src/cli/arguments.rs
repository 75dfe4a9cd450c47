//! The command line of `vrrpctl`. Completions and the manual page are generated from these definitions.

use super::import::ImportArguments;
use super::simulate::SimulateArguments;
use crate::vrrp::Seq;
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;
use std::time::Duration;

/// Shows and steers a running vrrpd.
#[derive(Debug, Parser)]
#[command(name = "vrrpctl", version)]
pub struct Arguments {
    /// Which daemon to talk to.
    #[arg(long, global = true, value_name = "PATH", default_value = "/run/vrrpd/control.sock")]
    pub socket: PathBuf,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What `vrrpctl` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Show the state of everything, and for each router that is not Master: why not.
    Status(StatusArguments),
    /// Show the history: every change with its reason.
    Events(EventsArguments),
    /// Explain one virtual router in words: its state, why, and what would have to change for it to become Master.
    Explain {
        /// Which virtual router.
        router: String,
    },
    /// Hand over and stay Backup, for maintenance: over reloads and restarts, until undrained or time is up.
    ///
    /// Backups are silent, so nobody can know whether one is there until it takes over. A Master that is drained
    /// resigns and keeps its addresses. Once another Master is heard, it gives them up; where none is heard within the
    /// time that a Backup waits for a Master, it is Master again, is not drained, and the exit status is 1.
    Drain(DrainArguments),
    /// Stand in the election again.
    Undrain {
        /// Which virtual routers or sync groups; all where none is named.
        #[arg(value_name = "ROUTER")]
        routers: Vec<String>,
    },
    /// Watch everything live in the terminal: routers, tracks, and the time line of the last changes.
    #[cfg(feature = "watch")]
    Watch,
    /// Load the configuration anew; if the file is refused, the running one stays.
    Reload(ReloadArguments),
    /// Run the vrrpd that is installed now in the place of the running one, without a gap.
    ///
    /// The new program checks the configuration first; where it would not run, nothing happens and the exit status is 1.
    /// Otherwise it goes on in the same process with every state as it was: addresses stay, no advert is missed, no
    /// peer and no notify script sees a transition. Where it fails after all, the addresses are released, as by a stop.
    Upgrade,
    /// Print a configuration of keepalived's as one of vrrpd's, with what cannot be carried over.
    ImportKeepalived(ImportArguments),
    /// Try configurations out together before they run: who would be Master when, and when nobody or two would.
    ///
    /// The files of all hosts of a network run the real election in virtual time, and no daemon is asked. Hosts are named
    /// by their files, a.toml is a. The exit status is 1 where an assertion does not hold, 2 where something cannot be
    /// simulated.
    Simulate(SimulateArguments),
    /// Log more or less from now on, until the next start.
    LogLevel {
        /// The least important level that is logged.
        #[arg(value_parser = ["error", "warn", "info", "debug", "trace"])]
        level: String,
    },
    /// Print a completion script or the manual page.
    #[command(hide = true)]
    Generate {
        /// What to print.
        what: Generated,
    },
}

/// What is generated from these definitions.
#[derive(Clone, Copy, Debug, Eq, PartialEq, clap::ValueEnum)]
pub enum Generated {
    /// For bash.
    Bash,
    /// For zsh.
    Zsh,
    /// For fish.
    Fish,
    /// The manual page, for section 1.
    Man,
}

/// Arguments of `vrrpctl drain`.
#[derive(Args, Debug)]
pub struct DrainArguments {
    /// Which virtual routers or sync groups; all where none is named.
    #[arg(value_name = "ROUTER")]
    pub routers: Vec<String>,
    /// Undrain by itself after this time, "30m" say.
    #[arg(long = "for", value_name = "TIME", value_parser = humantime::parse_duration)]
    pub span: Option<Duration>,
    /// Stay Backup even if nobody takes over: nobody holds the addresses then.
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `vrrpctl status`.
#[derive(Args, Debug)]
pub struct StatusArguments {
    /// Only this virtual router.
    pub router: Option<String>,
    /// As JSON (schema 1).
    #[arg(long)]
    pub json: bool,
    /// Exit with 1 unless every router is Master or a Backup that could take over.
    #[arg(long)]
    pub check: bool,
}

/// Arguments of `vrrpctl events`.
#[derive(Args, Debug)]
pub struct EventsArguments {
    /// Go on with each new record as it comes.
    #[arg(long, short)]
    pub follow: bool,
    /// Only records after number N.
    #[arg(long, value_name = "N")]
    pub since: Option<Seq>,
    /// As JSON, one record a line.
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `vrrpctl reload`.
#[derive(Args, Debug)]
pub struct ReloadArguments {
    /// Only say what would change.
    #[arg(long)]
    pub dry_run: bool,
}
