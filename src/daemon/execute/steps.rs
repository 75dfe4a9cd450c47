//! In which steps addresses change and are announced. Thousands of routers that take over at once are taken a hundred at
//! a time, so that the first are not announced only when the last have their addresses.

use crate::vrrp::Action;

/// Routers in one step: one netlink message, where each has one address.
const AT_ONCE: usize = 128;

/// The steps, in order; one at least. Where addresses are released as well there is no more than one: an address that
/// moves between routers stays where it is.
pub(super) fn steps(actions: &[Action]) -> impl Iterator<Item = &[Action]> {
    let releases = actions.iter().any(|action| matches!(action, Action::Release { .. }));
    let most = if releases { usize::MAX } else { AT_ONCE };
    let mut held = 0;
    // A step begins with the addresses of a router, which are announced further on.
    let same_step = move |_: &Action, next: &Action| {
        held += usize::from(matches!(next, Action::Hold { .. }));
        let full = held >= most;
        if full {
            held = 0;
        }
        !full
    };
    actions.chunk_by(same_step).chain(actions.is_empty().then_some(actions))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Context, load_text};
    use crate::ids::{PortId, RouterId};
    use crate::vrrp::RouterSpec;
    use std::path::Path;
    use std::sync::Arc;

    fn spec() -> Arc<RouterSpec> {
        let text = "[virtual_router.web]\ninterface = \"eth0\"\nvirtual_router_id = 51\n\
                    virtual_addresses = [\"192.0.2.10/24\"]\n";
        let loaded = load_text(Path::new("vrrpd.toml"), text, &Context::portable()).unwrap();
        Arc::clone(&loaded.plan.groups[0].members[0])
    }

    fn takeover(routers: u32) -> Vec<Action> {
        let spec = spec();
        let one = |router: u32| {
            let (router, addresses) = (RouterId(router), Arc::clone(&spec.addresses));
            let hold = Action::Hold { router, spec: Arc::clone(&spec), addresses: Arc::clone(&addresses) };
            [hold, Action::Announce { port: PortId(1), router, spec: Arc::clone(&spec), addresses }]
        };
        (0..routers).flat_map(one).collect()
    }

    fn held(step: &[Action]) -> usize {
        step.iter().filter(|action| matches!(action, Action::Hold { .. })).count()
    }

    #[test]
    fn thousands_are_taken_a_hundred_at_a_time_each_with_its_announcement() {
        let actions = takeover(4080);
        let parts: Vec<&[Action]> = steps(&actions).collect();
        assert_eq!(parts.concat(), actions, "all of them, in order");
        assert!(parts.len() <= 33, "{} steps", parts.len());
        for part in parts {
            assert!((1..=AT_ONCE).contains(&held(part)));
            assert_eq!(part.len(), 2 * held(part), "what is held is announced in the same step");
        }
    }

    #[test]
    fn what_is_released_goes_with_all_that_is_held() {
        let mut actions = takeover(1000);
        let spec = spec();
        actions.push(Action::Release { router: RouterId(7), addresses: Arc::clone(&spec.addresses), spec });
        assert_eq!(steps(&actions).collect::<Vec<_>>(), [&actions[..]]);
    }

    #[test]
    fn nothing_new_is_one_step_for_what_was_left() {
        assert_eq!(steps(&[]).collect::<Vec<_>>(), [&[][..]]);
    }
}
