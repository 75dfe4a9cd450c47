//! A client that asks again and again over HTTP.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use crate::{Host, Stamp};

/// What became of one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When it was asked.
    pub asked: Stamp,
    /// When the answer, or the failure, was there.
    pub answered: Stamp,
    /// The body, or why there was none.
    pub body: Result<String, String>,
}

/// A client that asks until dropped.
#[derive(Debug)]
pub struct Prober {
    answers: Arc<Mutex<Vec<Answer>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Prober {
    /// Asks `address` from `host`: a new connection every `interval`, given up after `patience`.
    #[must_use]
    pub fn start(host: &Host, address: IpAddr, interval: Duration, patience: Duration) -> Self {
        let answers = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, stopped) = (Arc::clone(&answers), Arc::clone(&stop));
        let thread = host.namespace().spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let next = Instant::now() + interval;
                let answer = ask(SocketAddr::new(address, 80), patience);
                theirs.lock().expect("no thread panics while it holds the answers").push(answer);
                sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Self { answers, stop, thread: Some(thread) }
    }

    /// All answers so far.
    #[must_use]
    pub fn answers(&self) -> Vec<Answer> {
        self.answers.lock().expect("no thread panics while it holds the answers").clone()
    }

    /// Waits for the first answer asked for at or after `start` whose body is `body`.
    #[track_caller]
    pub fn wait_for(&self, body: &str, start: Stamp, timeout: Duration) -> Answer {
        let deadline = Instant::now() + timeout;
        loop {
            let found =
                self.answers().into_iter().find(|answer| answer.asked >= start && answer.body.as_deref() == Ok(body));
            if let Some(answer) = found {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "no answer from {body} in {timeout:?}; the last: {:?}",
                self.answers().last()
            );
            sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn ask(address: SocketAddr, patience: Duration) -> Answer {
    let asked = Stamp::now();
    let body = request(address, patience).map_err(|error| error.to_string());
    Answer { asked, answered: Stamp::now(), body }
}

fn request(address: SocketAddr, patience: Duration) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, patience)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(|| std::io::Error::other("not HTTP"))?;
    if head.starts_with("HTTP/1.1 200") { Ok(body.to_owned()) } else { Err(std::io::Error::other(head.to_owned())) }
}
