//! `arp`, `route` and `process` tracks in a network namespace of their own. They need root.

use crate::bench::{fails, passes, run, spec};
use crate::watch::{Bench, Sleeper, end};
use nix::sched::{CloneFlags, unshare};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;
use vrrpd::engine::Outcome::{Failed, Passed};
use vrrpd::engine::{Check, CheckReport, TrackerSpec};
use vrrpd::ids::InterfaceName;

/// Runs `test` in a thread with an empty network, whose loopback is up.
fn in_namespace(test: impl FnOnce() + Send + 'static) {
    let thread = thread::spawn(|| {
        unshare(CloneFlags::CLONE_NEWNET).expect("root, for a network namespace");
        ip("link set lo up");
        test();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status().unwrap();
    assert!(status.success(), "ip {arguments}");
}

/// A host on the other end of the cable `up0`, with the addresses 192.0.2.2 and `2001:db8::2`.
struct Neighbour(Child);

impl Neighbour {
    fn new() -> Self {
        let mut command = Command::new("unshare");
        command.args(["-n", "sh", "-c", "echo; exec sleep 300"]).stdout(Stdio::piped());
        let mut host = Self(command.spawn().unwrap());
        // It is in its namespace once it says a line.
        std::io::Read::read(host.0.stdout.as_mut().unwrap(), &mut [0]).unwrap();
        ip(&format!("link add up0 type veth peer name up1 netns {}", host.0.id()));
        ip("addr add 192.0.2.1/24 dev up0");
        ip("addr add 2001:db8::1/64 dev up0 nodad");
        ip("link set up0 up");
        host.run("addr add 192.0.2.2/24 dev up1");
        host.run("addr add 2001:db8::2/64 dev up1 nodad");
        host.run("link set up1 address 02:00:00:00:00:02");
        host.run("link set up1 up");
        host
    }

    fn run(&self, arguments: &str) {
        let pid = self.0.id().to_string();
        let mut command = Command::new("nsenter");
        let status = command.args(["-t", &pid, "-n", "ip"]).args(arguments.split(' ')).status().unwrap();
        assert!(status.success(), "ip {arguments}");
    }
}

impl Drop for Neighbour {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn once(spec: TrackerSpec) -> CheckReport {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(run(spec))
}

fn arp(address: IpAddr, interface: &str) -> TrackerSpec {
    let check = Check::Arp { address, interface: InterfaceName::new(interface).unwrap() };
    TrackerSpec { timeout: Duration::from_secs(2), ..spec(check) }
}

const NEIGHBOUR: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));

#[test]
fn arp_asks_a_neighbour() {
    in_namespace(|| {
        let neighbour = Neighbour::new();
        passes(&once(arp(NEIGHBOUR, "up0")), "is at 02:00:00:00:00:02");
        fails(&once(arp(NOBODY, "up0")), "timed out after 2s");
        ip("addr del 192.0.2.1/24 dev up0");
        passes(&once(arp(NEIGHBOUR, "up0")), "is at 02:00:00:00:00:02");
        neighbour.run("link set up1 down");
        fails(&once(arp(NEIGHBOUR, "up0")), "timed out after 2s");
        fails(&once(arp(NEIGHBOUR, "up9")), "there is no interface up9, or it is not an Ethernet one");
        fails(&once(arp(IpAddr::V6(Ipv6Addr::LOCALHOST), "up0")), "ARP is for IPv4 addresses: use ping for ::1");
        ip("link set up0 down");
        fails(&once(arp(NEIGHBOUR, "up0")), "up0: Network is down (os error 100)");
    });
}

#[test]
fn ping_asks_a_host_with_and_without_the_unprivileged_socket() {
    in_namespace(|| {
        let _neighbour = Neighbour::new();
        for range in ["1 0", "0 2147483647"] {
            let set = Command::new("sysctl").arg("-qw").arg(format!("net.ipv4.ping_group_range={range}")).status();
            assert!(set.unwrap().success());
            passes(&once(spec(Check::Ping(NEIGHBOUR))), "echo reply");
            passes(&once(spec(Check::Ping("2001:db8::2".parse().unwrap()))), "echo reply");
            let lost = TrackerSpec { timeout: Duration::from_millis(500), ..spec(Check::Ping(NOBODY)) };
            fails(&once(lost), "timed out after 500ms");
            let unreachable = once(spec(Check::Ping(Ipv4Addr::new(198, 51, 100, 1).into())));
            fails(&unreachable, "Network is unreachable (os error 101)");
        }
    });
}

#[test]
fn a_route_is_followed_however_it_comes_and_goes() {
    in_namespace(|| {
        let _neighbour = Neighbour::new();
        let default = Check::Route(Ipv4Addr::UNSPECIFIED.into(), 0);
        let net = Check::Route(Ipv4Addr::new(198, 51, 100, 0).into(), 24);
        let default6 = Check::Route(Ipv6Addr::UNSPECIFIED.into(), 0);
        let no_default = "no route to 0.0.0.0/0 in the main table";
        let mut bench = Bench::new(vec![default, net, default6]);
        bench.tells(0, Failed, no_default);
        bench.tells(1, Failed, "no route to 198.51.100.0/24 in the main table");
        bench.tells(2, Failed, "no route to ::/0 in the main table");
        ip("route add default via 192.0.2.2");
        bench.tells(0, Passed, "present");
        ip("route add 198.51.100.0/24 via 192.0.2.2");
        bench.tells(1, Passed, "present");
        ip("-6 route add default via 2001:db8::2");
        bench.tells(2, Passed, "present");
        ip("route add default via 192.0.2.3 metric 50");
        ip("route del default via 192.0.2.2 metric 0");
        ip("route add 198.51.101.0/24 via 192.0.2.2");
        ip("route add default via 192.0.2.2 table 100");
        bench.is_silent();
        ip("route del default via 192.0.2.3");
        bench.tells(0, Failed, no_default);
        ip("route add unreachable default");
        bench.is_silent();
        ip("route replace default via 192.0.2.2");
        // The unreachable one has the same metric: it is replaced.
        bench.tells(0, Passed, "present");
        // Of these the kernel says nothing but that the interface is down.
        ip("link set up0 down");
        bench.tells(0, Failed, no_default);
        bench.tells(1, Failed, "no route to 198.51.100.0/24 in the main table");
        bench.tells(2, Failed, "no route to ::/0 in the main table");
    });
}

/// The process events connector is not there: the kernel tells of ends, and starts are searched for.
#[test]
fn a_process_is_followed_in_a_namespace_too() {
    in_namespace(|| {
        let sleeper = Sleeper::new("vn");
        let none = format!("no process {} is running", sleeper.name);
        let mut bench = Bench::new(vec![Check::Process(sleeper.name.as_str().into())]);
        bench.tells(0, Failed, &none);
        let child = sleeper.start();
        bench.tells(0, Passed, "running");
        end(child);
        bench.tells(0, Failed, &none);
    });
}
