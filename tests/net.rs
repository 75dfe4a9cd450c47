//! `vrrpd::net` on the real kernel: two network namespaces joined by a veth pair, made by each test for itself.
//! Needs root and the packages iproute2 and nftables.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CloneFlags, setns, unshare};
use nix::time::{ClockId, clock_gettime};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;
use vrrpd::engine::InterfaceFacts;
use vrrpd::ids::{InterfaceName, PortKey, RouterId, RouterKey};
use vrrpd::net::{
    AddressChange, AddressKernel, Change, FrameSocket, KernelAddress, LinkState, Monitor, Netlink, Notice, Placement,
    Port, ReceiveBuffers, Reconciler, Sieve, Vmacs,
};
use vrrpd::time::Timestamp;
use vrrpd::units::{Family, Version, VirtualAddress, Vrid};
use vrrpd::vrrp::{Expected, PortSpec};

const ROUTER: RouterId = RouterId(1);
const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const A4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B4: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

/// Two hosts: `a` with 192.0.2.1 and `fe80::a` on `eth0`, `b` with 192.0.2.2 and `fe80::b`. The test runs on `a`.
struct Hosts {
    a: File,
    b: File,
}

impl Hosts {
    fn on_b<T>(&self, work: impl FnOnce() -> T) -> T {
        setns(&self.b, CloneFlags::CLONE_NEWNET).expect("enter b");
        let result = work();
        setns(&self.a, CloneFlags::CLONE_NEWNET).expect("return to a");
        result
    }
}

