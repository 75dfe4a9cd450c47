//! The daemon's side: it starts the guardian, keeps it current, and starts another when it is gone.

use super::ARGUMENT;
use super::caretaker::Speech;
use super::predecessor::Predecessor;
use super::pulse;
use super::will::{Datagram, Held, Message, Will};
use crate::ids::RouterId;
use crate::time::Timestamp;
use crate::units::VirtualAddress;
use crate::vrrp::RouterSpec;
use crate::wire::ChecksumForm;
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, send, socketpair};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

/// The part of the patience in which one beat is enough.
const BEAT: u32 = 16;

/// A guardian that dies at once is not started again more often than this.
const RESTART: Duration = Duration::from_secs(1);

/// What the guardian knows, as the daemon sees it.
#[derive(Default)]
pub(in crate::daemon) struct Keeper {
    guardian: Option<Guardian>,
    tried: Option<Timestamp>,
    estates: BTreeMap<RouterId, Estate>,
    /// The guardian of a daemon that this one succeeds, with what goes on, until it has been told.
    predecessor: Option<(Predecessor, Option<Vec<RouterId>>)>,
    changed: BTreeSet<RouterId>,
    /// How long the daemon may be silent; `None` while it is Master of nothing and need not speak.
    patience: Option<Duration>,
    beaten: Timestamp,
}

struct Guardian {
    socket: OwnedFd,
    pulse: OwnedFd,
    process: Child,
}

/// What is on a router's will.
#[derive(Default)]
struct Estate {
    will: Will,
    /// What its resignation is made of: while these are the same, so is it.
    voice: Option<Voice>,
}

/// How a Master speaks.
#[derive(Clone)]
pub(in crate::daemon) struct Voice {
    pub(in crate::daemon) spec: Arc<RouterSpec>,
    pub(in crate::daemon) source: IpAddr,
    pub(in crate::daemon) checksum: ChecksumForm,
}

impl PartialEq for Voice {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.spec, &other.spec) && self.source == other.source && self.checksum == other.checksum
    }
}

impl Keeper {
    /// Starts the guardian if none is there. One that cannot be started is tried again; the daemon runs without.
    /// Returns whether there is a new one.
    pub(in crate::daemon) fn tend(&mut self, now: Timestamp) -> bool {
        if self.guardian.is_some() || self.tried.is_some_and(|tried| now - tried < RESTART) {
            return false;
        }
        self.tried = Some(now);
        self.guardian = Guardian::start().ok();
        self.changed.extend(self.estates.keys());
        self.beaten = Timestamp::ZERO;
        self.guardian.is_some()
    }

