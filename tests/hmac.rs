//! keepalived's trailer through the whole engine: what is believed in each mode, and what is counted.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::{Candidacy, Engine, Event, GroupPlan, InterfaceFacts, Plan, Provenance, RouterStatus};
use vrrpd::ids::{InterfaceName, PortId, RouterKey};
use vrrpd::time::Timestamp;
use vrrpd::units::{Family, Interval, Priority, Version, VirtualAddress, Vrid};
use vrrpd::vrrp::{
    Action, Announcing, Auth, ChecksumChoice, HmacAuth, HmacKey, HmacMode, MacMode, Preempt, Role, RouterSpec, Secret,
};
use vrrpd::wire::trailer::Trailer;
use vrrpd::wire::{AuthField, ChecksumForm, Outgoing, PROTOCOL_VRRP, Packet, Standing};

const OLD: [u8; 32] = [0x11; 32];
const NEW: [u8; 64] = [0x22; 64];
/// 2026-01-01.
const WALL: u64 = 1_767_225_600;

/// A Backup of priority 100 that believes its peer 192.0.2.2, at half of its interval.
struct Bench {
    engine: Engine,
    port: PortId,
    now: Timestamp,
}

/// How many adverts were believed, and how many refused as a failure, as a replay, and for the lack of a trailer.
#[derive(Debug, Eq, PartialEq)]
struct Counts {
    believed: u64,
    failures: u64,
    replays: u64,
    mismatches: u64,
}

const BELIEVED: Counts = Counts { believed: 1, failures: 0, replays: 0, mismatches: 0 };
const FAILED: Counts = Counts { believed: 0, failures: 1, replays: 0, mismatches: 0 };
const REPLAYED: Counts = Counts { believed: 0, failures: 0, replays: 1, mismatches: 0 };
const MISSING: Counts = Counts { believed: 0, failures: 0, replays: 0, mismatches: 1 };

fn keys(of: &[(u8, &[u8])]) -> Arc<[HmacKey]> {
    of.iter().map(|&(id, octets)| HmacKey { id, secret: Secret(octets.into()) }).collect()
}

fn hmac(mode: HmacMode) -> Auth {
    Auth::Hmac(HmacAuth { keys: keys(&[(1, &OLD)]), key_id: 1, mode, window: Duration::from_secs(5) })
}

fn plan(auth: Auth) -> Plan {
    let spec = RouterSpec {
        name: "web".into(),
        key: RouterKey { interface: eth0(), family: Family::Ipv4, vrid: vrid() },
        version: Version::V3,
        interval: Interval::DEFAULT,
        preempt: Preempt::After(Duration::ZERO),
        addresses: Arc::new([VirtualAddress::host([192, 0, 2, 100].into())]),
        excluded: Arc::new([]),
        accept: true,
        mac: MacMode::Interface,
        checksum: ChecksumChoice::Auto,
        peers: Arc::new([peer()]),
        check_ttl: true,
        source: None,
        auth,
        announcing: Announcing::default(),
        lease: false,
        track_interface: true,
        routes: Arc::new([]),
        rules: Arc::new([]),
    };
    let candidacy =
        Candidacy { priority: Priority::new(100).expect("not zero"), track: Vec::new(), promote_only_with: Vec::new() };
    Plan { groups: vec![GroupPlan { name: None, candidacy, members: vec![Arc::new(spec)] }], ..Plan::default() }
}

fn eth0() -> InterfaceName {
    InterfaceName::new("eth0").expect("a name")
}

fn vrid() -> Vrid {
    Vrid::new(51).expect("not zero")
}

fn own() -> IpAddr {
    [192, 0, 2, 1].into()
}

fn peer() -> IpAddr {
    [192, 0, 2, 2].into()
}

