//! The guardian of the daemon that this one succeeds: it stands in until it is relieved.

use super::will::Message;
use crate::ids::RouterId;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{MsgFlags, send};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

/// How long a guardian may take to clear away what does not go on.
const CLEARING_MS: u16 = 1000;

/// The other daemon's guardian.
#[derive(Debug)]
pub(in crate::daemon) struct Predecessor {
    socket: OwnedFd,
    pid: Pid,
    relieved: bool,
}

impl Predecessor {
    /// The guardian behind `socket`.
    pub(in crate::daemon) fn new(socket: OwnedFd, pid: i32) -> Self {
        Self { socket, pid: Pid::from_raw(pid), relieved: false }
    }

    /// Whether it still stands in: otherwise its time was up, and nothing is left to go on with.
    pub(in crate::daemon) fn stands_in(&self) -> bool {
        let mut descriptors = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        // It never speaks: what is there to read is its end.
        poll(&mut descriptors, PollTimeout::ZERO) == Ok(0)
    }

    /// This daemon goes on with these routers.
    pub(in crate::daemon) fn relieve(&mut self, kept: impl Iterator<Item = RouterId>) {
        let message = Message::Relieved { kept: kept.map(|router| router.0).collect() };
        let _ = send(self.socket.as_raw_fd(), &message.encode(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL);
        self.relieved = true;
    }

    /// This daemon goes on with nothing: waits until the guardian has cleared away what was held.
    pub(in crate::daemon) fn dismiss(mut self) {
        self.relieve(std::iter::empty());
        let mut descriptors = [PollFd::new(self.socket.as_fd(), PollFlags::POLLIN)];
        let _ = poll(&mut descriptors, PollTimeout::from(CLEARING_MS));
        let _ = waitpid(self.pid, Some(WaitPidFlag::WNOHANG));
    }

    /// Whether it is gone, so that nothing is left of it. After an upgrade it is a child of this process; after a
    /// restart somebody else's.
    pub(in crate::daemon) fn is_gone(&self) -> bool {
        self.relieved && waitpid(self.pid, Some(WaitPidFlag::WNOHANG)) != Ok(WaitStatus::StillAlive)
    }
}
