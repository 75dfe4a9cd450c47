//! What each part of the daemon may do, as the kernel has it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use netns_tests::{Daemon, Host, Implementation, Lab, RouterConfig, Stamp};

use Implementation::Vrrpd;

const PATIENCE: Duration = Duration::from_secs(10);
const CHOWN: u64 = 1;
const KILL: u64 = 1 << 5;
const SETGID: u64 = 1 << 6;
const SETUID: u64 = 1 << 7;
const SETPCAP: u64 = 1 << 8;
const SYS_NICE: u64 = 1 << 23;
const NETWORK: u64 = 1 << 12 | 1 << 13;

/// `/proc/PID/status`, by its labels.
struct Status(BTreeMap<String, String>);

impl Status {
    fn read(text: &str) -> Self {
        let pairs = text.lines().filter_map(|line| line.split_once(':'));
        Self(pairs.map(|(label, value)| (label.to_owned(), value.trim().to_owned())).collect())
    }

    fn of(&self, label: &str) -> &str {
        self.0.get(label).map_or("", String::as_str)
    }

    fn capabilities(&self, set: &str) -> u64 {
        u64::from_str_radix(self.of(set), 16).unwrap_or(u64::MAX)
    }
}

/// Every thread of a process, by its name.
fn threads(pid: nix::unistd::Pid) -> Vec<Status> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("it runs").filter_map(Result::ok);
    tasks.filter_map(|task| Some(Status::read(&fs::read_to_string(task.path().join("status")).ok()?))).collect()
}

/// A daemon whose script, run as `user`, leaves behind what it was allowed to do.
fn start(host: &Host, user: &str) -> Daemon {
    let out = host.directory().join(format!("status-{user}"));
    fs::write(&out, "").expect("a file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
    fs::set_permissions(&out, mode).expect("a mode");
    let script =
        host.write_script("look", &format!("#!/bin/sh\ncat /proc/self/status > {}\nsleep 0.3\n", out.display()));
    let track =
        format!("\n[track.look]\nscript = [\"{}\"]\nuser = \"{user}\"\ninterval = \"500ms\"\n", script.display());
    let router = RouterConfig { track: vec![("look".to_owned(), Some(-1))], ..RouterConfig::web(100) };
    let daemon = Daemon::start_with(Vrrpd, host, &(Vrrpd.render(host, &router.into()) + &track));
    daemon.wait_for_state("web", "MASTER");
    daemon
}

fn seen_by_script(path: &Path) -> Status {
    let deadline = Stamp::now() + PATIENCE;
    loop {
        let text = fs::read_to_string(path).expect("it is there");
        if text.contains("NoNewPrivs") && text.contains("Seccomp_filters") {
            return Status::read(&text);
        }
        assert!(Stamp::now() < deadline, "the script has not run: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_script_has_no_capabilities_whoever_runs_it() {
    for user in ["root", "nobody"] {
        let lab = Lab::new(1);
        let host = lab.host(1);
        let _daemon = start(host, user);
        let status = seen_by_script(&host.directory().join(format!("status-{user}")));
        for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
            assert_eq!(status.capabilities(set), 0, "{set} of a script run by {user}");
        }
        assert_eq!((status.of("NoNewPrivs"), status.of("Seccomp")), ("1", "2"), "{user}");
    }
}

#[test]
fn every_thread_has_what_it_needs_and_no_more() {
    let lab = Lab::new(1);
    let host = lab.host(1);
    let daemon = start(host, "nobody");
    seen_by_script(&host.directory().join("status-nobody"));
    let pid = daemon.process().pid();
    let all = threads(pid);
    assert!(all.iter().all(|thread| (thread.of("NoNewPrivs"), thread.of("Seccomp")) == ("1", "2")));
    for (name, effective, permitted) in [
        ("protocol", NETWORK, NETWORK),
        ("vrrpd", NETWORK | KILL, NETWORK | KILL | SETUID | SETGID | SETPCAP | CHOWN | SYS_NICE),
        ("tokio-rt-worker", SETUID | SETGID, SETUID | SETGID),
        ("log", 0, 0),
        ("keeper", 0, 0),
    ] {
        let mut called = all.iter().filter(|thread| thread.of("Name") == name).peekable();
        assert!(
            called.peek().is_some(),
            "{name} is none of {:?}",
            all.iter().map(|it| it.of("Name")).collect::<Vec<_>>()
        );
        for thread in called {
            let has = ["CapEff", "CapPrm"].map(|set| thread.capabilities(set));
            assert_eq!(has, [effective, permitted], "{name}: {has:x?}");
        }
    }
}

#[test]
fn the_guardian_keeps_the_network_and_has_a_filter_of_its_own() {
    let lab = Lab::new(1);
    let host = lab.host(1);
    let daemon = start(host, "nobody");
    let guardians = daemon.process().tree().into_iter().flat_map(threads);
    let guardian = guardians.into_iter().find(|thread| thread.of("Name") == "vrrpd-guardian").expect("it runs");
    assert_eq!(guardian.capabilities("CapEff"), NETWORK);
    assert_eq!(guardian.capabilities("CapPrm"), NETWORK);
    assert_eq!(guardian.of("Seccomp"), "2");
    assert_eq!(guardian.of("Seccomp_filters"), "2", "the daemon's and its own");
}
