//! The virtual router MAC address (RFC 9568, 7.3) and accept mode, as clients and switches see them.
#![allow(clippy::unwrap_used)]

use std::net::{IpAddr, Ipv4Addr};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Event, Host, Implementation, Packet, RouterConfig, Stamp};

const PATIENCE: Duration = Duration::from_secs(10);
const VIP: Ipv4Addr = Ipv4Addr::new(192, 168, 100, 10);
const VIP6: &str = "2001:db8:100::10";
const VMAC: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x01, 51];
const VMAC6: [u8; 6] = [0x00, 0x00, 0x5e, 0x00, 0x02, 51];

/// Runs a program on a host to its end; whether it succeeded, and what it said.
fn run(host: &Host, command: &str) -> (bool, String) {
    // Each has a log of its own.
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let mut words = command.split_whitespace();
    let mut line = Command::new(words.next().unwrap());
    line.args(words);
    let mut process = host.start(&format!("command{}", COUNT.fetch_add(1, Ordering::Relaxed)), line);
    let status = process.wait(PATIENCE).unwrap();
    (status.success(), process.log())
}

fn answer(host: &Host, command: &str) -> String {
    let (done, said) = run(host, command);
    assert!(done, "{command}: {said}");
    said
}

fn pings(client: &Host, address: &str) -> bool {
    run(client, &format!("ping -c 1 -W 1 {address}")).0
}

/// The MAC address that the client has for an address.
fn neighbour(client: &Host, address: &str) -> String {
    let said = answer(client, &format!("ip neigh show to {address} dev eth0"));
    said.split_whitespace().skip_while(|word| *word != "lladdr").nth(1).unwrap_or(&said).to_owned()
}

/// A router of each family with the virtual MAC address, and what else it is to have.
fn start(host: &Host, priority: u8, more: &str) -> Daemon {
    Daemon::start_with(Implementation::Vrrpd, host, &text(host, priority, more))
}

fn text(host: &Host, priority: u8, more: &str) -> String {
    let web = Implementation::Vrrpd.render(host, &RouterConfig::web(priority).into());
    format!(
        r#"{web}{more}

[virtual_router.web6]
interface = "eth0"
virtual_router_id = 51
priority = {priority}
advert_interval = "100ms"
virtual_addresses = ["fe80::10/64", "{VIP6}/64"]
{more}
"#
    )
}

fn start_virtual(host: &Host, priority: u8) -> Daemon {
    start(host, priority, "mac = \"virtual\"")
}

fn wait_for_master(duo: &Duo, number: usize) {
    let host = duo.lab.host(number);
    duo.capture.wait_until_only_v4(host.ip(), PATIENCE);
    for address in [IpAddr::from(VIP), VIP6.parse().unwrap()] {
        host.wait_until_has(address, true, PATIENCE);
    }
}

trait OnlyV4 {
    fn wait_until_only_v4(&self, source: IpAddr, timeout: Duration);
}

impl OnlyV4 for netns_tests::Capture {
    /// Waits until the IPv4 adverts of a quarter of a second are all from `source`.
    fn wait_until_only_v4(&self, source: IpAddr, timeout: Duration) {
        let deadline = Stamp::now() + timeout;
        loop {
            let start = Stamp::now();
            sleep(Duration::from_millis(250));
            let adverts = self.adverts_since(start);
            let mut sources = adverts.iter().map(|(_, advert)| advert.source).filter(IpAddr::is_ipv4).peekable();
            if sources.peek().is_some() && sources.all(|from| from == source) {
                return;
            }
            assert!(Stamp::now() < deadline, "{source} is not the only Master: {adverts:?}");
        }
    }
}

/// The MAC addresses that anything said stands for the virtual addresses.
fn claims(events: &[Event]) -> Vec<[u8; 6]> {
    let mut claims: Vec<[u8; 6]> = events
        .iter()
        .filter_map(|event| match &event.packet {
            Packet::Arp(arp) if arp.sender == VIP => Some(arp.sender_mac),
            Packet::NeighbourAdvertisement(advert) if advert.target.to_string() == VIP6 => Some(event.source_mac),
            _ => None,
        })
        .collect();
    claims.sort_unstable();
    claims.dedup();
    claims
}

