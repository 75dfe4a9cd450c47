//! Figures of `vrrpd` and of keepalived, side by side, from one run on one machine. Only their ratios mean anything elsewhere.

use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use netns_tests::{
    Daemon, Duo, Handover, Implementation, PairConfig, RouterConfig, Stamp, Usage, Used, down_interval, median,
    percentile,
};

/// Compares vrrpd with keepalived: takeover overhead after a crash, processor time and memory.
#[derive(Parser)]
struct Options {
    /// Crashes per interval and implementation.
    #[arg(long, default_value_t = 20)]
    runs: usize,
    /// Advertisement intervals for the crashes, in milliseconds.
    #[arg(long, value_delimiter = ',', default_value = "1000,100,10")]
    intervals: Vec<u64>,
    /// Numbers of virtual routers for processor time and memory.
    #[arg(long, value_delimiter = ',', default_value = "1,255")]
    routers: Vec<u8>,
    /// How often processor time and memory are measured; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long each of those measurements lasts, in seconds.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
    /// What is compared: the first is the measure of the others.
    #[arg(long, value_delimiter = ',', default_value = "keepalived,vrrpd")]
    compare: Vec<Contender>,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Contender {
    Keepalived,
    Vrrpd,
}

impl Contender {
    fn implementation(self) -> Implementation {
        match self {
            Self::Keepalived => Implementation::Keepalived,
            Self::Vrrpd => Implementation::Vrrpd,
        }
    }
}

fn main() {
    let options = Options::parse();
    println!("{:58}{}", "", options.compare.iter().map(|contender| header(*contender)).collect::<String>());
    for interval in &options.intervals {
        takeovers(&options, Duration::from_millis(*interval));
    }
    handovers(&options);
    for count in &options.routers {
        consumption(&options, *count);
    }
}

fn header(contender: Contender) -> String {
    format!("{:>24}", contender.implementation().name())
}

/// Prints one line: a figure of each contender, and how each relates to the first.
fn line(what: &str, figures: &[f64]) {
    print!("{what:58}");
    for figure in figures {
        print!("{figure:>14.3} ({:>5.2} x)", figure / figures[0]);
    }
    println!();
}

/// Crashes in turn, so that all contenders see the same noise.
fn takeovers(options: &Options, interval: Duration) {
    let mut arenas: Vec<Arena> =
        options.compare.iter().map(|contender| Arena::open(contender.implementation(), interval)).collect();
    let mut samples = vec![Vec::new(); arenas.len()];
    for _ in 0..options.runs {
        for (arena, samples) in arenas.iter_mut().zip(&mut samples) {
            samples.push(arena.crash());
        }
    }
    for (what, pick) in [("advert", 0), ("gratuitous ARP", 1)] {
        for (statistic, percent) in [("median", 50), ("p90", 90)] {
            let figures: Vec<f64> = samples
                .iter()
                .map(|samples| percentile(&samples.iter().map(|sample| sample[pick]).collect::<Vec<_>>(), percent))
                .collect();
            line(&format!("crash at {interval:?}, theory to first {what}, {statistic}, ms"), &figures);
        }
    }
}

/// A script fails, at 100 ms; in turn, as for the crashes.
fn handovers(options: &Options) {
    let interval = Duration::from_millis(100);
    let pairs: Vec<Handover> =
        options.compare.iter().map(|contender| Handover::open(contender.implementation(), interval)).collect();
    let mut samples = vec![Vec::new(); pairs.len()];
    for _ in 0..options.runs {
        for (pair, samples) in pairs.iter().zip(&mut samples) {
            samples.push(pair.measure());
        }
    }
    for (statistic, percent) in [("median", 50), ("p90", 90)] {
        let figures: Vec<f64> = samples.iter().map(|samples| percentile(samples, percent)).collect();
        line(&format!("failing script at {interval:?} to the peer's ARP, {statistic}, ms"), &figures);
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
        let is_announcement = |event: &netns_tests::Event| event.announced() == Some(self.router.addresses[0]);
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

fn consumption(options: &Options, count: u8) {
    let mut samples = vec![Vec::new(); options.compare.len()];
    for _ in 0..options.rounds {
        for (contender, samples) in options.compare.iter().zip(&mut samples) {
            samples.push(consumed(contender.implementation(), count, Duration::from_secs(options.seconds)));
        }
    }
    for (role, number) in [("Master", 0), ("Backup", 1)] {
        let statistic = |pick: fn(&Used) -> f64| -> Vec<f64> {
            samples
                .iter()
                .map(|samples| {
                    median(&samples.iter().map(|sample: &[Used; 2]| pick(&sample[number])).collect::<Vec<_>>())
                })
                .collect()
        };
        line(
            &format!("{role} of {count} at 100 ms, processor, % of a core"),
            &statistic(|used| used.processor_percent),
        );
        line(&format!("{role} of {count} at 100 ms, memory (PSS), KiB"), &statistic(|used| used.memory_kib));
    }
}

/// What the Master and the Backup use once the announcements after the takeover are over.
fn consumed(implementation: Implementation, count: u8, time: Duration) -> [Used; 2] {
    let duo = Duo::default();
    let config = |priority| PairConfig { routers: RouterConfig::many(count, priority), scripts: Vec::new() };
    let first = Daemon::start(implementation, duo.lab.host(1), &config(100));
    duo.wait_until_master_of(1, count.into(), Duration::from_mins(1));
    let second = Daemon::start(implementation, duo.lab.host(2), &config(99));
    sleep(Duration::from_secs(7));
    duo.wait_until_master_of(1, count.into(), Duration::from_mins(1));
    let usages = [first, second].map(|daemon| (Usage::start(daemon.process().tree()), daemon));
    sleep(time);
    usages.map(|(usage, _daemon)| usage.finish())
}
