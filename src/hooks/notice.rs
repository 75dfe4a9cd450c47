//! What a hook is told.

use crate::config::{Hook, HookPlan, HookSet};
use crate::units::Priority;
use crate::vrrp::Role;
use std::fmt;
use std::sync::Arc;

/// A state as hooks know it. In this order a sync group is in the least state of its members.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum State {
    /// It takes no part any more.
    Stop,
    /// Something it needs has failed.
    Fault,
    /// It has not taken part yet.
    Initialize,
    /// It listens.
    Backup,
    /// It holds the addresses.
    Master,
}

impl State {
    /// The state that a transition leaves.
    pub(super) const fn before(role: Role) -> Self {
        match role {
            Role::Initialize => Self::Initialize,
            Role::Backup => Self::Backup,
            Role::Master => Self::Master,
            Role::Fault => Self::Fault,
        }
    }

    /// The state that a transition enters: going back to Initialize is the end of it.
    pub(super) const fn after(role: Role) -> Self {
        match role {
            Role::Initialize => Self::Stop,
            other => Self::before(other),
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stop => "STOP",
            Self::Fault => "FAULT",
            Self::Initialize => "INITIALIZE",
            Self::Backup => "BACKUP",
            Self::Master => "MASTER",
        }
    }
}

/// Whose hooks: each has a lane of its own.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Who {
    /// A virtual router, by its label.
    Router(Arc<str>),
    /// A sync group, by its name.
    Group(Arc<str>),
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Router(name) => write!(f, "virtual router {name}"),
            Self::Group(name) => write!(f, "sync group {name}"),
        }
    }
}

/// A change of state that hooks are told, or a state that is to be believed again.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    /// Who changed.
    pub(super) who: Who,
    /// The router whose transition it was; of a group, the one that settled it.
    pub(super) router: Arc<str>,
    /// Its sync group.
    pub(super) group: Option<Arc<str>>,
    /// The state from now on.
    pub(super) state: State,
    /// The state before.
    pub(super) previous: State,
    /// The effective priority; `None` while it is unfit.
    pub(super) priority: Option<Priority>,
    /// Why the router changed, or that it stays what it was.
    pub(super) reason: &'static str,
    /// The record.
    pub(super) json: Arc<str>,
}

/// A notice with the programs that are told it.
pub(super) struct Job {
    pub(super) notice: Notice,
    pub(super) hooks: Vec<Hook>,
}

impl Notice {
    /// The programs for it, in order: the subject's own hooks, then those for all.
    pub(super) fn hooks(&self, plan: &HookPlan) -> Vec<Hook> {
        let own = match &self.who {
            Who::Router(name) => plan.routers.get(name),
            Who::Group(name) => plan.groups.get(name),
        };
        own.into_iter().chain([&plan.all]).flat_map(|set| self.hooks_of(set)).cloned().collect()
    }

    fn hooks_of<'a>(&self, set: &'a HookSet) -> impl Iterator<Item = &'a Hook> {
        let special = match self.state {
            State::Master => &set.on_master,
            State::Backup => &set.on_backup,
            State::Fault => &set.on_fault,
            State::Stop => &set.on_stop,
            State::Initialize => &None,
        };
        special.iter().chain(&set.on_change)
    }

    /// 0 while it has none, since scripts compare numbers.
    fn priority(&self) -> String {
        self.priority.map_or(0, Priority::get).to_string()
    }
}

impl Job {
    /// The environment of the programs.
    pub(super) fn environment(&self) -> Vec<(&'static str, String)> {
        let notice = &self.notice;
        let mut environment = vec![
            ("VRRPD_ROUTER", notice.router.to_string()),
            ("VRRPD_STATE", notice.state.name().into()),
            ("VRRPD_PREVIOUS_STATE", notice.previous.name().into()),
            ("VRRPD_PRIORITY", notice.priority()),
            ("VRRPD_REASON", notice.reason.into()),
        ];
        environment.extend(notice.group.as_ref().map(|group| ("VRRPD_GROUP", group.to_string())));
        environment
    }

    /// The arguments of one of the programs.
    pub(super) fn argv(&self, hook: &Hook) -> Arc<[String]> {
        if !hook.keepalived_arguments {
            return hook.argv.clone();
        }
        let (kind, name) = match &self.notice.who {
            Who::Router(name) => ("INSTANCE", name),
            Who::Group(name) => ("GROUP", name),
        };
        let appended = [kind, name, self.notice.state.name(), &self.notice.priority()].map(String::from);
        hook.argv.iter().cloned().chain(appended).collect()
    }
}
