//! `vrrpd-exporter` as a process, in front of a daemon that is played.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail by panicking too")]
#![allow(clippy::disallowed_methods, reason = "a test of processes lives in real time")]

mod bench;

use bench::{Daemon, Exporter};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn each_path_answers_in_its_kind() {
    let daemon = Daemon::new();
    daemon.start();
    let exporter = Exporter::start(&daemon.socket);
    for (path, accept, kind, contains) in [
        ("/metrics", "*/*", "application/openmetrics-text; version=1.0.0; charset=utf-8", "\n# EOF\n"),
        ("/metrics", "text/plain", "text/plain; version=0.0.4; charset=utf-8", "# TYPE vrrpd_errors_total counter\n"),
        ("/healthz", "*/*", "text/plain; charset=utf-8", "the daemon answers"),
        ("/status.json", "*/*", "application/json", r#""virtual_routers":[{"#),
        ("/", "*/*", "text/html; charset=utf-8", "<title>vrrpd</title>"),
    ] {
        let answer = exporter.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\nAccept: {accept}\r\n\r\n"));
        assert_eq!((answer.code, answer.header("content-type")), (200, kind), "{path}: {answer:?}");
        assert!(answer.body.contains(contains), "{path}: {answer:?}");
        assert!(answer.header("content-security-policy").starts_with("default-src 'none'; "), "{answer:?}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
    }
    assert_eq!(exporter.get("/status").code, 404);
}

#[test]
fn a_daemon_that_is_away_is_said_and_found_again() {
    let daemon = Daemon::new();
    let exporter = Exporter::start(&daemon.socket);
    for _ in 0..2 {
        let health = exporter.get("/healthz");
        assert_eq!(health.code, 503);
        assert!(health.body.contains("is vrrpd running?"), "{health:?}");
        assert_eq!(exporter.get("/status.json").code, 503);
        let metrics = exporter.get("/metrics");
        assert_eq!(metrics.code, 200);
        assert!(metrics.body.ends_with("\nvrrpd_up 0\n# EOF\n"), "{metrics:?}");

        daemon.start();
        std::thread::sleep(SECOND / 10);
        assert_eq!(exporter.get("/healthz").code, 200);
        assert!(exporter.get("/metrics").body.contains("\nvrrpd_up 1\n"));
        daemon.stop();
        std::thread::sleep(SECOND / 10);
    }
}

#[test]
fn who_watches_sees_records_the_status_and_that_the_daemon_is_away() {
    let daemon = Daemon::new();
    daemon.start();
    daemon.happens("before");
    let exporter = Exporter::start(&daemon.socket);
    let mut events = exporter.watch();
    events.wait_for("record", "before", 3 * SECOND);
    events.wait_for("status", r#""state":"MASTER""#, 3 * SECOND);
    daemon.happens("while it watches");
    events.wait_for("record", "while it watches", SECOND);
    events.wait_for("status", r#""state":"MASTER""#, 2 * SECOND);
    daemon.stop();
    events.wait_for("away", "is vrrpd running?", 3 * SECOND);
    daemon.start();
    daemon.happens("after");
    events.wait_for("record", "after", 3 * SECOND);
    events.wait_for("status", r#""state":"MASTER""#, 3 * SECOND);
}

/// The history of the daemon was lost: what was the newest record is not there any more.
#[test]
fn a_history_that_begins_anew_is_followed_from_its_beginning() {
    let daemon = Daemon::new();
    daemon.start();
    (0..5).for_each(|_| daemon.happens("old"));
    let exporter = Exporter::start(&daemon.socket);
    let mut events = exporter.watch();
    events.wait_for("record", "old", 3 * SECOND);
    daemon.stop();
    daemon.forget();
    daemon.happens("new");
    daemon.start();
    events.wait_for("record", "new", 5 * SECOND);
}

#[test]
fn nothing_can_be_changed_through_it() {
    let daemon = Daemon::new();
    daemon.start();
    let exporter = Exporter::start(&daemon.socket);
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let answer = exporter.ask(&format!("{method} /status.json HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n"));
        assert_eq!((answer.code, answer.header("allow")), (405, "GET, HEAD"), "{method}");
    }
    exporter.get("/");
    exporter.get("/metrics");
    exporter.watch().wait_for("status", "MASTER", 3 * SECOND);
    let asked = daemon.asked();
    assert!(!asked.is_empty());
    for ask in asked {
        assert!(ask.contains(r#""command":"status""#) || ask.contains(r#""command":"events""#), "{ask}");
    }
}

#[test]
fn clients_that_misbehave_do_no_harm() {
    let daemon = Daemon::new();
    daemon.start();
    let exporter = Exporter::start(&daemon.socket);
    assert_eq!(exporter.ask("\0\x01\x02 nonsense\r\n\r\n").code, 400);
    assert_eq!(exporter.ask(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(1 << 20))).code, 431);

    // More than there is room for: the last are closed at once, and the others give way when they go.
    let mut idle: Vec<TcpStream> = (0..60).map(|_| TcpStream::connect(exporter.address).unwrap()).collect();
    let last = idle.last_mut().unwrap();
    last.set_read_timeout(Some(3 * SECOND)).unwrap();
    assert!(matches!(last.read(&mut [0; 1]), Ok(0) | Err(_)), "it is closed");
    drop(idle);
    std::thread::sleep(SECOND / 5);

    let mut half = TcpStream::connect(exporter.address).unwrap();
    half.write_all(b"GET / HTT").unwrap();
    assert_eq!(exporter.get("/healthz").code, 200);
    half.set_read_timeout(Some(20 * SECOND)).unwrap();
    let mut said = Vec::new();
    half.read_to_end(&mut said).expect("who does not go on asking is closed within ten seconds");

    let watching: Vec<_> = (0..16).map(|_| exporter.watch()).collect();
    assert_eq!(exporter.get("/events").code, 503);
    assert_eq!(exporter.get("/healthz").code, 200);
    drop(watching);
}

#[test]
fn a_daemon_that_talks_nonsense_is_not_up() {
    let daemon = Daemon::new();
    daemon.start();
    daemon.says("nonsense");
    let exporter = Exporter::start(&daemon.socket);
    assert!(exporter.get("/metrics").body.contains("vrrpd_up 0\n"));
    daemon.says(r#"{"error":"too many clients"}"#);
    std::thread::sleep(SECOND / 10);
    let health = exporter.get("/healthz");
    assert_eq!(health.code, 503);
    assert!(health.body.contains("too many clients"), "{health:?}");
}
