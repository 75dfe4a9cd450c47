//! The socket file: made for one daemon only, mode 0660, owned by the control group.

use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::{Gid, Group, chown};
use socket2::{Domain, SockAddr, Socket, Type};
use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// Connections the kernel keeps waiting for us; more get an error at once and may try again.
const BACKLOG: i32 = 128;

/// A bound control socket. Dropping it removes the socket file.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
    path: PathBuf,
    group: String,
    group_exists: bool,
    /// Held locked for as long as the daemon lives; the kernel frees it even after a crash.
    _lock: File,
}

/// Why the control socket cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Another daemon has it.
    #[error("another vrrpd already serves {path}{holder}: stop it first, or set another control_socket")]
    Held {
        /// The socket.
        path: PathBuf,
        /// `" (pid 123)"` where the kernel says who.
        holder: String,
    },
    /// There is something else in its place.
    #[error("{0} exists and is not a socket: remove it, or set another control_socket")]
    NotASocket(PathBuf),
    /// Its directory does not exist and cannot be made.
    #[error("cannot make the directory {path} for the control socket: {error}")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// It cannot be locked, bound or listened to.
    #[error("cannot {doing} {path}: {error}")]
    Socket {
        /// What was asked of the kernel.
        doing: &'static str,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

impl Listener {
    /// Makes the socket at `path`, for root and for members of `group` where it exists. A socket file that a crashed
    /// daemon left behind is replaced.
    pub fn bind(path: &Path, group: &str) -> Result<Self, BindError> {
        let step = |doing, error| BindError::Socket { doing, path: path.to_owned(), error };
        make_directory(path)?;
        let lock = lock(path)?;
        clear_the_way(path)?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)
            .map_err(|error| step("make a socket for", error))?;
        let address = SockAddr::unix(path).map_err(|error| step("use the path", error))?;
        socket.bind(&address).map_err(|error| step("bind", error))?;
        let gid = Group::from_name(group).ok().flatten().map(|group| group.gid);
        let mut listener =
            Self { socket, path: path.to_owned(), group: group.to_owned(), group_exists: false, _lock: lock };
        listener.restrict(gid).map_err(|error| step("set owner and mode of", error))?;
        listener.socket.listen(BACKLOG).map_err(|error| step("listen on", error))?;
        Ok(listener)
    }

    /// The control group, and whether it exists on this host; where it does not, only root gets in.
    #[must_use]
    pub fn group(&self) -> (&str, bool) {
        (&self.group, self.group_exists)
    }

    /// The socket for the service loop; must be called inside a tokio runtime.
    pub(super) fn accepting(&self) -> io::Result<tokio::net::UnixListener> {
        tokio::net::UnixListener::from_std(self.socket.try_clone()?.into())
    }

    /// Before `listen`, nobody can connect: there is no moment with wider permissions.
    fn restrict(&mut self, gid: Option<Gid>) -> io::Result<()> {
        fs::set_permissions(&self.path, Permissions::from_mode(0o660))?;
        if let Some(gid) = gid {
            // The packaged unit runs the daemon in that group and refuses every chown, even to what is so already.
            if fs::metadata(&self.path)?.gid() != gid.as_raw() {
                chown(&self.path, None, Some(gid))?;
            }
            self.group_exists = true;
        }
        Ok(())
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Nothing can be done about a failure here, and the next start replaces the file anyhow.
        let _ = fs::remove_file(&self.path);
    }
}

fn make_directory(path: &Path) -> Result<(), BindError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => {
            fs::create_dir_all(parent).map_err(|error| BindError::Directory { path: parent.to_owned(), error })
        }
        _ => Ok(()),
    }
}

/// Two daemons that start at the same moment cannot both have the lock, whatever the socket file looks like.
fn lock(path: &Path) -> Result<File, BindError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let step = |doing, error| BindError::Socket { doing, path: name.clone(), error };
    let file = File::options().create(true).truncate(false).write(true).open(&name).map_err(|e| step("open", e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(held(path, probe(path).ok().flatten())),
        Err(TryLockError::Error(error)) => Err(step("lock", error)),
    }
}

/// Removes a socket that nobody listens on.
fn clear_the_way(path: &Path) -> Result<(), BindError> {
    let step = |doing, error| BindError::Socket { doing, path: path.to_owned(), error };
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(step("look at", error)),
        Ok(found) if !found.file_type().is_socket() => return Err(BindError::NotASocket(path.to_owned())),
        Ok(_) => {}
    }
    match probe(path) {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
            fs::remove_file(path).map_err(|error| step("remove the stale socket", error))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() != ErrorKind::WouldBlock => Err(step("ask who serves", error)),
        answered => Err(held(path, answered.ok().flatten())),
    }
}

/// Connects without waiting, and asks the kernel who listens. `WouldBlock`: somebody does, but is too busy.
fn probe(path: &Path) -> io::Result<Option<i32>> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None)?;
    socket.connect(&SockAddr::unix(path)?)?;
    let holder = getsockopt(&socket, sockopt::PeerCredentials)?;
    Ok(Some(holder.pid()).filter(|pid| *pid != 0))
}

fn held(path: &Path, pid: Option<i32>) -> BindError {
    BindError::Held { path: path.to_owned(), holder: pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default() }
}
