//! A configuration file of keepalived's: whatever it says, what comes of it is TOML.

use std::io;
use std::path::{Path, PathBuf};
use vrrpd::config::keepalived::{Surroundings, import};

/// A host with nothing on it.
struct Nowhere;

impl Surroundings for Nowhere {
    fn config_id(&self) -> String {
        "main".to_owned()
    }

    fn matching(&self, _: &Path, _: &str) -> Vec<PathBuf> {
        Vec::new()
    }

    fn read(&self, _: &Path) -> io::Result<String> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        Path::new("/etc/keepalived").join(path)
    }

    fn program(&self, _: &str) -> Option<PathBuf> {
        None
    }

    fn has_user(&self, _: &str) -> bool {
        false
    }
}

/// Tries one input.
pub(crate) fn run(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let imported = import(Path::new("keepalived.conf"), text, &Nowhere);
    let parsed = toml::from_str::<toml::Table>(&imported.toml);
    assert!(parsed.is_ok(), "{parsed:?}\n{}", imported.toml);
}
