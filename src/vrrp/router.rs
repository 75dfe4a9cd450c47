//! One virtual router: its facts, and what follows from them.
//!
//! ```text
//!                    fit                    down interval or skew over          the group grants
//!   Unfit ------------------> Listening ---------------------------> Claiming -----------------> Master
//!     ^                        |  ^  ^         an acceptable advert   |  ^                          |
//!     |                        |  |  +--------------------------------+  +-- held by the group -----+
//!     +------- unfit ----------+  +------- a higher advert, or it hands over -----------------------+
//! ```
//!
//! Listening and Claiming are RFC 9568's Backup, Master is its Active, Unfit is Initialize. Deadlines are derived
//! from facts and never stored, so a change of priority or interval needs no timer to be set anew.

use super::hmac::Marks;
use super::interference::Interference;
use super::spec::{Auth, ChecksumChoice, RouterSpec};
use super::verdict::{Fitness, Promotion, Unfit, Verdict};
use super::{Evidence, Role, RouterCounters, Why};
use crate::ids::{PortId, RouterId};
use crate::time::Timestamp;
use crate::units::{Interval, Priority};
use crate::wire::trailer::Trailer;
use crate::wire::{ChecksumForm, Standing};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// A virtual router.
#[derive(Debug)]
pub struct Router {
    pub(super) id: RouterId,
    pub(super) port: PortId,
    pub(super) group: Option<Arc<str>>,
    pub(super) spec: Arc<RouterSpec>,
    pub(super) fitness: Fitness,
    pub(super) state: State,
    /// Whether the addresses are on the interface: always while Master, and while it lingers after handing over.
    pub(super) holding: bool,
    pub(super) master_interval: Interval,
    pub(super) heard: Option<Heard>,
    pub(super) peer_checksum: Option<ChecksumForm>,
    /// The highest number of an advert sent or, authenticated, heard: a new Master goes on counting from the old one's.
    pub(super) sequence: u32,
    /// What was heard in trailers.
    pub(super) marks: Marks,
    /// What somebody else removed of what it holds.
    pub(super) interference: Interference,
    pub(super) since: Timestamp,
    pub(super) why: Why,
    pub(super) evidence: Evidence,
    /// What happened to it, counted.
    pub counters: RouterCounters,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub(super) enum State {
    Unfit,
    Listening {
        /// The moment that the wait counts from.
        from: Timestamp,
        wait: Wait,
        /// When a lower Master was first heard in this stretch of listening.
        lower_since: Option<Timestamp>,
    },
    Claiming {
        why: Why,
        /// As in `Listening`: a wait that is over is not begun again while other members of the group still listen.
        lower_since: Option<Timestamp>,
    },
    Master {
        last_advert: Timestamp,
        announces_left: u8,
        last_announce: Timestamp,
        rival: Option<Rival>,
    },
}

/// How long a listening router waits before it claims.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub(super) enum Wait {
    /// `Active_Down_Interval`.
    Down,
    /// `Skew_Time`, after the Master resigned.
    Skew,
    /// The down interval after it handed over itself.
    HandedOver,
    /// One interval, after this process overslept.
    Overslept,
}

/// What was last heard of another Master.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub struct Heard {
    /// From where.
    pub from: IpAddr,
    /// Its priority; `None` for a resignation.
    pub priority: Option<Priority>,
    /// When.
    pub at: Timestamp,
}

/// Another Master of lower standing that a Master hears.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, Serialize)]
pub(super) struct Rival {
    pub(super) from: IpAddr,
    pub(super) since: Timestamp,
    pub(super) last: Timestamp,
    pub(super) interval: Interval,
}

impl Rival {
    /// When its silence means that it has given in: half as long again as it takes between adverts.
    pub(super) fn gone_at(&self) -> Timestamp {
        self.last + self.interval.duration() * 3 / 2
    }
}

impl Router {
    /// A router that has not yet been told whether it is fit.
    #[must_use]
    pub fn new(id: RouterId, port: PortId, group: Option<Arc<str>>, spec: Arc<RouterSpec>, now: Timestamp) -> Self {
        let master_interval = spec.interval;
        Self {
            id,
            port,
            group,
            spec,
            fitness: Fitness::Unfit(Unfit::Starting),
            state: State::Unfit,
            holding: false,
            master_interval,
            heard: None,
            peer_checksum: None,
            sequence: 0,
            marks: Marks::default(),
            interference: Interference::default(),
            since: now,
            why: Why::Started,
            evidence: Evidence::default(),
            counters: RouterCounters::default(),
        }
    }

    /// Its handle.
    #[must_use]
    pub fn id(&self) -> RouterId {
        self.id
    }

    /// Its configuration.
    #[must_use]
    pub fn spec(&self) -> &Arc<RouterSpec> {
        &self.spec
    }

    /// The port it sends from and listens on.
    #[must_use]
    pub fn port(&self) -> PortId {
        self.port
    }

    /// What was last said about its fitness.
    #[must_use]
    pub fn fitness(&self) -> &Fitness {
        &self.fitness
    }

    /// The Master's interval: its own until another is learned (VRRPv3 only).
    #[must_use]
    pub fn master_interval(&self) -> Interval {
        self.master_interval
    }

    /// Why it has retreated from somebody who kept removing what it holds, if it has.
    #[must_use]
    pub fn retreat(&self) -> Option<&Unfit> {
        self.interference.unfit()
    }

    /// Ends a retreat whose time is up; says whether it is fit again as far as that goes.
    pub fn end_retreat(&mut self, now: Timestamp) -> bool {
        self.interference.end(now)
    }

    /// An operator has seen to whoever interfered; says whether there was a retreat.
    pub fn forgive_interference(&mut self) -> bool {
        self.interference.forgive()
    }

