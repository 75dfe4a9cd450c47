//! `vrrpd` or keepalived on a host.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use nix::unistd::Pid;

use crate::{Host, Must, PairConfig, Process};

/// Whose daemon runs. One suite of tests runs against both, so that it tests the world and not what we believe of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Implementation {
    /// Ours: `$VRRPD`, or the one built along with the running program.
    Vrrpd,
    /// The incumbent: `$KEEPALIVED`, or Debian's.
    Keepalived,
}

/// A running daemon, killed when dropped.
#[derive(Debug)]
pub struct Daemon {
    process: Process,
    implementation: Implementation,
    config: PathBuf,
    socket: PathBuf,
}

impl Implementation {
    /// What people call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Vrrpd => "vrrpd",
            Self::Keepalived => "keepalived",
        }
    }

    /// The executable.
    #[must_use]
    pub fn executable(self) -> PathBuf {
        match self {
            Self::Keepalived => env::var_os("KEEPALIVED").map_or_else(|| "/usr/sbin/keepalived".into(), PathBuf::from),
            Self::Vrrpd => env::var_os("VRRPD").map_or_else(|| built("vrrpd"), PathBuf::from),
        }
    }

    /// The configuration in this implementation's language, for a daemon on `host`.
    #[must_use]
    pub fn render(self, host: &Host, config: &PairConfig) -> String {
        match self {
            Self::Vrrpd => config.to_vrrpd(&socket(host)),
            Self::Keepalived => config.to_keepalived(),
        }
    }
}

/// `text`, a configuration of `vrrpd`, with its state in `directory`.
#[must_use]
pub fn with_state(text: &str, directory: &Path) -> String {
    text.replacen("[daemon]", &format!("[daemon]\nstate_directory = \"{}\"", directory.display()), 1)
}

/// A program of this workspace, from the directory where the running program was built.
fn built(name: &str) -> PathBuf {
    let own = env::current_exe().must("finding this program");
    let directory =
        own.ancestors().skip(1).find(|directory| !directory.ends_with("deps")).expect("a program lies in a directory");
    let path = directory.join(name);
    assert!(
        path.exists(),
        "{} is not built: run `cargo build --workspace` with the same profile first",
        path.display()
    );
    path
}

fn socket(host: &Host) -> PathBuf {
    host.directory().join("control.sock")
}

impl Daemon {
    /// Starts the daemon on `host`.
    #[must_use]
    pub fn start(implementation: Implementation, host: &Host, config: &PairConfig) -> Self {
        Self::start_with(implementation, host, &implementation.render(host, config))
    }

    /// Starts it with a configuration written by hand.
    #[must_use]
    pub fn start_with(implementation: Implementation, host: &Host, text: &str) -> Self {
        let config = host.write("daemon.conf", text);
        let process = host.start("daemon", command(implementation, host, &config));
        Self { process, implementation, config, socket: socket(host) }
    }

    /// Starts another build of `vrrpd`.
    #[must_use]
    pub fn start_program(program: &Path, host: &Host, config: &PairConfig) -> Self {
        let command = |_: &Path, config: &Path| {
            let mut command = Command::new(program);
            command.arg("--config").arg(config);
            command
        };
        Self::start_by(command, host, config)
    }

    /// Starts `vrrpd` by another command, made of the program and the configuration file.
    #[must_use]
    pub fn start_by(command: impl FnOnce(&Path, &Path) -> Command, host: &Host, config: &PairConfig) -> Self {
        let implementation = Implementation::Vrrpd;
        let config = host.write("daemon.conf", &implementation.render(host, config));
        let process = host.start("daemon", command(&implementation.executable(), &config));
        Self { process, implementation, config, socket: socket(host) }
    }

    /// The command that [`Daemon::start`] runs, for a run that is expected to fail.
    #[must_use]
    pub fn command(implementation: Implementation, host: &Host, config: &Path) -> Command {
        command(implementation, host, config)
    }

    /// Changes the configuration file; the daemon does not know yet.
    pub fn rewrite(&self, host: &Host, config: &PairConfig) {
        self.rewrite_with(&self.implementation.render(host, config));
    }

    /// Changes the configuration file to this text.
    pub fn rewrite_with(&self, text: &str) {
        std::fs::write(&self.config, text).must(self.config.display());
    }