/// Runs a test on two hosts of its own.
fn with_hosts(test: impl FnOnce(&Hosts) + Send + 'static) {
    assert!(nix::unistd::geteuid().is_root(), "these tests make network namespaces: run them as root");
    let thread = std::thread::spawn(move || {
        let b = new_namespace();
        let a = new_namespace();
        let hosts = Hosts { a, b };
        let b_path = format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(&hosts.b));
        ip("link set lo up");
        ip("link add eth0 type veth peer name peer0");
        ip(&format!("link set peer0 netns {b_path}"));
        hosts.on_b(|| ip("link set peer0 name eth0"));
        configure("192.0.2.1/24", "fe80::a/64");
        hosts.on_b(|| configure("192.0.2.2/24", "fe80::b/64"));
        await_carrier();
        test(&hosts);
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

fn new_namespace() -> File {
    unshare(CloneFlags::CLONE_NEWNET).expect("make a network namespace");
    File::open("/proc/thread-self/ns/net").expect("the thread's namespace")
}

fn configure(v4: &str, v6: &str) {
    ip("link set eth0 addrgenmode none");
    ip(&format!("addr add {v4} dev eth0"));
    ip("link set eth0 up");
    ip(&format!("addr add {v6} dev eth0 nodad"));
}

fn await_carrier() {
    let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
    let up = |facts: &InterfaceFacts| facts.up;
    assert!(
        last_facts(&mut monitor, &mut reconciler, up).is_some_and(|facts| facts.up),
        "eth0 is not up after a second"
    );
}

fn run(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split_whitespace()).output().expect("iproute2 and nftables");
    assert!(output.status.success(), "{program} {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

fn ip(arguments: &str) {
    run("ip", arguments);
}

fn index() -> u32 {
    let links = Netlink::open().and_then(|mut netlink| netlink.links()).expect("links");
    links.into_iter().find(|link| link.name.as_str() == "eth0").expect("eth0 is there").index
}

fn eth0() -> InterfaceName {
    InterfaceName::new("eth0").expect("a legal name")
}

fn placement() -> Placement {
    Placement { interface: eth0(), index: index(), lifetime: None, vmac: false }
}

fn spec(family: Family) -> PortSpec {
    let key = PortKey { interface: eth0(), family };
    PortSpec {
        key,
        index: index(),
        multicast: true,
        ah: false,
        held_sources: false,
        virtual_macs: Arc::new([]),
        expected: Expected::default(),
    }
}

fn open(spec: &PortSpec) -> Port {
    Port::open(spec).expect("the port opens")
}

fn readable(descriptor: BorrowedFd<'_>, within: Duration) -> bool {
    let mut descriptors = [PollFd::new(descriptor, PollFlags::POLLIN)];
    let timeout = PollTimeout::try_from(within).expect("short");
    poll(&mut descriptors, timeout).expect("poll") > 0
}

fn now() -> Timestamp {
    Timestamp::from_origin(clock_gettime(ClockId::CLOCK_MONOTONIC).expect("a clock").into())
}

#[derive(Debug, PartialEq)]
struct Received {
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    tos: Option<u8>,
    protocol: u8,
    payload: Vec<u8>,
}

/// What comes within a second, until there are `count`; nothing may follow them.
fn receive(port: &Port, count: usize) -> Vec<Received> {
    let mut buffers = ReceiveBuffers::new();
    let mut received = Vec::new();
    while received.len() < count && port.descriptors().any(|socket| readable(socket, Duration::from_secs(1))) {
        take(port, &mut buffers, &mut received);
    }
    take(port, &mut buffers, &mut received);
    received
}

fn take(port: &Port, buffers: &mut ReceiveBuffers, received: &mut Vec<Received>) {
    let each = |packet: vrrpd::wire::Packet<'_>| {
        received.push(Received {
            source: packet.source,
            destination: packet.destination,
            ttl: packet.ttl,
            tos: packet.header.get(1).copied(),
            protocol: packet.protocol,
            payload: packet.payload.to_vec(),
        });
    };
    port.receive(buffers, each).expect("a batch");
}

/// Queues a packet with an IPv4 header in front, as the protocol thread does.
fn queue_ipv4(port: &mut Port, router: RouterId, source: Ipv4Addr, to: Ipv4Addr, payload: &[u8]) {
    port.queue_ipv4(router, to, |out| {
        out.extend_from_slice(&[0x45, 0xc0, 0, 0, 0, 1, 0, 0, 255, 112, 0, 0]);
        out.extend_from_slice(&source.octets());
        out.extend_from_slice(&to.octets());
        out.extend_from_slice(payload);
    });
}

fn flush(port: &mut Port) -> usize {
    port.flush(|router, error| panic!("{router:?}: {error}"))
}

#[test]
fn an_ipv4_advert_arrives_with_ttl_255_from_the_chosen_source() {
    with_hosts(|hosts| {
        ip("addr add 192.0.2.77/24 dev eth0");
        let mut sender = open(&spec(Family::Ipv4));
        let receiver = hosts.on_b(|| open(&spec(Family::Ipv4)));
        assert_eq!(sender.group(), IpAddr::V4(GROUP_V4));
        for (source, to) in [(A4, GROUP_V4), (Ipv4Addr::new(192, 0, 2, 77), GROUP_V4), (A4, B4)] {
            queue_ipv4(&mut sender, ROUTER, source, to, b"\x31advert");
            assert_eq!(flush(&mut sender), 1);
            let expected = Received {
                source: source.into(),
                destination: to.into(),
                ttl: 255,
                tos: Some(0xc0),
                protocol: 112,
                payload: b"\x31advert".to_vec(),
            };
            assert_eq!(receive(&receiver, 1), [expected]);
        }
        assert_eq!(receive(&sender, 0), [], "its own adverts are not heard");
    });
}

#[test]
fn an_ipv6_advert_arrives_with_hop_limit_255_from_the_chosen_source() {
    with_hosts(|hosts| {
        ip("addr add fe80::77/64 dev eth0 nodad");
        let mut sender = open(&spec(Family::Ipv6));
        let receiver = hosts.on_b(|| open(&spec(Family::Ipv6)));
        for (source, to) in [("fe80::a", "ff02::12"), ("fe80::77", "ff02::12"), ("fe80::a", "fe80::b")] {
            let (source, to): (Ipv6Addr, Ipv6Addr) = (source.parse().expect("v6"), to.parse().expect("v6"));
            // The checksum of this is wrong: that is for the decoder to see, not for the kernel to hide.
            sender.queue_ipv6(ROUTER, source, to, |out| out.extend_from_slice(b"\x31advert"));
            assert_eq!(flush(&mut sender), 1);
            let expected = Received {
                source: source.into(),
                destination: to.into(),
                ttl: 255,
                tos: None,
                protocol: 112,
                payload: b"\x31advert".to_vec(),
            };
            assert_eq!(receive(&receiver, 1), [expected]);
        }
        assert_eq!(receive(&sender, 0), [], "its own adverts are not heard");
    });
}

#[test]
fn a_wrong_ttl_is_delivered_as_it_came() {
    with_hosts(|hosts| {
        let (v4, v6) = hosts.on_b(|| (open(&spec(Family::Ipv4)), open(&spec(Family::Ipv6))));
        let protocol = Some(Protocol::from(112));
        let sender = Socket::new(Domain::IPV4, Type::RAW, protocol).expect("raw");
        sender.bind_device(Some(b"eth0")).expect("bound");
        sender.set_multicast_ttl_v4(254).expect("ttl");
        sender.send_to(b"12345678", &SockAddr::from(SocketAddr::from((GROUP_V4, 0)))).expect("sent");
        assert_eq!(receive(&v4, 1).iter().map(|packet| packet.ttl).collect::<Vec<_>>(), [254]);

        let sender = Socket::new(Domain::IPV6, Type::RAW, protocol).expect("raw");
        sender.bind_device(Some(b"eth0")).expect("bound");
        sender.set_multicast_hops_v6(1).expect("hops");
        let group: Ipv6Addr = "ff02::12".parse().expect("v6");
        sender.send_to(b"12345678", &SockAddr::from(SocketAddr::from((group, 0)))).expect("sent");
        assert_eq!(receive(&v6, 1).iter().map(|packet| packet.ttl).collect::<Vec<_>>(), [1]);
    });
}

/// The kernel's own execution: the interpreter of the unit tests is only what the documentation says.
#[test]
fn a_tightened_port_hears_what_is_for_its_routers_and_a_sample_of_the_rest() {
    const USELESS: usize = 1920;
    with_hosts(|hosts| {
        for (family, octets) in [(Family::Ipv4, 4), (Family::Ipv6, 16)] {
            let vrids = [Vrid::new(10).expect("not 0")].into();
            let expected = Expected { vrids, versions: [Version::V3].into(), ..Expected::default() };
            let mut sender = open(&spec(family));
            let receiver = hosts.on_b(|| {
                let tight = PortSpec { expected, ..spec(family) };
                let receiver = open(&tight);
                receiver.tighten(&Sieve::new(&tight)).expect("the kernel takes the program");
                receiver
            });
            let mut send = |vrid: u8, length: usize| {
                let mut message = vec![0x31, vrid, 100, 1, 0, 100, 0, 0];
                message.resize(length, 7);
                match sender.group() {
                    IpAddr::V4(group) => queue_ipv4(&mut sender, ROUTER, A4, group, &message),
                    IpAddr::V6(group) => {
                        let source = "fe80::a".parse().expect("v6");
                        sender.queue_ipv6(ROUTER, source, group, |out| out.extend_from_slice(&message));
                    }
                }
                flush(&mut sender);
            };
            let whole = 8 + octets;
            for round in 0..USELESS {
                match round % 3 {
                    0 => send(11, whole),
                    1 => send(10, whole + 1),
                    _ => send(10, 1),
                }
                if round % 192 == 0 {
                    send(10, whole);
                }
            }
            let (good, sampled): (Vec<_>, Vec<_>) = receive(&receiver, usize::MAX)
                .into_iter()
                .partition(|packet| packet.payload[1..].first() == Some(&10) && packet.payload.len() == whole);
            assert_eq!(good.len(), USELESS / 192, "{family}");
            // One in 64 makes 30: as few as none, or as many as 90, come once in a hundred years.
            assert!((1..90).contains(&sampled.len()), "{family}: {} of {USELESS}", sampled.len());
            receiver.loosen().expect("the filter is lifted");
            receiver.loosen().expect("and there is none now");
            send(11, whole);
            assert_eq!(receive(&receiver, 1).len(), 1, "{family}: everything passes again");
        }
    });
}

#[test]
fn a_port_without_multicast_hears_only_unicast() {
    with_hosts(|hosts| {
        let mut sender = open(&spec(Family::Ipv4));
        let (joined, unicast) =
            hosts.on_b(|| (open(&spec(Family::Ipv4)), open(&PortSpec { multicast: false, ..spec(Family::Ipv4) })));
        for to in [GROUP_V4, B4] {
            queue_ipv4(&mut sender, ROUTER, A4, to, &[0x31]);
        }
        assert_eq!(flush(&mut sender), 2);
        assert_eq!(receive(&joined, 2).len(), 2);
        let heard: Vec<IpAddr> = receive(&unicast, 1).iter().map(|packet| packet.destination).collect();
        assert_eq!(heard, [IpAddr::V4(B4)]);
    });
}

#[test]
fn a_port_with_an_authentication_header_hears_both_protocols() {
    with_hosts(|hosts| {
        let receiver = hosts.on_b(|| open(&PortSpec { ah: true, ..spec(Family::Ipv4) }));
        assert_eq!(receiver.descriptors().count(), 2);
        for protocol in [51, 112] {
            let sender = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(protocol))).expect("raw");
            sender.bind_device(Some(b"eth0")).expect("bound");
            sender.send_to(b"12345678", &SockAddr::from(SocketAddr::from((GROUP_V4, 0)))).expect("sent");
        }
        let mut heard: Vec<u8> = receive(&receiver, 2).iter().map(|packet| packet.protocol).collect();
        heard.sort_unstable();
        assert_eq!(heard, [51, 112]);
    });
}

