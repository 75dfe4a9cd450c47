//! `vrrpd-exporter` in front of a real pair: what a browser and Prometheus see of a failover.
#![allow(clippy::unwrap_used)]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use netns_tests::{Duo, Host, Implementation, RouterConfig};

use Implementation::Vrrpd;

/// An exporter for the daemon on a host. It needs nothing but the control socket, so it runs beside the test.
struct Exporter {
    process: Child,
    address: SocketAddr,
}

impl Exporter {
    fn start(host: &Host) -> Self {
        let mut process = Command::new(Vrrpd.executable().with_file_name("vrrpd-exporter"))
            .args(["--listen", "127.0.0.1:0", "--socket"])
            .arg(host.directory().join("control.sock"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap().parse().unwrap();
        Self { process, address }
    }

    fn open(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream
    }

    fn get(&self, path: &str) -> String {
        let mut answer = String::new();
        self.open(path).read_to_string(&mut answer).unwrap();
        answer
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Reads the lines of an event stream up to one that has all of `words`.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, words: &[&str]) -> String {
    // There is a status every second: what is not there within so many lines does not come.
    let found = lines.take(300).map(Result::unwrap).find(|line| words.iter().all(|word| line.contains(word)));
    found.unwrap_or_else(|| panic!("no line with {words:?}"))
}

struct Metrics(String);

impl Metrics {
    /// The value of a sample; `WEB` stands for the labels of the router.
    fn value(&self, sample: &str) -> u64 {
        let sample = sample.replace("WEB", r#"router="web",interface="eth0",family="ipv4",vrid="51""#);
        let value = self.0.lines().find_map(|line| line.strip_prefix(&sample)?.strip_prefix(' '));
        value.unwrap_or_else(|| panic!("no {sample} in\n{}", self.0)).parse().unwrap()
    }
}

#[test]
fn a_failover_is_in_the_event_stream_within_a_second_and_in_the_metrics() {
    let duo = Duo::default();
    let web = RouterConfig::web;
    let [first, second] = duo.start(Vrrpd, &web(100).into(), &web(90).into());
    second.wait_for_state("web", "BACKUP");
    let exporter = Exporter::start(duo.lab.host(2));
    let mut events = BufReader::new(exporter.open("/events")).lines();
    wait_for(&mut events, &[r#""virtual_routers":[{"#, r#""state":"BACKUP""#]);
    let before = Metrics(exporter.get("/metrics"));
    assert_eq!(before.value(r#"vrrpd_state{WEB,vrrpd_state="BACKUP"}"#), 1);
    assert_eq!(before.value("vrrpd_held_addresses{WEB}"), 0);

    let newest = second.events().last().and_then(|record| record["seq"].as_u64()).unwrap();
    first.crash();
    // The protocol demands 3 intervals and the skew time of silence first: 365 ms.
    let crashed = Instant::now();
    let new = |line: &str| {
        let record: serde_json::Value = serde_json::from_str(line.strip_prefix("data: ").unwrap()).unwrap();
        record["seq"].as_u64().unwrap() > newest
    };
    while !new(&wait_for(&mut events, &[r#""event":"transition""#, r#""to":"MASTER""#])) {}
    wait_for(&mut events, &[r#""virtual_routers":[{"#, r#""state":"MASTER""#]);
    let shown = crashed.elapsed();
    assert!(shown < Duration::from_millis(365 + 1000), "shown after {shown:?}");

    let after = Metrics(exporter.get("/metrics"));
    assert_eq!(after.value(r#"vrrpd_state{WEB,vrrpd_state="MASTER"}"#), 1);
    assert_eq!(after.value("vrrpd_held_addresses{WEB}"), 1);
    // Host 2 may have been Master before, until host 1 was there.
    for counter in [
        r#"vrrpd_transitions_total{router="web",to="MASTER"}"#,
        "vrrpd_failover_overhead_seconds_count",
        r#"vrrpd_failover_overhead_seconds_bucket{le="+Inf"}"#,
    ] {
        assert_eq!(after.value(counter), before.value(counter) + 1, "{counter}");
    }
    let late = "vrrpd_advert_lateness_seconds_count";
    assert!(after.value(late) > before.value(late));

    drop(second);
    wait_for(&mut events, &["cannot reach the daemon"]);
    assert!(exporter.get("/healthz").starts_with("HTTP/1.1 503 "));
}
