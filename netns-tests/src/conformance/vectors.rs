//! Every packet vector as an Ethernet frame into a running daemon, as Backup and as Master: which counter moves, what becomes of the
//! state and the timer, and what is answered. The receiver is that of the vector's profile; one daemon takes all of a profile's vectors.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::bench::{Bench, DEVICE, LINK_LOCAL, wait_until};
use super::{Needs, Scenario};
use crate::craft::Crafted;
use crate::{Daemon, Host, PairConfig};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "vectors_of_version_2",
        covers: &["RX-05", "RX-07", "RX-19", "RX-20", "RX-21", "RX-22", "RX-23", "RX-24", "RX-25", "OB-01"],
        needs: Needs::Ours,
        run: |bench| all_of(bench, "v2"),
    },
    Scenario {
        name: "vectors_of_version_3_over_ipv4",
        covers: &[
            "RX-01", "RX-03", "RX-04", "RX-05", "RX-06", "RX-07", "RX-08", "RX-10", "RX-11", "RX-13", "RX-14", "RX-15",
            "RX-16", "RX-29", "OB-01",
        ],
        needs: Needs::Ours,
        run: |bench| all_of(bench, "v3-ipv4"),
    },
    Scenario {
        name: "vectors_of_version_3_over_ipv6",
        covers: &["RX-02", "RX-03", "RX-04", "RX-05", "RX-07", "RX-08", "RX-11", "RX-12", "RX-28", "OB-01"],
        needs: Needs::Ours,
        run: |bench| all_of(bench, "v3-ipv6"),
    },
];

/// The kernel takes no packet with a source of this host from a wire: the daemon never sees this one.
const KEPT_BY_THE_KERNEL: &str = "policy_v3_ipv4_own_source";

struct Case<'a> {
    vector: &'a Value,
    profile: &'a Value,
}

fn load(file: &str) -> Value {
    let path = format!("{}/../tests/vectors/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn octets(hex: &str) -> Vec<u8> {
    let octet = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    hex.as_bytes().chunks(2).map(|pair| octet(pair).expect("hexadecimal")).collect()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn number(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_default()
}

fn all_of(bench: &mut Bench, prefix: &str) {
    let (vectors, profiles) = (load("vectors.json"), load("receiver-profiles.json"));
    let profiles = profiles.as_object().expect("profiles by name");
    for (name, profile) in profiles.iter().filter(|(name, _)| name.starts_with(prefix)) {
        let all = vectors.as_array().expect("a list").iter();
        let own = all.filter(|vector| text(vector, "rx_profile") == name && text(vector, "name") != KEPT_BY_THE_KERNEL);
        let cases: Vec<Case> = own.map(|vector| Case { vector, profile }).collect();
        if !cases.is_empty() {
            Receiver::start(bench, profile).take(bench, &cases);
        }
    }
}

impl Case<'_> {
    fn frame(&self) -> Vec<u8> {
        let mut frame = octets(text(self.vector, "frame_hex"));
        // What was sent to one host was sent to this one.
        if frame[0] & 1 == 0 {
            frame[..6].copy_from_slice(&DEVICE);
        }
        frame
    }

    fn source(&self) -> IpAddr {
        text(self.vector, "src").parse().expect("an address")
    }

    fn reason(&self) -> &str {
        let by_mode = self.vector["expect"]["by_rx_checksum_mode"]["auto"].as_str().unwrap_or_default();
        by_mode.strip_prefix("discard:").unwrap_or_else(|| text(&self.vector["expect"], "reason"))
    }

    fn is_accepted(&self) -> bool {
        text(&self.vector["expect"], "verdict") != "discard"
    }

    /// What rises, and by how much: accepted adverts count as received, too.
    fn counts(&self) -> BTreeMap<String, u64> {
        let counter = match (text(&self.vector["expect"], "counter"), self.reason()) {
            ("advertisement_rcvd", _) => "advertisements_received",
            ("priority_zero_pkts_rcvd", _) => "priority_zero_received",
            ("invalid_type_pkts_rcvd", _) => "invalid_type_received",
            ("interval_errors", "interval_zero") => "interval_zero_errors",
            ("address_list_errors", "first_address_not_link_local") => "first_address_errors",
            ("owner_conflict", _) => "owner_conflicts",
            (same, _) => same,
        };
        let mut counts = BTreeMap::from([(counter.to_owned(), 1)]);
        if self.is_accepted() {
            counts.insert("advertisements_received".to_owned(), 1);
        }
        counts
    }

    /// The requirements that it is about.
    fn requirements(&self) -> Vec<&'static str> {
        let name = text(self.vector, "name");
        let (v6, v2) = (text(self.vector, "family") == "ipv6", number(self.profile, "version") == 2);
        let reason = match self.reason() {
            "ttl" if v6 => &["RX-02"][..],
            "ttl" => &["RX-01"],
            "version" => &["RX-03"],
            "type" => &["RX-04"],
            "length" if name.contains("trailing") && !v6 => &["RX-06", "RX-05"],
            "length" => &["RX-05"],
            "checksum" => &["RX-07"],
            "vrid" => &["RX-08"],
            "addr_count" => &["RX-11"],
            "first_address_not_link_local" => &["RX-12"],
            "interval_zero" => &["RX-13"],
            "interval_mismatch" => &["RX-19"],
            "auth_type_unknown" => &["RX-21"],
            "auth_type_mismatch" => &["RX-22"],
            "auth_failure" if name.contains("auth2") => &["RX-25"],
            "auth_failure" => &["RX-23"],
            "address_list" | "address list mismatch" if v2 => &["RX-20"],
            "address list mismatch" => &["RX-15"],
            "source_not_link_local" => &["RX-28"],
            "destination_not_group" => &["RX-29"],
            "local router is address owner" => &["RX-10"],
            reason if reason.starts_with("interval differs") && !v6 => &["RX-14"],
            _ if name.contains("reserved_nibble") => &["RX-16"],
            _ if name.contains("nonzero_authdata") => &["RX-24"],
            _ if name.contains("auth1") => &["RX-23"],
            _ if name.contains("auth2") => &["RX-25"],
            _ if name.ends_with("ttl_1") => &["RX-01"],
            _ => &[],
        };
        // OB-01: whatever it is, one counter tells.
        [reason, &["OB-01"]].concat()
    }
}

