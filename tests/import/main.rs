//! keepalived's configuration becomes ours: whole files, single lines, and hostile texts.
#![allow(clippy::format_collect, reason = "a few short lines")]

mod command;
mod hostile;
mod lines;
mod samples;

use std::io;
use std::path::{Path, PathBuf};
use vrrpd::config::keepalived::{Import, Surroundings, ThisHost, import};

/// A host whose answers do not depend on the one that the tests run on.
#[derive(Debug, Default)]
struct SomeHost {
    files: ThisHost,
    has_keepalived_user: bool,
}

impl Surroundings for SomeHost {
    fn config_id(&self) -> String {
        "main".to_owned()
    }

    fn matching(&self, directory: &Path, pattern: &str) -> Vec<PathBuf> {
        self.files.matching(directory, pattern)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        self.files.read(path)
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        Path::new("/etc/keepalived").join(path)
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        (name == "pgrep").then(|| PathBuf::from("/usr/bin/pgrep"))
    }

    fn has_user(&self, _: &str) -> bool {
        self.has_keepalived_user
    }
}

fn imported(text: &str) -> Import {
    import(Path::new("keepalived.conf"), text, &SomeHost::default())
}
