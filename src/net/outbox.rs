//! Messages that wait to be sent with as few system calls as possible.

use super::sys::{self, Destination};
use crate::ids::RouterId;
use std::io;
use std::ops::Range;
use std::os::fd::BorrowedFd;

/// A queue whose memory is kept from one flush to the next.
#[derive(Default)]
pub(super) struct Outbox {
    bytes: Vec<u8>,
    messages: Vec<Message>,
}

struct Message {
    router: RouterId,
    bytes: Range<usize>,
    destination: Destination,
}

impl Outbox {
    /// Queues what `write` appends.
    pub(super) fn queue(&mut self, router: RouterId, destination: Destination, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        write(&mut self.bytes);
        self.messages.push(Message { router, bytes: start..self.bytes.len(), destination });
    }

    /// Sends everything, in order. A message that the kernel refuses is reported and does not hold up the others.
    /// Returns how many were sent.
    pub(super) fn flush(&mut self, socket: BorrowedFd<'_>, mut failed: impl FnMut(RouterId, io::Error)) -> usize {
        let mut next = 0;
        let mut sent = 0;
        while let Some(waiting) = self.messages.get(next..).filter(|waiting| !waiting.is_empty()) {
            let batch = waiting.iter().map(|message| (&self.bytes[message.bytes.clone()], message.destination));
            match sys::send_batch(socket, batch) {
                Ok(count) => {
                    next += count;
                    sent += count;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    failed(waiting[0].router, error);
                    next += 1;
                }
            }
        }
        self.bytes.clear();
        self.messages.clear();
        sent
    }
}
