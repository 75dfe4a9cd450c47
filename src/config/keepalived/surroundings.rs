//! What an import asks the host that it runs on.

use nix::unistd::{User, gethostname};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// What an import asks of a host.
pub trait Surroundings {
    /// What `@ID` lines are compared with.
    fn config_id(&self) -> String;

    /// The files of a pattern, relative to a directory, in the order of their names.
    fn matching(&self, directory: &Path, pattern: &str) -> Vec<PathBuf>;

    /// The text of a file.
    fn read(&self, path: &Path) -> io::Result<String>;

    /// A path that does not depend on the directory that one stands in.
    fn absolute(&self, path: &Path) -> PathBuf;

    /// Where the program of this name is.
    fn program(&self, name: &str) -> Option<PathBuf>;

    /// Whether there is a user of this name.
    fn has_user(&self, name: &str) -> bool;
}

/// This host.
#[derive(Clone, Debug, Default)]
pub struct ThisHost {
    /// What to compare `@ID` lines with; the first part of the host's name where there is none.
    pub config_id: Option<String>,
}

/// Where keepalived looks for programs.
const DIRECTORIES: [&str; 5] = ["/usr/local/bin", "/usr/bin", "/bin", "/usr/sbin", "/sbin"];

/// No configuration that means something is larger, in octets.
const LARGEST: u64 = 16 << 20;

impl Surroundings for ThisHost {
    fn config_id(&self) -> String {
        self.config_id.clone().unwrap_or_else(|| {
            let name = gethostname().unwrap_or_default();
            name.to_string_lossy().split('.').next().unwrap_or_default().to_owned()
        })
    }

    fn matching(&self, directory: &Path, pattern: &str) -> Vec<PathBuf> {
        let escaped = glob::Pattern::escape(&directory.to_string_lossy());
        let whole = Path::new(&escaped).join(pattern);
        glob::glob(&whole.to_string_lossy()).into_iter().flatten().filter_map(Result::ok).collect()
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let file = std::fs::File::open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let mut octets = Vec::new();
        file.take(LARGEST).read_to_end(&mut octets)?;
        Ok(String::from_utf8_lossy(&octets).into_owned())
    }

    fn absolute(&self, path: &Path) -> PathBuf {
        std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
    }

    fn program(&self, name: &str) -> Option<PathBuf> {
        DIRECTORIES.iter().map(|directory| Path::new(directory).join(name)).find(|path| path.is_file())
    }

    fn has_user(&self, name: &str) -> bool {
        matches!(User::from_name(name), Ok(Some(_)))
    }
}
