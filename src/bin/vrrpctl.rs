//! The operator's tool.

use std::process::ExitCode;

fn main() -> ExitCode {
    vrrpd::cli::ctl::main()
}
