//! Maintenance: an operator drains a group, which hands over and stays Backup until it is undrained or time is up.
//!
//! Backups are silent, so nobody can know whether one is there until it takes over. Draining a Master therefore asks
//! the network: it resigns, keeps its addresses, and waits. Once another Master is heard the drain holds; where its own
//! timer fires first, nobody was there, and it is Master again and not drained. With `force` it does not wait.

use super::deadlines::Due;
use super::{Command, Engine, Group};
use crate::ids::GroupId;
use crate::time::Timestamp;
use crate::vrrp::{Cause, Effects, Fitness, Role, Why};
use std::sync::Arc;
use std::time::Duration;

/// A drain in force.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub struct Drain {
    /// Who asked.
    pub by: Arc<str>,
    /// Since when.
    pub since: Timestamp,
    /// When it ends by itself.
    pub until: Option<Timestamp>,
    /// It has resigned, still has its addresses, and waits for another Master to be heard.
    pub handing_over: bool,
}

/// Why a command changed nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum CommandRefused {
    /// No such router.
    #[error("no virtual router or sync group is called {name}: {}", known_ones(known))]
    Unknown {
        /// What was asked for.
        name: Arc<str>,
        /// What there is.
        known: Vec<Arc<str>>,
    },
    /// It is Backup, but to whom?
    #[error(
        "{name} is not Master, and no other Master is heard: if it were drained, nobody would hold its addresses. \
         Start the other host first, or use --force"
    )]
    NobodyElse {
        /// The router or sync group.
        name: Arc<str>,
    },
}

fn known_ones(known: &[Arc<str>]) -> String {
    if known.is_empty() { "there are none".to_owned() } else { format!("there are {}", known.join(", ")) }
}

/// Who withdraws a drain that found nobody.
const NOBODY_TOOK_OVER: &str = "vrrpd, since nobody took over: it is Master again";

/// Who ends a drain of limited time.
const TIME_IS_UP: &str = "vrrpd, since its time was up";

impl Engine {
    /// Carries out an operator's command; says which routers it was about, or why nothing was done.
    pub fn command(
        &mut self,
        command: &Command,
        now: Timestamp,
        actions: &mut Vec<crate::vrrp::Action>,
    ) -> Result<Vec<Arc<str>>, CommandRefused> {
        let mut outcome = Ok(Vec::new());
        self.with_effects(now, actions, |engine, out| outcome = engine.on_command(command, out));
        outcome
    }

    /// Takes up a drain of an earlier run, by the name of a router. Before the first plan, so that an owner of its
    /// addresses does not become Master for a moment.
    pub fn restore_drain(&mut self, router: Arc<str>, drain: Drain) {
        self.restored.insert(router, drain);
    }

    pub(super) fn on_command(
        &mut self,
        command: &Command,
        out: &mut Effects<'_>,
    ) -> Result<Vec<Arc<str>>, CommandRefused> {
        match command {
            Command::Drain { router, by, until, force } => {
                let groups = self.groups_called(router.as_ref())?;
                if let Some(&lonely) = groups.iter().find(|&&id| !force && self.is_without_master(id)) {
                    return Err(CommandRefused::NobodyElse { name: self.group_label(lonely) });
                }
                for &id in &groups {
                    self.drain(id, by, *until, *force, out);
                }
                Ok(self.labels_of(&groups))
            }
            Command::Undrain { router, by } => {
                let groups = self.groups_called(router.as_ref())?;
                for &id in &groups {
                    self.forgive(id, out);
                    self.undrain(id, by, out);
                }
                Ok(self.labels_of(&groups))
            }
        }
    }

    /// A group is drained as a whole: its members stand and fall together.
    fn groups_called(&self, name: Option<&Arc<str>>) -> Result<Vec<GroupId>, CommandRefused> {
        let ids = || (0..).map(GroupId).zip(&self.groups);
        let Some(name) = name else { return Ok(ids().map(|(id, _)| id).collect()) };
        let called = |group: &Group| {
            group.name.as_ref() == Some(name)
                || group.members.iter().any(|&id| self.slot(id).router.spec().name == *name)
        };
        if let Some((id, _)) = ids().find(|(_, group)| called(group)) {
            Ok(vec![id])
        } else {
            let all: Vec<GroupId> = ids().map(|(id, _)| id).collect();
            Err(CommandRefused::Unknown { name: Arc::clone(name), known: self.labels_of(&all) })
        }
    }

