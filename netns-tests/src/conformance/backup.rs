//! A Backup (BK, IN), its timers (TM), and preemption (PR): all in the time from the last crafted advert to the first of the device.

use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, DEVICE, PATIENCE, TENTH, wait_until};
use super::{Needs, Scenario};
use crate::craft::{self, Crafted};
use crate::{Daemon, Event, Implementation, Packet, RouterConfig, Stamp, down_interval, skew_time};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "silence_and_resignation",
        covers: &["TM-01", "TM-02", "BK-08", "BK-12", "BK-14", "BK-15", "BK-16", "BK-07"],
        needs: Needs::Nothing,
        run: silence_and_resignation,
    },
    Scenario {
        name: "down_interval_after_the_start",
        covers: &["IN-02", "PR-01", "BK-09"],
        needs: Needs::Nothing,
        run: after_the_start,
    },
    Scenario {
        name: "version_2_does_not_learn",
        covers: &["BK-13", "TM-03", "TM-04"],
        needs: Needs::Nothing,
        run: version_2,
    },
    Scenario { name: "ten_milliseconds", covers: &["TM-05", "TM-08"], needs: Needs::Nothing, run: ten_milliseconds },
    Scenario {
        name: "who_resets_the_timer",
        covers: &["BK-10", "BK-11", "PR-02"],
        needs: Needs::Nothing,
        run: who_resets_the_timer,
    },
    Scenario {
        name: "a_backup_is_not_there",
        covers: &["BK-01", "BK-02", "BK-03", "BK-04", "BK-05"],
        needs: Needs::Nothing,
        run: a_backup_is_not_there,
    },
    Scenario { name: "initialize", covers: &["IN-03", "IN-04", "RX-30"], needs: Needs::Nothing, run: initialize },
    Scenario { name: "a_priority_that_changes", covers: &["TM-07"], needs: Needs::Ours, run: a_priority_that_changes },
    Scenario { name: "clocks_and_pauses", covers: &["TM-09"], needs: Needs::Ours, run: clocks_and_pauses },
    Scenario { name: "a_preempt_delay", covers: &["PR-09"], needs: Needs::Ours, run: a_preempt_delay },
];

/// Starts a daemon whose router hears a Master of priority 150 from before its start.
fn start_below(bench: &Bench, router: RouterConfig, master: &Crafted) -> Daemon {
    let daemon = bench.start(vec![router]);
    let until = if bench.implementation == Implementation::Vrrpd { 4 } else { 15 };
    bench.feed(master, TENTH, until);
    daemon
}

/// Makes the device Backup again and lets `last` be the last it hears; the time to its takeover.
fn takeover(bench: &Bench, master: &Crafted, last: &[&Crafted], spacing: Duration) -> f64 {
    bench.feed(master, TENTH, 3);
    for advert in last {
        sleep(spacing);
        bench.send(advert);
    }
    bench.takeover(master.source, PATIENCE)
}

fn silence_and_resignation(bench: &mut Bench) {
    let master = Crafted::new(150);
    let _daemon = start_below(bench, RouterConfig::web(100), &master);
    let (skew, down) = (skew_time(3, 100, TENTH), down_interval(3, 100, TENTH));
    let silence = takeover(bench, &master, &[], TENTH);
    bench.timed(&["TM-02"], silence, down);
    bench.check("BK-07", first_words(bench), "an advert first, then an announcement");

    let resigned = takeover(bench, &master, &[&Crafted::new(0)], TENTH);
    bench.timed(&["TM-01", "BK-08"], resigned, skew);

    // A resignation teaches no interval: 40.95 s here.
    let resigned = takeover(bench, &master, &[&Crafted::new(0).every(4095)], TENTH);
    bench.timed(&["BK-14"], resigned, skew);

    // The second of two counts.
    let resigned = takeover(bench, &master, &[&Crafted::new(0), &Crafted::new(0)], skew / 2);
    bench.timed(&["BK-16"], resigned, skew);

    // From whomever it comes.
    let stranger = Crafted::new(0).from([192, 168, 100, 222]);
    bench.feed(&master, TENTH, 3);
    bench.send(&stranger);
    let resigned = bench.takeover(stranger.source, PATIENCE);
    bench.timed(&["BK-15"], resigned, skew);

    // The Master's interval counts, not the own one.
    for centis in [5, 50] {
        let learned = takeover(bench, &master, &[&Crafted::new(150).every(centis)], Duration::ZERO);
        bench.timed(&["BK-12"], learned, down_interval(3, 100, Duration::from_millis(10) * u32::from(centis)));
    }
}

