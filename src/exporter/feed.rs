//! What is pushed to the browsers that watch: every record of the history as it comes, and the status after each change
//! and once a second. With nobody watching, the daemon is not asked.

use super::source::{Source, SourceError};
use crate::control::Ask;
use crate::vrrp::Seq;
use hyper::body::Bytes;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{sleep, timeout};

/// Records that a browser gets when it comes, and that it may be behind.
const RECENT: usize = 200;

/// How old the status on the page may be where nothing happens: counters go on.
const PERIOD: Duration = Duration::from_secs(1);

/// How long to wait after a record for the others of the same change.
const SETTLE: Duration = Duration::from_millis(50);

/// How long to wait for a daemon that is away.
const RETRY: Duration = Duration::from_millis(500);

/// What all watching browsers share.
#[derive(Debug)]
pub(super) struct Feed {
    /// The daemon.
    pub(super) source: Source,
    recent: Mutex<Recent>,
    records: broadcast::Sender<Bytes>,
    frames: watch::Sender<Bytes>,
    changed: Notify,
}

#[derive(Debug, Default)]
struct Recent {
    frames: VecDeque<Bytes>,
    newest: Option<Seq>,
}

impl Feed {
    pub(super) fn new(source: Source) -> Self {
        let (records, _) = broadcast::channel(RECENT);
        let (frames, _) = watch::channel(Bytes::new());
        Self { source, recent: Mutex::default(), records, frames, changed: Notify::new() }
    }

    /// Follows the history for ever.
    pub(super) async fn follow(self: Arc<Self>) {
        loop {
            if let Err(SourceError::Refused(_)) = self.follow_once().await {
                // The history has begun anew, without the record that was the newest.
                *self.recent() = Recent::default();
            }
            self.changed.notify_one();
            sleep(RETRY).await;
        }
    }

    async fn follow_once(&self) -> Result<(), SourceError> {
        let since = self.recent().newest;
        let mut lines = self.source.ask(&Ask::Events { since, follow: true }).await?;
        loop {
            let line = lines.line().await?;
            self.on_record(&line);
        }
    }

    fn on_record(&self, line: &str) {
        let seq = serde_json::from_str::<Value>(line).ok().and_then(|record| record["seq"].as_u64());
        let Some(seq) = seq else { return };
        let frame = frame("record", line);
        let mut recent = self.recent();
        recent.newest = Some(seq);
        if recent.frames.len() == RECENT {
            recent.frames.pop_front();
        }
        recent.frames.push_back(frame.clone());
        // Nobody watching is no error.
        let _ = self.records.send(frame);
        drop(recent);
        self.changed.notify_one();
    }

    /// Keeps the status current for as long as somebody watches.
    pub(super) async fn refresh(self: Arc<Self>) {
        loop {
            if timeout(PERIOD, self.changed.notified()).await.is_ok() {
                sleep(SETTLE).await;
            }
            if self.frames.receiver_count() > 0 {
                let frame = match self.source.status().await {
                    Ok(status) => frame("status", &status),
                    Err(error) => frame("away", &json!({"error": error.to_string()}).to_string()),
                };
                self.frames.send_replace(frame);
            }
        }
    }

    /// Everything for one browser from now on, until it is gone or too slow; it comes again by itself then.
    pub(super) async fn watch(self: Arc<Self>, out: mpsc::Sender<Bytes>) {
        let (recent, mut records) = {
            // Under one lock, so that no record is lost between the two.
            let recent = self.recent();
            (recent.frames.iter().flatten().copied().collect::<Bytes>(), self.records.subscribe())
        };
        let mut frames = self.frames.subscribe();
        self.changed.notify_one();
        let mut next = recent;
        while out.send(next).await.is_ok() {
            next = tokio::select! {
                biased;
                record = records.recv() => match record {
                    Ok(record) => record,
                    Err(_) => return,
                },
                changed = frames.changed() => match changed {
                    Ok(()) => frames.borrow_and_update().clone(),
                    Err(_) => return,
                },
                () = out.closed() => return,
            };
        }
    }

    fn recent(&self) -> MutexGuard<'_, Recent> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A server-sent event. JSON has no line breaks of its own, so one data line holds it.
fn frame(event: &str, data: &str) -> Bytes {
    Bytes::from(format!("event: {event}\ndata: {data}\n\n"))
}
