//! The protocol thread allocates nothing in the steady state: memory that it does not ask for cannot be late.
//!
//! The whole daemon runs in this process, in a network namespace, as Master of some virtual routers and as Backup of
//! others, whose Master is played here. Lifetimes of addresses are left out: their renewal, once a second and behind the
//! adverts of its wake, is a request to the kernel that is put together anew each time. It has a `main` of its own, since the daemon starts this program once more as its
//! guardian.
#![allow(unsafe_code)]
#![allow(clippy::unwrap_used)]
#![expect(clippy::disallowed_methods, reason = "it watches the daemon from outside")]

use nix::sched::{CloneFlags, unshare};
use std::alloc::{GlobalAlloc, Layout, System};
use std::backtrace::Backtrace;
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};
use vrrpd::daemon::{self, guardian};
use vrrpd::ids::RouterId;
use vrrpd::net::FrameSocket;
use vrrpd::units::{Interval, Priority, Version, Vrid};
use vrrpd::wire::ethernet::{self, EtherType};
use vrrpd::wire::ip::Ipv4Header;
use vrrpd::wire::{AuthField, ChecksumForm, Outgoing, Standing};

/// The routers of this host that are Master, and those that are Backup; ten milliseconds between adverts.
const MASTERS: std::ops::Range<u8> = 1..4;
const BACKUPS: std::ops::Range<u8> = 101..104;
/// Until everybody has its state, and every buffer its size.
const WARM_UP: Duration = Duration::from_secs(3);
/// How often the thread has to wake for the count to mean something.
const WAKES: u64 = 2000;

/// Counts what the thread called `protocol` asks for, while that is wanted.
struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static WANTED: AtomicBool = AtomicBool::new(false);
static COUNTED: AtomicU64 = AtomicU64::new(0);
/// Where the first ones came from.
static FOUND: Mutex<Vec<Backtrace>> = Mutex::new(Vec::new());
const SHOWN: u64 = 20;

thread_local! {
    /// Inside the count itself.
    static COUNTING: Cell<bool> = const { Cell::new(false) };
}

fn count() {
    if !WANTED.load(Ordering::Relaxed) || COUNTING.try_with(|counting| counting.replace(true)) != Ok(false) {
        return;
    }
    if is_protocol() && COUNTED.fetch_add(1, Ordering::Relaxed) < SHOWN {
        // Put into words later, and elsewhere: the guardian would take the daemon for hung.
        FOUND.lock().unwrap().push(Backtrace::force_capture());
    }
    COUNTING.set(false);
}

fn is_protocol() -> bool {
    let mut name = [0_u8; 16];
    // SAFETY: PR_GET_NAME writes at most 16 octets, which `name` has.
    unsafe { libc::prctl(libc::PR_GET_NAME, name.as_mut_ptr()) };
    name.starts_with(b"protocol\0")
}

// SAFETY: everything is the system's allocator's, to which all arguments are passed on as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as promised by our caller.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        // SAFETY: as promised by our caller.
        unsafe { System.dealloc(old, layout) }
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.iter().any(|argument| argument == guardian::ARGUMENT) {
        return guardian::run();
    }
    if arguments.iter().any(|argument| argument == "--list") {
        if !arguments.iter().any(|argument| argument == "--ignored") {
            println!("the_protocol_thread_allocates_nothing_in_the_steady_state: test");
        }
        return ExitCode::SUCCESS;
    }
    the_protocol_thread_allocates_nothing_in_the_steady_state();
    ExitCode::SUCCESS
}

