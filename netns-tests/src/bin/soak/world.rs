//! The pair, and what is done to it.

use std::fs;
use std::net::IpAddr;
use std::thread::sleep;
use std::time::{Duration, Instant};

use netns_tests::{Crafted, Daemon, Duo, Flood, Host, Implementation, Notices, RouterConfig, Stamp, with_state};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::watch::longest_overlap;

/// How often the hosts are looked at while they settle.
const LOOK: Duration = Duration::from_millis(25);
/// For so long, two and a half intervals, only one host may be heard.
const QUIET: Duration = Duration::from_millis(250);
/// Useless packets a second.
const JUNK: u32 = 5_000;

pub(crate) struct World {
    pub(crate) duo: Duo,
    notices: [Notices; 2],
    daemons: [Option<Daemon>; 2],
    /// What each host had before.
    before: [String; 2],
    /// Every process that there was.
    past: Vec<Pid>,
    flood: Option<Flood>,
}

impl World {
    pub(crate) fn new() -> Self {
        let duo = Duo::default();
        let notices = [1, 2].map(|number| duo.lab.host(number).notices());
        let before = [1, 2].map(|number| inventory(duo.lab.host(number)));
        let mut world = Self { duo, notices, daemons: [None, None], before, past: Vec::new(), flood: None };
        world.start_anew();
        world
    }

    /// Daemons that have seen nothing yet.
    pub(crate) fn start_anew(&mut self) {
        self.flood = None;
        for host in [1, 2] {
            self.replace(host);
        }
        self.settle(Duration::from_secs(20)).expect("a pair without a fault has one Master");
    }

    pub(crate) fn daemon(&self, host: usize) -> &Daemon {
        self.daemons[host - 1].as_ref().expect("a daemon that ended is replaced at once")
    }

    pub(crate) fn signal(&self, host: usize, signal: Signal) {
        let _ = kill(self.daemon(host).process().pid(), signal);
    }

    pub(crate) fn kill_guardian(&mut self, host: usize) {
        let tree = self.daemon(host).process().tree();
        self.past.extend(&tree);
        tree.iter().skip(1).for_each(|pid| {
            let _ = kill(*pid, Signal::SIGKILL);
        });
    }

    pub(crate) fn crash(&mut self, host: usize) {
        self.remember(host);
        if let Some(daemon) = &mut self.daemons[host - 1] {
            daemon.kill();
        }
    }

    fn remember(&mut self, host: usize) {
        if let Some(daemon) = &self.daemons[host - 1] {
            self.past.extend(daemon.process().tree());
        }
    }

    /// Another daemon, in place of one that has ended or is ended now.
    pub(crate) fn replace(&mut self, host: usize) {
        self.remember(host);
        self.daemons[host - 1] = None;
        let on = self.duo.lab.host(host);
        self.daemons[host - 1] =
            Some(Daemon::start_with(Implementation::Vrrpd, on, &text(on, if host == 1 { 100 } else { 99 })));
    }

    pub(crate) fn thaw(&mut self, host: usize) {
        self.remember(host);
        for pid in self.daemon(host).process().tree() {
            let _ = kill(pid, Signal::SIGCONT);
        }
        sleep(QUIET);
        if !self.daemons[host - 1].as_mut().is_some_and(Daemon::is_running) {
            self.replace(host);
        }
    }

    pub(crate) fn remove_address(&self, host: usize) {
        // By name, as an operator would: it may be gone by now.
        self.duo.lab.host(host).run("ip", &["addr", "del", &format!("{}/24", addresses()[0]), "dev", "eth0"]);
    }

    pub(crate) fn vrrpctl(&self, host: usize, arguments: &[&str]) {
        // Refused where the other host cannot take over: that is right.
        drop(self.daemon(host).vrrpctl(arguments));
    }

    pub(crate) fn deafen(&self, host: usize) {
        let rules = "table ip wall { chain c { type filter hook input priority 0; ip protocol 112 drop; }; }";
        assert!(self.duo.lab.host(host).run("nft", &[rules]).status.success(), "the table is made");
    }

    pub(crate) fn undeafen(&self, host: usize) {
        assert!(self.duo.lab.host(host).run("nft", &["delete table ip wall"]).status.success(), "the table is there");
    }

    pub(crate) fn flood(&mut self) {
        let junk = Crafted { ttl: 254, ..Crafted::new(254) };
        self.flood = Some(Flood::start(self.duo.lab.client(), vec![junk.frame()], JUNK));
    }

    pub(crate) fn end_flood(&mut self) {
        self.flood.take().map(Flood::stop);
    }

