//! The state machine as a table: every state, every input, every way to preempt. A pair without a row, or with two,
//! fails. The identifiers (`BK-09`) are those of the conformance matrix: Initialize, Backup, Active (our Master), timers
//! and preemption of RFC 9568, 6.4 and RFC 3768, 6.4.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

#[path = "common/router.rs"]
mod router;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use vrrpd::ids::{PortId, RouterId};
use vrrpd::time::Timestamp;
use vrrpd::units::{Interval, Priority, Version, VirtualAddress};
use vrrpd::vrrp::{
    Action, Announcing, Cause, Effects, Fitness, Preempt, Promotion, Role, Router, RouterSpec, Seq, Unfit, Verdict, Why,
};
use vrrpd::wire::Standing;

/// How the router preempts, or that it owns the addresses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Mode {
    On,
    Off,
    Delay,
    Owner,
}

use Mode::{Delay, Off, On, Owner};

const ALL: &[Mode] = &[On, Off, Delay, Owner];
const NOT_OWNER: &[Mode] = &[On, Off, Delay];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum State {
    /// Initialize: its interface is down.
    Unfit,
    /// Backup, waiting for the down interval.
    Listening,
    /// Backup, waiting for the skew time: the Master has resigned.
    Resigned,
    /// Backup, having handed over; it keeps its addresses until somebody is heard.
    Lingering,
    /// Backup that would be Master, but for its group.
    Held,
    /// RFC 9568's Active.
    Master,
}

const STATES: [State; 6] =
    [State::Unfit, State::Listening, State::Resigned, State::Lingering, State::Held, State::Master];

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Input {
    Resignation,
    Lower,
    EqualFromLowerAddress,
    EqualFromHigherAddress,
    /// To an owner, whom nothing is above: the same as an equal one from a higher address.
    Higher,
    Deadline,
    Unfit,
    Fit,
    Lowered,
    /// To an owner: no change.
    Raised,
    Grant,
    HoldBack,
    Leave,
}

const INPUTS: [Input; 13] = [
    Input::Resignation,
    Input::Lower,
    Input::EqualFromLowerAddress,
    Input::EqualFromHigherAddress,
    Input::Higher,
    Input::Deadline,
    Input::Unfit,
    Input::Fit,
    Input::Lowered,
    Input::Raised,
    Input::Grant,
    Input::HoldBack,
    Input::Leave,
];

/// What becomes of the state and its timer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Then {
    /// Same state, same timer.
    Stays,
    /// Same state; its timer counts from the same moment by the new priority.
    Recomputes,
    /// Backup; the down interval by its own interval from now.
    Starts,
    /// Backup; the down interval by the interval just heard from now.
    Listens,
    /// Backup; the timer that ran runs on.
    ListensOn,
    /// Backup; the skew time from now.
    Skews,
    /// Backup that keeps its addresses; the down interval by its own interval from now.
    Lingers,
    /// Backup that keeps its addresses; the skew time from now.
    LingersForSkew,
    /// Backup without a timer: its group decides.
    Claims,
    /// The same, with its addresses still on the interface.
    ClaimsHolding,
    /// Master; the next advert one own interval from now.
    Advertises,
    /// Initialize: no timer, no addresses.
    Stops,
}

struct Row {
    state: State,
    input: Input,
    modes: &'static [Mode],
    then: Then,
    actions: &'static [&'static str],
}

