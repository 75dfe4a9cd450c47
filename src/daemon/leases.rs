//! Lifetimes of addresses in the kernel: a daemon that hangs loses its addresses by itself.
//!
//! Linux lets an address go between its lifetime and half a second later. With intervals of a second and more the
//! lifetime is chosen so that this comes before a peer can take over, three intervals after the last advert; with
//! shorter ones it is the least that leaves room to renew. Each renewal is an `RTM_NEWADDR` to whoever listens, so it
//! comes as seldom as the lifetime allows.

use crate::time::Timestamp;
use crate::vrrp::RouterSpec;
use std::collections::BTreeMap;
use std::time::Duration;

/// The shortest lifetime that leaves room to renew: whole seconds are all that the kernel knows.
const LEAST: Duration = Duration::from_secs(2);

/// How long before a peer can take over a lifetime is to end: the kernel lets an address go half a second late.
const LEAD: Duration = Duration::from_secs(1);

/// How long before the end of a lifetime it is renewed at the latest.
const MARGIN: Duration = Duration::from_millis(750);

/// The part of the time between two renewals by which one may come early, when the daemon is awake anyway.
const EARLY: u32 = 4;

/// Addresses renewed in one go: about a millisecond.
const AT_ONCE: usize = 128;

/// The lifetime of a router's addresses; `None` where they have none.
pub(super) fn lifetime(spec: &RouterSpec) -> Option<Duration> {
    let before_takeover = (spec.interval.duration() * 3).saturating_sub(LEAD);
    spec.lease.then(|| Duration::from_secs(before_takeover.as_secs()).max(LEAST))
}

/// When which lifetimes are renewed.
#[derive(Debug, Default)]
pub(super) struct Leases {
    classes: BTreeMap<Duration, Class>,
}

#[derive(Debug)]
struct Class {
    next: Timestamp,
    /// From when on it may be renewed.
    early: Timestamp,
    share: usize,
    shares: usize,
}

/// One renewal that is due.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Renewal {
    pub(super) lifetime: Duration,
    pub(super) share: usize,
    pub(super) shares: usize,
}

impl Leases {
    /// An address of this lifetime has been added.
    pub(super) fn begin(&mut self, lifetime: Duration, now: Timestamp) {
        self.classes.entry(lifetime).or_insert_with(|| Class::new(now, lifetime, 0, 1));
    }

    /// The lifetimes in use.
    pub(super) fn lifetimes(&self) -> Vec<Duration> {
        self.classes.keys().copied().collect()
    }

    /// When the next renewal is due.
    pub(super) fn next_deadline(&self) -> Option<Timestamp> {
        self.classes.values().map(|class| class.next).min()
    }

    /// The renewal that is due, if one is; or that may be done, where the daemon is `awake` for something else.
    pub(super) fn due(&self, now: Timestamp, awake: bool) -> Option<Renewal> {
        let from = |class: &Class| if awake { class.early } else { class.next };
        let (&lifetime, class) = self.classes.iter().find(|(_, class)| from(class) <= now)?;
        Some(Renewal { lifetime, share: class.share, shares: class.shares })
    }

    /// The renewal has been done, and that many addresses have its lifetime.
    pub(super) fn renewed(&mut self, Renewal { lifetime, share, shares }: Renewal, leased: usize, now: Timestamp) {
        if leased == 0 {
            self.classes.remove(&lifetime);
            return;
        }
        let share = (share + 1) % shares;
        let shares = if share == 0 { leased.div_ceil(AT_ONCE).min(256) } else { shares };
        self.classes.insert(lifetime, Class::new(now, lifetime, share, shares));
    }
}

impl Class {
    fn new(now: Timestamp, lifetime: Duration, share: usize, shares: usize) -> Self {
        let period = lifetime.saturating_sub(MARGIN) / u32::try_from(shares).unwrap_or(1);
        Self { next: now + period, early: now + period.saturating_sub(period / EARLY), share, shares }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_origin(Duration::from_millis(millis))
    }

    #[test]
    fn a_few_addresses_are_renewed_together_before_their_end() {
        let mut leases = Leases::default();
        leases.begin(Duration::from_secs(5), at(0));
        leases.begin(Duration::from_secs(5), at(3000));
        assert_eq!(leases.next_deadline(), Some(at(4250)));
        assert_eq!(leases.due(at(4249), false), None);
        let renewal = leases.due(at(4250), false).expect("due");
        leases.renewed(renewal, 3, at(4250));
        assert_eq!(leases.next_deadline(), Some(at(8500)));
        leases.renewed(renewal, 0, at(8500));
        assert_eq!(leases.next_deadline(), None, "nothing has this lifetime any more");
    }

    #[test]
    fn a_daemon_that_is_awake_renews_a_little_early() {
        let mut leases = Leases::default();
        leases.begin(Duration::from_secs(2), at(0));
        assert_eq!(leases.due(at(937), true), None);
        assert_eq!(leases.due(at(938), false), None, "no reason to wake for it");
        let renewal = leases.due(at(938), true).expect("it may be done");
        leases.renewed(renewal, 1, at(938));
        assert_eq!(leases.next_deadline(), Some(at(2188)), "from the renewal on");
    }

    #[test]
    fn thousands_are_renewed_in_shares_each_within_the_lifetime() {
        let mut leases = Leases::default();
        let lifetime = Duration::from_secs(2);
        leases.begin(lifetime, at(0));
        let mut renewed: BTreeMap<usize, Timestamp> = BTreeMap::new();
        while let Some(now) = leases.next_deadline().filter(|&now| now < at(10_000)) {
            let renewal = leases.due(now, false).expect("due");
            if renewal.shares > 1 {
                let before = renewed.insert(renewal.share, now).unwrap_or(now);
                assert!(now - before < lifetime, "share {} was left for {:?}", renewal.share, now - before);
            }
            leases.renewed(renewal, 4080, now);
        }
        assert_eq!(renewed.len(), 32);
    }
}
