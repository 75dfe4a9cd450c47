//! What a router leaves to the daemon that succeeds its own, and how it goes on there: no state is left or entered.

use super::hmac::Marks;
use super::interference::Interference;
use super::router::{Heard, Router, State};
use super::spec::{MacMode, RouterSpec};
use super::verdict::Fitness;
use super::{Evidence, Role, RouterCounters, Why};
use crate::ids::{PortId, RouterId, RouterKey};
use crate::time::Timestamp;
use crate::units::{Interval, Version, VirtualAddress};
use crate::wire::{ChecksumForm, Standing};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Everything a router knows, but for the configuration: the successor reads that anew.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct RouterBequest {
    /// Its handle, which it keeps.
    pub id: RouterId,
    /// Its identity.
    pub key: RouterKey,
    /// Its label.
    pub name: Arc<str>,
    /// Its sync group, if it has a named one.
    pub group: Option<Arc<str>>,
    /// The state operators see.
    pub role: Role,
    /// Whether its addresses are on the interface.
    pub holding: bool,
    manner: Manner,
    fitness: Fitness,
    state: State,
    master_interval: Interval,
    heard: Option<Heard>,
    peer_checksum: Option<ChecksumForm>,
    sequence: u32,
    marks: Marks,
    since: Timestamp,
    why: Why,
    evidence: Evidence,
    counters: RouterCounters,
}

/// As much of a configuration as shows outside: a successor that reads another one amends this.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct Manner {
    version: Version,
    interval: Interval,
    addresses: Arc<[VirtualAddress]>,
    excluded: Arc<[VirtualAddress]>,
    mac: MacMode,
    accept: bool,
    lease: bool,
}

impl RouterBequest {
    /// The configuration that it had, by the one that it has from now on; `None` where that is another virtual router's,
    /// or of another version of the protocol: nothing learned holds then.
    #[must_use]
    pub fn former(&self, spec: &RouterSpec) -> Option<Arc<RouterSpec>> {
        let Manner { version, interval, addresses, excluded, mac, accept, lease } = self.manner.clone();
        let same = self.key == spec.key && version == spec.version;
        same.then(|| {
            let name = Arc::clone(&self.name);
            Arc::new(RouterSpec { name, interval, addresses, excluded, accept, mac, lease, ..spec.clone() })
        })
    }

    /// How it stands in its adverts and when it sent the last one, where it is Master.
    #[must_use]
    pub fn master(&self) -> Option<(Standing, Timestamp)> {
        let Fitness::Fit { priority, .. } = self.fitness else { return None };
        let State::Master { last_advert, .. } = self.state else { return None };
        Some((Standing::Holding(priority), last_advert))
    }

    /// The number of a later advert.
    #[must_use]
    pub fn sequence_after(&self, count: u32) -> u32 {
        self.sequence.wrapping_add(count)
    }

    /// Sequence numbers that somebody else uses meanwhile.
    pub fn skip_sequences(&mut self, count: u32) {
        self.sequence = self.sequence.wrapping_add(count);
    }
}

impl Router {
    /// What it leaves to a successor.
    #[must_use]
    pub fn bequeath(&self) -> RouterBequest {
        let RouterSpec { version, interval, mac, accept, lease, .. } = *self.spec;
        let (addresses, excluded) = (Arc::clone(&self.spec.addresses), Arc::clone(&self.spec.excluded));
        RouterBequest {
            id: self.id,
            key: self.spec.key.clone(),
            name: Arc::clone(&self.spec.name),
            group: self.group.clone(),
            role: self.role(),
            holding: self.holding,
            manner: Manner { version, interval, addresses, excluded, mac, accept, lease },
            fitness: self.fitness.clone(),
            state: self.state,
            master_interval: self.master_interval,
            heard: self.heard,
            peer_checksum: self.peer_checksum,
            sequence: self.sequence,
            marks: self.marks.clone(),
            since: self.since,
            why: self.why,
            evidence: self.evidence.clone(),
            counters: self.counters,
        }
    }

    /// Goes on as the router that left `bequest`, configured as it was. A Master speaks at once: so no interval passes
    /// without an advert, whatever its stand-in did last. A Backup may have missed adverts, and waits anew.
    #[must_use]
    pub fn resume(bequest: RouterBequest, port: PortId, former: Arc<RouterSpec>, now: Timestamp) -> Self {
        let an_interval_ago = Timestamp::from_origin(now.since_origin().saturating_sub(former.interval.duration()));
        let state = match bequest.state {
            State::Master { announces_left, last_announce, rival, .. } => {
                State::Master { last_advert: an_interval_ago, announces_left, last_announce, rival }
            }
            State::Listening { wait, lower_since, .. } => State::Listening { from: now, wait, lower_since },
            state @ (State::Unfit | State::Claiming { .. }) => state,
        };
        Self {
            id: bequest.id,
            port,
            group: bequest.group,
            spec: former,
            fitness: bequest.fitness,
            state,
            holding: bequest.holding,
            master_interval: bequest.master_interval,
            heard: bequest.heard,
            peer_checksum: bequest.peer_checksum,
            sequence: bequest.sequence,
            marks: bequest.marks,
            since: bequest.since,
            why: bequest.why,
            evidence: bequest.evidence,
            counters: bequest.counters,
            interference: Interference::default(),
        }
    }
}
