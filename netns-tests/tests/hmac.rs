//! Two daemons that sign their unicast adverts with keepalived's trailer, and somebody who does not have the key.

use std::net::IpAddr;
use std::time::Duration;

use netns_tests::{Capture, Daemon, Event, Host, Implementation, Lab, RouterConfig, Stamp};
use nix::sys::signal::{Signal, kill};

const PATIENCE: Duration = Duration::from_secs(10);

fn config(host: &Host, peer: &Host, priority: u8) -> String {
    let web = Implementation::Vrrpd.render(host, &RouterConfig::web(priority).into());
    let authentication = r#"{ type = "hmac", key_id = 1, secret = "0123456789abcdef0123456789abcdef" }"#;
    format!("{web}unicast_peers = [\"{}\"]\nauthentication = {authentication}\n", peer.ip())
}

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

fn counter(daemon: &Daemon, name: &str) -> u64 {
    daemon.router("web")["counters"][name].as_u64().expect("a counter")
}

/// The next advert from `source` of that priority, as a frame.
fn advert(capture: &Capture, source: IpAddr, priority: u8, start: Stamp) -> Vec<u8> {
    let wanted =
        |event: &Event| event.advert().is_some_and(|advert| (advert.source, advert.priority) == (source, priority));
    capture.wait_for("an advert", start, PATIENCE, wanted).frame
}

#[test]
fn a_signed_pair_elects_takes_over_and_believes_nobody_else() {
    let lab = Lab::new(2);
    let [one, two] = [1, 2].map(|number| lab.host(number));
    let capture = two.capture();
    let first = Daemon::start_with(Implementation::Vrrpd, one, &config(one, two, 200));
    let second = Daemon::start_with(Implementation::Vrrpd, two, &config(two, one, 100));
    first.wait_for_state("web", "MASTER");
    second.wait_for_state("web", "BACKUP");
    one.wait_until_has(vip(), true, PATIENCE);

    // Heard before, and without its trailer (the last 28 octets, which the IP length counts).
    let heard = advert(&capture, one.ip(), 200, Stamp::now());
    let mut bare = heard.clone();
    bare.truncate(14 + 20 + 12);
    bare[16..18].copy_from_slice(&32_u16.to_be_bytes());
    bare[24..26].fill(0);
    let sum = checksum(&bare[14..34]);
    bare[24..26].copy_from_slice(&sum.to_be_bytes());
    assert_eq!(heard.len(), bare.len() + 28, "a signed advert has a trailer");
    let before = counter(&second, "backup_transitions");
    for _ in 0..10 {
        lab.client().inject(&heard);
        lab.client().inject(&bare);
    }
    let deadline = Stamp::now() + PATIENCE;
    while (counter(&second, "auth_replays"), counter(&second, "auth_type_mismatch")) != (10, 10) {
        assert!(Stamp::now() < deadline, "{}", second.router("web"));
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!((counter(&second, "backup_transitions"), counter(&second, "auth_failures")), (before, 0));
    second.wait_for_state("web", "BACKUP");

    // The guardian signs for a daemon that was killed: its peer takes over by the skew, not by the down interval.
    let killed = Stamp::now();
    kill(first.process().pid(), Signal::SIGKILL).expect("it runs");
    let resignation = advert(&capture, one.ip(), 0, killed);
    assert_eq!(resignation.len(), heard.len(), "signed as well");
    second.wait_for_state("web", "MASTER");
    two.wait_until_has(vip(), true, PATIENCE);
    assert_eq!(counter(&second, "priority_zero_received"), 1, "the resignation was believed");

    // And back: a daemon that starts anew is believed at once.
    let first = Daemon::start_with(Implementation::Vrrpd, one, &config(one, two, 200));
    first.wait_for_state("web", "MASTER");
    second.wait_for_state("web", "BACKUP");
    assert_eq!((counter(&second, "auth_replays"), counter(&second, "auth_failures")), (10, 0));
}

/// Of an IPv4 header (RFC 791, 3.1).
fn checksum(header: &[u8]) -> u16 {
    let words = header.chunks_exact(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).expect("folded to 16 bits")
}
