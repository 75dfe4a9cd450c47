//! The log: lines to standard error, which is the journal under systemd. A reader that is stuck costs lines, which are
//! counted and said, and never holds up the daemon.

use crate::config::{LogFormat, LogLevel};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait for the writer at most.
const WAITING: usize = 1024;

/// Starts the writer and makes it the destination of everything that is logged.
pub(super) fn start(level: LogLevel, format: LogFormat) -> io::Result<()> {
    let (sender, lines) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { sender, dropped: Arc::clone(&dropped) };
    std::thread::Builder::new().name("log".to_owned()).stack_size(64 << 10).spawn(move || write(&lines, &dropped))?;
    // The journal puts its own time in front of each line.
    let journal = std::env::var_os("JOURNAL_STREAM").is_some();
    let subscriber = tracing_subscriber::fmt().with_max_level(filter(level)).with_writer(queue).with_target(false);
    let _ = format;
    if journal {
        subscriber.without_time().with_ansi(false).init();
    } else {
        subscriber.with_ansi(false).init();
    }
    Ok(())
}

fn filter(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

fn write(lines: &Receiver<Vec<u8>>, dropped: &AtomicU64) {
    while let Ok(line) = lines.recv() {
        let mut stderr = io::stderr().lock();
        // A closed standard error takes nothing, and there is nobody else to tell.
        let _ = stderr.write_all(&line);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let _ = writeln!(stderr, "{lost} log lines were dropped: whoever reads the log was too slow");
        }
    }
}

/// Takes one event's line and queues it.
#[derive(Clone)]
struct Queue {
    sender: SyncSender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

impl Write for Queue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.sender.try_send(line.to_vec()).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Queue {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
