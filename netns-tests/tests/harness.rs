//! The harness itself.

use std::time::Duration;

use netns_tests::{Lab, Nginx, Prober, Stamp};

#[test]
fn a_client_reaches_a_host_until_its_cable_is_cut() {
    let lab = Lab::new(1);
    let _nginx = Nginx::start(lab.host(1));
    let patience = Duration::from_millis(50);
    let prober = Prober::start(lab.client(), lab.host(1).ip(), Duration::from_millis(10), patience);
    prober.wait_for("h1", Stamp::now(), Duration::from_secs(5));
    lab.cut(lab.host(1));
    std::thread::sleep(Duration::from_millis(300));
    assert!(prober.answers().last().unwrap().body.is_err());
    lab.mend(lab.host(1));
    prober.wait_for("h1", Stamp::now(), Duration::from_secs(5));
}

#[test]
fn interfaces_come_and_go() {
    let lab = Lab::new(1);
    let host = lab.host(1);
    assert!(host.has(host.ip()) && host.has(host.ip6()));
    lab.remove_interface(host);
    assert!(!host.has(host.ip()));
    lab.add_interface(host);
    assert!(host.has(host.ip()) && host.has(host.ip6()));
}
