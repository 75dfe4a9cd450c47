//! Every record as a line of JSON in a FIFO, for a program that wants them all. It never holds up the daemon: what does
//! not fit, and what nobody reads, is dropped and counted.

use super::{Tell, Trouble};
use nix::errno::Errno;
use nix::sys::stat::Mode;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The FIFO and what is known of its reader.
pub(super) struct Fifo {
    path: PathBuf,
    /// Open while somebody reads.
    pipe: Option<File>,
    /// The rest of a line that did not fit, which must come before any other.
    rest: Vec<u8>,
    dropped: u64,
    /// The last trouble told, so that it is told once.
    told: Option<io::ErrorKind>,
}

impl Fifo {
    /// Creates it for this user alone; one that is there already is used as it is.
    pub(super) fn new(path: PathBuf, tell: &Tell) -> Self {
        let created = nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR);
        if let Err(errno) = created
            && errno != Errno::EEXIST
        {
            let reason = format!("it could not be created: {}", errno.desc());
            tell(Trouble::Fifo { path: path.clone(), reason });
        }
        Self { path, pipe: None, rest: Vec::new(), dropped: 0, told: None }
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// How many lines were lost.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes a line if there is room and somebody reads.
    pub(super) fn write(&mut self, line: &str, tell: &Tell) {
        let outcome = self.try_write(line);
        self.dropped += u64::from(outcome.is_err());
        let trouble = outcome.err().filter(|error| !is_nobody_reading(error));
        let kind = trouble.as_ref().map(io::Error::kind);
        if let Some(error) = trouble
            && self.told != kind
        {
            tell(Trouble::Fifo { path: self.path.clone(), reason: explain(&error) });
        }
        self.told = kind;
    }

    fn try_write(&mut self, line: &str) -> io::Result<()> {
        self.open()?;
        let rest = std::mem::take(&mut self.rest);
        self.rest = self.push(rest)?;
        if !self.rest.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let line = format!("{}\n", line.trim_end()).into_bytes();
        let length = line.len();
        let rest = self.push(line)?;
        if rest.len() == length {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.rest = rest;
        Ok(())
    }

    /// Writes what fits and returns the rest. Without a reader the pipe is closed, and what was begun is void.
    fn push(&mut self, mut bytes: Vec<u8>) -> io::Result<Vec<u8>> {
        while let Some(pipe) = &mut self.pipe
            && !bytes.is_empty()
        {
            match pipe.write(&bytes) {
                Ok(written) => drop(bytes.drain(..written)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => {
                    self.pipe = None;
                    return Err(error);
                }
            }
        }
        Ok(bytes)
    }

    fn open(&mut self) -> io::Result<()> {
        if self.pipe.is_none() {
            let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_CLOEXEC;
            let pipe = OpenOptions::new().write(true).custom_flags(flags).open(&self.path)?;
            if !pipe.metadata()?.file_type().is_fifo() {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    "it is not a FIFO: remove it, or name another",
                ));
            }
            self.pipe = Some(pipe);
        }
        Ok(())
    }
}

fn is_nobody_reading(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENXIO) || error.kind() == io::ErrorKind::BrokenPipe
}

fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::WouldBlock => "its reader is too slow: records are dropped until it has caught up".into(),
        _ => error.to_string(),
    }
}