    /// Asks for a reload.
    pub fn reload(&self) {
        self.process.signal(Signal::SIGHUP);
    }

    /// Asks it to leave, and waits until it has.
    #[track_caller]
    pub fn stop(mut self) -> ExitStatus {
        self.process.signal(Signal::SIGTERM);
        self.process.wait(Duration::from_secs(10)).expect("a daemon leaves within ten seconds of SIGTERM")
    }

    /// `kill -9` for all its processes.
    pub fn crash(mut self) {
        self.kill();
    }

    /// Like [`Daemon::crash`], for one that is replaced afterwards.
    pub fn kill(&mut self) {
        self.process.crash();
    }

    /// The processes without which it does not speak: keepalived's supervisor and the one it supervises, `vrrpd`'s daemon
    /// without its guardian.
    #[must_use]
    pub fn speakers(&self) -> Vec<Pid> {
        match self.implementation {
            Implementation::Vrrpd => vec![self.process.pid()],
            Implementation::Keepalived => self.process.tree(),
        }
    }

    /// Stops its processes where they stand, as a hung host does; [`Daemon::thaw`] lets them go on.
    pub fn freeze(&self) {
        self.process.tree().iter().for_each(|pid| nix::sys::signal::kill(*pid, Signal::SIGSTOP).must("freezing"));
    }

    /// See [`Daemon::freeze`].
    pub fn thaw(&self) {
        self.process.tree().iter().for_each(|pid| nix::sys::signal::kill(*pid, Signal::SIGCONT).must("thawing"));
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        self.process.is_running()
    }

    /// Its process.
    #[must_use]
    pub fn process(&self) -> &Process {
        &self.process
    }

    /// Its process, to wait for its end.
    pub fn process_mut(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Runs `vrrpctl` against this daemon.
    #[must_use]
    pub fn vrrpctl(&self, arguments: &[&str]) -> Output {
        let vrrpctl = Implementation::Vrrpd.executable().with_file_name("vrrpctl");
        Command::new(vrrpctl).arg("--socket").arg(&self.socket).args(arguments).output().must("running vrrpctl")
    }

    /// What `vrrpctl status --json` says, from now or later.
    #[must_use]
    pub fn status(&self) -> serde_json::Value {
        // An answer may be 20 ms old: clients that come in crowds share one.
        std::thread::sleep(Duration::from_millis(25));
        let output = self.vrrpctl(&["status", "--json"]);
        assert!(output.status.success(), "vrrpctl status: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).must("reading the status")
    }

    /// What `vrrpctl events --json` says: one record an element, oldest first.
    #[must_use]
    pub fn events(&self) -> Vec<serde_json::Value> {
        let output = self.vrrpctl(&["events", "--json"]);
        assert!(output.status.success(), "vrrpctl events: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).must("reading the events");
        text.lines().map(|line| serde_json::from_str(line).must(line)).collect()
    }

    /// Waits until the virtual router of this name is in this state, as the daemon itself says.
    #[track_caller]
    pub fn wait_for_state(&self, name: &str, state: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        // The control socket may not be there yet.
        while !self.vrrpctl(&["status"]).status.success() || self.router(name)["state"] != state {
            assert!(Instant::now() < deadline, "{name} is not {state}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The state of the virtual router of this name.
    #[must_use]
    pub fn router(&self, name: &str) -> serde_json::Value {
        let status = self.status();
        let routers = status["virtual_routers"].as_array().expect("the status lists the routers");
        routers.iter().find(|router| router["name"] == name).expect("the router is configured").clone()
    }
}

fn command(implementation: Implementation, host: &Host, config: &Path) -> Command {
    let mut command = Command::new(implementation.executable());
    match implementation {
        Implementation::Vrrpd => drop(command.arg("--config").arg(config)),
        Implementation::Keepalived => {
            command.args(["--dont-fork", "--log-console", "--vrrp", "--use-file"]).arg(config);
            for flag in ["pid", "vrrp_pid", "checkers_pid"] {
                let file = host.directory().join(flag);
                // A process that was killed but that nobody has reaped yet would count as a running keepalived.
                let _ = std::fs::remove_file(&file);
                command.arg(format!("--{flag}={}", file.display()));
            }
        }
    }
    command
}
