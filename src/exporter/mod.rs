//! `vrrpd-exporter`: metrics and the status page, in a process of its own that needs no rights. It asks the daemon over
//! the control socket, as `vrrpctl` does, and changes nothing.
//!
//! ```text
//!                  source              feed
//!   control socket ------ status ----- /status.json, /healthz, /metrics (metrics, exposition)
//!                  \----- events ----- /events --- / (page.html)
//! ```

mod exposition;
mod feed;
mod metrics;
mod page;
mod serve;
mod source;

use clap::Parser;
use feed::Feed;
use source::Source;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Metrics and the status page of vrrpd, over HTTP: /metrics, /healthz, /status.json, /events and the page at /.
///
/// It reads the control socket and needs no other right. It tells everybody who can reach its address: leave it on
/// 127.0.0.1, or put something in front that asks who it is.
#[derive(Debug, Parser)]
#[command(name = "vrrpd-exporter", version)]
struct Arguments {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9650")]
    listen: SocketAddr,
    /// The daemon's control socket.
    #[arg(long, value_name = "PATH", default_value = "/run/vrrpd/control.sock")]
    socket: PathBuf,
}

/// Serves until the process is ended. The exit status is 1 where it cannot listen, 2 where it is called wrongly.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let Err(error) = run(&arguments);
    eprintln!("vrrpd-exporter: cannot listen on {}: {error}", arguments.listen);
    ExitCode::FAILURE
}

fn run(arguments: &Arguments) -> io::Result<std::convert::Infallible> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(arguments.listen).await?;
        let feed = Arc::new(Feed::new(Source::new(arguments.socket.clone())));
        tokio::spawn(Arc::clone(&feed).follow());
        tokio::spawn(Arc::clone(&feed).refresh());
        eprintln!("vrrpd-exporter: http://{}/ shows {}", listener.local_addr()?, arguments.socket.display());
        serve::serve(listener, feed).await
    })
}
