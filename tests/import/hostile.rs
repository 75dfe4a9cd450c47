//! No text makes the import panic, run away, or write TOML that is not TOML.
#![allow(clippy::format_collect, clippy::disallowed_methods, reason = "sixty short lines, and how long they take")]

use crate::imported;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// Imports; a panic is the failure, and so is a result that is no TOML.
fn survives(text: &str) {
    let imported = imported(text);
    let parsed: Result<toml::Table, _> = toml::from_str(&imported.toml);
    assert!(parsed.is_ok(), "{}\n{}", parsed.expect_err("just looked"), imported.toml);
}

fn shipped() -> String {
    let mut all = String::new();
    for name in ["includes", "track-scripts", "notify", "unicast", "ipv6-vmac", "sync-group", "strict"] {
        let path = Path::new("tests/import/samples").join(name).with_extension("conf");
        all += &fs::read_to_string(path).expect("in the repository");
    }
    all
}

/// Pieces that make texts which get far.
fn piece() -> impl Strategy<Value = String> {
    let words = [
        "vrrp_instance a {\n",
        "vrrp_script b {\n",
        "vrrp_sync_group c {\n",
        "global_defs {\n",
        "track_file d {\n",
        "vrrp_track_process e {\n",
        "virtual_ipaddress { ",
        "track_script { ",
        "group { a }\n",
        "authentication {\n",
        "unicast_peer {\n",
        "interface eth0\n",
        "virtual_router_id 51\n",
        "priority ",
        "advert_int ",
        "auth_type PASS\n",
        "auth_pass ",
        "script ",
        "notify ",
        "notify_master ",
        "weight ",
        "interval ",
        "state MASTER\n",
        "use_vmac\n",
        "include ",
        "@main ",
        "@^main ",
        "$X=",
        "$X",
        "${X}",
        "$X(a)=",
        "${X(1)}",
        "~SEQ(X,1,3) ",
        "~LST({X,Y},{1,2}) ",
        "\\\n",
        "\n",
        "{",
        "}",
        " ",
        "\"",
        "'",
        "\\",
        "#",
        "!",
        "192.0.2.1/24\n",
        "fe80::1/64 ",
        "b weight -20 reverse\n",
        "0.001\n",
        "255\n",
        "99999999999999999999\n",
        "-1\n",
        "\u{fc}",
        "\t",
        "\0",
        "/bin/x",
        "dev eth1 ",
        "${_PWD}",
        "${_HASH}",
    ];
    prop_oneof![8 => proptest::sample::select(words.to_vec()).prop_map(str::to_owned), 1 => ".{0,8}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn any_text(text in "\\PC*") {
        survives(&text);
    }

    #[test]
    fn any_octets_as_text(octets in proptest::collection::vec(any::<u8>(), 0..200)) {
        survives(&String::from_utf8_lossy(&octets));
    }

    #[test]
    fn any_sentence_of_the_language(pieces in proptest::collection::vec(piece(), 0..80)) {
        survives(&pieces.concat());
    }

    #[test]
    fn any_mutation_of_a_real_file(from in 0usize..6000, length in 0usize..40, with in piece()) {
        let text = shipped();
        let floor = |at: usize| (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let (start, end) = (floor(from), floor(from + length));
        survives(&format!("{}{with}{}", &text[..start], &text[end..]));
    }
}

#[test]
fn what_would_never_end_ends() {
    let loops = "~SEQ(A,1,99999999) ".repeat(40);
    let doubling: String = (0..60).map(|n| format!("$D{}=$D{n} $D{n}\n", n + 1)).collect();
    let lines: String = (0..60).map(|n| format!("$L{}= \\\n$L{n} \\\n$L{n}\n", n + 1)).collect();
    let nested = "a {\n".repeat(100_000);
    for text in [
        &*format!("{loops}router_id x"),
        "$X=$X\n$X",
        "$X=a${X}\n${X}",
        "$X=${Y}\n$Y=${X}\n${X} ${Y}",
        &*format!("$D0=x\n{doubling}$D60 "),
        &*format!("$L0=x\n{lines}$L60 "),
        &nested,
        &*"}".repeat(100_000),
        &*"{".repeat(100_000),
        &*"@main ".repeat(100_000),
        &*"\\\n".repeat(100_000),
        &*format!("include {}", "{a,b}".repeat(1_000)),
    ] {
        let start = Instant::now();
        survives(text);
        assert!(start.elapsed() < Duration::from_secs(20), "{}", &text[..text.len().min(60)]);
    }
}

#[test]
fn files_that_include_themselves_end() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("self.conf");
    fs::write(&path, "include *.conf\ninclude *.conf\nrouter_id x\n").expect("written");
    let imported = vrrpd::config::keepalived::import(
        &path,
        &fs::read_to_string(&path).expect("a text"),
        &crate::SomeHost::default(),
    );
    assert!(imported.toml.contains("deep in one another"), "{}", imported.toml);
}
