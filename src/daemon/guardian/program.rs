//! The guardian's own program: wait, and at the end do what the will says.

use super::super::clock;
use super::super::seal::Stamps;
use super::super::{confinement, memory};
use super::caretaker::{Caretaker, Speech};
use super::pulse::{self, Pulse};
use super::will::{Message, Will};
use crate::net::{
    AddressChange, AddressKernel, Change, Farewell, Netlink, Reconciler, sweep_held_sources, sweep_macvlans,
    sweep_routes,
};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{MsgFlags, recv};
use nix::sys::time::TimeSpec;
use nix::unistd::{Pid, getppid};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

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
    // Without these it still does its work.
    let _ = memory::lock();
    let _ = confinement::allow_what_a_guardian_needs();
    let mut guardian = Guardian {
        daemon: getppid(),
        wills: BTreeMap::new(),
        speeches: Vec::new(),
        caretaker: None,
        farewell: Farewell::default(),
        stamps: Stamps::default(),
    };
    match guardian.wait() {
        End::Goodbye => ExitCode::SUCCESS,
        End::Relieved => {
            guardian.act();
            ExitCode::SUCCESS
        }
        End::Dead => {
            guardian.execute();
            ExitCode::FAILURE
        }
    }
}

struct Guardian {
    daemon: Pid,
    wills: BTreeMap<u32, Will>,
    /// What Masters go on to say, as a daemon that hands over puts it down.
    speeches: Vec<Speech>,
    /// While it stands in.
    caretaker: Option<Caretaker>,
    farewell: Farewell,
    stamps: Stamps,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum End {
    Goodbye,
    /// A successor has taken over, all but the wills that are left.
    Relieved,
    Dead,
}

impl Guardian {
    fn wait(&mut self) -> End {
        let (stdin, timer) = (io::stdin(), io::stdout());
        let mut buffer = vec![0; MESSAGE];
        loop {
            let timeout = self.caretaker.as_ref().map(|caretaker| caretaker.next_deadline() - clock::now());
            // A daemon that hands over has no pulse to feel.
            let sources = if self.caretaker.is_some() { 1 } else { 2 };
            let mut descriptors =
                [PollFd::new(stdin.as_fd(), PollFlags::POLLIN), PollFd::new(timer.as_fd(), PollFlags::POLLIN)];
            let ready = ppoll(&mut descriptors[..sources], timeout.map(TimeSpec::from_duration), None);
            if ready.is_err() {
                continue;
            }
            if descriptors[0].any() == Some(true)
                && let Some(end) = self.receive(stdin.as_raw_fd(), &mut buffer)
            {
                return end;
            }
            if let Some(caretaker) = &mut self.caretaker {
                let now = clock::now();
                if caretaker.is_over(now) {
                    return End::Dead;
                }
                caretaker.speak(now, &mut self.farewell, &mut self.stamps);
            } else {
                match pulse::take(&timer) {
                    Pulse::Beating => {}
                    Pulse::Stopped => return End::Dead,
                    Pulse::Starved => self.wait_anew(&timer),
                }
            }
        }
    }

    /// A daemon that was starved along with its guardian gets its time again.
    fn wait_anew(&self, timer: impl AsFd) {
        if let Some(patience) = pulse::patience(self.wills.values().filter_map(|will| will.pace)) {
            pulse::beat(timer, clock::now(), patience);
        }
    }

    fn receive(&mut self, socket: i32, buffer: &mut [u8]) -> Option<End> {
        loop {
            match recv(socket, buffer, MsgFlags::MSG_DONTWAIT) {
                Ok(0) => return Some(End::Dead),
                Ok(length) => {
                    if let Some(end) = Message::decode(&buffer[..length]).and_then(|message| self.take(message)) {
                        return Some(end);
                    }
                }
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return None,
                Err(_) => return Some(End::Dead),
            }
        }
    }

    fn take(&mut self, message: Message) -> Option<End> {
        match message {
            Message::Goodbye => return Some(End::Goodbye),
            Message::Will(will) => {
                self.wills.insert(will.router, will);
            }
            Message::Revoked { router } => {
                self.wills.remove(&router);
            }
            Message::Speech(speech) => self.speeches.push(speech),
            Message::HandingOver => {
                self.caretaker = Some(Caretaker::new(std::mem::take(&mut self.speeches), clock::now()));
            }
            Message::Relieved { kept } => {
                self.wills.retain(|router, _| !kept.contains(router));
                return Some(End::Relieved);
            }
        }
        None
    }

    /// Nothing here may stop the next step: whatever fails, the rest is still worth doing.
    fn execute(&mut self) {
        if getppid() == self.daemon {
            let _ = kill(self.daemon, Signal::SIGKILL);
        }
        self.act();
        if let Ok(mut netlink) = Netlink::open() {
            // What the daemon had no time to put into its will.
            if let Ok(found) = netlink.addresses() {
                let _ = Reconciler::default().sweep(&mut netlink, &found, |_, _| {});
            }
            // The packet filter has gone with its owner, the daemon.
            let _ = sweep_macvlans(&mut netlink);
            sweep_held_sources();
            let _ = sweep_routes(&mut netlink);
        }
    }

    /// Resigns and releases for what is in the wills.
    fn act(&mut self) {
        for datagram in self.wills.values_mut().flat_map(|will| &mut will.resignations) {
            let _ = datagram.send(&mut self.farewell, &mut self.stamps);
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
        }
    }
}
