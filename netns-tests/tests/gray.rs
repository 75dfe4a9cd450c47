//! Slow and gray failures: what is up and does not work, now works and now does not, or leaves nothing to work with.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::{available_parallelism, sleep};
use std::time::Duration;

use netns_tests::{Daemon, Duo, Event, Host, Implementation, Nginx, RouterConfig, Stamp, with_state};
use nix::mount::{MntFlags, MsFlags, mount, umount2};

use Implementation::Vrrpd;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

/// Starts a pair whose hosts require the track `service` with this table in TOML.
fn pair(duo: &Duo, table: impl Fn(&Host) -> String) -> [Daemon; 2] {
    let daemons = [(1, 100), (2, 99)].map(|(number, priority)| {
        let host = duo.lab.host(number);
        Daemon::start_with(Vrrpd, host, &requiring(host, priority, &table(host)))
    });
    duo.wait_until_master(1, &RouterConfig::web(100));
    daemons
}

fn requiring(host: &Host, priority: u8, table: &str) -> String {
    let config = RouterConfig { track: vec![("service".to_owned(), None)], ..RouterConfig::web(priority) };
    format!("{}\n[track.service]\n{table}\n", Vrrpd.render(host, &config.into()))
}

fn resigns(event: &Event) -> bool {
    event.advert().is_some_and(|advert| advert.priority == 0)
}

#[test]
fn an_nginx_that_accepts_and_never_answers_is_left_by_its_address() {
    let duo = Duo::default();
    let [first, _second] = [1, 2].map(|number| Nginx::start(duo.lab.host(number)));
    let url = "http = \"http://127.0.0.1:80/\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nfall = 2\nrise = 2";
    let daemons = pair(&duo, |_| url.to_owned());

    let frozen = Stamp::now();
    first.freeze();
    let resigned = duo.capture.wait_for("a resignation", frozen, PATIENCE, resigns).at;
    // The sooner of two failures begins at once, at best; the later one ends after an interval and its timeout.
    assert!(resigned - frozen >= Duration::from_millis(350), "{:?}", resigned - frozen);
    println!("an nginx that does not answer is left after {:?}", resigned - frozen);
    duo.wait_until_master(2, &RouterConfig::web(99));
    let track = daemons[0].status()["tracks"][0].clone();
    assert!(track["last_result"].as_str().unwrap().contains("150ms"), "{track}");
    first.thaw();
    duo.wait_until_master(1, &RouterConfig::web(100));
}

