//! `script` tracks.

use crate::bench::{eventually, fails, is_running, passes, reports, run, spec};
use nix::unistd::geteuid;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use vrrpd::checks::Runner;
use vrrpd::engine::{Check, CheckReport, TrackerSpec};
use vrrpd::ids::TrackerId;

/// Nobody, where the tests may change to another user.
fn user() -> Arc<str> {
    if geteuid().is_root() { "nobody".into() } else { geteuid().to_string().into() }
}

fn program(argv: &[&str]) -> TrackerSpec {
    let argv = argv.iter().map(ToString::to_string).collect();
    spec(Check::Script { argv, user: user() })
}

fn shell(code: &str) -> TrackerSpec {
    program(&["/bin/sh", "-c", code])
}

fn within(limit: Duration, spec: TrackerSpec) -> TrackerSpec {
    TrackerSpec { timeout: limit, ..spec }
}

/// A directory that the scripts' user may write in.
struct Scratch(tempfile::TempDir);

impl Scratch {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o777)).unwrap();
        Self(dir)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// The content of a file, once somebody has written a whole line.
async fn line_in(path: &Path) -> String {
    let read = || std::fs::read_to_string(path).unwrap_or_default();
    eventually("a line in a file", || read().ends_with('\n')).await;
    read().trim().to_owned()
}

#[tokio::test]
async fn the_exit_status_decides_and_the_last_line_explains() {
    passes(&run(shell("exit 0")).await, "exit status 0");
    passes(&run(shell("echo starting; echo all well")).await, "exit status 0: all well");
    fails(&run(shell("echo trying; echo connection refused >&2; exit 1")).await, "exit status 1: connection refused");
    fails(&run(shell("exit 127")).await, "exit status 127");
    fails(&run(shell("kill -TERM $$")).await, "killed by SIGTERM");
}

#[tokio::test]
async fn it_starts_with_nothing_of_the_daemons() {
    // The last row reads what the shell was started with, not what it made of it.
    for (code, result) in [
        ("pwd", "/"),
        ("cat; echo end of input", "end of input"),
        ("[ $(cut -d ' ' -f 5 /proc/$$/stat) = $$ ] && echo leads its group", "leads its group"),
        (
            "tr '\\0' ' ' </proc/$$/environ",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C VRRPD_TRACK=under-test",
        ),
    ] {
        let CheckReport { result: told, .. } = run(shell(code)).await;
        let told = told.strip_prefix("exit status 0: ").unwrap_or(&told);
        let sorted = |line: &str| {
            let mut words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            words.sort();
            words
        };
        assert_eq!(sorted(told), sorted(result), "{code}");
    }
}

#[tokio::test]
async fn it_inherits_no_descriptors() {
    let _socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let _file = tempfile::NamedTempFile::with_prefix("a-file-of-ours").unwrap();
    let open = run(shell("readlink /proc/$$/fd/* | tr '\\n' ' '")).await.result;
    assert!(open.starts_with("exit status 0: /dev/null pipe:"), "{open}");
    for ours in ["socket:", "anon_inode:", "a-file-of-ours"] {
        assert!(!open.contains(ours), "{open}");
    }
}

#[tokio::test]
async fn it_runs_as_its_user_without_privileges() {
    if !geteuid().is_root() {
        fails(
            &run(spec(Check::Script { argv: ["/bin/true".to_owned()].into(), user: "root".into() })).await,
            "/bin/true could not be started: Operation not permitted (os error 1)",
        );
        return;
    }
    passes(&run(shell("echo $(id -u) $(id -g) $(id -G)")).await, "exit status 0: 65534 65534 65534");
    passes(&run(shell("grep CapEff /proc/$$/status | tr '\\t' ' '")).await, "exit status 0: CapEff: 0000000000000000");
    let as_daemon =
        Check::Script { argv: ["/usr/bin/id", "-g"].map(String::from).into(), user: "nobody:daemon".into() };
    passes(&run(spec(as_daemon)).await, "exit status 0: 1");
}

