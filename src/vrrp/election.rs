//! The transitions of RFC 9568, 6.4, and the ones that tracks, groups and operators add.

use super::effects::Effects;
use super::record::{Cause, Why};
use super::router::{Heard, Rival, Router, State, Wait};
use super::spec::Preempt;
use super::verdict::{Fitness, Unfit, Verdict};
use crate::time::Timestamp;
use crate::units::{Interval, Priority, Version};
use crate::wire::Standing;
use std::net::IpAddr;
use std::time::Duration;

/// What to do about two Masters.
pub const SPLIT_BRAIN: &str = "it sends adverts as Master too, of lower standing; it was answered. If this stays, one \
     side does not hear the other: look at the network and at firewalls";

impl Router {
    /// An advert that passed every check.
    pub fn on_advert(&mut self, from: IpAddr, standing: Standing, interval: Interval, out: &mut Effects<'_>) {
        let Fitness::Fit { priority, source, .. } = self.fitness else { return };
        match (self.state, standing) {
            (State::Unfit, _) | (State::Claiming { .. }, Standing::Resigning) => {}
            (State::Listening { lower_since, .. }, Standing::Resigning) => {
                self.state = State::Listening { from: out.now(), wait: Wait::Skew, lower_since };
            }
            (State::Master { .. }, Standing::Resigning) => self.answer(out),
            (State::Listening { .. } | State::Claiming { .. }, Standing::Holding(theirs)) => {
                self.release(out);
                if theirs >= priority {
                    self.listen(None, interval, out);
                } else {
                    self.on_lower_master(interval, out);
                }
            }
            (State::Master { .. }, Standing::Holding(theirs)) if (theirs, from) > (priority, source) => {
                let why = if theirs > priority { Why::HigherPriority } else { Why::HigherAddress };
                self.heard = Some(Heard { from, priority: Some(theirs), at: out.now() });
                self.release(out);
                self.enter(Self::waiting(Wait::Down, out.now()), why, out);
                self.learn(interval);
            }
            (State::Master { .. }, Standing::Holding(_)) => {
                self.on_rival(from, interval, out);
                self.answer(out);
            }
        }
        let priority = match standing {
            Standing::Holding(theirs) => Some(theirs),
            Standing::Resigning => None,
        };
        self.heard = Some(Heard { from, priority, at: out.now() });
    }

    /// A live Master of lower priority, heard by a Backup: accepted where this router does not preempt, or not yet.
    fn on_lower_master(&mut self, interval: Interval, out: &mut Effects<'_>) {
        let since = match self.state {
            State::Listening { lower_since, .. } | State::Claiming { lower_since, .. } => {
                lower_since.unwrap_or(out.now())
            }
            State::Unfit | State::Master { .. } => out.now(),
        };
        if self.defers_since(since, out.now()) {
            self.listen(Some(since), interval, out);
        } else if let State::Listening { lower_since, .. } = &mut self.state {
            *lower_since = Some(since);
        }
    }

    fn defers_since(&self, since: Timestamp, now: Timestamp) -> bool {
        match self.spec.preempt {
            _ if self.priority().is_some_and(Priority::is_owner) => false,
            Preempt::Never => true,
            Preempt::After(delay) => now - since < delay,
        }
    }

    fn listen(&mut self, lower_since: Option<Timestamp>, interval: Interval, out: &mut Effects<'_>) {
        self.state = State::Listening { from: out.now(), wait: Wait::Down, lower_since };
        self.learn(interval);
    }

    fn waiting(wait: Wait, from: Timestamp) -> State {
        State::Listening { from, wait, lower_since: None }
    }

    fn claiming(why: Why) -> State {
        State::Claiming { why, lower_since: None }
    }

    /// RFC 9568, 6.4.2: a Backup times out by the Master's interval. RFC 3768 has it discard a differing one before.
    fn learn(&mut self, interval: Interval) {
        if self.spec.version == Version::V3 {
            self.master_interval = interval;
        }
    }

    /// Another Master of lower standing: a split, unless this one has only just taken over and their adverts crossed.
    fn on_rival(&mut self, from: IpAddr, interval: Interval, out: &mut Effects<'_>) {
        let now = out.now();
        if now - self.since < interval.duration() {
            return;
        }
        let State::Master { rival, .. } = &mut self.state else { return };
        let since = rival.map_or(now, |known| known.since);
        let first = rival.replace(Rival { from, since, last: now, interval }).is_none();
        if first {
            let detail = SPLIT_BRAIN.into();
            out.record(self.subject(), Cause::Warning { warning: "split_brain", from, detail });
        }
    }