fn row(state: State, input: Input, modes: &'static [Mode], then: Then, actions: &'static [&'static str]) -> Row {
    Row { state, input, modes, then, actions }
}

#[rustfmt::skip]
#[expect(clippy::too_many_lines, reason = "it is a table")]
fn table() -> Vec<Row> {
    use Input::*;
    use State::{Held, Lingering, Listening, Master, Resigned};
    use Then::*;
    const INIT: State = State::Unfit;
    vec![
        // 6.4.1 Initialize. Nothing is heard, nothing is said (IN-04, RX-30).
        row(INIT, Resignation,            ALL, Stays, &[]),
        row(INIT, Lower,                  ALL, Stays, &[]),
        row(INIT, EqualFromLowerAddress,  ALL, Stays, &[]),
        row(INIT, EqualFromHigherAddress, ALL, Stays, &[]),
        row(INIT, Higher,                 ALL, Stays, &[]),
        row(INIT, Deadline,               ALL, Stays, &[]),                                     // TM-06
        row(INIT, Unfit,                  ALL, Stays, &[]),
        row(INIT, Fit,              NOT_OWNER, Starts, &["to Backup: Started"]),                // IN-02, IN-03
        row(INIT, Fit,               &[Owner], Claims, &["to Backup: Started"]),                // IN-01, with its group
        row(INIT, Lowered,                ALL, Starts, &["to Backup: Started"]),
        row(INIT, Raised,           NOT_OWNER, Starts, &["to Backup: Started"]),
        row(INIT, Raised,            &[Owner], Claims, &["to Backup: Started"]),
        row(INIT, Grant,                  ALL, Stays, &[]),
        row(INIT, HoldBack,               ALL, Stays, &[]),
        row(INIT, Leave,                  ALL, Stops, &["to Initialize: Stopping"]),

        // 6.4.2 Backup
        row(Listening, Resignation,              ALL, Skews, &[]),                              // BK-08
        row(Listening, Lower,           &[On, Owner], Stays, &[]),                              // BK-09, PR-03
        row(Listening, Lower,          &[Off, Delay], Listens, &[]),                            // BK-10, PR-02, PR-09
        row(Listening, EqualFromLowerAddress,    ALL, Listens, &[]),                            // BK-11, BK-12
        row(Listening, EqualFromHigherAddress,   ALL, Listens, &[]),                            // BK-11
        row(Listening, Higher,                   ALL, Listens, &[]),                            // BK-12
        row(Listening, Deadline,                 ALL, Claims, &[]),                             // BK-07, with its group
        row(Listening, Unfit,                    ALL, Stops, &["to Fault: Unfit"]),             // BK-06
        row(Listening, Fit,                      ALL, Stays, &[]),
        row(Listening, Lowered,            NOT_OWNER, Recomputes, &["priority 100 to 80"]),     // TM-07
        row(Listening, Lowered,             &[Owner], Recomputes, &["priority 255 to 100"]),
        row(Listening, Raised,             NOT_OWNER, Recomputes, &["priority 100 to 120"]),    // TM-07
        row(Listening, Raised,              &[Owner], Stays, &[]),
        row(Listening, Grant,                    ALL, Stays, &[]),
        row(Listening, HoldBack,                 ALL, Stays, &[]),
        row(Listening, Leave,                    ALL, Stops, &["to Initialize: Stopping"]),     // BK-06

        row(Resigned, Resignation,               ALL, Skews, &[]),                              // BK-16
        row(Resigned, Lower,            &[On, Owner], Stays, &[]),                              // BK-09
        row(Resigned, Lower,           &[Off, Delay], Listens, &[]),                            // BK-10
        row(Resigned, EqualFromLowerAddress,     ALL, Listens, &[]),
        row(Resigned, EqualFromHigherAddress,    ALL, Listens, &[]),
        row(Resigned, Higher,                    ALL, Listens, &[]),
        row(Resigned, Deadline,                  ALL, Claims, &[]),
        row(Resigned, Unfit,                     ALL, Stops, &["to Fault: Unfit"]),
        row(Resigned, Fit,                       ALL, Stays, &[]),
        row(Resigned, Lowered,             NOT_OWNER, Recomputes, &["priority 100 to 80"]),
        row(Resigned, Lowered,              &[Owner], Recomputes, &["priority 255 to 100"]),
        row(Resigned, Raised,              NOT_OWNER, Recomputes, &["priority 100 to 120"]),
        row(Resigned, Raised,               &[Owner], Stays, &[]),
        row(Resigned, Grant,                     ALL, Stays, &[]),
        row(Resigned, HoldBack,                  ALL, Stays, &[]),
        row(Resigned, Leave,                     ALL, Stops, &["to Initialize: Stopping"]),

        // Ours: it handed over, and keeps its addresses until somebody else is heard.
        row(Lingering, Resignation,              ALL, LingersForSkew, &[]),
        row(Lingering, Lower,           &[On, Owner], ListensOn, &["release"]),
        row(Lingering, Lower,          &[Off, Delay], Listens, &["release"]),
        row(Lingering, EqualFromLowerAddress,    ALL, Listens, &["release"]),                   // AC-19
        row(Lingering, EqualFromHigherAddress,   ALL, Listens, &["release"]),
        row(Lingering, Higher,                   ALL, Listens, &["release"]),
        row(Lingering, Deadline,                 ALL, ClaimsHolding, &[]),
        row(Lingering, Unfit,                    ALL, Stops, &["release", "to Fault: Unfit"]),
        row(Lingering, Fit,                      ALL, Stays, &[]),
        row(Lingering, Lowered,            NOT_OWNER, Recomputes, &["priority 100 to 80"]),
        row(Lingering, Lowered,             &[Owner], Recomputes, &["priority 255 to 100"]),
        row(Lingering, Raised,             NOT_OWNER, Recomputes, &["priority 100 to 120"]),
        row(Lingering, Raised,              &[Owner], Stays, &[]),
        row(Lingering, Grant,                    ALL, Stays, &[]),
        row(Lingering, HoldBack,                 ALL, ListensOn, &["release"]),
        row(Lingering, Leave,                    ALL, Stops, &["release", "to Initialize: Stopping"]),

        // Ours: the down interval is over and the sync group does not consent.
        row(Held, Resignation,              ALL, Stays, &[]),
        row(Held, Lower,           &[On, Owner], Stays, &[]),
        row(Held, Lower,          &[Off, Delay], Listens, &[]),
        row(Held, EqualFromLowerAddress,    ALL, Listens, &[]),
        row(Held, EqualFromHigherAddress,   ALL, Listens, &[]),
        row(Held, Higher,                   ALL, Listens, &[]),
        row(Held, Deadline,                 ALL, Stays, &[]),
        row(Held, Unfit,                    ALL, Stops, &["to Fault: Unfit"]),
        row(Held, Fit,                      ALL, Stays, &[]),
        row(Held, Lowered,            NOT_OWNER, Stays, &["priority 100 to 80"]),
        row(Held, Lowered,             &[Owner], Stays, &["priority 255 to 100"]),
        row(Held, Raised,             NOT_OWNER, Stays, &["priority 100 to 120"]),
        row(Held, Raised,              &[Owner], Stays, &[]),
        row(Held, Grant,                    ALL, Advertises, &["advert", "hold", "announce", "to Master: NobodyTookOver"]),
        row(Held, HoldBack,                 ALL, Stays, &[]),
        row(Held, Leave,                    ALL, Stops, &["to Initialize: Stopping"]),

        // 6.4.3 Active
        row(Master, Resignation,            ALL, Advertises, &["advert"]),                      // AC-13
        row(Master, Lower,                  ALL, Advertises, &["advert"]),                      // AC-16
        row(Master, EqualFromLowerAddress,  ALL, Advertises, &["advert"]),                      // AC-16
        row(Master, EqualFromHigherAddress, ALL, Listens, &["release", "to Backup: HigherAddress"]), // AC-15
        row(Master, Higher,           NOT_OWNER, Listens, &["release", "to Backup: HigherPriority"]), // AC-14, AC-18
        row(Master, Higher,            &[Owner], Listens, &["release", "to Backup: HigherAddress"]), // RX-10
        row(Master, Deadline,               ALL, Advertises, &["advert"]),                      // AC-12
        row(Master, Unfit,                  ALL, Stops, &["resign", "release", "to Fault: Unfit"]), // AC-11
        row(Master, Fit,                    ALL, Stays, &[]),
        row(Master, Lowered,          NOT_OWNER, Lingers, &["resign", "to Backup: Demoted", "priority 100 to 80"]),
        row(Master, Lowered,           &[Owner], Lingers, &["resign", "to Backup: Demoted", "priority 255 to 100"]),
        row(Master, Raised,           NOT_OWNER, Stays, &["priority 100 to 120"]),
        row(Master, Raised,            &[Owner], Stays, &[]),
        row(Master, Grant,                  ALL, Stays, &[]),
        row(Master, HoldBack,               ALL, Claims, &["resign", "release", "to Backup: HeldByGroup"]),
        row(Master, Leave,                  ALL, Stops, &["resign", "release", "to Initialize: Stopping"]), // AC-11
    ]
}

#[test]
fn every_state_and_input_has_its_row() {
    let table = table();
    for &mode in ALL {
        for state in STATES {
            for input in INPUTS {
                let rows =
                    table.iter().filter(|row| (row.state, row.input) == (state, input) && row.modes.contains(&mode));
                assert_eq!(rows.count(), 1, "rows for {state:?}, {input:?}, preempt {mode:?}");
            }
        }
    }
    let covered: usize = table.iter().map(|row| row.modes.len()).sum();
    assert_eq!(covered, ALL.len() * STATES.len() * INPUTS.len());
}

#[test]
fn every_row_holds() {
    for row in table() {
        for &mode in row.modes {
            let place = format!("{:?}, {:?}, preempt {mode:?}", row.state, row.input);
            let mut bench = Bench::in_state(mode, row.state);
            let before = bench.router.next_deadline();
            let waits = bench.router.priority().map_or(Duration::ZERO, |_| bench.wait(row.state));
            let (state, holding) = (bench.state(), bench.router.is_holding());
            let now = if row.input == Input::Deadline { before.unwrap_or(NOW) } else { NOW };
            assert_eq!(bench.input(row.input, now), row.actions, "{place}");
            let router = &bench.router;
            let due = router.next_deadline();
            let (then, timer, holds) = match row.then {
                Then::Stays => (state, before, holding),
                Then::Recomputes => {
                    let begun = before.map(|due| Timestamp::from_origin(due - (Timestamp::ZERO + waits)));
                    (state, begun.map(|begun| begun + bench.wait(row.state)), holding)
                }
                Then::Starts => (State::Listening, Some(now + down(bench.own(), router)), false),
                Then::Listens => (State::Listening, Some(now + down(HEARD, router)), false),
                Then::ListensOn => (State::Listening, before, false),
                Then::Skews => (State::Listening, Some(now + skew(router.master_interval(), router)), false),
                Then::Lingers => (State::Lingering, Some(now + down(bench.own(), router)), true),
                Then::LingersForSkew => (State::Lingering, Some(now + skew(bench.own(), router)), true),
                Then::Claims => (State::Held, None, false),
                Then::ClaimsHolding => (State::Held, None, true),
                Then::Advertises => {
                    assert_eq!(router.advert_due(), Some(now + bench.own().duration()), "{place}");
                    (State::Master, due, true)
                }
                Then::Stops => (State::Unfit, None, false),
            };
            let then = if then == State::Resigned { State::Listening } else { then };
            assert_eq!((bench.state(), due, router.is_holding()), (then, timer, holds), "{place}");
        }
    }
}

/// When inputs come: every state has been entered before, and no timer is due yet.
const NOW: Timestamp = at_millis(550);

/// What the adverts of the table carry, to see what is learned.
const HEARD: Interval = Interval::DEFAULT;

const fn at_millis(millis: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_millis(millis))
}

