//! Scripts of `vrrpd` that hang, crawl, are missing or are not to be trusted; and what a lowered priority does.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{
    Daemon, Duo, Event, Host, Implementation, JITTER, Lab, Notice, PairConfig, RouterConfig, SLACK, Stamp,
    down_interval, skew_time,
};

use Implementation::Vrrpd;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

/// Router `web` with these tracks, each a name, its weight and its table in TOML.
fn tracking(host: &Host, priority: u8, tracks: &[(&str, Option<i32>, String)]) -> String {
    let track = tracks.iter().map(|(name, weight, _)| ((*name).to_owned(), *weight)).collect();
    let config = RouterConfig { track, ..RouterConfig::web(priority) };
    let tables = tracks.iter().map(|(name, _, table)| format!("\n[track.{name}]\n{table}\n"));
    std::iter::once(Vrrpd.render(host, &config.into())).chain(tables).collect()
}

fn script(path: &Path) -> String {
    format!("script = [\"{}\"]\ninterval = \"100ms\"\nfall = 1\nrise = 1", path.display())
}

/// A script that succeeds as long as the file `healthy` is there, which it is.
fn healthy(host: &Host) -> (std::path::PathBuf, String) {
    let flag = host.write("healthy", "");
    let path = host.write_script("check", &format!("test -e {}", flag.display()));
    (flag, script(&path))
}

fn resigns(event: &Event) -> bool {
    event.advert().is_some_and(|advert| advert.priority == 0)
}

#[test]
fn a_master_that_a_weight_demotes_hands_over_in_skew_time() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let (flag, check) = healthy(host);
    let first = Daemon::start_with(Vrrpd, host, &tracking(host, 100, &[("service", Some(-20), check)]));
    let _second = Daemon::start(Vrrpd, duo.lab.host(2), &web(99));
    duo.wait_until_master(1, &RouterConfig::web(100));

    let failed = Stamp::now();
    fs::remove_file(&flag).unwrap();
    let resigned = duo.capture.wait_for("a resignation", failed, PATIENCE, resigns);
    assert_eq!(resigned.advert().unwrap().source, host.ip());
    duo.check_takeover(resigned.at, skew_time(3, 99, TENTH));
    duo.wait_until_master(2, &RouterConfig::web(99));
    let router = first.router("web");
    assert_eq!((router["state"].as_str(), router["priority"].as_u64()), (Some("BACKUP"), Some(80)));
    let demoted = first.events().into_iter().any(|event| event["reason"] == "demoted");
    assert!(demoted, "{:?}", first.events());

    fs::write(&flag, "").unwrap();
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// A demoted Master whom nobody relieves comes back when its own timer says so, and never takes its addresses away.
#[test]
fn a_demoted_master_keeps_its_addresses_until_somebody_else_takes_over() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let (flag, check) = healthy(host);
    let daemon = Daemon::start_with(Vrrpd, host, &tracking(host, 100, &[("service", Some(-20), check)]));
    duo.wait_until_master(1, &RouterConfig::web(100));

    let (notices, failed) = (host.notices(), Stamp::now());
    fs::remove_file(&flag).unwrap();
    let resigned = duo.capture.wait_for("a resignation", failed, PATIENCE, resigns).at;
    let is_back = |event: &Event| event.advert().is_some_and(|advert| advert.priority == 80);
    let back = duo.capture.wait_for("an advert of priority 80", resigned, PATIENCE, is_back).at;
    let (silence, own) = (back - resigned, down_interval(3, 80, TENTH));
    assert!(silence + JITTER >= own && silence <= own + SLACK, "{silence:?} rather than {own:?}");
    daemon.wait_for_state("web", "MASTER");
    assert_eq!(daemon.router("web")["reason"], "nobody_took_over");
    assert!(notices.heard().iter().all(|(_, notice)| *notice != Notice::AddressGone(vip())), "{:?}", notices.heard());
    assert!(host.has(vip()));
}

#[test]
fn a_required_script_that_fails_is_a_fault_and_a_resignation() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let (flag, check) = healthy(host);
    let first = Daemon::start_with(Vrrpd, host, &tracking(host, 100, &[("service", None, check)]));
    let _second = Daemon::start(Vrrpd, duo.lab.host(2), &web(99));
    duo.wait_until_master(1, &RouterConfig::web(100));

    let failed = Stamp::now();
    fs::remove_file(&flag).unwrap();
    let resigned = duo.capture.wait_for("a resignation", failed, PATIENCE, resigns).at;
    duo.check_takeover(resigned, skew_time(3, 99, TENTH));
    first.wait_for_state("web", "FAULT");
    assert!(!host.has(vip()));
    let shown = String::from_utf8(first.vrrpctl(&["status"]).stdout).unwrap();
    assert!(shown.contains("the required track service fails"), "{shown}");
}

