//! Who runs a program.

use nix::unistd::{Gid, Group, Uid, getegid, geteuid};
use std::io;

/// A user with the group that its programs run in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct User {
    uid: Uid,
    gid: Gid,
}

/// Why a user cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// Nobody of that name.
    #[error("there is no user {name}: create it, or name another one")]
    NoUser {
        /// As configured.
        name: String,
    },
    /// No group of that name.
    #[error("there is no group {name}: create it, or name another one")]
    NoGroup {
        /// As configured.
        name: String,
    },
    /// The system's user data base could not be asked.
    #[error("user or group {name} could not be looked up: {source}")]
    Lookup {
        /// As configured.
        name: String,
        /// What the system said.
        source: io::Error,
    },
}

impl User {
    /// Resolves `name`, `name:group`, or numbers in their places. A user's own group is the one in the user data base;
    /// a number that is not in it is its own group.
    pub fn resolve(spec: &str) -> Result<Self, UserError> {
        let (user, group) = spec.split_once(':').map_or((spec, None), |(user, group)| (user, Some(group)));
        let Self { uid, gid } = Self::account(user)?;
        Ok(Self { uid, gid: group.map_or(Ok(gid), group_id)? })
    }

    fn account(name: &str) -> Result<Self, UserError> {
        let lookup = |errno: nix::Error| UserError::Lookup { name: name.into(), source: errno.into() };
        if let Some(user) = nix::unistd::User::from_name(name).map_err(lookup)? {
            return Ok(Self { uid: user.uid, gid: user.gid });
        }
        let number: u32 = name.parse().map_err(|_| UserError::NoUser { name: name.into() })?;
        let known = nix::unistd::User::from_uid(Uid::from_raw(number)).map_err(lookup)?;
        Ok(Self { uid: Uid::from_raw(number), gid: known.map_or(Gid::from_raw(number), |user| user.gid) })
    }

    /// The number of the user.
    #[must_use]
    pub fn uid(self) -> u32 {
        self.uid.as_raw()
    }

    /// The number of the group.
    #[must_use]
    pub fn gid(self) -> u32 {
        self.gid.as_raw()
    }

    /// Whether this process runs as that user already: changing nothing needs no privilege.
    pub(super) fn is_ours(self) -> bool {
        !geteuid().is_root() && self.uid == geteuid() && self.gid == getegid()
    }
}

fn group_id(name: &str) -> Result<Gid, UserError> {
    let lookup = |errno: nix::Error| UserError::Lookup { name: name.into(), source: errno.into() };
    if let Some(group) = Group::from_name(name).map_err(lookup)? {
        return Ok(group.gid);
    }
    name.parse().map(Gid::from_raw).map_err(|_| UserError::NoGroup { name: name.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(spec: &str) -> (u32, u32) {
        let user = User::resolve(spec).unwrap();
        (user.uid(), user.gid())
    }

    #[test]
    fn names_and_numbers_are_both_users() {
        assert_eq!(ids("root"), (0, 0));
        assert_eq!(ids("0:0"), (0, 0));
        assert_eq!(ids("nobody").0, 65534);
        assert_eq!(ids("nobody:daemon"), (65534, 1));
        assert_eq!(ids("3999999999:7"), (3_999_999_999, 7));
    }

    #[test]
    fn strangers_are_named() {
        assert_eq!(
            User::resolve("no-such-user").unwrap_err().to_string(),
            "there is no user no-such-user: create it, or name another one"
        );
        assert!(matches!(User::resolve("root:no-such-group"), Err(UserError::NoGroup { .. })));
        assert!(matches!(User::resolve(""), Err(UserError::NoUser { .. })));
    }
}
