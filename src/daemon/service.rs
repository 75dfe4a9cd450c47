//! The service side: checks, hooks, the control socket, the log and reloads. It may be slow; the protocol thread
//! never waits for it.

use super::changes;
use super::clock;
use super::link::{News, Order, Orders};
use super::log::Verbosity;
use super::signals::Signal;
use super::state;
use super::succession;
use super::systemd::Notifier;
use crate::checks::{Runner, Watched, Watchers};
use crate::config::{self, Context, LoadError, Loaded, SystemHost};
use crate::control::{
    About, Entry, History, Keeper, ReloadOutcome, Rendering, Request, SavedDrains, Status, UpgradeOutcome, WallClock,
};
use crate::engine::{Command, Plan, Provenance};
use crate::hooks::Hooks;
use crate::ids::TrackerId;
use crate::vrrp::{Cause, Record, Resumption, Subject};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

/// How long the hooks of the last changes may take when the daemon stops.
const LAST_HOOKS: Duration = Duration::from_secs(10);

/// How long the disk may take for the last records.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// The same two, while a guardian stands in for a daemon that hands over.
const MEANWHILE: Duration = Duration::from_millis(250);

/// How long an answer and the last lines of the log take to leave.
const LAST_LINES: Duration = Duration::from_millis(20);

/// Who asks for a reload with a signal: the service manager, or whoever may send one.
const HANGUP: &str = "a signal (SIGHUP)";

/// The configuration in force.
pub(super) struct InForce {
    /// Its file.
    pub(super) path: PathBuf,
    /// What the engine runs.
    pub(super) plan: Arc<Plan>,
    /// Its number.
    pub(super) generation: u64,
    /// When it was loaded.
    pub(super) loaded: SystemTime,
    /// When a newer file was refused, if the last one was.
    pub(super) refused: Option<SystemTime>,
}

/// Everything on the service side.
pub(super) struct Service {
    /// To the protocol thread.
    pub(super) orders: Orders,
    /// From the protocol thread.
    pub(super) news: mpsc::Receiver<News>,
    /// News that were dropped on the way.
    pub(super) dropped: Arc<AtomicU64>,
    /// From the control socket.
    pub(super) requests: mpsc::Receiver<Request>,
    /// From the operating system.
    pub(super) signals: mpsc::Receiver<Signal>,
    /// Runs polled checks.
    pub(super) runner: Runner,
    /// Follows what the kernel reports.
    pub(super) watchers: Watchers,
    /// The tracks of the configuration in force.
    pub(super) trackers: BTreeSet<TrackerId>,
    /// Runs notify scripts.
    pub(super) hooks: Hooks,
    /// Keeps the records.
    pub(super) history: History,
    /// To the service manager.
    pub(super) notifier: Notifier,
    /// The configuration.
    pub(super) in_force: InForce,
    /// When the daemon started.
    pub(super) started: SystemTime,
    /// Keeps what has to outlive the daemon.
    pub(super) keeper: Keeper,
    /// What is drained, as it is kept.
    pub(super) drains: SavedDrains,
    /// How much is logged.
    pub(super) verbosity: Verbosity,
    /// The program that an upgrade runs.
    pub(super) program: PathBuf,
}

/// How the service side came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// It was told to.
    Stopped,
    /// A successor goes on.
    HandedOver(Resumption),
    /// The protocol thread ended by itself, which it never should.
    ProtocolThreadLost,
}

impl Service {
    /// Runs until the protocol thread has ended.
    pub(super) async fn run(mut self) -> End {
        let mut end = End::ProtocolThreadLost;
        loop {
            tokio::select! {
                news = self.news.recv() => match news {
                    Some(news) => self.on_news(news),
                    None => break,
                },
                Some(signal) = self.signals.recv() => match signal {
                    Signal::Reload => self.on_hangup().await,
                    Signal::Stop => match self.on_stop().await {
                        Some(how) => end = how,
                        None => break,
                    },
                },
                Some(request) = self.requests.recv() => {
                    if let Some(how) = self.on_request(request).await {
                        end = how;
                    }
                }
            }
        }
        // The guardian's time runs while a successor is on its way.
        let (hooks, words) = match end {
            End::HandedOver(_) => (MEANWHILE, MEANWHILE),
            End::Stopped | End::ProtocolThreadLost => (LAST_HOOKS, LAST_WORDS),
        };
        self.hooks.finish(hooks).await;
        self.keeper.finish(words);
        end
    }