/// The peer's advert of priority 200, signed at `millis` after [`WALL`] where a key is given.
fn advert(signed: Option<(u8, &[u8], i64)>) -> Vec<u8> {
    let mut message = Vec::new();
    let outgoing = Outgoing {
        version: Version::V3,
        vrid: vrid(),
        standing: Standing::Holding(Priority::new(200).expect("not zero")),
        interval: Interval::DEFAULT,
        checksum: ChecksumForm::default(),
        auth: AuthField { kind: 0, data: [0; 8] },
        source: peer(),
        destination: own(),
        addresses: &[[192, 0, 2, 100].into()],
    };
    outgoing.encode(&mut message);
    if let Some((key_id, key, millis)) = signed {
        let at = Duration::from_millis((WALL * 1000).checked_add_signed(millis).expect("after 1970"));
        Trailer { key_id, sequence: Trailer::sequence_at(at, 0) }.append(peer(), 0, key, &mut message);
    }
    message
}

impl Bench {
    fn new(auth: Auth) -> Self {
        let mut bench = Self { engine: Engine::new(0), port: PortId(0), now: Timestamp::ZERO };
        bench.engine.set_wall_origin(Duration::from_secs(WALL));
        let mut actions = Vec::new();
        bench.engine.reconfigure(&plan(auth), Provenance::default(), bench.now, &mut actions);
        let IpAddr::V4(ipv4) = own() else { unreachable!() };
        let addresses = Arc::new([VirtualAddress::host(own())]);
        let facts = InterfaceFacts { index: 2, up: true, mac: None, ipv4: Some(ipv4), ipv6: None, addresses };
        let interface = Event::Interface { name: eth0(), facts: Some(facts) };
        bench.engine.handle(interface, bench.now, &mut actions);
        let port = actions.iter().find_map(|action| match action {
            Action::OpenPort { port, .. } => Some(*port),
            _ => None,
        });
        bench.port = port.expect("the port is opened");
        bench
    }

    fn router(&self) -> RouterStatus {
        self.engine.snapshot(self.now).routers.remove(0)
    }

    fn counts(&self) -> Counts {
        let counters = self.router().counters;
        Counts {
            believed: counters.advertisements_received,
            failures: counters.auth_failures,
            replays: counters.auth_replays,
            mismatches: counters.auth_type_mismatch,
        }
    }

    /// What a message from the peer counts as. Nothing but a believed one moves the timer.
    fn receive(&mut self, message: &[u8]) -> Counts {
        self.now = self.now + Duration::from_millis(10);
        let (before, deadline) = (self.counts(), self.router().deadline);
        let packet = Packet {
            source: peer(),
            destination: own(),
            ttl: 255,
            header: &[],
            protocol: PROTOCOL_VRRP,
            payload: message,
        };
        self.engine.handle(Event::Packet { port: self.port, packet }, self.now, &mut Vec::new());
        let after = self.counts();
        let counts = Counts {
            believed: after.believed - before.believed,
            failures: after.failures - before.failures,
            replays: after.replays - before.replays,
            mismatches: after.mismatches - before.mismatches,
        };
        assert_eq!(self.router().role, Role::Backup);
        assert_eq!(self.router().deadline != deadline, counts == BELIEVED, "{counts:?}");
        counts
    }
}

#[test]
fn what_is_believed_in_each_mode() {
    let mut forged = advert(Some((1, &OLD, 0)));
    *forged.last_mut().expect("not empty") ^= 1;
    for (mode, unsigned) in
        [(HmacMode::Enforce, MISSING), (HmacMode::Permissive, BELIEVED), (HmacMode::ReceiveOnly, BELIEVED)]
    {
        for (what, message, expected) in [
            ("good", advert(Some((1, &OLD, 0))), BELIEVED),
            ("unsigned", advert(None), unsigned),
            ("wrong key", advert(Some((1, &NEW, 0))), FAILED),
            ("unknown key", advert(Some((2, &OLD, 0))), FAILED),
            ("forged", forged.clone(), FAILED),
            ("at the early end of the window", advert(Some((1, &OLD, -5000))), BELIEVED),
            ("at the late end of the window", advert(Some((1, &OLD, 5999))), BELIEVED),
            ("too old", advert(Some((1, &OLD, -5001))), REPLAYED),
            ("too new", advert(Some((1, &OLD, 6000))), REPLAYED),
        ] {
            assert_eq!(Bench::new(hmac(mode)).receive(&message), expected, "{what} with {mode:?}");
        }
    }
}

