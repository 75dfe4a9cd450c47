//! How late adverts are while something else makes work for the daemon: reloads of many virtual routers, and clients that misuse the
//! control socket. The kernel's time stamps of one router with a short interval tell; only the comparison with the quiet row means
//! anything elsewhere. What the protocol thread ran and what it waited for a processor tells one cause of lateness from the other.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::thread::sleep;
use std::time::{Duration, Instant};

use clap::Parser;
use netns_tests::{Capture, Daemon, Host, Implementation, Lab, Stamp, percentile};

/// Measures how late adverts are during reloads and floods of the control socket.
#[derive(Parser)]
struct Options {
    /// Virtual routers, besides the one that is watched: at most 250 for each of four interfaces.
    #[arg(long, default_value_t = 1000)]
    routers: u16,
    /// How often each reload is repeated.
    #[arg(long, default_value_t = 100)]
    runs: u16,
    /// How long the quiet row and each flood last, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// The interval of the router that is watched.
const INTERVAL: Duration = Duration::from_millis(10);
/// Interfaces with the many.
const INTERFACES: u16 = 4;
/// Clients at once.
const CLIENTS: usize = 1000;

fn main() {
    let options = Options::parse();
    let bench = Bench::open(&options);
    let span = Duration::from_secs(options.seconds);
    println!("{:46}{:>8}{:>9}{:>9}{:>9}{:>9}{:>9}", "late by, ms", "adverts", "p50", "p99", "most", "ran", "waited");
    bench.row("quiet", || sleep(span));
    for (what, change) in
        [("nothing changes", Change::None), ("one is added", Change::One), ("all change their priority", Change::All)]
    {
        let mut took = Vec::new();
        bench.row(&format!("reload of {}: {what}", options.routers), || {
            for run in 0..options.runs {
                bench.daemon.rewrite_with(&bench.text(options.routers, change, run));
                let started = Instant::now();
                let done = bench.daemon.vrrpctl(&["reload"]);
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
                took.push(started.elapsed().as_secs_f64() * 1e3);
            }
        });
        println!("{:46}{:>8}{:>9.1}", "    the command takes, ms, median", "", percentile(&took, 50));
    }
    for (what, flood) in FLOODS {
        bench.row(what, || flood(&bench.socket, Instant::now() + span));
    }
}

#[derive(Clone, Copy)]
enum Change {
    None,
    One,
    All,
}

struct Bench {
    daemon: Daemon,
    capture: Capture,
    socket: PathBuf,
    _lab: Lab,
}

impl Bench {
    fn open(options: &Options) -> Self {
        let lab = Lab::new(1);
        let host = lab.host(1);
        (1..=INTERFACES).for_each(|number| cable(host, number));
        let socket = host.directory().join("control.sock");
        let capture = lab.client().capture();
        let text = configuration(&socket, options.routers, Change::None, 0);
        let daemon = Daemon::start_with(Implementation::Vrrpd, host, &text);
        daemon.wait_for_state("watched", "MASTER");
        // The many are Master after 3.6 s, and their announcements are over after another 4.
        sleep(Duration::from_secs(12));
        daemon.wait_for_state("r1", "MASTER");
        Self { daemon, capture, socket, _lab: lab }
    }

    fn text(&self, routers: u16, change: Change, run: u16) -> String {
        configuration(&self.socket, routers, change, run)
    }

    /// By how much each advert came later after the one before than it should have.
    fn row(&self, what: &str, work: impl FnOnce()) {
        let start = Stamp::now();
        let before = self.protocol_thread();
        work();
        sleep(2 * INTERVAL);
        let after = self.protocol_thread();
        let [ran, waited] = [0, 1].map(|figure| after[figure].saturating_sub(before[figure]).as_secs_f64() * 1e3);
        let adverts = self.capture.adverts_since(start);
        let late =
            |pair: &[(Stamp, netns_tests::Advert)]| pair[1].0.millis_after(pair[0].0) - INTERVAL.as_secs_f64() * 1e3;
        let late: Vec<f64> = adverts.windows(2).map(late).collect();
        let [p50, p99, most] = [50, 99, 100].map(|percent| percentile(&late, percent));
        println!("{what:46}{:>8}{p50:>9.3}{p99:>9.3}{most:>9.3}{ran:>9.1}{waited:>9.1}", adverts.len());
    }

