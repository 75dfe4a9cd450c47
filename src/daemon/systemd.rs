//! What the service manager is told: datagrams to `NOTIFY_SOCKET` (`sd_notify(3)`), never waiting for it to read them.

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::env;
use std::ffi::OsStr;
use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// How long the manager may take to read, when it gets descriptors.
const BARRIER_MS: u16 = 1000;

/// A way to the service manager; one that nobody listens to where there is none.
#[derive(Debug)]
pub(super) struct Notifier {
    socket: Option<UnixDatagram>,
}

impl Notifier {
    /// Reads `NOTIFY_SOCKET`.
    #[must_use]
    pub(super) fn from_environment() -> Self {
        Self { socket: env::var_os("NOTIFY_SOCKET").and_then(|name| connect(&name)) }
    }

    /// Started, or reloaded, and in order.
    pub(super) fn ready(&self, status: &str) {
        self.tell(&format!("READY=1\nSTATUS={}", one_line(status)));
    }

    /// A reload has begun; `monotonic`, on that clock, lets the manager tell it from an earlier one.
    pub(super) fn reloading(&self, monotonic: Duration) {
        self.tell(&format!("RELOADING=1\nMONOTONIC_USEC={}", monotonic.as_micros()));
    }

    /// Going down on purpose.
    pub(super) fn stopping(&self) {
        self.tell("STOPPING=1");
    }

    /// Alive.
    pub(super) fn watchdog(&self) {
        self.tell("WATCHDOG=1");
    }

    /// Leaves a descriptor with the manager, which passes it to the next start of this service under this name.
    pub(super) fn store(&self, name: &str, descriptor: &OwnedFd) -> io::Result<()> {
        self.pass(&format!("FDSTORE=1\nFDNAME={name}\nFDPOLL=0"), descriptor)
    }

    /// The descriptors of this name are of no use any more.
    pub(super) fn forget(&self, name: &str) {
        self.tell(&format!("FDSTOREREMOVE=1\nFDNAME={name}"));
    }

    /// Waits until the manager has read everything that was said before (`sd_notify_barrier(3)`).
    pub(super) fn barrier(&self) -> io::Result<()> {
        let (ours, theirs) = nix::unistd::pipe2(OFlag::O_CLOEXEC)?;
        self.pass("BARRIER=1", &theirs)?;
        drop(theirs);
        let mut closed = [PollFd::new(ours.as_fd(), PollFlags::empty())];
        match poll(&mut closed, BARRIER_MS)? {
            0 => Err(io::ErrorKind::TimedOut.into()),
            _ => Ok(()),
        }
    }

    /// Says something with a descriptor. Unlike everything else this waits for the manager, within limits.
    fn pass(&self, message: &str, descriptor: &OwnedFd) -> io::Result<()> {
        let socket = self.socket.as_ref().ok_or(io::ErrorKind::NotConnected)?;
        let mut writable = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
        poll(&mut writable, BARRIER_MS)?;
        let descriptors = [descriptor.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&descriptors)];
        let parts = [IoSlice::new(message.as_bytes())];
        sendmsg::<()>(socket.as_raw_fd(), &parts, &rights, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    fn tell(&self, message: &str) {
        if let Some(socket) = &self.socket {
            // A manager that does not read misses this one; it will see the next.
            let _ = socket.send(message.as_bytes());
        }
    }
}

/// How often the watchdog must be fed, half of what the manager allows; `None` where it does not watch this process.
#[must_use]
pub(super) fn watchdog_period() -> Option<Duration> {
    let for_us = env::var("WATCHDOG_PID").map_or(true, |pid| pid.parse() == Ok(std::process::id()));
    let allowed: u64 = env::var("WATCHDOG_USEC").ok()?.parse().ok()?;
    (for_us && allowed > 0).then(|| Duration::from_micros(allowed) / 2)
}

fn connect(name: &OsStr) -> Option<UnixDatagram> {
    let address = match name.as_bytes().strip_prefix(b"@") {
        Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name).ok()?,
        None => SocketAddr::from_pathname(name).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    socket.connect_addr(&address).ok()?;
    socket.set_nonblocking(true).ok()?;
    Some(socket)
}

fn one_line(status: &str) -> String {
    status.replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_and_a_full_queue_does_not_block() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let path = directory.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bind");
        let notifier = Notifier { socket: connect(path.as_os_str()) };
        notifier.ready("2 routers\nconfigured");
        let mut buffer = [0; 256];
        let length = manager.recv(&mut buffer).expect("a message");
        assert_eq!(&buffer[..length], b"READY=1\nSTATUS=2 routers configured");
        for _ in 0..10_000 {
            notifier.watchdog();
        }
    }
}
