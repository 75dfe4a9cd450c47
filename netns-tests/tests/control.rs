//! What operators see of a running daemon: `vrrpctl`, and what the service manager is told.
#![allow(clippy::unwrap_used)]

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixDatagram;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netns_tests::{Daemon, Duo, Host, Implementation, PairConfig, Process, RouterConfig, ScriptConfig, Stamp};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;
use serde_json::{Value, json};

use Implementation::Vrrpd;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

/// A router that depends on a script with a weight.
fn tracking(host: &Host, priority: u8) -> PairConfig {
    let path = host.write_script("check", "echo all is well");
    PairConfig {
        routers: vec![RouterConfig { track: vec![("service".to_owned(), Some(-20))], ..RouterConfig::web(priority) }],
        scripts: vec![ScriptConfig { name: "service".to_owned(), path, interval: TENTH, fall: 2, rise: 1 }],
    }
}

/// Every name of schema 1, with what a running pair must say.
#[test]
fn the_status_has_every_field_of_schema_1() {
    let duo = Duo::default();
    let [h1, h2] = [1, 2].map(|number| duo.lab.host(number));
    let first = Daemon::start(Vrrpd, h1, &tracking(h1, 100));
    first.wait_for_state("web", "MASTER");
    let second = Daemon::start(Vrrpd, h2, &tracking(h2, 99));
    second.wait_for_state("web", "BACKUP");
    sleep(10 * TENTH);
    let mut status = first.status();

    let pid = first.process().pid().as_raw();
    assert_eq!([&status["schema"], &status["pid"]], [&json!(1), &json!(pid)]);
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_is_recent(&status["started"]);
    assert_is_recent(&status["config"]["loaded"]);
    let path = h1.directory().join("daemon.conf");
    assert_eq!([&status["config"]["path"], &status["config"]["generation"]], [&json!(path), &json!(1)]);
    assert_eq!(status["sync_groups"], json!([]));

    let router = status["virtual_routers"][0].as_object_mut().unwrap();
    assert_is_recent(&router.remove("since").unwrap());
    let counters = router.remove("counters").unwrap();
    for (name, least) in [("advertisements_sent", 5), ("gratuitous_arp_sent", 1)] {
        assert!(counters[name].as_u64().unwrap() >= least, "{name}: {counters}");
    }
    assert_eq!([&counters["checksum_errors"], &counters["active_transitions"]], [&json!(0), &json!(1)]);
    assert!(counters["advertisements_received"].is_u64());
    for (name, expected) in [
        ("name", json!("web")),
        ("interface", json!("eth0")),
        ("family", json!("ipv4")),
        ("virtual_router_id", json!(51)),
        ("version", json!(3)),
        ("state", json!("MASTER")),
        ("reason", json!("master_silent")),
        ("base_priority", json!(100)),
        ("priority", json!(100)),
        ("advert_interval_ms", json!(100)),
        ("master_interval_ms", json!(100)),
        ("virtual_addresses", json!(["192.168.100.10/24"])),
        ("held_addresses", json!(["192.168.100.10/24"])),
        ("virtual_mac", Value::Null),
        ("sync_group", Value::Null),
        ("transitions", json!(1)),
        ("blocked_by", Value::Null),
    ] {
        assert_eq!(router.get(name), Some(&expected), "{name}");
    }
    let attached = &router["tracks"][0];
    assert_eq!(
        [&attached["name"], &attached["healthy"], &attached["weight"]],
        [&json!("service"), &json!(true), &json!(-20)]
    );

    let track = &status["tracks"][0];
    assert_eq!(
        [&track["name"], &track["kind"], &track["healthy"]],
        [&json!("service"), &json!("script"), &json!(true)]
    );
    assert_is_recent(&track["since"]);
    assert!(track["last_result"].as_str().unwrap().contains("all is well"), "{track}");
    assert!(track["runs"].as_u64().unwrap() >= 3, "{track}");
    assert_eq!(track["failures"], 0);
    assert!(track["last_duration_ms"].as_f64().unwrap() > 0.0, "{track}");

    let interface = &status["interfaces"][0];
    assert_eq!([&interface["name"], &interface["up"]], [&json!("eth0"), &json!(true)]);
    for name in ["ip_ttl_errors", "version_errors", "vrid_errors", "filtered"] {
        assert_eq!(interface["counters"][name], 0, "{name}");
    }

    // The Backup knows who is Master, and says why it is not.
    let backup = second.router("web");
    assert_eq!([&backup["state"], &backup["held_addresses"]], [&json!("BACKUP"), &json!([])]);
    assert_eq!(backup["master"]["address"], json!(h1.ip()));
    assert_eq!(backup["master"]["priority"], 100);
    assert!(backup["counters"]["advertisements_received"].as_u64().unwrap() >= 5, "{backup}");
    let shown = String::from_utf8(second.vrrpctl(&["status"]).stdout).unwrap();
    assert!(shown.contains("BACKUP") && shown.contains("192.168.100.1"), "{shown}");
}

