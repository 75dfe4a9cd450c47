//! The notices of one router or group: in order, one at a time.

use super::notice::{Job, Notice};
use super::{Tell, Trouble};
use crate::config::Hook;
use crate::process::{self, Program};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout, timeout_at};

/// How many notices may wait. With more, the older ones would be news of the past.
const MAX_WAITING: usize = 8;

/// One lane. A worker runs for as long as there is something to do.
#[derive(Default)]
pub(super) struct Lane {
    queue: Arc<Mutex<Queue>>,
    worker: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Job>,
    busy: bool,
}

impl Lane {
    /// Adds a notice at the end; when too many wait, it is the only one that stays.
    pub(super) fn push(&mut self, job: Job, tell: &Tell) {
        let mut queue = lock(&self.queue);
        if queue.waiting.len() >= MAX_WAITING {
            tell(Trouble::Skipped { who: job.notice.who.to_string(), count: queue.waiting.len() });
            queue.waiting.clear();
        }
        queue.waiting.push_back(job);
        if !std::mem::replace(&mut queue.busy, true) {
            self.worker = Some(tokio::spawn(work(self.queue.clone(), tell.clone())));
        }
    }

    /// Whether a notice is carried out, or waits.
    pub(super) fn is_busy(&self) -> bool {
        lock(&self.queue).busy
    }

    /// Waits for the worker; whether it had done everything by the deadline. Otherwise it is ended.
    pub(super) async fn finish(&mut self, deadline: Instant) -> bool {
        let Some(worker) = &mut self.worker else { return true };
        let done = timeout_at(deadline, &mut *worker).await.is_ok();
        if !done {
            worker.abort();
            // Once it has ended, so has its program.
            worker.await.ok();
        }
        done
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.abort();
        }
    }
}

fn lock(queue: &Mutex<Queue>) -> MutexGuard<'_, Queue> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn work(queue: Arc<Mutex<Queue>>, tell: Tell) {
    while let Some(job) = next(&queue) {
        for hook in &job.hooks {
            run(hook, &job, &tell).await;
        }
    }
}

fn next(queue: &Mutex<Queue>) -> Option<Job> {
    let mut queue = lock(queue);
    let job = queue.waiting.pop_front();
    queue.busy = job.is_some();
    job
}

async fn run(hook: &Hook, job: &Job, tell: &Tell) {
    let argv = job.argv(hook);
    let Notice { who, state, json, .. } = &job.notice;
    let (program, who, state) = (argv.first().cloned().unwrap_or_default(), who.to_string(), state.name());
    let input = Some(format!("{}\n", json.trim_end()).into());
    let request = Program { argv, user: hook.user.clone(), environment: job.environment(), input };
    let reason = match timeout(hook.timeout, process::run(&request)).await {
        Ok(Ok(finished)) if finished.success() => return,
        Ok(Ok(finished)) => finished.to_string(),
        Ok(Err(error)) => error.to_string(),
        Err(_) => return tell(Trouble::TimedOut { program, who, state, limit: hook.timeout }),
    };
    tell(Trouble::Failed { program, who, state, reason });
}
