//! An upgrade: the same process runs the program that now lies where its own came from.

use super::Bundle;
use super::descriptors::{OF_MANAGER, VARIABLE};
use crate::daemon::privileges;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use std::env;
use std::fmt::Write;
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long the new program may take to check its configuration.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the new program said of its configuration.
#[derive(Debug)]
pub(in crate::daemon) struct Checked {
    /// Whether it would run.
    pub(in crate::daemon) ok: bool,
    /// Its words.
    pub(in crate::daemon) diagnostics: String,
}

/// Asks `program` whether it would run with this configuration.
pub(in crate::daemon) async fn check(program: &Path, config: &Path) -> Checked {
    let refused = |diagnostics| Checked { ok: false, diagnostics };
    let asked = tokio::process::Command::new(program)
        .arg("--check-config")
        .arg("--config")
        .arg(config)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let program = program.display();
    let child = match asked {
        Ok(child) => child,
        Err(error) => return refused(format!("{program} cannot be run: {error}")),
    };
    match tokio::time::timeout(PATIENCE, child.wait_with_output()).await {
        Ok(Ok(output)) => {
            let mut diagnostics = String::from_utf8_lossy(&output.stderr).into_owned();
            if !output.status.success() && diagnostics.is_empty() {
                diagnostics = format!("{program} --check-config: {}", output.status);
            }
            Checked { ok: output.status.success(), diagnostics }
        }
        Ok(Err(error)) => refused(format!("{program} --check-config: {error}")),
        Err(_) => refused(format!("{program} --check-config takes longer than {} s", PATIENCE.as_secs())),
    }
}

/// Runs `program` in the place of this one, with the same arguments and what it inherits. Returns only where that fails.
pub(in crate::daemon) fn exec(program: &Path, bundle: &Bundle) -> io::Error {
    let mut value = std::process::id().to_string();
    for (name, descriptor) in &bundle.0 {
        if let Err(error) = fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())) {
            return error.into();
        }
        // Writing to a string does not fail.
        let _ = write!(value, ":{name}={}", descriptor.as_raw_fd());
    }
    privileges::keep_for_successor();
    let mut successor = Command::new(program);
    successor.args(env::args_os().skip(1)).env(VARIABLE, value);
    // It is the process that the service manager passed descriptors to, and those have been taken: their numbers are others' now.
    for name in OF_MANAGER {
        successor.env_remove(name);
    }
    successor.exec()
}
