//! Which configurations are taken (CF), and what of the other sections only shows there.

use super::bench::{Bench, TENTH, wait_until};
use super::{Needs, Scenario};
use crate::craft::Crafted;
use crate::{Implementation, RouterConfig};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "what_a_configuration_may_say",
        covers: &["CF-01", "CF-02", "CF-04", "CF-05", "TX-22", "TX-23", "SE-02", "SE-03", "IO-07", "AN-05"],
        needs: Needs::Ours,
        run: what_a_configuration_may_say,
    },
    Scenario { name: "defaults", covers: &["CF-02", "CF-04", "CF-06"], needs: Needs::Ours, run: defaults },
    Scenario {
        name: "a_password_for_each_router",
        covers: &["CF-09", "TX-25"],
        needs: Needs::Ours,
        run: a_password_for_each_router,
    },
    Scenario { name: "different_address_lists", covers: &["CF-08"], needs: Needs::Ours, run: different_address_lists },
];

const VRID: &str = "virtual_router_id = 51";
const ADDRESS: &str = "virtual_addresses = [\"192.168.100.10/24\"]";

/// What `vrrpd --check-config --portable` says of a router with these lines: whether it takes them, and the text.
fn verdict(bench: &Bench, lines: &[&str]) -> (bool, String) {
    let text = format!("[virtual_router.web]\ninterface = \"eth0\"\n{}\n", lines.join("\n"));
    let file = bench.device().write("candidate.toml", &text);
    let mut command = Command::new(Implementation::Vrrpd.executable());
    let output = command.args(["--check-config", "--portable", "--config"]).arg(file).output().expect("it is built");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

/// Requirement, whether it is taken, the lines, and a word that the answer must have.
type Row = (&'static str, bool, &'static [&'static str], &'static str);

const ROWS: &[Row] = &[
    ("CF-01", true, &["virtual_router_id = 1", ADDRESS], ""),
    ("CF-01", true, &["virtual_router_id = 255", ADDRESS], ""),
    ("CF-01", false, &["virtual_router_id = 0", ADDRESS], "virtual_router_id"),
    ("CF-01", false, &["virtual_router_id = 256", ADDRESS], "virtual_router_id"),
    ("CF-01", false, &[ADDRESS], "virtual_router_id"),
    ("CF-02", true, &[VRID, ADDRESS, "priority = 1"], ""),
    ("CF-02", true, &[VRID, ADDRESS, "priority = 254"], ""),
    ("CF-02", false, &[VRID, ADDRESS, "priority = 0"], "priority"),
    ("CF-02", false, &[VRID, ADDRESS, "priority = 256"], "priority"),
    ("CF-04", true, &[VRID, ADDRESS, "advert_interval = \"10ms\""], ""),
    ("CF-04", true, &[VRID, ADDRESS, "advert_interval = \"40.95s\""], ""),
    ("CF-04", false, &[VRID, ADDRESS, "advert_interval = \"0s\""], "advert_interval"),
    ("CF-04", false, &[VRID, ADDRESS, "advert_interval = \"40.96s\""], "advert_interval"),
    ("CF-04", false, &[VRID, ADDRESS, "advert_interval = \"15ms\""], "advert_interval"),
    ("CF-05", true, &[VRID, ADDRESS, "version = 2", "advert_interval = \"255s\""], ""),
    ("CF-05", false, &[VRID, ADDRESS, "version = 2", "advert_interval = \"256s\""], "advert_interval"),
    ("CF-05", false, &[VRID, ADDRESS, "version = 2", "advert_interval = \"500ms\""], "advert_interval"),
    ("TX-22", true, &[VRID, "virtual_addresses = [\"fe80::10/64\", \"2001:db8::10/64\"]"], ""),
    ("TX-22", false, &[VRID, "virtual_addresses = [\"2001:db8::10/64\", \"fe80::10/64\"]"], "link-local"),
    ("TX-22", false, &[VRID, "virtual_addresses = [\"2001:db8::10/64\"]"], "link-local"),
    ("TX-23", false, &[VRID, "virtual_addresses = [\"192.168.100.10/24\", \"fe80::10/64\"]"], "family"),
    ("SE-02", false, &[VRID, ADDRESS, "authentication = { type = \"password\", secret = \"x\" }"], "version"),
    (
        "SE-03",
        true,
        &[VRID, ADDRESS, "version = 2", "authentication = { type = \"password\", secret = \"x\" }"],
        "warning",
    ),
    ("IO-07", false, &[VRID, ADDRESS, "version = 23"], "version"),
    ("IO-07", false, &[VRID, ADDRESS, "version = [2, 3]"], "version"),
    ("AN-05", true, &[VRID, ADDRESS, "garp_repeat = 1", "garp_interval = \"2s\"", "garp_refresh = \"0s\""], ""),
    ("AN-05", false, &[VRID, ADDRESS, "garp_repeat = 0"], "garp_repeat"),
];

fn what_a_configuration_may_say(bench: &mut Bench) {
    for (id, taken, lines, word) in ROWS {
        let (accepted, said) = verdict(bench, lines);
        let fits = accepted == *taken && said.contains(word);
        bench.check(id, fits, format!("{lines:?} taken: {accepted}, {}", said.lines().next().unwrap_or_default()));
    }
}

fn defaults(bench: &mut Bench) {
    let started = crate::Stamp::now();
    let daemon = bench.start_ours(ADDRESS);
    wait_until(&daemon, "web", "BACKUP");
    let router = daemon.router("web");
    bench.check("CF-04", router["advert_interval_ms"] == 1000, &router["advert_interval_ms"]);
    // A lower Master lives, and is displaced all the same: that is preemption.
    bench.feed(&Crafted::new(50).every(100), Duration::from_secs(1), 5);
    let advert = bench.first_advert(started, Duration::from_secs(1));
    bench.check("CF-06", advert.is_some(), "takes over from a living Master of lower priority");
    let priority = advert.as_ref().and_then(|event| event.advert()).map(|advert| advert.priority);
    bench.check("CF-02", priority == Some(100), format!("priority {priority:?}"));
}

fn a_password_for_each_router(bench: &mut Bench) {
    let router = |name: &str, vrid: u8, secret: &str| {
        format!(
            "[virtual_router.{name}]\ninterface = \"eth0\"\nversion = 2\nvirtual_router_id = {vrid}\n\
             virtual_addresses = [\"192.168.100.{vrid}/24\"]\nauthentication = {{ type = \"password\", secret = \"{secret}\" }}\n"
        )
    };
    let head = bench.implementation.render(bench.device(), &crate::PairConfig::default());
    let text = format!("{head}{}{}", router("one", 61, "first"), router("two", 62, "s3cr3t"));
    let daemon = crate::Daemon::start_with(bench.implementation, bench.device(), &text);
    wait_until(&daemon, "two", "BACKUP");
    let advert = |vrid: u8, secret: &[u8; 8]| Crafted {
        version: 2,
        vrid,
        addresses: vec![[192, 168, 100, vrid].into()],
        auth: (1, *secret),
        ..Crafted::new(150).every(100)
    };
    bench.send(&advert(61, b"first\0\0\0"));
    bench.send(&advert(62, b"s3cr3t\0\0"));
    bench.send(&advert(62, b"first\0\0\0"));
    sleep(TENTH);
    let counts = ["one", "two"].map(|name| {
        let counters = daemon.router(name)["counters"].clone();
        [&counters["advertisements_received"], &counters["auth_failures"]].map(|count| count.as_u64().unwrap_or(99))
    });
    bench.check("CF-09", counts == [[1, 0], [1, 1]], format!("received and failed: {counts:?}"));
    wait_until(&daemon, "two", "MASTER");
    sleep(TENTH);
    let event = bench.capture.events().into_iter().rev().find(|event| {
        event.source_mac == super::bench::DEVICE && event.advert().is_some_and(|advert| advert.vrid == 62)
    });
    let trailer = event.map(|event| event.frame[46..].to_vec()).unwrap_or_default();
    bench.check("TX-25", trailer == b"s3cr3t\0\0", format!("{trailer:?}"));
}

fn different_address_lists(bench: &mut Bench) {
    let daemon = bench.start(vec![RouterConfig::web(100)]);
    wait_until(&daemon, "web", "BACKUP");
    let other = Crafted { addresses: vec![[192, 168, 100, 66].into()], ..Crafted::new(150) };
    bench.feed(&other, TENTH, 3);
    let router = daemon.router("web");
    let counted = router["counters"]["address_list_errors"].as_u64();
    let logged = daemon.process().log().contains("address_list_errors");
    bench.check("CF-08", counted == Some(3) && logged, format!("counted {counted:?}, logged: {logged}"));
}
