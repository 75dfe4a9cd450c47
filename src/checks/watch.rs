//! What the kernel tells by itself: files, processes and routes, followed without polling.
//!
//! One thread waits for all of it. It is a thread of its own because it reads files and `/proc`, which may take long on
//! a slow disk or a host with many processes, and because the kernel's word is to be acted on within milliseconds.

mod files;
mod processes;
mod routes;
mod starts;

use super::{Finding, Report};
use crate::engine::{Check, CheckReport, Outcome, TrackerSpec};
use crate::ids::TrackerId;
use files::{Files, Touched};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use processes::Living;
use routes::{Prefix, Routes};
use starts::{Started, Starts};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread;
use std::time::Duration;

/// How often `/proc` is searched for a process that has not been found, where the kernel does not tell of new ones.
const SEARCH_INTERVAL_MS: u16 = 500;

/// How long a program has from creating a file to writing it, before the file counts as empty.
const WRITING_MS: u16 = 5;

/// Octets of the thread's stack: ample, and little where the daemon locks its memory.
const STACK: usize = 256 * 1024;

/// A track with its handle.
pub type Watched = (TrackerId, Arc<TrackerSpec>);

/// The face of the thread. Dropping it ends the thread.
pub struct Watchers {
    wanted: Option<Sender<Vec<Watched>>>,
    wake: Arc<EventFd>,
}

impl Watchers {
    /// Starts the thread, in the network namespace of the caller.
    pub fn start(report: Report) -> io::Result<Self> {
        let (send, receive) = channel();
        let wake = Arc::new(EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?);
        let thread = Thread {
            report,
            wanted: receive,
            wake: wake.clone(),
            files: Files::new()?,
            routes: Routes::new()?,
            starts: None,
            watches: BTreeMap::new(),
        };
        thread::Builder::new().name("vrrpd-watch".into()).stack_size(STACK).spawn(move || thread.run())?;
        Ok(Self { wanted: Some(send), wake })
    }

    /// What to follow from now on, in full: polled checks and interfaces among it are passed over. Each new or changed
    /// one is reported once at the start, and then whenever its outcome changes. One that stays is left undisturbed. A
    /// report of one that is gone may still be under way.
    pub fn watch(&self, wanted: Vec<Watched>) {
        if let Some(channel) = &self.wanted {
            channel.send(wanted).ok();
            self.wake.write(1).ok();
        }
    }
}

impl Drop for Watchers {
    /// The thread is not waited for: it may be reading from a disk that does not answer.
    fn drop(&mut self) {
        self.wanted = None;
        self.wake.write(1).ok();
    }
}

struct Thread {
    report: Report,
    wanted: Receiver<Vec<Watched>>,
    wake: Arc<EventFd>,
    files: Files,
    routes: Routes,
    /// Listened to from the first time that a process is to be followed: a busy host starts many.
    starts: Option<Starts>,
    watches: BTreeMap<TrackerId, Watch>,
}

/// One track with what was found last.
struct Watch {
    spec: Arc<TrackerSpec>,
    /// Of a process: some that run, none when there is none.
    living: Vec<Living>,
    told: Option<(Outcome, Arc<str>)>,
    /// The file was empty at the last look, and is looked at once more before that is told.
    doubted: bool,
}

/// What came since the last look.
struct News {
    touched: Touched,
    routes: bool,
    started: Started,
}

impl Thread {
    fn run(mut self) {
        loop {
            match self.wanted.try_recv() {
                Ok(wanted) => self.replace(wanted),
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return,
            }
            if self.wait().is_err_and(|errno| errno != Errno::EINTR) {
                return;
            }
            self.wake.read().ok();
            let news = News {
                touched: self.files.drain(),
                routes: self.routes.drain(&self.prefixes()),
                started: self.starts.as_ref().map_or(Started::Unknown, Starts::drain),
            };
            if !news.touched.is_empty() {
                self.follow_files();
            }
            if news.routes {
                self.routes.refresh(&self.prefixes());
            }
            self.look_at(|watch| watch.doubted || watch.is_stale(&news));
        }
    }

    fn replace(&mut self, wanted: Vec<Watched>) {
        let mut wanted: BTreeMap<_, _> = wanted.into_iter().filter(|(_, spec)| is_watched(&spec.check)).collect();
        self.watches.retain(|tracker, watch| wanted.get(tracker).is_some_and(|spec| spec.check == watch.spec.check));
        wanted.retain(|tracker, _| !self.watches.contains_key(tracker));
        self.watches.extend(wanted.into_iter().map(|(tracker, spec)| (tracker, Watch::new(spec))));
        self.follow_files();
        self.routes.refresh(&self.prefixes());
        if self.starts.is_none() && self.watches.values().any(Watch::is_process) {
            self.starts = Starts::new();
        }
        self.look_at(|watch| watch.told.is_none());
    }