fn sysctl(host: &Host, name: &str) -> String {
    answer(host, &format!("cat /proc/sys/net/ipv4/conf/eth0/{name}")).trim().to_owned()
}

fn macvlans(host: &Host) -> String {
    answer(host, "ip -o link show type macvlan")
}

#[test]
fn a_takeover_changes_nothing_for_clients() {
    let duo = Duo::default();
    let client = duo.lab.client();
    let first = start_virtual(duo.lab.host(1), 100);
    let _second = start_virtual(duo.lab.host(2), 90);
    wait_for_master(&duo, 1);
    assert!(pings(client, &VIP.to_string()) && pings(client, VIP6));
    assert_eq!(neighbour(client, &VIP.to_string()), "00:00:5e:00:01:33");
    assert_eq!(neighbour(client, VIP6), "00:00:5e:00:02:33");

    first.crash();
    wait_for_master(&duo, 2);
    // The switch's table has moved, or this would go to the first host, whose kernel still has the addresses; with those
    // gone, it is the second that answers.
    answer(duo.lab.host(1), "ip link del vrrp4.51.2");
    answer(duo.lab.host(1), "ip link del vrrp6.51.2");
    // A macvlan that goes leaves its multicast groups with a last packet, which the switch learns from until the next advert.
    sleep(Duration::from_millis(300));
    assert!(pings(client, &VIP.to_string()) && pings(client, VIP6));
    assert_eq!(neighbour(client, &VIP.to_string()), "00:00:5e:00:01:33");
    assert_eq!(neighbour(client, VIP6), "00:00:5e:00:02:33");
    assert_eq!(claims(&duo.capture.events()), [VMAC, VMAC6], "no other address ever stood for the virtual ones");
}

/// RFC 9568, 8.1.2 and 8.2.2: never the physical MAC address. Linux gives it for what is on the interface itself.
#[test]
fn an_owner_s_addresses_belong_on_the_macvlan_alone() {
    const PHYSICAL: [u8; 6] = [2, 0, 0, 0, 0, 1];
    const WARNING: &str = "192.168.100.10 is on eth0 itself, whose own MAC address answers for it too";
    let duo = Duo::default();
    let (host, client) = (duo.lab.host(1), duo.lab.client());
    let ask = || {
        let start = Stamp::now();
        for address in [VIP.to_string(), VIP6.to_owned()] {
            answer(client, "ip neigh flush dev eth0");
            assert!(pings(client, &address));
        }
        // The host looks for others in the name of the address, too.
        answer(host, "ip neigh flush all");
        run(host, &format!("ping -c 1 -W 1 -I {VIP} 192.168.100.99"));
        sleep(Duration::from_millis(200));
        claims(&duo.capture.since(start))
    };
    let owner = start_virtual(host, 255);
    wait_for_master(&duo, 1);
    assert_eq!(ask(), [VMAC, VMAC6]);
    assert!(!owner.process().log().contains(WARNING));
    assert!(owner.stop().success());
    assert_eq!(claims(&duo.capture.events()), [VMAC, VMAC6], "from the start to the stop");

    host.add_address(VIP.into(), 24);
    let owner = start_virtual(host, 255);
    wait_for_master(&duo, 1);
    assert!(owner.process().log().contains(WARNING), "{}", owner.process().log());
    assert!(ask().contains(&PHYSICAL), "or else there is nothing to warn of any more");
}

/// Where a host has the interface `lan0` that its routers are on, and how it is made.
struct Lan {
    kind: &'static str,
    made: &'static str,
    subnet: u8,
    /// The client's interface there.
    client: &'static str,
}

/// The kinds of interface that this kernel has, besides the cables of all other tests. On a macvlan, the kernel tells of
/// the interface below both.
const LANS: [Lan; 3] = [
    Lan {
        kind: "a bridge",
        made: "ip link add lan0 type bridge && ip link set eth0 master lan0 && ip addr flush dev eth0",
        subnet: 100,
        client: "eth0",
    },
    Lan {
        kind: "a macvlan",
        // Otherwise the interface below answers for whatever the host has.
        made: "ip link add link eth0 name lan0 type macvlan mode bridge && ip addr flush dev eth0 &&
               sysctl -qw net.ipv4.conf.eth0.arp_ignore=1",
        subnet: 100,
        client: "eth0",
    },
    Lan {
        kind: "a tunnel",
        made: "ip link add lan0 type vxlan id 7 dstport 4789 dev eth0 group 239.1.1.1",
        subnet: 101,
        client: "lan0",
    },
];

