//! The daemon: two places where code runs. The protocol thread owns sockets, timer and engine; the service side runs
//! checks, hooks, the control socket, reloads and the log. Bounded channels are all that connects them.

mod changes;
mod clock;
mod confinement;
mod driver;
mod execute;
mod floodgate;
pub mod guardian;
mod journal;
mod leases;
mod link;
mod log;
mod memory;
mod ports;
mod privileges;
mod seal;
mod service;
mod signals;
mod state;
mod succession;
mod systemd;
mod timing;
mod witnesses;

use crate::checks::{Runner, Watchers};
use crate::config::{self, Context, LoadError, Loaded, SystemHost};
use crate::control::{self, BindError, Complaint, History, Keeper, Limits, Listener};
use crate::engine::{CheckReport, Engine, Plan, Provenance};
use crate::hooks::{HookPlan, Hooks, Trouble};
use crate::ids::TrackerId;
use crate::net::{set_realtime, set_slice};
use crate::vrrp::Resumption;
use confinement::ConfinementError;
use driver::{Driver, DriverError};
use link::{Channels, Configured, Order, Orders, channels};
use privileges::MissingCapability;
use service::{End, InForce, Service};
use std::io;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use succession::{Bundle, Handed, Inheritance, Left};
use systemd::Notifier;
use tokio::sync::{mpsc, oneshot};
use tracing::warn;

/// Programs being started and names being looked up at once. A lookup that hangs takes one until it gives up.
const PROGRAM_STARTS: usize = 64;

