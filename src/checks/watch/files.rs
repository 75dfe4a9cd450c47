//! Files that operators and their tools write, through inotify.
//!
//! Editors replace a file by renaming, and its directory may come and go: so the directories are watched, all the way
//! up, along the path as written and as resolved. File systems whose changes the kernel does not see (NFS written to by
//! another host, FUSE, `/proc`) are not seen here either.

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

/// Longer than any number with its sign and white space.
const LONGEST: u64 = 64;

/// The directories that are watched.
pub(super) struct Files {
    inotify: Inotify,
    directories: BTreeMap<WatchDescriptor, BTreeSet<PathBuf>>,
    /// Why not all of them are.
    trouble: Option<String>,
}

impl Files {
    pub(super) fn new() -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        Ok(Self { inotify, directories: BTreeMap::new(), trouble: None })
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify.as_fd()
    }

    /// Follows these files and no others. To be repeated when a directory may have changed.
    pub(super) fn follow(&mut self, files: &[&Path]) {
        // A file is written to and then closed; half of a number is no news.
        let mask = AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_ONLYDIR;
        let trail: BTreeSet<PathBuf> = files.iter().flat_map(|file| trail(file)).collect();
        let wanted: BTreeSet<&Path> = trail.iter().filter_map(|path| path.parent()).collect();
        let mut directories: BTreeMap<WatchDescriptor, BTreeSet<PathBuf>> = BTreeMap::new();
        self.trouble = None;
        for directory in wanted {
            match self.inotify.add_watch(directory, mask) {
                Ok(watch) => drop(directories.entry(watch).or_default().insert(directory.into())),
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(errno) => self.trouble = Some(explain(directory, errno)),
            }
        }
        for gone in self.directories.keys().filter(|watch| !directories.contains_key(watch)) {
            self.inotify.rm_watch(*gone).ok();
        }
        self.directories = directories;
    }

    /// Whether changes will be seen.
    pub(super) fn check(&self) -> Result<(), String> {
        self.trouble.clone().map_or(Ok(()), Err)
    }

    /// Takes what has come.
    pub(super) fn drain(&self) -> Touched {
        let mut touched = Touched::default();
        while let Ok(events) = self.inotify.read_events() {
            for event in events {
                touched.missed |= event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW);
                let Some(name) = &event.name else { continue };
                let created = event.mask.contains(AddWatchFlags::IN_CREATE);
                for directory in self.directories.get(&event.wd).into_iter().flatten() {
                    touched.add(directory, directory.join(name), created);
                }
            }
        }
        touched
    }
}

fn explain(directory: &Path, errno: Errno) -> String {
    let directory = directory.display();
    match errno {
        Errno::ENOSPC => format!("{directory} cannot be watched: raise fs.inotify.max_user_watches"),
        errno => format!("{directory} cannot be watched: {}", errno.desc()),
    }
}

/// Everything whose change may change what a path leads to.
fn trail(path: &Path) -> BTreeSet<PathBuf> {
    let resolved = fs::canonicalize(path).unwrap_or_else(|_| path.into());
    path.ancestors().chain(resolved.ancestors()).map(Path::to_owned).collect()
}

/// What has been written to, moved, created or removed.
#[derive(Default)]
pub(super) struct Touched {
    paths: BTreeSet<PathBuf>,
    /// There was too much to tell it all.
    missed: bool,
}

impl Touched {
    fn add(&mut self, directory: &Path, path: PathBuf, created: bool) {
        match fs::symlink_metadata(&path) {
            // It will be written to and closed.
            Ok(entry) if created && entry.is_file() && entry.len() == 0 => return,
            // Any path through this directory may go over the link.
            Ok(entry) if entry.is_symlink() => drop(self.paths.insert(directory.into())),
            _ => {}
        }
        self.paths.insert(path);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty() && !self.missed
    }

    /// Whether `path` may lead to something else now.
    pub(super) fn concerns(&self, path: &Path) -> bool {
        self.missed || trail(path).iter().any(|step| self.paths.contains(step))
    }
}

/// The integer that a file holds.
pub(super) fn number(path: &Path) -> Result<i32, String> {
    let text = read(path)?;
    let number = text.trim();
    let wrong = |_| format!("{} holds {number:?}, not an integer of 32 bits", path.display());
    number.parse().map_err(wrong)
}

/// The beginning of a file, as far as a number could go.
pub(super) fn read(path: &Path) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes));
    read.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => format!("{} does not exist", path.display()),
        _ => format!("{} cannot be read: {error}", path.display()),
    })?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
