//! Every packet vector through the whole engine, as Backup and as Master: which counter moves, by one and no other,
//! what becomes of the state and the timer, and what is sent in answer.

mod common;
#[path = "common/router.rs"]
mod router;

use common::vectors::{self, Profile, Vector, Verdict};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::{Candidacy, Engine, Event, GroupPlan, InterfaceFacts, Plan, Provenance, RouterStatus};
use vrrpd::ids::{InterfaceName, PortId, RouterKey};
use vrrpd::time::Timestamp;
use vrrpd::units::{Family, Interval, Priority, Version, VirtualAddress, Vrid};
use vrrpd::vrrp::{Action, AhFlavour, Auth, Cause, Preempt, Role, RouterSpec, Secret};
use vrrpd::wire::Standing;

/// An engine that runs one virtual router, and the moment it is at.
struct Bench {
    engine: Engine,
    port: PortId,
    now: Timestamp,
}

impl Bench {
    /// A receiver as the profile has it, on an interface that is up.
    fn new(profile: &Profile) -> Self {
        let mut bench = Self { engine: Engine::new(0), port: PortId(0), now: Timestamp::ZERO };
        let mut actions = Vec::new();
        bench.engine.reconfigure(&plan(profile), Provenance::default(), bench.now, &mut actions);
        let facts = InterfaceFacts {
            index: 2,
            up: true,
            mac: None,
            ipv4: if let IpAddr::V4(ip) = profile.source { Some(ip) } else { None },
            ipv6: if let IpAddr::V6(ip) = profile.source { Some(ip) } else { None },
            addresses: Arc::new([VirtualAddress::host(profile.source)]),
        };
        let interface = Event::Interface { name: interface(), facts: Some(facts) };
        bench.engine.handle(interface, bench.now, &mut actions);
        let opened = actions.iter().find_map(|action| match action {
            Action::OpenPort { port, .. } => Some(*port),
            _ => None,
        });
        bench.port = opened.expect("the port is opened");
        bench
    }

    /// Lets the timers run until it is Master, and a little further: nothing is due just now.
    fn become_master(&mut self) {
        while self.router().role != Role::Master {
            self.now = self.engine.next_deadline().expect("a Backup waits");
            self.engine.handle(Event::Tick, self.now, &mut Vec::new());
        }
        self.now = self.now + self.router().interval.duration() / 2;
    }

    fn receive(&mut self, vector: &Vector) -> Vec<Action> {
        let mut actions = Vec::new();
        let event = Event::Packet { port: self.port, packet: vector.packet() };
        self.engine.handle(event, self.now, &mut actions);
        actions
    }

    fn router(&self) -> RouterStatus {
        self.engine.snapshot(self.now).routers.remove(0)
    }

    /// Every counter of the router and its interface that does not count what is sent or done.
    fn counters(&self) -> BTreeMap<String, u64> {
        let snapshot = self.engine.snapshot(self.now);
        let router = serde_json::to_value(snapshot.routers[0].counters).expect("counters");
        let interface = serde_json::to_value(snapshot.interfaces[0].counters).expect("counters");
        let all = [router, interface].into_iter().flat_map(|value| value.as_object().expect("a map").clone());
        let mut sums = BTreeMap::new();
        for (name, count) in all.filter(|(name, _)| !name.ends_with("_sent") && !name.ends_with("_transitions")) {
            *sums.entry(name).or_default() += count.as_u64().expect("a count");
        }
        sums
    }
}

fn interface() -> InterfaceName {
    InterfaceName::new("eth0").expect("a name")
}

