//! What must hold after every event, whatever the network does.

use super::world::{NodeId, SegmentId, World};
use crate::engine::{Engine, RouterBrief};
use crate::ids::GroupId;
use crate::time::Timestamp;
use crate::units::{Family, Priority, Vrid};
use crate::vrrp::{Action, Preempt, Role, Seq, Why};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Something that must hold.
pub trait Invariant {
    /// What it is called in a failure.
    fn name(&self) -> &'static str;

    /// Looks at the node that has just handled an event, or at all of them.
    fn check(&mut self, world: &World, node: NodeId, moment: &Moment<'_>) -> Result<(), String>;
}

/// What has just happened.
#[derive(Clone, Copy, Debug)]
pub struct Moment<'a> {
    /// The event was a tick.
    pub ticked: bool,
    /// What the engine asked for.
    pub actions: &'a [Action],
}

/// A run that went wrong: the seed to replay it with, and its last lines.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Violation {
    /// The world's seed.
    pub seed: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    pub what: String,
    /// The last lines of the trace.
    pub trace: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in &self.trace {
            writeln!(f, "  {line}")?;
        }
        write!(f, "seed {} at {:?}: {}", self.seed, self.at, self.what)
    }
}

impl std::error::Error for Violation {}

pub(super) fn everywhere() -> Vec<Box<dyn Invariant>> {
    vec![
        Box::new(GroupIsWhole),
        Box::new(HeldIsWhatRoutersHold),
        Box::new(DeadlineIsAhead),
        Box::new(RecordsAreNumbered::default()),
        Box::new(CalmHasOneMaster::default()),
    ]
}

/// The members of a group are all Master or none is.
struct GroupIsWhole;

impl Invariant for GroupIsWhole {
    fn name(&self) -> &'static str {
        "a sync group is split inside a node"
    }

    fn check(&mut self, world: &World, node: NodeId, _: &Moment<'_>) -> Result<(), String> {
        let mut last: Option<(GroupId, bool)> = None;
        for brief in world.engine(node).into_iter().flat_map(Engine::briefs) {
            let master = brief.role == Role::Master;
            if last.is_some_and(|(group, other)| group == brief.group && other != master) {
                return Err(format!("node {}, router {}", node.0, brief.spec.name));
            }
            last = Some((brief.group, master));
        }
        Ok(())
    }
}

/// The addresses on a node are those of routers that are Master, or that gave way and wait for somebody to take over.
struct HeldIsWhatRoutersHold;

impl Invariant for HeldIsWhatRoutersHold {
    fn name(&self) -> &'static str {
        "held addresses are not those of the routers that hold"
    }

    fn check(&mut self, world: &World, id: NodeId, _: &Moment<'_>) -> Result<(), String> {
        let (Some(engine), Some(node)) = (world.engine(id), world.nodes.get(id.0)) else { return Ok(()) };
        let mut expected = 0;
        for RouterBrief { router, spec, role, why, holding, .. } in engine.briefs() {
            let may_hold = match role {
                Role::Master => true,
                Role::Backup => matches!(why, Why::Demoted | Why::Drained | Why::Stalled | Why::HeldByGroup),
                Role::Initialize | Role::Fault => false,
            };
            if holding != may_hold && (holding || role == Role::Master) {
                return Err(format!("node {}: {} is {role:?} ({why:?}), holding: {holding}", id.0, spec.name));
            }
            if !holding {
                continue;
            }
            for address in spec.held() {
                expected += 1;
                if !node.held.contains(&(router, address)) {
                    return Err(format!("node {}: {address} of {} is missing", id.0, spec.name));
                }
            }
        }
        if expected == node.held.len() {
            Ok(())
        } else {
            Err(format!("node {}: {} addresses held, {expected} expected", id.0, node.held.len()))
        }
    }
}

/// A tick leaves nothing undone.
struct DeadlineIsAhead;

impl Invariant for DeadlineIsAhead {
    fn name(&self) -> &'static str {
        "a deadline is due after a tick"
    }

    fn check(&mut self, world: &World, node: NodeId, moment: &Moment<'_>) -> Result<(), String> {
        let due = world.engine(node).and_then(Engine::next_deadline).filter(|&due| due <= world.now());
        match due {
            Some(due) if moment.ticked => Err(format!("node {}, {due:?}", node.0)),
            _ => Ok(()),
        }
    }
}