#[test]
fn a_trailer_that_nobody_asked_for_is_refused() {
    let mut bench = Bench::new(Auth::None);
    assert_eq!(bench.receive(&advert(Some((1, &OLD, 0)))), FAILED);
    assert_eq!(bench.receive(&advert(None)), BELIEVED);
}

#[test]
fn what_came_before_is_refused_and_stays_so_after_a_reload() {
    let mut bench = Bench::new(hmac(HmacMode::Enforce));
    let first = advert(Some((1, &OLD, 0)));
    let second = advert(Some((1, &OLD, 1)));
    assert_eq!(bench.receive(&second), BELIEVED);
    assert_eq!(bench.receive(&second), REPLAYED);
    assert_eq!(bench.receive(&first), REPLAYED);
    bench.engine.reconfigure(&plan(hmac(HmacMode::Permissive)), Provenance::default(), bench.now, &mut Vec::new());
    assert_eq!(bench.receive(&second), REPLAYED);
    assert_eq!(bench.receive(&advert(Some((1, &OLD, 2)))), BELIEVED);
}

#[test]
fn a_forged_advert_leaves_no_mark() {
    let mut bench = Bench::new(hmac(HmacMode::Enforce));
    assert_eq!(bench.receive(&advert(Some((1, &NEW, 4000)))), FAILED);
    assert_eq!(bench.receive(&advert(Some((1, &OLD, 0)))), BELIEVED);
}

#[test]
fn keys_are_changed_without_a_gap() {
    let both = |key_id| {
        let keys = keys(&[(1, &OLD), (2, &NEW)]);
        Auth::Hmac(HmacAuth { keys, key_id, mode: HmacMode::Enforce, window: Duration::from_secs(5) })
    };
    let mut bench = Bench::new(hmac(HmacMode::Enforce));
    let steps = [(1, &OLD[..], BELIEVED), (2, &NEW[..], BELIEVED)];
    let reload = |bench: &mut Bench, auth| {
        bench.engine.reconfigure(&plan(auth), Provenance::default(), bench.now, &mut Vec::new());
    };
    for (millis, auth) in [(10, both(1)), (20, both(2))] {
        reload(&mut bench, auth);
        for (step, (key_id, key, expected)) in (millis..).zip(&steps) {
            assert_eq!(&bench.receive(&advert(Some((*key_id, key, step)))), expected, "key {key_id}");
        }
    }
    let new = HmacAuth { keys: keys(&[(2, &NEW)]), key_id: 2, mode: HmacMode::Enforce, window: Duration::from_secs(5) };
    reload(&mut bench, Auth::Hmac(new));
    assert_eq!(bench.receive(&advert(Some((2, &NEW, 30)))), BELIEVED);
    assert_eq!(bench.receive(&advert(Some((1, &OLD, 31)))), FAILED);
}

#[test]
fn the_window_follows_the_wall_clock() {
    let mut bench = Bench::new(hmac(HmacMode::Enforce));
    bench.engine.set_wall_origin(Duration::from_secs(WALL + 3600));
    assert_eq!(bench.receive(&advert(Some((1, &OLD, 0)))), REPLAYED);
    assert_eq!(bench.receive(&advert(Some((1, &OLD, 3_600_000)))), BELIEVED);
    // Both clocks were an hour ahead and are set right.
    bench.engine.set_wall_origin(Duration::from_secs(WALL));
    assert_eq!(bench.receive(&advert(Some((1, &OLD, 0)))), BELIEVED);
}