    fn labels_of(&self, groups: &[GroupId]) -> Vec<Arc<str>> {
        let members = groups.iter().flat_map(|id| &self.groups[id.0 as usize].members);
        members.map(|&id| Arc::clone(&self.slot(id).router.spec().name)).collect()
    }

    fn group_label(&self, id: GroupId) -> Arc<str> {
        let named = self.groups[id.0 as usize].name.clone();
        named.or_else(|| self.labels_of(&[id]).into_iter().next()).unwrap_or_default()
    }

    /// Fit, not Master, and nobody else heard as Master: taking it out of the election would leave nobody.
    fn is_without_master(&self, id: GroupId) -> bool {
        self.groups[id.0 as usize].members.iter().any(|&member| {
            let router = &self.slot(member).router;
            let fit = matches!(router.fitness(), Fitness::Fit { .. });
            let other = router.heard().is_some_and(|heard| heard.priority.is_some());
            fit && router.role() != Role::Master && !other
        })
    }

    fn drain(&mut self, id: GroupId, by: &Arc<str>, span: Option<Duration>, force: bool, out: &mut Effects<'_>) {
        let group = &mut self.groups[id.0 as usize];
        let members = group.members.clone();
        let now = out.now();
        let until = span.map(|span| now + span);
        let was = group.drain.take();
        let since = was.as_ref().map_or(now, |drain| drain.since);
        let masters = members.iter().any(|&member| {
            let router = &self.slot(member).router;
            router.role() == Role::Master || router.is_holding()
        });
        let handing_over = !force && masters;
        self.groups[id.0 as usize].drain = Some(Drain { by: Arc::clone(by), since, until, handing_over });
        for &member in &members {
            let router = &mut self.slot_mut(member).router;
            out.record(router.subject(), Cause::Drain { on: true, by: Arc::clone(by), until });
            router.hand_over(Why::Drained, out);
        }
        self.arm_drain_over();
        self.refit(id, out);
    }

    /// Lets a group stand in the election again that retreated from somebody who kept removing what it holds.
    fn forgive(&mut self, id: GroupId, out: &mut Effects<'_>) {
        let mut any = false;
        for member in self.groups[id.0 as usize].members.clone() {
            any |= self.slot_mut(member).router.forgive_interference();
        }
        if any {
            self.refit(id, out);
        }
    }

    fn undrain(&mut self, id: GroupId, by: &Arc<str>, out: &mut Effects<'_>) {
        let group = &mut self.groups[id.0 as usize];
        if group.drain.take().is_none() {
            return;
        }
        for member in group.members.clone() {
            out.record(self.slot(member).router.subject(), Cause::Drain { on: false, by: Arc::clone(by), until: None });
        }
        self.refit(id, out);
    }

    /// Whether somebody took over, as soon as that is clear.
    pub(super) fn follow_hand_over(&mut self, id: GroupId, out: &mut Effects<'_>) {
        let group = &self.groups[id.0 as usize];
        if !group.drain.as_ref().is_some_and(|drain| drain.handing_over) {
            return;
        }
        let routers = || group.members.iter().map(|&member| &self.slot(member).router);
        if routers().any(|router| router.role() == Role::Master) {
            self.undrain(id, &NOBODY_TOOK_OVER.into(), out);
        } else if !routers().any(crate::vrrp::Router::is_holding) {
            if let Some(drain) = &mut self.groups[id.0 as usize].drain {
                drain.handing_over = false;
            }
            self.refit(id, out);
        }
    }

    pub(super) fn arm_drain_over(&mut self) {
        let ends = self.groups.iter().filter_map(|group| group.drain.as_ref()?.until);
        if let Some(at) = ends.min() {
            self.deadlines.arm(Due::DrainOver, at, self.now);
        }
    }

    pub(super) fn on_drain_over(&mut self, out: &mut Effects<'_>) {
        let over =
            |group: &Group| group.drain.as_ref().and_then(|drain| drain.until).is_some_and(|until| until <= out.now());
        let ended: Vec<GroupId> =
            (0..).map(GroupId).zip(&self.groups).filter(|(_, group)| over(group)).map(|(id, _)| id).collect();
        for id in ended {
            self.undrain(id, &TIME_IS_UP.into(), out);
        }
        self.arm_drain_over();
    }
}
