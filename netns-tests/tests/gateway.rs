//! What a gateway that answers nobody does to a pair, and what holds a sync group back.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, Lab, RouterConfig, Stamp};

use Implementation::Vrrpd;

const PATIENCE: Duration = Duration::from_secs(15);

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

/// A pair, and a third host that is the gateway of both.
fn with_gateway() -> Duo {
    let lab = Lab::new(3);
    Duo { capture: lab.client().capture(), lab }
}

fn config(duo: &Duo, number: usize, weight: Option<i32>, more: &str) -> String {
    let (host, gateway) = (duo.lab.host(number), duo.lab.host(3).ip());
    let track = vec![("gateway".to_owned(), weight)];
    let priority = if number == 1 { 100 } else { 99 };
    let router = RouterConfig { track, ..RouterConfig::web(priority) };
    let text = Vrrpd.render(host, &router.into());
    format!(
        "{text}{more}\n[track.gateway]\nping = \"{gateway}\"\ninterval = \"200ms\"\ntimeout = \"150ms\"\nfall = 2\nrise = 2\n"
    )
}

fn start(duo: &Duo, weight: Option<i32>, more: &str) -> [Daemon; 2] {
    let daemons =
        [1, 2].map(|number| Daemon::start_with(Vrrpd, duo.lab.host(number), &config(duo, number, weight, more)));
    duo.wait_until_master(1, &RouterConfig::web(100));
    for daemon in &daemons {
        wait_for_gateway(daemon, true);
    }
    daemons
}

fn wait_for_gateway(daemon: &Daemon, healthy: bool) {
    let deadline = Stamp::now() + PATIENCE;
    while daemon.status()["tracks"][0]["healthy"] != healthy {
        assert!(Stamp::now() < deadline, "the gateway does not become healthy: {healthy}");
    }
}

#[test]
fn with_a_weight_the_pair_keeps_its_master_when_the_gateway_answers_neither() {
    let duo = with_gateway();
    let daemons = start(&duo, Some(-20), "");
    duo.lab.isolate(duo.lab.host(3));
    for daemon in &daemons {
        wait_for_gateway(daemon, false);
    }
    duo.wait_until_master(1, &RouterConfig::web(100));
    let lowered = daemons.each_ref().map(|daemon| daemon.router("web")["priority"].as_u64());
    assert_eq!(lowered, [Some(80), Some(79)]);
    let start = Stamp::now();
    sleep(Duration::from_secs(2));
    assert!(duo.capture.adverts_since(start).iter().all(|(_, advert)| advert.source == duo.lab.host(1).ip()));
    assert!(duo.lab.host(1).has(vip()) && !duo.lab.host(2).has(vip()));
}

#[test]
fn with_required_both_go_to_fault_as_the_lint_foretells() {
    let duo = with_gateway();
    let daemons = start(&duo, None, "");
    let file = duo.lab.host(1).write("lint.toml", &config(&duo, 1, None, ""));
    let checked =
        Command::new(Vrrpd.executable()).args(["--check-config", "--portable", "--config"]).arg(file).output();
    let checked = checked.unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(checked.status.success() && said.contains("both go to FAULT and nobody holds the addresses"), "{said}");

    duo.lab.isolate(duo.lab.host(3));
    for daemon in &daemons {
        daemon.wait_for_state("web", "FAULT");
    }
    for number in [1, 2] {
        duo.lab.host(number).wait_until_has(vip(), false, PATIENCE);
    }
    duo.lab.rejoin(duo.lab.host(3));
    duo.wait_until_master(1, &RouterConfig::web(100));
}

