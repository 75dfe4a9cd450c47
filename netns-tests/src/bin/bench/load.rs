//! A host with more to do than it can: eight busy loops on every processor that there is, each daemon as it is packaged.

use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, PairConfig, Process, RouterConfig, Stamp};

use crate::options::Options;
use crate::table::statistic;

const LOOPS: usize = 8;
const INTERVAL: Duration = Duration::from_millis(10);
const LASTING: Duration = Duration::from_secs(10);

pub(crate) fn rows(options: &Options) {
    let samples = options.samples(options.rounds, loaded);
    statistic("eight busy loops for 10s at 10ms, false transitions, most", &samples, 100, |sample| sample[0]);
    statistic("eight busy loops for 10s at 10ms, longest gap between adverts, ms", &samples, 100, |sample| sample[1]);
}

/// False transitions, and the longest silence of whoever is Master in milliseconds.
fn loaded(implementation: Implementation) -> [f64; 2] {
    let duo = Duo::default();
    let router = |priority| RouterConfig { interval: INTERVAL, ..RouterConfig::web(priority) };
    let first = as_packaged(implementation, duo.lab.host(1), &router(100).into());
    duo.wait_until_master(1, &router(100));
    let second = as_packaged(implementation, duo.lab.host(2), &router(99).into());
    sleep(Duration::from_secs(7));
    let loops: Vec<Process> = (0..LOOPS).map(|number| busy_loop(duo.lab.client(), number)).collect();
    let start = Stamp::now();
    sleep(LASTING);
    let end = Stamp::now();
    drop((loops, first, second));
    let adverts = duo.capture.adverts_since(start);
    let adverts: Vec<_> = adverts.into_iter().filter(|(at, _)| *at < end).collect();
    let hosts = [1, 2].map(|number| duo.lab.host(number).ip());
    let takeovers = adverts.windows(2).filter(|pair| [pair[0].1.source, pair[1].1.source] == hosts).count();
    let gap = adverts.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap_or(LASTING);
    [u32::try_from(takeovers).map_or(f64::INFINITY, f64::from), gap.as_secs_f64() * 1e3]
}

/// What `vrrpd.service` with its drop-in for real time gives: a real-time priority, within a budget. Debian's unit gives
/// keepalived nothing besides the ordinary, and runs it with an ordinary configuration.
fn as_packaged(implementation: Implementation, host: &Host, config: &PairConfig) -> Daemon {
    let text = implementation.render(host, config);
    match implementation {
        Implementation::Keepalived => Daemon::start_with(implementation, host, &text),
        Implementation::Vrrpd => {
            let text = text.replace("[daemon]\n", "[daemon]\nrealtime_priority = 20\n");
            let daemon = Daemon::start_with(implementation, host, &text);
            let budget = ["--pid", &daemon.process().pid().to_string(), "--rttime=500000"];
            let limited = host.run("prlimit", &budget);
            assert!(limited.status.success(), "{}", String::from_utf8_lossy(&limited.stderr));
            daemon
        }
    }
}

fn busy_loop(host: &Host, number: usize) -> Process {
    let mut command = Command::new("sh");
    command.args(["-c", "while :; do :; done"]);
    host.start(&format!("loop{number}"), command)
}
