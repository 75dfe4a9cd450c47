//! Network namespaces with names, as `ip netns` shows them.

use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::Must;

const DIRECTORY: &str = "/run/netns";

/// A network namespace of our own; deleted, with every process in it, when dropped.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
    handle: Arc<File>,
}

impl Namespace {
    /// Makes a namespace and gives it a name under `/run/netns`.
    pub(crate) fn create(name: &str) -> Self {
        fs::create_dir_all(DIRECTORY).must(DIRECTORY);
        let path = Path::new(DIRECTORY).join(name);
        File::create(&path).must(path.display());
        thread::scope(|scope| {
            let made = scope.spawn(|| {
                unshare(CloneFlags::CLONE_NEWNET).must("making a network namespace (root is needed)");
                mount(Some("/proc/thread-self/ns/net"), &path, None::<&str>, MsFlags::MS_BIND, None::<&str>)
                    .must(format!("naming the network namespace {name}"));
            });
            made.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        });
        let handle = Arc::new(File::open(&path).must(path.display()));
        Self { name: name.to_owned(), handle }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn handle(&self) -> &File {
        &self.handle
    }

    /// Runs `work` on a thread inside the namespace, and waits for it. Sockets and processes made there stay there.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                setns(&self.handle, CloneFlags::CLONE_NEWNET).must(format!("entering {}", self.name));
                work()
            });
            inside.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Starts `work` on a thread inside the namespace.
    pub(crate) fn spawn<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
        let (handle, name) = (Arc::clone(&self.handle), self.name.clone());
        thread::spawn(move || {
            setns(&handle, CloneFlags::CLONE_NEWNET).must(format!("entering {name}"));
            work()
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        delete(&Path::new(DIRECTORY).join(&self.name));
    }
}

/// The names under `/run/netns` that begin with `prefix`.
pub(crate) fn named(prefix: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(DIRECTORY) else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix))
        .map(|entry| entry.path())
        .collect()
}

/// Ends the processes in the namespace and takes its name away. Two runs may do it at once: whoever comes second finds nothing.
pub(crate) fn delete(path: &Path) {
    let Ok(inode) = fs::metadata(path).map(|data| data.ino()) else { return };
    for pid in processes_in(inode) {
        let _ = kill(pid, Signal::SIGKILL);
    }
    let _ = umount2(path, MntFlags::MNT_DETACH);
    let _ = fs::remove_file(path);
}

/// The processes whose network namespace has this inode.
fn processes_in(inode: u64) -> Vec<Pid> {
    let wanted = format!("net:[{inode}]");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter_map(|entry| entry.file_name().to_string_lossy().parse::<i32>().ok())
        .filter(|pid| fs::read_link(format!("/proc/{pid}/ns/net")).is_ok_and(|link| link.to_string_lossy() == wanted))
        .map(Pid::from_raw)
        .collect()
}
