//! The control socket, over real sockets and with the real `vrrpctl`, in front of a daemon that is played.

#![allow(clippy::unwrap_used, reason = "the helpers of a test fail by panicking too")]

use nix::unistd::{Gid, Group};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::IpAddr;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;
use tokio::sync::{mpsc, oneshot};
use vrrpd::control::{
    About, BindError, History, Limits, Listener, ReloadOutcome, Request, Status, Timings, UpgradeOutcome, WallClock,
    serve,
};
use vrrpd::engine::{Drain, MasterStatus, RouterStatus, Snapshot};
use vrrpd::ids::{InterfaceName, RouterKey};
use vrrpd::time::Timestamp;
use vrrpd::units::{Family, Interval, Priority, Version, VirtualAddress, Vrid};
use vrrpd::vrrp::{Cause, Evidence, MacMode, Preempt, Record, Role, RouterCounters, Subject, Unfit, Why};

const NOBODY: u32 = 65534;

#[test]
fn status_says_what_the_daemon_says() {
    let daemon = Played::new().start();
    let json: serde_json::Value = serde_json::from_str(&succeeds(&daemon.ctl(&["status", "--json"]))).unwrap();
    assert_eq!(json["schema"], 1);
    assert_eq!(json["virtual_routers"][0]["state"], "BACKUP");
    assert_eq!(json["virtual_routers"][1]["state"], "MASTER");

    let table = succeeds(&daemon.ctl(&["status"]));
    assert!(table.contains("not Master: 192.0.2.1 is Master with the higher priority 150"), "{table}");
    assert!(!table.contains('\x1b'), "no colour where nobody sees it: {table}");

    let one: serde_json::Value = serde_json::from_str(&succeeds(&daemon.ctl(&["status", "db", "--json"]))).unwrap();
    assert_eq!(one["virtual_routers"].as_array().unwrap().len(), 1);
    fails(&daemon.ctl(&["status", "wbe"]), 1, "no virtual router is called wbe: there are web, db");
}