/// Records are numbered from 1, without gaps.
#[derive(Default)]
struct RecordsAreNumbered {
    last: BTreeMap<NodeId, (u32, Seq)>,
}

impl Invariant for RecordsAreNumbered {
    fn name(&self) -> &'static str {
        "records are not numbered in order"
    }

    fn check(&mut self, world: &World, node: NodeId, moment: &Moment<'_>) -> Result<(), String> {
        let epoch = world.nodes.get(node.0).map_or(0, |node| node.epoch);
        let last = self.last.entry(node).or_default();
        if last.0 != epoch {
            *last = (epoch, 0);
        }
        for action in moment.actions {
            let Action::Record(record) = action else { continue };
            if record.seq != last.1 + 1 {
                return Err(format!("node {}: {} after {}", node.0, record.seq, last.1));
            }
            last.1 = record.seq;
        }
        Ok(())
    }
}

/// Where nothing has been wrong for ten down intervals, each virtual router that somebody can serve has one Master,
/// and its addresses are held there alone.
#[derive(Default)]
struct CalmHasOneMaster {
    events: u32,
}

/// What a virtual router is to a whole segment.
type Place = (SegmentId, Family, Vrid);

#[derive(Default)]
struct Seen {
    able: u32,
    masters: u32,
    holders: u32,
}

impl Invariant for CalmHasOneMaster {
    fn name(&self) -> &'static str {
        "a calm network has not exactly one Master"
    }

    fn check(&mut self, world: &World, _: NodeId, _: &Moment<'_>) -> Result<(), String> {
        self.events = self.events.wrapping_add(1);
        if !self.events.is_multiple_of(8) || !world.is_calm() {
            return Ok(());
        }
        for (place, seen) in world.survey() {
            let one = u32::from(seen.able > 0);
            if seen.masters != one || seen.holders != one {
                let Seen { able, masters, holders } = seen;
                return Err(format!("{place:?}: {able} able, {masters} Master, {holders} holding"));
            }
        }
        Ok(())
    }
}

impl World {
    /// Whether nothing has been wrong, and nobody has changed anything, for long enough that all has settled.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.now() - self.disturbed >= self.settling
            && self.cuts.is_empty()
            && self.segments.iter().all(super::Quality::is_faithful)
            && self.nodes.iter().all(|node| !node.frozen)
    }

    /// Ten down intervals of the slowest router, and whatever else the plans have somebody wait for.
    pub(super) fn settling_time(&self) -> Duration {
        let mut slowest = Duration::ZERO;
        let mut waits = Duration::ZERO;
        for plan in self.nodes.iter().map(|node| &node.plan) {
            for spec in plan.groups.iter().flat_map(|group| &group.members) {
                let weakest = Priority::new(1).unwrap_or(Priority::OWNER);
                slowest = slowest.max(spec.interval.down(spec.version, weakest));
                if let Preempt::After(delay) = spec.preempt {
                    waits = waits.max(delay);
                }
            }
            for track in &plan.trackers {
                let turns = u32::from(track.rise.max(track.fall));
                waits = waits.max((track.interval + track.timeout) * turns + plan.startup_delay);
            }
        }
        slowest * 10 + waits
    }

    fn survey(&self) -> BTreeMap<Place, Seen> {
        let mut survey: BTreeMap<Place, Seen> = BTreeMap::new();
        for node in &self.nodes {
            let briefs: Vec<RouterBrief<'_>> = node.engine.iter().flat_map(Engine::briefs).collect();
            for brief in &briefs {
                let key = &brief.spec.key;
                let Some(interface) = node.interfaces.iter().find(|at| at.name == key.interface) else { continue };
                let seen = survey.entry((interface.segment, key.family, key.vrid)).or_default();
                let able = briefs.iter().filter(|other| other.group == brief.group).all(|other| other.able);
                seen.able += u32::from(able);
                seen.masters += u32::from(brief.role == Role::Master);
                seen.holders += u32::from(brief.holding);
            }
        }
        survey
    }
}