fn at(nanos: u64) -> Timestamp {
    Timestamp::from_origin(Duration::from_nanos(nanos))
}

fn centis(raw: u16) -> Interval {
    Interval::from_centis(raw).unwrap()
}

fn priority(raw: u8) -> Priority {
    Priority::new(raw).unwrap()
}

fn down(interval: Interval, router: &Router) -> Duration {
    interval.down(router.spec().version, router.priority().unwrap())
}

fn skew(interval: Interval, router: &Router) -> Duration {
    interval.skew(router.spec().version, router.priority().unwrap())
}

const OURS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 5));
const LOWER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 4));
const HIGHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 6));

fn spec(preempt: Preempt) -> RouterSpec {
    RouterSpec {
        name: "r".into(),
        // Not the interval that is heard, so that what is learned can be seen.
        interval: centis(200),
        preempt,
        addresses: Arc::new([VirtualAddress::host(IpAddr::from([192, 0, 2, 1]))]),
        announcing: Announcing { repeat: 3, interval: Duration::from_secs(30), refresh: None },
        ..router::ordinary(51)
    }
}

fn fit(raw: u8) -> Fitness {
    Fitness::Fit { priority: priority(raw), source: OURS, promotion: Promotion::Allowed }
}

/// One router on a bench, without a group around it.
struct Bench {
    router: Router,
    priority: u8,
    seq: Seq,
}