    /// Who was heard last.
    #[must_use]
    pub fn heard(&self) -> Option<Heard> {
        self.heard
    }

    /// Whether the addresses are on the interface because of this router.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.holding
    }

    /// The state operators see, since when, and why.
    #[must_use]
    pub fn standing_since(&self) -> (Role, Timestamp, Why) {
        (self.role(), self.since, self.why)
    }

    /// What it saw when it entered its state.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// The other Master that this Master hears, and since when.
    #[must_use]
    pub fn rival(&self) -> Option<(IpAddr, Timestamp)> {
        match self.state {
            State::Master { rival, .. } => rival.map(|rival| (rival.from, rival.since)),
            State::Unfit | State::Listening { .. } | State::Claiming { .. } => None,
        }
    }

    /// When it last sent an advert as Master.
    #[must_use]
    pub fn last_advert(&self) -> Option<Timestamp> {
        match self.state {
            State::Master { last_advert, .. } => Some(last_advert),
            State::Unfit | State::Listening { .. } | State::Claiming { .. } => None,
        }
    }

    /// The state operators see.
    #[must_use]
    pub fn role(&self) -> Role {
        match (&self.state, &self.fitness) {
            (State::Unfit, Fitness::Unfit(Unfit::Starting | Unfit::StartupDelay | Unfit::Stopping)) => Role::Initialize,
            (State::Unfit, _) => Role::Fault,
            (State::Listening { .. } | State::Claiming { .. }, _) => Role::Backup,
            (State::Master { .. }, _) => Role::Master,
        }
    }

    /// What it concludes from its own evidence; its group takes the minimum.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        match self.state {
            State::Unfit => Verdict::Unfit,
            State::Listening { .. } if self.holding => Verdict::Linger,
            State::Listening { .. } => Verdict::Yield,
            State::Claiming { .. } if !self.is_promotable() => Verdict::Yield,
            State::Claiming { .. } | State::Master { .. } => Verdict::Claim,
        }
    }

    /// Whether it is fit, and may become Master now.
    #[must_use]
    pub fn is_promotable(&self) -> bool {
        match self.fitness {
            Fitness::Fit { promotion: Promotion::Allowed, .. } => true,
            Fitness::Fit { promotion: Promotion::Resuming, .. } => self.holding,
            Fitness::Fit { promotion: Promotion::Forbidden, .. } | Fitness::Unfit(_) => false,
        }
    }

    /// The effective priority, while it is fit.
    #[must_use]
    pub fn priority(&self) -> Option<Priority> {
        match self.fitness {
            Fitness::Fit { priority, .. } => Some(priority),
            Fitness::Unfit(_) => None,
        }
    }

    /// The address its adverts come from, while it is fit.
    #[must_use]
    pub fn source(&self) -> Option<IpAddr> {
        match self.fitness {
            Fitness::Fit { source, .. } => Some(source),
            Fitness::Unfit(_) => None,
        }
    }

    /// Counts an advert that passed every mandatory check, and notes the checksum form its sender uses.
    pub fn note_peer(&mut self, standing: Standing, checksum: ChecksumForm) {
        self.counters.advertisements_received += 1;
        self.counters.priority_zero_received += u64::from(standing == Standing::Resigning);
        self.peer_checksum = Some(checksum);
    }

    /// Takes the sequence number of an authenticated advert; false for one that came before (RFC 2402, 3.4.3).
    pub fn take_sequence(&mut self, heard: u32) -> bool {
        let new = heard > self.sequence;
        self.sequence = self.sequence.max(heard);
        new
    }

    /// Takes the verified trailer of a peer's advert at `wall`, in seconds since 1970; false for one that came before.
    pub fn take_trailer(&mut self, from: IpAddr, trailer: Trailer, wall: u32) -> bool {
        let Auth::Hmac(auth) = &self.spec.auth else { return false };
        self.marks.take(from, trailer, auth, wall)
    }

    /// The checksum form it sends (IPv4 VRRPv3).
    #[must_use]
    pub fn checksum(&self) -> ChecksumForm {
        match self.spec.checksum {
            ChecksumChoice::Auto => self.peer_checksum.unwrap_or_default(),
            ChecksumChoice::Always(form) => form,
        }
    }

    /// When [`Router::on_deadline`] has something to do; `None` where only an event can move it.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Timestamp> {
        match self.state {
            State::Unfit => self.interference.until(),
            State::Claiming { .. } => None,
            State::Listening { from, wait, .. } => Some(from + self.wait_time(wait)),
            State::Master { rival, .. } => {
                let rival = rival.map(|rival| rival.gone_at());
                [self.advert_due(), self.announce_due(), rival].into_iter().flatten().min()
            }
        }
    }

    /// When the Master's `Adver_Timer` fires. It counts by the router's own interval, never the learned one.
    #[must_use]
    pub fn advert_due(&self) -> Option<Timestamp> {
        self.last_advert().map(|last| last + self.spec.interval.duration())
    }

    pub(super) fn announce_due(&self) -> Option<Timestamp> {
        let State::Master { announces_left, last_announce, .. } = self.state else { return None };
        let spacing =
            if announces_left > 0 { Some(self.spec.announcing.interval) } else { self.spec.announcing.refresh };
        spacing.map(|spacing| last_announce + spacing)
    }

    pub(super) fn wait_time(&self, wait: Wait) -> Duration {
        let priority = self.priority().unwrap_or(Priority::OWNER);
        match wait {
            Wait::Down | Wait::HandedOver => self.master_interval.down(self.spec.version, priority),
            Wait::Skew => self.master_interval.skew(self.spec.version, priority),
            Wait::Overslept => self.master_interval.duration(),
        }
    }
}