    /// Leaves for good, or to a successor where the service manager is about to start one.
    async fn on_stop(&mut self) -> Option<End> {
        self.notifier.stopping();
        if succession::is_restarting().await {
            // Those that take longer are ended, as they are by a stop.
            self.hooks.settle(LAST_HOOKS / 2).await;
            if self.hand_over().await {
                return Some(End::HandedOver(Resumption::Restarted));
            }
        }
        self.orders.send(Order::Stop).ok().map(|()| End::Stopped)
    }

    /// Upgrades where the program that is installed now would run.
    async fn on_upgrade(&mut self, reply: oneshot::Sender<UpgradeOutcome>) -> Option<End> {
        let refused = |diagnostics| UpgradeOutcome { ok: false, diagnostics };
        let succession::Checked { ok, diagnostics } = succession::check(&self.program, &self.in_force.path).await;
        if !ok {
            warn!("no upgrade: {} would not run", self.program.display());
            let _ = reply.send(refused(diagnostics));
            return None;
        }
        if !self.hooks.settle(LAST_HOOKS).await {
            let _ = reply.send(refused("notify scripts still run: try again when they have ended".to_owned()));
            return None;
        }
        info!("upgrade: {} takes over", self.program.display());
        let _ = reply.send(UpgradeOutcome { ok: true, diagnostics });
        // The answer leaves, and the log is written.
        tokio::time::sleep(LAST_LINES).await;
        self.notifier.reloading(clock::monotonic());
        if self.hand_over().await {
            return Some(End::HandedOver(Resumption::Upgraded));
        }
        error!("no upgrade: there is no guardian at this moment to stand in");
        self.notifier.ready(&format!("{} virtual routers", self.router_count()));
        None
    }

    /// Ends the protocol thread with everything as it is; whether that was possible.
    async fn hand_over(&self) -> bool {
        let (reply, handed) = oneshot::channel();
        self.orders.send(Order::HandOver(reply)).is_ok() && handed.await.unwrap_or(false)
    }

    fn on_news(&mut self, news: News) {
        match news {
            News::Record(record) => self.on_record(&record),
            News::RunCheck(tracker, spec) => self.runner.run(tracker, spec),
        }
        let lost = self.dropped.swap(0, Ordering::Relaxed);
        if lost > 0 {
            error!("{lost} records were lost: this host is too busy to keep the history");
        }
    }

    fn on_record(&mut self, record: &Arc<Record>) {
        let clock = wall_clock();
        let (seq, Rendering { json, text }) = self.history.append(record, &clock);
        say(record, &text);
        if state::note_drain(&mut self.drains, record, &clock) {
            self.keeper.drains(self.drains.clone());
        }
        self.hooks.deliver(record, &json);
        self.keeper.record(Entry { seq, json: json.into() });
    }

    async fn on_request(&mut self, request: Request) -> Option<End> {
        match request {
            Request::Upgrade(reply) => return self.on_upgrade(reply).await,
            Request::Status(reply) => self.on_status(reply),
            Request::Command { command, reply } => self.on_command(command, reply),
            Request::LogLevel { level, by, reply } => {
                let set = self.verbosity.set(&level);
                if set.is_ok() {
                    info!("the log level is {level} from now on: {by} asked for it");
                }
                let _ = reply.send(set);
            }
            Request::Reload { dry_run, by, reply } => {
                let outcome = self.reload(dry_run, &by).await;
                let _ = reply.send(outcome);
            }
        }
        None
    }

    fn on_status(&self, reply: oneshot::Sender<Status>) {
        let (sender, snapshot) = oneshot::channel();
        if self.orders.send(Order::Snapshot(sender)).is_err() {
            return;
        }
        let about = About {
            pid: std::process::id(),
            started: self.started,
            config_path: self.in_force.path.clone(),
            generation: self.in_force.generation,
            loaded: self.in_force.loaded,
            refused: self.in_force.refused,
        };
        tokio::spawn(async move {
            if let Ok((snapshot, timings)) = snapshot.await {
                let _ = reply.send(Status { snapshot, clock: wall_clock(), about, timings });
            }
        });
    }

