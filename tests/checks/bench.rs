//! What the tests run checks with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::timeout;
use vrrpd::checks::{Report, Runner};
use vrrpd::engine::{Check, CheckReport, Outcome, TrackerSpec};
use vrrpd::ids::TrackerId;

/// Longer than anything takes, also on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A channel of reports, with its sending side as the daemon would give it.
pub(crate) fn reports() -> (Report, UnboundedReceiver<(TrackerId, CheckReport)>) {
    let (send, receive) = unbounded_channel();
    (Arc::new(move |tracker, report| drop(send.send((tracker, report)))), receive)
}

pub(crate) fn spec(check: Check) -> TrackerSpec {
    TrackerSpec {
        name: "under-test".into(),
        check,
        interval: Duration::from_secs(1),
        timeout: PATIENCE,
        rise: 2,
        fall: 2,
        assume: None,
    }
}

/// Runs one check and returns its report.
pub(crate) async fn run(spec: TrackerSpec) -> CheckReport {
    let (report, mut reports) = reports();
    let mut runner = Runner::new(report);
    runner.run(TrackerId(1), Arc::new(spec));
    let (tracker, report) = timeout(PATIENCE * 2, reports.recv()).await.expect("a report").expect("a sender");
    assert_eq!(tracker, TrackerId(1));
    report
}

#[track_caller]
pub(crate) fn passes(report: &CheckReport, result: &str) {
    assert_eq!((report.outcome, &*report.result), (Outcome::Passed, result));
}

#[track_caller]
pub(crate) fn fails(report: &CheckReport, result: &str) {
    assert_eq!((report.outcome, &*report.result), (Outcome::Failed, result));
}

/// Whether a process is there and not merely waiting to be reaped.
pub(crate) fn is_running(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

/// Waits until `condition` holds.
pub(crate) async fn eventually(what: &str, condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "never happened: {what}");
}
