//! What the engine is to run: the resolved configuration.

use crate::ids::RouterKey;
use crate::track::{Attachment, TrackerSpec};
use crate::units::Priority;
use crate::vrrp::RouterSpec;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// The whole of it. Two plans are compared to find what a reload changes.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Plan {
    /// Every virtual router is in exactly one group.
    pub groups: Vec<GroupPlan>,
    /// Every track that a group names, by name.
    pub trackers: Vec<Arc<TrackerSpec>>,
    /// How long after the start nothing stands in the election.
    pub startup_delay: Duration,
}

/// Routers that stand and fall together.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GroupPlan {
    /// The sync group's name; `None` for the group of one that a lone router forms.
    pub name: Option<Arc<str>>,
    /// What they stand for election with.
    pub candidacy: Candidacy,
    /// At least one.
    pub members: Vec<Arc<RouterSpec>>,
}

/// One priority for the whole group, and what bears on it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Candidacy {
    /// The base priority.
    pub priority: Priority,
    /// The tracks that move it.
    pub track: Vec<Attachment>,
    /// Tracks that must be healthy before a Backup takes over.
    pub promote_only_with: Vec<Arc<str>>,
}

/// One difference between two plans.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Change {
    /// A virtual router comes.
    Added(Arc<RouterSpec>),
    /// A virtual router goes.
    Removed(Arc<RouterSpec>),
    /// A virtual router stays, and something about it is different.
    Amended {
        /// As it was.
        from: Arc<RouterSpec>,
        /// As it will be.
        to: Arc<RouterSpec>,
    },
    /// A group's priority, tracks or members are different; the group is named by its first member where it has no
    /// name.
    Group {
        /// Its name.
        name: Arc<str>,
        /// As it was; `None` where it is new.
        from: Option<GroupPlan>,
        /// As it will be; `None` where it goes.
        to: Option<GroupPlan>,
    },
    /// A track is different.
    Track {
        /// Its name.
        name: Arc<str>,
        /// As it was; `None` where it is new.
        from: Option<Arc<TrackerSpec>>,
        /// As it will be; `None` where it goes.
        to: Option<Arc<TrackerSpec>>,
    },
}

impl Plan {
    /// What is different in `next`. `a.diff(&a)` is empty, whatever the order things stand in.
    #[must_use]
    pub fn diff(&self, next: &Self) -> Vec<Change> {
        let routers = pairs(self.routers(), next.routers()).into_iter().filter_map(|pair| match pair {
            (None, Some(to)) => Some(Change::Added(to)),
            (Some(from), None) => Some(Change::Removed(from)),
            (Some(from), Some(to)) if from != to => Some(Change::Amended { from, to }),
            _ => None,
        });
        let tracks = pairs(by_name(&self.trackers), by_name(&next.trackers)).into_iter().filter_map(|(from, to)| {
            let name = Arc::clone(&from.as_ref().or(to.as_ref())?.name);
            (from != to).then_some(Change::Track { name, from, to })
        });
        let groups = pairs(self.groups_by_name(), next.groups_by_name()).into_iter().filter_map(|(from, to)| {
            let name = from.as_ref().or(to.as_ref())?.label();
            let same = match (&from, &to) {
                (Some(from), Some(to)) => from.name == to.name && from.stands_like(to),
                // A lone router that comes or goes has said so already.
                (Some(lone), None) | (None, Some(lone)) => lone.name.is_none(),
                (None, None) => true,
            };
            (!same).then_some(Change::Group { name, from, to })
        });
        routers.chain(groups).chain(tracks).collect()
    }

    /// Lets what is the same as in `running` be the same in memory: whoever compares the two compares pointers.
    pub fn share(&mut self, running: &Self) {
        let routers = running.routers();
        for spec in self.groups.iter_mut().flat_map(|group| &mut group.members) {
            share(spec, routers.get(&spec.key));
        }
        let trackers = by_name(&running.trackers);
        for spec in &mut self.trackers {
            share(spec, trackers.get(&spec.name));
        }
    }

    fn routers(&self) -> BTreeMap<RouterKey, Arc<RouterSpec>> {
        let members = self.groups.iter().flat_map(|group| &group.members);
        members.map(|spec| (spec.key.clone(), Arc::clone(spec))).collect()
    }

    fn groups_by_name(&self) -> BTreeMap<Arc<str>, GroupPlan> {
        self.groups.iter().map(|group| (group.label(), group.clone())).collect()
    }
}

impl GroupPlan {
    /// Its name, or for a lone router the router's.
    #[must_use]
    pub fn label(&self) -> Arc<str> {
        let lone = || self.members.first().map_or_else(|| Arc::from(""), |spec| Arc::clone(&spec.name));
        self.name.clone().unwrap_or_else(lone)
    }

    /// Whether both have the same candidacy and the same members, however those are configured.
    fn stands_like(&self, other: &Self) -> bool {
        let keys = |group: &Self| group.members.iter().map(|spec| spec.key.clone()).collect::<Vec<_>>();
        self.candidacy == other.candidacy && keys(self) == keys(other)
    }
}

fn share<T: Eq>(new: &mut Arc<T>, running: Option<&Arc<T>>) {
    if let Some(same) = running.filter(|running| *running == new) {
        *new = Arc::clone(same);
    }
}

fn by_name(trackers: &[Arc<TrackerSpec>]) -> BTreeMap<Arc<str>, Arc<TrackerSpec>> {
    trackers.iter().map(|spec| (Arc::clone(&spec.name), Arc::clone(spec))).collect()
}

/// Matches what two maps say of each key, in the order of the keys.
fn pairs<K: Ord + Clone, V>(mut from: BTreeMap<K, V>, mut to: BTreeMap<K, V>) -> Vec<(Option<V>, Option<V>)> {
    let keys: BTreeSet<K> = from.keys().chain(to.keys()).cloned().collect();
    keys.into_iter().map(|key| (from.remove(&key), to.remove(&key))).collect()
}
