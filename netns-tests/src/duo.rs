//! Two hosts that share a virtual address: what most scenarios begin with.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::{Capture, Daemon, Implementation, Lab, PairConfig, RouterConfig, Stamp, down_interval};

/// How much later than theory a busy machine may be. How soon is never a matter of the machine.
pub const SLACK: Duration = Duration::from_millis(500);
/// By how much the clocks of two observers of one packet may differ.
pub const JITTER: Duration = Duration::from_millis(1);

/// A lab with two hosts, and a capture at the client.
pub struct Duo {
    /// What went over the wire.
    pub capture: Capture,
    /// The hosts.
    pub lab: Lab,
}

impl Default for Duo {
    fn default() -> Self {
        let lab = Lab::new(2);
        Self { capture: lab.client().capture(), lab }
    }
}

impl Duo {
    /// Starts both daemons, and waits until host 1 is the only Master.
    #[track_caller]
    pub fn start(&self, implementation: Implementation, first: &PairConfig, second: &PairConfig) -> [Daemon; 2] {
        let daemons = [(1, first), (2, second)]
            .map(|(number, config)| Daemon::start(implementation, self.lab.host(number), config));
        self.wait_until_master(1, &first.routers[0]);
        daemons
    }

    /// Waits until this host is the only Master of `router`, holds its addresses, and the other one does not.
    #[track_caller]
    pub fn wait_until_master(&self, number: usize, router: &RouterConfig) {
        let host = self.lab.host(number);
        let patience = Duration::from_secs(5) + 4 * down_interval(router.version, router.priority, router.interval);
        self.capture.wait_until_only(host.ip(), router.interval * 5 / 2, patience);
        for address in &router.addresses {
            host.wait_until_has(*address, true, patience);
            self.lab.host(3 - number).wait_until_has(*address, false, patience);
        }
    }

    /// Waits until this host, and no other, advertises `count` virtual routers.
    #[track_caller]
    pub fn wait_until_master_of(&self, number: usize, count: usize, timeout: Duration) {
        let (source, deadline) = (self.lab.host(number).ip(), Stamp::now() + timeout);
        loop {
            let start = Stamp::now();
            std::thread::sleep(Duration::from_millis(200));
            let adverts = self.capture.adverts_since(start);
            let vrids: BTreeSet<u8> = adverts.iter().map(|(_, advert)| advert.vrid).collect();
            if vrids.len() == count && adverts.iter().all(|(_, advert)| advert.source == source) {
                return;
            }
            assert!(
                start < deadline,
                "{source} is not the only one to advertise {count} routers, but one of {}",
                vrids.len()
            );
        }
    }

    /// Waits for the first advert of host 2 after `start`, and checks that it came `after` the last one of host 1: not sooner, and not much
    /// later.
    #[track_caller]
    pub fn check_takeover(&self, start: Stamp, after: Duration) {
        let [first, second] = [1, 2].map(|number| self.lab.host(number).ip());
        let (taken, _) = self.capture.wait_for_advert(second, start, after + 10 * SLACK);
        let adverts = self.capture.all_adverts();
        let last = adverts
            .iter()
            .rev()
            .find(|(at, advert)| advert.source == first && *at < taken)
            .expect("host 1 was Master")
            .0;
        let silence = taken - last;
        assert!(silence + JITTER >= after, "taken over after {silence:?}, before {after:?} were over");
        assert!(silence <= after + SLACK, "taken over after {silence:?} rather than {after:?}");
    }
}

/// Each scenario, a function of the [`Implementation`], as a test of each implementation: `against!({ module: Variant, ... } { scenario, ... });`
#[macro_export]
macro_rules! against {
    ({ $($module:ident: $implementation:ident),* } $scenarios:tt) => { $($crate::against!(@ $module $implementation $scenarios);)* };
    (@ $module:ident $implementation:ident { $($scenario:ident),* $(,)? }) => {
        mod $module {
            $(#[test] fn $scenario() { super::$scenario($crate::Implementation::$implementation); })*
        }
    };
}