    /// RFC 9568, 6.4.3 answers a resignation, and an advert that loses, at once. Never twice within a tenth of an
    /// interval: two routers that each think the other lower would otherwise answer each other without end.
    fn answer(&mut self, out: &mut Effects<'_>) {
        let rest = self.spec.interval.duration() / 10;
        if self.last_advert().is_some_and(|last| out.now() - last >= rest) {
            self.advertise(out);
        } else {
            self.counters.answers_held_back += 1;
        }
    }

    /// Call when `now >= next_deadline()`; harmless when early. Returns by how much it overslept, where that is so
    /// long that its peers may have acted meanwhile.
    pub fn on_deadline(&mut self, out: &mut Effects<'_>) -> Option<Duration> {
        self.next_deadline().filter(|&due| due <= out.now())?;
        match self.state {
            State::Unfit | State::Claiming { .. } => None,
            State::Listening { from, wait, lower_since } => {
                let preempts = lower_since.is_some() && self.heard.is_some_and(|heard| heard.at > from);
                self.on_silence(wait, lower_since, preempts, out)
            }
            State::Master { .. } => self.on_master_timers(out),
        }
    }

    fn on_silence(
        &mut self,
        wait: Wait,
        lower_since: Option<Timestamp>,
        preempts: bool,
        out: &mut Effects<'_>,
    ) -> Option<Duration> {
        let late = self.next_deadline().map_or(Duration::ZERO, |due| out.now() - due);
        if late >= self.master_interval.duration() {
            self.state = State::Listening { from: out.now(), wait: Wait::Overslept, lower_since };
            return Some(late);
        }
        let why = match wait {
            Wait::Skew => Why::MasterResigned,
            Wait::Down | Wait::Overslept | Wait::HandedOver if preempts => Why::PreemptsLower,
            Wait::HandedOver => Why::NobodyTookOver,
            Wait::Overslept if self.holding => Why::NobodyTookOver,
            Wait::Down | Wait::Overslept => Why::MasterSilent,
        };
        self.state = State::Claiming { why, lower_since };
        None
    }

    fn on_master_timers(&mut self, out: &mut Effects<'_>) -> Option<Duration> {
        if let Some(late) = self.notice_stall(out) {
            return Some(late);
        }
        let now = out.now();
        if let Some(due) = self.advert_due().filter(|&due| due <= now) {
            self.advertise(out);
            // Counting from the deadline keeps the rhythm; lateness does not add up, nor are lost adverts made up for.
            if let State::Master { last_advert, .. } = &mut self.state {
                *last_advert = if now - due < self.spec.interval.duration() { due } else { now };
            }
        }
        if let State::Master { rival: Some(rival), .. } = self.state
            && rival.gone_at() <= now
        {
            self.reassert(rival, out);
        } else if self.announce_due().is_some_and(|due| due <= now) {
            self.announce(out);
        }
        None
    }

    /// By how much a Master is behind with its adverts, where that is so long that its peers may have acted meanwhile.
    pub(super) fn overslept(&self, now: Timestamp) -> Option<Duration> {
        self.advert_due().map(|due| now - due).filter(|&late| late >= self.spec.interval.duration() * 2)
    }

    /// A Master that wakes from a stall no longer knows that it is one: it listens for an interval before it speaks.
    /// To be asked before it takes a packet that waited meanwhile, which it would otherwise answer as Master. Returns by
    /// how much it overslept.
    pub fn notice_stall(&mut self, out: &mut Effects<'_>) -> Option<Duration> {
        let late = self.overslept(out.now())?;
        self.master_interval = self.spec.interval;
        self.enter(Self::waiting(Wait::Overslept, out.now()), Why::Stalled, out);
        Some(late)
    }

    /// The other side of a split has given in: caches and databases may still believe it.
    fn reassert(&mut self, met: Rival, out: &mut Effects<'_>) {
        if let State::Master { rival, announces_left, .. } = &mut self.state {
            *rival = None;
            *announces_left = self.spec.announcements();
        }
        self.announce(out);
        let (lasted, priority) = (met.last - met.since, self.priority());
        out.record(self.subject(), Cause::Reasserted { other: met.from, lasted, priority });
    }

    /// Sends a Master's advert before it is due, so that it shares a system call with others of its port.
    pub fn advertise_early(&mut self, window: Duration, out: &mut Effects<'_>) {
        let window = window.min(self.spec.interval.duration() / 32);
        if self.advert_due().is_some_and(|due| due <= out.now() + window) {
            self.advertise(out);
        }
    }

