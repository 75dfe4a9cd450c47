//! A switch and hosts.

use std::fs::{self, Permissions};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::net::if_::if_nametoindex;
use socket2::Socket;

use crate::capture::packet_socket;
use crate::namespace::{self, Namespace};
use crate::netlink::{InterfaceAddress, Listener, Netlink};
use crate::{Capture, Must, Notices, Process};

/// Where labs keep files. Not under `/tmp`: a script that runs as another user must not lie where everybody may write.
const DIRECTORY: &str = "/var/lib/vrrpd-labs";
const PREFIX: &str = "vrrpd-lab-";
const INTERFACE: &str = "eth0";

/// A switch, hosts `h1`, `h2`, ... and a client `t`, all plugged in. Everything goes when it is dropped.
pub struct Lab {
    hosts: Vec<Host>,
    client: Host,
    switch: Switch,
    directory: PathBuf,
}

struct Switch {
    namespace: Namespace,
    netlink: Netlink,
}

/// A host with an `eth0` on the lab's switch.
pub struct Host {
    name: String,
    number: u8,
    namespace: Namespace,
    netlink: Netlink,
    directory: PathBuf,
}

/// See [`Host::injector`].
#[derive(Debug)]
pub struct Injector(Socket);

impl Injector {
    /// Sends a frame.
    pub fn send(&self, frame: &[u8]) {
        self.0.send(frame).must("sending a frame");
    }

    /// The packet socket itself.
    pub(crate) fn into_socket(self) -> Socket {
        self.0
    }
}

impl Lab {
    /// A lab with this many hosts and a client.
    #[must_use]
    pub fn new(hosts: u8) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        sweep();
        let prefix = format!("{PREFIX}{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let directory = Path::new(DIRECTORY).join(&prefix);
        fs::create_dir_all(&directory).must(directory.display());

        let switch = Switch::create(&format!("{prefix}-sw"));
        let host = |name: &str, number| {
            let host = Host::create(&prefix, name, number, &directory);
            switch.plug_in(&host);
            host.plug_in();
            host
        };
        let hosts = (1..=hosts).map(|number| host(&format!("h{number}"), number)).collect();
        let client = host("t", 99);
        Self { hosts, client, switch, directory }
    }

    /// Host `number`, from 1.
    #[must_use]
    pub fn host(&self, number: usize) -> &Host {
        &self.hosts[number - 1]
    }

    /// The client.
    #[must_use]
    pub fn client(&self) -> &Host {
        &self.client
    }

    /// Pulls the host's cable: it loses its carrier.
    pub fn cut(&self, host: &Host) {
        self.switch.set_up(&host.name, false);
    }

    /// Puts the cable back.
    pub fn mend(&self, host: &Host) {
        self.switch.set_up(&host.name, true);
    }

    /// Keeps the host's carrier but forwards nothing from or to it, as a switch in trouble does.
    pub fn isolate(&self, host: &Host) {
        self.switch.forward(&host.name, false);
    }

    /// Forwards again.
    pub fn rejoin(&self, host: &Host) {
        self.switch.forward(&host.name, true);
    }

    /// Joins hosts 1 and 2 by this many cables besides the switch: `lan1`, `lan2`, ..., where they have the addresses
    /// 10.200.N.1 and 10.200.N.2.
    pub fn join(&self, cables: u8) {
        let (first, second) = (self.host(1), self.host(2));
        for number in 1..=cables {
            let name = format!("lan{number}");
            let mac = [2, 0, 0, 0, 1, number];
            first.netlink.add_cable(&name, &second.namespace, &name, mac).must("making a cable");
            for host in [first, second] {
                host.add_address_on(&name, Ipv4Addr::new(10, 200, number, host.number).into(), 24);
                host.set_up(&name, true);
            }
        }
    }

    /// Takes the host's interface away altogether.
    pub fn remove_interface(&self, host: &Host) {
        host.netlink.delete_link(host.index(INTERFACE)).must("removing an interface");
    }

    /// Gives the host an interface again, as at the beginning.
    pub fn add_interface(&self, host: &Host) {
        self.switch.plug_in(host);
        host.plug_in();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if std::thread::panicking() {
            print_logs(&self.directory);
        }
        let _ = fs::remove_dir_all(&self.directory);
    }
}

impl Switch {
    fn create(name: &str) -> Self {
        let namespace = Namespace::create(name);
        let netlink = Netlink::open(&namespace).must("opening netlink");
        netlink.add_bridge("br0").must("making the bridge");
        let switch = Self { namespace, netlink };
        switch.set_up("br0", true);
        switch
    }