/// The Backup hears no Master because it is cut off itself: where the operator says so, it does not take over.
#[test]
fn an_isolated_host_that_may_promote_only_with_its_gateway_stays_backup() {
    let duo = with_gateway();
    let more = "\npromote_only_with = [\"gateway\"]\n";
    // A second between adverts leaves the check more time than it needs to notice.
    let slow = |number| {
        let text = config(&duo, number, Some(-20), more);
        text.replacen("advert_interval = \"100ms\"", "advert_interval = \"1s\"", 1)
    };
    let [_first, second] = [1, 2].map(|number| Daemon::start_with(Vrrpd, duo.lab.host(number), &slow(number)));
    let router = RouterConfig { interval: Duration::from_secs(1), ..RouterConfig::web(100) };
    duo.wait_until_master(1, &router);
    wait_for_gateway(&second, true);

    let isolated = duo.lab.host(2);
    duo.lab.isolate(isolated);
    let deadline = Stamp::now() + Duration::from_secs(8);
    while Stamp::now() < deadline {
        assert!(!isolated.has(vip()), "it has taken the address");
        sleep(Duration::from_millis(20));
    }
    assert_eq!(second.router("web")["state"], "BACKUP");
    let explained = String::from_utf8(second.vrrpctl(&["explain", "web"]).stdout).unwrap();
    assert!(explained.contains("gateway"), "{explained}");
    duo.lab.rejoin(isolated);
    duo.wait_until_master(1, &router);
}

/// Three members: two families on one interface, and VRRPv2 on another.
fn group(host: &Host, priority: u8) -> String {
    format!(
        r#"
[daemon]
control_socket = "{}/control.sock"

[virtual_router.web]
interface = "eth0"
virtual_router_id = 51
advert_interval = "200ms"
virtual_addresses = ["192.168.100.10/24"]

[virtual_router.web6]
interface = "eth0"
virtual_router_id = 51
advert_interval = "200ms"
virtual_addresses = ["fe80::100:10/64", "2001:db8:100::10/64"]

[virtual_router.back]
interface = "eth1"
virtual_router_id = 52
version = 2
virtual_addresses = ["10.20.0.10/24"]

[sync_group.site]
members = ["web", "web6", "back"]
priority = {priority}
"#,
        host.directory().display()
    )
}

fn ip(host: &Host, arguments: &str) {
    let done = host.run("ip", &arguments.split(' ').collect::<Vec<_>>());
    assert!(done.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&done.stderr));
}

const MEMBERS: [&str; 3] = ["web", "web6", "back"];

fn wait_for_group(daemon: &Daemon, state: &str) {
    for member in MEMBERS {
        daemon.wait_for_state(member, state);
    }
}

#[test]
fn a_group_over_interfaces_families_and_versions_moves_as_one_and_explain_names_who_holds_it_back() {
    let duo = Duo::default();
    let daemons = [(1, 100), (2, 99)].map(|(number, priority)| {
        let host = duo.lab.host(number);
        ip(host, "link add eth1 link eth0 type macvlan mode bridge");
        ip(host, &format!("address add 10.20.0.{number}/24 dev eth1"));
        ip(host, "link set eth1 up");
        Daemon::start_with(Vrrpd, host, &group(host, priority))
    });
    wait_for_group(&daemons[0], "MASTER");
    wait_for_group(&daemons[1], "BACKUP");

    ip(duo.lab.host(1), "link set eth1 down");
    wait_for_group(&daemons[1], "MASTER");
    let states = MEMBERS.map(|member| daemons[0].router(member)["state"].as_str().unwrap().to_owned());
    assert_eq!(states, ["BACKUP", "BACKUP", "FAULT"]);
    assert_eq!(daemons[0].router("web")["blocked_by"], "back");
    let explained = String::from_utf8(daemons[0].vrrpctl(&["explain", "web"]).stdout).unwrap();
    assert!(explained.contains("back holds it back") || explained.contains("back must be able"), "{explained}");
    for address in
        ["192.168.100.10", "2001:db8:100::10", "10.20.0.10"].map(|address| address.parse::<IpAddr>().unwrap())
    {
        duo.lab.host(1).wait_until_has(address, false, PATIENCE);
        duo.lab.host(2).wait_until_has(address, true, PATIENCE);
    }

    ip(duo.lab.host(1), "link set eth1 up");
    wait_for_group(&daemons[0], "MASTER");
    wait_for_group(&daemons[1], "BACKUP");
}