#[test]
fn a_script_that_begins_to_hang_is_a_failing_one() {
    let duo = Duo::default();
    let hangs = duo.lab.host(1).directory().join("hangs");
    let table = |host: &Host| {
        let script = host.write_script("check", &format!("test -e {} && exec sleep 1000; exit 0", hangs.display()));
        // Host 2 has the same check, which hangs there only where the file does not lie.
        let script = if host.name() == "h1" { script } else { host.write_script("check", "exit 0") };
        format!("script = [{script:?}]\ninterval = \"300ms\"\ntimeout = \"200ms\"\nfall = 2\nrise = 2")
    };
    let _daemons = pair(&duo, table);
    let hung = Stamp::now();
    fs::write(&hangs, "").unwrap();
    let resigned = duo.capture.wait_for("a resignation", hung, PATIENCE, resigns).at;
    println!("a script that hangs is acted on after {:?}", resigned - hung);
    duo.wait_until_master(2, &RouterConfig::web(99));
    fs::remove_file(&hangs).unwrap();
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// With a `rise` that outlasts its good times, a check that flaps every second moves the address once and not every second.
#[test]
fn a_check_that_flaps_every_second_moves_the_address_once() {
    let duo = Duo::default();
    let flaps = duo.lab.host(1).directory().join("flaps");
    let table = |host: &Host| {
        let flap = format!("test -e {} || exit 0; exit $(($(date +%s) % 2))", flaps.display());
        let script = host.write_script("check", if host.name() == "h1" { &flap } else { "exit 0" });
        format!("script = [{script:?}]\ninterval = \"100ms\"\nfall = 3\nrise = 15")
    };
    let [first, _second] = pair(&duo, table);
    let start = Stamp::now();
    fs::write(&flaps, "").unwrap();
    duo.wait_until_master(2, &RouterConfig::web(99));
    sleep(6 * Duration::from_secs(1));
    let resignations = duo.capture.since(start).iter().filter(|event| resigns(event)).count();
    assert_eq!((resignations, duo.lab.host(2).has(vip())), (1, true));
    assert_eq!(first.router("web")["state"], "FAULT");
    fs::remove_file(&flaps).unwrap();
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// Twice as many busy loops as processors, for ten seconds: no advert is so late that the address moves.
#[test]
fn a_host_whose_processors_are_all_busy_stays_master() {
    let duo = Duo::default();
    let config = |host: &Host, priority| {
        let text = Vrrpd.render(host, &RouterConfig::web(priority).into());
        text.replacen("[daemon]", "[daemon]\nrealtime_priority = 20", 1)
    };
    let _daemons = [(1, 100), (2, 99)].map(|(number, priority)| {
        let host = duo.lab.host(number);
        Daemon::start_with(Vrrpd, host, &config(host, priority))
    });
    duo.wait_until_master(1, &RouterConfig::web(100));
    let host = duo.lab.host(1);
    let loops: Vec<_> = (0..2 * available_parallelism().unwrap().get())
        .map(|number| {
            let mut command = Command::new("timeout");
            command.args(["10", "sh", "-c", "while :; do :; done"]);
            host.start(&format!("loop{number}"), command)
        })
        .collect();
    let start = Stamp::now();
    sleep(Duration::from_secs(10));
    let adverts = duo.capture.adverts_since(start);
    drop(loops);
    let gaps: Vec<Duration> = adverts.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    println!("{} adverts in ten busy seconds, at most {:?} apart", adverts.len(), gaps.iter().max());
    assert!(adverts.iter().all(|(_, advert)| advert.source == host.ip()), "the address moved");
    assert!(adverts.len() >= 90, "{} adverts", adverts.len());
}

/// A small disk, full to the last octet; gone when dropped.
struct FullDisk(PathBuf);

impl FullDisk {
    fn mount(path: &Path) -> Self {
        fs::create_dir_all(path).unwrap();
        mount(Some("tmpfs"), path, Some("tmpfs"), MsFlags::empty(), Some("size=64k,mode=755")).unwrap();
        let disk = Self(path.to_owned());
        disk.fill();
        disk
    }

    fn fill(&self) {
        use std::io::Write;
        let mut file = fs::File::create(self.0.join("filling")).unwrap();
        while file.write_all(&[0; 512]).is_ok() {}
        let failed = fs::write(self.0.join("probe"), [0; 4096]);
        assert!(failed.is_err(), "the disk is not full");
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join("filling")).unwrap();
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}

#[test]
fn a_daemon_whose_disk_is_full_goes_on_and_says_so() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let state = host.directory().join("state");
    let disk = FullDisk::mount(&state);
    let text = Vrrpd.render(host, &RouterConfig::web(100).into());
    let text = with_state(&text, &state);
    let first = Daemon::start_with(Vrrpd, host, &text);
    let _second = Daemon::start(Vrrpd, duo.lab.host(2), &RouterConfig::web(99).into());
    duo.wait_until_master(1, &RouterConfig::web(100));

    // What an operator asks for is done, whether or not it can be kept.
    let drained = first.vrrpctl(&["drain"]);
    duo.wait_until_master(2, &RouterConfig::web(99));
    let said = format!(
        "{}{}{}",
        first.process().log(),
        String::from_utf8_lossy(&drained.stdout),
        String::from_utf8_lossy(&drained.stderr)
    );
    assert!(said.contains("No space left") && said.contains("state"), "it does not say that the disk is full: {said}");
    let undrained = first.vrrpctl(&["undrain"]);
    assert!(undrained.status.success() || !undrained.stderr.is_empty(), "{undrained:?}");
    duo.wait_until_master(1, &RouterConfig::web(100));

    // With room again, it is kept.
    disk.make_room();
    assert!(first.vrrpctl(&["drain"]).status.success());
    duo.wait_until_master(2, &RouterConfig::web(99));
    let kept = fs::read_dir(&state).unwrap().flatten().any(|entry| entry.metadata().unwrap().len() > 0);
    assert!(kept, "nothing is written to {}", state.display());
    sleep(TENTH);
    assert!(first.stop().success());
}