/// RFC 3339 in UTC, less than a minute ago.
#[track_caller]
fn assert_is_recent(time: &Value) {
    let text = time.as_str().unwrap_or_else(|| panic!("a time: {time}"));
    let output = std::process::Command::new("date").args(["--date", text, "+%s.%N"]).output().unwrap();
    let at: Stamp = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    let ago = Stamp::now().millis_after(at);
    assert!(text.ends_with('Z') && (-10.0..60_000.0).contains(&ago), "{text}, {ago} ms ago");
}

#[test]
fn events_tell_what_happened_and_why() {
    let duo = Duo::default();
    let h1 = duo.lab.host(1);
    let [first, second] = duo.start(Vrrpd, &RouterConfig::web(100).into(), &RouterConfig::web(99).into());
    let before = second.events().last().unwrap()["seq"].as_u64().unwrap();
    first.crash();
    second.wait_for_state("web", "MASTER");
    let first = Daemon::start(Vrrpd, h1, &RouterConfig::web(100).into());
    first.wait_for_state("web", "MASTER");
    second.wait_for_state("web", "BACKUP");

    let records: Vec<_> = second.events().into_iter().filter(|event| event["seq"].as_u64().unwrap() > before).collect();
    let changes: Vec<_> = records
        .iter()
        .filter(|event| event["event"] == "transition")
        .map(|event| ["virtual_router", "from", "to", "reason"].map(|field| event[field].as_str().unwrap()))
        .collect();
    assert_eq!(changes, [["web", "BACKUP", "MASTER", "master_silent"], ["web", "MASTER", "BACKUP", "higher_priority"]]);
    let evidence = &records.iter().find(|event| event["to"] == "MASTER").unwrap()["evidence"];
    assert_eq!([&evidence["heard_from"], &evidence["heard_priority"]], [&json!(h1.ip()), &json!(100)]);
    assert!(evidence["heard_ago_s"].as_f64().unwrap() >= 0.361, "{evidence}");
    let numbers: Vec<_> = records.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] + 1 == pair[1]), "{numbers:?}");

    let since = String::from_utf8(second.vrrpctl(&["events", "--since", &before.to_string()]).stdout).unwrap();
    assert!(since.contains("no advert from 192.168.100.1"), "{since}");
    // The log says the same.
    let log = second.process().log();
    assert!(log.contains("no advert from 192.168.100.1") && log.contains("MASTER -> BACKUP"), "{log}");
}

#[test]
fn a_reload_through_vrrpctl_says_what_it_changed() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let daemon = Daemon::start(Vrrpd, host, &RouterConfig::web(100).into());
    duo.wait_until_master(1, &RouterConfig::web(100));
    daemon.rewrite(host, &RouterConfig::web(90).into());
    let start = Stamp::now();
    let answer = daemon.vrrpctl(&["reload"]);
    let said = String::from_utf8(answer.stdout).unwrap();
    assert!(answer.status.success() && said.contains("priority changes from 100 to 90"), "{said}");
    duo.capture.wait_for("an advert of priority 90", start, PATIENCE, |event| {
        event.advert().is_some_and(|advert| advert.priority == 90)
    });
    let status = daemon.status();
    assert_eq!(status["config"]["generation"], 2);
    assert_eq!(
        [&daemon.router("web")["base_priority"], &daemon.router("web")["state"]],
        [&json!(90), &json!("MASTER")]
    );
    let configured = daemon.events().into_iter().rev().find(|event| event["event"] == "configured").unwrap();
    assert_eq!(configured["generation"], 2);
    assert!(configured["changes"][0].as_str().unwrap().contains("100 to 90"), "{configured}");
}

#[test]
fn the_control_socket_is_for_its_owner_and_group() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let daemon = Daemon::start(Vrrpd, host, &RouterConfig::web(100).into());
    daemon.wait_for_state("web", "MASTER");
    let socket = host.directory().join("control.sock").metadata().unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.mode() & 0o7777, 0o660);
    assert!(daemon.stop().success());
    assert!(!host.directory().join("control.sock").exists(), "the socket is left behind");
}

/// A service manager, as far as `sd_notify(3)` goes.
struct Manager(UnixDatagram);

impl Manager {
    /// Starts a daemon that this manager watches.
    fn start(host: &Host, config: &PairConfig) -> (Self, Process) {
        let path = host.directory().join("notify");
        let manager = UnixDatagram::bind(&path).unwrap();
        let file = host.write("daemon.conf", &Vrrpd.render(host, config));
        let mut command = Daemon::command(Vrrpd, host, &file);
        let watchdog = 4 * TENTH;
        command.env("NOTIFY_SOCKET", path).env("WATCHDOG_USEC", watchdog.as_micros().to_string());
        (Self(manager), host.start("daemon", command))
    }

