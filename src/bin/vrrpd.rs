//! The daemon.

use std::process::ExitCode;
use vrrpd::cli::check_config;
use vrrpd::cli::daemon_args::DaemonCommand;
use vrrpd::daemon;

fn main() -> ExitCode {
    match DaemonCommand::from_arguments() {
        DaemonCommand::CheckConfig { config, portable } => check_config::run(&config, portable),
        DaemonCommand::Run { config } => daemon::run(&config),
    }
}
