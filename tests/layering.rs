//! The order of the rooms, read off the sources: a module imports only from rooms of smaller rank, rooms of the same
//! rank do not know each other, and the core does no I/O, reads no clock, draws no random number, starts no thread.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

/// Each room and its rank.
const RANKS: &[(&str, u8)] = &[
    ("time", 0),
    ("units", 0),
    ("ids", 0),
    ("track", 1),
    ("wire", 1),
    ("vrrp", 2),
    ("engine", 3),
    ("config", 4),
    ("sim", 4),
    ("net", 5),
    ("checks", 5),
    ("hooks", 5),
    ("control", 5),
    ("metrics", 5),
    ("process", 5),
    ("daemon", 6),
    ("cli", 6),
    ("exporter", 6),
    ("lib", 7),
    ("bin", 7),
];

/// Who may look at a room of its own rank: an identity on the wire is made of units; checks and hooks both start
/// programs.
const NEIGHBOURS: &[(&str, &str)] = &[("ids", "units"), ("checks", "process"), ("hooks", "process")];

/// The core: what runs in the simulator as it does in the daemon.
const CORE: u8 = 3;

/// What of the standard library the core may not touch. Addresses of `std::net` are plain data.
const BANNED_STD: &[&str] = &["fs", "thread", "process", "env"];

/// Names that the core may not speak.
const BANNED_NAMES: &[&str] = &[
    "Instant",
    "SystemTime",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
    "UnixDatagram",
    "HashMap",
    "HashSet",
    "RandomState",
    "tokio",
    "rand",
    "tracing",
    "socket2",
    "nix",
    "libc",
];

/// The one room that may be unsafe.
const UNSAFE: &str = "net/sys/";

#[derive(Debug, Eq, PartialEq)]
struct Breach {
    file: String,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "src/{}: {}", self.file, self.what)
    }
}

#[test]
fn every_module_keeps_to_its_rank() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = sources(&root);
    assert!(files.len() > 30, "only {} sources found under {}", files.len(), root.display());
    let breaches: Vec<String> = files
        .iter()
        .flat_map(|path| {
            let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
            breaches(name, &fs::read_to_string(path).unwrap())
        })
        .map(|breach| breach.to_string())
        .collect();
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