#[test]
fn the_adverts_of_255_routers_go_and_come_in_batches() {
    with_hosts(|hosts| {
        for family in [Family::Ipv4, Family::Ipv6] {
            let mut sender = open(&spec(family));
            let receiver = hosts.on_b(|| open(&spec(family)));
            for vrid in 1..=255 {
                let router = RouterId(u32::from(vrid));
                match (family, sender.group()) {
                    (Family::Ipv6, IpAddr::V6(group)) => {
                        let source = "fe80::a".parse().expect("v6");
                        sender.queue_ipv6(router, source, group, |out| out.push(vrid));
                    }
                    _ => queue_ipv4(&mut sender, router, A4, GROUP_V4, &[vrid]),
                }
            }
            assert_eq!(flush(&mut sender), 255);
            let heard: Vec<u8> = receive(&receiver, 255).iter().map(|packet| packet.payload[0]).collect();
            assert_eq!(heard, (1..=255).collect::<Vec<u8>>());
        }
    });
}

#[test]
fn what_a_firewall_refuses_is_reported_with_its_router_and_holds_up_no_other() {
    with_hosts(|hosts| {
        run("nft", "add table ip filter");
        run("nft", "add chain ip filter output { type filter hook output priority 0 ; }");
        run("nft", "add rule ip filter output ip daddr 192.0.2.66 drop");
        let mut sender = open(&spec(Family::Ipv4));
        let receiver = hosts.on_b(|| open(&spec(Family::Ipv4)));
        for (router, to) in [(1, GROUP_V4), (2, Ipv4Addr::new(192, 0, 2, 66)), (3, GROUP_V4)] {
            queue_ipv4(&mut sender, RouterId(router), A4, to, &[0x31]);
        }
        let mut failures = Vec::new();
        let sent = sender.flush(|router, error| failures.push((router, error.raw_os_error())));
        assert_eq!((sent, failures), (2, vec![(RouterId(2), Some(libc::EPERM))]));
        assert_eq!(receive(&receiver, 2).len(), 2);
    });
}

#[test]
fn opening_a_port_on_no_interface_names_the_port_and_the_step() {
    with_hosts(|_| {
        let nowhere = PortSpec { index: 9999, ..spec(Family::Ipv4) };
        let error = Port::open(&nowhere).err().expect("there is no interface 9999").to_string();
        assert!(error.starts_with("eth0/ipv4: cannot join 224.0.0.18: No such device"), "{error}");
    });
}

