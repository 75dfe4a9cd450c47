//! The protocol thread: it owns the sockets, the timer and the engine, and waits for nothing but the kernel.
//!
//! Once per wake: drain the sockets, then the kernel's notices, then orders; then tick; then execute what came of it.
//! Packets come before the timer, so that a Backup that was held up with adverts waiting does not take over falsely.

use super::clock;
use super::execute::Executor;
use super::guardian::Predecessor;
use super::link::{Configured, Desk, News, Order};
use super::succession::{Handed, Inheritance};
use super::systemd::{Notifier, watchdog_period};
use super::timing::Due;
use crate::engine::{Bequest, Engine, Event, Occasion, Plan};
use crate::ids::PortId;
use crate::net::{BATCH, Monitor, NetlinkError, Notice, ReceiveBuffers};
use crate::time::Timestamp;
use crate::vrrp::Action;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

/// Packets taken from one port per wake, so that a flood cannot keep the thread from its timers. At two microseconds
/// each this is a few milliseconds, and more than a stalled daemon finds waiting from 255 neighbours.
const PACKETS: usize = 2048;

/// Descriptors looked at per wake; more stay ready for the next.
const READY: usize = 64;

/// What takes long, about a microsecond for each virtual router, is put off where a timer fires sooner than this: until it
/// has. No advert waits for a reload, unless it has thousands of them.
const LULL: Duration = Duration::from_millis(2);

/// Further away than anything.
const NEVER: Timestamp = Timestamp::from_origin(Duration::from_secs(u32::MAX as u64));

const TIMER: u64 = u64::MAX;
const ORDERS: u64 = u64::MAX - 1;
const NOTICES: u64 = u64::MAX - 2;
const GUARDIAN: u64 = u64::MAX - 3;

/// The protocol thread's whole state.
pub(super) struct Driver {
    engine: Engine,
    executor: Executor,
    monitor: Monitor,
    desk: Desk,
    epoll: Epoll,
    timer: TimerFd,
    armed: Option<Timestamp>,
    buffers: ReceiveBuffers,
    actions: Vec<Action>,
    watchdog: Option<Watchdog>,
    /// What a predecessor left, until the first plan comes.
    inheritance: Option<(Bequest, Occasion, Predecessor)>,
    /// What this daemon leaves, once it hands over.
    handed: Option<Handed>,
    /// An order that waits for the next timer, and those behind it with it.
    put_off: Option<Order>,
    stopping: bool,
}

struct Watchdog {
    notifier: Notifier,
    period: Duration,
    fed: Timestamp,
}