#[tokio::test]
async fn a_program_that_cannot_run_is_a_failure_that_says_why() {
    let scratch = Scratch::new();
    let plain = scratch.path("plain");
    std::fs::write(&plain, "#!/bin/sh\n").unwrap();
    let plain = plain.to_str().unwrap();
    let forbidden = run(program(&[plain])).await;
    fails(
        &forbidden,
        &format!(
            "{plain} cannot be executed by {}: make it executable (chmod +x), and its directories open to that user",
            user()
        ),
    );
    fails(&run(program(&["/no/such/check"])).await, "/no/such/check or its interpreter does not exist");
    let stranger = Check::Script { argv: ["/bin/true".to_owned()].into(), user: "no-such-user".into() };
    fails(&run(spec(stranger)).await, "there is no user no-such-user: create it, or name another one");
    fails(&run(program(&[])).await, "no program is named: write [\"/path/to/program\", \"argument\", ...]");
}

#[tokio::test]
async fn at_its_timeout_it_is_killed_with_all_it_started() {
    let scratch = Scratch::new();
    let pids = scratch.path("pids");
    let hang = format!("sleep 300 & echo $$ $! > {}; sleep 300", pids.display());
    fails(&run(within(Duration::from_millis(500), shell(&hang))).await, "timed out after 500ms");
    let pids = line_in(&pids).await;
    for pid in pids.split(' ') {
        eventually("the end of the group", || !is_running(pid)).await;
    }
}

#[tokio::test]
async fn a_child_that_keeps_the_output_open_is_neither_waited_for_nor_left_behind() {
    let report = run(shell("sleep 300 & echo $!")).await;
    let pid = report.result.strip_prefix("exit status 0: ").expect("a pid").to_owned();
    assert!(report.took < Duration::from_secs(10));
    eventually("the end of the child", || !is_running(&pid)).await;
}

#[tokio::test]
async fn a_program_that_never_stops_talking_holds_up_nobody() {
    let (report, mut reports) = reports();
    let mut runner = Runner::new(report);
    runner.run(TrackerId(1), Arc::new(within(Duration::from_secs(2), program(&["/usr/bin/yes"]))));
    for _ in 0..10 {
        runner.run(TrackerId(2), Arc::new(shell("exit 0")));
        let (tracker, report) = reports.recv().await.expect("a report");
        assert_eq!(tracker, TrackerId(2));
        passes(&report, "exit status 0");
    }
    let (tracker, report) = reports.recv().await.expect("a report");
    assert_eq!(tracker, TrackerId(1));
    fails(&report, "timed out after 2s");
}

#[tokio::test]
async fn a_run_that_still_goes_on_is_not_doubled() {
    let scratch = Scratch::new();
    let (log, gate) = (scratch.path("log"), scratch.path("gate"));
    let code = format!("echo x >> {}; until [ -e {} ]; do sleep 0.01; done", log.display(), gate.display());
    let (report, mut reports) = reports();
    let (mut runner, check) = (Runner::new(report), Arc::new(shell(&code)));
    runner.run(TrackerId(7), check.clone());
    line_in(&log).await;
    runner.run(TrackerId(7), check.clone());
    std::fs::write(&gate, "").unwrap();
    reports.recv().await.expect("a report");
    assert!(reports.try_recv().is_err());
    runner.run(TrackerId(7), check);
    reports.recv().await.expect("another report");
    assert_eq!(std::fs::read_to_string(&log).unwrap(), "x\nx\n");
}

#[tokio::test]
async fn a_retired_tracker_is_killed_and_reports_nothing() {
    let scratch = Scratch::new();
    let pid = scratch.path("pid");
    let (report, mut reports) = reports();
    let mut runner = Runner::new(report);
    runner.run(TrackerId(3), Arc::new(shell(&format!("echo $$ > {}; sleep 300", pid.display()))));
    let pid = line_in(&pid).await;
    runner.retire(TrackerId(3));
    eventually("the end of the program", || !is_running(&pid)).await;
    assert!(reports.try_recv().is_err());
}
