//! A host with the daemon under test, crafted peers, a capture of everything, and what was checked so far.

use std::fmt::Display;
use std::net::{IpAddr, Ipv6Addr};
use std::thread::sleep;
use std::time::Duration;

use crate::craft::Crafted;
use crate::{Advert, Capture, Daemon, Event, Host, Implementation, Lab, PairConfig, RouterConfig, Stamp};

/// Ten adverts a second: what most scenarios use.
pub(super) const TENTH: Duration = Duration::from_millis(100);
/// How long anything may take that has no time of its own.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);
/// The hardware address of the host under test.
pub(super) const DEVICE: [u8; 6] = [2, 0, 0, 0, 0, 1];

/// The link-local address that the kernel makes of it.
pub(super) const LINK_LOCAL: IpAddr = IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0xff, 0xfe00, 1));

/// How late a timer may fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tolerance {
    /// 5 ms or 2 %: what a daemon owes on a machine that has nothing else to do.
    Strict,
    /// 200 ms, for busy machines. How soon is never a matter of the machine.
    Loose,
}

/// A look at one requirement.
#[derive(Debug)]
pub(super) struct Check {
    pub(super) id: &'static str,
    pub(super) holds: bool,
    pub(super) detail: String,
}

/// A lab with the device under test as host 1, and a capture at the client, which also injects.
pub struct Bench {
    pub(super) implementation: Implementation,
    tolerance: Tolerance,
    checks: Vec<Check>,
    /// Before the lab: it must go first.
    pub(super) capture: Capture,
    pub(super) lab: Lab,
}

