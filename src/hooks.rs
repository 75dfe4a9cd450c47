//! Hooks: the programs of the operator's that are told of every change of state, and the FIFO that carries every record.
//!
//! Each virtual router has a lane: its notices run in order, one at a time, and never hold up another router's. A sync
//! group has a lane of its own and is told once for each state that the group as a whole has entered. When notices pile
//! up behind a slow program, the older ones are skipped and the newest is delivered.

mod fifo;
mod group;
mod lane;
mod notice;

pub use crate::config::{Hook, HookPlan, HookSet};

use crate::vrrp::{Cause, Record, Role, Subject, Why};
use fifo::Fifo;
use group::Groups;
use lane::Lane;
use notice::{Job, Notice, State, Who};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The reason that hooks are told by a Master that met another one and stayed.
const REASSERTED: &str = "reasserted";

/// Where troubles go, for the log.
pub type Tell = Arc<dyn Fn(Trouble) + Send + Sync>;

/// What went wrong with a hook or the FIFO. Nothing of it stops the daemon.
#[derive(Debug, thiserror::Error)]
pub enum Trouble {
    /// A program failed or could not be run.
    #[error("notify script {program} of {who} for {state} failed: {reason}")]
    Failed {
        /// The program.
        program: String,
        /// `virtual router NAME` or `sync group NAME`.
        who: String,
        /// The state it was told.
        state: &'static str,
        /// The end of the program, or why it did not start.
        reason: String,
    },
    /// A program took longer than its limit and was killed with all that it had started.
    #[error(
        "notify script {program} of {who} for {state} was killed after {limit:?}: raise notify.timeout if it needs longer"
    )]
    TimedOut {
        /// The program.
        program: String,
        /// Of whom.
        who: String,
        /// The state it was told.
        state: &'static str,
        /// Its limit.
        limit: Duration,
    },
    /// The programs are slower than the changes.
    #[error("the notify scripts of {who} are slower than its changes of state: {count} older ones were skipped")]
    Skipped {
        /// Of whom.
        who: String,
        /// How many.
        count: usize,
    },
    /// The daemon ends and cannot wait any longer.
    #[error("the notify scripts of {who} had not ended when the daemon did, and were killed")]
    CutOff {
        /// Of whom.
        who: String,
    },
    /// The FIFO cannot be made or written to.
    #[error("notify.fifo {}: {reason}", path.display())]
    Fifo {
        /// Its path.
        path: PathBuf,
        /// What is wrong and what to do.
        reason: String,
    },
}

/// The whole of it. To be used within a tokio runtime with I/O and time enabled; dropping it kills what still runs.
pub struct Hooks {
    plan: HookPlan,
    lanes: BTreeMap<Who, Lane>,
    groups: Groups,
    fifo: Option<Fifo>,
    tell: Tell,
}

impl Hooks {
    /// Makes ready. `fifo` is the path of the FIFO that carries every record; it is created if it is not there.
    #[must_use]
    pub fn new(plan: HookPlan, fifo: Option<PathBuf>, tell: Tell) -> Self {
        let fifo = fifo.map(|path| Fifo::new(path, &tell));
        Self { plan, lanes: BTreeMap::new(), groups: Groups::default(), fifo, tell }
    }

    /// Another configuration, from the next record on: what waits already runs as it was planned.
    pub fn reconfigure(&mut self, plan: HookPlan, fifo: Option<PathBuf>) {
        self.plan = plan;
        if self.fifo.as_ref().map(Fifo::path) != fifo.as_deref() {
            self.fifo = fifo.map(|path| Fifo::new(path, &self.tell));
        }
    }

    /// Takes one record, in order; `json` is the same record as one line of JSON. Never blocks.
    pub fn deliver(&mut self, record: &Record, json: &str) {
        if let Some(fifo) = &mut self.fifo {
            fifo.write(json, &self.tell);
        }
        let Subject::Router { name, group, .. } = &record.subject else { return };
        let (from, to, priority, reason) = match &record.cause {
            Cause::Transition { from, to, why, priority, .. } => (*from, *to, *priority, why.name()),
            // What scripts tell a database or a cloud, the other Master's scripts told it too.
            Cause::Reasserted { priority, .. } => (Role::Master, Role::Master, *priority, REASSERTED),
            _ => return,
        };
        let (previous, state) = (State::before(from), State::after(to));
        let notice = Notice {
            who: Who::Router(name.clone()),
            router: name.clone(),
            group: group.clone(),
            state,
            previous,
            priority,
            reason,
            json: json.into(),
        };
        self.enqueue(notice.clone());
        let Some(group) = group else { return };
        let removed = reason == Why::Removed.name();
        let of_group = self.groups.update(group, name, (!removed).then_some(state));
        // Of a group that is Master, any member that reasserts itself does so for the whole.
        let again = || (reason == REASSERTED && self.groups.is_master(group)).then_some((previous, state));
        if let Some((previous, state)) = of_group.or_else(again) {
            self.enqueue(Notice { who: Who::Group(group.clone()), state, previous, ..notice });
        }
    }

    fn enqueue(&mut self, notice: Notice) {
        let hooks = notice.hooks(&self.plan);
        if !hooks.is_empty() {
            let lane = self.lanes.entry(notice.who.clone()).or_default();
            lane.push(Job { notice, hooks }, &self.tell);
        }
    }

    /// How many records the FIFO could not take, because it was full or nobody read it.
    #[must_use]
    pub fn fifo_dropped(&self) -> u64 {
        self.fifo.as_ref().map_or(0, Fifo::dropped)
    }

    /// Waits until no hook runs or waits, for at most `limit`; whether that is so now.
    pub async fn settle(&self, limit: Duration) -> bool {
        const LOOK: Duration = Duration::from_millis(10);
        let deadline = Instant::now() + limit;
        while self.lanes.values().any(Lane::is_busy) {
            if Instant::now() >= deadline {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }

    /// Goes on where another daemon stopped: a member of a sync group is in this state, as its hooks know already.
    pub fn resume(&mut self, group: &Arc<str>, router: &Arc<str>, role: Role) {
        let _ = self.groups.update(group, router, Some(State::after(role)));
    }

    /// Waits until every hook has run, for at most `limit`; what then still runs is killed.
    pub async fn finish(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        for (who, lane) in &mut self.lanes {
            if !lane.finish(deadline).await {
                (self.tell)(Trouble::CutOff { who: who.to_string() });
            }
        }
    }
}
