//! Thousands of virtual routers: 255 on each of many interfaces, at one advert a second.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Capture, Daemon, Implementation, Lab, PairConfig, RouterConfig, Stamp, Usage, Used, down_interval};

use crate::options::Options;
use crate::table::statistic;

const INTERVAL: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(2);
const BACKUP: u8 = 99;

struct Measured {
    used: [Used; 2],
    overhead: f64,
}

pub(crate) fn rows(options: &Options) {
    let time = Duration::from_secs(options.seconds);
    let samples = options
        .samples(options.rounds.div_ceil(3), |implementation| measured(implementation, options.interfaces, time));
    let what = format!("{} on {} interfaces at 1s", u32::from(options.interfaces) * 255, options.interfaces);
    for (role, number) in [("Master", 0), ("Backup", 1)] {
        let processor = |sample: &Measured| sample.used[number].processor_percent;
        statistic(&format!("{role} of {what}, processor, % of a core"), &samples, 50, processor);
        let memory = |sample: &Measured| sample.used[number].memory_kib;
        statistic(&format!("{role} of {what}, memory (PSS), KiB"), &samples, 50, memory);
    }
    let overhead = |sample: &Measured| sample.overhead;
    statistic(&format!("crash of {what}, last address announced over theory, ms"), &samples, 50, overhead);
}

fn measured(implementation: Implementation, interfaces: u8, time: Duration) -> Measured {
    let lab = Lab::new(2);
    lab.join(interfaces);
    let capture = lab.host(2).capture_everywhere();
    let count = usize::from(interfaces) * 255;
    let mut first = Daemon::start(implementation, lab.host(1), &crowd(interfaces, 100));
    wait_until_spoken(&capture, 1, count);
    let second = Daemon::start(implementation, lab.host(2), &crowd(interfaces, BACKUP));
    // The announcements after the takeover are over.
    sleep(Duration::from_secs(15));
    wait_until_spoken(&capture, 1, count);
    let usages = [&first, &second].map(|daemon| Usage::start(daemon.process().tree()));
    sleep(time);
    let used = usages.map(|usage| usage.finish());
    let crashed = Stamp::now();
    first.kill();
    Measured { used, overhead: last_announced(&capture, crashed, count) }
}

/// By how many milliseconds after its theory the worst address was announced.
fn last_announced(capture: &Capture, crashed: Stamp, count: usize) -> f64 {
    let down = down_interval(3, BACKUP, INTERVAL).as_secs_f64() * 1e3;
    let deadline = crashed + PATIENCE;
    loop {
        sleep(Duration::from_secs(1));
        let (mut last, mut announced) = (BTreeMap::new(), BTreeMap::new());
        for event in capture.since(Stamp::before(crashed, 3 * INTERVAL)) {
            if let Some(advert) = event.advert().filter(|advert| is_of(1, advert.source)) {
                last.insert(advert.addresses[0], event.at);
            } else if let Some(address) = event.announced().filter(|_| event.at >= crashed) {
                announced.entry(address).or_insert(event.at);
            }
        }
        if announced.len() >= count {
            let overheads =
                announced.iter().filter_map(|(address, at)| Some(at.millis_after(*last.get(address)?) - down));
            return overheads.fold(f64::NAN, f64::max);
        }
        assert!(Stamp::now() < deadline, "only {} of {count} addresses are announced", announced.len());
    }
}

fn crowd(interfaces: u8, priority: u8) -> PairConfig {
    let on = |number: u8| {
        RouterConfig::many(255, priority).into_iter().map(move |router| RouterConfig {
            name: format!("lan{number}-{}", router.vrid),
            interface: format!("lan{number}"),
            interval: INTERVAL,
            addresses: vec![Ipv4Addr::new(10, 100 + number, router.vrid, 10).into()],
            ..router
        })
    };
    PairConfig { routers: (1..=interfaces).flat_map(on).collect(), scripts: Vec::new() }
}

/// Waits until this host, and no other, advertises all of them.
fn wait_until_spoken(capture: &Capture, number: u8, count: usize) {
    let deadline = Stamp::now() + PATIENCE;
    loop {
        let start = Stamp::now();
        sleep(2 * INTERVAL);
        let adverts = capture.adverts_since(start);
        let spoken: BTreeSet<_> = adverts.iter().map(|(_, advert)| advert.addresses[0]).collect();
        if spoken.len() == count && adverts.iter().all(|(_, advert)| is_of(number, advert.source)) {
            return;
        }
        assert!(start < deadline, "host {number} is not the only Master of {count}, but one of {}", spoken.len());
    }
}

/// Whether this is an address of host `number` on one of the cables.
fn is_of(number: u8, address: IpAddr) -> bool {
    matches!(address, IpAddr::V4(ip) if ip.octets()[3] == number)
}
