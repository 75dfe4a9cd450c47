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
];

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
        let complaints = show(
            "_ws.expert.severity >= warning || _ws.malformed || vrrp.checksum.status == 0 || ip.checksum.status == 0",
        );
        let holds = stopped.success() && adverts >= 2 && complaints.is_empty();
        bench.check(id, holds, format!("tshark: {adverts} adverts, {complaints:?}"));
        let said = output("/usr/bin/python3", &["-c", SCAPY, &path]);
        bench.check(id, said.starts_with("right") && !said.contains("wrong"), format!("scapy: {said:?}"));
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap_or_else(|error| panic!("{program}: {error}"));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Builds each advert anew from what scapy reads, and compares: octet by octet, with either checksum for IPv4 version 3.
const SCAPY: &str = r#"
import logging, sys
logging.disable(logging.CRITICAL)
from scapy.all import Ether, bind_layers, rdpcap
from scapy.layers.ipsec import AH
from scapy.layers.vrrp import VRRP, VRRPv3
from scapy.utils import checksum
bind_layers(AH, VRRP, nh=112)
seen = 0
for frame in rdpcap(sys.argv[1]):
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
    message = checksum(raw[:6] + b"\0\0" + raw[8:])
    if sent not in (built, message):
        print("wrong", hex(sent), hex(built), hex(message))
print("right" if seen else "nothing", seen)
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
