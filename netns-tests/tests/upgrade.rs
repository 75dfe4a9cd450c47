//! One daemon takes the place of another, and nobody notices: `vrrpctl upgrade`.

use std::time::Duration;

use netns_tests::{
    Daemon, Duo, Event, Host, Implementation, Notice, Onlooker, PairConfig, RouterConfig, SLACK, Stamp, takeovers,
    upgrade,
};

use Implementation::Vrrpd;

const PATIENCE: Duration = Duration::from_secs(10);

fn every(interval: Duration, priority: u8) -> PairConfig {
    RouterConfig { interval, ..RouterConfig::web(priority) }.into()
}

fn web(priority: u8) -> PairConfig {
    every(Duration::from_millis(100), priority)
}

/// The events of this kind in the history.
fn events(daemon: &Daemon, kind: &str) -> Vec<serde_json::Value> {
    daemon.events().into_iter().filter(|event| event["event"] == kind).collect()
}

/// Starts a pair, upgrades the Master, and finds that nobody has noticed: no gap longer than `bound`.
fn nobody_notices(interval: Duration, bound: Duration) {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &every(interval, 100), &every(interval, 99));
    let before = (takeovers(&second), first.router("web"), events(&first, "transition").len());
    let onlooker = Onlooker::new(&duo);
    upgrade(&first);
    let seen = onlooker.finish(Duration::from_secs(1));
    println!("{interval:?}: {seen:?}, {}", events(&first, "upgraded")[0]["text"]);
    seen.assert_unnoticed();
    assert!(seen.longest_gap <= bound, "{seen:?}");
    assert_eq!(takeovers(&second), before.0, "the peer took over");
    let after = first.router("web");
    for kept in ["state", "since", "reason", "held_addresses"] {
        assert_eq!(after[kept], before.1[kept], "{kept}");
    }
    let sent = |router: &serde_json::Value| router["counters"]["advertisements_sent"].as_u64().expect("a counter");
    assert!(sent(&after) > sent(&before.1), "counters go on");
    assert_eq!(events(&first, "transition").len(), before.2, "the history has no transition");
    assert_eq!(events(&first, "upgraded").len(), 1);
}

#[test]
fn nobody_notices_at_100_ms() {
    nobody_notices(Duration::from_millis(100), Duration::from_millis(150));
}

/// A false takeover would come after 36 ms.
#[test]
fn nobody_notices_at_10_ms() {
    nobody_notices(Duration::from_millis(10), Duration::from_millis(30));
}

#[test]
fn the_process_stays_the_same_and_guards_itself_anew() {
    let duo = Duo::default();
    let [mut first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    let (pid, started) = (first.process().pid(), first.status()["started"].clone());
    for _ in 0..3 {
        upgrade(&first);
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(first.process().pid(), pid);
    assert!(first.is_running());
    assert_eq!(first.status()["pid"], pid.as_raw());
    assert_eq!(first.status()["started"], started, "the service was not interrupted");
    assert_eq!(first.process().tree().len(), 2, "the daemon, and the guardian of its own");
    // What it holds now is on that guardian's will.
    let start = Stamp::now();
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).expect("it runs");
    check_released(&duo, start, SLACK);
}

/// Host 1 resigns within `bound`, and its address is gone.
#[track_caller]
fn check_released(duo: &Duo, start: Stamp, bound: Duration) {
    let first = duo.lab.host(1).ip();
    let resigns = |event: &Event| event.advert().is_some_and(|advert| advert.source == first && advert.priority == 0);
    let resigned = duo.capture.wait_for("a resignation", start, PATIENCE, resigns).at;
    assert!(resigned - start <= bound, "after {:?}", resigned - start);
    duo.capture.wait_for_advert(duo.lab.host(2).ip(), resigned, PATIENCE);
    assert!(!duo.lab.host(1).has(RouterConfig::web_address()), "host 1 still has the address");
}

#[test]
fn a_backup_that_is_upgraded_stays_backup() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    let before = second.router("web");
    let start = Stamp::now();
    upgrade(&second);
    std::thread::sleep(Duration::from_secs(1));
    let after = second.router("web");
    for kept in ["state", "since", "master"] {
        assert_eq!(after[kept]["address"], before[kept]["address"], "{kept}");
    }
    assert_eq!(takeovers(&second), before["counters"]["active_transitions"]);
    assert!(duo.capture.adverts_since(start).iter().all(|(_, advert)| advert.source == duo.lab.host(1).ip()));
    // And it takes over when it has to.
    first.crash();
    duo.wait_until_master(2, &RouterConfig::web(99));
}

