//! Malformed adverts for the right virtual router from a host on the LAN.

use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Crafted, Duo, Flood, Implementation, RouterConfig, Stamp, Usage};

use crate::options::Options;
use crate::table::{line, statistic};

const LASTING: Duration = Duration::from_secs(5);

/// What a flood did.
struct Done {
    transitions: f64,
    logged: f64,
    processor: [f64; 2],
}

pub(crate) fn rows(options: &Options) {
    for (what, rate) in [("300 malformed adverts/s", 300), ("40,000 malformed adverts/s", 40_000)] {
        let malformed = Crafted::malformed as fn(&Crafted) -> Vec<Vec<u8>>;
        report(options, what, rate, malformed);
    }
    report(options, "40,000 adverts/s of a wrong checksum", 40_000, |advert| vec![advert.falsely_summed()]);
}

fn report(options: &Options, what: &str, rate: u32, frames: impl Fn(&Crafted) -> Vec<Vec<u8>>) {
    let samples = options.samples(1, |implementation| flooded(implementation, rate, &frames));
    let figure = |pick: fn(&Done) -> f64| samples.iter().map(|samples| pick(&samples[0])).collect::<Vec<_>>();
    line(&format!("{what} for 5s, false transitions"), &figure(|done| done.transitions));
    line(&format!("{what} for 5s, log of both, kB"), &figure(|done| done.logged));
    for (role, number) in [("Master", 0), ("Backup", 1)] {
        let what = format!("{what} for 5s, {role}, processor, % of a core");
        statistic(&what, &samples, 50, |done| done.processor[number]);
    }
}

fn flooded(implementation: Implementation, rate: u32, frames: impl Fn(&Crafted) -> Vec<Vec<u8>>) -> Done {
    let duo = Duo::default();
    let daemons = duo.start(implementation, &RouterConfig::web(100).into(), &RouterConfig::web(99).into());
    sleep(Duration::from_secs(1));
    let advert = Crafted { source_mac: [2, 0, 0, 0, 0, 99], ..Crafted::new(254).from(duo.lab.client().ip()) };
    let logged = || daemons.iter().map(|daemon| daemon.process().log().len()).sum::<usize>();
    let (before, start) = (logged(), Stamp::now());
    let usages = daemons.each_ref().map(|daemon| Usage::start(daemon.process().tree()));
    let flood = Flood::start(duo.lab.client(), frames(&advert), rate);
    sleep(LASTING);
    let processor = usages.map(|usage| usage.finish().processor_percent);
    flood.stop();
    let hosts = [1, 2].map(|number| duo.lab.host(number).ip());
    let masters: Vec<_> = duo.capture.adverts_since(start).into_iter().map(|(_, advert)| advert.source).collect();
    let masters: Vec<_> = masters.into_iter().filter(|source| hosts.contains(source)).collect();
    let takeovers = masters.windows(2).filter(|pair| *pair == hosts).count();
    Done { transitions: figure(takeovers), logged: figure(logged() - before) / 1e3, processor }
}

fn figure(count: usize) -> f64 {
    u32::try_from(count).map_or(f64::INFINITY, f64::from)
}