    /// How long the protocol thread ran so far, and how long it waited for a processor.
    fn protocol_thread(&self) -> [Duration; 2] {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.daemon.process().pid())).expect("the daemon runs");
        let named = |task: &PathBuf| fs::read_to_string(task.join("comm")).is_ok_and(|name| name.trim() == "protocol");
        let thread = tasks.flatten().map(|task| task.path()).find(named).expect("the daemon has a protocol thread");
        let statistics = fs::read_to_string(thread.join("schedstat")).expect("the kernel has scheduling statistics");
        let mut nanoseconds = statistics.split_whitespace().map_while(|figure| figure.parse().ok());
        [(); 2].map(|()| Duration::from_nanos(nanoseconds.next().expect("two figures at least")))
    }
}

/// A cable with both ends in the host.
fn cable(host: &Host, number: u16) {
    let (near, far) = (format!("m{number}"), format!("n{number}"));
    for arguments in [
        &["link", "add", &near, "type", "veth", "peer", "name", &far][..],
        &["address", "add", &format!("10.{number}.0.1/16"), "dev", &near],
        &["link", "set", &near, "up"],
        &["link", "set", &far, "up"],
    ] {
        let output = host.run("ip", arguments);
        assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// One router that is watched, and the many.
fn configuration(socket: &std::path::Path, routers: u16, change: Change, run: u16) -> String {
    let watched = "interface = \"eth0\"\nvirtual_router_id = 1\nadvert_interval = \"10ms\"\nvirtual_addresses = [\"192.168.100.10/24\"]\n";
    let (count, priority) = match change {
        Change::None => (routers, 100),
        Change::One => (routers + run % 2, 100),
        Change::All => (routers, 100 + run % 2),
    };
    let many = (0..count).map(|number| {
        let (interface, vrid) = (number % INTERFACES + 1, number / INTERFACES + 1);
        format!(
            "[virtual_router.r{}]\ninterface = \"m{interface}\"\nvirtual_router_id = {vrid}\npriority = {priority}\nvirtual_addresses = [\"10.{interface}.1.{vrid}/32\"]\n",
            number + 1
        )
    });
    let daemon = format!("[daemon]\ncontrol_socket = \"{}\"\n[virtual_router.watched]\n{watched}", socket.display());
    std::iter::once(daemon).chain(many).collect()
}

type Flood = fn(&PathBuf, Instant);

const FLOODS: [(&str, Flood); 4] = [
    ("a thousand clients at once, again and again", thousand),
    ("clients that ask and never read", unread),
    ("garbage", garbage),
    ("as many octets as are taken, without an end", endless),
];

fn thousand(socket: &PathBuf, until: Instant) {
    while Instant::now() < until {
        let clients: Vec<_> = (0..CLIENTS).filter_map(|_| UnixStream::connect(socket).ok()).collect();
        for mut client in &clients {
            let _ = client.write_all(b"{\"status\":{}}\n");
        }
    }
}

fn unread(socket: &PathBuf, until: Instant) {
    let mut clients: Vec<_> = (0..8).filter_map(|_| UnixStream::connect(socket).ok()).collect();
    for client in &clients {
        let _ = client.set_nonblocking(true);
    }
    while Instant::now() < until {
        for client in &mut clients {
            let _ = client.write(b"{\"events\":{\"since\":0,\"follow\":true}}\n{\"status\":{}}\n");
        }
        sleep(Duration::from_micros(100));
    }
}

fn garbage(socket: &PathBuf, until: Instant) {
    while Instant::now() < until {
        if let Ok(mut client) = UnixStream::connect(socket) {
            let _ = client.write_all(&[0xa5; 4000]);
            let _ = client.write_all(b"\n");
        }
    }
}

fn endless(socket: &PathBuf, until: Instant) {
    let block = vec![b'x'; 1 << 20];
    while Instant::now() < until {
        if let Ok(mut client) = UnixStream::connect(socket) {
            while Instant::now() < until && client.write_all(&block).is_ok() {}
        }
    }
}