/// A daemon that runs a profile, and a Master better than any vector that keeps it Backup.
struct Receiver {
    daemon: Daemon,
    keeper: Crafted,
    interval: Duration,
    priority: u64,
    version: u64,
    source: IpAddr,
}

impl Receiver {
    fn start(bench: &Bench, profile: &Value) -> Self {
        let version = number(profile, "version");
        let addresses: Vec<IpAddr> = ips(&profile["vips"]);
        let source: IpAddr = text(profile, "local_src").parse().expect("an address");
        if source.is_ipv4() && !bench.device().has(source) {
            bench.device().add_address(source, 24);
        }
        let source_line = if source.is_ipv4() { format!("source_address = \"{source}\"\n") } else { String::new() };
        let (value, unit) = text(profile, "adver_int").split_once(' ').expect("a unit");
        let centis: u16 =
            value.parse().map(|value: u16| if unit == "s" { value * 100 } else { value }).expect("a number");
        let listed: Vec<String> =
            addresses.iter().map(|ip| format!("\"{ip}/{}\"", if ip.is_ipv4() { 32 } else { 64 })).collect();
        let text = format!(
            "{}\n[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = {}\npriority = {}\nversion = {version}\n\
             advert_interval = \"{}ms\"\nvirtual_addresses = [{}]\ngarp_refresh = \"0s\"\ngarp_repeat = 1\n{source_line}{}",
            bench.implementation.render(bench.device(), &PairConfig::default()),
            number(profile, "vrid"),
            number(profile, "priority"),
            u64::from(centis) * 10,
            listed.join(", "),
            authentication(bench.device(), profile),
        );
        let daemon = Daemon::start_with(bench.implementation, bench.device(), &text);
        let keeper_source = if source.is_ipv4() { "192.0.2.250" } else { "fe80::5054:ff:fe00:fa" };
        let keeper = Crafted {
            version: u8::try_from(version).expect("2 or 3"),
            vrid: u8::try_from(number(profile, "vrid")).expect("an octet"),
            addresses,
            auth: trailer(profile),
            ..Crafted::new(254).every(centis).from(keeper_source.parse::<IpAddr>().expect("an address"))
        };
        let interval = Duration::from_millis(u64::from(centis) * 10);
        let priority = number(profile, "priority");
        let state = if priority == 255 { "MASTER" } else { "BACKUP" };
        wait_until(&daemon, "web", state);
        let source = if source.is_ipv4() { source } else { LINK_LOCAL };
        Self { daemon, keeper, interval, priority, version, source }
    }