    /// What tracks and the kernel say about it now.
    pub fn set_fitness(&mut self, fitness: Fitness, out: &mut Effects<'_>) {
        if self.fitness == fitness {
            return;
        }
        match (&self.fitness, &fitness) {
            (Fitness::Unfit(_), Fitness::Unfit(unfit)) => {
                let from = self.role();
                let why = Self::why_unfit(unfit);
                self.fitness = fitness;
                self.report_change(from, why, out);
            }
            (Fitness::Fit { .. }, Fitness::Unfit(unfit)) => {
                let why = Self::why_unfit(unfit);
                self.leave(why, fitness, out);
            }
            (Fitness::Unfit(_), Fitness::Fit { priority, .. }) => {
                let owner = priority.is_owner();
                let from = self.role();
                self.fitness = fitness;
                self.start(owner, out.now());
                self.report_change(from, Why::Started, out);
            }
            (&Fitness::Fit { priority: was, .. }, &Fitness::Fit { priority: is, .. }) => {
                self.fitness = fitness;
                self.on_priority(was, is, out);
            }
        }
    }

    fn why_unfit(unfit: &Unfit) -> Why {
        match unfit {
            Unfit::Stopping => Why::Stopping,
            _ => Why::Unfit,
        }
    }

    /// RFC 9568, 6.4.1. Nothing learned before survives Initialize.
    fn start(&mut self, owner: bool, now: Timestamp) {
        self.master_interval = self.spec.interval;
        self.heard = None;
        self.state = if owner { Self::claiming(Why::Owner) } else { Self::waiting(Wait::Down, now) };
    }

    fn on_priority(&mut self, was: Priority, is: Priority, out: &mut Effects<'_>) {
        if was == is {
            return;
        }
        if is.is_owner() && matches!(self.state, State::Listening { .. }) {
            // RFC 9568, 6.4.1: an owner waits for nobody.
            self.state = Self::claiming(Why::Owner);
        } else if is < was && self.somebody_may_be_higher(is, out.now()) {
            self.hand_over(Why::Demoted, out);
        }
        out.record(self.subject(), Cause::Priority { from: was, to: is });
    }

    /// False only where the one peer that was heard is known to stand lower: resigning would then just be a flap.
    fn somebody_may_be_higher(&self, mine: Priority, now: Timestamp) -> bool {
        let fresh = |heard: &Heard| now - heard.at < self.master_interval.down(self.spec.version, mine);
        self.heard.filter(fresh).and_then(|heard| heard.priority).is_none_or(|theirs| theirs >= mine)
    }

    /// A Master resigns, so that a peer takes over after `Skew_Time`, and keeps its addresses until one does or its own
    /// timer brings it back. No-op in any other state.
    pub fn hand_over(&mut self, why: Why, out: &mut Effects<'_>) {
        if matches!(self.state, State::Master { .. }) {
            self.resign(out);
            self.master_interval = self.spec.interval;
            self.enter(Self::waiting(Wait::HandedOver, out.now()), why, out);
        }
    }

    /// Its group consents: Claiming becomes Master. No-op in any other state.
    pub fn grant(&mut self, out: &mut Effects<'_>) {
        let State::Claiming { why, .. } = self.state else { return };
        let from = self.role();
        self.state = State::Master {
            last_advert: out.now(),
            announces_left: self.spec.announcements(),
            last_announce: out.now(),
            rival: None,
        };
        self.advertise(out);
        self.hold(out);
        self.announce(out);
        self.report_change(from, why, out);
    }

    /// Its group refuses: Master becomes Claiming, and addresses stay only where the group lingers.
    pub fn hold_back(&mut self, group: Verdict, out: &mut Effects<'_>) {
        let was_master = matches!(self.state, State::Master { .. });
        if was_master && self.overslept(out.now()).is_none() {
            self.resign(out);
        }
        if group <= Verdict::Yield {
            self.release(out);
        }
        if was_master {
            self.enter(Self::claiming(Why::NobodyTookOver), Why::HeldByGroup, out);
        }
    }

    /// Leaves the election: a Master resigns first. RFC 9568 has a Backup leave in silence (6.4.2).
    pub fn leave(&mut self, why: Why, unfit: Fitness, out: &mut Effects<'_>) {
        if matches!(self.state, State::Master { .. }) {
            self.resign(out);
        }
        self.release(out);
        let from = self.role();
        self.fitness = unfit;
        self.state = State::Unfit;
        self.report_change(from, why, out);
    }
}