impl Lan {
    fn make(&self, host: &Host, number: u8) {
        let address = format!("ip addr add 192.168.{}.{number}/24 dev lan0", self.subnet);
        let made = host.run("sh", &["-c", &format!("{} && ip link set lan0 up && {address}", self.made)]);
        assert!(made.status.success(), "{}: {}", self.kind, String::from_utf8_lossy(&made.stderr));
    }

    fn start(&self, host: &Host, priority: u8) -> Daemon {
        let text = text(host, priority, "mac = \"virtual\"").replace("eth0", "lan0");
        let text = text.replace("192.168.100", &format!("192.168.{}", self.subnet));
        Daemon::start_with(Implementation::Vrrpd, host, &text)
    }

    /// Whether the client finds the virtual address, and at the virtual MAC address.
    fn is_served(&self, client: &Host) -> bool {
        let address = format!("192.168.{}.10", self.subnet);
        let pings = pings(client, &address);
        let entry = answer(client, &format!("ip neigh show to {address} dev {}", self.client));
        pings && entry.contains("00:00:5e:00:01:33")
    }
}

#[test]
fn bridges_macvlans_and_tunnels_carry_it() {
    for lan in LANS {
        let duo = Duo::default();
        let (first, second, client) = (duo.lab.host(1), duo.lab.host(2), duo.lab.client());
        lan.make(first, 1);
        lan.make(second, 2);
        if lan.client == "lan0" {
            lan.make(client, 99);
        }
        let address: IpAddr = [192, 168, lan.subnet, 10].into();
        let master = lan.start(first, 200);
        first.wait_until_has(address, true, PATIENCE);
        let backup = lan.start(second, 100);
        backup.wait_for_state("web", "BACKUP");
        assert!(lan.is_served(client), "{}", lan.kind);
        master.crash();
        second.wait_until_has(address, true, PATIENCE);
        assert!(first.has(address), "{}: nobody was left to take it away", lan.kind);
        let again = lan.start(first, 90);
        again.wait_for_state("web", "BACKUP");
        assert!(!first.has(address), "{}: the next start did", lan.kind);
        assert!(lan.is_served(client), "{}: by the other host", lan.kind);
        assert!(again.stop().success());
        assert!(!macvlans(first).contains("vrrp"), "{}: {}", lan.kind, macvlans(first));
    }
}

/// Both have the same address on a macvlan then, and the Master has to hear the one that displaces it all the same.
#[test]
fn a_preferred_host_that_returns_displaces_the_other() {
    let duo = Duo::default();
    let _second = start_virtual(duo.lab.host(2), 90);
    wait_for_master(&duo, 2);
    let _first = start_virtual(duo.lab.host(1), 100);
    wait_for_master(&duo, 1);
    duo.lab.host(2).wait_until_has(VIP.into(), false, PATIENCE);
    duo.lab.host(2).wait_until_has(VIP6.parse().unwrap(), false, PATIENCE);
}

#[test]
fn adverts_come_from_the_virtual_mac_and_the_interface_s_own_address() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let _daemon = start_virtual(host, 100);
    wait_for_master(&duo, 1);
    let adverts: Vec<Event> = duo.capture.events().into_iter().filter(|event| event.advert().is_some()).collect();
    for event in &adverts {
        let advert = event.advert().unwrap();
        match advert.source {
            IpAddr::V4(_) => assert_eq!((event.source_mac, advert.source), (VMAC, host.ip())),
            IpAddr::V6(source) => {
                assert_eq!((event.source_mac, source.to_string().as_str()), (VMAC6, "fe80::ff:fe00:1"));
            }
        }
        assert_eq!(advert.ttl, 255);
        assert_ne!(advert.checksum, netns_tests::Checksum::Wrong);
    }
    let own = answer(host, "ip -6 -o addr show scope link");
    assert!(!own.contains("fe80::200:5eff"), "the virtual MAC address makes no interface identifier: {own}");
}

