//! Asks the daemon over its control socket.

use crate::control::{Ask, Refusal};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

/// The longest line that is taken: the status of 4,000 virtual routers is a quarter of it.
const LONGEST_LINE: u64 = 16 << 20;

/// How long the daemon may take for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// An answer younger than this is given again: however many ask, the daemon is asked 20 times a second.
const FRESHNESS: Duration = Duration::from_millis(50);

/// Why there is no answer.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum SourceError {
    /// Nobody serves the socket, or not for this user.
    #[error("cannot reach the daemon on {socket}: {error}{hint}")]
    Unreachable {
        /// Where.
        socket: PathBuf,
        /// What the kernel said.
        error: String,
        /// What to do.
        hint: &'static str,
    },
    /// The connection ended or took too long.
    #[error("the daemon on {socket} does not answer: {error}")]
    Silent {
        /// Where.
        socket: PathBuf,
        /// What happened.
        error: String,
    },
    /// The daemon refused.
    #[error("the daemon refuses: {0}")]
    Refused(String),
}

/// A way to the daemon.
#[derive(Debug)]
pub(super) struct Source {
    socket: PathBuf,
    last: Mutex<Option<(Instant, Answer)>>,
}

type Answer = Result<Arc<str>, SourceError>;

impl Source {
    pub(super) fn new(socket: PathBuf) -> Self {
        Self { socket, last: Mutex::new(None) }
    }

    /// The status: one line of JSON. Who asks while somebody else is waiting for it gets the same answer.
    pub(super) async fn status(&self) -> Answer {
        let mut last = self.last.lock().await;
        if let Some((asked, answer)) = &*last
            && asked.elapsed() < FRESHNESS
        {
            return answer.clone();
        }
        let answer = self.ask_status().await;
        *last = Some((Instant::now(), answer.clone()));
        answer
    }

    async fn ask_status(&self) -> Answer {
        let asking = async { self.ask(&Ask::Status {}).await?.line().await };
        match timeout(PATIENCE, asking).await {
            Ok(answer) => answer.map(Arc::from),
            Err(_) => Err(self.silent(format!("not within {} s", PATIENCE.as_secs()))),
        }
    }

    /// Asks something; the answer's lines are read one by one.
    pub(super) async fn ask(&self, ask: &Ask) -> Result<Lines<'_>, SourceError> {
        let mut stream = UnixStream::connect(&self.socket).await.map_err(|error| SourceError::Unreachable {
            socket: self.socket.clone(),
            hint: match error.kind() {
                std::io::ErrorKind::PermissionDenied => ": run the exporter in the daemon's control_group",
                std::io::ErrorKind::NotFound | std::io::ErrorKind::ConnectionRefused => ": is vrrpd running?",
                _ => "",
            },
            error: error.to_string(),
        })?;
        let mut request = serde_json::to_vec(ask).expect("a request is plain data");
        request.push(b'\n');
        // A daemon with too many clients closes before it reads; its reason is there to be read all the same.
        let _ = stream.write_all(&request).await;
        Ok(Lines { source: self, stream: BufReader::new(stream) })
    }

    fn silent(&self, error: String) -> SourceError {
        SourceError::Silent { socket: self.socket.clone(), error }
    }
}

/// An answer that comes in lines.
pub(super) struct Lines<'a> {
    source: &'a Source,
    stream: BufReader<UnixStream>,
}

impl Lines<'_> {
    /// The next line without its end; a refusal is an error.
    pub(super) async fn line(&mut self) -> Result<String, SourceError> {
        let mut line = String::new();
        match (&mut self.stream).take(LONGEST_LINE).read_line(&mut line).await {
            Ok(_) if line.ends_with('\n') => line.truncate(line.len() - 1),
            Ok(0) => return Err(self.source.silent("it closed the connection".to_owned())),
            Ok(_) => return Err(self.source.silent("its answer is cut, or far too long".to_owned())),
            Err(error) => return Err(self.source.silent(error.to_string())),
        }
        if line.starts_with(r#"{"error":"#)
            && let Ok(Refusal { error }) = serde_json::from_str(&line)
        {
            return Err(SourceError::Refused(error));
        }
        Ok(line)
    }
}