    fn plug_in(&self, host: &Host) {
        let mac = [2, 0, 0, 0, 0, host.number];
        self.netlink.add_cable(&host.name, &host.namespace, INTERFACE, mac).must("making a cable");
        self.forward(&host.name, true);
        self.set_up(&host.name, true);
    }

    fn set_up(&self, port: &str, up: bool) {
        self.netlink.set_up(index(&self.namespace, port), up).must(format!("setting {port}"));
    }

    fn forward(&self, port: &str, forward: bool) {
        let bridge = if forward { index(&self.namespace, "br0") } else { 0 };
        self.netlink.set_controller(index(&self.namespace, port), bridge).must(format!("plugging {port}"));
    }
}

impl Host {
    fn create(prefix: &str, name: &str, number: u8, directory: &Path) -> Self {
        let namespace = Namespace::create(&format!("{prefix}-{name}"));
        // Duplicate address detection would only make the tests wait.
        namespace.enter(|| {
            for kind in ["all", "default"] {
                fs::write(format!("/proc/sys/net/ipv6/conf/{kind}/accept_dad"), "0").must("accept_dad");
            }
        });
        let netlink = Netlink::open(&namespace).must("opening netlink");
        let directory = directory.join(name);
        fs::create_dir_all(&directory).must(directory.display());
        let host = Self { name: name.to_owned(), number, namespace, netlink, directory };
        host.set_up("lo", true);
        host
    }

    fn plug_in(&self) {
        self.add_address(self.ip(), 24);
        self.set_up(INTERFACE, true);
        self.add_address(self.ip6(), 64);
    }

    /// `h1`, `h2`, ... or `t`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its directory for configurations, scripts and logs.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Its own IPv4 address: 192.168.100.1 for `h1`.
    #[must_use]
    pub fn ip(&self) -> IpAddr {
        Ipv4Addr::new(192, 168, 100, self.number).into()
    }

    /// Its own IPv6 address.
    #[must_use]
    pub fn ip6(&self) -> IpAddr {
        Ipv6Addr::new(0x2001, 0xdb8, 0x100, 0, 0, 0, 0, self.number.into()).into()
    }

    /// The addresses of its `eth0` and every other interface, loopback included.
    #[must_use]
    pub fn addresses(&self) -> Vec<IpAddr> {
        self.netlink.addresses().must("listing addresses").into_iter().map(|found| found.address).collect()
    }