    /// The descriptor that becomes readable when the guardian is gone.
    pub(in crate::daemon) fn descriptor(&self) -> Option<BorrowedFd<'_>> {
        self.guardian.as_ref().map(|guardian| guardian.socket.as_fd())
    }

    /// The guardian is gone, or does not read any more.
    pub(in crate::daemon) fn lose(&mut self) {
        if let Some(mut guardian) = self.guardian.take() {
            let _ = guardian.process.kill();
            let _ = guardian.process.wait();
        }
    }

    /// A Master has spoken: `resignation` is asked only where it would say something else than before.
    pub(in crate::daemon) fn speaks(
        &mut self,
        router: RouterId,
        voice: &Voice,
        resignation: impl FnOnce() -> Vec<Datagram>,
    ) {
        let estate = self.estates.entry(router).or_default();
        if estate.voice.as_ref() == Some(voice) {
            return;
        }
        estate.will.router = router.0;
        estate.will.pace = Some(voice.spec.interval.duration());
        estate.will.resignations = resignation();
        estate.voice = Some(voice.clone());
        self.changed.insert(router);
    }

    /// A Master has resigned by itself.
    pub(in crate::daemon) fn falls_silent(&mut self, router: RouterId) {
        if let Some(estate) = self.estates.get_mut(&router) {
            estate.voice = None;
            estate.will.pace = None;
            estate.will.resignations.clear();
            self.changed.insert(router);
        }
    }

    /// These addresses are held on the interface with this index.
    pub(in crate::daemon) fn holds(&mut self, router: RouterId, interface: u32, addresses: &[VirtualAddress]) {
        let estate = self.estates.entry(router).or_default();
        estate.will.router = router.0;
        for held in addresses.iter().map(|address| Held { interface, ip: address.ip, prefix: address.prefix }) {
            if !estate.will.addresses.contains(&held) {
                estate.will.addresses.push(held);
                self.changed.insert(router);
            }
        }
    }

    /// These addresses are held no longer. A router that releases is not Master any more, unless a reload took them.
    pub(in crate::daemon) fn releases(&mut self, router: RouterId, addresses: &[VirtualAddress]) {
        if let Some(estate) = self.estates.get_mut(&router) {
            estate.will.addresses.retain(|held| !addresses.contains(&held.address()));
            if estate.will.addresses.is_empty() {
                self.falls_silent(router);
            }
            self.changed.insert(router);
        }
    }

    /// Tells the guardian what changed and, while there is a Master, that the daemon lives.
    pub(in crate::daemon) fn report(&mut self, now: Timestamp) {
        if !self.changed.is_empty() {
            self.tell_changes();
            self.patience = pulse::patience(self.estates.values().filter_map(|estate| estate.will.pace));
            self.beaten = Timestamp::ZERO;
        }
        self.tend_predecessor();
        let Some(guardian) = &self.guardian else { return };
        match self.patience {
            Some(patience) if now - self.beaten >= patience / BEAT => pulse::beat(&guardian.pulse, now, patience),
            None if self.beaten == Timestamp::ZERO => pulse::rest(&guardian.pulse),
            Some(_) | None => return,
        }
        self.beaten = now;
    }

    fn tell_changes(&mut self) {
        for router in std::mem::take(&mut self.changed) {
            let Some(estate) = self.estates.get(&router) else { continue };
            if estate.will.is_empty() {
                self.estates.remove(&router);
                self.tell(&Message::Revoked { router: router.0 });
            } else {
                let will = Message::Will(estate.will.clone());
                self.tell(&will);
            }
        }
    }

    /// How a Master speaks, by what it said last.
    pub(in crate::daemon) fn voice(&self, router: RouterId) -> Option<&Voice> {
        self.estates.get(&router)?.voice.as_ref()
    }

    /// This daemon succeeds another one, and goes on with these routers: once the guardian of its own knows of them, the
    /// other one's is relieved.
    pub(in crate::daemon) fn succeed(&mut self, predecessor: Predecessor, kept: Vec<RouterId>) {
        self.predecessor = Some((predecessor, Some(kept)));
    }

    /// Hands the guardian over to a successor of this daemon: it stands in with these speeches until then. Returns this
    /// end of the socket, and who is at the other; `None` where there is no guardian that could.
    pub(in crate::daemon) fn hand_over(&mut self, speeches: Vec<Speech>) -> Option<(OwnedFd, u32)> {
        let guardian = self.guardian.as_ref()?;
        let mut messages = speeches.into_iter().map(Message::Speech).chain([Message::HandingOver]);
        // It reads as fast as this is written; one that does not is of no use.
        if messages.any(|message| send_patiently(&guardian.socket, &message.encode()).is_err()) {
            self.lose();
        }
        let Guardian { socket, process, .. } = self.guardian.take()?;
        Some((socket, process.id()))
    }

    /// Everything is released: the guardian may go.
    pub(in crate::daemon) fn goodbye(&mut self) {
        self.tell(&Message::Goodbye);
        if let Some(mut guardian) = self.guardian.take() {
            let _ = guardian.process.wait();
        }
    }

    fn tend_predecessor(&mut self) {
        let Some((predecessor, kept)) = &mut self.predecessor else { return };
        if let Some(kept) = kept.take() {
            predecessor.relieve(kept.into_iter());
        } else if predecessor.is_gone() {
            self.predecessor = None;
        }
    }

    fn tell(&mut self, message: &Message) {
        let Some(guardian) = &self.guardian else { return };
        if send(guardian.socket.as_raw_fd(), &message.encode(), MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL)
            .is_err()
        {
            self.lose();
        }
    }
}

/// Waits a moment where the other side is behind.
fn send_patiently(socket: &OwnedFd, message: &[u8]) -> nix::Result<()> {
    const PATIENCE_MS: u16 = 200;
    loop {
        match send(socket.as_raw_fd(), message, MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL) {
            Err(Errno::EAGAIN) => {
                let mut descriptors = [PollFd::new(socket.as_fd(), PollFlags::POLLOUT)];
                if poll(&mut descriptors, PATIENCE_MS)? == 0 {
                    return Err(Errno::EAGAIN);
                }
            }
            done => return done.map(drop),
        }
    }
}

impl Guardian {
    fn start() -> io::Result<Self> {
        let (ours, theirs) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, SockFlag::SOCK_CLOEXEC)
            .map_err(io::Error::from)?;
        let pulse = pulse::create()?;
        // The running program, even if its file has been replaced by an upgrade.
        let process = Command::new("/proc/self/exe")
            .arg(ARGUMENT)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(pulse.try_clone()?))
            .spawn()?;
        Ok(Self { socket: ours, pulse, process })
    }
}
