//! As much of a service manager as a restart takes: it reads what its service notifies, keeps descriptors in a store over
//! a restart, and passes them on to the next start (`sd_notify(3)`, `sd_listen_fds(3)`). Where the service asks for its
//! job, a `systemctl` of its own answers.

use std::io::IoSliceMut;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use nix::cmsg_space;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::Signal;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg};

use crate::{Daemon, Host, Must, PairConfig, sys};

/// The manager of one host's `vrrpd`.
#[derive(Debug)]
pub struct Manager {
    directory: PathBuf,
    store: Arc<Mutex<Vec<(String, OwnedFd)>>>,
}

/// What the manager has queued for the service when it ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// `systemctl restart`.
    Restart,
    /// `systemctl stop`.
    Stop,
}

impl Manager {
    /// A manager that listens.
    #[must_use]
    pub fn new(host: &Host) -> Self {
        let directory = host.directory().to_owned();
        let socket = UnixDatagram::bind(directory.join("notify")).must("binding the notify socket");
        let store: Arc<Mutex<Vec<(String, OwnedFd)>>> = Arc::default();
        let theirs = Arc::clone(&store);
        // It ends with the process: a test.
        std::thread::spawn(move || while let Some(()) = receive(&socket, &theirs) {});
        let script = format!("cat {}", directory.join("job").display());
        let _ = host.write_script("systemctl", &script);
        let _ = host.write("job", "");
        Self { directory, store }
    }

    /// Starts the service.
    #[must_use]
    pub fn start(&self, host: &Host, config: &PairConfig) -> Daemon {
        let passed = std::mem::take(&mut *self.store());
        Daemon::start_by(|program, config| self.command(&passed, program, config), host, config)
    }

    /// Ends the service as this job has it, and waits for its end. Descriptors are kept over a restart only.
    #[track_caller]
    pub fn end(&self, host: &Host, daemon: Daemon, job: Job) {
        let kind = if job == Job::Restart { "restart" } else { "stop" };
        let _ = host.write("job", &format!("7 vrrpd.service {kind} running\n"));
        let mut daemon = daemon;
        daemon.process().signal(Signal::SIGTERM);
        let status = daemon.process_mut().wait(Duration::from_secs(10)).expect("it ends within ten seconds");
        assert!(status.success(), "{status}");
        if job == Job::Stop {
            self.store().clear();
        }
    }

    /// How many descriptors are in the store.
    #[must_use]
    pub fn stored(&self) -> usize {
        self.store().len()
    }

    /// Writes something else into the memory in the store.
    pub fn garble(&self, contents: &[u8]) {
        let store = self.store();
        let (_, memory) = store.iter().find(|(name, _)| name == "state").expect("there is a state");
        nix::unistd::ftruncate(memory, 0).must("emptying the state");
        nix::sys::uio::pwrite(memory, contents, 0).must("writing the state");
    }

    fn store(&self) -> std::sync::MutexGuard<'_, Vec<(String, OwnedFd)>> {
        self.store.lock().expect("no thread panics while it holds the store")
    }

    /// A shell puts the descriptors where `sd_listen_fds` expects them and says whom they are for.
    fn command(&self, passed: &[(String, OwnedFd)], program: &Path, config: &Path) -> Command {
        let numbers: Vec<(RawFd, usize)> = passed
            .iter()
            .map(|(_, descriptor)| {
                fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty())).must("passing a descriptor on");
                descriptor.as_raw_fd()
            })
            .zip(3..)
            .collect();
        // Out of the way first: a number may be another one's place.
        let aside: Vec<String> = numbers.iter().map(|(number, place)| format!(" {}<&{number}", place + 200)).collect();
        let into: Vec<String> = numbers.iter().map(|(_, place)| format!(" {place}<&{0} {0}<&-", place + 200)).collect();
        let names: Vec<&str> = passed.iter().map(|(name, _)| name.as_str()).collect();
        let listen = format!("export LISTEN_PID=$$ LISTEN_FDS={} LISTEN_FDNAMES={}; ", names.len(), names.join(":"));
        let script = format!("exec{}; exec{}; {listen}exec \"$@\"", aside.concat(), into.concat());
        let mut command = Command::new("bash");
        command.args(["-c", &script, "vrrpd"]).arg(program).arg("--config").arg(config);
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.directory.display()));
        command.env("NOTIFY_SOCKET", self.directory.join("notify")).env("VRRPD_UNIT", "vrrpd.service");
        command
    }
}

/// One message; whatever descriptor comes with it is stored, or was there to be closed.
fn receive(socket: &UnixDatagram, store: &Mutex<Vec<(String, OwnedFd)>>) -> Option<()> {
    let mut buffer = [0; 1024];
    let mut control = cmsg_space!(RawFd);
    let mut parts = [IoSliceMut::new(&mut buffer)];
    let message = recvmsg::<()>(socket.as_raw_fd(), &mut parts, Some(&mut control), MsgFlags::MSG_CMSG_CLOEXEC).ok()?;
    let rights = message.cmsgs().ok()?.find_map(|part| match part {
        ControlMessageOwned::ScmRights(descriptors) => descriptors.first().copied(),
        _ => None,
    });
    let length = message.bytes;
    let descriptor = rights.map(sys::received);
    let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
    let name = text.lines().find_map(|line| line.strip_prefix("FDNAME=")).unwrap_or("stored").to_owned();
    let mut store = store.lock().ok()?;
    if text.lines().any(|line| line == "FDSTOREREMOVE=1") {
        store.retain(|(stored, _)| *stored != name);
    } else if let Some(descriptor) = descriptor
        && text.lines().any(|line| line == "FDSTORE=1")
    {
        store.push((name, descriptor));
    }
    Some(())
}