/// Why the protocol thread could not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum DriverError {
    /// Timer, epoll or the like.
    #[error("cannot set up the protocol thread: {0}")]
    Setup(#[from] io::Error),
    /// The kernel's notices and requests.
    #[error("cannot talk to the kernel's network configuration: {0}")]
    Netlink(#[from] NetlinkError),
}

impl Driver {
    /// Opens what is needed, and removes the addresses that a daemon that crashed has left behind; or takes over what a
    /// predecessor left, as far as it goes on under `plan`.
    pub(super) fn new(
        engine: Engine,
        desk: Desk,
        inheritance: Option<Inheritance>,
        plan: &Plan,
    ) -> Result<Self, DriverError> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(io::Error::from)?;
        let timer = TimerFd::new(ClockId::CLOCK_BOOTTIME, TimerFlags::TFD_CLOEXEC | TimerFlags::TFD_NONBLOCK)
            .map_err(io::Error::from)?;
        let monitor = Monitor::open()?;
        watch(&epoll, timer.as_fd(), TIMER)?;
        watch(&epoll, desk.as_fd(), ORDERS)?;
        watch(&epoll, monitor.as_fd(), NOTICES)?;
        let mut executor = Executor::open()?;
        let inheritance = if let Some(left) = inheritance {
            Some(take_over(&mut executor, left, plan)?)
        } else {
            executor.sweep()?;
            None
        };
        let notifier = Notifier::from_environment();
        let watchdog = watchdog_period().map(|period| Watchdog { notifier, period, fed: Timestamp::ZERO });
        Ok(Self {
            engine,
            executor,
            monitor,
            desk,
            epoll,
            timer,
            armed: None,
            buffers: ReceiveBuffers::new(),
            actions: Vec::new(),
            watchdog,
            inheritance,
            handed: None,
            put_off: None,
            stopping: false,
        })
    }

    /// Runs until it is told to stop, and then resigns and releases everything; or until it hands over, and then leaves
    /// everything as it is.
    pub(super) fn run(mut self) -> Option<Handed> {
        self.on_notices();
        self.finish_wake();
        let mut ready = [EpollEvent::empty(); READY];
        while !self.stopping {
            self.arm_timer();
            let count = self.epoll.wait(&mut ready, EpollTimeout::NONE).unwrap_or(0);
            self.on_ready(&ready[..count]);
            if self.handed.is_none() {
                self.finish_wake();
            }
            if self.handed.is_some() {
                return self.handed;
            }
        }
        self.executor.close();
        self.executor.keeper.goodbye();
        None
    }

    fn on_ready(&mut self, ready: &[EpollEvent]) {
        let is_ready = |token| ready.iter().any(|event| event.data() == token);
        for event in ready {
            if let Ok(port) = u32::try_from(event.data()) {
                self.on_packets(PortId(port));
            }
        }
        if is_ready(NOTICES) {
            self.on_notices();
        }
        if is_ready(ORDERS) {
            self.on_orders();
        }
        if is_ready(GUARDIAN) {
            self.executor.keeper.lose();
        }
        if is_ready(TIMER) {
            // It is not read: setting it anew takes the expiration away as well.
            self.armed = None;
        }
    }

    fn on_packets(&mut self, port: PortId) {
        let Self { engine, executor, buffers, actions, .. } = self;
        engine.set_wall_origin(clock::wall_origin());
        let mut taken = 0;
        while taken < PACKETS {
            let now = clock::now();
            let batch = executor.receive(port, buffers, |packet| {
                engine.handle(Event::Packet { port, packet }, now, actions);
            });
            match batch {
                // Fewer than a batch: nothing more waits, or the descriptor is still ready at the next wake.
                Ok(count) if count >= BATCH => taken += count,
                Ok(_) | Err(_) => break,
            }
        }
    }

    fn on_notices(&mut self) {
        let now = clock::now();
        let Self { engine, executor, monitor, actions, .. } = self;
        // After an error the monitor lists everything anew at its next turn.
        let _ = monitor.receive(&mut executor.reconciler, |notice| match notice {
            Notice::Interface { name, facts } => engine.handle(Event::Interface { name, facts }, now, actions),
            Notice::AddressLost { router, address, by } => {
                engine.handle(Event::AddressLost { router, address, by }, now, actions);
            }
            Notice::RoutesInDoubt { by } => executor.routes.doubt(by),
        });
    }

    fn on_orders(&mut self) {
        self.desk.acknowledge();
        let soon = clock::now() + LULL;
        let in_a_lull = self.engine.next_deadline().is_none_or(|at| at > soon);
        self.carry_out(in_a_lull);
    }

    /// Carries out what waits, up to what takes long where that may not be now.
    fn carry_out(&mut self, what_takes_long: bool) {
        while self.handed.is_none()
            && let Some(order) = self.put_off.take().or_else(|| self.desk.next())
        {
            if order.takes_long() && !what_takes_long {
                self.put_off = Some(order);
                return;
            }
            self.on_order(order);
        }
    }

    fn on_order(&mut self, order: Order) {
        let now = clock::now();
        let Self { engine, actions, .. } = self;
        // A reply that nobody waits for any more is of no interest.
        match order {
            Order::Check(tracker, report) => engine.handle(Event::Check { tracker, report }, now, actions),
            Order::Command(command, reply) => {
                let _ = reply.send(engine.command(&command, now, actions));
            }
            Order::Reconfigure { plan, provenance, reply } => {
                if let Some((bequest, resumption, guardian)) = self.inheritance.take() {
                    let kept = bequest.continued(&plan).map(|(router, _)| router.id).collect();
                    engine.resume(bequest, &plan, resumption, now, actions);
                    self.executor.keeper.succeed(guardian, kept);
                }
                engine.reconfigure(&plan, provenance, now, actions);
                let _ = reply.send(Configured { generation: engine.generation(), trackers: engine.trackers() });
            }
            Order::Snapshot(reply) => {
                let _ = reply.send((engine.snapshot(now), self.executor.timings));
            }
            Order::HandOver(reply) => {
                self.hand_over();
                let _ = reply.send(self.handed.is_some());
            }
            Order::Stop => {
                engine.handle(Event::Shutdown, now, actions);
                self.stopping = true;
            }
        }
    }

    /// Stops at this moment, with everything done that has come so far, and lets the guardian stand in.
    fn hand_over(&mut self) {
        self.executor.renew_all_leases();
        self.execute(None);
        let mut engine = self.engine.bequeath();
        let specs = self.engine.briefs().map(|brief| (brief.router, brief.spec)).collect();
        let (placed, sockets) = (self.executor.placed(&specs), self.executor.sockets());
        let speeches = self.executor.speeches(&mut engine);
        let timings = self.executor.timings;
        let guardian = self.executor.keeper.hand_over(speeches);
        self.handed = guardian.map(|guardian| Handed { at: clock::now(), engine, placed, timings, guardian, sockets });
    }

    /// Fires what is due and does what has come of this wake.
    fn finish_wake(&mut self) {
        let now = clock::now();
        for event in self.executor.tend_filters(now) {
            self.engine.handle(event, now, &mut self.actions);
        }
        let due = self.engine.next_deadline().filter(|&at| at <= now);
        let due = due.map(|at| Due { first: self.actions.len(), at });
        if due.is_some() {
            self.engine.handle(Event::Tick, now, &mut self.actions);
        }
        self.executor.renew_leases(now, due.is_some());
        self.execute(due);
        if self.put_off.is_some() {
            // The timer it waited for has fired, or is further away than it was.
            if due.is_some() {
                self.carry_out(true);
            } else {
                self.on_orders();
            }
            if self.handed.is_some() {
                return;
            }
            self.execute(None);
        }
        if self.inheritance.is_none() {
            self.executor.drop_inherited();
        }
        self.hear_claims(now);
        self.tend_guardian(now);
        self.feed_watchdog(now);
    }

    /// After everything that is urgent.
    fn hear_claims(&mut self, now: Timestamp) {
        let Self { engine, executor, actions, .. } = self;
        executor.hear_claims(now, |interface, address, mac| {
            engine.handle(Event::Claim { interface: interface.clone(), address, mac }, now, actions);
        });
        if !self.actions.is_empty() {
            self.execute(None);
        }
    }

    fn tend_guardian(&mut self, now: Timestamp) {
        let keeper = &mut self.executor.keeper;
        if keeper.tend(now)
            && let Some(descriptor) = keeper.descriptor()
            && watch(&self.epoll, descriptor, GUARDIAN).is_err()
        {
            keeper.lose();
        }
        keeper.report(now);
    }

    /// What the kernel refuses goes back to the engine, which may answer with more to do; a few rounds settle it.
    fn execute(&mut self, mut due: Option<Due>) {
        for _ in 0..4 {
            let refusals = self.executor.execute(&self.actions, due.take(), &self.epoll);
            if self.executor.routes.holders().next().is_some() {
                self.monitor.hear_routes();
            }
            for action in self.actions.drain(..) {
                match action {
                    Action::Record(record) => self.desk.tell(News::Record(record)),
                    Action::RunCheck { tracker, spec } => self.desk.tell(News::RunCheck(tracker, spec)),
                    _ => {}
                }
            }
            if refusals.is_empty() {
                break;
            }
            let now = clock::now();
            for refusal in refusals {
                self.engine.handle(refusal, now, &mut self.actions);
            }
        }
    }

    fn feed_watchdog(&mut self, now: Timestamp) {
        if let Some(watchdog) = &mut self.watchdog
            && now - watchdog.fed >= watchdog.period
        {
            watchdog.notifier.watchdog();
            watchdog.fed = now;
        }
    }

    fn arm_timer(&mut self) {
        let feeding = self.watchdog.as_ref().map(|watchdog| watchdog.fed + watchdog.period);
        let deadlines = [self.engine.next_deadline(), self.executor.next_deadline(), feeding];
        let at = deadlines.into_iter().flatten().min().unwrap_or(NEVER);
        if self.armed == Some(at) {
            return;
        }
        // Zero would disarm it; a moment that has passed fires at once.
        let at_least = at.since_origin().max(Duration::from_nanos(1));
        let expiration = Expiration::OneShot(TimeSpec::from_duration(at_least));
        if self.timer.set(expiration, TimerSetTimeFlags::TFD_TIMER_ABSTIME).is_ok() {
            self.armed = Some(at);
        }
    }
}

/// Takes over what is on the interfaces; the engine goes on with the first plan.
fn take_over(
    executor: &mut Executor,
    left: Inheritance,
    plan: &Plan,
) -> Result<(Bequest, Occasion, Predecessor), DriverError> {
    let Inheritance { engine, occasion, placed, timings, guardian, sockets, .. } = left;
    let holding = engine.continued(plan).filter(|(router, _)| router.holding);
    executor.adopt(placed, &holding.map(|(router, former)| (router.id, former)).collect(), sockets)?;
    executor.timings = timings;
    Ok((engine, occasion, guardian))
}

/// Lets the epoll set report `descriptor` as `token`.
pub(super) fn watch(epoll: &Epoll, descriptor: BorrowedFd<'_>, token: u64) -> io::Result<()> {
    epoll.add(descriptor, EpollEvent::new(EpollFlags::EPOLLIN, token)).map_err(io::Error::from)
}
