//! A real nginx that answers with its host's name.

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};

use crate::{Host, Must, Process};

/// A running nginx.
#[derive(Debug)]
pub struct Nginx(Process);

impl Nginx {
    /// Starts it on port 80 of every address, also those that come later, and waits until it listens.
    #[must_use]
    pub fn start(host: &Host) -> Self {
        let (directory, name) = (host.directory().display(), host.name());
        let config = host.write(
            "nginx.conf",
            &format!(
                "daemon off; worker_processes 1; user root; pid {directory}/nginx.pid; error_log stderr warn;\n\
                 events {{ worker_connections 256; }}\n\
                 http {{ access_log off; client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy;\n\
                 fastcgi_temp_path {directory}/fastcgi; uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;\n\
                 server {{ listen 80; location / {{ default_type text/plain; return 200 \"{name}\"; }} }} }}\n"
            ),
        );
        let mut command = Command::new("/usr/sbin/nginx");
        command.arg("-c").arg(config).arg("-p").arg(host.directory());
        let nginx = Self(host.start("nginx", command));
        nginx.wait_until_it_listens(host);
        nginx
    }

    fn wait_until_it_listens(&self, host: &Host) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while host.namespace().enter(|| std::net::TcpStream::connect((host.ip(), 80))).is_err() {
            assert!(Instant::now() < deadline, "nginx does not listen on {}: {}", host.name(), self.0.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it where it stands: the kernel goes on taking connections, and nobody answers.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// Ends [`Nginx::freeze`].
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    fn signal(&self, signal: Signal) {
        self.0.tree().into_iter().for_each(|pid| kill(pid, signal).must("signalling nginx"));
    }

    /// `kill -9` for its master and workers.
    pub fn crash(mut self) {
        self.0.crash();
    }
}