fn plan(profile: &Profile) -> Plan {
    let family = Family::of(profile.source);
    let vrid = Vrid::new(profile.vrid).expect("not zero");
    let spec = RouterSpec {
        name: "web".into(),
        key: RouterKey { interface: interface(), family, vrid },
        version: if profile.version == 2 { Version::V2 } else { Version::V3 },
        interval: Interval::from_centis(centis(&profile.interval)).expect("in range"),
        preempt: if profile.preempt { Preempt::After(Duration::ZERO) } else { Preempt::Never },
        addresses: profile.addresses.iter().copied().map(VirtualAddress::host).collect(),
        auth: auth(profile),
        ..router::ordinary(profile.vrid)
    };
    let priority = Priority::new(profile.priority).expect("not zero");
    let candidacy = Candidacy { priority, track: Vec::new(), promote_only_with: Vec::new() };
    let group = GroupPlan { name: None, candidacy, members: vec![Arc::new(spec)] };
    Plan { groups: vec![group], ..Plan::default() }
}

/// "1 s" or "100 cs".
fn centis(interval: &str) -> u16 {
    let (value, unit) = interval.split_once(' ').expect("a unit");
    let value: u16 = value.parse().expect("a number");
    if unit == "s" { value * 100 } else { value }
}

fn auth(profile: &Profile) -> Auth {
    let password = || profile.password.clone().unwrap_or_default().into_bytes();
    match profile.auth {
        Some(1) => {
            let mut octets = [0; 8];
            octets[..password().len()].copy_from_slice(&password());
            Auth::Password(octets)
        }
        Some(2) if profile.key.is_empty() => {
            Auth::Ah { key: Secret(password().into()), flavour: AhFlavour::Keepalived }
        }
        Some(2) => Auth::Ah { key: Secret(profile.key.as_slice().into()), flavour: AhFlavour::Rfc2402 },
        _ => Auth::None,
    }
}

/// The name that our counter has for what the vector expects.
fn counter(vector: &Vector) -> &str {
    match (vector.expect.counter.as_str(), vector.expect.reason()) {
        ("advertisement_rcvd", _) => "advertisements_received",
        ("priority_zero_pkts_rcvd", _) => "priority_zero_received",
        ("invalid_type_pkts_rcvd", _) => "invalid_type_received",
        ("interval_errors", Some("interval_zero")) => "interval_zero_errors",
        ("address_list_errors", Some("first_address_not_link_local")) => "first_address_errors",
        ("owner_conflict", _) => "owner_conflicts",
        ("self_rcvd", _) => "self_received",
        (same, _) => same,
    }
}

/// What is counted: the vector's own counter, and an accepted advert as received, too.
fn expected_counts(vector: &Vector, accepted: bool) -> BTreeMap<&str, u64> {
    let mut counts = BTreeMap::from([(counter(vector), 1)]);
    if accepted {
        counts.insert("advertisements_received", 1);
    }
    if vector.name == "v3_ipv4_255_addresses" || vector.name.starts_with("cond_v2") {
        counts.insert("address_list_errors", 1);
    }
    counts
}

fn risen(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let differences = after.iter().map(|(name, count)| (name.clone(), count - before[name]));
    differences.filter(|(_, difference)| *difference > 0).collect()
}

fn is_accepted(vector: &Vector) -> bool {
    vector.expect.verdict() != Verdict::Discard
}

fn check_counts(vector: &Vector, accepted: bool, before: &BTreeMap<String, u64>, bench: &Bench) {
    let counted = risen(before, &bench.counters());
    let counted: BTreeMap<&str, u64> = counted.iter().map(|(name, count)| (name.as_str(), *count)).collect();
    assert_eq!(counted, expected_counts(vector, accepted), "{}", vector.name);
}

fn warned(actions: &[Action]) -> bool {
    let warning = |cause: &Cause| matches!(cause, Cause::Warning { .. });
    actions.iter().any(|action| matches!(action, Action::Record(record) if warning(&record.cause)))
}

fn adverts(actions: &[Action]) -> Vec<Standing> {
    let standing =
        |action: &Action| if let Action::Advertise { standing, .. } = action { Some(*standing) } else { None };
    actions.iter().filter_map(standing).collect()
}

