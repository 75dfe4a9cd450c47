//! Metrics and the status page.

use std::process::ExitCode;

fn main() -> ExitCode {
    vrrpd::exporter::main()
}