    fn follow_files(&mut self) {
        let paths: Vec<&Path> = self.watches.values().filter_map(Watch::path).collect();
        self.files.follow(&paths);
    }

    fn prefixes(&self) -> BTreeSet<Prefix> {
        self.watches.values().filter_map(Watch::prefix).collect()
    }

    /// Waits for any of the sources, and for the end of any process that counts.
    fn wait(&self) -> nix::Result<()> {
        let living = self.watches.values().flat_map(|watch| &watch.living).map(Living::as_fd);
        let starts = self.starts.iter().map(Starts::as_fd);
        let sources = [self.wake.as_fd(), self.files.as_fd(), self.routes.as_fd()].into_iter().chain(starts);
        let mut all: Vec<PollFd<'_>> =
            sources.chain(living).map(|fd: BorrowedFd<'_>| PollFd::new(fd, PollFlags::POLLIN)).collect();
        poll(&mut all, self.patience()).map(drop)
    }

    /// How long to wait at most.
    fn patience(&self) -> PollTimeout {
        if self.watches.values().any(|watch| watch.doubted) {
            PollTimeout::from(WRITING_MS)
        } else if self.starts.is_none() && self.watches.values().any(Watch::is_searching) {
            PollTimeout::from(SEARCH_INTERVAL_MS)
        } else {
            PollTimeout::NONE
        }
    }

    /// Looks at those that `chosen` chooses, and reports what has changed.
    fn look_at(&mut self, chosen: impl Fn(&Watch) -> bool) {
        for (tracker, watch) in self.watches.iter_mut().filter(|(_, watch)| chosen(watch)) {
            watch.doubted = !watch.doubted && watch.is_empty_file();
            if watch.doubted {
                continue;
            }
            let found = match watch.look(&self.files, &self.routes) {
                Ok((outcome, result)) => (outcome, Arc::from(result)),
                Err(result) => (Outcome::Failed, Arc::from(result)),
            };
            if watch.told.as_ref() != Some(&found) {
                let (outcome, result) = watch.told.insert(found).clone();
                (self.report)(*tracker, CheckReport { outcome, result, took: Duration::ZERO });
            }
        }
    }
}

const fn is_watched(check: &Check) -> bool {
    matches!(check, Check::Process(_) | Check::Pidfile(_) | Check::File(_) | Check::Route(..))
}

impl Watch {
    const fn new(spec: Arc<TrackerSpec>) -> Self {
        Self { spec, living: Vec::new(), told: None, doubted: false }
    }

    fn path(&self) -> Option<&Path> {
        match &self.spec.check {
            Check::File(path) | Check::Pidfile(path) => Some(path),
            _ => None,
        }
    }

    fn prefix(&self) -> Option<Prefix> {
        match self.spec.check {
            Check::Route(destination, length) => Some((destination, length)),
            _ => None,
        }
    }

    fn is_empty_file(&self) -> bool {
        self.path().is_some_and(|path| path.metadata().is_ok_and(|found| found.len() == 0))
    }

    fn is_process(&self) -> bool {
        matches!(self.spec.check, Check::Process(_))
    }

    /// Whether a process that may start at any time is not running.
    fn is_searching(&self) -> bool {
        self.is_process() && self.living.is_empty()
    }

    /// Whether the news may change what was found last.
    fn is_stale(&self, news: &News) -> bool {
        match &self.spec.check {
            Check::File(path) => news.touched.concerns(path),
            Check::Pidfile(path) => news.touched.concerns(path) || self.living.iter().any(Living::has_ended),
            Check::Process(name) if self.living.is_empty() => news.started.may_include(name),
            Check::Process(_) => {
                self.living.iter().any(|living| living.has_ended() || news.started.may_be(living.pid()))
            }
            Check::Route(..) => news.routes,
            _ => false,
        }
    }

    fn look(&mut self, files: &Files, routes: &Routes) -> Result<(Outcome, String), String> {
        let passed = |finding: Finding| finding.map(|result| (Outcome::Passed, result));
        match &self.spec.check {
            Check::File(path) => files
                .check()
                .and_then(|()| files::number(path))
                .map(|number| (Outcome::Value(number), number.to_string())),
            Check::Pidfile(path) => {
                let found = files.check().and_then(|()| processes::in_pidfile(path));
                passed(self.keep(found))
            }
            Check::Process(name) => {
                self.living.retain(|living| !living.has_ended() && living.is_named(name));
                let living = std::mem::take(&mut self.living);
                let found = if living.is_empty() { processes::named(name) } else { Ok(living) };
                passed(self.keep(found))
            }
            Check::Route(destination, length) => passed(routes.check((*destination, *length))),
            other => Err(format!("a {} track is not watched", other.kind())),
        }
    }

    /// Keeps the processes that were found, so that their end is noticed.
    fn keep(&mut self, found: Result<Vec<Living>, String>) -> Finding {
        self.living.clear();
        self.living = found?;
        Ok("running".into())
    }
}