    fn take(self, bench: &mut Bench, cases: &[Case<'_>]) {
        // Authenticated Masters are not crafted here: such a router is judged while it waits after the start.
        let crafted = cases[0].profile["auth"].as_u64() != Some(2);
        if self.priority != 255 {
            for case in cases {
                if crafted {
                    self.keep(bench);
                }
                self.as_backup(bench, case);
            }
        }
        // From its own address a host takes nothing: a Master holds what a returning owner sends from.
        let held = |case: &&Case<'_>| self.keeper.addresses.contains(&case.source());
        for case in cases.iter().filter(|case| !held(case)) {
            self.become_master(bench, crafted);
            self.as_master(bench, case, crafted);
        }
        // Its addresses are the next one's, perhaps to own.
        self.daemon.stop();
    }

    /// Sends the keeper, and waits until it has been counted.
    fn keep(&self, bench: &Bench) {
        let received = || number(&self.daemon.router("web")["counters"], "advertisements_received");
        let (before, patience) = (received(), Instant::now() + Duration::from_secs(1));
        bench.send(&self.keeper);
        while received() == before && Instant::now() < patience {}
    }

    fn become_master(&self, bench: &Bench, crafted: bool) {
        if self.state() != "MASTER" {
            if crafted && self.priority != 255 {
                bench.send(&Crafted { priority: 0, ..self.keeper.clone() });
            }
            wait_until(&self.daemon, "web", "MASTER");
        }
        // Well before anything that it does of itself, and past the rest that it takes between two answers.
        let interval = self.interval.as_secs_f64() * 1e3;
        let due = || self.daemon.router("web")["deadline_in_ms"].as_f64().unwrap_or(interval);
        if due() < interval * 0.3 {
            sleep(Duration::from_secs_f64(due() / 1e3 + 0.005));
        }
        sleep(Duration::from_secs_f64((due() - interval * 0.85).max(0.0) / 1e3));
    }

    fn state(&self) -> String {
        text(&self.daemon.router("web"), "state").to_owned()
    }

    /// Injects the vector; what rose, and the status after it.
    fn inject(&self, bench: &Bench, case: &Case<'_>) -> (BTreeMap<String, u64>, Value) {
        let before = counters(&self.daemon.status());
        bench.lab.client().inject(&case.frame());
        let patience = Instant::now() + Duration::from_millis(300);
        loop {
            let status = self.daemon.status();
            let after = counters(&status);
            let risen = after.iter().filter(|(name, count)| **count > before[*name]);
            let risen: BTreeMap<String, u64> =
                risen.map(|(name, count)| (name.clone(), count - before[name])).collect();
            if !risen.is_empty() || Instant::now() > patience {
                return (risen, status["virtual_routers"][0].clone());
            }
        }
    }

    fn as_backup(&self, bench: &mut Bench, case: &Case<'_>) {
        let before = self.daemon.router("web");
        let (risen, after) = self.inject(bench, case);
        check_counts(bench, case, "Backup", &risen);
        let theirs = number(case.vector, "priority");
        let learned = number(&case.vector["adver_int"], "value");
        let learned = if self.version == 2 { self.interval } else { Duration::from_millis(10 * learned) };
        let expected = match theirs {
            _ if !case.is_accepted() => None,
            0 => Some(self.skew(self.interval)),
            theirs if theirs >= self.priority => Some(3 * learned + self.skew(learned)),
            _ => None,
        };
        let [was, is] = [&before, &after].map(|router| router["deadline_in_ms"].as_f64().unwrap_or(f64::NAN));
        let fits = match expected {
            // A deadline that stays comes nearer.
            None => is <= was && was - is < 600.0,
            Some(wait) => {
                is <= wait.as_secs_f64() * 1e3
                    && (is > wait.as_secs_f64() * 1e3 - 300.0 || wait < Duration::from_millis(400))
            }
        };
        // A Master of 10 ms may have been given up before one gets to look.
        let fits = (fits && text(&after, "state") == "BACKUP")
            || expected.is_some_and(|wait| wait < Duration::from_millis(400));
        let name = text(case.vector, "name");
        bench.check_all(
            &case.requirements(),
            fits,
            format!("{name}, Backup: {}, deadline {was} became {is}", text(&after, "state")),
        );
    }

    fn skew(&self, interval: Duration) -> Duration {
        let whole = if self.version == 2 { Duration::from_secs(1) } else { interval };
        whole * u32::try_from(256 - self.priority).expect("1 to 255") / 256
    }

    fn as_master(&self, bench: &mut Bench, case: &Case<'_>, crafted: bool) {
        let sent_before = sent(&self.daemon.router("web"));
        let (risen, after) = self.inject(bench, case);
        let name = text(case.vector, "name");
        if !crafted && case.is_accepted() {
            // It has sent more itself than the vector's sequence number says: this one came before.
            let replayed = risen == BTreeMap::from([("auth_replays".to_owned(), 1)]);
            bench.check("RX-25", replayed && text(&after, "state") == "MASTER", format!("{name}, Master: {risen:?}"));
            return;
        }
        check_counts(bench, case, "Master", &risen);
        let higher = (number(case.vector, "priority"), case.source()) > (self.priority, self.source);
        let (state, answers) = match number(case.vector, "priority") {
            _ if !case.is_accepted() => ("MASTER", 0),
            0 => ("MASTER", 1),
            _ if higher => ("BACKUP", 0),
            _ => ("MASTER", 1),
        };
        // A Master of 10 ms that falls silent is followed at once.
        let brief = case.reason().starts_with("interval differs");
        let answered = sent(&after) - sent_before;
        let fits = brief || (text(&after, "state") == state && answered == answers);
        bench.check_all(
            &case.requirements(),
            fits,
            format!("{name}, Master: {}, {answered} answers", text(&after, "state")),
        );
    }
}

fn check_counts(bench: &mut Bench, case: &Case<'_>, role: &str, risen: &BTreeMap<String, u64>) {
    let wanted = case.counts();
    let holds = wanted.iter().all(|(name, count)| risen.get(name) == Some(count)) && risen.len() <= wanted.len() + 1;
    let extra: Vec<&String> = risen.keys().filter(|name| !wanted.contains_key(*name)).collect();
    // A vector may be odd in two ways.
    let known = extra
        .iter()
        .all(|name| case.is_accepted() && ["address_list_errors", "interval_errors"].contains(&name.as_str()));
    let detail = format!("{}, {role}: {risen:?} rose, {wanted:?} is expected", text(case.vector, "name"));
    bench.check_all(&case.requirements(), holds && known, detail);
}

/// What is received and refused, of the router and the interface together.
fn counters(status: &Value) -> BTreeMap<String, u64> {
    let mut sums = BTreeMap::new();
    for list in ["virtual_routers", "interfaces"] {
        for (name, count) in status[list][0]["counters"].as_object().into_iter().flatten() {
            if !["_sent", "_transitions", "_restored", "_back", "filtered"].iter().any(|end| name.ends_with(end)) {
                *sums.entry(name.clone()).or_default() += count.as_u64().unwrap_or_default();
            }
        }
    }
    sums
}

fn sent(router: &Value) -> u64 {
    number(&router["counters"], "advertisements_sent")
}

fn ips(list: &Value) -> Vec<IpAddr> {
    let all = list.as_array().expect("a list").iter();
    all.map(|ip| ip.as_str().and_then(|ip| ip.parse().ok()).expect("an address")).collect()
}

fn authentication(host: &Host, profile: &Value) -> String {
    let password = text(profile, "password");
    match (profile["auth"].as_u64(), profile["key_hex"].as_str()) {
        (Some(1), _) => format!("authentication = {{ type = \"password\", secret = \"{password}\" }}"),
        (Some(2), None) => format!("authentication = {{ type = \"ah\", secret = \"{password}\" }}"),
        (Some(2), Some(key)) => {
            let file = host.write("key", "");
            std::fs::write(&file, octets(key)).expect("a file of ours");
            std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).expect("a file of ours");
            let file = file.display();
            format!("authentication = {{ type = \"ah\", flavour = \"rfc2402\", secret_file = \"{file}\" }}")
        }
        _ => String::new(),
    }
}

fn trailer(profile: &Value) -> (u8, [u8; 8]) {
    let mut data = [0; 8];
    if profile["auth"].as_u64() != Some(1) {
        return (0, data);
    }
    let password = text(profile, "password").as_bytes();
    data[..password.len()].copy_from_slice(password);
    (1, data)
}
