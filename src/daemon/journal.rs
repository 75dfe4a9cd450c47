//! The journal's own protocol: one datagram with fields for each line (`systemd.io/JOURNAL_NATIVE_PROTOCOL`).

use super::log::Line;
use nix::sys::stat::fstat;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::Duration;
use tracing::Level;

const SOCKET: &str = "/run/systemd/journal/socket";

/// How long the log's writer waits for a journal that does not read, before the line goes to standard error.
const PATIENCE: Duration = Duration::from_secs(1);

/// A way to the journal.
#[derive(Debug)]
pub(super) struct Journal(UnixDatagram);

impl Journal {
    /// The journal, where standard error is connected to it: `JOURNAL_STREAM` names the device and inode then
    /// (systemd.exec(5)).
    pub(super) fn behind_standard_error() -> Option<Self> {
        let stream = std::env::var("JOURNAL_STREAM").ok()?;
        let stderr = fstat(io::stderr()).ok()?;
        (stream == format!("{}:{}", stderr.st_dev, stderr.st_ino)).then(|| Self::at(Path::new(SOCKET)).ok())?
    }

    fn at(socket: &Path) -> io::Result<Self> {
        let datagrams = UnixDatagram::unbound()?;
        datagrams.connect(socket)?;
        datagrams.set_write_timeout(Some(PATIENCE))?;
        Ok(Self(datagrams))
    }

    pub(super) fn write(&self, line: &Line) -> io::Result<()> {
        self.0.send(&fields(line)).map(drop)
    }
}

fn fields(line: &Line) -> Vec<u8> {
    let mut datagram = Vec::new();
    push(&mut datagram, "PRIORITY", priority(line.level));
    push(&mut datagram, "SYSLOG_IDENTIFIER", "vrrpd");
    push(&mut datagram, "MESSAGE", &line.message);
    for (name, value) in &line.fields {
        push(&mut datagram, &format!("VRRPD_{}", name.to_uppercase()), value);
    }
    datagram
}

/// A value with line ends goes with its length in front.
fn push(datagram: &mut Vec<u8>, name: &str, value: &str) {
    datagram.extend_from_slice(name.as_bytes());
    if value.contains('\n') {
        datagram.push(b'\n');
        datagram.extend_from_slice(&(value.len() as u64).to_le_bytes());
    } else {
        datagram.push(b'=');
    }
    datagram.extend_from_slice(value.as_bytes());
    datagram.push(b'\n');
}

/// syslog(3)'s levels.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "3",
        Level::WARN => "4",
        Level::INFO => "6",
        Level::DEBUG | Level::TRACE => "7",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::SystemTime;

    #[test]
    fn a_line_is_a_datagram_of_fields() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("socket");
        let reader = UnixDatagram::bind(&path).unwrap();
        let fields = vec![("router", "web".to_owned()), ("reason", "two\nlines".to_owned())];
        let line = Line { at: SystemTime::UNIX_EPOCH, level: Level::WARN, message: "it happens".to_owned(), fields };
        Journal::at(&path).unwrap().write(&line).unwrap();
        let mut buffer = [0; 256];
        let length = reader.recv(&mut buffer).unwrap();
        let expected = b"PRIORITY=4\nSYSLOG_IDENTIFIER=vrrpd\nMESSAGE=it happens\nVRRPD_ROUTER=web\nVRRPD_REASON\n\
                         \x09\0\0\0\0\0\0\0two\nlines\n";
        assert_eq!(&buffer[..length], expected);
    }
}
