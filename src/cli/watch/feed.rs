//! Two threads that ask the daemon: for its status again and again, and for the history as it grows. A daemon that is
//! restarted is found again.

use crate::cli::client::{ClientError, Conversation};
use crate::control::{Ask, Document};
use crate::vrrp::Seq;
use serde::Deserialize;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Between two looks at the status.
const LOOK: Duration = Duration::from_millis(500);

/// What came in.
#[derive(Debug)]
pub(super) enum News {
    /// The state of everything.
    Status(Box<Document>),
    /// One more record.
    Record {
        /// When, in RFC 3339.
        time: String,
        /// In English.
        text: String,
    },
    /// The daemon does not answer.
    Trouble(String),
}

/// Starts to ask. The threads end with the process, or when nobody listens any more.
pub(super) fn start(socket: &Path) -> Receiver<News> {
    let (sender, news) = sync_channel(1024);
    let (statuses, records) = (sender.clone(), sender);
    let (here, there) = (socket.to_owned(), socket.to_owned());
    thread::spawn(move || follow_status(&here, &statuses));
    thread::spawn(move || follow_records(&there, &records));
    news
}

fn follow_status(socket: &Path, sender: &SyncSender<News>) {
    loop {
        let asked = Conversation::open(socket, &Ask::Status {}).and_then(|mut conversation| conversation.answer());
        let news = match asked {
            Ok(document) => News::Status(document),
            Err(error) => News::Trouble(error.to_string()),
        };
        if sender.send(news).is_err() {
            return;
        }
        pause();
    }
}

fn follow_records(socket: &Path, sender: &SyncSender<News>) {
    let mut seen = None;
    loop {
        match read_on(socket, &mut seen, sender) {
            Ok(()) => return,
            // The numbers begin anew where the daemon could not keep its history.
            Err(ClientError::Refused(_)) => seen = None,
            // The other thread says it.
            Err(_) => {}
        }
        pause();
    }
}

/// Returns where nobody listens any more.
fn read_on(socket: &Path, seen: &mut Option<Seq>, sender: &SyncSender<News>) -> Result<(), ClientError> {
    #[derive(Deserialize)]
    struct Record {
        seq: Seq,
        time: String,
        text: String,
    }
    let mut conversation = Conversation::open(socket, &Ask::Events { since: *seen, follow: true })?;
    conversation.wait_forever()?;
    loop {
        // Any other line says how many are no longer kept.
        let Ok(Record { seq, time, text }) = serde_json::from_str(&conversation.line()?) else { continue };
        *seen = Some(seq);
        if sender.send(News::Record { time, text }).is_err() {
            return Ok(());
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "an operator's tool that waits, not the daemon")]
fn pause() {
    thread::sleep(LOOK);
}
