//! What is done to processes, descriptors, memory and links at the worst moment. Afterwards there is one Master, and no address is left
//! where nobody looks after it.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Implementation, PairConfig, RouterConfig, SLACK, Stamp, down_interval};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use Implementation::Vrrpd;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

#[test]
fn a_kill_at_any_moment_of_a_reload_leaves_nothing() {
    let other: IpAddr = [192, 168, 100, 11].into();
    for delay in [0, 1, 2, 4, 8, 16] {
        let duo = Duo::default();
        let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
        let host = duo.lab.host(1);
        first.rewrite(host, &RouterConfig { addresses: vec![other], ..RouterConfig::web(100) }.into());
        first.reload();
        sleep(Duration::from_millis(delay));
        kill(first.process().pid(), Signal::SIGKILL).unwrap();
        for address in [vip(), other] {
            host.wait_until_has(address, false, SLACK);
        }
        duo.wait_until_master(2, &RouterConfig::web(99));
        drop(first);
        let _first = Daemon::start(Vrrpd, host, &web(100));
        duo.wait_until_master(1, &RouterConfig::web(100));
    }
}

#[test]
fn a_kill_at_any_moment_of_a_takeover_leaves_nothing() {
    for delay in [0, 1, 2, 5, 20] {
        let duo = Duo::default();
        let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
        let host = duo.lab.host(2);
        let notices = host.notices();
        let start = Stamp::now();
        first.crash();
        notices.wait_for(netns_tests::Notice::Address(vip()), start, PATIENCE);
        sleep(Duration::from_millis(delay));
        kill(second.process().pid(), Signal::SIGKILL).unwrap();
        host.wait_until_has(vip(), false, SLACK);
    }
}

#[test]
fn a_kill_at_any_moment_of_a_hand_over_leaves_one_master() {
    for delay in [0, 10, 30, 60, 90] {
        let duo = Duo::default();
        let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
        std::thread::scope(|scope| {
            let asking = scope.spawn(|| first.vrrpctl(&["drain"]));
            sleep(Duration::from_millis(delay));
            kill(first.process().pid(), Signal::SIGKILL).unwrap();
            duo.lab.host(1).wait_until_has(vip(), false, SLACK);
            duo.wait_until_master(2, &RouterConfig::web(99));
            drop(asking);
        });
        assert_eq!(second.router("web")["state"], "MASTER");
    }
}

/// The daemons alone: each guardian ends its own, and nobody has the address.
#[test]
fn where_both_daemons_hang_nobody_keeps_the_address() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    for daemon in [&first, &second] {
        kill(daemon.process().pid(), Signal::SIGSTOP).unwrap();
    }
    for number in [1, 2] {
        duo.lab.host(number).wait_until_has(vip(), false, SLACK);
    }
    drop([first, second]);
    let _daemons = duo.start(Vrrpd, &web(100), &web(99));
}

/// With everything stopped on both, and going on at once: whoever was Master may go on, and there is one.
#[test]
fn where_both_hosts_were_paused_there_is_one_master_again() {
    let duo = Duo::default();
    let mut daemons = duo.start(Vrrpd, &web(100), &web(99));
    daemons.iter().for_each(Daemon::freeze);
    sleep(10 * TENTH);
    daemons.iter().for_each(Daemon::thaw);
    sleep(10 * TENTH);
    for (number, daemon) in (1..).zip(&mut daemons) {
        // A guardian that wakes first cannot tell a pause of both from a hang of the other.
        if !daemon.is_running() {
            *daemon = Daemon::start(Vrrpd, duo.lab.host(number), &web(101 - u8::try_from(number).unwrap()));
        }
    }
    duo.wait_until_master(1, &RouterConfig::web(100));
}

#[test]
fn a_link_that_flaps_ten_times_a_second_ends_with_one_master() {
    let duo = Duo::default();
    let daemons = duo.start(Vrrpd, &web(100), &web(99));
    for _ in 0..30 {
        duo.lab.cut(duo.lab.host(1));
        sleep(TENTH / 2);
        duo.lab.mend(duo.lab.host(1));
        sleep(TENTH / 2);
    }
    let mended = Stamp::now();
    duo.wait_until_master(1, &RouterConfig::web(100));
    let took = Stamp::now() - mended;
    // It has to listen for a down interval, and to be looked at for two and a half.
    assert!(took < down_interval(3, 100, TENTH) + 3 * TENTH + SLACK, "{took:?}");
    assert_eq!(daemons[1].router("web")["state"], "BACKUP");
}

/// The descriptors of a process: no more than it has open now, until this is dropped.
struct NoMoreDescriptors(Pid);

impl NoMoreDescriptors {
    fn of(pid: Pid) -> Self {
        let numbers = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten();
        let highest = numbers.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u64>().ok()).max();
        Self::limit(pid, highest.unwrap() + 1);
        Self(pid)
    }

    fn limit(pid: Pid, count: u64) {
        let arguments = [format!("--pid={pid}"), format!("--nofile={count}")];
        assert!(std::process::Command::new("prlimit").args(arguments).status().unwrap().success());
    }
}

impl Drop for NoMoreDescriptors {
    fn drop(&mut self) {
        let arguments = [format!("--pid={}", self.0), "--nofile=4096".to_owned()];
        let _ = std::process::Command::new("prlimit").args(arguments).status();
    }
}

#[test]
fn a_backup_without_a_descriptor_to_spare_takes_over_all_the_same() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &web(100), &web(99));
    let limit = NoMoreDescriptors::of(second.process().pid());
    let start = Stamp::now();
    first.crash();
    duo.check_takeover(start, down_interval(3, 99, TENTH));
    duo.lab.host(2).wait_until_has(vip(), true, PATIENCE);
    drop(limit);
    assert_eq!(second.router("web")["state"], "MASTER");
}

/// A control group with next to no memory, of version 1 or 2; gone when dropped.
struct Cramped(PathBuf);

impl Cramped {
    fn new() -> Self {
        let first = Path::new("/sys/fs/cgroup/memory");
        let (parent, limit) =
            if first.exists() { (first, "memory.limit_in_bytes") } else { (Path::new("/sys/fs/cgroup"), "memory.max") };
        let path = parent.join(format!("vrrpd-lab-{}", std::process::id()));
        fs::create_dir(&path).unwrap();
        let group = Self(path);
        fs::write(group.0.join(limit), "64K").unwrap();
        group
    }

    fn take(&self, pid: Pid) {
        fs::write(self.0.join("cgroup.procs"), pid.to_string()).unwrap();
    }
}

impl Drop for Cramped {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// As the kernel ends it, which is out of memory for its group: what it has is gone as after any kill.
#[test]
fn a_daemon_that_runs_out_of_memory_is_resigned_for() {
    let duo = Duo::default();
    let group = Cramped::new();
    let [mut first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    group.take(first.process().pid());
    let mut routers = RouterConfig::many(200, 100);
    routers.push(RouterConfig::web(100));
    first.rewrite(duo.lab.host(1), &PairConfig { routers, scripts: Vec::new() });
    first.reload();
    let status = first.process_mut().wait(PATIENCE).expect("the kernel ends it");
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "{status}");
    duo.lab.host(1).wait_until_has(vip(), false, SLACK);
    duo.wait_until_master(2, &RouterConfig::web(99));
}