#[test]
fn a_backup_says_nothing_with_the_virtual_mac() {
    let duo = Duo::default();
    let _master = start(duo.lab.host(1), 100, "");
    wait_for_master(&duo, 1);
    let mut tcpdump = Command::new("tcpdump");
    tcpdump.args(["-lni", "eth0", "ether[0:4] = 0x00005e00 or ether[6:4] = 0x00005e00"]);
    let seen = duo.lab.client().start("tcpdump", tcpdump);
    let backup = start_virtual(duo.lab.host(2), 90);
    sleep(Duration::from_secs(2));
    assert!(macvlans(duo.lab.host(2)).contains("vrrp4.51.2"), "it is prepared");
    assert!(backup.stop().success());
    sleep(Duration::from_millis(300));
    let log = seen.log();
    assert!(log.contains("listening on eth0"), "{log}");
    assert!(!log.contains("00:00:5e") && !log.contains("IP"), "{log}");
}

#[test]
fn a_stop_leaves_nothing_behind() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let before = ["arp_ignore", "arp_announce"].map(|name| sysctl(host, name));
    let daemon = start_virtual(host, 100);
    wait_for_master(&duo, 1);
    assert_eq!(["arp_ignore", "arp_announce"].map(|name| sysctl(host, name)), ["1", "2"]);
    assert!(daemon.stop().success());
    assert_eq!(macvlans(host), "");
    assert!(!host.has(VIP.into()));
    assert_eq!(["arp_ignore", "arp_announce"].map(|name| sysctl(host, name)), before);
}

#[test]
fn a_start_after_a_crash_cleans_up() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let daemon = start_virtual(host, 100);
    wait_for_master(&duo, 1);
    daemon.crash();
    assert!(macvlans(host).contains("vrrp4.51.2"));
    let _daemon = start(host, 100, "");
    wait_for_master(&duo, 1);
    assert_eq!(macvlans(host), "");
    assert_eq!(sysctl(host, "arp_ignore"), "0", "as it was before the daemon that crashed");
}

#[test]
fn a_macvlan_that_somebody_removes_or_sets_down_is_put_back() {
    let duo = Duo::default();
    let (host, client) = (duo.lab.host(1), duo.lab.client());
    let _daemon = start_virtual(host, 100);
    wait_for_master(&duo, 1);
    for harm in ["ip link del vrrp4.51.2", "ip link set vrrp4.51.2 down", "ip link set vrrp6.51.2 down"] {
        answer(host, harm);
        sleep(Duration::from_millis(200));
        host.wait_until_has(VIP.into(), true, PATIENCE);
        host.wait_until_has(VIP6.parse().unwrap(), true, PATIENCE);
        assert!(pings(client, &VIP.to_string()), "{harm}");
        assert!(pings(client, VIP6), "{harm}");
    }
}

const REFUSING: &str = "accept = false";

fn resolves(client: &Host, address: &str) -> bool {
    answer(client, "ip neigh flush dev eth0");
    assert!(!pings(client, address), "{address} takes packets");
    answer(client, &format!("ip neigh show to {address} dev eth0")).contains("lladdr")
}

#[test]
fn without_accept_addresses_are_resolved_and_take_nothing() {
    let duo = Duo::default();
    let (host, client) = (duo.lab.host(1), duo.lab.client());
    for mac in ["interface", "virtual"] {
        let daemon = start(host, 100, &format!("{REFUSING}\nmac = \"{mac}\""));
        wait_for_master(&duo, 1);
        assert!(pings(client, &host.ip().to_string()), "the host's own address does");
        for address in [VIP.to_string(), VIP6.to_owned()] {
            assert!(resolves(client, &address), "{mac}: {address}");
        }
        assert!(pings(host, &VIP.to_string()), "the host itself may");
        assert!(answer(host, "nft list tables").contains("table inet vrrpd"));
        assert!(daemon.stop().success());
        assert_eq!(answer(host, "nft list tables"), "");
    }
}

#[test]
fn without_accept_nothing_is_forwarded_to_the_address_either() {
    let duo = Duo::default();
    let (host, client) = (duo.lab.host(1), duo.lab.client());
    let _daemon = start(host, 100, REFUSING);
    wait_for_master(&duo, 1);
    answer(host, "sysctl -w net.ipv4.ip_forward=1");
    // As if the address were behind the host and not on it.
    answer(host, "ip addr del 192.168.100.10/24 dev eth0");
    let start = Stamp::now();
    assert!(!pings(client, &VIP.to_string()));
    let asked = |event: &Event| matches!(&event.packet, Packet::Arp(arp) if arp.target == VIP && arp.sender_mac == [2, 0, 0, 0, 0, 1] && arp.sender != VIP);
    assert!(!duo.capture.since(start).iter().any(asked), "the host looks for another that has it");
}