/// Whether the device's first advert after it was Backup came before its announcement, and at once.
fn first_words(bench: &Bench) -> bool {
    sleep(TENTH);
    let events = bench.capture.events();
    let own: Vec<&Event> = events.iter().filter(|event| event.source_mac == DEVICE).collect();
    let advert = own.iter().position(|event| event.advert().is_some());
    let announced = own.iter().position(|event| event.announced() == Some(RouterConfig::web_address()));
    matches!((advert, announced), (Some(advert), Some(announced)) if advert < announced)
}

fn after_the_start(bench: &mut Bench) {
    let started = Stamp::now();
    let low = Crafted::new(50).every(4095);
    let _daemon = bench.start(vec![RouterConfig::web(200)]);
    bench.feed(&low, TENTH, 4);
    let taken = bench.first_advert(started, PATIENCE).map(|event| event.at.millis_after(started));
    let taken = taken.unwrap_or(f64::INFINITY);
    let down = down_interval(3, 200, TENTH).as_secs_f64() * 1e3;
    // From the start of the process: it takes a while until it stands.
    let late = if bench.implementation == Implementation::Vrrpd { 1000.0 } else { 3000.0 };
    let holds = (down..down + late).contains(&taken);
    bench.check_all(
        &["IN-02", "PR-01", "BK-09"],
        holds,
        format!("after {taken:.1} ms; the down interval is {down:.1} ms"),
    );
}

fn version_2(bench: &mut Bench) {
    let second = Duration::from_secs(1);
    let advert = |priority| Crafted { version: 2, ..Crafted::new(priority).every(200) };
    let router = RouterConfig { version: 2, interval: 2 * second, ..RouterConfig::web(100) };
    let _daemon = start_below(bench, router, &advert(150));
    let silence = takeover(bench, &advert(150), &[], TENTH);
    bench.timed(&["BK-13", "TM-04"], silence, down_interval(2, 100, 2 * second));
    let resigned = takeover(bench, &advert(150), &[&advert(0)], TENTH);
    bench.timed(&["TM-03"], resigned, skew_time(2, 100, 2 * second));
}

fn ten_milliseconds(bench: &mut Bench) {
    let interval = Duration::from_millis(10);
    let router = |vrid, priority| RouterConfig {
        name: format!("r{vrid}"),
        vrid,
        interval,
        addresses: vec![[192, 168, 100, vrid].into()],
        ..RouterConfig::web(priority)
    };
    let priorities = [(61u8, 100u8), (62, 200), (63, 254)];
    let _daemon = bench.start(priorities.map(|(vrid, priority)| router(vrid, priority)).into());
    bench.settle();
    for (vrid, priority) in priorities {
        let addresses = vec![[192, 168, 100, vrid].into()];
        let master =
            Crafted { vrid, addresses, source: [192, 168, 100, 200 + vrid % 10].into(), ..Crafted::new(255).every(1) };
        let mut all: Vec<f64> = (0..5)
            .map(|_| {
                bench.feed(&master, interval, 10);
                let last = bench.last_of(master.source);
                let own = |event: &Event| {
                    event.source_mac == DEVICE && event.advert().is_some_and(|advert| advert.vrid == vrid)
                };
                bench.capture.find(last, PATIENCE, own).map_or(f64::INFINITY, |event| event.at.millis_after(last))
            })
            .collect();
        all.sort_by(f64::total_cmp);
        let ids: &[&str] = if priority == 254 { &["TM-08"] } else { &["TM-05"] };
        // Sooner than theory is never right; the median is what a busy machine leaves of the rest.
        bench.timed(ids, all[0].min(all[2]), down_interval(3, priority, interval));
        bench.timed(ids, all[2], down_interval(3, priority, interval));
    }
}