/// Why the daemon could not start.
#[derive(Debug, thiserror::Error)]
enum StartError {
    /// The configuration.
    #[error("{0}")]
    Config(#[from] LoadError),
    /// Rights.
    #[error("{0}")]
    Privileges(#[from] MissingCapability),
    /// The control socket.
    #[error("{0}")]
    Control(#[from] BindError),
    /// The kernel's networking.
    #[error("{0}")]
    Driver(#[from] DriverError),
    /// Threads, pipes and the like.
    #[error("cannot start: {0}")]
    Setup(#[from] io::Error),
}

/// Runs in the foreground until it is told to stop. The exit status is 0 after a stop, 1 where it cannot run, 2 where
/// the configuration cannot be read.
#[must_use]
pub fn run(config: &Path) -> ExitCode {
    match start(config) {
        Ok(End::Stopped | End::HandedOver(_)) => ExitCode::SUCCESS,
        Ok(End::ProtocolThreadLost) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(if matches!(error, StartError::Config(LoadError::Unreadable { .. })) { 2 } else { 1 })
        }
    }
}

fn start(path: &Path) -> Result<End, StartError> {
    // Before anything is opened. Whatever fails from here on ends a predecessor's guardian, which resigns.
    let left = Left::collect();
    let program = std::env::current_exe()?;
    let loaded_at = clock::wall();
    let locked = memory::lock();
    privileges::start_only();
    let Loaded { daemon, plan, hooks, warnings } = config::load(path, &Context::run(&SystemHost))?;
    eprint!("{warnings}");
    // They hold the text of every file.
    drop(warnings);
    privileges::check()?;
    let listener = Listener::bind(&daemon.control_socket, &daemon.control_group)?;
    let confined = confinement::refuse_what_nobody_needs();
    let directory = state::directory(&daemon.state_directory, path);
    let (verbosity, signals, (keeper, restored)) = privileges::without_any(|| {
        let verbosity = log::start(daemon.log_level, daemon.log_format)?;
        let keeper = Keeper::start(&directory, &(Arc::new(|complaint| warn!("{complaint}")) as Complaint));
        Ok::<_, StartError>((verbosity, signals::listen()?, keeper))
    })?;
    say(confined);
    if let Err(error) = locked {
        warn!("memory is not locked ({error}): under pressure the daemon may wait for a disk. Raise LimitMEMLOCK");
    }
    let inheritance = left.take_up().and_then(|taken| {
        taken.inspect_err(|useless| warn!("nothing of the daemon before this one is taken over: {useless}")).ok()
    });
    let started = inheritance.as_ref().map_or(loaded_at, |left| left.started);
    let mut engine = Engine::new(0);
    let drains = state::restore_drains(&mut engine, restored.drains);
    let Channels { orders, desk, news, dropped } = channels()?;
    let hooks = start_hooks(hooks, inheritance.as_ref());
    let driver = Driver::new(engine, desk, inheritance, &plan)?;
    let protocol = spawn_protocol(driver, daemon.realtime_priority)?;
    privileges::serve_only();
    let report = report_to(orders.clone());
    let watchers = Watchers::start(Arc::clone(&report))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(PROGRAM_STARTS)
        .on_thread_start(privileges::run_programs_only)
        .thread_stack_size(256 << 10)
        .build()?;
    let end = runtime.block_on(async {
        let (backend, requests) = mpsc::channel(64);
        let history = History::restored(restored.entries);
        tokio::spawn(control::serve(listener, backend, history.clone(), Limits::default()));
        let plan = Arc::new(plan);
        let configured = take_first_plan(&orders, Arc::clone(&plan)).await;
        let in_force = InForce {
            path: path.to_owned(),
            plan,
            generation: configured.generation,
            loaded: loaded_at,
            refused: None,
        };
        let trackers = service::ids(&configured.trackers);
        watchers.watch(configured.trackers);
        let service = Service {
            runner: Runner::new(report),
            watchers,
            trackers,
            hooks,
            notifier: Notifier::from_environment(),
            orders,
            news,
            dropped,
            requests,
            signals,
            history,
            in_force,
            started,
            keeper,
            drains,
            verbosity,
            program: program.clone(),
        };
        service.notifier.ready("running");
        service.run().await
    });
    runtime.shutdown_background();
    // It has ended, or the process is about to: what it held is released in either case, or handed over.
    let handed = protocol.join().ok().flatten();
    if let (End::HandedOver(how), Some(handed)) = (end, handed) {
        pass_on(&Bundle::new(handed, how, started)?, how, &program)?;
    }
    Ok(end)
}

/// Passes everything on to a successor. Over an upgrade it returns only where that fails; a failure ends the process,
/// and the guardian does for it what is to be done.
fn pass_on(bundle: &Bundle, how: Resumption, program: &Path) -> io::Result<()> {
    match how {
        Resumption::Upgraded => Err(succession::exec(program, bundle)),
        Resumption::Restarted => succession::store(bundle, &Notifier::from_environment()),
    }
}

fn start_hooks(plan: HookPlan, inheritance: Option<&Inheritance>) -> Hooks {
    let fifo = plan.fifo.clone();
    let mut hooks = Hooks::new(plan, fifo, Arc::new(|trouble: Trouble| warn!("{trouble}")));
    for router in inheritance.iter().flat_map(|left| &left.engine.routers) {
        if let Some(group) = &router.group {
            hooks.resume(group, &router.name, router.role);
        }
    }
    hooks
}

/// A host that cannot do it is told, and runs without.
fn say(confined: Result<(), ConfinementError>) {
    if let Err(error) = confined {
        warn!("{error}");
    }
}

fn spawn_protocol(driver: Driver, realtime: Option<u8>) -> io::Result<JoinHandle<Option<Handed>>> {
    std::thread::Builder::new().name("protocol".to_owned()).spawn(move || {
        take_precedence(realtime);
        privileges::network_only();
        say(confinement::write_nothing());
        driver.run()
    })
}

/// Of the calling thread, the one that runs the protocol: it does not wait for others where it may go first.
fn take_precedence(realtime: Option<u8>) {
    /// More than an ordinary wake takes.
    const SLICE: Duration = Duration::from_micros(200);
    if let Some(priority) = realtime
        && let Err(error) = set_realtime(priority)
    {
        warn!("realtime_priority is not granted ({error}): the protocol thread runs with ordinary priority");
    }
    if realtime.is_none() {
        // A kernel or a service manager that does not allow it leaves the thread as quick as any other.
        let _ = set_slice(SLICE);
    }
}

/// The channel is empty and the protocol thread has just started: nothing but its end can keep it from answering.
async fn take_first_plan(orders: &Orders, plan: Arc<Plan>) -> Configured {
    let (reply, configured) = oneshot::channel();
    let unanswered = || Configured { generation: 0, trackers: Vec::new() };
    match orders.send(Order::Reconfigure { plan, provenance: Provenance::default(), reply }) {
        Ok(()) => configured.await.unwrap_or_else(|_| unanswered()),
        Err(_) => unanswered(),
    }
}

/// Hands the outcomes of checks to the protocol thread.
fn report_to(orders: Orders) -> Arc<dyn Fn(TrackerId, CheckReport) + Send + Sync> {
    // An outcome that does not arrive is one that never came: the engine counts it as failed.
    Arc::new(move |tracker, report| {
        let _ = orders.send(Order::Check(tracker, report));
    })
}
