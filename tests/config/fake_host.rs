//! A host that says what a test tells it to.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use vrrpd::config::{FileFacts, Host, UserFacts};
use vrrpd::units::VirtualAddress;

/// Files by path with their content, and everything else that a host is asked about.
#[derive(Default)]
pub(crate) struct FakeHost {
    pub(crate) files: BTreeMap<PathBuf, Result<FileFacts, io::ErrorKind>>,
    pub(crate) links: BTreeMap<PathBuf, PathBuf>,
    pub(crate) contents: BTreeMap<PathBuf, Vec<u8>>,
    pub(crate) users: BTreeMap<String, UserFacts>,
    pub(crate) interfaces: BTreeMap<String, Vec<VirtualAddress>>,
}

impl FakeHost {
    /// Root, nobody and redis; directories that only root can write to, and one sticky; eth0 with 192.0.2.1/24.
    pub(crate) fn usual() -> Self {
        let mut host = Self::default();
        for (name, uid) in [("root", 0), ("nobody", 65534), ("redis", 100)] {
            host.users.insert(name.to_owned(), UserFacts { uid, gids: vec![uid] });
        }
        for directory in ["/", "/etc", "/etc/vrrpd"] {
            host.directory(directory, 0o755, 0);
        }
        host.directory("/tmp", 0o1777, 0);
        let own = VirtualAddress { ip: "192.0.2.1".parse().expect("an address"), prefix: 24 };
        host.interfaces.insert("eth0".to_owned(), vec![own]);
        host
    }

    pub(crate) fn directory(&mut self, path: &str, mode: u32, uid: u32) {
        let facts = FileFacts { is_directory: true, is_file: false, mode, uid, gid: uid };
        self.files.insert(path.into(), Ok(facts));
    }

    pub(crate) fn file(&mut self, path: &str, mode: u32, uid: u32) {
        let facts = FileFacts { is_directory: false, is_file: true, mode, uid, gid: uid };
        self.files.insert(path.into(), Ok(facts));
    }
}

impl Host for FakeHost {
    fn canonical(&self, path: &Path) -> io::Result<PathBuf> {
        Ok(self.links.get(path).cloned().unwrap_or_else(|| path.to_owned()))
    }

    fn file(&self, path: &Path) -> io::Result<FileFacts> {
        let found = self.files.get(path).copied().unwrap_or(Err(io::ErrorKind::NotFound));
        found.map_err(io::Error::from)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.contents.get(path).cloned().ok_or_else(|| io::ErrorKind::PermissionDenied.into())
    }

    fn user(&self, name: &str) -> Option<UserFacts> {
        self.users.get(name).cloned()
    }

    fn has_group(&self, name: &str) -> bool {
        name == "vrrpd"
    }

    fn interfaces(&self) -> BTreeMap<String, Vec<VirtualAddress>> {
        self.interfaces.clone()
    }
}