    /// Whether it has this address now.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        self.addresses().contains(&address)
    }

    /// Waits until it has, or does not have, this address; the test ends if that takes longer than `timeout`.
    #[track_caller]
    pub fn wait_until_has(&self, address: IpAddr, has: bool, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while self.has(address) != has {
            let wanted = if has { "should have" } else { "should not have" };
            assert!(Instant::now() < deadline, "after {timeout:?} {} {wanted} {address}", self.name);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Who put this address on an interface, as the kernel noted it (`IFA_PROTO`); 0 where nobody said.
    #[must_use]
    pub fn address_protocol(&self, address: IpAddr) -> Option<u8> {
        let all = self.netlink.addresses().must("listing addresses");
        all.iter().find(|found| found.address == address).map(|found| found.protocol)
    }

    /// Puts an address on `eth0`.
    pub fn add_address(&self, address: IpAddr, prefix: u8) {
        self.add_address_on(INTERFACE, address, prefix);
    }

    fn add_address_on(&self, interface: &str, address: IpAddr, prefix: u8) {
        let address = InterfaceAddress { index: self.index(interface), address, prefix, protocol: 0 };
        self.netlink.add_address(&address).must(format!("adding {}", address.address));
    }

    /// Takes an address off whatever interface has it, as an operator by mistake would.
    pub fn delete_address(&self, address: IpAddr) {
        let all = self.netlink.addresses().must("listing addresses");
        let found = all.iter().find(|found| found.address == address).ok_or("no such address");
        self.netlink.delete_address(found.must(address)).must(format!("deleting {address}"));
    }

    /// Sets `eth0` down or up from the host's own side.
    pub fn set_link(&self, up: bool) {
        self.set_up(INTERFACE, up);
    }

    fn set_up(&self, interface: &str, up: bool) {
        self.netlink.set_up(self.index(interface), up).must(format!("setting {interface}"));
    }

    fn index(&self, interface: &str) -> u32 {
        index(&self.namespace, interface)
    }

    /// Starts a process on this host; its output goes to `NAME.log` in the host's directory.
    #[must_use]
    pub fn start(&self, name: &str, command: Command) -> Process {
        Process::start(&self.namespace, command, &self.directory.join(format!("{name}.log")))
    }

    /// Starts `work` on a thread whose sockets are this host's.
    pub fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        self.namespace.spawn(work)
    }

    /// Hears the kernel's notices on links and addresses of this host.
    #[must_use]
    pub fn notices(&self) -> Notices {
        Notices::start(Listener::open(&self.namespace).must("opening netlink"))
    }

    /// Captures at this host's `eth0`, both directions.
    #[must_use]
    pub fn capture(&self) -> Capture {
        let index = self.index(INTERFACE);
        Capture::start(self.namespace.enter(|| packet_socket(index)), format!("{} {INTERFACE}", self.name))
    }

    /// Captures at all of this host's interfaces.
    #[must_use]
    pub fn capture_everywhere(&self) -> Capture {
        Capture::start(self.namespace.enter(|| packet_socket(0)), self.name.clone())
    }

    /// Captures every frame on one of this host's interfaces, of interest or not.
    #[must_use]
    pub fn capture_all(&self, interface: &str) -> Capture {
        let index = self.index(interface);
        Capture::start_any(self.namespace.enter(|| packet_socket(index)), format!("{} {interface}", self.name))
    }

    /// Runs a command on this host and waits for its end.
    pub fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let run = || Command::new(program).args(arguments).output();
        self.namespace.enter(run).must(format!("running {program}"))
    }

    /// Sets a file under `/proc/sys/net` of this host.
    pub fn sysctl(&self, path: &str, value: &str) {
        let path = format!("/proc/sys/net/{path}");
        self.namespace.enter(|| fs::write(&path, value)).must(path);
    }

    /// Reads a file under `/proc/net` of this host.
    #[must_use]
    pub fn proc_net(&self, name: &str) -> String {
        let path = format!("/proc/thread-self/net/{name}");
        self.namespace.enter(|| fs::read_to_string(&path)).must(path)
    }

    /// Sends a whole Ethernet frame out of `eth0`.
    pub fn inject(&self, frame: &[u8]) {
        self.injector().send(frame);
    }

    /// What sends whole Ethernet frames out of `eth0`, again and again.
    #[must_use]
    pub fn injector(&self) -> Injector {
        let index = self.index(INTERFACE);
        Injector(self.namespace.enter(|| packet_socket(index)))
    }

    /// Writes a file into the host's directory.
    #[must_use]
    pub fn write(&self, name: &str, contents: &str) -> PathBuf {
        let path = self.directory.join(name);
        fs::write(&path, contents).must(path.display());
        path
    }

    /// Writes an executable shell script into the host's directory.
    #[must_use]
    pub fn write_script(&self, name: &str, text: &str) -> PathBuf {
        let path = self.write(name, &format!("#!/bin/sh\n{text}\n"));
        fs::set_permissions(&path, Permissions::from_mode(0o755)).must(path.display());
        path
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }
}

fn index(namespace: &Namespace, interface: &str) -> u32 {
    namespace.enter(|| if_nametoindex(interface)).must(format!("{interface} in {}", namespace.name()))
}

/// Removes what runs left behind whose process is gone.
fn sweep() {
    let directories = fs::read_dir(DIRECTORY).into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    for path in namespace::named(PREFIX).into_iter().filter(|path| is_left_over(path)) {
        namespace::delete(&path);
    }
    for path in directories.filter(|path| is_left_over(path)) {
        let _ = fs::remove_dir_all(path);
    }
}

fn is_left_over(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()).and_then(|pid| pid.parse::<u32>().ok());
    pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists())
}

fn print_logs(directory: &Path) {
    for host in fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok) {
        let logs = fs::read_dir(host.path()).into_iter().flatten().filter_map(Result::ok).map(|entry| entry.path());
        for log in logs.filter(|path| path.extension().is_some_and(|extension| extension == "log")) {
            println!("--- {} of {} ---", log.file_name().unwrap_or_default().display(), host.file_name().display());
            let text = fs::read_to_string(&log).unwrap_or_default();
            let lines: Vec<&str> = text.lines().collect();
            lines[lines.len().saturating_sub(60)..].iter().for_each(|line| println!("{line}"));
        }
    }
}
