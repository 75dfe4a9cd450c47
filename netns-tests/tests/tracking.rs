//! A service's health moves the address: real nginx, real scripts.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{
    Daemon, Duo, Host, Implementation, Nginx, PairConfig, Prober, RouterConfig, ScriptConfig, Stamp, against, skew_time,
};

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(20);

against!({ keepalived: Keepalived, vrrpd: Vrrpd } {
    clients_go_on_when_nginx_is_killed,
    a_weighted_script_moves_the_address,
    a_flapping_script_moves_nothing,
    a_failing_script_needs_its_fall_and_its_rise,
});

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

/// A host of the pair that depends on `script`, which succeeds if this shell text does.
fn tracking(
    implementation: Implementation,
    host: &Host,
    priority: u8,
    weight: Option<i32>,
    script: &str,
) -> PairConfig {
    let path = host.write_script("check", script);
    // keepalived knows whole seconds only.
    let interval = if implementation == Implementation::Keepalived { Duration::from_secs(1) } else { TENTH };
    PairConfig {
        routers: vec![RouterConfig { track: vec![("service".to_owned(), weight)], ..RouterConfig::web(priority) }],
        scripts: vec![ScriptConfig { name: "service".to_owned(), path, interval, fall: 3, rise: 2 }],
    }
}

fn clients_go_on_when_nginx_is_killed(implementation: Implementation) {
    let duo = Duo::default();
    let [first, second] = [1, 2].map(|number| duo.lab.host(number));
    let (first_nginx, _second_nginx) = (Nginx::start(first), Nginx::start(second));
    let config = |host: &Host, priority| {
        tracking(
            implementation,
            host,
            priority,
            None,
            &format!("kill -0 $(cat {}/nginx.pid)", host.directory().display()),
        )
    };
    let _daemons = duo.start(implementation, &config(first, 100), &config(second, 99));
    let prober = Prober::start(duo.lab.client(), vip(), Duration::from_millis(20), TENTH);
    prober.wait_for("h1", Stamp::now(), PATIENCE);

    let killed = Stamp::now();
    first_nginx.crash();
    let resigned = |event: &netns_tests::Event| event.advert().is_some_and(|advert| advert.priority == 0);
    let resigned = duo.capture.wait_for("a resignation", killed, PATIENCE, resigned);
    duo.check_takeover(resigned.at, skew_time(3, 99, TENTH));
    let resumed = prober.wait_for("h2", killed, PATIENCE);
    sleep(5 * TENTH);
    let since: Vec<_> = prober.answers().into_iter().filter(|answer| answer.asked > resumed.answered).collect();
    assert!(since.len() >= 3 && since.iter().all(|answer| answer.body.as_deref() == Ok("h2")), "{since:?}");

    let _first_nginx = Nginx::start(first);
    prober.wait_for("h1", Stamp::now(), PATIENCE);
}

fn a_weighted_script_moves_the_address(implementation: Implementation) {
    let duo = Duo::default();
    let [first, second] = [1, 2].map(|number| duo.lab.host(number));
    let healthy = first.write("healthy", "");
    let script = format!("test -e {}", healthy.display());
    let _daemons = [
        Daemon::start(implementation, first, &tracking(implementation, first, 100, Some(-20), &script)),
        Daemon::start(implementation, second, &RouterConfig::web(99).into()),
    ];
    duo.wait_until_master(1, &RouterConfig::web(100));
    std::fs::remove_file(&healthy).unwrap();
    duo.wait_until_master(2, &RouterConfig::web(99));
    std::fs::write(&healthy, "").unwrap();
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// A script that runs through `pattern` (0 succeeds, 1 fails) and then succeeds for ever; it notes the time of each run in `runs`.
fn pattern(host: &Host, pattern: &str) -> String {
    let runs = host.write("runs", "");
    let pattern: Vec<&str> = pattern.split("").filter(|outcome| !outcome.is_empty()).collect();
    format!(
        "date +%s.%N >> {runs}; set -- {}; shift $(($(wc -l < {runs}) - 1)) && exit ${{1:-0}}",
        pattern.join(" "),
        runs = runs.display()
    )
}

fn wait_for_runs(host: &Host, count: usize) {
    let deadline = Stamp::now() + 2 * PATIENCE;
    while std::fs::read_to_string(host.directory().join("runs")).unwrap().lines().count() < count {
        assert!(Stamp::now() < deadline, "the script has not run {count} times");
        sleep(TENTH / 5);
    }
}

fn a_flapping_script_moves_nothing(implementation: Implementation) {
    let duo = Duo::default();
    let [first, second] = [1, 2].map(|number| duo.lab.host(number));
    // Never three failures in a row, however the runs fall.
    let script = pattern(first, "0000110110110110110000");
    let _daemons = [
        Daemon::start(implementation, first, &tracking(implementation, first, 100, None, &script)),
        Daemon::start(implementation, second, &RouterConfig::web(99).into()),
    ];
    duo.wait_until_master(1, &RouterConfig::web(100));
    let start = Stamp::now();
    wait_for_runs(first, 20);
    assert!(
        duo.capture
            .adverts_since(start)
            .iter()
            .all(|(_, advert)| advert.source == first.ip() && advert.priority == 100)
    );
    assert!(first.has(vip()));
}

fn a_failing_script_needs_its_fall_and_its_rise(implementation: Implementation) {
    let duo = Duo::default();
    let first = duo.lab.host(1);
    let start = Stamp::now();
    let script = pattern(first, "000000000011101000000");
    let _daemon = Daemon::start(implementation, first, &tracking(implementation, first, 100, None, &script));
    duo.capture.wait_for_advert(first.ip(), Stamp::now(), PATIENCE);
    // Runs 11 to 13 fail: down at 13. Run 14 succeeds, 15 fails, 16 and 17 succeed: up again at 17 and not before.
    let resigned = |event: &netns_tests::Event| event.advert().is_some_and(|advert| advert.priority == 0);
    let resigned = duo.capture.wait_for("a resignation", start, PATIENCE, resigned).at;
    wait_for_runs(first, 17);
    let (back, _) = duo.capture.wait_for_advert(first.ip(), resigned + TENTH / 2, PATIENCE);
    let runs = std::fs::read_to_string(first.directory().join("runs")).unwrap();
    let runs: Vec<Stamp> = runs.lines().map(|line| line.parse().unwrap()).collect();
    assert!(runs[12] < resigned, "down after fewer than three failures");
    assert!(runs[16] < back, "back after fewer than two successes");
    first.wait_until_has(vip(), true, PATIENCE);
}
