//! A host crashes: how much later than the protocol demands the other one takes over.

use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Event, Implementation, PairConfig, RouterConfig, Stamp, down_interval};

use crate::options::Options;
use crate::table::statistic;

pub(crate) fn rows(options: &Options) {
    for interval in &options.intervals {
        takeovers(options, Duration::from_millis(*interval));
    }
}

/// Crashes in turn, so that all contenders see the same noise.
fn takeovers(options: &Options, interval: Duration) {
    let mut arenas: Vec<Arena> = options.contenders().map(|contender| Arena::open(contender, interval)).collect();
    let mut samples = vec![Vec::new(); arenas.len()];
    for _ in 0..options.runs {
        for (arena, samples) in arenas.iter_mut().zip(&mut samples) {
            samples.push(arena.crash());
        }
    }
    for (what, pick) in [("advert", 0), ("gratuitous ARP", 1)] {
        for (name, percent) in [("median", 50), ("p90", 90)] {
            let what = format!("crash at {interval:?}, theory to first {what}, {name}, ms");
            statistic(&what, &samples, percent, |sample: &[f64; 2]| sample[pick]);
        }
    }
}

/// Two equal hosts that crash in turn: the one that comes back stays Backup until the other one crashes.
struct Arena {
    implementation: Implementation,
    router: RouterConfig,
    daemons: [Daemon; 2],
    master: usize,
    duo: Duo,
}

impl Arena {
    fn open(implementation: Implementation, interval: Duration) -> Self {
        let duo = Duo::default();
        let router = RouterConfig { preempt: false, interval, ..RouterConfig::web(100) };
        let config: PairConfig = router.clone().into();
        let first = Daemon::start(implementation, duo.lab.host(1), &config);
        duo.wait_until_master(1, &router);
        let second = Daemon::start(implementation, duo.lab.host(2), &config);
        Self { implementation, router, daemons: [first, second], master: 0, duo }
    }

    /// A loaded machine can hold up a Master for longer than a short down interval: then the other one has taken over meanwhile.
    fn look_who_is_master(&mut self) {
        let start = Stamp::now();
        sleep(3 * self.router.interval);
        let last = self.duo.capture.adverts_since(start).pop();
        if last.is_some_and(|(_, advert)| advert.source == self.duo.lab.host(2 - self.master).ip()) {
            self.master = 1 - self.master;
        }
    }

    /// Crashes the Master once the Backup has settled. How many milliseconds after the down interval the Backup's first advert and its
    /// first gratuitous ARP came.
    fn crash(&mut self) -> [f64; 2] {
        sleep(Duration::from_secs(1).max(2 * self.router.interval));
        self.look_who_is_master();
        let (old, new) = (self.duo.lab.host(self.master + 1), self.duo.lab.host(2 - self.master));
        let crashed = Stamp::now();
        self.daemons[self.master].kill();
        let (taken, _) = self.duo.capture.wait_for_advert(new.ip(), crashed, Duration::from_secs(20));
        let is_announcement = |event: &Event| event.announced() == Some(self.router.addresses[0]);
        let announced =
            self.duo.capture.wait_for("a gratuitous ARP", crashed, Duration::from_secs(20), is_announcement).at;
        let adverts = self.duo.capture.all_adverts();
        let last = adverts.iter().rev().find(|(_, advert)| advert.source == old.ip()).expect("it was Master").0;
        let down = down_interval(self.router.version, self.router.priority, self.router.interval).as_secs_f64() * 1e3;

        self.daemons[self.master] = Daemon::start(self.implementation, old, &self.router.clone().into());
        self.master = 1 - self.master;
        [taken, announced].map(|at| at.millis_after(last) - down)
    }
}
