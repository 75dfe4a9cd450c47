//! The command lines: what operators type, and what they read back.

pub mod arguments;
pub mod check_config;
pub mod ctl;
pub mod daemon_args;
pub mod import;
pub mod simulate;

mod client;
mod drain;
mod generate;
mod summary;
mod table;
mod upgrade;
#[cfg(feature = "watch")]
mod watch;