#[test]
fn every_vector_has_its_counter_and_its_effect_on_a_backup() {
    let profiles = vectors::profiles();
    let mut seen = 0;
    for vector in vectors::load() {
        let profile = &profiles[&vector.rx_profile];
        let mut bench = Bench::new(profile);
        if bench.router().role != Role::Backup {
            assert_eq!(profile.priority, 255, "{}: only an owner starts as Master", vector.name);
            continue;
        }
        seen += 1;
        let (before, counters) = (bench.router(), bench.counters());
        bench.now = bench.now + before.interval.duration() / 2;
        let actions = bench.receive(&vector);
        let after = bench.router();
        check_counts(&vector, is_accepted(&vector), &counters, &bench);
        assert_eq!((after.role, adverts(&actions)), (Role::Backup, vec![]), "{}", vector.name);
        assert_eq!(after.deadline, backup_deadline(&vector, &before, bench.now), "{}", vector.name);
        let odd = matches!(vector.expect.verdict(), Verdict::AcceptLog | Verdict::Discard);
        if odd && vector.expect.counter != "self_rcvd" {
            assert!(warned(&actions), "{}: nothing is logged", vector.name);
        }
    }
    assert!(seen >= 70, "only {seen} vectors reached a Backup");
}

/// When a Backup takes over after the vector came at `now` (RFC 9568, 6.4.2).
fn backup_deadline(vector: &Vector, before: &RouterStatus, now: Timestamp) -> Option<Timestamp> {
    let learned = match before.version {
        Version::V2 => before.interval,
        Version::V3 => Interval::from_centis(vector.interval.centis()).unwrap_or(before.interval),
    };
    match vector.priority {
        _ if !is_accepted(vector) => before.deadline,
        0 => Some(now + before.interval.skew(before.version, before.priority)),
        theirs if theirs >= before.priority.get() => Some(now + learned.down(before.version, before.priority)),
        _ => before.deadline,
    }
}

#[test]
fn every_vector_has_its_counter_and_its_effect_on_a_master() {
    let profiles = vectors::profiles();
    for vector in vectors::load() {
        let profile = &profiles[&vector.rx_profile];
        let mut bench = Bench::new(profile);
        bench.become_master();
        let (before, counters) = (bench.router(), bench.counters());
        let actions = bench.receive(&vector);
        let (after, name) = (bench.router(), &vector.name);
        if vector.expect.verdict() == Verdict::Accept && profile.auth == Some(2) {
            // It has sent more adverts itself than the vector's sequence number says: this one came before.
            assert_eq!(risen(&counters, &bench.counters()), BTreeMap::from([("auth_replays".to_owned(), 1)]), "{name}");
            assert_eq!((after.role, adverts(&actions)), (Role::Master, vec![]), "{name}");
            continue;
        }
        check_counts(&vector, is_accepted(&vector), &counters, &bench);
        let (role, answers) = master_reaction(&vector, profile);
        assert_eq!((after.role, adverts(&actions)), (role, answers), "{name}");
        let released = actions.iter().any(|action| matches!(action, Action::Release { .. }));
        assert_eq!(released, role == Role::Backup, "{name}: addresses go with the role");
        if role == Role::Master && adverts(&actions).is_empty() {
            assert_eq!(after.deadline, before.deadline, "{name}: the timer runs on");
        }
    }
}

/// What a Master becomes by the vector, and what it answers at once (RFC 9568, 6.4.3).
fn master_reaction(vector: &Vector, profile: &Profile) -> (Role, Vec<Standing>) {
    let own = vec![Standing::from_field(profile.priority)];
    match (vector.priority, vector.source) {
        _ if !is_accepted(vector) => (Role::Master, vec![]),
        (0, _) => (Role::Master, own),
        (theirs, from) if (theirs, from) > (profile.priority, profile.source) => (Role::Backup, vec![]),
        _ => (Role::Master, own),
    }
}
