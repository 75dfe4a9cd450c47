//! Who else claims a virtual address, by ARP and neighbour advertisements: which of them is a stranger.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use pnet_base::MacAddr;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;
use vrrpd::config::{self, Context};
use vrrpd::engine::{Engine, Event, InterfaceFacts, Provenance};
use vrrpd::ids::InterfaceName;
use vrrpd::time::Timestamp;
use vrrpd::vrrp::{Action, Cause};

const CONFIG: &str = r#"
[virtual_router.web]
interface = "eth0"
virtual_router_id = 51
virtual_addresses = ["192.0.2.10/24"]
excluded_addresses = ["2001:db8::10/64"]

[virtual_router.mac]
interface = "eth0"
virtual_router_id = 52
mac = "virtual"
virtual_addresses = ["192.0.2.20/24"]
"#;

const ETH0: [u8; 6] = [2, 0, 0, 0, 0, 1];
const ETH1: [u8; 6] = [2, 0, 0, 0, 0, 2];
const STRANGER: [u8; 6] = [2, 0, 0, 0, 0, 0x66];
const VIRTUAL_51: [u8; 6] = [0, 0, 0x5e, 0, 1, 51];
const VIRTUAL_52: [u8; 6] = [0, 0, 0x5e, 0, 1, 52];

fn at(millis: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(millis))
}

fn name(interface: &str) -> InterfaceName {
    InterfaceName::new(interface).unwrap()
}

/// Both routers are Master from about 3.6 s on.
struct Host {
    engine: Engine,
    actions: Vec<Action>,
}

impl Host {
    fn new() -> Self {
        let plan = config::load_text(Path::new("test.toml"), CONFIG, &Context::portable()).unwrap().plan;
        let mut host = Self { engine: Engine::new(0), actions: Vec::new() };
        host.engine.reconfigure(&plan, Provenance::default(), at(0), &mut host.actions);
        for (interface, mac, last) in [("eth0", ETH0, 1), ("eth1", ETH1, 2)] {
            let facts = InterfaceFacts {
                index: last,
                up: true,
                mac: Some(mac.into()),
                ipv4: Some([192, 0, 2, last.try_into().unwrap()].into()),
                ..InterfaceFacts::default()
            };
            host.handle(Event::Interface { name: name(interface), facts: Some(facts) }, 0);
        }
        host
    }

    fn handle(&mut self, event: Event<'_>, millis: u64) {
        self.engine.handle(event, at(millis), &mut self.actions);
    }

    /// Ticks whenever it is due, so that it oversleeps nothing.
    fn run_until(&mut self, millis: u64) {
        while let Some(due) = self.engine.next_deadline().filter(|due| *due <= at(millis)) {
            self.engine.handle(Event::Tick, due, &mut self.actions);
        }
    }

    fn claim(&mut self, interface: &str, address: &str, mac: [u8; 6], millis: u64) {
        self.run_until(millis);
        let (interface, address, mac) = (name(interface), address.parse().unwrap(), MacAddr::from(mac));
        self.handle(Event::Claim { interface, address, mac }, millis);
    }

    /// The warnings in force, of all routers.
    fn warnings(&mut self, millis: u64) -> Vec<(String, &'static str, IpAddr)> {
        self.run_until(millis);
        let routers = self.engine.snapshot(at(millis)).routers;
        let of_router = |router: &vrrpd::engine::RouterStatus| {
            let name = router.name.to_string();
            router.warnings.iter().map(|one| (name.clone(), one.name, one.from)).collect::<Vec<_>>()
        };
        routers.iter().flat_map(of_router).collect()
    }

    fn said(&self) -> Vec<String> {
        let records = self.actions.iter().filter_map(|action| match action {
            Action::Record(record) => Some(&record.cause),
            _ => None,
        });
        let warned = records.filter_map(|cause| match cause {
            Cause::Warning { warning: "address_claimed", detail, .. } => Some(detail.to_string()),
            _ => None,
        });
        warned.collect()
    }
}

/// Each row: on which interface which address is said to be where, when; and whose warning that is.
#[test]
fn a_stranger_is_who_is_none_of_us() {
    for (interface, address, mac, millis, router) in [
        ("eth0", "192.0.2.10", STRANGER, 20_000, Some("web")),
        ("eth0", "2001:db8::10", STRANGER, 20_000, Some("web")),
        ("eth0", "192.0.2.20", STRANGER, 20_000, Some("mac")),
        // Another Master that uses the virtual MAC address, where this one does not.
        ("eth0", "192.0.2.10", VIRTUAL_51, 20_000, Some("web")),
        ("eth0", "192.0.2.20", VIRTUAL_51, 20_000, Some("mac")),
        ("eth0", "192.0.2.20", VIRTUAL_52, 20_000, None),
        ("eth0", "192.0.2.10", ETH0, 20_000, None),
        // The other interface of this host, in the same segment.
        ("eth0", "192.0.2.10", ETH1, 20_000, None),
        ("eth1", "192.0.2.10", STRANGER, 20_000, None),
        ("eth0", "192.0.2.11", STRANGER, 20_000, None),
        // A Backup sees the Master's announcements, and a new Master the last ones of the previous.
        ("eth0", "192.0.2.10", STRANGER, 2_000, None),
        ("eth0", "192.0.2.10", STRANGER, 5_000, None),
        ("eth0", "192.0.2.10", STRANGER, 7_900, Some("web")),
    ] {
        let mut host = Host::new();
        host.claim(interface, address, mac, millis);
        let expected: Vec<_> =
            router.map(|router| (router.to_owned(), "address_claimed", address.parse().unwrap())).into_iter().collect();
        let row = (interface, address, mac, millis);
        assert_eq!(host.warnings(millis + 500), expected, "{row:?}");
        assert_eq!(host.said().len(), expected.len(), "{row:?}");
    }
}

#[test]
fn it_is_said_once_a_minute_with_the_mac_address_and_what_to_do_and_over_after_three() {
    let mut host = Host::new();
    for second in 20..90 {
        host.claim("eth0", "192.0.2.10", STRANGER, second * 1000);
    }
    let said = host.said();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("02:00:00:00:00:66") && said[0].contains("remove the address there"), "{said:?}");
    assert_eq!(host.warnings(89_000 + 179_000).len(), 1);
    assert_eq!(host.warnings(89_000 + 180_000), []);
}
