//! `file` and `process` tracks, which the kernel reports.

use crate::bench::{PATIENCE, reports, spec};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::timeout;
use vrrpd::checks::Watchers;
use vrrpd::engine::Outcome::{Failed, Passed, Value};
use vrrpd::engine::{Check, CheckReport, Outcome};
use vrrpd::ids::TrackerId;

/// The thread with the tracks that it follows, numbered from 0, and what it reports.
pub(crate) struct Bench {
    watchers: Watchers,
    reports: UnboundedReceiver<(TrackerId, CheckReport)>,
}

impl Bench {
    pub(crate) fn new(checks: Vec<Check>) -> Self {
        let (report, reports) = reports();
        let bench = Self { watchers: Watchers::start(report).unwrap(), reports };
        bench.watch(checks);
        bench
    }

    pub(crate) fn watch(&self, checks: Vec<Check>) {
        let numbered = (0..).map(TrackerId).zip(checks.into_iter().map(|check| Arc::new(spec(check))));
        self.watchers.watch(numbered.collect());
    }

    /// The next report must be this one.
    #[track_caller]
    pub(crate) fn tells(&mut self, tracker: u32, outcome: Outcome, result: &str) {
        let (who, report) = self.next(PATIENCE).unwrap_or_else(|| panic!("never told: {outcome:?}, {result}"));
        assert_eq!((who, report.outcome, &*report.result), (TrackerId(tracker), outcome, result));
    }

    /// Nothing has been reported that a test did not ask for.
    #[track_caller]
    pub(crate) fn is_silent(&mut self) {
        assert_eq!(self.next(Duration::from_millis(100)), None);
    }

    fn next(&mut self, patience: Duration) -> Option<(TrackerId, CheckReport)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { timeout(patience, self.reports.recv()).await }).ok().flatten()
    }
}

fn scratch() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = fs::canonicalize(dir.path()).unwrap();
    (dir, path)
}

fn missing(path: &Path) -> String {
    format!("{} does not exist", path.display())
}

#[test]
fn a_file_is_followed_however_it_is_written() {
    let (_guard, dir) = scratch();
    let path = dir.join("priority");
    let mut bench = Bench::new(vec![Check::File(path.clone())]);
    bench.tells(0, Failed, &missing(&path));
    fs::write(&path, "5\n").unwrap();
    bench.tells(0, Value(5), "5");
    fs::write(&path, " -20 \n").unwrap();
    bench.tells(0, Value(-20), "-20");
    fs::write(dir.join("new"), "7").unwrap();
    fs::rename(dir.join("new"), &path).unwrap();
    bench.tells(0, Value(7), "7");
    fs::write(&path, "seven").unwrap();
    bench.tells(0, Failed, &format!("{} holds \"seven\", not an integer of 32 bits", path.display()));
    fs::write(&path, "3000000000").unwrap();
    bench.tells(0, Failed, &format!("{} holds \"3000000000\", not an integer of 32 bits", path.display()));
    fs::write(&path, "").unwrap();
    bench.tells(0, Failed, &format!("{} holds \"\", not an integer of 32 bits", path.display()));
    fs::write(&path, "0").unwrap();
    bench.tells(0, Value(0), "0");
    fs::remove_file(&path).unwrap();
    bench.tells(0, Failed, &missing(&path));
    fs::write(dir.join("other"), "9").unwrap();
    bench.is_silent();
}

#[test]
fn a_file_is_found_when_its_directory_comes_and_goes() {
    let (_guard, dir) = scratch();
    let path = dir.join("run/vrrpd/priority");
    let mut bench = Bench::new(vec![Check::File(path.clone())]);
    bench.tells(0, Failed, &missing(&path));
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, "1").unwrap();
    bench.tells(0, Value(1), "1");
    fs::rename(dir.join("run"), dir.join("gone")).unwrap();
    bench.tells(0, Failed, &missing(&path));
    fs::create_dir_all(dir.join("fresh/vrrpd")).unwrap();
    fs::write(dir.join("fresh/vrrpd/priority"), "2").unwrap();
    fs::rename(dir.join("fresh"), dir.join("run")).unwrap();
    bench.tells(0, Value(2), "2");
    fs::write(&path, "3").unwrap();
    bench.tells(0, Value(3), "3");
}

/// As a Kubernetes volume has it: the file is a link through a directory that is a link, which is replaced.
#[test]
fn a_file_is_followed_through_links() {
    let (_guard, dir) = scratch();
    for (version, number) in [("v1", "1"), ("v2", "2")] {
        fs::create_dir(dir.join(version)).unwrap();
        fs::write(dir.join(version).join("priority"), number).unwrap();
    }
    symlink("v1", dir.join("data")).unwrap();
    symlink("data/priority", dir.join("priority")).unwrap();
    let mut bench = Bench::new(vec![Check::File(dir.join("priority"))]);
    bench.tells(0, Value(1), "1");
    fs::write(dir.join("v1/priority"), "10").unwrap();
    bench.tells(0, Value(10), "10");
    symlink("v2", dir.join("data.new")).unwrap();
    fs::rename(dir.join("data.new"), dir.join("data")).unwrap();
    bench.tells(0, Value(2), "2");
}

