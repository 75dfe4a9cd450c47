//! Processes of a lab: started inside a namespace, their output in a log, ended by process id.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Must;
use crate::namespace::Namespace;

/// A process and its children; killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command` inside `namespace`, with its output appended to `log`.
    pub(crate) fn start(namespace: &Namespace, mut command: Command, log: &Path) -> Self {
        let output = File::options().create(true).append(true).open(log).must(log.display());
        let errors = output.try_clone().must(log.display());
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let child = namespace.enter(|| command.spawn()).must(format!("starting {}", command.get_program().display()));
        Self { child, log: log.to_owned() }
    }

    /// What it has written so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Pid {
        pid_of(&self.child)
    }

    /// Its process id and those of all its descendants, parents first.
    #[must_use]
    pub fn tree(&self) -> Vec<Pid> {
        let parents: Vec<(i32, i32)> = all_processes().filter_map(|pid| Some((pid, parent_of(pid)?))).collect();
        let mut tree = vec![self.pid().as_raw()];
        let mut next = 0;
        while let Some(&parent) = tree.get(next) {
            tree.extend(parents.iter().filter(|(_, of)| *of == parent).map(|(pid, _)| *pid));
            next += 1;
        }
        tree.into_iter().map(Pid::from_raw).collect()
    }

    /// Its threads of this name; the first thread has the name of the program.
    #[must_use]
    pub fn threads(&self, name: &str) -> Vec<Pid> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).into_iter().flatten().flatten();
        let named =
            tasks.filter(|task| fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name));
        named.filter_map(|task| task.file_name().to_string_lossy().parse().ok()).map(Pid::from_raw).collect()
    }

    /// Sends a signal to the process itself.
    pub fn signal(&self, signal: Signal) {
        kill(self.pid(), signal).must(format!("sending {signal}"));
    }

    /// Ends the process and its descendants at once, as `kill -9` does: none gets to say good-bye.
    pub fn crash(&mut self) {
        // Stopped first, so that no parent gets to notice, and perhaps to replace, a child that is gone.
        let tree = self.tree();
        for signal in [Signal::SIGSTOP, Signal::SIGKILL] {
            for pid in &tree {
                let _ = kill(*pid, signal);
            }
        }
        let _ = self.child.wait();
    }

    /// Waits for its end.
    pub fn wait(&mut self, timeout: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + timeout;
        loop {
            match self.child.try_wait().must("waiting for a process") {
                None if Instant::now() < deadline => sleep(Duration::from_millis(5)),
                status => return status,
            }
        }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().must("looking for a process").is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.is_running() {
            self.crash();
        }
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(i32::try_from(child.id()).expect("process ids are positive and fit"))
}

fn all_processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").must("/proc");
    entries.filter_map(Result::ok).filter_map(|entry| entry.file_name().to_string_lossy().parse().ok())
}

fn parent_of(pid: i32) -> Option<i32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything: count from the last one.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
