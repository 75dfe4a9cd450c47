//! One track: when its check runs next, and what its outcomes have settled to.

use super::event::{CheckReport, Outcome};
use crate::ids::{GroupId, TrackerId};
use crate::time::Timestamp;
use crate::track::{TrackerSpec, Weight};
use crate::vrrp::{Action, Effects};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

#[derive(Debug)]
pub(super) struct Tracker {
    pub(super) id: TrackerId,
    pub(super) spec: Arc<TrackerSpec>,
    /// Groups that it bears on.
    pub(super) attached: Vec<GroupId>,
    pub(super) health: Health,
    pub(super) since: Timestamp,
    pub(super) last_result: Arc<str>,
    pub(super) last_duration: Duration,
    pub(super) runs: u64,
    pub(super) failures: u64,
    added: Timestamp,
    streak: u8,
    last_start: Option<Timestamp>,
    running: bool,
    trusted: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub(super) enum Health {
    /// No answer has settled yet.
    Unknown,
    Healthy,
    Failed,
    /// A number from a file.
    Value(i32),
}

/// What is known of a track when its daemon hands over.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(super) struct TrackerBequest {
    pub(super) id: TrackerId,
    pub(super) name: Arc<str>,
    pub(super) kind: String,
    health: Health,
    since: Timestamp,
    last_result: Arc<str>,
    last_duration: Duration,
    runs: u64,
    failures: u64,
    streak: u8,
    trusted: bool,
}

impl Health {
    pub(super) fn is_healthy(self) -> Option<bool> {
        match self {
            Self::Unknown => None,
            Self::Healthy | Self::Value(_) => Some(true),
            Self::Failed => Some(false),
        }
    }
}

impl Tracker {
    pub(super) fn new(id: TrackerId, spec: Arc<TrackerSpec>, now: Timestamp) -> Self {
        let health = match spec.assume {
            None => Health::Unknown,
            Some(true) => Health::Healthy,
            Some(false) => Health::Failed,
        };
        Self {
            id,
            spec,
            attached: Vec::new(),
            health,
            since: now,
            last_result: "not run yet".into(),
            last_duration: Duration::ZERO,
            runs: 0,
            failures: 0,
            added: now,
            streak: 0,
            last_start: None,
            running: false,
            trusted: false,
        }
    }

    /// What it leaves to a successor.
    pub(super) fn bequeath(&self) -> TrackerBequest {
        TrackerBequest {
            id: self.id,
            name: Arc::clone(&self.spec.name),
            kind: self.spec.check.kind().to_owned(),
            health: self.health,
            since: self.since,
            last_result: Arc::clone(&self.last_result),
            last_duration: self.last_duration,
            runs: self.runs,
            failures: self.failures,
            streak: self.streak,
            trusted: self.trusted,
        }
    }

    /// The track of a predecessor. Its check is due at once: an outcome may have been on its way.
    pub(super) fn resume(bequest: TrackerBequest, spec: Arc<TrackerSpec>, now: Timestamp) -> Self {
        let TrackerBequest { id, health, since, last_result, last_duration, runs, failures, streak, trusted, .. } =
            bequest;
        Self { health, since, last_result, last_duration, runs, failures, streak, trusted, ..Self::new(id, spec, now) }
    }

    /// A reload changed its timing or thresholds; health stays, since what is looked at stays.
    pub(super) fn amend(&mut self, spec: Arc<TrackerSpec>) {
        self.spec = spec;
    }

    /// When its next run starts, or the running one is given up for lost.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        let trust = (self.health == Health::Unknown && !self.trusted).then(|| self.trusted_from());
        self.next_run().into_iter().chain(trust).min()
    }

    fn next_run(&self) -> Option<Timestamp> {
        self.spec.check.is_polled().then(|| match self.last_start {
            None => self.added,
            Some(start) if self.running => start + self.spec.timeout + self.spec.interval,
            Some(start) => start + self.spec.interval,
        })
    }

    /// One fall period from the start, after which even a track that never answered holds nobody back.
    fn trusted_from(&self) -> Timestamp {
        self.added + self.spec.interval * u32::from(self.spec.fall) + self.spec.timeout
    }

    /// Whether a required track still keeps its routers from becoming Master because it has not answered.
    pub(super) fn is_awaited(&self) -> bool {
        self.health == Health::Unknown && !self.trusted
    }

    /// Starts a run when it is due. Returns whether what it says to its groups changed: the wait for its first answer
    /// is over, or a run whose outcome never came counted as failed.
    pub(super) fn on_deadline(&mut self, now: Timestamp, out: &mut Effects<'_>) -> bool {
        let trusted = !self.trusted && self.trusted_from() <= now;
        self.trusted |= trusted;
        self.start_run(now, out) || trusted
    }

    fn start_run(&mut self, now: Timestamp, out: &mut Effects<'_>) -> bool {
        if self.next_run().is_none_or(|at| at > now) {
            return false;
        }
        let lost = self.running;
        self.running = true;
        self.last_start = Some(now);
        out.push(Action::RunCheck { tracker: self.id, spec: Arc::clone(&self.spec) });
        if !lost {
            return false;
        }
        self.failures += 1;
        self.last_result = "no answer".into();
        self.settle(Outcome::Failed, now)
    }

    /// Takes one outcome; returns whether the settled health changed.
    pub(super) fn observe(&mut self, report: &CheckReport, now: Timestamp) -> bool {
        self.running = false;
        self.runs += 1;
        self.failures += u64::from(report.outcome == Outcome::Failed);
        self.last_duration = report.took;
        if self.last_result != report.result {
            self.last_result = Arc::clone(&report.result);
        }
        self.settle(report.outcome, now)
    }

    fn settle(&mut self, outcome: Outcome, now: Timestamp) -> bool {
        let health = match outcome {
            Outcome::Passed => Health::Healthy,
            Outcome::Failed => Health::Failed,
            Outcome::Value(value) => Health::Value(value),
        };
        if health == self.health {
            self.streak = 0;
            return false;
        }
        self.streak = self.streak.saturating_add(1);
        if self.streak < self.needed(health) {
            return false;
        }
        self.streak = 0;
        self.health = health;
        self.since = now;
        true
    }

    /// How many outcomes in a row it takes. The kernel's word is never in doubt, and a first success settles at once.
    fn needed(&self, health: Health) -> u8 {
        match health {
            _ if !self.spec.check.is_polled() => 1,
            Health::Failed => self.spec.fall,
            _ if self.health == Health::Unknown => 1,
            _ => self.spec.rise,
        }
    }

    /// What it adds to a priority now; `None` where it makes the group unfit.
    pub(super) fn contribution(&self, weight: Weight) -> Option<i32> {
        let (Weight::Required { reverse } | Weight::Adjust { reverse, .. }) = weight;
        let healthy = self.health.is_healthy().map(|healthy| healthy != reverse);
        match weight {
            Weight::Required { .. } => (healthy != Some(false)).then_some(0),
            Weight::Adjust { by, .. } => Some(match (self.health, healthy) {
                (Health::Value(value), _) => value.saturating_mul(i32::from(by)),
                (_, Some(true)) if by > 0 => i32::from(by),
                (_, Some(false)) if by < 0 => i32::from(by),
                _ => 0,
            }),
        }
    }
}
