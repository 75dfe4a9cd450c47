//! The log: sentences to standard error or fields to the journal, objects where programs read. A thread of its own
//! writes: a reader that is stuck costs lines, which are counted and said, and never holds up the daemon.

use super::clock;
use super::journal::Journal;
use crate::config::{LogFormat, LogLevel};
use crate::control::rfc3339;
use serde_json::{Map, Value};
use std::fmt::{self, Write as _};
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::SystemTime;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::reload;
use tracing_subscriber::util::SubscriberInitExt;

/// Lines that wait for the writer at most.
const WAITING: usize = 1024;

/// One event of the log.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: SystemTime,
    pub(super) level: Level,
    pub(super) message: String,
    /// `router`, `state`, `reason` and the like, as they apply.
    pub(super) fields: Vec<(&'static str, String)>,
}

/// Changes the level while the daemon runs.
#[derive(Clone, Debug)]
pub(super) struct Verbosity(reload::Handle<LevelFilter, tracing_subscriber::Registry>);

impl Verbosity {
    /// Takes a level by its name in the configuration; returns what is in force now, or what is wrong.
    pub(super) fn set(&self, name: &str) -> Result<String, String> {
        let level = LogLevel::named(name)
            .ok_or_else(|| format!("there is no level {name}: there are error, warn, info, debug, trace"))?;
        self.0.reload(filter(level)).map_err(|error| format!("the level cannot be changed: {error}"))?;
        Ok(name.to_owned())
    }
}

/// Starts the writer and makes it the destination of everything that is logged.
pub(super) fn start(level: LogLevel, format: LogFormat) -> io::Result<Verbosity> {
    let (sender, lines) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let queue = Queue { sender, dropped: Arc::clone(&dropped) };
    let out = Output::choose(format);
    std::thread::Builder::new().name("log".to_owned()).stack_size(64 << 10).spawn(move || {
        write(out, &lines, &dropped);
    })?;
    let (filter, handle) = reload::Layer::new(filter(level));
    tracing_subscriber::registry().with(filter).with(queue).init();
    Ok(Verbosity(handle))
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

fn write(mut out: Output, lines: &Receiver<Line>, dropped: &AtomicU64) {
    while let Ok(line) = lines.recv() {
        out.write(&line);
        let lost = dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let message = format!("{lost} log lines were dropped: whoever reads the log was too slow");
            out.write(&Line { at: clock::wall(), level: Level::WARN, message, fields: Vec::new() });
        }
    }
}

/// Where lines go, and in what form.
enum Output {
    /// Sentences on standard error.
    Text { with_time: bool },
    /// Objects on standard error.
    Json,
    /// Fields, to the journal.
    Journal(Journal),
}

impl Output {
    fn choose(format: LogFormat) -> Self {
        match (format, Journal::behind_standard_error()) {
            (LogFormat::Json, _) => Self::Json,
            (LogFormat::Text, Some(journal)) => Self::Journal(journal),
            // The journal puts its own time in front of each line.
            (LogFormat::Text, None) => Self::Text { with_time: std::env::var_os("JOURNAL_STREAM").is_none() },
        }
    }

    fn write(&mut self, line: &Line) {
        let text = match self {
            Self::Text { with_time } => text(line, *with_time),
            Self::Json => json(line),
            Self::Journal(journal) if journal.write(line).is_ok() => return,
            Self::Journal(_) => text(line, false),
        };
        // A closed standard error takes nothing, and there is nobody else to tell.
        let _ = io::stderr().lock().write_all(text.as_bytes());
    }
}

fn text(line: &Line, with_time: bool) -> String {
    let time = if with_time { format!("{} ", rfc3339(line.at)) } else { String::new() };
    format!("{time}{:>5} {}\n", line.level, line.message)
}

fn json(line: &Line) -> String {
    let mut object = Map::new();
    object.insert("time".to_owned(), rfc3339(line.at).into());
    object.insert("level".to_owned(), line.level.as_str().to_lowercase().into());
    object.insert("message".to_owned(), line.message.clone().into());
    for (name, value) in &line.fields {
        object.insert((*name).to_owned(), value.clone().into());
    }
    format!("{}\n", Value::Object(object))
}

/// Takes events and queues them.
struct Queue {
    sender: SyncSender<Line>,
    dropped: Arc<AtomicU64>,
}

impl<S: Subscriber> Layer<S> for Queue {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        let mut line = Line { at: clock::wall(), level, message: String::new(), fields: Vec::new() };
        event.record(&mut line);
        if self.sender.try_send(line).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.fields.push((field.name(), format!("{value:?}")));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::subscriber::with_default;
    use tracing::{debug, info};

    fn line() -> Line {
        let at = humantime::parse_rfc3339("2026-01-01T00:00:00.25Z").unwrap();
        let fields = vec![("router", "web".to_owned()), ("state", "MASTER".to_owned())];
        Line { at, level: Level::INFO, message: "web: \"now\"".to_owned(), fields }
    }

    #[test]
    fn the_forms_of_a_line() {
        assert_eq!(text(&line(), true), "2026-01-01T00:00:00.250Z  INFO web: \"now\"\n");
        assert_eq!(text(&line(), false), " INFO web: \"now\"\n");
        let object: Value = serde_json::from_str(&json(&line())).unwrap();
        let expected = serde_json::json!({
            "time": "2026-01-01T00:00:00.250Z", "level": "info", "message": "web: \"now\"", "router": "web",
            "state": "MASTER",
        });
        assert_eq!(object, expected);
    }

    #[test]
    fn events_become_lines_and_the_level_changes_at_once() {
        let (sender, lines) = sync_channel(8);
        let queue = Queue { sender, dropped: Arc::default() };
        let (filter, handle) = reload::Layer::new(LevelFilter::INFO);
        let verbosity = Verbosity(handle);
        with_default(tracing_subscriber::registry().with(filter).with(queue), || {
            info!(router = Some("web"), state = None::<&str>, "it {}", "happens");
            debug!("not yet");
            assert_eq!(verbosity.set("debug"), Ok("debug".to_owned()));
            debug!("now");
            assert_eq!(verbosity.set("error"), Ok("error".to_owned()));
            info!("no more");
        });
        let taken: Vec<(String, Vec<_>)> = lines.try_iter().map(|line| (line.message, line.fields)).collect();
        let first = ("it happens".to_owned(), vec![("router", "web".to_owned())]);
        assert_eq!(taken, [first, ("now".to_owned(), vec![])]);
        assert!(verbosity.set("loud").unwrap_err().contains("there are error, warn, info, debug, trace"));
    }

    #[test]
    fn a_reader_that_is_stuck_costs_lines_and_no_time() {
        let (sender, lines) = sync_channel(1);
        let dropped = Arc::new(AtomicU64::new(0));
        let queue = Queue { sender, dropped: Arc::clone(&dropped) };
        with_default(tracing_subscriber::registry().with(queue), || {
            (0..10).for_each(|number| info!("line {number}"));
        });
        assert_eq!((lines.try_iter().count(), dropped.load(Ordering::Relaxed)), (1, 9));
    }
}