#[test]
fn frames_leave_as_they_were_written() {
    with_hosts(|hosts| {
        ip("link set eth0 address 02:00:00:00:00:0a");
        let mut frames = FrameSocket::open(index()).expect("a packet socket");
        assert_eq!(frames.mac().expect("an address"), [2, 0, 0, 0, 0, 0x0a]);
        let everything = Some(Protocol::from(i32::from(0x0003u16.to_be())));
        let mut capture = hosts.on_b(|| Socket::new(Domain::PACKET, Type::RAW, everything).expect("a capture"));
        let frame = |number: u8| {
            let mut frame = vec![0xff; 6];
            frame.extend_from_slice(&[0x02, 0, 0, 0, 0, number, 0x08, 0x06]);
            frame.resize(42, number);
            frame
        };
        for number in 1..=100 {
            frames.queue(ROUTER, |out| out.extend_from_slice(&frame(number)));
        }
        assert_eq!(frames.flush(|router, error| panic!("{router:?}: {error}")), 100);
        let mut captured = Vec::new();
        while captured.len() < 100 && readable(capture.as_fd(), Duration::from_secs(1)) {
            let mut buffer = [0; 2048];
            let length = capture.read(&mut buffer).expect("a frame");
            if buffer[12..14] == [0x08, 0x06] {
                captured.push(buffer[..length].to_vec());
            }
        }
        assert_eq!(captured, (1..=100).map(frame).collect::<Vec<_>>());
    });
}

fn virtual_address(text: &str) -> VirtualAddress {
    let (ip, prefix) = text.split_once('/').expect("address/prefix");
    VirtualAddress { ip: ip.parse().expect("an address"), prefix: prefix.parse().expect("a prefix length") }
}

fn on_eth0() -> Vec<KernelAddress> {
    let index = index();
    let mut all = Netlink::open().and_then(|mut netlink| netlink.addresses()).expect("addresses");
    all.retain(|known| known.index == index);
    all
}

fn is_there(address: VirtualAddress) -> bool {
    on_eth0().iter().any(|known| known.address == address)
}

fn settle(reconciler: &mut Reconciler, kernel: &mut Netlink) {
    reconciler.flush(kernel, |router, address, error| panic!("{router:?} {address}: {error}")).expect("answers");
}

fn many(count: u16) -> Vec<VirtualAddress> {
    (0..count)
        .map(|number| {
            let [high, low] = number.to_be_bytes();
            VirtualAddress { ip: [198, 18, high, low].into(), prefix: 32 }
        })
        .collect()
}

#[test]
fn addresses_of_255_routers_are_held_tagged_and_released() {
    with_hosts(|_| {
        let (mut kernel, mut reconciler) = (Netlink::open().expect("netlink"), Reconciler::default());
        let place = placement();
        let before = on_eth0();
        for address in many(255) {
            reconciler.hold(ROUTER, &place, address);
        }
        settle(&mut reconciler, &mut kernel);
        let held: Vec<_> = on_eth0().into_iter().filter(|known| known.tagged).map(|known| known.address).collect();
        assert_eq!(held, many(255));
        for address in many(255) {
            reconciler.release(ROUTER, &place.interface, address);
        }
        settle(&mut reconciler, &mut kernel);
        assert_eq!(on_eth0(), before);
    });
}

#[test]
fn the_prefix_length_is_put_as_given_and_without_a_broadcast_address() {
    with_hosts(|_| {
        let (mut kernel, mut reconciler) = (Netlink::open().expect("netlink"), Reconciler::default());
        reconciler.hold(ROUTER, &placement(), virtual_address("198.51.100.9/25"));
        settle(&mut reconciler, &mut kernel);
        let shown = Command::new("ip").args(["-4", "addr", "show", "dev", "eth0"]).output().expect("iproute2").stdout;
        let shown = String::from_utf8(shown).expect("text");
        let line = shown.lines().find(|line| line.contains("198.51.100.9")).expect("it is there");
        assert!(line.contains("198.51.100.9/25 scope global") && !line.contains("brd"), "{line}");
    });
}

#[test]
fn adding_what_is_there_is_told_and_removing_what_is_not_is_no_error() {
    with_hosts(|_| {
        let mut kernel = Netlink::open().expect("netlink");
        let index = index();
        let (add, renew) = (Change::Add { lifetime: None }, Change::Renew { lifetime: None });
        for address in ["198.51.100.9/24", "2001:db8::9/64"].map(virtual_address) {
            let again = [AddressChange { index, address, vmac: false, change: add }; 2];
            let mut refusals = Vec::new();
            let refused = &mut |position, error: io::Error| refusals.push((position, error.raw_os_error()));
            kernel.change_addresses(&again, refused).expect("answers");
            assert_eq!(refusals, [(1, Some(libc::EEXIST))]);
            for change in [renew, Change::Remove, Change::Remove, renew, Change::Remove] {
                let changes = [AddressChange { index, address, vmac: false, change }];
                kernel.change_addresses(&changes, &mut |_, error| panic!("{change:?}: {error}")).expect("answers");
            }
        }
    });
}

