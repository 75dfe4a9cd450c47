//! What operators ask of a running engine.

use super::{Command, Engine};
use crate::ids::GroupId;
use crate::vrrp::{Cause, Effects, Why};
use std::sync::Arc;

impl Engine {
    pub(super) fn on_command(&mut self, command: Command, out: &mut Effects<'_>) {
        match command {
            Command::Drain { router, by } => self.set_drained(router.as_deref(), true, &by, out),
            Command::Undrain { router, by } => self.set_drained(router.as_deref(), false, &by, out),
        }
    }

    /// A group is drained as a whole: its members stand and fall together.
    fn set_drained(&mut self, label: Option<&str>, on: bool, by: &Arc<str>, out: &mut Effects<'_>) {
        for index in 0..self.groups.len() {
            let id = GroupId(u32::try_from(index).expect("groups are numbered in 32 bits"));
            let group = &self.groups[index];
            let named = |name: &str| label.is_none_or(|label| label == name);
            let meant = group.name.as_deref().is_some_and(named)
                || group.members.iter().any(|&member| named(&self.slot(member).router.spec().name));
            if !meant || group.drained == on {
                continue;
            }
            let members = group.members.clone();
            self.groups[index].drained = on;
            for &member in &members {
                let router = &mut self.slot_mut(member).router;
                out.record(router.subject(), Cause::Drain { on, by: Arc::clone(by) });
                if on {
                    router.hand_over(Why::Drained, out);
                }
            }
            self.refit(id, out);
        }
    }
}