impl Bench {
    fn new(spec: RouterSpec, priority: u8) -> Self {
        let router = Router::new(RouterId(0), PortId(0), None, Arc::new(spec), Timestamp::ZERO);
        Self { router, priority, seq: 0 }
    }

    fn in_state(mode: Mode, state: State) -> Self {
        let preempt = match mode {
            On => Preempt::After(Duration::ZERO),
            Off | Owner => Preempt::Never,
            Delay => Preempt::After(Duration::from_mins(1)),
        };
        let mut bench = Self::new(spec(preempt), if mode == Owner { 255 } else { 100 });
        let down = Fitness::Unfit(Unfit::InterfaceDown);
        bench.act(Timestamp::ZERO, |router, out| router.set_fitness(down, out));
        if state == State::Unfit {
            return bench;
        }
        let fitness = fit(bench.priority);
        bench.act(Timestamp::ZERO, |router, out| router.set_fitness(fitness, out));
        match state {
            State::Listening | State::Resigned if mode == Owner => {
                bench.become_master(Timestamp::ZERO);
                bench.hear(at_millis(500), HIGHER, Standing::Holding(Priority::OWNER), centis(200));
            }
            State::Lingering | State::Held | State::Master => bench.become_master(Timestamp::ZERO),
            State::Unfit | State::Listening | State::Resigned => {}
        }
        match state {
            State::Resigned => {
                bench.hear(at_millis(500), HIGHER, Standing::Resigning, centis(1));
            }
            State::Lingering => {
                bench.act(at_millis(500), |router, out| router.hand_over(Why::Demoted, out));
            }
            State::Held => {
                bench.act(at_millis(500), |router, out| router.hold_back(Verdict::Yield, out));
            }
            State::Unfit | State::Listening | State::Master => {}
        }
        bench
    }

