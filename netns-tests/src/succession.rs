//! What others see while one daemon takes the place of another on the Master.

use std::time::Duration;

use crate::{Daemon, Duo, Implementation, Notice, Notices, RouterConfig, Stamp};

/// Seen from outside: by a client's capture, and in the kernel's notices.
#[derive(Debug, Clone, Copy)]
pub struct Succession {
    /// The longest time between two adverts of the Master, before, during and after.
    pub longest_gap: Duration,
    /// Adverts with priority 0.
    pub resignations: usize,
    /// Adverts of the other host.
    pub foreign_adverts: usize,
    /// Times the virtual address was taken off the Master's interface.
    pub address_gone: usize,
}

impl Succession {
    /// The Master never left, as others see it.
    #[track_caller]
    pub fn assert_unnoticed(&self) {
        assert_eq!((self.resignations, self.foreign_adverts, self.address_gone), (0, 0, 0), "{self:?}");
    }
}

/// Looks at host 1, the Master, from now on.
pub struct Onlooker<'a> {
    duo: &'a Duo,
    notices: Notices,
    start: Stamp,
}

impl<'a> Onlooker<'a> {
    /// Begins to look.
    #[must_use]
    pub fn new(duo: &'a Duo) -> Self {
        Self { duo, notices: duo.lab.host(1).notices(), start: Stamp::now() }
    }

    /// Looks on for `longer`, and says what there was to be seen.
    #[must_use]
    pub fn finish(self, longer: Duration) -> Succession {
        std::thread::sleep(longer);
        let master = self.duo.lab.host(1).ip();
        let adverts = self.duo.capture.adverts_since(self.start);
        let sent: Vec<Stamp> =
            adverts.iter().filter(|(_, advert)| advert.source == master).map(|(at, _)| *at).collect();
        let heard = self.notices.heard();
        let gone = Notice::AddressGone(RouterConfig::web_address());
        Succession {
            longest_gap: sent.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(Duration::MAX),
            resignations: adverts.iter().filter(|(_, advert)| advert.priority == 0).count(),
            foreign_adverts: adverts.len() - sent.len(),
            address_gone: heard.iter().filter(|(at, notice)| *at >= self.start && *notice == gone).count(),
        }
    }
}

/// Upgrades a Master with this interval by `vrrpctl upgrade`: the row of a table that compares daemons.
#[must_use]
pub fn measure_upgrade(interval: Duration) -> Succession {
    let duo = Duo::default();
    let config = |priority| RouterConfig { interval, ..RouterConfig::web(priority) };
    let [first, _second] = duo.start(Implementation::Vrrpd, &config(100).into(), &config(99).into());
    let onlooker = Onlooker::new(&duo);
    upgrade(&first);
    onlooker.finish(interval * 10)
}

/// How often this host has become Master.
#[must_use]
pub fn takeovers(daemon: &Daemon) -> u64 {
    daemon.router("web")["counters"]["active_transitions"].as_u64().expect("a counter")
}

/// `vrrpctl upgrade`, which has to succeed.
#[track_caller]
pub fn upgrade(daemon: &Daemon) {
    let output = daemon.vrrpctl(&["upgrade"]);
    assert!(
        output.status.success(),
        "vrrpctl upgrade: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