    /// Waits until host 1 alone is heard and has the address; how long that took. An error says what is wrong at the bound.
    pub(crate) fn settle(&self, bound: Duration) -> Result<Duration, String> {
        let (begun, own) = (Instant::now(), self.duo.lab.host(1).ip());
        let mut good_since = Stamp::now();
        loop {
            sleep(LOOK);
            let wrong = self.wrong(own, good_since);
            let quiet = Stamp::now() - good_since;
            match wrong {
                None if quiet >= QUIET => return Ok(begun.elapsed().saturating_sub(quiet)),
                Some(wrong) if begun.elapsed() > bound => return Err(format!("{wrong} {bound:?} after the repair")),
                Some(_) => good_since = Stamp::now(),
                None => {}
            }
        }
    }

    fn wrong(&self, own: IpAddr, since: Stamp) -> Option<String> {
        let holds = [1, 2].map(|number| {
            let held = self.duo.lab.host(number).addresses();
            addresses().map(|address| held.contains(&address))
        });
        let adverts = self.duo.capture.adverts_since(since);
        let other = self.duo.lab.host(2).ip();
        let silent = Stamp::now() - since >= QUIET && !adverts.iter().any(|(_, advert)| advert.source == own);
        if holds != [[true; 2], [false; 2]] {
            Some(format!("hosts 1 and 2 have the addresses: {holds:?}"))
        } else if adverts.iter().any(|(_, advert)| advert.source == other) {
            Some("host 2 advertises".to_owned())
        } else {
            silent.then(|| "host 1 does not advertise".to_owned())
        }
    }

    pub(crate) fn held_by_both(&self, from: Stamp, to: Stamp) -> Duration {
        let both = |address| longest_overlap([&self.notices[0], &self.notices[1]], address, from, to);
        addresses().map(both).into_iter().max().unwrap_or_default()
    }

    /// What both daemons wrote last.
    pub(crate) fn report(&self) {
        for (host, daemon) in (1..).zip(self.daemons.iter().flatten()) {
            let log = daemon.process().log();
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(25)..].iter().for_each(|line| println!("              h{host}: {line}"));
        }
    }

    /// Stops both daemons; what is left of them.
    pub(crate) fn stop(&mut self) -> Vec<String> {
        let mut left = Vec::new();
        for host in [2, 1] {
            self.remember(host);
            let status = self.daemons[host - 1].take().map(Daemon::stop);
            if !status.is_some_and(|status| status.success()) {
                left.push(format!("h{host}: the daemon ended with {status:?}"));
            }
            let after = inventory(self.duo.lab.host(host));
            if after != self.before[host - 1] {
                left.push(format!("h{host}: left behind:\n{after}\nwhere there was\n{}", self.before[host - 1]));
            }
        }
        let ours =
            |pid: &&Pid| fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.starts_with("vrrpd"));
        left.extend(self.past.iter().filter(ours).map(|pid| format!("process {pid} is still there")));
        left
    }
}

/// Of `web` and of `mac`.
fn addresses() -> [IpAddr; 2] {
    [RouterConfig::web_address(), [192, 168, 100, 20].into()]
}

/// A router with the interface's MAC address, and one with a macvlan, a filter, a route and a rule.
fn text(host: &Host, priority: u8) -> String {
    let web = Implementation::Vrrpd.render(host, &RouterConfig::web(priority).into());
    let web = with_state(&web, &host.directory().join("state"));
    format!(
        r#"{web}
[virtual_router.mac]
interface = "eth0"
virtual_router_id = 52
priority = {priority}
advert_interval = "100ms"
mac = "virtual"
accept = false
virtual_addresses = ["192.168.100.20/24"]
virtual_routes = [{{ to = "203.0.113.0/24", via = "192.168.100.99" }}]
virtual_rules = [{{ from = "192.168.100.20/32", table = 1000 }}]
"#
    )
}

/// Addresses, interfaces, routes, rules and tables of a host, without the numbers that differ each time an interface is made.
fn inventory(host: &Host) -> String {
    let shown =
        |program: &str, arguments: &[&str]| String::from_utf8_lossy(&host.run(program, arguments).stdout).into_owned();
    let links: String = shown("ip", &["-br", "link"]).lines().map(|line| name(line) + "\n").collect();
    let addresses: String = shown("ip", &["-4", "-o", "addr"]).lines().map(|line| own_words(line) + "\n").collect();
    let mut routes: Vec<String> =
        shown("ip", &["-4", "route", "show", "table", "all"]).lines().map(str::to_owned).collect();
    routes.sort();
    [links, addresses, routes.join("\n"), shown("ip", &["rule"]), shown("nft", &["list", "tables"])].concat()
}

/// `eth0@if7` is `eth0`.
fn name(line: &str) -> String {
    line.split(['@', ' ']).next().unwrap_or_default().to_owned()
}

/// The interface and the address of a line of `ip -o addr`.
fn own_words(line: &str) -> String {
    line.split_whitespace().skip(1).take(3).collect::<Vec<_>>().join(" ")
}
