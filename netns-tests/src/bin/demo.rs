//! A failover to watch: two hosts with nginx and vrrpd, a client, a crash, and the way back.

use std::thread::sleep;
use std::time::Duration;

use clap::Parser;
use netns_tests::{Answer, Daemon, Duo, Host, Implementation, Nginx, Prober, RouterConfig, Stamp, down_interval};

/// Lays out two hosts and a client, crashes the Master, and shows what the client saw.
#[derive(Parser)]
struct Options {
    /// The advertisement interval in milliseconds.
    #[arg(long, default_value_t = 100)]
    advert_interval: u64,
    /// Show keepalived instead.
    #[arg(long)]
    keepalived: bool,
}

const BETWEEN_REQUESTS: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_secs(30);

fn main() {
    let options = Options::parse();
    let implementation = if options.keepalived { Implementation::Keepalived } else { Implementation::Vrrpd };
    let interval = Duration::from_millis(options.advert_interval);
    let router = |priority| RouterConfig { interval, ..RouterConfig::web(priority) };
    let vip = RouterConfig::web_address();

    let duo = Duo::default();
    let [h1, h2] = [1, 2].map(|number| duo.lab.host(number));
    let _nginx = [h1, h2].map(Nginx::start);
    let name = implementation.name();
    println!(
        "h1 {} and h2 {} run nginx and {name}, with priorities 100 and 99 and an advertisement every {interval:?}.",
        h1.ip(),
        h2.ip()
    );
    println!(
        "The client {} asks http://{vip}/ every {BETWEEN_REQUESTS:?}, each time on a new connection.\n",
        duo.lab.client().ip()
    );
    let [first, second] = duo.start(implementation, &router(100).into(), &router(99).into());
    let prober = Prober::start(duo.lab.client(), vip, BETWEEN_REQUESTS, Duration::from_millis(20));
    prober.wait_for("h1", Stamp::now(), PATIENCE);
    sleep(Duration::from_secs(1) + interval);

    println!("The crash of h1, at 0: its cable is cut and {name} is killed with SIGKILL");
    let crash = Stamp::now();
    duo.lab.cut(h1);
    first.crash();
    show(&duo, &prober, crash, h1, h2, &router(99));

    println!("The return of h1, at 0: its cable is mended and {name} started");
    sleep(Duration::from_secs(1) + interval);
    let back = Stamp::now();
    duo.lab.mend(h1);
    let first = Daemon::start(implementation, h1, &router(100).into());
    show(&duo, &prober, back, h2, h1, &router(100));

    if implementation == Implementation::Vrrpd {
        for (host, daemon) in [(h1, &first), (h2, &second)] {
            println!(
                "vrrpctl status on {}:\n{}",
                host.name(),
                String::from_utf8_lossy(&daemon.vrrpctl(&["status"]).stdout)
            );
        }
        println!("vrrpctl events on h2:\n{}", String::from_utf8_lossy(&second.vrrpctl(&["events"]).stdout));
    }
}

/// Waits until the client is served by `new`, and prints what happened since `start` as a time line.
fn show(duo: &Duo, prober: &Prober, start: Stamp, old: &Host, new: &Host, router: &RouterConfig) {
    let vip = router.addresses[0];
    let (taken, advert) = duo.capture.wait_for_advert(new.ip(), start, PATIENCE);
    let from_new = |event: &netns_tests::Event| event.announced() == Some(vip);
    let announced = duo.capture.wait_for("a gratuitous ARP", start, PATIENCE, from_new).at;
    let served = prober.wait_for(new.name(), start, PATIENCE);
    sleep(Duration::from_millis(300));

    let (old_name, new_name) = (old.name(), new.name());
    let mut rows = vec![
        (taken, format!("{new_name} sends its first advertisement as Master, priority {}", advert.priority)),
        (announced, format!("{new_name} announces {vip}: gratuitous ARP")),
        (served.answered, format!("the client has its first answer from {new_name}")),
    ];
    let adverts = duo.capture.all_adverts();
    let last = adverts.iter().rev().find(|(at, advert)| advert.source == old.ip() && *at < taken).map(|(at, _)| *at);
    if let Some(last) = last {
        rows.push((last, format!("{old_name} sends its last advertisement")));
        // Only where the old Master fell silent: one that is preempted was heard until the end.
        if last < start {
            let down = down_interval(router.version, router.priority, router.interval);
            let rule = format!("three intervals and the skew time, {:.1} ms, are over", down.as_secs_f64() * 1e3);
            rows.push((last + down, format!("the protocol lets {new_name} take over: {rule}")));
        }
    }
    let answers = prober.answers();
    let failed =
        answers.iter().filter(|answer| answer.asked >= start && answer.asked < served.asked && answer.body.is_err());
    if let Some(first) = failed.clone().next() {
        rows.push((first.asked, "the client asks, and has no answer for the first time".to_owned()));
    }
    let before = answers.iter().rev().find(|answer| answer.asked < served.asked && is_from(answer, old_name));
    rows.sort_by_key(|(at, _)| *at);
    for (at, what) in rows {
        println!("{:>10.1} ms  {what}", at.millis_after(start));
    }
    if let Some(before) = before {
        let (gap, failed) = (served.answered.millis_after(before.answered), failed.count());
        println!(
            "  The client: {gap:.1} ms from the last answer of {old_name} to the first one of {new_name}; {failed} requests without an answer.\n"
        );
    }
}

fn is_from(answer: &Answer, name: &str) -> bool {
    answer.body.as_deref() == Ok(name)
}
