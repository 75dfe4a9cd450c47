//! The run: events are done to the world at their times, and what the engines record becomes the time line.

use super::assertion::Calm;
use super::events::{Deed, Event, HostDeed};
use super::reign::Reign;
use super::scene::Scene;
use crate::control::{Rendering, WallClock};
use crate::engine::{Command, Outcome};
use crate::sim::{NodeId, Violation};
use crate::time::Timestamp;
use crate::vrrp::{Cause, Record, Role, Subject, Unfit, Why};
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Who asks, for drains.
const OPERATOR: &str = "the simulation";

/// The course of a simulation.
#[derive(Debug)]
pub(super) struct Course {
    pub(super) lines: Vec<Line>,
    /// One for each virtual router of the scene.
    pub(super) reigns: Vec<Reign>,
    pub(super) calms: Vec<Calm>,
}

/// One line of the time line.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) at: Duration,
    /// Whose record it is; `None` for an event.
    pub(super) host: Option<NodeId>,
    pub(super) text: String,
}

/// Runs the scene for `span` with these events, which are in the order of their times.
pub(super) fn play(scene: &mut Scene, events: &[Event], span: Duration) -> Result<Course, Violation> {
    let reigns = scene.routers.iter().map(|_| Reign::default()).collect();
    let first = Calm { after: "the start".to_owned(), from: Duration::ZERO, to: span };
    let course = Course { lines: Vec::new(), reigns, calms: vec![first] };
    let started = scene.world.node_ids().map(|id| (id, Timestamp::ZERO)).collect();
    let mut stage = Stage { scene, seen: 0, failing: BTreeSet::new(), started, course };
    for event in events {
        stage.run_until(event.at)?;
        stage.mark(event);
        stage.act(&event.deed);
        stage.collect();
    }
    stage.run_until(span)?;
    let mut course = stage.course;
    for reign in &mut course.reigns {
        reign.end(span);
    }
    Ok(course)
}

struct Stage<'a> {
    scene: &'a mut Scene,
    /// How many of the world's records are on the time line.
    seen: usize,
    /// Tracks that the time line calls failing.
    failing: BTreeSet<(NodeId, Arc<str>)>,
    /// Who started when.
    started: BTreeSet<(NodeId, Timestamp)>,
    course: Course,
}

