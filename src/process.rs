//! A program of the operator's, run without a shell, watched, and ended with everything it started.
//!
//! Checks and hooks both run programs, and only here. A program gets a process group of its own, its own user, a clean
//! environment, `/` as its directory and no descriptor but its three. When it ends, or when the future that
//! [`run`] returned is dropped (a timeout, a reload), its whole group gets SIGKILL, so nothing it started stays behind.
//!
//! Another user and its primary group replace the daemon's, and the supplementary groups are dropped, which also drops
//! every capability. A program that runs as the daemon's own user keeps its groups; one that runs as root keeps root's
//! capabilities.

mod output;
mod user;

pub use user::{User, UserError};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use output::Tail;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use tokio::io::AsyncWriteExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, ChildStdin};

/// Where programs that are named without a path, and the programs that they start, are looked for.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// What to run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Program {
    /// Path and arguments.
    pub argv: Arc<[String]>,
    /// Who runs it: `name`, `name:group`, or numbers in their places.
    pub user: Arc<str>,
    /// The environment besides `PATH` and `LANG=C`.
    pub environment: Vec<(&'static str, String)>,
    /// What stands on its standard input; `None`: `/dev/null`.
    pub input: Option<Arc<str>>,
}

/// How a program ended, and the last it said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Finished {
    /// How it ended.
    pub status: ExitStatus,
    /// The last line of its standard output and error together; empty when it said nothing.
    pub last_line: String,
}

impl Finished {
    /// Exit status 0.
    #[must_use]
    pub fn success(&self) -> bool {
        self.status.success()
    }
}

impl fmt::Display for Finished {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status.code(), self.status.signal().map(Signal::try_from)) {
            (Some(code), _) => write!(f, "exit status {code}")?,
            (None, Some(Ok(signal))) => write!(f, "killed by {signal}")?,
            (None, _) => write!(f, "{}", self.status)?,
        }
        if self.last_line.is_empty() { Ok(()) } else { write!(f, ": {}", self.last_line) }
    }
}

/// Why a program could not be run.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The specification names no program.
    #[error("no program is named: write [\"/path/to/program\", \"argument\", ...]")]
    Empty,
    /// There is no such file, or it is a script and its first line names no program that exists.
    #[error("{program} or its interpreter does not exist")]
    Missing {
        /// As configured.
        program: String,
    },
    /// The file is not executable for that user, or a directory above it cannot be entered.
    #[error(
        "{program} cannot be executed by {user}: make it executable (chmod +x), and its directories open to that user"
    )]
    Forbidden {
        /// As configured.
        program: String,
        /// As configured.
        user: Arc<str>,
    },
    /// Its user cannot be had.
    #[error(transparent)]
    User(#[from] UserError),
    /// The kernel refused for another reason.
    #[error("{program} could not be started: {source}")]
    Spawn {
        /// As configured.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
    /// Waiting for it failed.
    #[error("{program} was lost: {source}")]
    Lost {
        /// As configured.
        program: String,
        /// What the kernel said.
        source: io::Error,
    },
}

/// Runs `program` to its end. Dropping the future kills it.
///
/// The end is that of the program itself: a child of its own that still holds its standard output is not waited for.
pub async fn run(program: &Program) -> Result<Finished, RunError> {
    let name = program.argv.first().ok_or(RunError::Empty)?.clone();
    let lost = |source| RunError::Lost { program: name.clone(), source };
    let start = {
        let program = program.clone();
        move || Group::start(&program)
    };
    // Looking up a user may ask a directory server, and starting a program may read from a slow disk.
    let mut group = tokio::task::spawn_blocking(start).await.map_err(|panic| lost(io::Error::other(panic)))??;
    let mut tail = Tail::default();
    let feeder = feed(group.child.stdin.take(), program.input.clone());
    let status = tokio::select! {
        status = group.child.wait() => status,
        never = listen(feeder, tail.follow(&mut group.output)) => match never {},
    }
    .map_err(lost)?;
    tail.finish(&group.output);
    Ok(Finished { status, last_line: tail.last_line() })
}

/// Feeds and follows a program for as long as it runs, also when it has closed its ends of the pipes before.
async fn listen(feeder: impl Future<Output = ()>, follower: impl Future<Output = ()>) -> Infallible {
    tokio::join!(feeder, follower);
    std::future::pending().await
}

/// A program that does not read its standard input is no error; it is only not told.
async fn feed(stdin: Option<ChildStdin>, input: Option<Arc<str>>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        stdin.write_all(input.as_bytes()).await.ok();
    }
}

/// A running program with the process group it leads.
struct Group {
    child: Child,
    id: Option<Pid>,
    output: pipe::Receiver,
}

impl Group {
    fn start(program: &Program) -> Result<Self, RunError> {
        let [name, arguments @ ..] = &*program.argv else { return Err(RunError::Empty) };
        let user = User::resolve(&program.user)?;
        let spawn = |source: io::Error| match source.kind() {
            io::ErrorKind::NotFound => RunError::Missing { program: name.clone() },
            io::ErrorKind::PermissionDenied => {
                RunError::Forbidden { program: name.clone(), user: program.user.clone() }
            }
            _ => RunError::Spawn { program: name.clone(), source },
        };
        let (output, both) = io::pipe().map_err(spawn)?;
        let mut command = std::process::Command::new(name);
        command.args(arguments).process_group(0).current_dir("/");
        command.env_clear().env("PATH", PATH).env("LANG", "C");
        command.envs(program.environment.iter().map(|(key, value)| (*key, OsString::from(value))));
        command.stdin(if program.input.is_some() { Stdio::piped() } else { Stdio::null() });
        command.stdout(both.try_clone().map_err(spawn)?).stderr(both);
        if !user.is_ours() {
            command.uid(user.uid()).gid(user.gid());
        }
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(output)).map_err(spawn)?;
        let child = tokio::process::Command::from(command).kill_on_drop(true).spawn().map_err(spawn)?;
        let id = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
        Ok(Self { child, id, output })
    }
}

impl Drop for Group {
    /// The number cannot have gone to another group: while a member lives the kernel keeps it, and when none does
    /// nothing is there to be hit in the instant since the leader was waited for.
    fn drop(&mut self) {
        if let Some(id) = self.id {
            killpg(id, Signal::SIGKILL).ok();
        }
    }
}
