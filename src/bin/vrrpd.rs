//! The daemon.

use std::process::ExitCode;
use vrrpd::cli::check_config;
use vrrpd::cli::daemon_args::DaemonCommand;
use vrrpd::daemon::{self, guardian};

fn main() -> ExitCode {
    if std::env::args_os().nth(1).is_some_and(|argument| argument == guardian::ARGUMENT) {
        return guardian::run();
    }
    match DaemonCommand::from_arguments() {
        DaemonCommand::CheckConfig { config, portable } => check_config::run(&config, portable),
        DaemonCommand::Run { config } => daemon::run(&config),
    }
}
