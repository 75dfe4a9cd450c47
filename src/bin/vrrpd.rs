//! The daemon.

use std::process::ExitCode;
use vrrpd::cli::check_config;
use vrrpd::cli::daemon_args::DaemonCommand;

fn main() -> ExitCode {
    match DaemonCommand::from_arguments() {
        DaemonCommand::CheckConfig { config, portable } => check_config::run(&config, portable),
        DaemonCommand::Run { .. } => ExitCode::FAILURE,
    }
}
