//! A daemon that is played, a running exporter, and what it takes to talk to it.

use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A control socket that answers as the daemon does.
pub(crate) struct Daemon {
    pub(crate) socket: PathBuf,
    _directory: TempDir,
    shared: Arc<Shared>,
}

struct Shared {
    status: Mutex<String>,
    records: Mutex<Vec<String>>,
    asked: Mutex<Vec<String>>,
    running: AtomicBool,
}

impl Daemon {
    pub(crate) fn new() -> Self {
        let directory = TempDir::new().unwrap();
        let status: Value = serde_json::from_str(include_str!("status.json")).unwrap();
        let shared = Shared {
            status: Mutex::new(status.to_string()),
            records: Mutex::default(),
            asked: Mutex::default(),
            running: AtomicBool::new(false),
        };
        Self { socket: directory.path().join("control.sock"), _directory: directory, shared: Arc::new(shared) }
    }

    pub(crate) fn start(&self) {
        self.shared.running.store(true, Ordering::SeqCst);
        let listener = UnixListener::bind(&self.socket).unwrap();
        let shared = Arc::clone(&self.shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if !shared.running.load(Ordering::SeqCst) {
                    return;
                }
                let (stream, shared) = (stream.unwrap(), Arc::clone(&shared));
                std::thread::spawn(move || shared.serve(&stream));
            }
        });
    }

    pub(crate) fn stop(&self) {
        self.shared.running.store(false, Ordering::SeqCst);
        drop(UnixStream::connect(&self.socket));
        std::fs::remove_file(&self.socket).unwrap();
        // Who follows the events is let go at the next look.
        std::thread::sleep(Duration::from_millis(50));
    }

    pub(crate) fn happens(&self, text: &str) {
        let mut records = self.shared.records.lock().unwrap();
        let record = json!({"seq": records.len() + 1, "time": "2026-01-01T00:00:00Z", "event": "track", "text": text});
        records.push(record.to_string());
    }

    pub(crate) fn forget(&self) {
        self.shared.records.lock().unwrap().clear();
    }

    pub(crate) fn says(&self, status: &str) {
        status.clone_into(&mut self.shared.status.lock().unwrap());
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        self.shared.asked.lock().unwrap().clone()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.shared.running.store(false, Ordering::SeqCst);
    }
}

impl Shared {
    fn serve(&self, stream: &UnixStream) {
        let mut line = String::new();
        if BufReader::new(stream).read_line(&mut line).is_err() || line.is_empty() {
            return;
        }
        self.asked.lock().unwrap().push(line.clone());
        let ask: Value = serde_json::from_str(&line).unwrap();
        if ask["command"] == "events" {
            self.tell(stream, ask["since"].as_u64().unwrap_or(0));
        } else {
            // Who asks may be gone.
            let _ = say(stream, &self.status.lock().unwrap());
        }
    }

    fn tell(&self, stream: &UnixStream, since: u64) {
        let mut told = usize::try_from(since).unwrap();
        if told > self.records.lock().unwrap().len() {
            let _ = say(stream, &json!({"error": "there is no such record"}).to_string());
            return;
        }
        while self.running.load(Ordering::SeqCst) {
            let waiting = self.records.lock().unwrap()[told..].to_vec();
            for record in waiting {
                told += 1;
                if say(stream, &record).is_err() {
                    return;
                }
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn say(mut stream: &UnixStream, line: &str) -> std::io::Result<()> {
    stream.write_all(format!("{line}\n").as_bytes())
}

/// A running exporter, killed when dropped.
pub(crate) struct Exporter {
    pub(crate) address: SocketAddr,
    process: Child,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).unwrap_or_default()
    }
}

impl Exporter {
    pub(crate) fn start(socket: &Path) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_vrrpd-exporter"))
            .args(["--listen", "127.0.0.1:0", "--socket"])
            .arg(socket)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stderr.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).unwrap();
        Self { address: address.parse().unwrap(), process }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"))
    }

    pub(crate) fn ask(&self, request: &str) -> Answer {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        // It may answer and close before it has read everything.
        let _ = stream.write_all(request.as_bytes());
        let mut octets = Vec::new();
        let _ = stream.read_to_end(&mut octets);
        let text = String::from_utf8(octets).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer to {request:.80}"));
        let code = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { code, head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn watch(&self) -> Events {
        let mut stream = TcpStream::connect(self.address).unwrap();
        stream.write_all(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let mut events = Events { stream, seen: String::new() };
        events.read_until(Duration::from_secs(5), |seen| seen.contains("\r\n\r\n").then_some(4));
        events
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// A stream of server-sent events.
pub(crate) struct Events {
    stream: TcpStream,
    seen: String,
}

impl Events {
    /// Waits for an event of this kind whose data contain `text`; what came before it is forgotten.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, kind: &str, text: &str, patience: Duration) {
        let wanted = format!("event: {kind}\ndata: ");
        let found = self.read_until(patience, |seen| {
            let mut from = 0;
            while let Some(at) = seen[from..].find(&wanted) {
                let start = from + at;
                let end = start + seen[start..].find("\n\n")?;
                if seen[start..end].contains(text) {
                    return Some(end);
                }
                from = end;
            }
            None
        });
        assert!(found, "no {kind} with {text} within {patience:?}: {:.2000}", self.seen);
    }

    fn read_until(&mut self, patience: Duration, found: impl Fn(&str) -> Option<usize>) -> bool {
        let deadline = Instant::now() + patience;
        let mut octets = vec![0; 65536];
        loop {
            if let Some(end) = found(&self.seen) {
                self.seen.drain(..end);
                return true;
            }
            if Instant::now() > deadline {
                return false;
            }
            if let Ok(count) = self.stream.read(&mut octets) {
                self.seen.push_str(&String::from_utf8_lossy(&octets[..count]));
            }
        }
    }
}
