//! What a program says, as far as operators are told: the last of it.

use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;

/// How much is kept. A line that is longer says too much for a log line anyway.
const KEPT: usize = 4096;
/// How much of a line is shown.
const SHOWN: usize = 240;
/// How much is still read after the end: what a pipe of the usual size holds. A child of the program's may go on writing.
const LEFT_OVER: usize = 64 * 1024;

/// The last [`KEPT`] octets of an output.
#[derive(Default)]
pub(super) struct Tail {
    kept: Vec<u8>,
}

impl Tail {
    /// Reads until every writer has closed the pipe.
    ///
    /// `read` lets other tasks run in between, also when the program never stops writing.
    pub(super) async fn follow(&mut self, pipe: &mut Receiver) {
        let mut buffer = [0; KEPT];
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            self.push(&buffer[..read]);
        }
    }

    /// Reads what is there now.
    pub(super) fn finish(&mut self, pipe: &Receiver) {
        let mut buffer = [0; KEPT];
        for _ in 0..LEFT_OVER / KEPT {
            let Ok(read @ 1..) = pipe.try_read(&mut buffer) else { return };
            self.push(&buffer[..read]);
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.kept.extend_from_slice(bytes);
        let surplus = self.kept.len().saturating_sub(KEPT);
        self.kept.drain(..surplus);
    }

    /// The last line that is not blank, fit for a terminal and a log.
    pub(super) fn last_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.kept);
        let line = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let mut shown: String = line.chars().take(SHOWN).map(clean).collect();
        if line.chars().nth(SHOWN).is_some() {
            shown.push_str("...");
        }
        shown
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn last_line(output: &[u8]) -> String {
        let mut tail = Tail::default();
        output.chunks(1000).for_each(|chunk| tail.push(chunk));
        tail.last_line()
    }

    #[test]
    fn the_last_line_that_says_something_is_told() {
        for (output, line) in [
            (&b""[..], ""),
            (b"\n \n", ""),
            (b"first\nconnection refused\n\n", "connection refused"),
            (b"no end of line", "no end of line"),
            (b"\x1b[31mred\x1b[0m \xff\r\n", " [31mred [0m \u{fffd}"),
        ] {
            assert_eq!(last_line(output), line);
        }
    }

    #[test]
    fn a_flood_leaves_only_its_end() {
        let mut flood = b"x".repeat(1_000_000);
        assert_eq!(last_line(&flood), format!("{}...", "x".repeat(SHOWN)));
        flood.extend_from_slice(b"\nthe end");
        assert_eq!(last_line(&flood), "the end");
    }
}
