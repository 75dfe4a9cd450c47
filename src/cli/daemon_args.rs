//! The command line of the daemon.

use crate::config::DEFAULT_PATH;
use clap::Parser;
use std::path::PathBuf;

/// What the daemon is asked to do.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum DaemonCommand {
    /// Run in the foreground.
    Run {
        /// The configuration file.
        config: PathBuf,
    },
    /// Check the configuration and say what would run.
    CheckConfig {
        /// The configuration file.
        config: PathBuf,
        /// Leave out what depends on this host.
        portable: bool,
    },
}

/// VRRP failover daemon: elects a Master, claims the virtual addresses, and explains itself.
///
/// Runs in the foreground. SIGTERM and SIGINT hand over and remove the addresses; SIGHUP reloads.
#[derive(Debug, Parser)]
#[command(name = "vrrpd", version)]
struct DaemonArgs {
    /// The configuration file.
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
    /// Check the configuration, print what would run, and exit: 0 good, 1 refused, 2 not readable.
    #[arg(long)]
    check_config: bool,
    /// With --check-config: leave out what depends on this host (scripts, users, interfaces).
    #[arg(long, requires = "check_config")]
    portable: bool,
}

impl DaemonCommand {
    /// From the process's arguments; a wrong one, `--help` and `--version` end the process.
    #[must_use]
    pub fn from_arguments() -> Self {
        DaemonArgs::parse().into()
    }
}

impl From<DaemonArgs> for DaemonCommand {
    fn from(DaemonArgs { config, check_config, portable }: DaemonArgs) -> Self {
        if check_config { Self::CheckConfig { config, portable } } else { Self::Run { config } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<DaemonCommand> {
        DaemonArgs::try_parse_from(line.split(' ')).ok().map(Into::into)
    }

    #[test]
    fn command_lines() {
        let default = PathBuf::from("/etc/vrrpd/vrrpd.toml");
        assert_eq!(parse("vrrpd"), Some(DaemonCommand::Run { config: default.clone() }));
        assert_eq!(parse("vrrpd --config a"), Some(DaemonCommand::Run { config: "a".into() }));
        assert_eq!(
            parse("vrrpd --check-config"),
            Some(DaemonCommand::CheckConfig { config: default, portable: false })
        );
        assert_eq!(
            parse("vrrpd --check-config --portable --config a"),
            Some(DaemonCommand::CheckConfig { config: "a".into(), portable: true })
        );
        for wrong in ["vrrpd --portable", "vrrpd a", "vrrpd --config", "vrrpd --cfg a"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
