//! The Master's daemon is restarted, as for an upgrade.

use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, PairConfig, RouterConfig, Stamp};

use crate::options::Options;
use crate::table::statistic;

const LASTING: Duration = Duration::from_secs(5);

pub(crate) fn rows(options: &Options) {
    let samples = options.samples(options.rounds, restarted);
    statistic("restart of the Master at 100ms, changes of the Master, most", &samples, 100, |sample| sample[0]);
    statistic("restart of the Master at 100ms, longest gap between adverts, ms", &samples, 100, |sample| sample[1]);
}

/// How often another host became Master, and the longest silence in milliseconds.
fn restarted(implementation: Implementation) -> [f64; 2] {
    let duo = Duo::default();
    let config: PairConfig = RouterConfig::web(100).into();
    let [first, _second] = duo.start(implementation, &config, &RouterConfig::web(99).into());
    sleep(Duration::from_secs(1));
    let start = Stamp::now();
    let _restarted = restart(first, implementation, duo.lab.host(1), &config);
    sleep(LASTING);
    let adverts = duo.capture.adverts_since(start);
    let changes = adverts.windows(2).filter(|pair| pair[0].1.source != pair[1].1.source).count();
    let gap = adverts.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or(LASTING);
    [u32::try_from(changes).map_or(f64::INFINITY, f64::from), gap.as_secs_f64() * 1e3]
}

/// What `systemctl restart` does: SIGTERM, and the start of another once it has left.
fn restart(daemon: Daemon, implementation: Implementation, host: &Host, config: &PairConfig) -> Daemon {
    daemon.stop();
    Daemon::start(implementation, host, config)
}
