//! The kernel's notices on links and addresses of one host, with the time they came.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::LinkFlags;

use crate::netlink::{Listener, address_of};
use crate::{Must, Stamp};

/// What the kernel said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Notice {
    /// An interface lost its carrier, or was set down.
    LinkDown,
    /// An interface is up and has a carrier.
    LinkUp,
    /// An address was put on an interface, or its lifetime changed.
    Address(IpAddr),
    /// An address was taken away.
    AddressGone(IpAddr),
}

/// Listens until dropped.
#[derive(Debug)]
pub struct Notices {
    heard: Arc<Mutex<Vec<(Stamp, Notice)>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Notices {
    pub(crate) fn start(listener: Listener) -> Self {
        let (heard, stop) = (Arc::default(), Arc::default());
        let (theirs, stopped): (Arc<Mutex<Vec<_>>>, Arc<AtomicBool>) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = Some(std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let messages = listener.wait(Duration::from_millis(20)).must("listening to the kernel");
                let now = Stamp::now();
                let notices = messages.iter().filter_map(notice).map(|notice| (now, notice));
                theirs.lock().expect("no thread panics while it holds the notices").extend(notices);
            }
        }));
        Self { heard, stop, thread }
    }

    /// All notices so far, in their order.
    #[must_use]
    pub fn heard(&self) -> Vec<(Stamp, Notice)> {
        self.heard.lock().expect("no thread panics while it holds the notices").clone()
    }

    /// Waits for the first such notice at or after `start`.
    #[track_caller]
    pub fn wait_for(&self, wanted: Notice, start: Stamp, timeout: Duration) -> Stamp {
        let deadline = Instant::now() + timeout;
        loop {
            if let Some((at, _)) = self.heard().iter().find(|(at, notice)| *at >= start && *notice == wanted) {
                return *at;
            }
            assert!(Instant::now() < deadline, "not within {timeout:?}: {wanted:?}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

/// For how long, between `start` and `end`, two hosts both had `address`, of which the first had it at `start`.
#[must_use]
pub fn held_by_both(first: &Notices, second: &Notices, address: IpAddr, start: Stamp, end: Stamp) -> Duration {
    let changes = |notices: &Notices, host: usize| -> Vec<(Stamp, usize, bool)> {
        let change = |(at, notice)| match notice {
            Notice::Address(which) if which == address => Some((at, host, true)),
            Notice::AddressGone(which) if which == address => Some((at, host, false)),
            _ => None,
        };
        notices.heard().into_iter().filter_map(change).filter(|(at, _, _)| (start..end).contains(at)).collect()
    };
    overlap([changes(first, 0), changes(second, 1)].concat(), start, end)
}

/// From the changes of two hosts, the first of which has it at `start`: for how long both have it.
fn overlap(mut changes: Vec<(Stamp, usize, bool)>, start: Stamp, end: Stamp) -> Duration {
    changes.sort_unstable();
    let (mut has, mut since, mut both) = ([true, false], start, Duration::ZERO);
    for (at, host, now) in changes.into_iter().chain([(end, 0, false)]) {
        if has == [true, true] {
            both += at - since;
        }
        (has[host], since) = (now, at);
    }
    both
}

impl Drop for Notices {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn notice(message: &RouteNetlinkMessage) -> Option<Notice> {
    match message {
        RouteNetlinkMessage::NewLink(link) if link.header.flags.contains(LinkFlags::Up | LinkFlags::LowerUp) => {
            Some(Notice::LinkUp)
        }
        RouteNetlinkMessage::NewLink(_) => Some(Notice::LinkDown),
        RouteNetlinkMessage::NewAddress(address) => address_of(address).map(Notice::Address),
        RouteNetlinkMessage::DelAddress(address) => address_of(address).map(Notice::AddressGone),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_both_hold_at_once_counts() {
        let start = Stamp::now();
        let at = |millis| start + Duration::from_millis(millis);
        let both = |changes: &[(u64, usize, bool)]| {
            overlap(changes.iter().map(|&(millis, host, has)| (at(millis), host, has)).collect(), start, at(100))
        };
        for (changes, millis) in [
            (&[][..], 0),
            (&[(10, 1, true)], 90),
            (&[(10, 0, false), (20, 1, true)], 0),
            (&[(10, 1, true), (30, 0, false)], 20),
            (&[(10, 1, true), (20, 1, true), (30, 0, false), (50, 0, true), (60, 1, false)], 30),
        ] {
            assert_eq!(both(changes), Duration::from_millis(millis), "{changes:?}");
        }
    }
}
