//! Processes that start or take a name, through the kernel's process events connector (`linux/cn_proc.h`).
//!
//! The connector exists only in the host's own network namespace, and before Linux 6.6 needs `CAP_NET_ADMIN`.

use super::processes;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_CONNECTOR};
use std::collections::BTreeSet;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

/// `CN_IDX_PROC` and `CN_VAL_PROC`: who is spoken to.
const PROCESS_EVENTS: u32 = 1;
/// `PROC_CN_MCAST_LISTEN`.
const LISTEN: u32 = 1;
/// `PROC_EVENT_EXEC`.
const EXEC: u32 = 0x2;
/// `PROC_EVENT_COMM`.
const COMM: u32 = 0x200;
/// Octets of a netlink header and a connector header.
const HEADERS: usize = 16 + 20;
/// Octets before the data of an event: what, which processor, when.
const EVENT: usize = 16;
/// Room for a burst of starts, so that it need not be made up for by a search.
const RECEIVE_BUFFER: usize = 1 << 20;

/// The subscription.
pub(super) struct Starts {
    socket: Socket,
}

/// Which processes have started or taken a new name.
pub(super) enum Started {
    /// These.
    Pids(BTreeSet<i32>),
    /// Some that the kernel could not tell of, or does not.
    Unknown,
}

impl Starts {
    /// `None` where the kernel does not tell.
    pub(super) fn new() -> Option<Self> {
        Self::subscribe().ok()
    }

    fn subscribe() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_CONNECTOR)?;
        socket.bind(&SocketAddr::new(0, PROCESS_EVENTS))?;
        socket.set_rx_buf_sz(RECEIVE_BUFFER).ok();
        socket.set_non_blocking(true)?;
        socket.send_to(&subscription(), &SocketAddr::new(0, 0), 0)?;
        Ok(Self { socket })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Takes what has come.
    pub(super) fn drain(&self) -> Started {
        let mut pids = BTreeSet::new();
        let mut buffer = [0; 4096];
        loop {
            match self.socket.recv_from(&mut &mut buffer[..], 0) {
                Ok((length, from)) if from.port_number() == 0 => pids.extend(buffer.get(..length).and_then(started)),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Started::Pids(pids),
                Err(_) => return Started::Unknown,
            }
        }
    }
}

impl Started {
    /// Whether that process may have become another program.
    pub(super) fn may_be(&self, pid: i32) -> bool {
        match self {
            Self::Pids(pids) => pids.contains(&pid),
            Self::Unknown => true,
        }
    }

    /// Whether a process of that name may be among them.
    pub(super) fn may_include(&self, name: &str) -> bool {
        let has_name = |pid: &i32| {
            let comm = std::fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
            processes::may_go_by(comm.trim_ascii_end(), name)
        };
        match self {
            Self::Pids(pids) => pids.iter().any(has_name),
            Self::Unknown => true,
        }
    }
}

/// A netlink header (`NLMSG_DONE`), a connector header, and the operation.
fn subscription() -> Vec<u8> {
    const LENGTH: u32 = 40;
    const DONE_WITHOUT_FLAGS: u32 = 3;
    let type_and_flags = if cfg!(target_endian = "big") { DONE_WITHOUT_FLAGS << 16 } else { DONE_WITHOUT_FLAGS };
    let operation_length = if cfg!(target_endian = "big") { 4 << 16 } else { 4 };
    let netlink = [LENGTH, type_and_flags, 0, 0];
    let connector = [PROCESS_EVENTS, PROCESS_EVENTS, 0, 0, operation_length];
    [&netlink[..], &connector, &[LISTEN]].concat().into_iter().flat_map(u32::to_ne_bytes).collect()
}

/// The process that a message tells of, if it tells of an exec or a new name.
fn started(message: &[u8]) -> Option<i32> {
    let event = message.get(HEADERS..)?;
    let what = u32::from_ne_bytes(*event.first_chunk()?);
    let (_, ids) = event.get(EVENT..)?.split_first_chunk::<4>()?;
    (what == EXEC || what == COMM).then_some(i32::from_ne_bytes(*ids.first_chunk()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(what: u32, thread: i32, process: i32) -> Vec<u8> {
        let mut message = vec![0; HEADERS];
        message.extend(what.to_ne_bytes());
        message.extend([0; 12]);
        message.extend(thread.to_ne_bytes());
        message.extend(process.to_ne_bytes());
        message
    }

    #[test]
    fn starts_and_new_names_are_told_by_the_process() {
        assert_eq!(started(&event(EXEC, 7, 7)), Some(7));
        assert_eq!(started(&event(COMM, 8, 7)), Some(7));
        assert_eq!(started(&event(1, 7, 7)), None, "a fork keeps its name");
        assert_eq!(started(&event(0x8000_0000, 7, 7)), None, "an exit");
        for length in 0..event(EXEC, 7, 7).len() {
            assert_eq!(started(&event(EXEC, 7, 7)[..length]), None);
        }
    }
}