#[test]
fn the_check_for_monitoring_is_an_exit_code() {
    succeeds(&Played::new().start().ctl(&["status", "--check"]));
    let mut faulty = Played::new();
    faulty.routers[0].role = Role::Fault;
    faulty.routers[0].unfit = Some(Unfit::InterfaceDown);
    let output = faulty.start().ctl(&["status", "--check"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("its interface is down"), "{output:?}");
}

#[test]
fn without_a_daemon_it_says_so() {
    let dir = TempDir::new().unwrap();
    let socket = dir.path().join("control.sock");
    fails(&ctl(&socket, &["status"]), 2, "is vrrpd running?");
    drop(UnixListener::bind(&socket).unwrap());
    fails(&ctl(&socket, &["status"]), 2, "Connection refused");
    fails(&ctl(&socket, &["stauts"]), 2, "status");
}

#[test]
fn events_are_the_history_and_go_on() {
    let daemon = Played::new().start();
    daemon.happens("first");
    daemon.happens("second");
    let all = succeeds(&daemon.ctl(&["events"]));
    assert_eq!(all.lines().count(), 2);
    assert!(all.contains("     1  ") && all.contains("interface eth0: up: first"), "{all}");
    let later = succeeds(&daemon.ctl(&["events", "--since", "1", "--json"]));
    let record: serde_json::Value = serde_json::from_str(later.trim()).unwrap();
    assert_eq!((&record["seq"], &record["detail"]), (&2.into(), &"second".into()));
    fails(&daemon.ctl(&["events", "--since", "9"]), 1, "there is no record 9: the newest is 2");

    let mut following = daemon.ctl_command(&["events", "--follow", "--since", "2"]);
    let mut follower = following.stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    daemon.happens("third");
    assert!(lines.next().unwrap().unwrap().ends_with("third"));
    daemon.happens("fourth");
    assert!(lines.next().unwrap().unwrap().ends_with("fourth"));
    follower.kill().unwrap();
    follower.wait().unwrap();
}

#[test]
fn reload_prints_what_came_of_it() {
    let mut played = Played::new();
    let changes = vec!["web: priority 100 -> 90".to_owned()];
    played.reload = ReloadOutcome { ok: true, diagnostics: String::new(), changes };
    let daemon = played.start();
    assert_eq!(succeeds(&daemon.ctl(&["reload"])), "reloaded:\n  web: priority 100 -> 90\n");
    assert_eq!(succeeds(&daemon.ctl(&["reload", "--dry-run"])), "would change:\n  web: priority 100 -> 90\n");

    let mut played = Played::new();
    let diagnostics = "vrrpd.toml:3:1: error: unknown key".to_owned();
    played.reload = ReloadOutcome { ok: false, diagnostics: diagnostics.clone(), changes: Vec::new() };
    let output = played.start().ctl(&["reload"]);
    fails(&output, 1, &diagnostics);
    fails(&output, 1, "the running configuration stays");
}

#[test]
fn draining_says_who_is_master_and_who_asked() {
    let daemon = Played::new().start();
    let said = succeeds(&daemon.ctl(&["drain", "web", "--for", "30m"]));
    assert_eq!(said, "web: drained until 1970-01-01T00:30:00.000Z; Master is 192.0.2.1\n");
    let table = succeeds(&daemon.ctl(&["status", "web"]));
    assert!(
        table.contains("BACKUP drained") && table.contains("drained by root (uid 0) for another 30m 0s"),
        "{table}"
    );
    let explained = succeeds(&daemon.ctl(&["explain", "web"]));
    assert!(explained.contains("web is BACKUP (drained: maintenance)"), "{explained}");
    succeeds(&daemon.ctl(&["status", "--check"]));
    assert_eq!(succeeds(&daemon.ctl(&["undrain", "web"])), "web: stands in the election\n");
    let json: serde_json::Value = serde_json::from_str(&succeeds(&daemon.ctl(&["status", "--json"]))).unwrap();
    assert_eq!(
        (&json["virtual_routers"][0]["drained"], &json["virtual_routers"][0]["drain"]),
        (&false.into(), &serde_json::Value::Null)
    );
    assert_eq!(succeeds(&daemon.ctl(&["drain"])).lines().count(), 2, "all of them");
}

#[test]
fn draining_is_refused_where_nobody_took_over() {
    let mut played = Played::new();
    played.takes_over = false;
    fails(&played.start().ctl(&["drain", "db"]), 1, "nobody took over, so it is Master again");
}

#[test]
fn of_several_names_all_must_exist() {
    let daemon = Played::new().start();
    fails(&daemon.ctl(&["drain", "web", "wbe"]), 1, "no virtual router or sync group is called");
    let json: serde_json::Value = serde_json::from_str(&succeeds(&daemon.ctl(&["status", "--json"]))).unwrap();
    assert_eq!(json["virtual_routers"][0]["drained"], false, "nothing was done");
    fails(&daemon.ctl(&["drain", "web", "--for", "soon"]), 2, "--for");
}

#[test]
fn explaining_an_unknown_router_names_the_known_ones() {
    fails(&Played::new().start().ctl(&["explain", "wbe"]), 1, "no virtual router is called wbe: there are web, db");
}

#[test]
fn the_level_of_the_log_changes() {
    let daemon = Played::new().start();
    assert_eq!(succeeds(&daemon.ctl(&["log-level", "debug"])), "log level: debug\n");
    fails(&daemon.ctl(&["log-level", "loud"]), 2, "trace");
}

#[test]
fn the_socket_is_for_root_and_its_group() {
    let daemon = Played::new().start();
    let socket = fs::metadata(&daemon.socket).unwrap();
    assert!(socket.file_type().is_socket());
    assert_eq!((socket.mode() & 0o7777, socket.uid(), socket.gid()), (0o660, 0, 1), "group daemon is 1 on Debian");
    fails(&daemon.ctl_as(NOBODY, NOBODY, &["status"]), 1, "not permitted");
    succeeds(&daemon.ctl_as(NOBODY, 1, &["status"]));
}

#[test]
fn whoever_can_connect_may_read_but_not_change() {
    let daemon = Played::new().start();
    fs::set_permissions(&daemon.socket, Permissions::from_mode(0o666)).unwrap();
    succeeds(&daemon.ctl_as(NOBODY, NOBODY, &["status"]));
    for change in [&["reload"][..], &["drain"], &["undrain", "web"], &["log-level", "info"]] {
        fails(&daemon.ctl_as(NOBODY, NOBODY, change), 1, "this needs root or membership of the group daemon");
    }
    succeeds(&daemon.ctl_as(NOBODY, NOBODY, &["explain", "web"]));
    succeeds(&daemon.ctl_as(NOBODY, 1, &["reload"]));
    succeeds(&daemon.ctl_as(1, NOBODY, &["reload"]));
}

#[test]
fn a_second_daemon_is_told_who_serves() {
    let daemon = Played::new().start();
    let us = format!("(pid {})", std::process::id());
    let error = Listener::bind(&daemon.socket, "daemon").unwrap_err();
    assert!(matches!(error, BindError::Held { .. }), "{error:?}");
    assert!(error.to_string().contains(&us), "{error}");
    // Even where somebody removed the lock file.
    fs::remove_file(daemon.dir.path().join("run/control.sock.lock")).unwrap();
    let error = Listener::bind(&daemon.socket, "daemon").unwrap_err();
    assert!(error.to_string().contains(&us), "{error}");
    succeeds(&daemon.ctl(&["status"]));
}

/// As under the packaged unit, which runs the daemon in the control group and lets it give nothing away.
#[test]
fn a_socket_that_is_the_group_s_already_takes_no_chown() {
    let dir = TempDir::new().unwrap();
    let socket = dir.path().join("control.sock");
    let group = Group::from_gid(Gid::effective()).unwrap().unwrap().name;
    std::thread::spawn(move || {
        refuse(&[libc::SYS_chown, libc::SYS_fchown, libc::SYS_lchown, libc::SYS_fchownat]);
        assert!(std::os::unix::fs::chown(dir.path(), None, Some(Gid::effective().as_raw())).is_err(), "refused");
        let listener = Listener::bind(&socket, &group).unwrap();
        assert_eq!(listener.group(), (group.as_str(), true));
        assert_eq!(fs::metadata(&socket).unwrap().mode() & 0o777, 0o660);
    })
    .join()
    .unwrap();
}

/// Of the calling thread, with EPERM.
fn refuse(calls: &[libc::c_long]) {
    let rules = calls.iter().map(|&call| (call, Vec::new())).collect();
    let architecture = std::env::consts::ARCH.try_into().unwrap();
    let refusal = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture).unwrap();
    seccompiler::apply_filter(&BpfProgram::try_from(filter).unwrap()).unwrap();
}

