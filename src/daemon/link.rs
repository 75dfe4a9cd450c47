//! The two bounded channels between the protocol thread and the service side. Neither ever waits for the other.

use crate::control::Timings;
use crate::engine::{CheckReport, Command, CommandRefused, Plan, Provenance, Snapshot, TrackerSpec};
use crate::ids::TrackerId;
use crate::vrrp::Record;
use nix::sys::eventfd::{EfdFlags, EventFd};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use tokio::sync::{mpsc, oneshot};

/// Messages that wait for the protocol thread at most. It empties the channel at every wake.
const ORDERS: usize = 4096;

/// Messages that wait for the service side at most: a takeover of 4,000 routers at once.
const NEWS: usize = 8192;

/// What the protocol thread is told.
#[derive(Debug)]
pub(super) enum Order {
    /// A check has an outcome.
    Check(TrackerId, CheckReport),
    /// An operator's command; the answer names the routers it was about, or says why nothing was done.
    Command(Command, oneshot::Sender<Result<Vec<Arc<str>>, CommandRefused>>),
    /// A new plan; the answer says what became of it.
    Reconfigure {
        /// What to run.
        plan: Arc<Plan>,
        /// Who asked, and what is different.
        provenance: Provenance,
        /// What the service side has to know of it.
        reply: oneshot::Sender<Configured>,
    },
    /// The state of everything, and what was measured.
    Snapshot(oneshot::Sender<(Snapshot, Timings)>),
    /// End the thread without resigning or releasing: a successor goes on. The answer is whether that is possible.
    HandOver(oneshot::Sender<bool>),
    /// Leave: resign, release, and end the thread.
    Stop,
}

impl Order {
    /// Whether it has to do with all virtual routers, however many they are.
    pub(super) const fn takes_long(&self) -> bool {
        matches!(self, Self::Reconfigure { .. } | Self::Snapshot(_))
    }
}

/// A plan that is in force.
#[derive(Debug)]
pub(super) struct Configured {
    /// Its number, from 1.
    pub(super) generation: u64,
    /// Its tracks with their handles.
    pub(super) trackers: Vec<(TrackerId, Arc<TrackerSpec>)>,
}

/// What the protocol thread tells.
#[derive(Debug)]
pub(super) enum News {
    /// One more line of the history.
    Record(Arc<Record>),
    /// A check is due.
    RunCheck(TrackerId, Arc<TrackerSpec>),
}

/// The service side's end.
#[derive(Clone, Debug)]
pub(super) struct Orders {
    sender: SyncSender<Order>,
    wake: Arc<EventFd>,
}

/// The protocol thread is gone or does not read any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the protocol thread does not answer")]
pub(super) struct Unanswered;

impl Orders {
    /// Hands over an order and wakes the protocol thread.
    pub(super) fn send(&self, order: Order) -> Result<(), Unanswered> {
        let sent = self.sender.try_send(order);
        // The counter is full only when a wake is already due.
        let _ = self.wake.write(1);
        match sent {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(Unanswered),
        }
    }
}

/// The protocol thread's end.
#[derive(Debug)]
pub(super) struct Desk {
    orders: Receiver<Order>,
    wake: Arc<EventFd>,
    news: mpsc::Sender<News>,
    dropped: Arc<AtomicU64>,
}

impl Desk {
    /// The next order that waits.
    pub(super) fn next(&self) -> Option<Order> {
        self.orders.try_recv().ok()
    }

    /// Resets the descriptor that says that orders wait. Before reading them, so that none is missed.
    pub(super) fn acknowledge(&self) {
        let _ = self.wake.read();
    }

    /// Tells the service side. What does not fit is dropped and counted.
    pub(super) fn tell(&self, news: News) {
        if self.news.try_send(news).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl AsFd for Desk {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.wake.as_fd()
    }
}

/// Both ends, the news for the service side, and the count of what was dropped on the way there.
pub(super) struct Channels {
    /// For the service side.
    pub(super) orders: Orders,
    /// For the protocol thread.
    pub(super) desk: Desk,
    /// For the service side.
    pub(super) news: mpsc::Receiver<News>,
    /// News that did not fit.
    pub(super) dropped: Arc<AtomicU64>,
}

/// Makes the channels.
pub(super) fn channels() -> io::Result<Channels> {
    let (sender, orders) = sync_channel(ORDERS);
    let (news_sender, news) = mpsc::channel(NEWS);
    let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
    let dropped = Arc::new(AtomicU64::new(0));
    let desk = Desk { orders, wake: Arc::clone(&wake), news: news_sender, dropped: Arc::clone(&dropped) };
    Ok(Channels { orders: Orders { sender, wake }, desk, news, dropped })
}
