//! The state of a sync group as a whole, from the transitions of its members.

use super::notice::State;
use std::collections::BTreeMap;
use std::sync::Arc;

/// All sync groups.
#[derive(Default)]
pub(super) struct Groups(BTreeMap<Arc<str>, Group>);

struct Group {
    members: BTreeMap<Arc<str>, State>,
    state: State,
}

impl Groups {
    /// A member has entered a state, or is no longer a member (`None`). Answers what the group has left and entered,
    /// where that changes it: it is Master when all of its members are, and in a fault when one is.
    pub(super) fn update(
        &mut self,
        group: &Arc<str>,
        member: &Arc<str>,
        state: Option<State>,
    ) -> Option<(State, State)> {
        let fresh = || Group { members: BTreeMap::new(), state: State::Initialize };
        let group = self.0.entry(group.clone()).or_insert_with(fresh);
        match state {
            Some(state) => group.members.insert(member.clone(), state),
            None => group.members.remove(member),
        };
        let entered = group.members.values().min().copied().unwrap_or(State::Stop);
        let left = std::mem::replace(&mut group.state, entered);
        (left != entered).then_some((left, entered))
    }

    /// Whether the group as a whole is Master.
    pub(super) fn is_master(&self, group: &Arc<str>) -> bool {
        self.0.get(group).is_some_and(|group| group.state == State::Master)
    }
}

#[cfg(test)]
mod tests {
    use super::State::{Backup, Fault, Initialize, Master, Stop};
    use super::*;

    /// Each row: a member, the state it enters, and what the group is then told.
    #[test]
    fn a_group_is_told_once_for_each_state_of_the_whole() {
        let mut groups = Groups::default();
        for (member, state, told) in [
            ("web", Some(Backup), Some((Initialize, Backup))),
            ("web6", Some(Backup), None),
            ("web", Some(Master), None),
            ("web6", Some(Master), Some((Backup, Master))),
            ("web", Some(Fault), Some((Master, Fault))),
            ("web6", Some(Backup), None),
            ("web", Some(Backup), Some((Fault, Backup))),
            ("web6", Some(Stop), Some((Backup, Stop))),
            ("web", Some(Stop), None),
            ("web", None, None),
            ("web6", None, None),
        ] {
            assert_eq!(groups.update(&"site".into(), &member.into(), state), told, "{member} {state:?}");
        }
    }
}
