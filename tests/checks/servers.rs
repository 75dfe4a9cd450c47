//! `tcp`, `http` and `ping` tracks against servers on loopback.

use crate::bench::{fails, passes, run, spec};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use vrrpd::engine::{Check, HttpCheck, TrackerSpec};

/// A server that reads until it has seen `until`, answers, and closes. It keeps what it was sent.
async fn server(until: &'static str, answer: &str) -> (SocketAddr, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (answer, heard) = (answer.to_owned(), Arc::new(Mutex::new(String::new())));
    let keep = heard.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut got = String::new();
            while !got.ends_with(until)
                && let Ok(octet) = stream.read_u8().await
            {
                got.push(char::from(octet));
            }
            *keep.lock().unwrap() = got;
            stream.write_all(answer.as_bytes()).await.ok();
        }
    });
    (address, heard)
}

/// A server that takes connections and never says a word.
async fn silent_server() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    address
}

/// An address that nobody listens on.
fn nobody() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn impatient(check: Check) -> TrackerSpec {
    TrackerSpec { timeout: Duration::from_millis(300), ..spec(check) }
}

fn tcp(address: SocketAddr, send: Option<&str>, expect: Option<&str>) -> Check {
    Check::Tcp { address, send: send.map(Into::into), expect: expect.map(Into::into) }
}

#[tokio::test]
async fn tcp_connects_and_talks_one_line() {
    let (redis, heard) = server("\n", "+PONG\r\n").await;
    passes(&run(spec(tcp(redis, None, None))).await, "connected");
    passes(&run(spec(tcp(redis, Some("PING"), Some("+PONG")))).await, "answered \"+PONG\"");
    assert_eq!(*heard.lock().unwrap(), "PING\r\n");
    passes(&run(spec(tcp(redis, Some("PING\n"), Some("+")))).await, "answered \"+PONG\"");
    assert_eq!(*heard.lock().unwrap(), "PING\n");
    fails(&run(spec(tcp(redis, Some("PING"), Some("+OK")))).await, "answered \"+PONG\", not \"+OK\"");
    let (banner, _) = server("", "SSH-2.0-x\r\n").await;
    passes(&run(spec(tcp(banner, None, Some("SSH-")))).await, "answered \"SSH-2.0-x\"");
}

#[tokio::test]
async fn tcp_fails_with_the_reason() {
    fails(&run(spec(tcp(nobody(), None, None))).await, "Connection refused (os error 111)");
    let (closes, _) = server("\n", "").await;
    fails(&run(spec(tcp(closes, Some("PING"), Some("+PONG")))).await, "closed the connection without an answer");
    let (cuts, _) = server("\n", "+PO").await;
    fails(&run(spec(tcp(cuts, Some("PING"), Some("+PONG")))).await, "answered \"+PO\", not \"+PONG\"");
    let silent = silent_server().await;
    fails(&run(impatient(tcp(silent, Some("PING"), Some("+PONG")))).await, "timed out after 300ms");
}

fn get(url: String) -> HttpCheck {
    HttpCheck { url: url.into(), status: None, body: None, host: None, insecure: false }
}

/// The outcome of a GET request that a server answers with `answer`.
async fn answered(answer: &str, change: impl Fn(HttpCheck) -> HttpCheck) -> vrrpd::engine::CheckReport {
    let (address, _) = server("\r\n\r\n", answer).await;
    run(spec(Check::Http(change(get(format!("http://{address}/healthz")))))).await
}

fn same(check: HttpCheck) -> HttpCheck {
    check
}

fn with_status(status: u16) -> impl Fn(HttpCheck) -> HttpCheck {
    move |check| HttpCheck { status: Some(status), ..check }
}

fn with_body(body: &'static str) -> impl Fn(HttpCheck) -> HttpCheck {
    move |check| HttpCheck { body: Some(body.into()), ..check }
}

