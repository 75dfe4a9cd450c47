//! The drains on disk: one line with its checksum, replaced as a whole.

use super::journal::{sealed, unsealed};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Drains by the name of the virtual router.
pub type SavedDrains = BTreeMap<String, SavedDrain>;

/// One drain. Wall times, since the monotonic clock begins anew with each boot.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct SavedDrain {
    /// Who asked.
    pub by: String,
    /// Since when.
    pub since: SystemTime,
    /// When it ends by itself.
    pub until: Option<SystemTime>,
}

impl Default for SavedDrain {
    fn default() -> Self {
        Self { by: String::new(), since: SystemTime::UNIX_EPOCH, until: None }
    }
}

/// Why the drains are not known, or not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum DrainsError {
    /// Not as it was written.
    #[error("{0} is damaged")]
    Damaged(PathBuf),
    /// The kernel refused.
    #[error("cannot {doing} {path}: {error}")]
    File {
        /// What was asked of the kernel.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

pub(super) fn read_drains(path: &Path) -> Result<SavedDrains, DrainsError> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(SavedDrains::new()),
        Err(error) if error.kind() == ErrorKind::InvalidData => return Err(DrainsError::Damaged(path.to_owned())),
        Err(error) => return Err(DrainsError::File { doing: "read", path: path.to_owned(), error }),
    };
    let whole = text.strip_suffix('\n').and_then(unsealed).and_then(|json| serde_json::from_str(json).ok());
    whole.ok_or_else(|| DrainsError::Damaged(path.to_owned()))
}

/// Whoever reads sees the old ones or the new ones, whenever the power fails.
pub(super) fn write_drains(path: &Path, drains: &SavedDrains) -> Result<(), DrainsError> {
    let json = serde_json::to_string(drains).expect("names, texts and times after 1970");
    let new = path.with_extension("new");
    let write = || -> io::Result<()> {
        let mut file = File::create(&new)?;
        file.write_all(sealed(&json).as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
    };
    write().map_err(|error| DrainsError::File { doing: "write", path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn drains() -> SavedDrains {
        let since = SystemTime::UNIX_EPOCH + Duration::from_hours(490_896);
        let until = Some(since + Duration::from_mins(30));
        [
            ("db".to_owned(), SavedDrain { by: "alice (uid 1000)".to_owned(), since, until: None }),
            ("web".to_owned(), SavedDrain { by: "root (uid 0)".to_owned(), since, until }),
        ]
        .into()
    }

    #[test]
    fn what_is_written_is_read_and_replaces_what_was_there() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("drains");
        assert_eq!(read_drains(&path).unwrap(), SavedDrains::new(), "nothing there is nothing drained");
        write_drains(&path, &drains()).unwrap();
        assert_eq!(read_drains(&path).unwrap(), drains());
        write_drains(&path, &SavedDrains::new()).unwrap();
        assert_eq!(read_drains(&path).unwrap(), SavedDrains::new());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn no_damaged_octet_goes_unnoticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("drains");
        write_drains(&path, &drains()).unwrap();
        let whole = fs::read(&path).unwrap();
        for place in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[place] ^= 1;
            fs::write(&path, &damaged).unwrap();
            assert!(matches!(read_drains(&path), Err(DrainsError::Damaged(_))), "octet {place}");
            fs::write(&path, &whole[..place]).unwrap();
            assert!(matches!(read_drains(&path), Err(DrainsError::Damaged(_))), "cut at {place}");
        }
    }
}