#[test]
fn what_the_kernel_refuses_is_reported_by_position() {
    with_hosts(|_| {
        let mut kernel = Netlink::open().expect("netlink");
        let add = |index, address: &str| AddressChange {
            index,
            address: virtual_address(address),
            vmac: false,
            change: Change::Add { lifetime: None },
        };
        let changes = [add(index(), "198.51.100.1/24"), add(9999, "198.51.100.2/24"), add(index(), "198.51.100.3/24")];
        let mut refusals = Vec::new();
        let refused = &mut |position, error: io::Error| refusals.push((position, error.raw_os_error()));
        kernel.change_addresses(&changes, refused).expect("answers");
        assert_eq!(refusals, [(1, Some(libc::ENODEV))]);
        assert!(is_there(changes[0].address) && is_there(changes[2].address));
    });
}

#[test]
fn an_ipv6_address_can_be_used_at_once() {
    with_hosts(|_| {
        let (mut kernel, mut reconciler) = (Netlink::open().expect("netlink"), Reconciler::default());
        reconciler.hold(ROUTER, &placement(), virtual_address("2001:db8::10/64"));
        settle(&mut reconciler, &mut kernel);
        UdpSocket::bind("[2001:db8::10]:0").expect("no duplicate address detection stands before its use");
    });
}

#[test]
fn an_address_with_a_lifetime_leaves_by_itself_unless_it_is_renewed() {
    with_hosts(|_| {
        let (mut kernel, mut reconciler) = (Netlink::open().expect("netlink"), Reconciler::default());
        let (mut monitor, mut unheld) = (Monitor::open().expect("a monitor"), Reconciler::default());
        notices(&mut monitor, &mut unheld);
        let place = Placement { lifetime: Some(Duration::from_secs(2)), ..placement() };
        let addresses = ["198.51.100.9/24", "2001:db8::9/64"].map(virtual_address);
        for address in addresses {
            reconciler.hold(ROUTER, &place, address);
        }
        settle(&mut reconciler, &mut kernel);
        let start = now();
        while now() - start < Duration::from_secs(4) {
            readable(kernel_never_speaks().as_fd(), Duration::from_millis(500));
            reconciler.renew(Duration::from_secs(2), 0, 1);
            settle(&mut reconciler, &mut kernel);
            assert!(addresses.into_iter().all(is_there), "renewed in time");
        }
        let start = now();
        while addresses.into_iter().any(is_there) {
            assert!(now() - start < Duration::from_secs(6), "the lifetime has passed");
            readable(kernel_never_speaks().as_fd(), Duration::from_millis(50));
        }
    });
}

/// A descriptor that never becomes readable, to wait with.
fn kernel_never_speaks() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("loopback")
}

fn notices(monitor: &mut Monitor, reconciler: &mut Reconciler) -> Vec<Notice> {
    let mut notices = Vec::new();
    monitor.receive(reconciler, |notice| notices.push(notice)).expect("notices");
    // They come along with every change of an interface.
    notices.retain(|notice| !matches!(notice, Notice::RoutesInDoubt { .. }));
    // Who it was has a test of its own.
    notices.into_iter().map(anonymous).collect()
}

fn anonymous(notice: Notice) -> Notice {
    match notice {
        Notice::AddressLost { router, address, .. } => Notice::AddressLost { router, address, by: None },
        other => other,
    }
}

fn lost(address: VirtualAddress) -> Notice {
    Notice::AddressLost { router: ROUTER, address, by: None }
}

/// What was last told of `eth0` once it satisfies `enough`, or after a second.
fn last_facts(
    monitor: &mut Monitor,
    reconciler: &mut Reconciler,
    enough: impl Fn(&InterfaceFacts) -> bool,
) -> Option<InterfaceFacts> {
    let deadline = now() + Duration::from_secs(1);
    let mut last = None;
    loop {
        for notice in notices(monitor, reconciler) {
            if let Notice::Interface { name, facts } = notice
                && name == eth0()
            {
                last = facts;
            }
        }
        if last.as_ref().is_some_and(&enough) || now() >= deadline {
            return last;
        }
        readable(monitor.as_fd(), Duration::from_millis(50));
    }
}

#[test]
fn the_first_look_tells_the_facts() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let facts = last_facts(&mut monitor, &mut reconciler, |_| true).expect("eth0 is there");
        let expected = InterfaceFacts {
            index: index(),
            up: true,
            mac: facts.mac,
            ipv4: Some(A4),
            ipv6: Some("fe80::a".parse().expect("v6")),
            addresses: ["192.0.2.1/24", "fe80::a/64"].map(virtual_address).into(),
        };
        assert_eq!(facts, expected);
    });
}

#[test]
fn addresses_of_ours_change_no_facts_and_others_do() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        notices(&mut monitor, &mut reconciler);
        reconciler.hold(ROUTER, &placement(), virtual_address("192.0.2.10/24"));
        reconciler.hold(ROUTER, &placement(), virtual_address("fe80::10/64"));
        settle(&mut reconciler, &mut kernel);
        assert_eq!(notices(&mut monitor, &mut reconciler), []);
        ip("addr add 203.0.113.1/24 dev eth0");
        let facts = last_facts(&mut monitor, &mut reconciler, |facts| facts.addresses.len() == 3);
        assert_eq!(facts.map(|facts| (facts.ipv4, facts.addresses.len())), Some((Some(A4), 3)));
    });
}