#[test]
fn a_crash_takes_the_refusal_along_and_flushing_the_host_s_rules_does_not() {
    let duo = Duo::default();
    let (host, client) = (duo.lab.host(1), duo.lab.client());
    let daemon = start(host, 100, REFUSING);
    wait_for_master(&duo, 1);
    answer(host, "nft flush ruleset");
    assert!(!pings(client, &VIP.to_string()));
    daemon.crash();
    assert_eq!(answer(host, "nft list tables"), "");
    let daemon = start(host, 100, "");
    wait_for_master(&duo, 1);
    assert!(pings(client, &VIP.to_string()) && pings(client, VIP6));
    assert!(daemon.stop().success());
}

#[test]
fn a_reload_switches_accepting_on_and_off() {
    let duo = Duo::default();
    let (host, client) = (duo.lab.host(1), duo.lab.client());
    let daemon = start(host, 100, "");
    wait_for_master(&duo, 1);
    for (more, takes) in [(REFUSING, false), ("", true)] {
        daemon.rewrite_with(&text(host, 100, more));
        daemon.reload();
        sleep(Duration::from_millis(300));
        assert_eq!(pings(client, &VIP.to_string()), takes, "{more}");
        assert_eq!(pings(client, VIP6), takes, "{more}");
    }
}

#[test]
fn routes_and_rules_go_with_the_master_and_come_back_when_removed() {
    const HELD: &str = r#"virtual_routes = [
    { to = "10.9.0.0/16", via = "192.168.100.99", metric = 50, source = "192.168.100.10" },
    { to = "0.0.0.0/0", via = "192.168.100.99", table = 1000 },
    { to = "2001:db8:9::/48", via = "2001:db8:100::63", device = "eth0" },
]
virtual_rules = [{ from = "192.168.100.10/32", table = 1000 }, { to = "2001:db8:9::/48", table = 1000, priority = 900 }]"#;
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let shown = || {
        ["ip route show proto 112 table all", "ip -6 route show proto 112 table all", "ip rule", "ip -6 rule"]
            .map(|command| answer(host, command))
            .concat()
    };
    let expected = [
        "10.9.0.0/16 via 192.168.100.99 dev eth0 src 192.168.100.10 metric 50",
        "default via 192.168.100.99 dev eth0 table 1000",
        "2001:db8:9::/48 via 2001:db8:100::63 dev eth0",
        "from 192.168.100.10 lookup 1000 proto 112",
        "from all to 2001:db8:9::/48 lookup 1000 proto 112",
    ];
    let check = |there: bool| {
        let shown = shown();
        for line in expected {
            assert_eq!(shown.contains(line), there, "{line} in\n{shown}");
        }
    };
    answer(host, "ip route add 10.8.0.0/16 via 192.168.100.99 proto 112 table 7");
    let one =
        text(host, 100, "").replacen("\n\n[virtual_router.web6]", &format!("\n{HELD}\n\n[virtual_router.web6]"), 1);
    let daemon = Daemon::start_with(Implementation::Vrrpd, host, &one);
    wait_for_master(&duo, 1);
    sleep(Duration::from_millis(100));
    check(true);
    assert!(!shown().contains("10.8.0.0/16"), "left behind by a crash, as far as anybody can tell");

    for harm in ["ip route del 10.9.0.0/16", "ip rule del from 192.168.100.10", "ip -6 route del 2001:db8:9::/48"] {
        answer(host, harm);
        sleep(Duration::from_millis(200));
        check(true);
    }
    host.set_link(false);
    host.set_link(true);
    host.add_address(host.ip6(), 64);
    wait_for_master(&duo, 1);
    sleep(Duration::from_millis(500));
    check(true);

    daemon.rewrite_with(&text(host, 100, ""));
    daemon.reload();
    sleep(Duration::from_millis(300));
    check(false);
    daemon.rewrite_with(&one);
    daemon.reload();
    sleep(Duration::from_millis(300));
    check(true);
    assert!(daemon.stop().success());
    check(false);
}