fn who_resets_the_timer(bench: &mut Bench) {
    let down = down_interval(3, 100, TENTH);
    let times = u32::try_from(down.as_millis() * 5 / 100).expect("few");
    for (ids, preempt, rival) in [
        (&["BK-11"][..], true, Crafted::new(100).from([192, 168, 100, 0x50])),
        (&["BK-11"], true, Crafted::new(100).from([10, 0, 0, 1])),
        (&["BK-10", "PR-02"], false, Crafted::new(50)),
    ] {
        let started = Stamp::now();
        let daemon = bench.start(vec![RouterConfig { preempt, ..RouterConfig::web(100) }]);
        bench.feed(&rival, TENTH, times);
        let spoke = bench.adverts(started);
        bench.check_all(
            ids,
            spoke.is_empty(),
            format!("{} adverts while {} of {} lives", spoke.len(), rival.source, rival.priority),
        );
        daemon.stop();
        sleep(TENTH);
    }
}

fn a_backup_is_not_there(bench: &mut Bench) {
    let vip: std::net::Ipv4Addr = [192, 168, 100, 10].into();
    let six: std::net::Ipv6Addr = "fe80::10".parse().expect("an address");
    bench.device().sysctl("ipv4/ip_forward", "1");
    let v6 = RouterConfig { name: "web6".into(), addresses: vec![six.into()], ..RouterConfig::web(100) };
    let _daemon = bench.start(vec![RouterConfig::web(100), v6]);
    let master = Crafted::new(150);
    let master6 =
        Crafted { source: "fe80::200".parse().expect("an address"), addresses: vec![six.into()], ..master.clone() };
    let both = |times| {
        for _ in 0..times {
            bench.send(&master6);
            bench.feed(&master, TENTH, 1);
            sleep(TENTH);
        }
    };
    both(12);
    let asked = Stamp::now();
    let (mac, own) = ([2, 0, 0, 0, 0, 99], [192, 168, 100, 99].into());
    let client = bench.lab.client();
    client.inject(&craft::arp_request(mac, own, vip));
    client.inject(&craft::neighbour(135, mac, "fe80::ff:fe00:63".parse().expect("an address"), six));
    client.inject(&craft::echo(DEVICE, mac, own, vip));
    client.inject(&craft::echo([0, 0, 0x5e, 0, 1, 51], mac, own, [192, 168, 100, 2].into()));
    both(3);
    let events = bench.capture.since(asked);
    let own: Vec<&Event> = events.iter().filter(|event| event.source_mac == DEVICE).collect();
    let arp = own.iter().any(|event| matches!(&event.packet, Packet::Arp(arp) if arp.sender == vip));
    bench.check("BK-01", !arp, "an ARP request for the address stays unanswered");
    let neighbour =
        own.iter().any(|event| matches!(&event.packet, Packet::NeighbourAdvertisement(na) if na.target == six));
    bench.check("BK-02", !neighbour, "a neighbour solicitation stays unanswered");
    let icmp6 = |event: &Event, kind| {
        event.frame.len() > 54
            && event.frame[12..14] == [0x86, 0xdd]
            && event.frame[20] == 58
            && event.frame[54] == kind
    };
    bench.check("BK-03", !own.iter().any(|event| icmp6(event, 134)), "no router advertisement");
    let is_icmp = |event: &&Event| event.frame[12..14] == [8, 0] && event.frame.get(23) == Some(&1);
    let icmp: Vec<&Event> = own.iter().copied().filter(is_icmp).collect();
    let replies = icmp.iter().filter(|event| event.frame.get(34) == Some(&0)).count();
    bench.check("BK-05", replies == 0, "an echo request to the address stays unanswered");
    let forwarded = icmp.iter().filter(|event| event.frame.get(30..34) == Some(&[192, 168, 100, 2])).count();
    bench.check("BK-04", forwarded == 0, "a frame to the virtual MAC goes nowhere");
}

