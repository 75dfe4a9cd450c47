//! What happened, in a form that costs little until somebody wants to read it.

use super::world::NodeId;
use crate::time::Timestamp;
use crate::vrrp::{Action, Record};
use crate::wire::Standing;
use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// How many lines a failure shows.
const LINES: usize = 50;

/// The last lines, every record, and a fingerprint of everything.
#[derive(Debug, Default)]
pub(super) struct Trace {
    lines: VecDeque<Line>,
    fingerprint: u64,
    pub(super) records: Vec<(NodeId, Arc<Record>)>,
    pub(super) verbose: bool,
}

#[derive(Debug)]
pub(super) struct Line {
    at: Timestamp,
    node: Option<NodeId>,
    what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// The world did something: a fault, a command, a reload.
    World(String),
    /// A packet came: its sender, VRID and priority.
    Packet(IpAddr, u8, u8),
    /// The engine asked for something.
    Action(Action),
}

impl Trace {
    pub(super) fn add(&mut self, at: Timestamp, node: Option<NodeId>, what: What) {
        self.mix(u64::try_from(at.since_origin().as_nanos()).unwrap_or(u64::MAX));
        self.mix(node.map_or(u64::MAX, |node| u64::try_from(node.0).unwrap_or(u64::MAX)));
        self.mix_what(&what);
        if let What::Action(Action::Record(record)) = &what
            && let Some(node) = node
        {
            self.records.push((node, Arc::clone(record)));
        }
        let line = Line { at, node, what };
        if self.verbose {
            eprintln!("{line}");
        }
        if self.lines.len() == LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    fn mix_what(&mut self, what: &What) {
        match what {
            What::Packet(_, vrid, priority) => self.mix(u64::from(*vrid) << 8 | u64::from(*priority)),
            What::Action(Action::Advertise { standing, sequence, router, .. }) => {
                self.mix(u64::from(*sequence) << 40 | u64::from(router.0) << 8 | u64::from(priority_field(*standing)));
            }
            What::Action(Action::Record(record)) => self.mix_text(&format!("{record:?}")),
            What::Action(Action::Hold { router, .. }) => self.mix(0x1_0000_0000 | u64::from(router.0)),
            What::Action(Action::Release { router, .. }) => self.mix(0x2_0000_0000 | u64::from(router.0)),
            What::Action(Action::Announce { router, .. }) => self.mix(0x3_0000_0000 | u64::from(router.0)),
            What::Action(Action::RunCheck { tracker, .. }) => self.mix(0x4_0000_0000 | u64::from(tracker.0)),
            What::Action(Action::OpenPort { port, .. }) => self.mix(0x5_0000_0000 | u64::from(port.0)),
            What::Action(Action::ClosePort { port }) => self.mix(0x6_0000_0000 | u64::from(port.0)),
            What::World(text) => self.mix_text(text),
        }
    }

    fn mix_text(&mut self, text: &str) {
        for octet in text.bytes() {
            self.mix(u64::from(octet));
        }
    }

    /// One step of FNV-1a, on words instead of octets.
    fn mix(&mut self, word: u64) {
        self.fingerprint = (self.fingerprint ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    pub(super) fn last_lines(&self) -> Vec<String> {
        self.lines.iter().map(ToString::to_string).collect()
    }
}

pub(super) fn priority_field(standing: Standing) -> u8 {
    match standing {
        Standing::Resigning => 0,
        Standing::Holding(priority) => priority.get(),
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} ", self.at)?;
        match self.node {
            Some(node) => write!(f, "node {} ", node.0)?,
            None => write!(f, "world  ")?,
        }
        match &self.what {
            What::World(text) => f.write_str(text),
            What::Packet(from, vrid, priority) => write!(f, "<- {from} vrid {vrid} priority {priority}"),
            What::Action(action) => show(action, f),
        }
    }
}

fn show(action: &Action, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match action {
        Action::Advertise { spec, standing, source, .. } => {
            write!(f, "-> {source} {} priority {}", spec.key, priority_field(*standing))
        }
        Action::Hold { spec, addresses, .. } => write!(f, "hold {} {addresses:?}", spec.key),
        Action::Release { spec, addresses, .. } => write!(f, "release {} {addresses:?}", spec.key),
        Action::Announce { spec, .. } => write!(f, "announce {}", spec.key),
        Action::RunCheck { spec, .. } => write!(f, "run check {}", spec.name),
        Action::OpenPort { spec, .. } => write!(f, "open {}", spec.key),
        Action::ClosePort { port } => write!(f, "close port {}", port.0),
        Action::Record(record) => write!(f, "record {} {:?}", record.seq, record.cause),
    }
}