fn the_protocol_thread_allocates_nothing_in_the_steady_state() {
    assert!(nix::unistd::geteuid().is_root(), "this test makes a network namespace: run it as root");
    unshare(CloneFlags::CLONE_NEWNET).unwrap();
    for line in [
        "link set lo up",
        "link add eth0 type veth peer name peer0",
        "addr add 192.0.2.1/24 dev eth0",
        "link set eth0 up",
        "link set peer0 up",
    ] {
        assert!(Command::new("ip").args(line.split(' ')).status().unwrap().success(), "ip {line}");
    }
    std::thread::spawn(play_master);
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("vrrpd.toml");
    std::fs::write(&config, configuration(directory.path())).unwrap();
    std::thread::spawn(move || daemon::run(&config));
    sleep(WARM_UP);
    let held = Command::new("ip").args(["-o", "-4", "addr", "show", "dev", "eth0"]).output().unwrap();
    let held = String::from_utf8(held.stdout).unwrap().matches("10.0.").count();
    assert_eq!(held, MASTERS.len(), "Master of the first ones, and of them only");

    let (start, begun) = (wakes(), Instant::now());
    WANTED.store(true, Ordering::Relaxed);
    while wakes() - start < WAKES {
        sleep(Duration::from_millis(100));
        assert!(begun.elapsed() < Duration::from_mins(1), "the protocol thread does not wake");
    }
    WANTED.store(false, Ordering::Relaxed);
    let counted = COUNTED.load(Ordering::Relaxed);
    for found in FOUND.lock().unwrap().iter() {
        println!("{found}");
    }
    assert_eq!(counted, 0, "allocations in {WAKES} wakes");
}

fn configuration(directory: &std::path::Path) -> String {
    let daemon =
        format!("[daemon]\ncontrol_socket = \"{0}/control.sock\"\nstate_directory = \"{0}\"\n", directory.display());
    let router = |vrid, priority| {
        format!(
            "[virtual_router.r{vrid}]\ninterface = \"eth0\"\nvirtual_router_id = {vrid}\npriority = {priority}\n\
             advert_interval = \"10ms\"\nlease = false\nvirtual_addresses = [\"10.0.{vrid}.1/24\"]\ngarp_repeat = 1\n"
        )
    };
    let masters = MASTERS.map(|vrid| router(vrid, 200));
    let backups = BACKUPS.map(|vrid| router(vrid, 100));
    std::iter::once(daemon).chain(masters).chain(backups).collect()
}

/// The Master of the others, with the adverts of each shifted by a third of the interval.
fn play_master() {
    let mut socket = FrameSocket::open(nix::net::if_::if_nametoindex("peer0").unwrap()).unwrap();
    let mac = socket.mac().unwrap();
    let frames: Vec<Vec<u8>> = BACKUPS.map(|vrid| advert(vrid, mac)).collect();
    for frame in frames.iter().cycle() {
        socket.queue(RouterId(0), |out| out.extend_from_slice(frame));
        socket.flush(|_, error| eprintln!("{error}"));
        sleep(Duration::from_micros(3300));
    }
}

fn advert(vrid: u8, mac: [u8; 6]) -> Vec<u8> {
    let (source, group) = (Ipv4Addr::new(192, 0, 2, 2), Ipv4Addr::new(224, 0, 0, 18));
    let mut message = Vec::new();
    let outgoing = Outgoing {
        version: Version::V3,
        vrid: Vrid::new(vrid).unwrap(),
        standing: Standing::Holding(Priority::new(150).unwrap()),
        interval: Interval::from_centis(1).unwrap(),
        checksum: ChecksumForm::default(),
        auth: AuthField { kind: 0, data: [0; 8] },
        source: source.into(),
        destination: group.into(),
        addresses: &[IpAddr::from([10, 0, vrid, 1])],
    };
    outgoing.encode(&mut message);
    let mut frame = Vec::new();
    ethernet::append_header(ethernet::multicast_mac(group.into()), mac, EtherType::Ipv4, &mut frame);
    let header = Ipv4Header { source, destination: group, protocol: 112, id: 1, payload: message.len() };
    frame.extend_from_slice(&header.octets());
    frame.extend_from_slice(&message);
    frame
}

/// How often the protocol thread has waited and gone on.
fn wakes() -> u64 {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().filter_map(Result::ok);
    let statuses = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("status")).ok());
    let status = statuses.into_iter().find(|status| status.starts_with("Name:\tprotocol\n")).expect("it runs");
    let line =
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("every thread has it");
    line.trim().parse().unwrap()
}