/// As an owner (priority 255) has its virtual addresses, or an operator has configured one by mistake.
#[test]
fn an_address_that_the_interface_had_before_is_held_and_stays_a_fact_and_stays_there() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        ip("addr add 2001:db8::a/64 dev eth0 nodad");
        notices(&mut monitor, &mut reconciler);
        let before = on_eth0();
        let leased = Placement { lifetime: Some(Duration::from_secs(1)), ..placement() };
        let own = ["192.0.2.1/24", "fe80::a/64", "2001:db8::a/128"].map(virtual_address);
        for place in [placement(), leased] {
            for address in own {
                reconciler.hold(ROUTER, &place, address);
            }
            settle(&mut reconciler, &mut kernel);
            reconciler.renew(Duration::from_secs(2), 0, 1);
            settle(&mut reconciler, &mut kernel);
        }
        assert_eq!(on_eth0(), before, "neither added, nor tagged, nor given a lifetime");
        assert_eq!(notices(&mut monitor, &mut reconciler), [], "they are facts as before");
        for address in own {
            reconciler.release(ROUTER, &eth0(), address);
        }
        settle(&mut reconciler, &mut kernel);
        assert_eq!(on_eth0(), before);
        assert_eq!(notices(&mut monitor, &mut reconciler), []);
    });
}

#[test]
fn an_address_that_somebody_removes_is_noticed_and_comes_back() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        notices(&mut monitor, &mut reconciler);
        for address in ["192.0.2.10/24", "2001:db8::10/64"].map(virtual_address) {
            reconciler.hold(ROUTER, &placement(), address);
            settle(&mut reconciler, &mut kernel);
            notices(&mut monitor, &mut reconciler);
            ip(&format!("addr del {address} dev eth0"));
            assert_eq!(notices(&mut monitor, &mut reconciler), [lost(address)]);
            reconciler.hold(ROUTER, &placement(), address);
            settle(&mut reconciler, &mut kernel);
            assert!(is_there(address));
            assert_eq!(notices(&mut monitor, &mut reconciler), []);
        }
    });
}

/// The kernel tells for IPv4, and for routes and rules.
#[test]
fn who_removes_an_address_is_told_where_the_kernel_tells() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        let mut other = Netlink::open().expect("netlink");
        monitor.receive(&mut reconciler, |_| ()).expect("notices");
        for (address, is_told) in [("192.0.2.10/24", true), ("2001:db8::10/64", false)] {
            let address = virtual_address(address);
            reconciler.hold(ROUTER, &placement(), address);
            settle(&mut reconciler, &mut kernel);
            monitor.receive(&mut reconciler, |_| ()).expect("notices");
            let remove = AddressChange { index: index(), address, vmac: false, change: Change::Remove };
            other.change_addresses(&[remove], &mut |_, error| panic!("{error}")).expect("it is asked");
            let mut removers = Vec::new();
            let each = |notice| {
                if let Notice::AddressLost { by, .. } = notice {
                    removers.push(by.map(|by| by.starts_with("netlink port ")));
                }
            };
            monitor.receive(&mut reconciler, each).expect("notices");
            assert_eq!(removers, [is_told.then_some(true)], "{address}");
        }
    });
}

#[test]
fn our_own_removals_are_not_taken_for_somebody_elses() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        notices(&mut monitor, &mut reconciler);
        let (place, address) = (placement(), virtual_address("192.0.2.10/24"));
        for _ in 0..3 {
            reconciler.hold(ROUTER, &place, address);
            settle(&mut reconciler, &mut kernel);
            reconciler.release(ROUTER, &place.interface, address);
            settle(&mut reconciler, &mut kernel);
        }
        reconciler.hold(ROUTER, &place, address);
        settle(&mut reconciler, &mut kernel);
        assert_eq!(notices(&mut monitor, &mut reconciler), []);
    });
}

/// The kernel removes the secondary addresses of a subnet together with the primary one (`promote_secondaries` = 0).
#[test]
fn what_the_kernel_removes_along_with_a_released_address_is_noticed() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        std::fs::write("/proc/sys/net/ipv4/conf/eth0/promote_secondaries", "0").expect("a sysctl");
        notices(&mut monitor, &mut reconciler);
        let place = placement();
        let [first, second] = ["198.51.100.1/24", "198.51.100.2/24"].map(virtual_address);
        reconciler.hold(RouterId(1), &place, first);
        reconciler.hold(RouterId(2), &place, second);
        settle(&mut reconciler, &mut kernel);
        reconciler.release(RouterId(1), &place.interface, first);
        settle(&mut reconciler, &mut kernel);
        assert!(!is_there(second), "the kernel has taken it along");
        let lost = Notice::AddressLost { router: RouterId(2), address: second, by: None };
        assert_eq!(notices(&mut monitor, &mut reconciler), [lost]);
    });
}

#[test]
fn the_loss_of_the_carrier_is_noticed_within_10_ms() {
    with_hosts(|hosts| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        notices(&mut monitor, &mut reconciler);
        hosts.on_b(|| ip("link set eth0 down"));
        let start = now();
        let noticed = RefCell::new(None);
        last_facts(&mut monitor, &mut reconciler, |facts| {
            if !facts.up {
                noticed.replace(Some(now() - start));
            }
            !facts.up
        });
        let took = noticed.into_inner().expect("noticed at all");
        assert!(took < Duration::from_millis(10), "{took:?}");
        hosts.on_b(|| ip("link set eth0 up"));
        assert!(last_facts(&mut monitor, &mut reconciler, |facts| facts.up).is_some_and(|facts| facts.up));
    });
}