#[test]
fn a_stale_socket_is_replaced_and_anything_else_is_left_alone() {
    let dir = TempDir::new().unwrap();
    let socket = dir.path().join("control.sock");
    drop(UnixListener::bind(&socket).unwrap());
    drop(Listener::bind(&socket, "daemon").unwrap());
    assert!(!socket.exists(), "removed when the daemon goes");
    fs::write(&socket, "precious").unwrap();
    assert!(matches!(Listener::bind(&socket, "daemon"), Err(BindError::NotASocket(_))));
    assert_eq!(fs::read_to_string(&socket).unwrap(), "precious");
}

#[test]
fn garbage_is_answered_with_an_error_and_closed() {
    let daemon = Played::new().start();
    let deep = "[".repeat(60_000);
    let unknown = [r#"{"command":"stauts"}"#, r#"{"command":"status","x":1}"#];
    for garbage in ["\0\u{1}\u{2}", "GET / HTTP/1.1", "{}", "[]", unknown[0], unknown[1], &deep] {
        let mut stream = UnixStream::connect(&daemon.socket).unwrap();
        stream.write_all(format!("{garbage}\n").as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with(r#"{"error":"not a request: "#), "{garbage:.20}: {answer}");
    }
    succeeds(&daemon.ctl(&["status"]));
}

#[test]
fn a_gigabyte_without_a_line_end_is_cut_off_after_one_line() {
    let daemon = Played::new().start();
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    let megabyte = vec![b'x'; 1 << 20];
    let taken = (0..1024).take_while(|_| stream.write_all(&megabyte).is_ok()).count();
    assert_eq!(taken, 0, "megabytes taken before it was closed");
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).unwrap();
    assert!(answer.contains("a request is at most 65536 octets long"), "{answer}");
    succeeds(&daemon.ctl(&["status"]));
}

#[test]
fn a_client_that_never_reads_is_dropped() {
    let daemon = Played::new().start();
    let mut deaf = UnixStream::connect(&daemon.socket).unwrap();
    deaf.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut sent = 0;
    while deaf.write_all(b"{\"command\":\"status\"}\n").is_ok() {
        sent += 1;
        assert!(sent < 1_000_000, "it is still listened to");
    }
    succeeds(&daemon.ctl(&["status"]));
}

#[test]
fn a_client_that_says_nothing_does_not_keep_its_place() {
    let daemon = Played::new().start();
    let mut idle = UnixStream::connect(&daemon.socket).unwrap();
    idle.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    assert_eq!(idle.read(&mut [0]).unwrap(), 0, "closed");
}

#[test]
fn of_a_thousand_clients_as_many_are_served_as_there_are_places() {
    let daemon = Played::new().start();
    let places = Limits::default().clients;
    let crowd: Vec<_> = (0..1000).map(|_| UnixStream::connect(&daemon.socket).unwrap()).collect();
    let mut refused = 0;
    for stream in &crowd {
        let mut line = String::new();
        // Those with a place say nothing either, and are closed without a word when their time is up.
        BufReader::new(stream).read_line(&mut line).unwrap();
        refused += usize::from(line.contains("clients are connected already"));
    }
    assert!((800..=1000 - places).contains(&refused), "{refused} refused");
    drop(crowd);
    succeeds(&daemon.ctl(&["status"]));
}

#[test]
fn a_hundred_questions_at_once_are_few_for_the_engine() {
    let daemon = Played::new().start();
    let mut stream = UnixStream::connect(&daemon.socket).unwrap();
    stream.write_all(&b"{\"command\":\"status\"}\n".repeat(100)).unwrap();
    assert_eq!(BufReader::new(stream).lines().map_while(Result::ok).take(100).count(), 100);
    let asked = daemon.asked.load(Ordering::Relaxed);
    assert!((1..50).contains(&asked), "the engine was asked {asked} times");
}

/// A daemon that is played: what it will answer.
struct Played {
    routers: Vec<RouterStatus>,
    reload: ReloadOutcome,
    takes_over: bool,
}

/// A played daemon that serves its socket from a thread.
struct Serving {
    dir: TempDir,
    socket: PathBuf,
    history: History,
    asked: Arc<AtomicUsize>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Played {
    fn new() -> Self {
        let reload = ReloadOutcome { ok: true, ..ReloadOutcome::default() };
        Self {
            routers: vec![router("web", 51, Role::Backup), router("db", 52, Role::Master)],
            reload,
            takes_over: true,
        }
    }

    fn start(mut self) -> Serving {
        let dir = TempDir::new().unwrap();
        // Others must be able to reach the socket, and a copy of vrrpctl.
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).unwrap();
        fs::copy(env!("CARGO_BIN_EXE_vrrpctl"), dir.path().join("vrrpctl")).unwrap();
        let socket = dir.path().join("run/control.sock");
        let listener = Listener::bind(&socket, "daemon").unwrap();
        let history = History::after_seq(0);
        let asked = Arc::new(AtomicUsize::new(0));
        let (stop, stopped) = oneshot::channel();
        let limits = Limits { patience: Duration::from_millis(500), ..Limits::default() };
        let (shared, counter) = (history.clone(), Arc::clone(&asked));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let (backend, requests) = mpsc::channel(8);
            runtime.block_on(async {
                tokio::select! {
                    served = serve(listener, backend, shared, limits) => served.unwrap(),
                    () = self.answer(requests, &counter) => {}
                    _ = stopped => {}
                }
            });
        });
        Serving { dir, socket, history, asked, stop: Some(stop), thread: Some(thread) }
    }

    /// As the engine does, but whether somebody takes over is decided beforehand.
    fn obey(&mut self, command: vrrpd::engine::Command) -> Result<Vec<Arc<str>>, String> {
        let (name, drain) = match command {
            vrrpd::engine::Command::Drain { router, by, until, .. } => {
                let until = until.map(|span| Timestamp::ZERO + span);
                (router, Some(Drain { by, since: Timestamp::ZERO, until, handing_over: false }))
            }
            vrrpd::engine::Command::Undrain { router, .. } => (router, None),
        };
        let meant = |router: &&mut RouterStatus| name.as_ref().is_none_or(|name| router.name == *name);
        let mut done = Vec::new();
        for router in self.routers.iter_mut().filter(meant) {
            router.drain = drain.clone().filter(|_| self.takes_over);
            done.push(Arc::clone(&router.name));
        }
        if done.is_empty() { Err("no virtual router or sync group is called that".to_owned()) } else { Ok(done) }
    }

    async fn answer(&mut self, mut requests: mpsc::Receiver<Request>, asked: &AtomicUsize) {
        while let Some(request) = requests.recv().await {
            match request {
                Request::Status(reply) => {
                    asked.fetch_add(1, Ordering::Relaxed);
                    let _ = reply.send(self.status());
                }
                Request::Command { command, reply } => {
                    let _ = reply.send(self.obey(command));
                }
                Request::LogLevel { level, reply, .. } => {
                    let _ = reply.send(Ok(level));
                }
                Request::Upgrade(reply) => {
                    let ReloadOutcome { ok, diagnostics, .. } = self.reload.clone();
                    let _ = reply.send(UpgradeOutcome { ok, diagnostics });
                }
                Request::Reload { reply, .. } => {
                    let _ = reply.send(self.reload.clone());
                }
            }
        }
    }

    fn status(&self) -> Status {
        let snapshot = Snapshot {
            at: Timestamp::ZERO,
            routers: self.routers.clone(),
            groups: Vec::new(),
            trackers: Vec::new(),
            interfaces: Vec::new(),
        };
        let about = About {
            pid: 1234,
            started: SystemTime::UNIX_EPOCH,
            config_path: "/etc/vrrpd/vrrpd.toml".into(),
            generation: 1,
            loaded: SystemTime::UNIX_EPOCH,
            refused: None,
        };
        Status { snapshot, clock: clock(), about, timings: Timings::default() }
    }
}

