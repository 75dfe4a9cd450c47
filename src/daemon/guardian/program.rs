//! The guardian's own program: wait, and at the end do what the will says.

use super::super::clock;
use super::super::seal::Stamps;
use super::pulse;
use super::will::{Message, Will};
use crate::net::{
    AddressChange, AddressKernel, Change, Farewell, Netlink, sweep_held_sources, sweep_macvlans, sweep_routes,
};
use crate::time::Timestamp;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{MsgFlags, recv};
use nix::unistd::{Pid, getppid};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

/// However short the intervals, a daemon is not taken for dead before this: on a busy host it is only waiting its turn.
const PATIENCE: Duration = Duration::from_millis(100);

/// The longest message: 255 IPv6 addresses and their advert.
const MESSAGE: usize = 256 << 10;

/// Guards the process that started this one, over the socket that is standard input. Exit status 0 after a goodbye, 1
/// where there was something to do.
#[must_use]
pub fn run() -> ExitCode {
    // Started through /proc/self/exe, it would be called `exe`.
    let _ = nix::sys::prctl::set_name(c"vrrpd-guardian");
    // A stop is meant for the daemon, which will say goodbye.
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        let _ = signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)));
    }
    let mut guardian = Guardian { daemon: getppid(), wills: BTreeMap::new(), heard: clock::now() };
    match guardian.wait() {
        End::Goodbye => ExitCode::SUCCESS,
        End::Dead => {
            guardian.execute();
            ExitCode::FAILURE
        }
    }
}

struct Guardian {
    daemon: Pid,
    wills: BTreeMap<u32, Will>,
    heard: Timestamp,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Goodbye,
    Dead,
}

impl Guardian {
    fn wait(&mut self) -> End {
        let stdin = io::stdin();
        let mut buffer = vec![0; MESSAGE];
        loop {
            let timeout = self.timeout();
            let mut descriptors = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
            let ready = poll(&mut descriptors, timeout.map_or(PollTimeout::NONE, rounded_up));
            let now = clock::now();
            match ready {
                Ok(0) if timeout.is_some_and(|_| self.is_overdue(now)) => return End::Dead,
                Ok(0) | Err(_) => {}
                Ok(_) => {
                    if let Some(end) = self.receive(stdin.as_raw_fd(), &mut buffer) {
                        return end;
                    }
                    self.heard = now;
                }
            }
        }
    }

    /// How long until silence means that the daemon hangs; `None` while it is Master of nothing and need not speak.
    fn timeout(&mut self) -> Option<Duration> {
        self.heard = self.heard.max(pulse::last(io::stdout()));
        let deadline = self.heard + self.patience()?;
        Some(deadline - clock::now())
    }

    fn patience(&self) -> Option<Duration> {
        let pace = self.wills.values().filter_map(|will| will.pace).min()?;
        Some((pace * 3).max(PATIENCE))
    }

    /// Whether the silence is the daemon's. Where this process itself woke far too late, the host was starved and the
    /// daemon gets its time again.
    fn is_overdue(&mut self, now: Timestamp) -> bool {
        let Some(patience) = self.patience() else { return false };
        self.heard = self.heard.max(pulse::last(io::stdout()));
        let silence = now - self.heard;
        if silence > patience + PATIENCE {
            self.heard = now;
            return false;
        }
        silence >= patience
    }

    fn receive(&mut self, socket: i32, buffer: &mut [u8]) -> Option<End> {
        loop {
            match recv(socket, buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Some(End::Dead),
                Ok(length) => match Message::decode(&buffer[..length]) {
                    Some(Message::Goodbye) => return Some(End::Goodbye),
                    Some(Message::Will(will)) => {
                        self.wills.insert(will.router, will);
                    }
                    Some(Message::Revoked { router }) => {
                        self.wills.remove(&router);
                    }
                    None => {}
                },
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return None,
                Err(_) => return Some(End::Dead),
            }
        }
    }

    /// Nothing here may stop the next step: whatever fails, the rest is still worth doing.
    fn execute(&mut self) {
        if getppid() == self.daemon {
            let _ = kill(self.daemon, Signal::SIGKILL);
        }
        let mut farewell = Farewell::default();
        let mut stamps = Stamps::default();
        for datagram in self.wills.values_mut().flat_map(|will| &mut will.resignations) {
            if let Some((message, seal)) = &datagram.signature {
                seal.sign_reserved(&mut stamps, *message, &mut datagram.octets);
            }
            let _ = farewell.send(datagram.interface, datagram.destination, &datagram.octets);
        }
        let held = self.wills.values().flat_map(|will| &will.addresses);
        let changes: Vec<AddressChange> = held
            .map(|held| AddressChange {
                index: held.interface,
                address: held.address(),
                vmac: false,
                change: Change::Remove,
            })
            .collect();
        if let Ok(mut netlink) = Netlink::open() {
            let _ = netlink.change_addresses(&changes, &mut |_, _| {});
            // The packet filter has gone with its owner, the daemon.
            let _ = sweep_macvlans(&mut netlink);
            sweep_held_sources();
            let _ = sweep_routes(&mut netlink);
        }
    }
}

fn rounded_up(wait: Duration) -> PollTimeout {
    let millis = wait.as_micros().div_ceil(1000);
    PollTimeout::try_from(millis).unwrap_or(PollTimeout::MAX)
}
