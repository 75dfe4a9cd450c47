//! Independent decoders read everything that the daemon sends: tshark and scapy.

use std::thread::sleep;
use std::time::Duration;

use super::bench::{Bench, DEVICE, TENTH};
use super::{Needs, Scenario};
use crate::Stamp;
use std::process::Command;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "tshark_and_scapy_agree",
    covers: &["TX-18", "TX-19", "TX-20", "TX-21", "TX-25"],
    needs: Needs::Ours,
    run: tshark_and_scapy_agree,
}];

/// Requirement, lines of the router, and what tshark is told about the checksum of IPv4 version 3.
const ROWS: &[(&str, &str, &str)] = &[
    ("TX-18", "checksum = \"rfc9568\"\nvirtual_addresses = [\"192.168.100.10/24\", \"192.168.100.11/24\"]", "TRUE"),
    ("TX-19", "checksum = \"rfc5798\"\nvirtual_addresses = [\"192.168.100.10/24\"]", "FALSE"),
    ("TX-20", "virtual_addresses = [\"fe80::10/64\", \"2001:db8:100::10/64\"]", "FALSE"),
    ("TX-21", "version = 2\nvirtual_addresses = [\"192.168.100.10/24\"]", "FALSE"),
    (
        "TX-25",
        "version = 2\nauthentication = { type = \"password\", secret = \"s3cr3t\" }\nvirtual_addresses = [\"192.168.100.10/24\"]",
        "FALSE",
    ),
    (
        "TX-21",
        "version = 2\nauthentication = { type = \"ah\", secret = \"s3cr3t\" }\nvirtual_addresses = [\"192.168.100.10/24\"]",
        "FALSE",
    ),
    (
        "TX-18",
        "unicast_peers = [\"192.168.100.99\"]\nchecksum = \"rfc9568\"\nvirtual_addresses = [\"192.168.100.10/24\"]\n\
         authentication = { type = \"hmac\", key_id = 1, secret = \"0123456789abcdef0123456789abcdef\" }",
        "TRUE",
    ),
];

const COMPLAINTS: &str =
    "_ws.expert.severity >= warning || _ws.malformed || vrrp.checksum.status == 0 || ip.checksum.status == 0";

/// tshark does not know keepalived's trailer and takes it for something that VRRP's checksum covers; scapy is told here.
const COMPLAINTS_OF_SIGNED: &str =
    "_ws.malformed || ip.checksum.status == 0 || (_ws.expert.severity >= warning && !vrrp)";

fn tshark_and_scapy_agree(bench: &mut Bench) {
    for (id, lines, as_in_v2) in ROWS {
        let started = Stamp::now();
        let interval = if lines.contains("version = 2") { "1s" } else { "100ms" };
        // An owner speaks at once.
        let daemon = bench.start_ours(&format!("priority = 255\nadvert_interval = \"{interval}\"\n{lines}"));
        sleep(Duration::from_millis(1500));
        let stopped = daemon.stop();
        sleep(TENTH);
        let frames: Vec<Vec<u8>> = bench
            .capture
            .since(started)
            .into_iter()
            .filter(|event| event.source_mac == DEVICE)
            .map(|event| event.frame)
            .collect();
        let file = bench.device().directory().join("sent.pcap");
        std::fs::write(&file, pcap(&frames)).expect("a file of ours");
        let path = file.to_string_lossy();
        let option = format!("vrrp.v3_checksum_as_in_v2:{as_in_v2}");
        let show = |filter: &str| {
            output("tshark", &["-r", &path, "-o", &option, "-o", "ip.check_checksum:TRUE", "-Y", filter])
        };
        let adverts = show("vrrp && !icmp").lines().count();
        let complaints = show(if lines.contains("hmac") { COMPLAINTS_OF_SIGNED } else { COMPLAINTS });
        let resignations = show("vrrp.prio == 0 && !icmp").lines().count();
        let announced = show("arp.isgratuitous || (icmpv6.type == 136 && icmpv6.nd.na.flag.o == 1)").lines().count();
        let holds = stopped.success() && adverts >= 2 && resignations >= 1 && announced >= 1 && complaints.is_empty();
        let counts = format!("{adverts} adverts, {resignations} resignations, {announced} announcements");
        bench.check(id, holds, format!("tshark: {counts}, {complaints:?}"));
        let said = output("/usr/bin/python3", &["-c", SCAPY, &path]);
        bench.check(id, said.contains("right") && !said.contains("wrong"), format!("scapy: {said:?}"));
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Builds each packet anew from what scapy reads, and compares: adverts by their checksum, which may have either form for IPv4
/// version 3 and leaves a trailer out; announcements octet by octet.
const SCAPY: &str = r#"
import logging, sys
logging.disable(logging.CRITICAL)
from scapy.all import ARP, Ether, bind_layers, rdpcap
from scapy.layers.inet6 import ICMPv6ND_NA
from scapy.layers.ipsec import AH
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.utils import checksum
bind_layers(AH, VRRP, nh=112)
seen = announced = 0
for frame in rdpcap(sys.argv[1]):
    said = frame.getlayer(ARP) or frame.getlayer(ICMPv6ND_NA)
    if said is not None:
        announced += 1
        copy = frame.copy()
        if ICMPv6ND_NA in copy:
            del copy[ICMPv6ND_NA].cksum
        if bytes(Ether(bytes(copy))) != bytes(frame):
            print("wrong", frame.summary())
    layer = frame.getlayer(VRRPv3) or frame.getlayer(VRRP)
    if layer is None:
        continue
    seen += 1
    raw = bytes(layer)
    kind = type(layer)
    sent = layer.chksum
    copy = frame.copy()
    del copy.getlayer(kind).chksum
    built = Ether(bytes(copy)).getlayer(kind).chksum
    signed = raw[8 + 4 * raw[3]:] if kind is VRRPv3 and raw[8 + 4 * raw[3]:][:1] == b"\x01" else b""
    message = checksum(raw[:6] + b"\0\0" + raw[8:len(raw) - len(signed)])
    if sent not in (built, message):
        print("wrong", hex(sent), hex(built), hex(message))
print("right" if seen and announced else "nothing", seen, announced)
"#;

/// The frames as a capture file.
fn pcap(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut file = Vec::new();
    let word = |value: u32, file: &mut Vec<u8>| file.extend(value.to_le_bytes());
    for value in [0xa1b2_c3d4, 0x0004_0002, 0, 0, 65_535, 1] {
        word(value, &mut file);
    }
    for (second, frame) in (0u32..).zip(frames) {
        let length = u32::try_from(frame.len()).expect("frames are short");
        for value in [second, 0, length, length] {
            word(value, &mut file);
        }
        file.extend(frame);
    }
    file
}
