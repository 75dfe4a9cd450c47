//! Measures what the daemon adds to the times that the protocol demands.

use super::clock;
use crate::control::Timings;
use crate::time::Timestamp;
use crate::vrrp::{Action, Cause, Role};
use crate::wire::Standing;

/// From where on in a list of actions timers are behind them, and when the first of those was due. With several
/// routers in one wake, the earliest stands for all: nothing is told better than it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Due {
    /// The first action that a timer brought about.
    pub(super) first: usize,
    /// When that timer was due.
    pub(super) at: Timestamp,
}

/// Measures the execution of one list of actions.
pub(super) struct Stopwatch<'a> {
    timings: &'a mut Timings,
    due: Option<Due>,
}

impl<'a> Stopwatch<'a> {
    /// `due` is `None` where no timer is behind any of the actions.
    pub(super) fn new(timings: &'a mut Timings, due: Option<Due>) -> Self {
        Self { timings, due }
    }

    /// The adverts are with the kernel.
    pub(super) fn adverts_sent(&mut self, actions: &[Action]) {
        let Some(due) = self.due else { return };
        let timed = actions.iter().skip(due.first);
        let adverts = timed.filter(|action| matches!(action, Action::Advertise { standing: Standing::Holding(_), .. }));
        let adverts = u32::try_from(adverts.count()).unwrap_or(u32::MAX);
        if adverts > 0 {
            self.timings.advert_lateness.observe(clock::now() - due.at, adverts);
        }
    }

    /// The announcements are with the kernel.
    pub(super) fn announced(&mut self, actions: &[Action]) {
        let mut now = None;
        for (at, action) in actions.iter().enumerate() {
            if let Action::Record(record) = action
                && let Cause::Transition { to: Role::Master, .. } = record.cause
            {
                let now = *now.get_or_insert_with(clock::now);
                let timer = self.due.filter(|due| at >= due.first);
                self.timings.failover_overhead.observe(now - timer.map_or(record.at, |due| due.at), 1);
            }
        }
    }
}
