//! Packets that mean nothing to a virtual router, and floods of those that do.

use super::lab::{Lab, alone, lan, millis, plan, router, secs};
use std::net::IpAddr;
use std::time::Duration;
use vrrpd::sim::{Datagram, NodeId, Quality, Rng, SegmentId};
use vrrpd::units::Family;
use vrrpd::vrrp::Role;

/// 300 a second, as many as silence other daemons.
const EVERY: Duration = Duration::from_micros(3_333);

fn group() -> IpAddr {
    IpAddr::from([224, 0, 0, 18])
}

/// A valid VRRPv3 advert (RFC 9568 checksum) for `192.0.2.<vrid>`.
fn advert(vrid: u8, priority: u8, centis: u16) -> Vec<u8> {
    let [high, low] = centis.to_be_bytes();
    let mut bytes = vec![0x31, vrid, priority, 1, high, low, 0, 0, 192, 0, 2, vrid];
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let [high, low] = (!u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap()).to_be_bytes();
    (bytes[6], bytes[7]) = (high, low);
    bytes
}

/// One kind of junk for each way a packet can be wrong, all of it with our VRID and a high priority.
fn junk(rng: &mut Rng) -> Datagram {
    let stranger = IpAddr::from([10, 0, 0, 99]);
    let mut payload = advert(1, 254, 100);
    let mut ttl = 255;
    match rng.below(9) {
        0 => payload[6] ^= 0x55,
        1 => payload[0] = 0x41,
        2 => payload[0] = 0x32,
        3 => payload.truncate(rng.index(12)),
        4 => payload.push(0),
        5 => ttl = 254,
        6 => payload = advert(2, 254, 100),
        7 => payload = advert(1, 254, 0),
        _ => payload = (0..rng.below(64)).map(|_| u8::try_from(rng.below(256)).unwrap()).collect(),
    }
    Datagram::new(stranger, group(), ttl, &payload)
}

/// A pair whose Master crashes after ten seconds, on a segment without jitter, and what happened when.
fn story(noise: impl Fn(&mut Rng) -> Option<Datagram>) -> Vec<(NodeId, Role, Duration)> {
    let mut lab = Lab::new(1);
    let lan = lab.add_segment(Quality { jitter: Duration::ZERO, ..Quality::GOOD });
    let [a, b] =
        [150, 100].map(|raw| lab.add_node("host", plan([alone(raw, router(1))]), &[(super::lab::eth(0), lan)]));
    let mut rng = Rng::new(7);
    let mut pass = |lab: &mut Lab, span: Duration| {
        let end = lab.now() + span;
        while lab.now() < end {
            if let Some(datagram) = noise(&mut rng) {
                lab.inject(lan, &datagram);
            }
            lab.run(EVERY);
        }
    };
    pass(&mut lab, secs(10));
    lab.crash(a);
    pass(&mut lab, secs(10));
    assert_eq!(lab.masters("r1"), [b]);
    let adverts = lab.status(b, "r1").counters.advertisements_sent;
    assert!(adverts >= 6, "a Master is not silenced: {adverts}");
    let changes = lab.records().iter().filter_map(|(node, record)| match record.cause {
        vrrpd::vrrp::Cause::Transition { to, .. } => Some((*node, to, record.at.since_origin())),
        _ => None,
    });
    changes.collect()
}

#[test]
fn junk_neither_silences_a_master_nor_wakes_a_backup() {
    let quiet = story(|_| None);
    assert_eq!(quiet.len(), 6, "{quiet:?}");
    assert_eq!(story(|rng| Some(junk(rng))), quiet);
}

/// The noise above proves something only because what is not junk does change the story.
#[test]
fn one_good_packet_among_the_junk_would_have_been_noticed() {
    let good = |_: &mut Rng| Some(Datagram::new(IpAddr::from([10, 0, 0, 99]), group(), 255, &advert(1, 254, 100)));
    let (mut lab, lan, _) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.inject(lan, &good(&mut Rng::new(1)).unwrap());
    lab.run(millis(10));
    assert_eq!(lab.masters("r1"), []);
}

#[test]
fn corruption_on_the_wire_elects_nobody_wrong() {
    let (mut lab, lan, [a, b]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    lab.set_quality(lan, Quality { corruption: 40, ..Quality::GOOD });
    lab.run(secs(600));
    assert!(lab.status(b, "r1").counters.checksum_errors > 50);
    assert!(lab.masters("r1").contains(&a));
    assert_eq!(lab.status(a, "r1").transitions_to_master(), 1, "it never gave way");
}

trait Transitions {
    fn transitions_to_master(&self) -> u64;
}

impl Transitions for vrrpd::engine::RouterStatus {
    fn transitions_to_master(&self) -> u64 {
        self.counters.active_transitions
    }
}

/// What comes back to its sender is not answered: no storm.
#[test]
fn ones_own_adverts_reflected_are_not_answered() {
    let (mut lab, lan, [a, _]) = lan([150, 100], &router(1));
    lab.run(secs(10));
    let sent = lab.status(a, "r1").counters.advertisements_sent;
    let own = lab.address(a, lan, Family::Ipv4).unwrap();
    for _ in 0..300 {
        lab.inject(lan, &Datagram::new(own, group(), 255, &advert(1, 150, 100)));
        lab.run(EVERY);
    }
    let counters = lab.status(a, "r1").counters;
    assert_eq!((counters.self_received, counters.advertisements_sent - sent), (300, 1));
}

/// AC-13, AC-16: answered at once, but never more than ten times an interval.
#[test]
fn a_flood_of_lower_adverts_is_answered_ten_times_an_interval() {
    for raw in [0, 50] {
        let (mut lab, lan, [a]) = lan([150], &router(1));
        lab.run(secs(10));
        let before = lab.status(a, "r1").counters;
        flood(&mut lab, lan, &advert(1, raw, 100));
        let after = lab.status(a, "r1").counters;
        let sent = after.advertisements_sent - before.advertisements_sent;
        assert!((9..=10).contains(&sent), "{sent} answers in a second to priority {raw}");
        assert_eq!(after.advertisements_received - before.advertisements_received, 300);
        assert_eq!(after.answers_held_back - before.answers_held_back, 300 - sent, "each is answered or counted");
        assert_eq!(lab.masters("r1"), [a]);
    }
}

fn flood(lab: &mut Lab, lan: SegmentId, payload: &[u8]) {
    for _ in 0..300 {
        lab.inject(lan, &Datagram::new(IpAddr::from([10, 0, 0, 99]), group(), 255, payload));
        lab.run(EVERY);
    }
}

/// Whoever is wrong a thousand times is named once a minute.
#[test]
fn warnings_are_rate_limited() {
    let (mut lab, lan, _) = lan([150], &router(1));
    lab.run(secs(10));
    let mark = lab.mark();
    let mut broken = advert(1, 254, 100);
    broken[6] ^= 0x55;
    for _ in 0..60 {
        flood(&mut lab, lan, &broken);
    }
    assert!((1..=2).contains(&lab.records_since(mark).len()), "{:?}", lab.records_since(mark));
}