fn initialize(bench: &mut Bench) {
    let vip = RouterConfig::web_address();
    let (lab, capture) = (&bench.lab, &bench.capture);
    let daemon = bench.start(vec![RouterConfig::web(100)]);
    // Learns 1 s, and loses that with the interface.
    bench.settle();
    bench.feed(&Crafted::new(150).every(100), TENTH, 5);
    lab.cut(bench.device());
    let down = Stamp::now();
    sleep(3 * TENTH);
    bench.send(&Crafted::new(0));
    sleep(3 * TENTH);
    let quiet = capture.since(down).iter().all(|event| event.source_mac != DEVICE) && !bench.device().has(vip);
    lab.mend(bench.device());
    let up = Stamp::now();
    let taken = bench.first_advert(up, PATIENCE).map_or(f64::INFINITY, |event| event.at.millis_after(up));
    let theory = down_interval(3, 100, TENTH);
    bench.check("IN-04", quiet, "nothing sent, no address held");
    let early = theory.as_secs_f64() * 1e3 - 1.0;
    bench.check(
        "RX-30",
        taken >= early,
        format!("the priority 0 heard before counts for nothing: Master after {taken:.1} ms"),
    );
    // The link's return takes a while itself; an interval of 1 s would take ten times as long.
    bench.check("IN-03", (early..early + 2000.0).contains(&taken), format!("Master after {taken:.1} ms"));
    drop(daemon);
}

fn a_priority_that_changes(bench: &mut Bench) {
    let file = bench.device().directory().join("more");
    let text = format!(
        "advert_interval = \"1s\"\npriority = 10\nvirtual_addresses = [\"192.168.100.10/24\"]\ntrack = {{ more = 240 }}\n\
         [track.more]\nscript = [\"/usr/bin/test\", \"-e\", \"{}\"]\ninterval = \"100ms\"\nrise = 1\nfall = 1\n",
        file.display()
    );
    let daemon = bench.start_ours(&text);
    wait_until(&daemon, "web", "BACKUP");
    let master = Crafted::new(255).every(100);
    bench.feed(&master, TENTH, 2);
    std::fs::write(&file, "").expect("a file of ours");
    let silence = bench.takeover(master.source, PATIENCE);
    bench.timed(&["TM-07"], silence, down_interval(3, 250, Duration::from_secs(1)));
}

fn clocks_and_pauses(bench: &mut Bench) {
    let daemon = bench.start(vec![RouterConfig::web(100)]);
    wait_until(&daemon, "web", "BACKUP");
    let started = Stamp::now();
    let clocks = timer_clocks(&daemon);
    let steady = !clocks.is_empty() && clocks.iter().all(|clock| [1, 7].contains(clock));
    bench.check("TM-09", steady, format!("timers on the clocks {clocks:?}; 1 is monotonic, 7 boottime"));
    // Held up for five down intervals while the Master lives on.
    bench.feed(&Crafted::new(150), TENTH, 3);
    daemon.freeze();
    bench.feed(&Crafted::new(150), TENTH, 20);
    daemon.thaw();
    bench.feed(&Crafted::new(150), TENTH, 8);
    bench.check("TM-09", bench.adverts(started).is_empty(), "a pause is no reason to take over");
}

/// The clocks of the timer descriptors of a process.
fn timer_clocks(daemon: &Daemon) -> Vec<u32> {
    let directory = format!("/proc/{}/fdinfo", daemon.process().pid());
    let entries = std::fs::read_dir(directory).expect("it runs").flatten();
    let texts = entries.filter_map(|entry| std::fs::read_to_string(entry.path()).ok());
    let clock = |text: String| text.lines().find_map(|line| line.strip_prefix("clockid:")?.trim().parse().ok());
    texts.filter_map(clock).collect()
}

fn a_preempt_delay(bench: &mut Bench) {
    let lines = "advert_interval = \"100ms\"\npriority = 200\npreempt_delay = \"1500ms\"\nvirtual_addresses = [\"192.168.100.10/24\"]";
    let low = Crafted::new(50);
    bench.send(&low);
    let daemon = bench.start_ours(lines);
    wait_until(&daemon, "web", "BACKUP");
    let first = Stamp::now();
    bench.feed(&low, TENTH, 25);
    let taken = bench.first_advert(first, PATIENCE).map_or(f64::INFINITY, |event| event.at.millis_after(first));
    // The last advert before the delay was over still postpones the takeover by a down interval.
    let holds = (1500.0..1500.0 + 800.0).contains(&taken);
    bench.check("PR-09", holds, format!("after {taken:.1} ms with a delay of 1500 ms"));
}