#[tokio::test]
async fn http_looks_at_the_status_and_the_body() {
    const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{\"status\":\"ok\"}";
    const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nall \r\n4\r\nwell\r\n0\r\n\r\n";
    const UNTIL_CLOSED: &str = "HTTP/1.0 200 OK\r\n\r\nall well";
    passes(&answered(OK, same).await, "status 200 OK");
    passes(
        &answered("HTTP/1.1 301 Moved Permanently\r\nContent-Length: 0\r\n\r\n", same).await,
        "status 301 Moved Permanently",
    );
    fails(
        &answered("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", same).await,
        "status 503 Service Unavailable",
    );
    passes(
        &answered("HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n", with_status(503)).await,
        "status 503 Service Unavailable",
    );
    fails(&answered(OK, with_status(204)).await, "status 200 OK, but 204 is expected");
    passes(&answered(OK, with_body("\"ok\"")).await, "status 200 OK");
    passes(&answered(CHUNKED, with_body("all well")).await, "status 200 OK");
    passes(&answered(UNTIL_CLOSED, with_body("well")).await, "status 200 OK");
    fails(&answered(OK, with_body("ready")).await, "the body does not contain \"ready\"");
}

#[tokio::test]
async fn http_asks_as_it_is_told() {
    let (address, heard) = server("\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let port = address.port();
    for (url, host, line, header) in [
        (format!("http://127.0.0.1:{port}/a?b=c"), None, "GET /a?b=c HTTP/1.1", format!("host: 127.0.0.1:{port}")),
        (format!("http://localhost:{port}"), None, "GET / HTTP/1.1", format!("host: localhost:{port}")),
        (format!("http://{address}"), Some("shop.example"), "GET / HTTP/1.1", "host: shop.example".into()),
    ] {
        let check = HttpCheck { host: host.map(Into::into), ..get(url) };
        passes(&run(spec(Check::Http(check))).await, "status 200 OK");
        let heard = heard.lock().unwrap().clone();
        assert!(heard.starts_with(&format!("{line}\r\n")), "{heard}");
        assert!(heard.lines().any(|got| got == header), "{heard}");
        assert!(heard.contains("connection: close\r\n"), "{heard}");
    }
}

#[tokio::test]
async fn http_fails_with_the_reason() {
    let url = |url: &str| run(spec(Check::Http(get(url.into()))));
    fails(&url(&format!("http://{}/", nobody())).await, "Connection refused (os error 111)");
    fails(
        &url("ftp://example.org/").await,
        "ftp://example.org/ is not a URL: it must begin with http:// or https:// and name a host",
    );
    fails(&url("/healthz").await, "/healthz is not a URL: it must begin with http:// or https:// and name a host");
    assert!(url("http://a b/").await.result.starts_with("http://a b/ is not a URL: "));
    assert!(answered("SSH-2.0-x\r\n\r\n", same).await.result.starts_with("no valid answer: "));
    assert!(answered("", same).await.result.starts_with("no valid answer: "));
    assert!(
        answered("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nall", with_body("all well"))
            .await
            .result
            .starts_with("the body could not be read to its end")
    );
    let silent = silent_server().await;
    let report = run(impatient(Check::Http(get(format!("http://{silent}/"))))).await;
    fails(&report, "timed out after 300ms");
}

#[tokio::test]
async fn a_body_without_end_is_not_read_without_end() {
    let endless = format!("HTTP/1.1 200 OK\r\n\r\n{}", "x".repeat(2 << 20));
    let report = answered(&endless, with_body("y")).await;
    assert!(report.result.contains("greater than 1048576 octets"), "{report:?}");
}

#[tokio::test]
async fn ping_reaches_loopback_in_both_families_and_many_at_once() {
    let pings = (0..20).map(|number| {
        let target = if number % 2 == 0 { IpAddr::V4(Ipv4Addr::LOCALHOST) } else { IpAddr::V6(Ipv6Addr::LOCALHOST) };
        tokio::spawn(run(spec(Check::Ping(target))))
    });
    for ping in pings.collect::<Vec<_>>() {
        passes(&ping.await.unwrap(), "echo reply");
    }
}