    /// What comes within this time.
    fn listen(&self, time: Duration) -> Vec<String> {
        let deadline = Instant::now() + time;
        std::iter::from_fn(|| self.next(deadline)).collect()
    }

    /// Waits for a message that begins with this line.
    #[track_caller]
    fn wait_for(&self, line: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        std::iter::from_fn(|| self.next(deadline))
            .find(|message| message.lines().next() == Some(line))
            .unwrap_or_else(|| panic!("the manager was not told {line}"))
    }

    fn next(&self, deadline: Instant) -> Option<String> {
        let left = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        self.0.set_read_timeout(Some(left)).unwrap();
        let mut buffer = [0; 1024];
        let length = self.0.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }

    fn feedings(&self, time: Duration) -> usize {
        self.listen(time).iter().filter(|message| *message == "WATCHDOG=1").count()
    }
}

#[test]
fn the_service_manager_is_told_of_start_reload_and_stop() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let (manager, mut process) = Manager::start(host, &RouterConfig::web(100).into());
    manager.wait_for("READY=1");
    duo.wait_until_master(1, &RouterConfig::web(100));

    let before = monotonic_usec();
    process.signal(Signal::SIGHUP);
    let reloading = manager.wait_for("RELOADING=1");
    let stamp =
        reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("the time of the reload");
    assert!((before..=monotonic_usec()).contains(&stamp.parse().unwrap()), "{reloading}");
    manager.wait_for("READY=1");

    process.signal(Signal::SIGTERM);
    manager.wait_for("STOPPING=1");
    assert!(process.wait(PATIENCE).unwrap().success());
}

/// `CLOCK_MONOTONIC`, which systemd compares with.
fn monotonic_usec() -> u128 {
    let time = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC).unwrap();
    Duration::from(time).as_micros()
}

/// The daemon is alive for the manager if and only if the thread that sends adverts is.
#[test]
fn the_watchdog_is_fed_by_the_protocol_thread_and_by_nothing_else() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let (manager, process) = Manager::start(host, &RouterConfig::web(100).into());
    manager.wait_for("READY=1");
    duo.wait_until_master(1, &RouterConfig::web(100));
    let second = Duration::from_secs(1);
    assert!((3..=7).contains(&manager.feedings(second)), "half of the 400 ms allowed is its pace");
    let protocol = process.threads("protocol")[0];

    // All other threads stand still: the protocol goes on.
    let others: Vec<_> = all_threads(&process).into_iter().filter(|thread| *thread != protocol).collect();
    assert!(others.contains(&process.pid()));
    let frozen: Vec<_> = others.into_iter().map(Frozen::thread).collect();
    let (alone, _) = duo.capture.wait_for_advert(host.ip(), Stamp::now(), PATIENCE);
    assert!(manager.feedings(second) >= 3);
    let adverts = duo.capture.adverts_since(alone);
    assert!(adverts.len() >= 8 && adverts.iter().all(|(_, advert)| advert.priority == 100), "{adverts:?}");
    drop(frozen);

    // A Master whose protocol thread hangs is ended by its guardian, so as a Backup: only that thread stands still.
    let _better = Daemon::start(Vrrpd, duo.lab.host(2), &RouterConfig::web(200).into());
    duo.wait_until_master(2, &RouterConfig::web(200));
    assert!(manager.feedings(second) >= 3);
    let frozen = Frozen::thread(protocol);
    manager.feedings(TENTH);
    assert_eq!(manager.feedings(second), 0, "fed by another thread");
    let thawed = Stamp::now();
    drop(frozen);
    assert!(manager.feedings(second) > 0, "the protocol thread goes on");
    // It has slept over many down intervals, with the Master's adverts waiting: it must read them first.
    assert!(duo.capture.adverts_since(thawed).iter().all(|(_, advert)| advert.priority == 200), "taken over");
}

fn all_threads(process: &Process) -> Vec<Pid> {
    let tasks = std::fs::read_dir(format!("/proc/{}/task", process.pid())).unwrap().flatten();
    tasks.map(|task| Pid::from_raw(task.file_name().to_str().unwrap().parse().unwrap())).collect()
}

/// One thread of a process stands still, as under a debugger, until this is dropped.
struct Frozen(Pid);

impl Frozen {
    fn thread(thread: Pid) -> Self {
        use nix::sys::ptrace;
        ptrace::seize(thread, ptrace::Options::empty()).unwrap();
        ptrace::interrupt(thread).unwrap();
        waitpid(thread, Some(WaitPidFlag::__WALL)).unwrap();
        Self(thread)
    }
}

impl Drop for Frozen {
    fn drop(&mut self) {
        // A thread that was killed meanwhile only remains to be reaped.
        if nix::sys::ptrace::detach(self.0, None).is_err() {
            let _ = waitpid(self.0, Some(WaitPidFlag::__WALL));
        }
    }
}