impl Bench {
    pub(super) fn new(implementation: Implementation, tolerance: Tolerance) -> Self {
        let lab = Lab::new(3);
        let capture = lab.client().capture_all("eth0");
        Self { implementation, tolerance, checks: Vec::new(), capture, lab }
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    /// The host under test.
    pub(super) fn device(&self) -> &Host {
        self.lab.host(1)
    }

    /// Gives the host under test an `eth1` that leads nowhere, with this address.
    pub(super) fn second_interface(&self, address: &str) -> &Host {
        let (device, address) = (self.device(), format!("address add {address} dev eth1"));
        for command in ["link add eth1 type veth peer name eth2", "link set eth1 up", "link set eth2 up", &address] {
            let output = device.run("ip", &command.split(' ').collect::<Vec<_>>());
            assert!(output.status.success(), "ip {command}: {}", String::from_utf8_lossy(&output.stderr));
        }
        device
    }

    pub(super) fn start(&self, routers: Vec<RouterConfig>) -> Daemon {
        Daemon::start(self.implementation, self.device(), &PairConfig { routers, scripts: Vec::new() })
    }

    /// Starts ours with these lines behind `[virtual_router.web]`, on top of what any router needs.
    pub(super) fn start_ours(&self, lines: &str) -> Daemon {
        Daemon::start_with(self.implementation, self.device(), &self.ours(lines))
    }

    pub(super) fn ours(&self, lines: &str) -> String {
        let empty = PairConfig::default();
        let daemon = self.implementation.render(self.device(), &empty);
        format!("{daemon}\n[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\n{lines}\n")
    }

    /// Notes whether a requirement holds; `detail` says what was seen.
    pub(super) fn check(&mut self, id: &'static str, holds: bool, detail: impl Display) {
        self.checks.push(Check { id, holds, detail: detail.to_string() });
    }

    /// Several requirements that stand or fall with one look.
    pub(super) fn check_all(&mut self, ids: &[&'static str], holds: bool, detail: impl Display) {
        let detail = detail.to_string();
        for id in ids {
            self.check(id, holds, &detail);
        }
    }

    /// Notes whether a timer fired when theory says.
    pub(super) fn timed(&mut self, ids: &[&'static str], measured_ms: f64, theory: Duration) {
        let theory = theory.as_secs_f64() * 1e3;
        // Early is what comes in time after something that the busy machine let leave late.
        let (early, late) = match self.tolerance {
            Tolerance::Strict => (1.0, (theory * 0.02).max(5.0)),
            Tolerance::Loose => (10.0, 200.0),
        };
        let holds = (theory - early..=theory + late).contains(&measured_ms);
        self.check_all(ids, holds, format!("after {measured_ms:.2} ms rather than {theory:.2} ms"));
    }

    /// The frame of a crafted advert, with the checksum of the IPv4 version 3 form that the device takes: keepalived takes one only.
    pub(super) fn frame(&self, advert: &Crafted) -> Vec<u8> {
        let pseudo = advert.version == 3 && self.implementation == Implementation::Keepalived;
        Crafted { pseudo: advert.pseudo || pseudo, ..advert.clone() }.frame()
    }

    /// Within this a packet is answered at once.
    pub(super) fn at_once(&self) -> Duration {
        Duration::from_millis(if self.tolerance == Tolerance::Strict { 20 } else { 150 })
    }

    /// Sends a crafted advert once.
    pub(super) fn send(&self, advert: &Crafted) {
        self.lab.client().inject(&self.frame(advert));
    }

    /// Sends it `times` times, this far apart; returns after the last one at once.
    pub(super) fn feed(&self, advert: &Crafted, every: Duration, times: u32) {
        let start = std::time::Instant::now();
        for turn in 0..times {
            sleep((every * turn).saturating_sub(start.elapsed()));
            self.send(advert);
        }
    }

    /// Adverts of the host under test from `start` on.
    pub(super) fn adverts(&self, start: Stamp) -> Vec<(Stamp, Advert)> {
        let own = |(_, advert): &(Stamp, Advert)| self.is_device(advert.source);
        self.capture.adverts_since(start).into_iter().filter(own).collect()
    }

    fn is_device(&self, source: IpAddr) -> bool {
        source == self.device().ip() || source == LINK_LOCAL
    }

    /// Waits for its first advert from `start` on, as a whole event.
    pub(super) fn first_advert(&self, start: Stamp, patience: Duration) -> Option<Event> {
        self.capture.find(start, patience, |event| event.advert().is_some_and(|advert| self.is_device(advert.source)))
    }

    /// Waits until it advertises as Master; the scenario ends if it does not.
    pub(super) fn become_master(&self) -> Stamp {
        let master =
            |event: &Event| event.advert().is_some_and(|advert| self.is_device(advert.source) && advert.priority > 0);
        self.capture.wait_for("an advert of the device", Stamp::now(), PATIENCE, master).at
    }

    /// The time from the last advert of `source` to the device's first one after it.
    pub(super) fn takeover(&self, source: IpAddr, patience: Duration) -> f64 {
        let last = self.last_of(source);
        let taken = self.first_advert(last, patience).map(|event| event.at);
        taken.map_or(f64::INFINITY, |taken| taken.millis_after(last))
    }

    /// When `source` was last heard, or sent for.
    pub(super) fn last_of(&self, source: IpAddr) -> Stamp {
        sleep(Duration::from_millis(2));
        let adverts = self.capture.all_adverts();
        adverts.iter().rev().find(|(_, advert)| advert.source == source).map_or_else(Stamp::now, |(at, _)| *at)
    }

    /// Gives any daemon the time to start.
    pub(super) fn settle(&self) {
        sleep(Duration::from_millis(if self.implementation == Implementation::Vrrpd { 150 } else { 1000 }));
    }
}

/// One counter of our router `web`, or of `eth0`.
pub(super) fn counter(daemon: &Daemon, name: &str) -> u64 {
    let status = daemon.status();
    let of = |list: &str| status[list][0]["counters"][name].as_u64();
    of("virtual_routers").or_else(|| of("interfaces")).unwrap_or(0)
}

/// Waits until our daemon answers `vrrpctl` and its router stands in the election.
pub(super) fn wait_until(daemon: &Daemon, name: &str, state: &str) {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let output = daemon.vrrpctl(&["status", "--json"]);
        let status: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let routers = status["virtual_routers"].as_array().cloned().unwrap_or_default();
        if routers.iter().any(|router| router["name"] == name && router["state"] == state) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{name} is not {state}: {routers:?}");
        sleep(Duration::from_millis(10));
    }
}