#[test]
fn a_reload_leaves_what_stays_undisturbed() {
    let (_guard, dir) = scratch();
    let file = |name: &str| Check::File(dir.join(name));
    for name in ["a", "b", "c"] {
        fs::write(dir.join(name), "1").unwrap();
    }
    let mut bench = Bench::new(vec![file("a"), file("b")]);
    bench.tells(0, Value(1), "1");
    bench.tells(1, Value(1), "1");
    bench.watch(vec![file("a"), file("c")]);
    bench.tells(1, Value(1), "1");
    bench.watch(vec![file("a"), file("c"), Check::Ping([127, 0, 0, 1].into())]);
    fs::write(dir.join("b"), "2").unwrap();
    bench.is_silent();
    fs::write(dir.join("a"), "2").unwrap();
    bench.tells(0, Value(2), "2");
}

/// A program under a name that nothing else on the machine has.
pub(crate) struct Sleeper {
    dir: tempfile::TempDir,
    pub(crate) name: String,
}

impl Sleeper {
    pub(crate) fn new(name: &str) -> Self {
        let sleeper = Self { dir: tempfile::tempdir().unwrap(), name: format!("{name}{}", std::process::id()) };
        // Not copied by this process, which could not run it while a child of another test held the descriptor.
        let copy = sleeper.dir.path().join(&sleeper.name);
        assert!(Command::new("cp").arg("/bin/sleep").arg(copy).status().unwrap().success());
        sleeper
    }

    /// Returns once it has taken its name, a moment after it has begun to run.
    pub(crate) fn start(&self) -> Child {
        let child = Command::new(self.dir.path().join(&self.name)).arg("300").spawn().unwrap();
        let comm = || fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap_or_default();
        while comm().trim_end().is_empty() || !self.name.starts_with(comm().trim_end()) {
            std::thread::yield_now();
        }
        child
    }
}

pub(crate) fn end(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_process_is_followed_by_name() {
    for name in ["vt", "a-name-that-is-too-long-for-the-kernel"] {
        let sleeper = Sleeper::new(name);
        let none = format!("no process {} is running", sleeper.name);
        let mut bench = Bench::new(vec![Check::Process(sleeper.name.as_str().into())]);
        bench.tells(0, Failed, &none);
        let first = sleeper.start();
        bench.tells(0, Passed, "running");
        let second = sleeper.start();
        end(first);
        bench.is_silent();
        end(second);
        bench.tells(0, Failed, &none);
        let third = sleeper.start();
        bench.tells(0, Passed, "running");
        end(third);
        bench.tells(0, Failed, &none);
    }
}

#[test]
fn a_process_that_nobody_has_reaped_yet_is_not_running() {
    let sleeper = Sleeper::new("vz");
    let mut child = sleeper.start();
    let mut bench = Bench::new(vec![Check::Process(sleeper.name.as_str().into())]);
    bench.tells(0, Passed, "running");
    child.kill().unwrap();
    bench.tells(0, Failed, &format!("no process {} is running", sleeper.name));
    child.wait().unwrap();
}

#[test]
fn a_process_that_becomes_another_program_is_not_running() {
    let sleeper = Sleeper::new("vx");
    let mut bench = Bench::new(vec![Check::Process(sleeper.name.as_str().into())]);
    bench.tells(0, Failed, &format!("no process {} is running", sleeper.name));
    let rename = format!("echo {} > /proc/$$/comm; read go; exec sleep 300", sleeper.name);
    let mut child = Command::new("sh").args(["-c", &rename]).stdin(Stdio::piped()).spawn().unwrap();
    bench.tells(0, Passed, "running");
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    bench.tells(0, Failed, &format!("no process {} is running", sleeper.name));
    end(child);
}

#[test]
fn a_process_is_followed_by_its_pid_file() {
    let sleeper = Sleeper::new("vp");
    let (_guard, dir) = scratch();
    let path = dir.join("pid");
    let mut bench = Bench::new(vec![Check::Pidfile(path.clone())]);
    bench.tells(0, Failed, &missing(&path));
    let first = sleeper.start();
    fs::write(&path, format!("{}\n", first.id())).unwrap();
    bench.tells(0, Passed, "running");
    let pid = first.id();
    end(first);
    bench.tells(0, Failed, &format!("process {pid} is not running"));
    let second = sleeper.start();
    fs::write(&path, second.id().to_string()).unwrap();
    bench.tells(0, Passed, "running");
    fs::write(&path, "none\n").unwrap();
    bench.tells(0, Failed, &format!("{} holds \"none\", not a process id", path.display()));
    end(second);
}
