//! What a configuration depends on beyond its own text: users, files and interfaces of the host it is for.

use super::diagnostic::Diagnostics;
use super::reader::At;
use crate::units::VirtualAddress;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// A host, as far as a configuration can be checked against it.
pub trait Host {
    /// The path without symbolic links.
    fn canonical(&self, path: &Path) -> io::Result<PathBuf>;
    /// What a path leads to, symbolic links followed.
    fn file(&self, path: &Path) -> io::Result<FileFacts>;
    /// The content of a small file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;
    /// `None` where there is no such user.
    fn user(&self, name: &str) -> Option<UserFacts>;
    /// Whether there is such a group.
    fn has_group(&self, name: &str) -> bool;
    /// Every interface by name, with its addresses.
    fn interfaces(&self) -> BTreeMap<String, Vec<VirtualAddress>>;
}

/// What matters of a file's status.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileFacts {
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it is a regular file.
    pub is_file: bool,
    /// The permission bits, with the sticky bit.
    pub mode: u32,
    /// Its owner.
    pub uid: u32,
    /// Its group.
    pub gid: u32,
}

/// What matters of a user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserFacts {
    /// The user's number.
    pub uid: u32,
    /// Every group the user is in.
    pub gids: Vec<u32>,
}

/// Why, and for which host, a configuration is loaded.
#[derive(Clone, Copy)]
pub struct Context<'h> {
    host: Option<&'h dyn Host>,
    lenient: bool,
}

/// It failed, and the report says why.
pub(super) struct Reported;

impl<'h> Context<'h> {
    /// To run on this host: whatever stands in the way is an error.
    #[must_use]
    pub fn run(host: &'h dyn Host) -> Self {
        Self { host: Some(host), lenient: false }
    }

    /// To check for this host, perhaps without the privilege to look at all of it: what cannot be seen is a warning.
    #[must_use]
    pub fn check(host: &'h dyn Host) -> Self {
        Self { host: Some(host), lenient: true }
    }

    /// To check without any host.
    #[must_use]
    pub fn portable() -> Self {
        Self { host: None, lenient: true }
    }

    pub(super) fn host(&self) -> Option<&'h dyn Host> {
        self.host
    }

    /// Whether this error only says that the checker may not look.
    pub(super) fn excuses(&self, error: &io::Error) -> bool {
        self.lenient && error.kind() == io::ErrorKind::PermissionDenied
    }

    /// The secret in a file without the end of its line; `None` where it is not to be read.
    pub(super) fn secret(&self, file: &At<PathBuf>, report: &mut Diagnostics) -> Result<Option<Vec<u8>>, Reported> {
        let Some(host) = self.host else { return Ok(None) };
        let path = file.value.display();
        let facts = host.file(&file.value).and_then(|facts| Ok((facts, host.read(&file.value)?)));
        match facts {
            Ok((facts, _)) if facts.mode & 0o077 != 0 => {
                report
                    .error(file.place, format!("{path} can be read by others than its owner (mode {:04o})", facts.mode))
                    .help(format!("run: chmod 0600 {path}"));
                Err(Reported)
            }
            Ok((_, mut secret)) => {
                while secret.last().is_some_and(|octet| matches!(octet, b'\n' | b'\r')) {
                    secret.pop();
                }
                Ok(Some(secret))
            }
            Err(error) if self.excuses(&error) => {
                report
                    .warning(file.place, format!("{path} is not readable for you, so it was not checked"))
                    .help("run this as root to check it too");
                Ok(None)
            }
            Err(error) => {
                report
                    .error(file.place, format!("{path}: {error}"))
                    .help("the secret has to be there when the daemon starts");
                Err(Reported)
            }
        }
    }
}