    /// Lets its down interval pass and its group consent; the clock of the bench is then back at `now`.
    fn become_master(&mut self, now: Timestamp) {
        if let Some(due) = self.router.next_deadline() {
            self.act(due, |router, out| {
                router.on_deadline(out);
            });
        }
        self.act(now, Router::grant);
    }

    fn act<R>(&mut self, now: Timestamp, act: impl FnOnce(&mut Router, &mut Effects<'_>) -> R) -> Vec<String> {
        let mut actions = Vec::new();
        act(&mut self.router, &mut Effects::new(&mut actions, &mut self.seq, now));
        actions.iter().map(told).collect()
    }

    fn hear(&mut self, now: Timestamp, from: IpAddr, standing: Standing, interval: Interval) -> Vec<String> {
        self.act(now, |router, out| router.on_advert(from, standing, interval, out))
    }

    fn input(&mut self, input: Input, now: Timestamp) -> Vec<String> {
        let ours = self.priority;
        let owner = ours == 255;
        let holding = |raw| Standing::Holding(priority(raw));
        match input {
            Input::Resignation => self.hear(now, HIGHER, Standing::Resigning, HEARD),
            Input::Lower => self.hear(now, HIGHER, holding(50), HEARD),
            Input::EqualFromLowerAddress => self.hear(now, LOWER, holding(ours), HEARD),
            Input::EqualFromHigherAddress => self.hear(now, HIGHER, holding(ours), HEARD),
            Input::Higher if owner => self.hear(now, HIGHER, holding(255), HEARD),
            Input::Higher => self.hear(now, LOWER, holding(150), HEARD),
            Input::Deadline => self.act(now, Router::on_deadline),
            Input::Unfit => self.act(now, |router, out| router.set_fitness(Fitness::Unfit(Unfit::InterfaceDown), out)),
            Input::Fit => self.act(now, |router, out| router.set_fitness(fit(ours), out)),
            Input::Lowered => self.act(now, |router, out| router.set_fitness(fit(if owner { 100 } else { 80 }), out)),
            Input::Raised => self.act(now, |router, out| router.set_fitness(fit(if owner { 255 } else { 120 }), out)),
            Input::Grant => self.act(now, Router::grant),
            Input::HoldBack => self.act(now, |router, out| router.hold_back(Verdict::Yield, out)),
            Input::Leave => {
                self.act(now, |router, out| router.leave(Why::Stopping, Fitness::Unfit(Unfit::Stopping), out))
            }
        }
    }

    fn own(&self) -> Interval {
        self.router.spec().interval
    }

    /// The state as far as it shows outside.
    fn state(&self) -> State {
        let router = &self.router;
        match (router.verdict(), router.role(), router.next_deadline()) {
            (Verdict::Unfit, ..) => State::Unfit,
            (_, Role::Master, _) => State::Master,
            (_, _, None) => State::Held,
            (Verdict::Linger, ..) => State::Lingering,
            (Verdict::Yield | Verdict::Claim, ..) => State::Listening,
        }
    }

    /// How long it waits in this state.
    fn wait(&self, state: State) -> Duration {
        match state {
            State::Resigned => skew(self.router.master_interval(), &self.router),
            _ => down(self.router.master_interval(), &self.router),
        }
    }
}

/// An action in a word or two.
fn told(action: &Action) -> String {
    match action {
        Action::Advertise { standing: Standing::Resigning, .. } => "resign".into(),
        Action::Advertise { .. } => "advert".into(),
        Action::Hold { .. } => "hold".into(),
        Action::Release { .. } => "release".into(),
        Action::Announce { .. } => "announce".into(),
        Action::Record(record) => match &record.cause {
            Cause::Transition { to, why, .. } => format!("to {to:?}: {why:?}"),
            Cause::Priority { from, to } => format!("priority {from} to {to}"),
            Cause::Warning { warning, .. } => format!("warning {warning}"),
            other => format!("{other:?}"),
        },
        other => format!("{other:?}"),
    }
}

fn listening(version: Version, interval: Interval, raw: u8) -> Bench {
    let mut bench = Bench::new(RouterSpec { version, interval, ..spec(Preempt::After(Duration::ZERO)) }, raw);
    bench.act(Timestamp::ZERO, |router, out| router.set_fitness(fit(raw), out));
    bench
}

/// TM-01 to TM-05, TM-08, IN-02, BK-13: (version, interval in centiseconds, priority, down interval in ns).
#[test]
fn the_down_interval_is_exact_to_the_nanosecond() {
    for (version, interval, raw, nanos) in [
        (Version::V3, 100, 100, 3_609_375_000),
        (Version::V3, 1, 254, 30_078_125),
        (Version::V3, 1, 200, 32_187_500),
        (Version::V3, 1, 100, 36_093_750),
        (Version::V3, 4095, 1, 163_640_039_062),
        (Version::V2, 100, 100, 3_609_375_000),
        (Version::V2, 1000, 100, 30_609_375_000),
    ] {
        let bench = listening(version, centis(interval), raw);
        assert_eq!(bench.router.next_deadline(), Some(at(nanos)), "{version:?} {interval} {raw}");
        let mut bench = bench;
        bench.act(at(nanos - 1), Router::on_deadline);
        assert_eq!(bench.state(), State::Listening, "a nanosecond early is early");
        bench.act(at(nanos), Router::on_deadline);
        assert_eq!(bench.state(), State::Held, "and then it is time");
    }
}

/// BK-12: own 100 cs; what is heard decides.
#[test]
fn a_backup_learns_the_masters_interval() {
    for (heard, nanos) in [(10, 360_937_500), (500, 18_046_875_000)] {
        let mut bench = listening(Version::V3, centis(100), 100);
        bench.hear(at(1_000), HIGHER, Standing::Holding(priority(150)), centis(heard));
        assert_eq!(bench.router.next_deadline(), Some(at(1_000 + nanos)));
    }
}

/// BK-09: what is discarded teaches nothing.
#[test]
fn a_lower_advert_teaches_nothing_to_who_preempts() {
    let mut bench = listening(Version::V3, centis(100), 100);
    bench.hear(at_millis(100), HIGHER, Standing::Holding(priority(50)), centis(4095));
    assert_eq!(bench.router.next_deadline(), Some(at(3_609_375_000)));
}

/// BK-08, BK-14, BK-16: the skew time by the interval known before, from the last resignation.
#[test]
fn a_resignation_is_waited_out_by_the_interval_known_before() {
    let mut bench = listening(Version::V3, centis(1000), 100);
    bench.hear(at_millis(0), HIGHER, Standing::Holding(priority(150)), centis(100));
    bench.hear(at_millis(1_000), HIGHER, Standing::Resigning, centis(1));
    assert_eq!(bench.router.next_deadline(), Some(at(1_609_375_000)));
    bench.hear(at_millis(1_300), HIGHER, Standing::Resigning, centis(1));
    assert_eq!(bench.router.next_deadline(), Some(at(1_909_375_000)));
}

/// TM-03: the skew of VRRPv2 does not grow with the interval.
#[test]
fn version_2_waits_its_own_skew_after_a_resignation() {
    let mut bench = listening(Version::V2, centis(1000), 100);
    bench.hear(at_millis(1_000), HIGHER, Standing::Resigning, centis(1000));
    assert_eq!(bench.router.next_deadline(), Some(at(1_609_375_000)));
}

/// BK-13: VRRPv2 waits by its own interval.
#[test]
fn version_2_learns_no_interval() {
    let mut bench = listening(Version::V2, centis(100), 100);
    bench.hear(at_millis(1_000), HIGHER, Standing::Holding(priority(150)), centis(1000));
    assert_eq!(bench.router.next_deadline(), Some(at(1_000_000_000 + 3_609_375_000)));
}

/// IN-03: nothing learned survives Initialize.
#[test]
fn initialize_forgets_the_interval_that_was_learned() {
    let mut bench = listening(Version::V3, centis(100), 100);
    bench.hear(at_millis(100), HIGHER, Standing::Holding(priority(150)), centis(4095));
    bench.input(Input::Unfit, at_millis(200));
    bench.input(Input::Fit, at_millis(300));
    assert_eq!(bench.router.next_deadline(), Some(at(300_000_000 + 3_609_375_000)));
    assert_eq!(bench.router.heard(), None);
}

/// AC-12: as Master it counts by its own interval.
#[test]
fn a_master_sends_by_its_own_interval_whatever_it_learned() {
    let mut bench = listening(Version::V3, centis(10), 100);
    bench.hear(at_millis(0), HIGHER, Standing::Holding(priority(150)), centis(100));
    let due = bench.router.next_deadline().unwrap();
    bench.act(due, Router::on_deadline);
    bench.act(due, Router::grant);
    assert_eq!(bench.router.next_deadline(), Some(due + Duration::from_millis(100)));
}

/// TM-05: lateness does not add up.
#[test]
fn a_late_wake_does_not_move_the_rhythm() {
    let mut bench = Bench::in_state(On, State::Master);
    bench.act(at_millis(2_300), Router::on_deadline);
    assert_eq!(bench.router.advert_due(), Some(at_millis(4_000)));
}

/// A Master that is two intervals late has a peer that may have acted; one nanosecond less and it goes on.
#[test]
fn two_intervals_late_is_a_stall() {
    let late = Duration::from_secs(6);
    let mut bench = Bench::in_state(On, State::Master);
    assert_eq!(bench.act(at(5_999_999_999), Router::on_deadline)[0], "advert");
    let mut bench = Bench::in_state(On, State::Master);
    assert_eq!(bench.act(Timestamp::ZERO + late, Router::on_deadline), ["to Backup: Stalled"]);
    assert_eq!(bench.router.next_deadline(), Some(Timestamp::ZERO + late + bench.own().duration()));
    assert!(bench.router.is_holding());
}

/// The same of a Backup: it does not claim what it slept through, but listens for one interval more.
#[test]
fn a_backup_that_overslept_listens_for_an_interval() {
    let due = at(3_609_375_000);
    let mut bench = listening(Version::V3, centis(100), 100);
    bench.act(due + Duration::from_nanos(999_999_999), Router::on_deadline);
    assert_eq!(bench.state(), State::Held);
    let mut bench = listening(Version::V3, centis(100), 100);
    let late = due + Duration::from_secs(1);
    assert_eq!(bench.act(late, Router::on_deadline), Vec::<String>::new());
    assert_eq!(bench.router.next_deadline(), Some(late + Duration::from_secs(1)));
    bench.act(late + Duration::from_secs(1), Router::on_deadline);
    assert_eq!(bench.state(), State::Held);
}

/// PR-09: the delay counts from the first lower advert; after it the timer is no longer set anew.
#[test]
fn the_preempt_delay_is_exact() {
    let mut bench = Bench::new(spec(Preempt::After(Duration::from_secs(5))), 100);
    bench.act(Timestamp::ZERO, |router, out| router.set_fitness(fit(100), out));
    let mut hear = |millis| {
        bench.hear(at_millis(millis), LOWER, Standing::Holding(priority(50)), centis(100));
        bench.router.next_deadline().unwrap()
    };
    let down = Duration::from_micros(3_609_375);
    assert_eq!(hear(1_000), at_millis(1_000) + down);
    assert_eq!(hear(5_999), at_millis(5_999) + down, "4.999 s: still deferring");
    assert_eq!(hear(6_000), at_millis(5_999) + down, "5 s: not any more");
    assert_eq!(hear(7_000), at_millis(5_999) + down);
}

/// A higher Master in between begins the delay anew.
#[test]
fn the_preempt_delay_begins_anew_after_a_higher_master() {
    let mut bench = Bench::new(spec(Preempt::After(Duration::from_secs(5))), 100);
    bench.act(Timestamp::ZERO, |router, out| router.set_fitness(fit(100), out));
    bench.hear(at_millis(1_000), LOWER, Standing::Holding(priority(50)), centis(100));
    bench.hear(at_millis(2_000), HIGHER, Standing::Holding(priority(150)), centis(100));
    bench.hear(at_millis(3_000), LOWER, Standing::Holding(priority(50)), centis(100));
    bench.hear(at_millis(7_000), LOWER, Standing::Holding(priority(50)), centis(100));
    assert_eq!(bench.router.next_deadline(), Some(at_millis(7_000) + Duration::from_micros(3_609_375)));
}

/// AC-15: unsigned, in network byte order, over all of the address.
#[test]
fn a_tie_goes_to_the_higher_address() {
    for (ours, theirs) in [
        ("9.255.255.255", "10.0.0.9"),
        ("127.0.0.1", "128.0.0.1"),
        ("10.0.0.1", "10.0.0.2"),
        ("fe80::1", "fe80::2"),
        ("fe80::1:0:0:0", "fe80::8000:0:0:0"),
    ] {
        let (ours, theirs): (IpAddr, IpAddr) = (ours.parse().unwrap(), theirs.parse().unwrap());
        for (mine, other, stays) in [(ours, theirs, false), (theirs, ours, true)] {
            let mut bench = Bench::new(spec(Preempt::Never), 100);
            let fitness = Fitness::Fit { priority: priority(100), source: mine, promotion: Promotion::Allowed };
            bench.act(Timestamp::ZERO, |router, out| router.set_fitness(fitness, out));
            bench.become_master(Timestamp::ZERO);
            bench.hear(at_millis(500), other, Standing::Holding(priority(100)), centis(200));
            assert_eq!(bench.state() == State::Master, stays, "{mine} against {other}");
        }
    }
}

/// AC-16 without a storm: answered a tenth of an interval after the last advert, not sooner, and counted then.
#[test]
fn answers_keep_a_tenth_of_an_interval_apart() {
    let mut bench = Bench::in_state(On, State::Master);
    let lower = Standing::Holding(priority(50));
    let mut answers = |nanos| {
        let told = bench.hear(at(nanos), LOWER, lower, centis(200));
        told.iter().any(|action| action == "advert")
    };
    assert!(!answers(199_999_999));
    assert!(answers(200_000_000));
    assert!(!answers(399_999_999));
    assert!(answers(400_000_000));
    assert_eq!(bench.router.counters.answers_held_back, 2);
}

/// RFC 9568 leaves it open what the first one to give in means; a Master that stayed says so and announces again.
#[test]
fn a_rival_that_falls_silent_is_followed_by_announcements() {
    let mut bench = Bench::in_state(On, State::Master);
    let crossed = bench.hear(at_millis(900), LOWER, Standing::Holding(priority(50)), centis(100));
    assert_eq!(crossed, ["advert"], "it has only just taken over, and their adverts crossed");
    let heard = bench.hear(at_millis(1_200), LOWER, Standing::Holding(priority(50)), centis(100));
    assert_eq!(heard, ["warning split_brain", "advert"]);
    let gone = at_millis(1_200 + 1_500);
    assert_eq!(bench.router.next_deadline(), Some(gone));
    let told = bench.act(gone, Router::on_deadline);
    assert_eq!(told[0], "announce");
    assert!(told[1].starts_with("Reasserted"), "{told:?}");
}

/// Announcements: so many, so far apart, the first at once; then the refresh.
#[test]
fn announcements_are_repeated_and_refreshed() {
    let announcing =
        Announcing { repeat: 3, interval: Duration::from_millis(300), refresh: Some(Duration::from_secs(7)) };
    let mut bench = Bench::new(RouterSpec { announcing, ..spec(Preempt::Never) }, 100);
    bench.act(Timestamp::ZERO, |router, out| router.set_fitness(fit(100), out));
    bench.become_master(Timestamp::ZERO);
    let mut announced = Vec::new();
    while let Some(due) = bench.router.next_deadline().filter(|&due| due <= at_millis(15_000)) {
        let told = bench.act(due, Router::on_deadline);
        if told.contains(&"announce".to_owned()) {
            announced.push(due);
        }
    }
    assert_eq!(announced, [300, 600, 7_600, 14_600].map(at_millis));
}

/// A known lower peer is no reason to hand over: it would only be preempted again.
#[test]
fn a_demotion_that_changes_no_order_is_no_hand_over() {
    for (to, hands_over) in [(51, false), (50, true), (49, true)] {
        let mut bench = Bench::in_state(On, State::Master);
        bench.hear(at_millis(500), LOWER, Standing::Holding(priority(50)), centis(200));
        bench.act(NOW, |router, out| router.set_fitness(fit(to), out));
        assert_eq!(bench.state() == State::Lingering, hands_over, "to {to}");
    }
}

/// IN-01: one order of actions for every takeover.
#[test]
fn an_owner_speaks_first_then_holds_then_announces() {
    let mut bench = Bench::new(spec(Preempt::Never), 255);
    bench.act(Timestamp::ZERO, |router, out| router.set_fitness(fit(255), out));
    assert_eq!(bench.act(Timestamp::ZERO, Router::grant), ["advert", "hold", "announce", "to Master: Owner"]);
    assert_eq!(bench.router.counters.active_transitions, 1);
}
