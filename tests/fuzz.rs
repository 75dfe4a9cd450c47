//! The fuzz targets without a fuzzer: their seeds, and mutations of them. `fuzz/run` lets a fuzzer go on from the same seeds.

#[path = "../fuzz/harness/mod.rs"]
mod harness;

mod common;

use common::vectors;
use proptest::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

type Seeds = Vec<Vec<u8>>;

/// A target: what it is called, what it does with an input, and where it begins.
struct Target {
    name: &'static str,
    run: fn(&[u8]),
    seeds: fn() -> Seeds,
}

const TARGETS: [Target; 5] = [
    Target { name: "advert", run: harness::advert::run, seeds: adverts },
    Target { name: "packet", run: harness::packet::run, seeds: packets },
    Target { name: "config", run: harness::config::run, seeds: configurations },
    Target { name: "import", run: harness::import::run, seeds: keepalived_configurations },
    Target { name: "control", run: harness::control::run, seeds: requests },
];

/// Each vector with the octet before it that says which family it is of, and whether an Authentication Header leads.
fn adverts() -> Seeds {
    let flags = |vector: &vectors::Vector| u8::from(vector.source.is_ipv6()) | u8::from(vector.protocol == 51) << 1;
    let seed = |vector: &vectors::Vector| [&[flags(vector)], vector.packet().payload].concat();
    vectors::load().iter().map(seed).collect()
}

fn packets() -> Seeds {
    let vectors = vectors::load();
    vectors.iter().filter(|vector| vector.source.is_ipv4()).map(|vector| vector.datagram().to_vec()).collect()
}

fn configurations() -> Seeds {
    let directories = [
        "packaging",
        "packaging/examples",
        "packaging/examples/four-hosts",
        "tests/config/bad",
        "tests/import/samples",
    ];
    directories.into_iter().flat_map(|directory| files(directory, "toml")).collect()
}

fn keepalived_configurations() -> Seeds {
    files("tests/import/samples", "conf")
}

/// Every kind of request; the last connection asks several things.
fn requests() -> Seeds {
    let lines = [
        r#"{"command": "status"}"#,
        r#"{"command": "events"}"#,
        r#"{"command": "events", "since": 1, "follow": true}"#,
        r#"{"command": "explain", "router": "web"}"#,
        r#"{"command": "explain", "router": "db"}"#,
        r#"{"command": "drain"}"#,
        r#"{"command": "drain", "router": "web", "for_ms": 60000, "force": true}"#,
        r#"{"command": "undrain", "router": "web"}"#,
        r#"{"command": "log_level", "level": "debug"}"#,
        r#"{"command": "reload", "dry_run": true}"#,
    ];
    let mut seeds: Seeds = lines.iter().map(|line| format!("{line}\n").into_bytes()).collect();
    seeds.push(format!("{}\n", lines.join("\n")).into_bytes());
    seeds
}

fn files(directory: &str, extension: &str) -> Seeds {
    let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(directory)).expect("in the repository");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("readable").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == extension));
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

/// With `VRRPD_CORPUS=DIRECTORY` they are written there, for a fuzzer to begin with.
#[test]
fn every_seed_is_survived() {
    let corpus = std::env::var_os("VRRPD_CORPUS");
    for Target { name, run, seeds } in TARGETS {
        let seeds = seeds();
        assert!(seeds.len() >= 11, "{name}");
        for (number, seed) in seeds.iter().enumerate() {
            run(seed);
            if let Some(corpus) = &corpus {
                let directory = Path::new(corpus).join(name);
                fs::create_dir_all(&directory).expect("writable");
                fs::write(directory.join(format!("seed-{number}")), seed).expect("writable");
            }
        }
    }
}

/// What a fuzzer does to an input.
#[derive(Clone, Debug)]
enum Mutation {
    Set {
        at: usize,
        octet: u8,
    },
    Insert {
        at: usize,
        octets: Vec<u8>,
    },
    Remove {
        at: usize,
        length: usize,
    },
    /// A piece of another seed.
    Splice {
        at: usize,
        seed: usize,
        from: usize,
        length: usize,
    },
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let at = any::<usize>;
    let length = 0_usize..64;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, octet)| Mutation::Set { at, octet }),
        (at(), prop::collection::vec(any::<u8>(), 1..8)).prop_map(|(at, octets)| Mutation::Insert { at, octets }),
        (at(), length.clone()).prop_map(|(at, length)| Mutation::Remove { at, length }),
        (at(), at(), at(), length).prop_map(|(at, seed, from, length)| Mutation::Splice { at, seed, from, length }),
    ]
}

impl Mutation {
    fn apply(&self, input: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let position = |at: usize, length: usize| at % (length + 1);
        match self {
            Self::Set { at, octet } => {
                let at = position(*at, input.len());
                if let Some(found) = input.get_mut(at) {
                    *found = *octet;
                }
            }
            Self::Insert { at, octets } => {
                let at = position(*at, input.len());
                input.splice(at..at, octets.iter().copied());
            }
            Self::Remove { at, length } => {
                let start = position(*at, input.len());
                let end = input.len().min(start + length);
                input.drain(start..end);
            }
            Self::Splice { at, seed, from, length } => {
                let Some(other) = seeds.get(position(*seed, seeds.len())) else { return };
                let start = position(*from, other.len());
                let piece = &other[start..other.len().min(start + length)];
                let at = position(*at, input.len());
                input.splice(at..at, piece.iter().copied());
            }
        }
    }
}

/// Tries mutations of the seeds of a target.
fn survives(target: &Target, cases: u32) {
    let seeds = OnceLock::new();
    let config = ProptestConfig::with_cases(cases);
    proptest!(config, |(seed in any::<usize>(), mutations in prop::collection::vec(mutation(), 1..8))| {
        let seeds: &Seeds = seeds.get_or_init(target.seeds);
        let mut input = seeds[seed % seeds.len()].clone();
        for mutation in &mutations {
            mutation.apply(&mut input, seeds);
        }
        (target.run)(&input);
    });
}

#[test]
fn mutated_adverts() {
    survives(&TARGETS[0], 4096);
}

#[test]
fn mutated_packets() {
    survives(&TARGETS[1], 4096);
}

#[test]
fn mutated_configurations() {
    survives(&TARGETS[2], 512);
}

#[test]
fn mutated_configurations_of_keepalived() {
    survives(&TARGETS[3], 512);
}

/// Each starts a server of its own.
#[test]
fn mutated_requests() {
    survives(&TARGETS[4], 256);
}
