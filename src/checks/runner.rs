//! Runs a check when the engine says so.

use super::{Finding, Report, arp, http, ping, script, tcp};
use crate::engine::{Check, CheckReport, Outcome, TrackerSpec};
use crate::ids::TrackerId;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

/// Runs polled checks, each in a task of its own: a slow one delays no other.
///
/// To be used within a tokio runtime with I/O and time enabled. Dropping it ends every running check without a report.
pub struct Runner {
    report: Report,
    running: BTreeMap<TrackerId, JoinHandle<()>>,
}

impl Runner {
    /// A runner that tells `report` what it finds.
    #[must_use]
    pub fn new(report: Report) -> Self {
        Self { report, running: BTreeMap::new() }
    }

    /// Runs a check once. While the last run of the same tracker still goes on, nothing is started.
    ///
    /// What the kernel reports by itself is not run at all: [`Watchers`](super::Watchers) follow it.
    pub fn run(&mut self, tracker: TrackerId, spec: Arc<TrackerSpec>) {
        if self.running.get(&tracker).is_some_and(|run| !run.is_finished()) {
            return;
        }
        let report = self.report.clone();
        let run = tokio::spawn(async move { report(tracker, observe(&spec).await) });
        self.running.insert(tracker, run);
    }

    /// Forgets a tracker: a run that still goes on is ended and reports nothing.
    pub fn retire(&mut self, tracker: TrackerId) {
        if let Some(run) = self.running.remove(&tracker) {
            run.abort();
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        self.running.values().for_each(JoinHandle::abort);
    }
}

/// One run, which fails at the latest when its time is over.
async fn observe(spec: &TrackerSpec) -> CheckReport {
    let start = Instant::now();
    let finding = timeout(spec.timeout, find(spec)).await.unwrap_or_else(|_| Err(too_late(spec.timeout)));
    let (outcome, result) = match finding {
        Ok(result) => (Outcome::Passed, result),
        Err(result) => (Outcome::Failed, result),
    };
    CheckReport { outcome, result: result.into(), took: start.elapsed() }
}

fn too_late(limit: Duration) -> String {
    format!("timed out after {limit:?}")
}

async fn find(spec: &TrackerSpec) -> Finding {
    match &spec.check {
        Check::Script { argv, user } => script::check(&spec.name, argv, user).await,
        Check::Http(http) => http::check(http).await,
        Check::Tcp { address, send, expect } => tcp::check(*address, send.as_deref(), expect.as_deref()).await,
        Check::Ping(target) => ping::check(*target).await,
        Check::Arp { address, interface } => arp::check(*address, interface).await,
        other => Err(format!("a {} track is not polled", other.kind())),
    }
}