#[test]
fn an_interface_that_is_deleted_made_anew_and_renamed_is_followed() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        notices(&mut monitor, &mut reconciler);
        let (old, address) = (index(), virtual_address("192.0.2.10/24"));
        reconciler.hold(ROUTER, &placement(), address);
        settle(&mut reconciler, &mut kernel);
        ip("link del eth0");
        let gone = Notice::Interface { name: eth0(), facts: None };
        assert_eq!(notices(&mut monitor, &mut reconciler), [gone, lost(address)]);

        reconciler.release(ROUTER, &eth0(), address);
        settle(&mut reconciler, &mut kernel);
        ip("link add eth0 type veth peer name other");
        ip("addr add 192.0.2.5/24 dev eth0");
        ip("link set eth0 up");
        ip("link set other up");
        let facts = last_facts(&mut monitor, &mut reconciler, |facts| facts.up).expect("it is there again");
        assert!(facts.index != old && facts.ipv4 == Some([192, 0, 2, 5].into()), "{facts:?}");
        reconciler.hold(ROUTER, &placement(), address);
        settle(&mut reconciler, &mut kernel);
        assert!(is_there(address));

        ip("link set eth0 down");
        ip("link set eth0 name lan0");
        let names: Vec<_> = notices(&mut monitor, &mut reconciler)
            .into_iter()
            .filter_map(|notice| match notice {
                Notice::Interface { name, facts } => Some((name.to_string(), facts.is_some())),
                Notice::AddressLost { .. } | Notice::RoutesInDoubt { .. } => None,
            })
            .collect();
        assert!(names.contains(&("eth0".into(), false)) && names.contains(&("lan0".into(), true)), "{names:?}");
    });
}

#[test]
fn what_a_crash_left_behind_is_found_and_removed() {
    with_hosts(|_| {
        let (ours, held, theirs) = ("198.51.100.9/24", "2001:db8::9/64", "203.0.113.9/24");
        let [ours, held, theirs] = [ours, held, theirs].map(virtual_address);
        let mut kernel = Netlink::open().expect("netlink");
        let mut before_the_crash = Reconciler::default();
        before_the_crash.hold(ROUTER, &placement(), ours);
        before_the_crash.hold(ROUTER, &placement(), held);
        settle(&mut before_the_crash, &mut kernel);
        drop(before_the_crash);
        ip(&format!("addr add {theirs} dev eth0"));

        let mut reconciler = Reconciler::default();
        reconciler.hold(ROUTER, &placement(), held);
        settle(&mut reconciler, &mut kernel);
        let found = kernel.addresses().expect("addresses");
        let swept = reconciler.sweep(&mut kernel, &found, |address, error| panic!("{address}: {error}"));
        assert_eq!(swept.expect("answers"), 1);
        assert!(!is_there(ours) && is_there(held) && is_there(theirs));
    });
}

#[test]
fn lost_notices_lead_to_a_new_listing() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::with_buffer(2048).expect("a monitor"), Reconciler::default());
        let mut kernel = Netlink::open().expect("netlink");
        notices(&mut monitor, &mut reconciler);
        let address = virtual_address("192.0.2.10/24");
        reconciler.hold(ROUTER, &placement(), address);
        settle(&mut reconciler, &mut kernel);
        notices(&mut monitor, &mut reconciler);

        let index = index();
        let add = |address: VirtualAddress| AddressChange {
            index,
            address,
            vmac: false,
            change: Change::Add { lifetime: None },
        };
        for address in many(200) {
            ip(&format!("addr add {address} dev eth0"));
        }
        ip(&format!("addr del {address} dev eth0"));
        kernel.change_addresses(&many(100).into_iter().map(add).collect::<Vec<_>>(), &mut |_, _| ()).expect("answers");
        let told = notices(&mut monitor, &mut reconciler);
        let facts = told.iter().find_map(|notice| match notice {
            Notice::Interface { name, facts } if *name == eth0() => facts.clone(),
            _ => None,
        });
        assert_eq!(facts.expect("eth0 has changed").addresses.len(), 202);
        assert!(told.contains(&lost(address)), "{told:?}");
    });
}

/// Prints how long things take; run it with `--nocapture`.
#[test]
fn figures() {
    with_hosts(|_| {
        let (mut kernel, mut reconciler) = (Netlink::open().expect("netlink"), Reconciler::default());
        let place = placement();
        let mut timed = |what: &str, work: &mut dyn FnMut(&mut Reconciler)| {
            let start = now();
            work(&mut reconciler);
            println!("{what}: {:?}", now() - start);
        };
        timed("add one address", &mut |reconciler| {
            reconciler.hold(ROUTER, &place, virtual_address("192.0.2.10/24"));
            settle(reconciler, &mut kernel);
        });
        let addresses = many(255);
        timed("add 255 addresses", &mut |reconciler| {
            for &address in &addresses {
                reconciler.hold(ROUTER, &place, address);
            }
            settle(reconciler, &mut kernel);
        });
        timed("remove 255 addresses", &mut |reconciler| {
            for &address in &addresses {
                reconciler.release(ROUTER, &place.interface, address);
            }
            settle(reconciler, &mut kernel);
        });
        let mut port = open(&spec(Family::Ipv4));
        for round in ["first", "second"] {
            for vrid in 1..=255 {
                let advert = [0x31, vrid, 100, 1, 0, 100, 0, 0, 192, 0, 2, 10];
                queue_ipv4(&mut port, ROUTER, A4, GROUP_V4, &advert);
            }
            timed(&format!("send 255 adverts, {round} time"), &mut |_| assert_eq!(flush(&mut port), 255));
        }
    });
}