impl Stage<'_> {
    fn now(&self) -> Duration {
        self.scene.world.now().since_origin()
    }

    fn run_until(&mut self, at: Duration) -> Result<(), Violation> {
        let span = at.saturating_sub(self.now());
        self.scene.world.run(span)?;
        self.collect();
        Ok(())
    }

    fn mark(&mut self, event: &Event) {
        self.say(None, event.deed.to_string());
        let end = self.course.calms.last_mut().map_or(event.at, |calm| std::mem::replace(&mut calm.to, event.at));
        self.course.calms.push(Calm { after: format!("\"{}\"", event.deed), from: event.at, to: end });
    }

    fn say(&mut self, host: Option<NodeId>, text: String) {
        self.course.lines.push(Line { at: self.now(), host, text });
    }

    /// Takes over what the engines have recorded since.
    fn collect(&mut self) {
        let new: Vec<_> = self.scene.world.records().get(self.seen..).unwrap_or_default().to_vec();
        self.seen += new.len();
        for (host, record) in new {
            let at = record.at.since_origin();
            if let (Subject::Router { key, .. }, Cause::Transition { to, .. }) = (&record.subject, &record.cause)
                && let Some(reign) = self.scene.position(host, key).and_then(|at| self.course.reigns.get_mut(at))
            {
                reign.note(at, host, *to == Role::Master);
            }
            if self.is_worth_a_line(host, &record) {
                let text = self.name_hosts(&text(&record));
                self.course.lines.push(Line { at, host: Some(host), text });
            }
        }
    }

    /// What every start of a healthy host brings is left out.
    fn is_worth_a_line(&mut self, host: NodeId, record: &Record) -> bool {
        match (&record.subject, &record.cause) {
            (_, Cause::Configured { .. }) => false,
            // The simulator tells of the interfaces right after the configuration; later, none is ever missing.
            (_, Cause::Transition { evidence, .. }) if evidence.unfit == Some(Unfit::InterfaceMissing) => false,
            (_, Cause::Track { result, .. }) if &**result == "no such interface" => false,
            (_, Cause::Transition { why: Why::Started, .. } | Cause::Interface { up: true, .. }) => {
                !self.started.contains(&(host, record.at))
            }
            (Subject::Track { name }, Cause::Track { healthy: false, .. }) => {
                self.failing.insert((host, Arc::clone(name)));
                true
            }
            (Subject::Track { name }, Cause::Track { .. }) => self.failing.remove(&(host, Arc::clone(name))),
            _ => true,
        }
    }

    /// Names in place of the addresses that the simulator gave.
    fn name_hosts(&self, text: &str) -> String {
        let name = |word: &str| {
            let bare = word.trim_matches(|c: char| !c.is_alphanumeric());
            let owner = bare.parse::<IpAddr>().ok().and_then(|address| self.scene.owners.get(&address));
            owner.and_then(|id| self.scene.hosts.get(id.0)).map(|host| word.replace(bare, host))
        };
        let words: Vec<String> = text.split(' ').map(|word| name(word).unwrap_or_else(|| word.to_owned())).collect();
        words.join(" ")
    }

    fn act(&mut self, deed: &Deed) {
        match deed {
            Deed::Host(deed, host) => {
                if let Some(id) = self.scene.host(host) {
                    self.act_on(*deed, id);
                }
            }
            Deed::Track { fails, track, host } => {
                let Some(id) = self.scene.host(host) else { return };
                if let Some(interface) = self.scene.watched_interface(id, track) {
                    self.scene.world.set_link(id, &interface, !fails);
                } else {
                    self.scene.world.set_health(id, track, if *fails { Outcome::Failed } else { Outcome::Passed });
                }
            }
            Deed::Way { cut, from, to } => {
                if let (Some(from), Some(to)) = (self.scene.host(from), self.scene.host(to)) {
                    self.set_way(*cut, from, to);
                }
            }
        }
    }

    fn act_on(&mut self, deed: HostDeed, id: NodeId) {
        let world = &mut self.scene.world;
        match deed {
            HostDeed::Crash => {
                world.crash(id);
                self.lose_all(id);
            }
            HostDeed::Restart => {
                if world.is_awake(id) {
                    world.stop(id);
                } else {
                    world.crash(id);
                }
                self.collect();
                self.lose_all(id);
                self.failing.retain(|(host, _)| *host != id);
                self.started.insert((id, self.scene.world.now()));
                self.scene.world.start(id);
            }
            HostDeed::Freeze => world.freeze(id),
            HostDeed::Thaw => world.thaw(id),
            HostDeed::Cut | HostDeed::Mend => {
                for other in world.node_ids().filter(|&other| other != id) {
                    self.set_way(deed == HostDeed::Cut, id, other);
                    self.set_way(deed == HostDeed::Cut, other, id);
                }
            }
            HostDeed::Drain => {
                self.ask(id, &Command::Drain { router: None, by: OPERATOR.into(), until: None, force: false });
            }
            HostDeed::Undrain => self.ask(id, &Command::Undrain { router: None, by: OPERATOR.into() }),
        }
    }

    fn set_way(&mut self, cut: bool, from: NodeId, to: NodeId) {
        for &segment in &self.scene.segments {
            if cut {
                self.scene.world.cut(segment, from, to);
            } else {
                self.scene.world.mend(segment, from, to);
            }
        }
    }

    fn ask(&mut self, id: NodeId, command: &Command) {
        match self.scene.world.ask(id, command) {
            Some(Ok(_)) => {}
            Some(Err(refused)) => self.say(Some(id), format!("refused: {refused}")),
            None => self.say(Some(id), "refused: no daemon answers".to_owned()),
        }
    }

    /// A host without a daemon is Master of nothing.
    fn lose_all(&mut self, id: NodeId) {
        let now = self.now();
        for reign in &mut self.course.reigns {
            reign.note(now, id, false);
        }
    }
}

fn text(record: &Record) -> String {
    let clock = WallClock { boottime: Timestamp::ZERO, wall: SystemTime::UNIX_EPOCH };
    Rendering::new(record, record.seq, &clock).text
}
