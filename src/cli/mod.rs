//! The commands: what stands on a command line, and what is printed.

pub mod check_config;
pub mod daemon_args;
mod summary;