#[test]
fn a_script_that_hangs_delays_no_advert_and_ends_with_all_its_children() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let children = host.write("children", "");
    // A child, and one that has left its parent behind; neither ends by itself.
    let text = format!("sleep 1000 & echo $! >> {0}; (sleep 1000 & echo $! >> {0}); wait", children.display());
    let hang = host.write_script("hang", &text);
    let table = format!("script = [\"{}\"]\ninterval = \"200ms\"\ntimeout = \"100ms\"\nfall = 3", hang.display());
    let daemon = Daemon::start_with(Vrrpd, host, &tracking(host, 100, &[("slow", Some(-10), table)]));
    let is_lowered = |event: &Event| event.advert().is_some_and(|advert| advert.priority == 90);
    let lowered = duo.capture.wait_for("an advert with the lowered priority", Stamp::now(), PATIENCE, is_lowered);
    sleep(15 * TENTH);
    let adverts = duo.capture.adverts_since(lowered.at);
    assert!(adverts.len() >= 12, "{} adverts in 1.5 s", adverts.len());
    let track = daemon.status()["tracks"][0].clone();
    assert!(track["last_result"].as_str().unwrap().contains("timed out after 100ms"), "{track}");

    assert!(daemon.stop().success());
    let started: Vec<String> = fs::read_to_string(&children).unwrap().lines().map(str::to_owned).collect();
    assert!(started.len() >= 6, "{started:?}");
    // A killed process is seen for a moment longer, until it is reaped.
    sleep(TENTH);
    let alive: Vec<_> = started.iter().filter(|pid| is_sleep(pid)).collect();
    assert!(alive.is_empty(), "still running: {alive:?} of {started:?}");
}

fn is_sleep(pid: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"sleep\x001000"))
}

#[test]
fn a_slow_script_delays_no_other_one() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let runs = host.write("runs", "");
    let crawl = host.write_script("crawl", "sleep 5");
    let quick = host.write_script("quick", &format!("echo >> {}", runs.display()));
    let tracks = [
        ("slow", Some(-10), format!("script = [\"{}\"]\ninterval = \"10s\"\ntimeout = \"8s\"", crawl.display())),
        ("quick", Some(-10), script(&quick)),
    ];
    let daemon = Daemon::start_with(Vrrpd, host, &tracking(host, 100, &tracks));
    duo.capture.wait_for_advert(host.ip(), Stamp::now(), PATIENCE);
    let before = fs::read_to_string(&runs).unwrap().lines().count();
    sleep(20 * TENTH);
    let meanwhile = fs::read_to_string(&runs).unwrap().lines().count() - before;
    assert!((10..=21).contains(&meanwhile), "{meanwhile} runs in two seconds");
    let status = daemon.status();
    let slow = status["tracks"].as_array().unwrap().iter().find(|track| track["name"] == "slow").unwrap().clone();
    assert_eq!(slow["runs"], 0, "the slow one has ended: nothing was shown");
}

#[test]
fn a_script_inherits_nothing_but_its_user_and_its_name() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let out = host.write("out", "");
    fs::set_permissions(&out, Permissions::from_mode(0o666)).unwrap();
    let path = host.write_script(
        "look",
        &format!("{{ id -un; id -G; echo fds $(ls /proc/self/fd); echo pwd $(pwd); tr '\\0' '\\n' < /proc/self/environ; grep Cap /proc/self/status; }} > {}", out.display()),
    );
    let table = format!("script = [\"{}\"]\nuser = \"nobody\"\ninterval = \"1s\"", path.display());
    let file = host.write("daemon.conf", &tracking(host, 100, &[("look", Some(-10), table)]));
    // Whoever starts the daemon may leave descriptors open; none may reach a script.
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "exec \"$0\" --config \"$1\" 9</dev/null"]).arg(Vrrpd.executable()).arg(file);
    command.env("SECRET", "of the daemon");
    let _daemon = host.start("daemon", command);
    duo.capture.wait_for_advert(host.ip(), Stamp::now(), PATIENCE);
    let seen = fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = seen.lines().collect();
    assert_eq!(lines[..2], ["nobody", "65534"], "{seen}");
    // `ls` has one of its own, 3, to read the directory.
    assert!(lines.contains(&"fds 0 1 2 3"), "{seen}");
    assert!(lines.contains(&"pwd /"), "{seen}");
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    assert!(names.iter().all(|name| ["PATH", "LANG", "VRRPD_TRACK", "PWD"].contains(name)), "{names:?}");
    assert!(
        ["CapEff:", "CapPrm:", "CapAmb:"]
            .iter()
            .all(|set| lines.contains(&format!("{set}\t0000000000000000").as_str())),
        "{seen}"
    );
}

#[test]
fn a_script_that_is_missing_or_not_to_be_trusted_is_an_error_of_the_configuration() {
    let lab = Lab::new(1);
    let host = lab.host(1);
    let good = host.write_script("good", "true");
    for (name, mode, expected) in [
        ("missing", None, "No such file"),
        ("not-executable", Some(0o644), "not executable"),
        ("world-writable", Some(0o757), "writable"),
        ("group-writable", Some(0o775), "writable"),
    ] {
        let path = host.directory().join(name);
        if let Some(mode) = mode {
            fs::copy(&good, &path).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            // The group counts only if it is not root's.
            std::os::unix::fs::chown(&path, None, Some(65534)).unwrap();
        }
        let file = host.write("daemon.conf", &tracking(host, 100, &[("service", None, script(&path))]));
        let mut process = host.start(name, Daemon::command(Vrrpd, host, &file));
        let status = process.wait(PATIENCE).unwrap_or_else(|| panic!("it runs with a script that is {name}"));
        let said = process.log();
        assert_eq!(status.code(), Some(1), "{said}");
        assert!(said.contains(expected) && said.contains(name) && said.contains("daemon.conf:"), "{name}: {said}");
    }
    let file = host.write("daemon.conf", &tracking(host, 100, &[("service", None, script(&good))]));
    let daemon = Daemon::start_with(Vrrpd, host, &fs::read_to_string(file).unwrap());
    daemon.wait_for_state("web", "MASTER");
}
