//! What a client of the control socket sends, to the real server in front of a real engine: every answer is a line of
//! JSON, and the next client is served.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::SystemTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use vrrpd::config::{Context, load_text};
use vrrpd::control::{
    About, Ask, History, Limits, Listener, ReloadOutcome, Request, Status, Timings, UpgradeOutcome, WallClock, serve,
};
use vrrpd::engine::{Engine, Event, InterfaceFacts, Provenance};
use vrrpd::ids::InterfaceName;
use vrrpd::time::Timestamp;
use vrrpd::units::VirtualAddress;
use vrrpd::vrrp::Action;

const CONFIG: &str = r#"
[virtual_router.web]
interface = "eth0"
virtual_router_id = 51
virtual_addresses = ["192.0.2.10/24"]

[virtual_router.db]
interface = "eth1"
virtual_router_id = 52
virtual_addresses = ["192.0.2.11/24"]
"#;

const STATUS: &[u8] = b"{\"command\": \"status\"}\n";

/// Tries one input.
pub(crate) fn run(data: &[u8]) {
    for line in data.split(|&octet| octet == b'\n') {
        if let Ok(ask) = serde_json::from_slice::<Ask>(line) {
            let again = serde_json::to_vec(&ask).expect("a request is JSON");
            assert_eq!(serde_json::from_slice::<Ask>(&again).expect("what we write we read"), ask);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let directory = tempfile::tempdir().expect("a directory");
        let socket = directory.path().join("control.sock");
        let listener = Listener::bind(&socket, "root").expect("a socket in a directory of our own");
        let (backend, requests) = mpsc::channel(8);
        let history = History::after_seq(0);
        tokio::select! {
            served = serve(listener, backend, history.clone(), Limits::default()) => served.expect("it serves for ever"),
            () = answer(requests, &history) => panic!("the server went"),
            () = converse(&socket, data) => {}
        }
    });
}

async fn converse(socket: &Path, data: &[u8]) {
    ask(socket, data).await;
    let status = ask(socket, STATUS).await;
    let status: serde_json::Value = serde_json::from_slice(&status).expect("the next client is served");
    assert_eq!(status["schema"], 1);
}

/// Sends it all, and takes what comes back; each line has to be JSON.
async fn ask(socket: &Path, data: &[u8]) -> Vec<u8> {
    let stream = UnixStream::connect(socket).await.expect("it listens");
    let (mut read, mut write) = stream.into_split();
    let mut answer = Vec::new();
    // A client that is refused in the middle of what it says is not heard out.
    let sending = async {
        let _ = write.write_all(data).await;
        let _ = write.shutdown().await;
    };
    let (_, ()) = tokio::join!(read.read_to_end(&mut answer), sending);
    for line in answer.split(|&octet| octet == b'\n').filter(|line| !line.is_empty()) {
        let parsed = serde_json::from_slice::<serde_json::Value>(line);
        assert!(parsed.is_ok(), "{parsed:?} of {}", String::from_utf8_lossy(line));
    }
    answer
}

/// The daemon behind the socket: a Master, and a router whose interface is missing.
async fn answer(mut requests: mpsc::Receiver<Request>, history: &History) {
    let plan = load_text(Path::new("vrrpd.toml"), CONFIG, &Context::portable()).expect("it is good").plan;
    let (mut engine, mut actions) = (Engine::new(0), Vec::new());
    let name = InterfaceName::new("eth0").expect("a legal name");
    engine.reconfigure(&plan, Provenance::default(), Timestamp::ZERO, &mut actions);
    engine.handle(Event::Interface { name, facts: Some(facts()) }, Timestamp::ZERO, &mut actions);
    let now = engine.next_deadline().expect("a Backup waits for a Master");
    engine.handle(Event::Tick, now, &mut actions);
    for action in &actions {
        if let Action::Record(record) = action {
            history.append(record, &clock());
        }
    }
    while let Some(request) = requests.recv().await {
        match request {
            Request::Status(reply) => {
                let snapshot = engine.snapshot(now);
                let _ = reply.send(Status { snapshot, clock: clock(), about: about(), timings: Timings::default() });
            }
            Request::Command { command, reply } => {
                let done = engine.command(&command, now, &mut actions);
                let _ = reply.send(done.map_err(|refused| refused.to_string()));
            }
            Request::LogLevel { level, reply, .. } => drop(reply.send(Ok(level))),
            Request::Reload { reply, .. } => drop(reply.send(ReloadOutcome::default())),
            Request::Upgrade(reply) => drop(reply.send(UpgradeOutcome::default())),
        }
    }
}

fn facts() -> InterfaceFacts {
    let ip = Ipv4Addr::new(192, 0, 2, 1);
    let addresses = [VirtualAddress { ip: ip.into(), prefix: 24 }].into();
    InterfaceFacts { index: 2, up: true, ipv4: Some(ip), ipv6: None, mac: None, addresses }
}

fn clock() -> WallClock {
    WallClock { boottime: Timestamp::ZERO, wall: SystemTime::UNIX_EPOCH }
}

fn about() -> About {
    About {
        pid: 1,
        started: SystemTime::UNIX_EPOCH,
        config_path: "/etc/vrrpd/vrrpd.toml".into(),
        generation: 1,
        loaded: SystemTime::UNIX_EPOCH,
        refused: None,
    }
}