#[test]
fn a_configuration_that_would_not_run_is_refused() {
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    first.rewrite_with("[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 300\n");
    let onlooker = Onlooker::new(&duo);
    let output = first.vrrpctl(&["upgrade"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("virtual_router_id must be 1 to 255") && words.contains("no upgrade"), "{words}");
    let seen = onlooker.finish(Duration::from_millis(500));
    seen.assert_unnoticed();
    assert!(events(&first, "upgraded").is_empty());
}

#[test]
fn a_configuration_that_differs_is_taken_over_as_by_a_reload() {
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    let host = duo.lab.host(1);
    let another = std::net::IpAddr::from([192, 168, 100, 11]);
    let router = RouterConfig { addresses: vec![RouterConfig::web_address(), another], ..RouterConfig::web(100) };
    first.rewrite(host, &router.into());
    let onlooker = Onlooker::new(&duo);
    upgrade(&first);
    host.wait_until_has(another, true, PATIENCE);
    first.rewrite(host, &web(100));
    upgrade(&first);
    host.wait_until_has(another, false, PATIENCE);
    let seen = onlooker.finish(Duration::from_millis(300));
    seen.assert_unnoticed();
}

#[test]
fn a_router_that_is_not_configured_any_more_is_resigned_and_released() {
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    let other = RouterConfig { name: "other".to_owned(), vrid: 52, ..RouterConfig::web(100) };
    let other = RouterConfig { addresses: vec![[192, 168, 100, 12].into()], ..other };
    first.rewrite(duo.lab.host(1), &other.into());
    let start = Stamp::now();
    upgrade(&first);
    check_released(&duo, start, 4 * SLACK);
}

/// Starts a pair whose Master runs a copy of the program, which can be replaced.
fn replaceable(duo: &Duo) -> ([Daemon; 2], std::path::PathBuf) {
    let copy = duo.lab.host(1).directory().join("vrrpd");
    std::fs::copy(Vrrpd.executable(), &copy).expect("copied");
    let first = Daemon::start_program(&copy, duo.lab.host(1), &web(100));
    let second = Daemon::start(Vrrpd, duo.lab.host(2), &web(99));
    duo.wait_until_master(1, &RouterConfig::web(100));
    ([first, second], copy)
}

fn replace(host: &Host, copy: &std::path::Path, script: &str) {
    let new = host.write_script("new", script);
    std::fs::rename(new, copy).expect("renamed");
}

#[test]
fn a_program_that_ends_at_its_start_is_the_end_of_a_reign() {
    let duo = Duo::default();
    let ([first, _second], copy) = replaceable(&duo);
    replace(duo.lab.host(1), &copy, "[ \"$1\" = --check-config ] && exit 0\nexit 3");
    let start = Stamp::now();
    let output = first.vrrpctl(&["upgrade"]);
    assert_eq!(output.status.code(), Some(1));
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(words.contains("the new daemon does not answer"), "{words}");
    check_released(&duo, start, SLACK);
}

#[test]
fn a_program_that_never_gets_ready_is_the_end_of_a_reign_too() {
    let duo = Duo::default();
    let ([mut first, _second], copy) = replaceable(&duo);
    replace(duo.lab.host(1), &copy, "[ \"$1\" = --check-config ] && exit 0\nexec sleep 60");
    let start = Stamp::now();
    let onlooker = Onlooker::new(&duo);
    let _ = first.vrrpctl(&["upgrade"]);
    check_released(&duo, start, Duration::from_secs(2) + SLACK);
    assert!(onlooker.finish(Duration::ZERO).longest_gap <= SLACK, "the guardian stood in until then");
    assert!(!first.is_running(), "what hangs is ended");
}

/// Host 1's routers of every kind that leaves something of its own in the kernel.
fn of_every_kind(host: &Host, priority: u8) -> String {
    let web = Vrrpd.render(host, &web(priority));
    format!(
        r#"{web}
        [virtual_router.mac]
        interface = "eth0"
        virtual_router_id = 52
        priority = {priority}
        advert_interval = "100ms"
        mac = "virtual"
        virtual_addresses = ["192.168.100.20/24"]

        [virtual_router.six]
        interface = "eth0"
        virtual_router_id = 53
        priority = {priority}
        advert_interval = "100ms"
        accept = false
        virtual_addresses = ["fe80::10/64", "2001:db8::10/64"]
        virtual_routes = [{{ to = "2001:db8:1::/48", via = "2001:db8::99" }}]

        [virtual_router.old]
        interface = "eth0"
        virtual_router_id = 54
        version = 2
        priority = {priority}
        virtual_addresses = ["192.168.100.40/24"]
        authentication = {{ type = "ah", secret = "s3cr3t" }}
        "#
    )
}

#[test]
fn macvlans_routes_filters_and_digests_go_on_too() {
    let duo = Duo::default();
    let [one, two] = [1, 2].map(|number| duo.lab.host(number));
    let first = Daemon::start_with(Vrrpd, one, &of_every_kind(one, 100));
    let second = Daemon::start_with(Vrrpd, two, &of_every_kind(two, 99));
    for router in ["web", "mac", "six", "old"] {
        first.wait_for_state(router, "MASTER");
        second.wait_for_state(router, "BACKUP");
    }
    let holds = || {
        let shown = |arguments: &[&str]| {
            let output = one.run("ip", arguments);
            String::from_utf8_lossy(&output.stdout).into_owned()
        };
        [shown(&["-br", "addr"]), shown(&["-6", "route", "show", "proto", "112"]), shown(&["-br", "-d", "link"])]
    };
    // What is put on the new macvlan settles.
    std::thread::sleep(Duration::from_millis(500));
    let before = (holds(), second.router("old")["counters"]["auth_replays"].clone());
    let notices = one.notices();
    let start = Stamp::now();
    for _ in 0..2 {
        upgrade(&first);
    }
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(holds(), before.0);
    let lost: Vec<_> =
        notices.heard().into_iter().filter(|(_, notice)| matches!(notice, Notice::AddressGone(_))).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert!(duo.capture.adverts_since(start).iter().all(|(_, advert)| advert.priority == 100));
    for router in ["web", "mac", "six", "old"] {
        assert_eq!(second.router(router)["state"], "BACKUP", "{router}");
    }
    assert_eq!(second.router("old")["counters"]["auth_replays"], before.1, "no number twice");
    assert!(first.stop().success());
    let left = holds();
    assert!(!left[0].contains("192.168.100.10") && left[1].is_empty() && !left[2].contains("vrrp"), "{left:?}");
}

#[test]
fn a_kill_at_any_moment_of_an_upgrade_leaves_nothing() {
    for delay in [10, 40, 60, 80, 100, 120] {
        let duo = Duo::default();
        let [mut first, _second] = duo.start(Vrrpd, &web(100), &web(99));
        let start = Stamp::now();
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| first.vrrpctl(&["upgrade"]));
            std::thread::sleep(Duration::from_millis(delay));
            nix::sys::signal::kill(first.process().pid(), nix::sys::signal::Signal::SIGKILL).expect("it runs");
            check_released(&duo, start, Duration::from_millis(delay) + SLACK);
            drop(asking);
        });
        assert!(!first.is_running());
    }
}
