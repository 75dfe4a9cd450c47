//! Talks to the daemon over its control socket: one blocking connection, one request, its answer lines.

use crate::control::{Ask, Refusal};
use serde::de::DeserializeOwned;
use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longer than the daemon's own limit, so that its word on the matter is heard.
const PATIENCE: Duration = Duration::from_secs(40);

/// Why there is no answer, or not the one that was hoped for.
#[derive(Debug, thiserror::Error)]
pub(super) enum ClientError {
    /// Nobody serves the socket.
    #[error("no daemon answers on {socket}: is vrrpd running? ({error})")]
    NoDaemon {
        /// Where.
        socket: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// The socket is there, but not for this user.
    #[error("not permitted to use {0}: use sudo, or join the daemon's control_group")]
    Permission(PathBuf),
    /// The connection broke, or the daemon took too long.
    #[error("the daemon on {socket} does not answer: {error}")]
    Silent {
        /// Where.
        socket: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
    /// The daemon refused.
    #[error("{0}")]
    Refused(String),
    /// The answer is not what this version expects.
    #[error("the daemon's answer is not understood ({0}): are vrrpctl and vrrpd of the same version?")]
    Answer(#[from] serde_json::Error),
    /// Standard output cannot be written.
    #[error("cannot write: {0}")]
    Output(io::Error),
}

/// A connection with a request on its way.
#[derive(Debug)]
pub(super) struct Conversation {
    socket: PathBuf,
    lines: BufReader<UnixStream>,
}

impl Conversation {
    /// Connects and asks.
    pub(super) fn open(socket: &Path, ask: &Ask) -> Result<Self, ClientError> {
        let stream = UnixStream::connect(socket).map_err(|error| match error.kind() {
            ErrorKind::PermissionDenied => ClientError::Permission(socket.to_owned()),
            _ => ClientError::NoDaemon { socket: socket.to_owned(), error },
        })?;
        let silent = |error| ClientError::Silent { socket: socket.to_owned(), error };
        stream.set_read_timeout(Some(PATIENCE)).map_err(silent)?;
        let mut request = serde_json::to_vec(ask)?;
        request.push(b'\n');
        // A daemon with too many clients closes before it reads; its reason is there to be read all the same.
        let sent = (&stream).write_all(&request);
        let mut conversation = Self { socket: socket.to_owned(), lines: BufReader::new(stream) };
        match sent {
            Ok(()) => Ok(conversation),
            Err(error) => match conversation.line() {
                Err(refused @ ClientError::Refused(_)) => Err(refused),
                _ => Err(silent(error)),
            },
        }
    }

    /// Waits for lines without a limit from now on.
    pub(super) fn wait_forever(&self) -> Result<(), ClientError> {
        self.lines.get_ref().set_read_timeout(None).map_err(|error| self.silent(error))
    }

    /// The next line as it came, without its end; a refusal is an error.
    pub(super) fn line(&mut self) -> Result<String, ClientError> {
        let mut line = String::new();
        match self.lines.read_line(&mut line) {
            Ok(0) => Err(self.silent(io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection"))),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                Err(self.silent(io::Error::new(ErrorKind::TimedOut, format!("not within {} s", PATIENCE.as_secs()))))
            }
            Err(error) => Err(self.silent(error)),
            Ok(_) => refused(line.trim_end_matches('\n')),
        }
    }

    /// The next line, understood.
    pub(super) fn answer<T: DeserializeOwned>(&mut self) -> Result<T, ClientError> {
        Ok(serde_json::from_str(&self.line()?)?)
    }

    fn silent(&self, error: io::Error) -> ClientError {
        ClientError::Silent { socket: self.socket.clone(), error }
    }
}

fn refused(line: &str) -> Result<String, ClientError> {
    if line.starts_with(r#"{"error":"#) {
        return Err(ClientError::Refused(serde_json::from_str::<Refusal>(line)?.error));
    }
    Ok(line.to_owned())
}
