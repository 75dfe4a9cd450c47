//! One daemon succeeds another without a gap: `vrrpctl upgrade`, and a restart by the service manager.
//!
//! ```text
//! old daemon   engine and sockets stop at one moment; what they know -> memory, the sockets stay open
//!   guardian   stands in: each Master's advert at its interval, for two seconds at most
//! new daemon   reads the configuration, takes memory and sockets, goes on as Master; its own guardian
//!   guardian   relieved: resigns for what does not go on, and ends
//! ```
//!
//! Both ways are one. What differs is how descriptors get from one to the other: an upgrade is an `exec` in the same
//! process, so whoever supervises it sees neither an end nor another process; over a restart the service manager keeps
//! them in its store (`sd_pid_notify_with_fds(3)`, `FDSTORE`).
//!
//! The guardian is there because a start takes longer than the shortest interval: some 20 ms to read a configuration and
//! to open sockets, and whatever the service manager takes besides. A second daemon started beside the first, with all
//! of that done before the first lets go, would cover an upgrade only: a service manager starts nothing before the old
//! process has ended. It would also change the process that is supervised, and have two daemons contend for control
//! socket and state. With the guardian in between the start may take as long as it likes, within its deadline.
//!
//! Where anything goes wrong the end is the one of a stop: the guardian notices that its socket closes, or that its time
//! is up, resigns and releases. What a predecessor left is taken up only whole: a schema that is not known, or memory
//! that is not understood, is a clean start.

mod descriptors;
mod exec;
mod restart;
mod store;

pub(super) use exec::{Checked, check, exec};
pub(super) use restart::is_restarting;
pub(super) use store::store;

use super::execute::Placed;
use super::guardian::Predecessor;
use crate::control::Timings;
use crate::engine::{Bequest, Occasion};
use crate::time::Timestamp;
use crate::vrrp::Resumption;
use descriptors::Descriptors;
use nix::sys::memfd::{MFdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::time::SystemTime;

/// The schema of [`Estate`]. To be raised whenever an older daemon's could be misunderstood.
const SCHEMA: u32 = 1;

/// The name of the memory among the descriptors.
const STATE: &str = "state";

/// The name of the guardian's socket among the descriptors, with its process behind it.
const GUARDIAN: &str = "guardian.";

/// What a daemon leaves in memory.
#[derive(Debug, Deserialize, Serialize)]
struct Estate {
    version: Arc<str>,
    how: Resumption,
    started: SystemTime,
    at: Timestamp,
    engine: Bequest,
    placed: Vec<Placed>,
    timings: Timings,
}

/// What the protocol thread hands over when it ends.
pub(super) struct Handed {
    /// When it stopped.
    pub(super) at: Timestamp,
    /// What the engine knows.
    pub(super) engine: Bequest,
    /// What is on which interface.
    pub(super) placed: Vec<Placed>,
    /// What was measured.
    pub(super) timings: Timings,
    /// This end of the guardian's socket, and its process.
    pub(super) guardian: (OwnedFd, u32),
    /// Sockets that packets wait in.
    pub(super) sockets: BTreeMap<String, OwnedFd>,
}

/// Everything for the successor, as descriptors with names.
pub(super) struct Bundle(BTreeMap<String, OwnedFd>);

impl Bundle {
    /// Puts together what the protocol thread handed over, for the daemon that `started` then.
    pub(super) fn new(handed: Handed, how: Resumption, started: SystemTime) -> io::Result<Self> {
        let Handed { at, engine, placed, timings, guardian: (socket, pid), sockets } = handed;
        let version = env!("CARGO_PKG_VERSION").into();
        let estate = Estate { version, how, started, at, engine, placed, timings };
        let mut descriptors = sockets;
        descriptors.insert(STATE.to_owned(), write(&estate)?);
        descriptors.insert(format!("{GUARDIAN}{pid}"), socket);
        Ok(Self(descriptors))
    }
}

/// What a predecessor left, taken up.
pub(super) struct Inheritance {
    /// What its engine knew.
    pub(super) engine: Bequest,
    /// How that came.
    pub(super) occasion: Occasion,
    /// When the first of them started: the service was not interrupted since.
    pub(super) started: SystemTime,
    /// What is on which interface.
    pub(super) placed: Vec<Placed>,
    /// What was measured.
    pub(super) timings: Timings,
    /// Who stands in meanwhile.
    pub(super) guardian: Predecessor,
    /// Sockets that packets wait in.
    pub(super) sockets: BTreeMap<String, OwnedFd>,
}

/// Why what a predecessor left is of no use.
#[derive(Debug, thiserror::Error)]
pub(super) enum Useless {
    /// It has no state among it.
    #[error("it left no state")]
    Stateless,
    /// The state cannot be read.
    #[error("its state cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// The state is not what it should be.
    #[error("its state is not understood: {0}")]
    Garbled(#[from] serde_json::Error),
    /// Another version's state.
    #[error("its state has schema {found}, and this version knows {SCHEMA}")]
    Schema {
        /// Which it has.
        found: u32,
    },
    /// The guardian has acted.
    #[error("its guardian did not wait any longer and has resigned for it")]
    TooLate,
}

/// What a predecessor left, not looked at yet. While it is held, the guardian waits; dropping it is as good as dying.
pub(super) struct Left(Descriptors);

impl Left {
    /// Takes possession. First of all, before the process has descriptors of its own.
    pub(super) fn collect() -> Self {
        Self(Descriptors::collect())
    }

    /// Takes it up, or lets the guardian clear away what was held; `None` where nothing was left.
    pub(super) fn take_up(self) -> Option<Result<Inheritance, Useless>> {
        let mut left = self.0.into_inner();
        let memory = left.remove(STATE);
        let guardian = left.extract_if(.., |name, _| name.starts_with(GUARDIAN)).next();
        let guardian = guardian
            .and_then(|(name, socket)| Some(Predecessor::new(socket, name.strip_prefix(GUARDIAN)?.parse().ok()?)))?;
        let estate = match memory.ok_or(Useless::Stateless).and_then(read) {
            Ok(estate) if guardian.stands_in() => estate,
            refused => {
                guardian.dismiss();
                return Some(Err(refused.err().unwrap_or(Useless::TooLate)));
            }
        };
        let Estate { version, how, started, at, engine, placed, timings } = estate;
        let occasion = Occasion { how, from: version, since: at };
        Some(Ok(Inheritance { engine, occasion, started, placed, timings, guardian, sockets: left }))
    }
}

/// Memory with the estate, and its schema in front.
fn write(estate: &Estate) -> io::Result<OwnedFd> {
    let mut memory = File::from(memfd_create("vrrpd-state", MFdFlags::MFD_CLOEXEC)?);
    memory.write_all(&SCHEMA.to_be_bytes())?;
    let mut buffered = io::BufWriter::new(&mut memory);
    serde_json::to_writer(&mut buffered, estate)?;
    buffered.flush()?;
    drop(buffered);
    Ok(memory.into())
}

fn read(memory: OwnedFd) -> Result<Estate, Useless> {
    let mut memory = File::from(memory);
    memory.seek(SeekFrom::Start(0))?;
    let mut schema = [0; 4];
    memory.read_exact(&mut schema)?;
    let found = u32::from_be_bytes(schema);
    if found != SCHEMA {
        return Err(Useless::Schema { found });
    }
    let mut text = String::new();
    memory.read_to_string(&mut text)?;
    Ok(serde_json::from_str(&text)?)
}
