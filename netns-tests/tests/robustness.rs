//! What `vrrpd` promises beyond the protocol: bad input changes nothing, and what is taken from it comes back.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, Lab, PairConfig, Process, RouterConfig, Stamp};

use Implementation::Vrrpd;

const TENTH: Duration = Duration::from_millis(100);
const PATIENCE: Duration = Duration::from_secs(10);

fn web(priority: u8) -> PairConfig {
    RouterConfig::web(priority).into()
}

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

/// Runs a daemon that is expected not to start; its exit code and what it said.
fn refused(host: &Host, mut process: Process) -> (i32, String) {
    let status = process.wait(PATIENCE).unwrap_or_else(|| panic!("it runs on {}: {}", host.name(), process.log()));
    (status.code().unwrap_or(-1), process.log())
}

#[test]
fn packets_that_fail_validation_change_nothing() {
    let duo = Duo::default();
    let [_first, second] = duo.start(Vrrpd, &web(100), &web(99));
    let before = second.router("web")["counters"]["active_transitions"].clone();
    let start = Stamp::now();
    // Faster than the Master advertises, for three down intervals, each wrong in its own way.
    for round in 0..300_u16 {
        let mut advert = forged(duo.lab.client().ip(), 254);
        match round % 3 {
            0 => set_ttl(&mut advert, 254),
            1 => *advert.last_mut().unwrap() ^= 0xff,
            _ => advert = frame(duo.lab.client().ip(), vec![0x31, 51, 254, 2, 0, 10, 0, 0, 192, 168, 100, 10]),
        }
        duo.lab.client().inject(&advert);
        sleep(Duration::from_millis(4));
    }
    let ours = duo.lab.host(1).ip();
    let adverts: Vec<_> = duo
        .capture
        .adverts_since(start)
        .into_iter()
        .filter(|(_, advert)| advert.source != duo.lab.client().ip())
        .collect();
    assert!(adverts.iter().all(|(_, advert)| advert.source == ours), "host 2 took over");
    let expected = (Stamp::now() - start).as_millis() / 100;
    assert!(adverts.len() as u128 * 10 >= expected * 8, "only {} of {expected} adverts", adverts.len());
    let (router, interface) = (second.router("web"), second.status()["interfaces"][0].clone());
    assert_eq!(interface["counters"]["ip_ttl_errors"], 100, "{interface}");
    assert_eq!(router["counters"]["checksum_errors"], 100, "{router}");
    assert_eq!(router["counters"]["addr_count_errors"], 0, "{router}");
    assert_eq!(router["counters"]["packet_length_errors"], 100, "{router}");
    assert_eq!(router["counters"]["active_transitions"], before, "{router}");
}

/// A valid advert for virtual router 51 and its address, version 3, an interval of 100 ms.
fn forged(source: IpAddr, priority: u8) -> Vec<u8> {
    frame(source, vec![0x31, 51, priority, 1, 0, 10, 0, 0, 192, 168, 100, 10])
}

/// The message with its checksum, in a packet from `source`.
fn frame(source: IpAddr, mut message: Vec<u8>) -> Vec<u8> {
    let IpAddr::V4(source) = source else { panic!("an IPv4 address") };
    let sum = checksum(&message).to_be_bytes();
    message[6..8].copy_from_slice(&sum);
    let mut header = vec![0x45, 0xc0, 0, 32, 0, 0, 0, 0, 255, 112, 0, 0];
    header.extend(source.octets());
    header.extend([224, 0, 0, 18]);
    let sum = checksum(&header).to_be_bytes();
    header[10..12].copy_from_slice(&sum);
    [&[1, 0, 0x5e, 0, 0, 0x12, 2, 0, 0, 0, 0, 99, 8, 0], &header[..], &message].concat()
}

fn set_ttl(frame: &mut [u8], ttl: u8) {
    frame[22] = ttl;
    frame[24..26].fill(0);
    let sum = checksum(&frame[14..34]).to_be_bytes();
    frame[24..26].copy_from_slice(&sum);
}

fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap()
}

#[test]
fn a_forged_advert_would_be_believed_if_it_were_valid() {
    // The control of the test above: its packets are wrong only in what it changes.
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    duo.lab.client().inject(&forged(duo.lab.client().ip(), 254));
    first.wait_for_state("web", "BACKUP");
}

#[test]
fn a_configuration_that_is_refused_leaves_the_running_one_in_force() {
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    let start = Stamp::now();
    first.rewrite_with("[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 300\n");
    first.reload();
    let answer = first.vrrpctl(&["reload"]);
    assert_eq!(answer.status.code(), Some(1));
    let said = String::from_utf8_lossy(&answer.stderr).into_owned();
    assert!(said.contains("daemon.conf:3:21"), "{said}");
    assert!(said.contains("virtual_router_id"), "{said}");
    sleep(5 * TENTH);
    assert!(duo.capture.adverts_since(start).iter().all(|(_, advert)| advert.priority == 100 && advert.vrid == 51));
    let status = first.status();
    assert_eq!(status["config"]["generation"], 1);
    assert!(status["config"]["refused"].is_string(), "{status}");
    assert_eq!(first.router("web")["state"], "MASTER");
    assert!(duo.lab.host(1).has(vip()));

    first.rewrite(duo.lab.host(1), &web(100));
    assert!(first.vrrpctl(&["reload"]).status.success());
    assert!(first.status()["config"]["refused"].is_null(), "the last file read is in force again");
}

#[test]
fn a_second_daemon_on_the_same_control_socket_says_who_holds_it() {
    let duo = Duo::default();
    let [first, _second] = duo.start(Vrrpd, &web(100), &web(99));
    let host = duo.lab.host(1);
    let start = Stamp::now();
    let config = host.directory().join("daemon.conf");
    let (code, said) = refused(host, host.start("second", Daemon::command(Vrrpd, host, &config)));
    assert_ne!(code, 0);
    assert!(said.contains("control.sock"), "{said}");
    assert!(said.contains(&first.process().pid().to_string()), "{said}");
    sleep(5 * TENTH);
    assert!(
        duo.capture.adverts_since(start).iter().all(|(_, advert)| advert.source == host.ip() && advert.priority == 100)
    );
    assert_eq!(first.router("web")["state"], "MASTER");
}

#[test]
fn a_missing_capability_is_named() {
    let lab = Lab::new(1);
    let host = lab.host(1);
    let config = host.write("daemon.conf", &Vrrpd.render(host, &web(100)));
    for capability in ["net_admin", "net_raw"] {
        let mut command = Command::new("setpriv");
        command.arg(format!("--bounding-set=-{capability}")).arg(format!("--inh-caps=-{capability}"));
        command.arg(Vrrpd.executable()).arg("--config").arg(&config);
        let (code, said) = refused(host, host.start(capability, command));
        assert_ne!(code, 0);
        assert!(said.to_lowercase().contains(&format!("cap_{capability}")), "{said}");
    }
}

#[test]
fn a_configuration_with_a_mistake_does_not_start() {
    let lab = Lab::new(1);
    let host = lab.host(1);
    let config = host.write("daemon.conf", "[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_ip = 51\n");
    let (code, said) = refused(host, host.start("daemon", Daemon::command(Vrrpd, host, &config)));
    assert_ne!(code, 0);
    assert!(said.contains("daemon.conf:3:1"), "{said}");
    assert!(said.contains("virtual_router_id"), "the nearest key is proposed: {said}");
    assert!(!host.has(vip()));
}
