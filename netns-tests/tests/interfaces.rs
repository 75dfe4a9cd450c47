//! What an interface has of its own, and interfaces whose state is no reason to give way.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::thread::sleep;
use std::time::Duration;

use netns_tests::{Daemon, Duo, Host, Implementation, RouterConfig};

const PATIENCE: Duration = Duration::from_secs(10);

fn vip() -> IpAddr {
    RouterConfig::web_address()
}

fn start(host: &Host, priority: u8, more: &str) -> Daemon {
    let web = Implementation::Vrrpd.render(host, &RouterConfig::web(priority).into());
    Daemon::start_with(Implementation::Vrrpd, host, &format!("{web}{more}\n"))
}

/// RFC 9568, 6.4.3: the owner's addresses are those of its interface.
#[test]
fn an_owner_keeps_its_addresses_over_a_stop_and_a_crash() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    host.add_address(vip(), 24);
    for ending in ["stop", "crash", "guardian"] {
        let mut owner = start(host, 255, "accept = false");
        duo.capture.wait_until_only(host.ip(), Duration::from_millis(250), PATIENCE);
        let backup = start(duo.lab.host(2), 90, "");
        sleep(Duration::from_millis(500));
        assert_eq!(owner.router("web")["state"], "MASTER");
        assert!(!duo.lab.host(2).has(vip()));
        match ending {
            "stop" => assert!(owner.stop().success()),
            "crash" => owner.crash(),
            // The daemon alone is killed, and its guardian does what is left to do.
            _ => {
                owner.process().signal(nix::sys::signal::Signal::SIGKILL);
                owner.process_mut().wait(PATIENCE);
            }
        }
        duo.lab.host(2).wait_until_has(vip(), true, PATIENCE);
        assert!(host.has(vip()), "{ending}: it was there before the daemon");
        assert!(backup.stop().success());
    }
}

/// The second address of the interface, where the first is what adverts would come from otherwise.
#[test]
fn adverts_come_from_the_source_address_and_list_no_excluded_address() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let (source, excluded): (IpAddr, IpAddr) = ([192, 168, 100, 77].into(), [192, 168, 101, 10].into());
    host.add_address(source, 24);
    let six: IpAddr = "2001:db8:101::10".parse().unwrap();
    let more = format!("source_address = \"{source}\"\nexcluded_addresses = [\"{excluded}/24\", \"{six}/64\"]");
    let daemon = start(host, 100, &more);
    duo.capture.wait_until_only(source, Duration::from_millis(250), PATIENCE);
    for address in [vip(), excluded, six] {
        host.wait_until_has(address, true, PATIENCE);
    }
    let events = duo.capture.events();
    let adverts: Vec<_> = events.iter().filter_map(netns_tests::Event::advert).collect();
    assert!(!adverts.is_empty() && adverts.iter().all(|advert| advert.addresses == [vip()]), "{adverts:?}");
    for address in [vip(), excluded, six] {
        assert!(events.iter().any(|event| event.announced() == Some(address)), "{address} is announced");
    }
    // Without the address that it is to speak from it cannot speak.
    host.delete_address(source);
    daemon.wait_for_state("web", "FAULT");
    for address in [vip(), excluded, six] {
        host.wait_until_has(address, false, PATIENCE);
    }
}

#[test]
fn a_router_that_does_not_track_its_interface_stays_master_without_a_carrier() {
    let duo = Duo::default();
    let host = duo.lab.host(1);
    let daemon = start(host, 100, "track_interface = false");
    duo.capture.wait_until_only(host.ip(), Duration::from_millis(250), PATIENCE);
    duo.lab.cut(host);
    sleep(Duration::from_secs(1));
    assert_eq!(daemon.router("web")["state"], "MASTER");
    assert!(host.has(vip()));
    duo.lab.mend(host);
    duo.capture.wait_until_only(host.ip(), Duration::from_millis(250), PATIENCE);
}
