//! More packets than anybody wants.

use std::io::IoSlice;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};

use crate::{Host, Must};

/// Frames that leave with one call.
const BATCH: usize = 200;

/// Sends the same frames again and again from a thread of its own, until it is [stopped](Flood::stop) or dropped.
#[derive(Debug)]
pub struct Flood {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<u128>>,
}

impl Flood {
    /// Sends `frames` in turn out of the host's `eth0`, `rate` frames a second.
    #[must_use]
    pub fn start(host: &Host, frames: Vec<Vec<u8>>, rate: u32) -> Self {
        let socket = host.injector().into_socket();
        let stop = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let batch: Vec<[IoSlice<'_>; 1]> =
                frames.iter().cycle().take(BATCH).map(|frame| [IoSlice::new(frame)]).collect();
            let mut headers = MultiHeaders::<()>::preallocate(BATCH, None);
            let (begun, mut sent) = (Instant::now(), 0);
            while !over.load(Ordering::Relaxed) {
                // As many as are due by now: the rate holds even where the thread was held up.
                let due = (begun.elapsed().as_nanos() * u128::from(rate) / 1_000_000_000).saturating_sub(sent);
                if due == 0 {
                    sleep(Duration::from_millis(1));
                    continue;
                }
                let now = batch.iter().take(usize::try_from(due).unwrap_or(BATCH));
                let results = sendmmsg(socket.as_raw_fd(), &mut headers, now, [None; BATCH], [], MsgFlags::empty());
                sent += results.must("flooding").count() as u128;
            }
            sent
        });
        Self { stop, thread: Some(thread) }
    }

    /// Stops it, and says how many frames were sent.
    pub fn stop(mut self) -> u128 {
        self.finish()
    }

    fn finish(&mut self) -> u128 {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map_or(0, |thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
    }
}
