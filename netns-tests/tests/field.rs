//! Failures that operators of VRRP daemons reported, and that show best with real packets; `docs/field-failures.md` lists them all.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netns_tests::{Daemon, Duo, Event, Host, Implementation, Notice, Packet, RouterConfig, Stamp, with_state};

use Implementation::Vrrpd;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

/// The router of [`RouterConfig::web`], with these lines more.
fn start(host: &Host, priority: u8, more: &str) -> Daemon {
    Daemon::start_with(Vrrpd, host, &(Vrrpd.render(host, &RouterConfig::web(priority).into()) + more))
}

fn done(host: &Host, program: &str, arguments: &[&str]) -> String {
    let output = host.run(program, arguments);
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Makes the host's own firewall drop adverts that come in (`input`) or go out (`output`).
fn drop_adverts(host: &Host, hook: &str) {
    let rules = format!("table ip wall {{ chain c {{ type filter hook {hook} priority 0; ip protocol 112 drop; }}; }}");
    done(host, "nft", &[&rules]);
}

fn stop_dropping(host: &Host) {
    done(host, "nft", &["delete table ip wall"]);
}

fn wait_for(what: &str, mut happened: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !happened() {
        assert!(Instant::now() < deadline, "not within {PATIENCE:?}: {what}");
        sleep(Duration::from_millis(20));
    }
}

/// 1: one direction is lost for some seconds. Whoever stays Master announces its address again, and its scripts run again.
#[test]
fn after_adverts_were_lost_one_way_the_master_announces_again_and_tells_its_scripts() {
    let duo = Duo::default();
    let [one, two] = [1, 2].map(|number| duo.lab.host(number));
    let told = one.directory().join("told");
    let script = one.write_script("notify", &format!("echo $VRRPD_STATE $VRRPD_REASON >> {}", told.display()));
    let _first = start(one, 100, &format!("notify = {{ on_change = [{script:?}] }}\n"));
    let _second = start(two, 99, "");
    duo.wait_until_master(1, &RouterConfig::web(100));
    drop_adverts(two, "input");
    two.wait_until_has(vip(), true, PATIENCE);
    sleep(3 * Duration::from_secs(1));
    let before = fs::read_to_string(&told).unwrap();
    stop_dropping(two);
    let healed = Stamp::now();
    two.wait_until_has(vip(), false, 2 * TENTH);
    let again = |event: &Event| event.announced() == Some(vip()) && event.source_mac == [2, 0, 0, 0, 0, 1];
    duo.capture.wait_for("host 1 announces its address again", healed, PATIENCE, again);
    wait_for("the script runs again", || fs::read_to_string(&told).unwrap() == format!("{before}MASTER reasserted\n"));
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// 2: both sides of a partition have a Master. Once it heals there is one within two intervals, and both histories tell of it.
#[test]
fn after_a_partition_both_histories_tell_of_the_other_master() {
    let duo = Duo::default();
    let [first, second] = duo.start(Vrrpd, &RouterConfig::web(100).into(), &RouterConfig::web(99).into());
    let [one, two] = [1, 2].map(|number| duo.lab.host(number));
    drop_adverts(one, "input");
    drop_adverts(two, "input");
    two.wait_until_has(vip(), true, PATIENCE);
    sleep(3 * Duration::from_secs(1));
    // Host 1 is the first to hear the other: had host 2 given in before, host 1 could not know of it.
    stop_dropping(one);
    sleep(2 * TENTH);
    stop_dropping(two);
    duo.lab.host(2).wait_until_has(vip(), false, 5 * TENTH);
    assert!(duo.lab.host(1).has(vip()));
    wait_for("the winner reasserts itself", || {
        first.events().iter().any(|event| event["event"] == "reasserted" && event["lasted_s"].is_number())
    });
    let said = String::from_utf8(second.vrrpctl(&["events"]).stdout).unwrap();
    let last = said.lines().last().unwrap();
    assert!(last.contains("MASTER") && last.contains("BACKUP") && last.contains("192.168.100.1"), "{said}");
}

/// 12: nobody hears of the address from a Backup, however often its link comes and goes.
#[test]
fn a_backup_whose_link_flaps_never_answers_for_the_address() {
    let duo = Duo::default();
    let [one, two] = [1, 2].map(|number| duo.lab.host(number));
    let _daemons = [start(one, 100, "mac = \"virtual\"\n"), start(two, 99, "mac = \"virtual\"\n")];
    duo.wait_until_master(1, &RouterConfig::web(100));
    let (capture, notices) = (two.capture(), two.notices());
    let start = Stamp::now();
    for _ in 0..5 {
        duo.lab.cut(two);
        sleep(TENTH);
        duo.lab.mend(two);
        // Asked while it comes up, and once it has.
        for _ in 0..3 {
            done(duo.lab.client(), "arping", &["-c", "1", "-w", "1", "-I", "eth0", &vip().to_string()]);
        }
    }
    // Answers go to who asked alone: at host 2 there are only its own.
    let client = duo.lab.client().ip();
    let answers = |event: &Event| matches!(&event.packet, Packet::Arp(arp) if IpAddr::from(arp.sender) == vip() && IpAddr::from(arp.target) == client);
    assert_eq!(capture.since(start).iter().filter(|event| answers(event)).count(), 0);
    assert!(!notices.heard().iter().any(|(_, notice)| *notice == Notice::Address(vip())), "it had the address");
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// 13: with the link goes the route to the address's network, so that traffic can take a detour.
#[test]
fn without_a_link_the_network_of_the_address_is_no_route_any_more() {
    for mac in ["interface", "virtual"] {
        let duo = Duo::default();
        let host = duo.lab.host(1);
        let more = format!("mac = \"{mac}\"\nexcluded_addresses = [\"203.0.113.10/24\"]\n");
        let _daemon = start(host, 100, &more);
        duo.wait_until_master(1, &RouterConfig::web(100));
        let routes = || done(host, "ip", &["route", "show", "table", "all"]);
        wait_for("there is a route", || routes().contains("203.0.113.0/24"));
        duo.lab.cut(host);
        wait_for("the route goes", || !routes().contains("203.0.113."));
        duo.lab.mend(host);
        wait_for("the route is back", || routes().contains("203.0.113.0/24"));
    }
}

/// 14: Master on the clients' network, Backup on the one behind: what goes through it arrives.
#[test]
fn a_backup_on_the_other_network_forwards_as_any_router_does() {
    for mac in ["interface", "virtual"] {
        let duo = Duo::default();
        duo.lab.join(1);
        let (one, two, client) = (duo.lab.host(1), duo.lab.host(2), duo.lab.client());
        let lan = |priority| RouterConfig {
            name: "behind".to_owned(),
            interface: "lan1".to_owned(),
            vrid: 52,
            addresses: vec![[10, 200, 1, 10].into()],
            ..RouterConfig::web(priority)
        };
        let text = |host: &Host, web, behind| {
            let config =
                netns_tests::PairConfig { routers: vec![RouterConfig::web(web), lan(behind)], scripts: vec![] };
            Vrrpd.render(host, &config).replace("preempt = true", &format!("preempt = true\nmac = \"{mac}\""))
        };
        let first = Daemon::start_with(Vrrpd, one, &text(one, 100, 90));
        let second = Daemon::start_with(Vrrpd, two, &text(two, 90, 100));
        duo.wait_until_master(1, &RouterConfig::web(100));
        first.wait_for_state("behind", "BACKUP");
        second.wait_for_state("behind", "MASTER");
        one.sysctl("ipv4/ip_forward", "1");
        done(client, "ip", &["route", "add", "10.200.1.0/24", "via", &vip().to_string()]);
        // Host 2 answers from behind, and by the way of the cable: its own leg in the clients' network would hide a fault.
        done(two, "ip", &["rule", "add", "from", "10.200.1.2", "table", "9"]);
        done(two, "ip", &["route", "add", "default", "via", "10.200.1.1", "dev", "lan1", "table", "9"]);
        two.sysctl("ipv4/conf/all/rp_filter", "0");
        two.sysctl("ipv4/conf/lan1/rp_filter", "0");
        done(client, "ping", &["-c", "3", "-i", "0.2", "-W", "2", "10.200.1.2"]);
    }
}

/// A file system on which writes wait as long as it is frozen; gone when dropped.
struct StuckDisk {
    path: PathBuf,
    frozen: bool,
}

impl StuckDisk {
    fn mount(path: &Path) -> Self {
        let image = path.with_extension("image");
        fs::create_dir_all(path).unwrap();
        fs::File::create(&image).unwrap().set_len(16 << 20).unwrap();
        let [path_text, image_text] = [path, &image].map(|path| path.to_str().unwrap());
        tool("mkfs.ext4", &["-q", "-F", image_text]);
        tool("mount", &["-o", "loop", image_text, path_text]);
        Self { path: path.to_owned(), frozen: false }
    }

    fn freeze(&mut self, frozen: bool) {
        tool("fsfreeze", &[if frozen { "--freeze" } else { "--unfreeze" }, self.path.to_str().unwrap()]);
        self.frozen = frozen;
    }
}

impl Drop for StuckDisk {
    fn drop(&mut self) {
        if self.frozen {
            let _ = Command::new("fsfreeze").arg("--unfreeze").arg(&self.path).status();
        }
        let _ = Command::new("umount").arg("--lazy").arg(&self.path).status();
    }
}

fn tool(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// 17: a disk that does not take anything delays neither the election nor who asks for the status.
#[test]
fn a_disk_that_is_stuck_delays_neither_the_election_nor_an_answer() {
    let duo = Duo::default();
    let [one, two] = [1, 2].map(|number| duo.lab.host(number));
    let state = two.directory().join("state");
    let mut disk = StuckDisk::mount(&state);
    let text = Vrrpd.render(two, &RouterConfig::web(99).into());
    let text = with_state(&text, &state);
    let first = start(one, 100, "");
    let second = Daemon::start_with(Vrrpd, two, &text);
    duo.wait_until_master(1, &RouterConfig::web(100));
    second.wait_for_state("web", "BACKUP");
    disk.freeze(true);
    let start = Stamp::now();
    first.crash();
    duo.check_takeover(start, netns_tests::down_interval(3, 99, TENTH));
    let asked = Instant::now();
    assert_eq!(second.router("web")["state"], "MASTER");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    sleep(10 * TENTH);
    let adverts = duo.capture.adverts_since(start);
    let sent: Vec<Stamp> = adverts.iter().filter(|(_, advert)| advert.priority == 99).map(|(at, _)| *at).collect();
    assert!(sent.len() >= 9 && sent.windows(2).all(|pair| pair[1] - pair[0] < 3 * TENTH), "{sent:?}");
    disk.freeze(false);
    assert!(second.stop().success());
}

/// 20: a firewall on the host itself lets no advert out.
#[test]
fn a_firewall_that_forbids_adverts_is_named_and_counted() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let daemon = start(host, 100, "");
    duo.wait_until_master(1, &RouterConfig::web(100));
    drop_adverts(host, "output");
    wait_for("send errors are counted", || daemon.router("web")["counters"]["send_errors"].as_u64() > Some(5));
    let said = String::from_utf8(daemon.vrrpctl(&["events"]).stdout).unwrap();
    assert!(said.contains("cannot send an advert") && said.contains("a firewall on this host forbids it"), "{said}");
    stop_dropping(host);
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// 22: the address that adverts are sent from goes. A router that cannot speak says so and is FAULT, and comes back with the address.
#[test]
fn a_unicast_router_without_its_source_address_is_a_fault_until_it_is_back() {
    let duo = Duo::default();
    let [one, two] = [1, 2].map(|number| duo.lab.host(number));
    let own = |host: &Host, last| {
        let source: IpAddr = Ipv4Addr::new(192, 168, 100, last).into();
        host.add_address(source, 24);
        source
    };
    let sources = [own(one, 71), own(two, 72)];
    let unicast =
        |own: usize| format!("source_address = \"{}\"\nunicast_peers = [\"{}\"]\n", sources[own], sources[1 - own]);
    let daemons = [start(one, 100, &unicast(0)), start(two, 99, &unicast(1))];
    daemons[0].wait_for_state("web", "MASTER");
    daemons[1].wait_for_state("web", "BACKUP");
    for number in [1, 0] {
        let host = duo.lab.host(number + 1);
        host.delete_address(sources[number]);
        daemons[number].wait_for_state("web", "FAULT");
        // The other one is Master, or becomes it.
        daemons[1 - number].wait_for_state("web", "MASTER");
        assert!(!host.has(vip()));
        host.add_address(sources[number], 24);
        daemons[0].wait_for_state("web", "MASTER");
        daemons[1].wait_for_state("web", "BACKUP");
    }
}
