//! Who may change something: root, and members of the control group.

use nix::unistd::{Gid, Group, Uid, User};
use std::sync::Arc;
use tokio::net::unix::UCred;
use tokio::task::spawn_blocking;

/// The rule, with the control group's name.
#[derive(Clone, Debug)]
pub(super) struct Authority {
    group: Arc<str>,
}

impl Authority {
    pub(super) fn new(group: &str) -> Self {
        Self { group: group.into() }
    }

    /// Whether this peer may change something. The group is looked up anew each time, so that a new member need not
    /// wait for a restart; off the service loop, since the user database may be a directory server far away.
    pub(super) async fn allows(&self, peer: UCred) -> bool {
        if peer.uid() == 0 {
            return true;
        }
        let group = Arc::clone(&self.group);
        let (uid, gid) = (Uid::from_raw(peer.uid()), Gid::from_raw(peer.gid()));
        spawn_blocking(move || is_member(&group, uid, gid)).await.unwrap_or(false)
    }

    /// Who the peer is, for the history: `alice (uid 1000)`.
    pub(super) async fn name(peer: UCred) -> Arc<str> {
        let uid = Uid::from_raw(peer.uid());
        let named = spawn_blocking(move || User::from_uid(uid).ok().flatten()).await.ok().flatten();
        named.map_or_else(|| format!("uid {uid}"), |user| format!("{} (uid {uid})", user.name)).into()
    }

    /// What to tell whom it does not allow.
    pub(super) fn refusal(&self, peer: UCred) -> String {
        format!(
            "this needs root or membership of the group {} (you are uid {}): add the user to the group, or use sudo",
            self.group,
            peer.uid()
        )
    }
}

/// Whether a user is in the group: by the peer's own group, by its primary group, or listed as a member.
fn is_member(group: &str, uid: Uid, gid: Gid) -> bool {
    let Ok(Some(group)) = Group::from_name(group) else { return false };
    if gid == group.gid {
        return true;
    }
    User::from_uid(uid).is_ok_and(|user| user.is_some_and(|user| has_member(&group, &user)))
}

fn has_member(group: &Group, user: &User) -> bool {
    user.gid == group.gid || group.mem.contains(&user.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A base system lists no member of any group.
    #[test]
    fn a_user_that_the_group_lists_is_a_member() {
        let nobody = User::from_uid(Uid::from_raw(65534)).unwrap().expect("every Linux has it");
        let mut group = Group::from_name("daemon").unwrap().expect("every Linux has it");
        assert!(!has_member(&group, &nobody));
        group.mem = vec!["somebody".to_owned(), nobody.name.clone()];
        assert!(has_member(&group, &nobody));
    }

    /// Debian's base system has the user `daemon` (1) with the primary group `daemon` (1), and no member listed.
    #[test]
    fn membership_is_by_primary_group_or_by_the_peers_own() {
        let (user, group) = (Uid::from_raw(1), Gid::from_raw(1));
        let stranger = Gid::from_raw(65534);
        assert!(is_member("daemon", user, stranger), "by the user's primary group");
        assert!(is_member("daemon", Uid::from_raw(65534), group), "by the group the peer runs with");
        assert!(!is_member("daemon", Uid::from_raw(65534), stranger));
        assert!(!is_member("no-such-group", user, group), "a group that does not exist has no members");
    }
}