fn port_of(interface: &str) -> PortKey {
    PortKey { interface: InterfaceName::new(interface).expect("a legal name"), family: Family::Ipv4 }
}

fn index_of(interface: &str) -> u32 {
    nix::net::if_::if_nametoindex(interface).expect("it is there")
}

fn router_on(interface: &str, vrid: u8) -> RouterKey {
    let PortKey { interface, family } = port_of(interface);
    RouterKey { interface, family, vrid: Vrid::new(vrid).expect("not 0") }
}

fn fit(vmacs: &mut Vmacs, kernel: &mut Netlink, interface: &str, vrids: impl IntoIterator<Item = u8>) {
    let vrids: Vec<Vrid> = vrids.into_iter().filter_map(Vrid::new).collect();
    vmacs.fit(kernel, &port_of(interface), index_of(interface), &vrids, |error| panic!("{error}"));
}

fn our_macvlans(kernel: &mut Netlink) -> Vec<LinkState> {
    kernel.links().expect("links").into_iter().filter(LinkState::is_ours).collect()
}

#[test]
fn macvlans_are_made_down_and_are_no_interfaces_of_the_operator_s() {
    with_hosts(|_| {
        let (mut monitor, mut reconciler) = (Monitor::open().expect("a monitor"), Reconciler::default());
        let (mut kernel, mut vmacs) = (Netlink::open().expect("netlink"), Vmacs::default());
        notices(&mut monitor, &mut reconciler);
        fit(&mut vmacs, &mut kernel, "eth0", [1, 51]);
        let made = our_macvlans(&mut kernel);
        assert_eq!(made.len(), 2);
        assert!(made.iter().all(|link| link.macvlan.as_ref().is_some_and(|macvlan| !macvlan.enabled)));
        let device = vmacs.raise(&mut kernel, &router_on("eth0", 51), index()).expect("it comes up").clone();
        assert_eq!(device.name.as_str(), format!("vrrp4.51.{}", index()));
        let place = Placement { interface: device.name.clone(), index: device.index, lifetime: None, vmac: true };
        reconciler.hold(ROUTER, &place, virtual_address("192.0.2.10/24"));
        settle(&mut reconciler, &mut kernel);
        assert_eq!(notices(&mut monitor, &mut reconciler), [], "nothing about them is told");

        ip(&format!("link set {} down", device.name));
        let lost = lost(virtual_address("192.0.2.10/24"));
        assert_eq!(notices(&mut monitor, &mut reconciler), [lost], "it is of no use there");

        fit(&mut vmacs, &mut kernel, "eth0", [51]);
        assert_eq!(our_macvlans(&mut kernel).len(), 1);
        vmacs.close(&mut kernel);
        assert_eq!(our_macvlans(&mut kernel), []);
    });
}

#[test]
fn a_bridge_carries_macvlans_and_a_port_of_it_says_so() {
    with_hosts(|_| {
        ip("link add br0 type bridge");
        ip("link set br0 up");
        let (mut kernel, mut vmacs) = (Netlink::open().expect("netlink"), Vmacs::default());
        fit(&mut vmacs, &mut kernel, "br0", [51]);
        vmacs.raise(&mut kernel, &router_on("br0", 51), index_of("br0")).expect("it comes up");
        vmacs.close(&mut kernel);

        ip("link set eth0 master br0");
        let error = vmacs.raise(&mut kernel, &router_on("eth0", 51), index()).expect_err("its frames are the bridge's");
        assert!(error.to_string().contains("configure the router on that instead"), "{error}");
        vmacs.close(&mut kernel);
    });
}

/// Prints how long macvlans take; run it with `--nocapture`.
#[test]
fn figures_of_macvlans() {
    with_hosts(|_| {
        let (mut kernel, mut vmacs) = (Netlink::open().expect("netlink"), Vmacs::default());
        let mut timed = |what: &str, work: &mut dyn FnMut(&mut Vmacs)| {
            let start = now();
            work(&mut vmacs);
            println!("{what}: {:?}", now() - start);
        };
        let index = index();
        timed("make one macvlan", &mut |vmacs| fit(vmacs, &mut kernel, "eth0", [1]));
        timed("make 254 more", &mut |vmacs| fit(vmacs, &mut kernel, "eth0", 1..=255));
        timed("set one up", &mut |vmacs| {
            vmacs.raise(&mut kernel, &router_on("eth0", 1), index).expect("up");
        });
        timed("set 254 more up", &mut |vmacs| {
            for vrid in 2..=255 {
                vmacs.raise(&mut kernel, &router_on("eth0", vrid), index).expect("up");
            }
        });
        timed("set 255 down", &mut |vmacs| {
            let held = std::collections::BTreeSet::new();
            while vmacs.lower_unused(&mut kernel, &held) {}
        });
        timed("remove one", &mut |vmacs| fit(vmacs, &mut kernel, "eth0", 2..=255));
        timed("remove 254", &mut |vmacs| vmacs.close(&mut kernel));
    });
}