    fn on_command(&self, command: Command, reply: oneshot::Sender<Result<Vec<Arc<str>>, String>>) {
        let (sender, done) = oneshot::channel();
        if self.orders.send(Order::Command(command, sender)).is_err() {
            let _ = reply.send(Err("the protocol thread does not answer".to_owned()));
            return;
        }
        tokio::spawn(async move {
            let _ = reply.send(match done.await {
                Ok(outcome) => outcome.map_err(|refused| refused.to_string()),
                Err(_) => Err("the daemon is stopping".to_owned()),
            });
        });
    }

    async fn on_hangup(&mut self) {
        self.notifier.reloading(clock::monotonic());
        let outcome = self.reload(false, &Arc::from(HANGUP)).await;
        for line in outcome.diagnostics.lines() {
            if outcome.ok { warn!("{line}") } else { error!("{line}") }
        }
        self.notifier.ready(&format!("{} virtual routers", self.router_count()));
    }

    /// Reads the configuration again; a refused one changes nothing.
    async fn reload(&mut self, dry_run: bool, by: &Arc<str>) -> ReloadOutcome {
        let outcome = self.load_and_take_over(dry_run, by).await;
        if !dry_run {
            self.in_force.refused = (!outcome.ok).then(clock::wall);
            if !outcome.ok {
                error!("the configuration that {by} asked for was refused; the running one stays in force");
            }
        }
        outcome
    }

    async fn load_and_take_over(&mut self, dry_run: bool, by: &Arc<str>) -> ReloadOutcome {
        let path = self.in_force.path.clone();
        let loading = tokio::task::spawn_blocking(move || config::load(&path, &Context::run(&SystemHost)));
        let mut loaded = match loading.await {
            Ok(Ok(loaded)) => loaded,
            Ok(Err(error)) => return refused(&error),
            Err(_) => {
                return ReloadOutcome {
                    diagnostics: "the configuration could not be read".to_owned(),
                    ..Default::default()
                };
            }
        };
        loaded.plan.share(&self.in_force.plan);
        let changes = changes::describe(&self.in_force.plan.diff(&loaded.plan));
        let diagnostics = loaded.warnings.to_string();
        let provenance = Provenance { by: Some(Arc::clone(by)), changes: changes.clone() };
        if !dry_run && self.take_over(loaded, provenance).await.is_err() {
            return ReloadOutcome { diagnostics: "the daemon is stopping".to_owned(), ..Default::default() };
        }
        ReloadOutcome { ok: true, diagnostics, changes }
    }

    async fn take_over(&mut self, loaded: Loaded, provenance: Provenance) -> Result<(), ()> {
        let plan = Arc::new(loaded.plan);
        let (reply, configured) = oneshot::channel();
        let order = Order::Reconfigure { plan: Arc::clone(&plan), provenance, reply };
        self.orders.send(order).map_err(|_| ())?;
        let configured = configured.await.map_err(|_| ())?;
        self.in_force.generation = configured.generation;
        for gone in self.trackers.difference(&ids(&configured.trackers)) {
            self.runner.retire(*gone);
        }
        self.trackers = ids(&configured.trackers);
        self.watchers.watch(configured.trackers);
        self.in_force.loaded = clock::wall();
        let fifo = loaded.hooks.fifo.clone();
        self.hooks.reconfigure(loaded.hooks, fifo);
        self.in_force.plan = plan;
        Ok(())
    }

    fn router_count(&self) -> usize {
        self.in_force.plan.groups.iter().map(|group| group.members.len()).sum()
    }
}

/// The handles of tracks.
pub(super) fn ids(trackers: &[Watched]) -> BTreeSet<TrackerId> {
    trackers.iter().map(|&(id, _)| id).collect()
}

/// One line of the log, with the fields that programs look for.
fn say(record: &Record, text: &str) {
    let router = match &record.subject {
        Subject::Router { name, .. } => Some(&**name),
        _ => None,
    };
    match &record.cause {
        Cause::Transition { to, why, .. } => info!(router, state = to.name(), reason = why.name(), "{text}"),
        Cause::Warning { warning, .. } => warn!(router, reason = *warning, "{text}"),
        Cause::Restored { .. } | Cause::Refused { .. } | Cause::Stalled { .. } | Cause::Filter { on: true, .. } => {
            warn!(router, "{text}");
        }
        _ => info!(router, "{text}"),
    }
}

fn refused(error: &LoadError) -> ReloadOutcome {
    ReloadOutcome { ok: false, diagnostics: error.to_string(), changes: Vec::new() }
}

fn wall_clock() -> WallClock {
    WallClock { boottime: clock::now(), wall: clock::wall() }
}