/// Each row is a file that breaks one rule, and a word of the complaint; without the complaint the test above proves
/// nothing.
#[test]
fn each_rule_can_be_broken() {
    for (file, source, complaint) in [
        ("time.rs", "use crate::wire::Packet;", "rank 1"),
        ("time.rs", "use super::engine::Engine;", "rank 3"),
        ("units.rs", "use crate::time::Timestamp;", "rank 0"),
        ("vrrp/router.rs", "fn f() -> crate::engine::Event {}", "rank 3"),
        ("vrrp/router.rs", "use super::super::engine::Event;", "rank 3"),
        ("engine/mod.rs", "use super::sim::World;", "rank 4"),
        ("engine/mod.rs", "use crate::{\n    ids::RouterId,\n    net::{sys, port},\n};", "net"),
        ("sim/world.rs", "use crate::config::load;", "config"),
        ("hooks/mod.rs", "use crate::checks::Runner;", "checks"),
        ("net/mod.rs", "use crate::process::spawn;", "process"),
        ("config/mod.rs", "pub use crate::mystery::Thing;", "no rank"),
        ("wire/reader.rs", "use std::collections::HashMap;", "HashMap"),
        ("wire/reader.rs", "use std::time::{Duration, Instant};", "Instant"),
        ("engine/mod.rs", "use std::{fmt, fs};", "std::fs"),
        ("engine/mod.rs", "fn f() { std::thread::yield_now() }", "std::thread"),
        ("vrrp/mod.rs", "async fn f() { tokio::task::yield_now().await }", "tokio"),
        ("vrrp/mod.rs", "use std::net::UdpSocket;", "UdpSocket"),
        ("net/port.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("mystery/mod.rs", "", "no rank"),
    ] {
        let found = breaches(file, source);
        assert!(found.iter().any(|breach| breach.what.contains(complaint)), "{file}: {source}\n{found:?}");
    }
}

#[test]
fn what_is_allowed_is_not_complained_of() {
    for (file, source) in [
        ("engine/mod.rs", "use crate::{ids::RouterId, vrrp::{Action, Router}};\nuse std::net::IpAddr;"),
        (
            "engine/mod.rs",
            "/// See [`World`](crate::sim::World), which has no `HashMap`.\nuse std::collections::BTreeMap;",
        ),
        ("engine/mod.rs", "mod fs;\nuse super::vrrp;\nuse self::fs::env;"),
        ("wire/mod.rs", "const S: &str = \"HashMap of unsafe tokio\";"),
        ("wire/mod.rs", "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n}"),
        ("checks/run.rs", "use crate::process::spawn;"),
        ("net/sys/send.rs", "fn f() { unsafe { g() } }"),
        ("net/port.rs", "#![deny(unsafe_code)]\nuse crate::engine::Event;\nuse tokio::net::UdpSocket;"),
        ("bin/vrrpd.rs", "use vrrpd::daemon;"),
    ] {
        assert_eq!(breaches(file, source), [], "{file}: {source}");
    }
}

/// What is wrong with one file, named from `src` on.
fn breaches(file: &str, source: &str) -> Vec<Breach> {
    let breach = |what: String| Breach { file: file.to_owned(), what };
    let room = file.split('/').next().unwrap().trim_end_matches(".rs");
    let Some(rank) = rank(room) else { return vec![breach(format!("{room} has no rank: give it one"))] };
    let code = code_of(source);
    let mut found: Vec<Breach> = imports(file, &code)
        .into_iter()
        .filter(|target| target != room && !NEIGHBOURS.contains(&(room, target.as_str())))
        .filter_map(|target| match self::rank(&target) {
            None => Some(breach(format!("imports {target}, which has no rank"))),
            Some(theirs) if theirs >= rank => Some(breach(format!("imports {target}, which has rank {theirs}"))),
            Some(_) => None,
        })
        .collect();
    let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    if words.contains(&"unsafe") && !file.starts_with(UNSAFE) {
        found.push(breach(format!("unsafe stands in {UNSAFE} only")));
    }
    if rank <= CORE {
        let names = BANNED_NAMES.iter().filter(|name| words.contains(name));
        found.extend(names.map(|name| breach(format!("the core does not use {name}"))));
        let modules = heads(&code, "std::").into_iter().filter(|head| BANNED_STD.contains(&head.as_str()));
        found.extend(modules.map(|head| breach(format!("the core does not use std::{head}"))));
    }
    found
}

fn rank(room: &str) -> Option<u8> {
    RANKS.iter().find(|(name, _)| *name == room).map(|&(_, rank)| rank)
}

/// The rooms that a file names: behind `crate::`, or behind as many `super::` as lead to the root.
fn imports(file: &str, code: &str) -> Vec<String> {
    if file == "lib.rs" || file.starts_with("bin/") {
        return Vec::new();
    }
    let depth = file.split('/').count() - usize::from(file.ends_with("/mod.rs"));
    let by_super = heads(code, &"super::".repeat(depth)).into_iter().filter(|head| rank(head).is_some());
    heads(code, "crate::").into_iter().chain(by_super).collect()
}

/// The first names of the paths behind each `prefix`: one, or those of a braced list.
fn heads(code: &str, prefix: &str) -> Vec<String> {
    let mut heads = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(prefix) {
        let whole = !rest[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':');
        rest = &rest[at + prefix.len()..];
        if !whole {
            continue;
        }
        match rest.strip_prefix('{') {
            Some(list) => heads.extend(braced(list)),
            None => heads.push(word(rest)),
        }
    }
    heads.retain(|head| !head.is_empty());
    heads
}

fn braced(list: &str) -> Vec<String> {
    let mut depth = 0;
    let mut heads = vec![word(list.trim_start())];
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            ',' if depth == 0 => heads.push(word(list[at + 1..].trim_start())),
            _ => {}
        }
    }
    heads
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// The source without comments, string literals and the tests at its end.
fn code_of(source: &str) -> String {
    let source = source.split("#[cfg(test)]\nmod ").next().unwrap();
    let mut code = String::new();
    for line in source.lines() {
        let mut in_string = false;
        let mut previous = ' ';
        for (at, c) in line.char_indices() {
            if !in_string && line[at..].starts_with("//") {
                break;
            }
            if c == '"' && previous != '\\' && previous != '\'' {
                in_string = !in_string;
            } else if !in_string {
                code.push(c);
            }
            previous = c;
        }
        code.push('\n');
    }
    code
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
