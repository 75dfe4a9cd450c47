//! Processes, by name and by pid file. Each one that counts is held by a pidfd, through which the kernel tells its end.

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use std::fs;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

/// What the kernel keeps of a name.
const KEPT: usize = 15;
/// How many processes of one name are held at most. When all of them have ended the others are looked for.
const HELD: usize = 16;

/// A process that was running when it was found.
pub(super) struct Living {
    pid: i32,
    handle: OwnedFd,
}

impl Living {
    fn open(pid: i32) -> Option<Self> {
        let handle = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
        Some(Self { pid, handle }).filter(|living| !living.has_ended())
    }

    pub(super) fn pid(&self) -> i32 {
        self.pid
    }

    pub(super) fn as_fd(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// Whether all of its threads have ended, be it reaped or not.
    pub(super) fn has_ended(&self) -> bool {
        let mut poll_fd = [PollFd::new(self.as_fd(), PollFlags::POLLIN)];
        poll(&mut poll_fd, PollTimeout::ZERO) != Ok(0)
    }

    /// Whether it still goes by that name.
    pub(super) fn is_named(&self, name: &str) -> bool {
        goes_by(self.pid, name)
    }
}

/// The processes of a name, as `ps -C` has them, whichever namespace they run in; at most [`HELD`] of them.
pub(super) fn named(name: &str) -> Result<Vec<Living>, String> {
    let entries = fs::read_dir("/proc").map_err(|error| format!("/proc cannot be read: {error}"))?;
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let living: Vec<_> = pids.filter(|pid| goes_by(*pid, name)).filter_map(Living::open).take(HELD).collect();
    if living.is_empty() { Err(format!("no process {name} is running")) } else { Ok(living) }
}

/// The process whose number a file holds.
pub(super) fn in_pidfile(path: &Path) -> Result<Vec<Living>, String> {
    let text = super::files::read(path)?;
    let number = text.lines().next().unwrap_or_default().trim();
    let pid = number.parse().ok().filter(|pid: &i32| *pid > 0);
    let pid = pid.ok_or_else(|| format!("{} holds {number:?}, not a process id", path.display()))?;
    Living::open(pid).map(|living| vec![living]).ok_or_else(|| format!("process {pid} is not running"))
}

/// The kernel keeps only the beginning of a long name; the rest is compared with the file that was started.
fn goes_by(pid: i32, name: &str) -> bool {
    let read = |file: &str| fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    if !may_go_by(read("comm").trim_ascii_end(), name) {
        return false;
    }
    // Of a script the interpreter comes first.
    let in_full = || read("cmdline").split(|octet| *octet == 0).take(2).any(|argument| is_file_named(argument, name));
    name.len() <= KEPT || in_full()
}

fn is_file_named(path: &[u8], name: &str) -> bool {
    path.rsplit(|octet| *octet == b'/').next() == Some(name.as_bytes())
}

/// Whether a process whose name in the kernel is `comm` may go by `name`.
pub(super) fn may_go_by(comm: &[u8], name: &str) -> bool {
    comm == &name.as_bytes()[..name.len().min(KEPT)]
}