impl Serving {
    fn happens(&self, detail: &str) {
        let cause = Cause::Interface { up: true, detail: detail.into() };
        let subject = Subject::Interface { name: "eth0".into() };
        self.history.append(&Arc::new(Record { seq: 1, at: Timestamp::ZERO, subject, cause }), &clock());
    }

    fn ctl(&self, arguments: &[&str]) -> Output {
        ctl(&self.socket, arguments)
    }

    fn ctl_command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.dir.path().join("vrrpctl"));
        command.arg("--socket").arg(&self.socket).args(arguments);
        command
    }

    fn ctl_as(&self, uid: u32, gid: u32, arguments: &[&str]) -> Output {
        self.ctl_command(arguments).uid(uid).gid(gid).output().unwrap()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(Err(panic)) = self.thread.take().map(JoinHandle::join)
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

fn clock() -> WallClock {
    WallClock { boottime: Timestamp::ZERO, wall: SystemTime::UNIX_EPOCH }
}

fn router(name: &str, vrid: u8, role: Role) -> RouterStatus {
    let address = VirtualAddress { ip: IpAddr::from([192, 0, 2, vrid]), prefix: 24 };
    RouterStatus {
        name: name.into(),
        key: RouterKey {
            interface: InterfaceName::new("eth0").unwrap(),
            family: Family::Ipv4,
            vrid: Vrid::new(vrid).unwrap(),
        },
        version: Version::V3,
        role,
        since: Timestamp::ZERO,
        why: Why::HigherPriority,
        unfit: None,
        base_priority: Priority::new(100).unwrap(),
        priority: Priority::new(100).unwrap(),
        interval: Interval::DEFAULT,
        master_interval: Interval::DEFAULT,
        master: Some(MasterStatus {
            address: [192, 0, 2, 1].into(),
            priority: Priority::new(150),
            heard: Timestamp::ZERO,
        }),
        deadline: None,
        addresses: [address].into(),
        held: if role == Role::Master { vec![address] } else { Vec::new() },
        mac: MacMode::Interface,
        group: None,
        blocked_by: None,
        drain: None,
        preempt: Preempt::Never,
        evidence: Evidence::default(),
        warnings: Vec::new(),
        waits_for: Vec::new(),
        tracks: Vec::new(),
        counters: RouterCounters::default(),
    }
}

fn ctl(socket: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_vrrpctl")).arg("--socket").arg(socket).args(arguments).output().unwrap()
}

fn succeeds(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    text(&output.stdout)
}

fn fails(output: &Output, code: i32, saying: &str) {
    assert_eq!(output.status.code(), Some(code), "{output:?}");
    assert!(text(&output.stderr).contains(saying), "{saying:?} is not in {output:?}");
}

fn text(octets: &[u8]) -> String {
    String::from_utf8(octets.to_vec()).unwrap()
}
