//! The browser: follows a request through its six steps, over and over, and writes every answer down.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use netns_tests::{Host, Stamp};

/// The services asked for, in turn.
const SERVICES: [&str; 5] = ["user", "trial", "public", "course", "admin"];
const BETWEEN_REQUESTS: Duration = Duration::from_millis(50);
/// How long the browser waits for an answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(2);

/// Who took part in an answer.
#[derive(Debug, Clone)]
pub(crate) struct Steps {
    /// The host whose nginx answered on the virtual address.
    pub(crate) nginx: String,
    /// The addresses of the gateways that nginx tried, the last one with success.
    pub(crate) gateways: String,
    /// The host of the service.
    pub(crate) service: String,
}

/// A request and what became of it.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// When it was sent.
    pub(crate) asked: Stamp,
    /// When the answer or the failure was there.
    pub(crate) answered: Stamp,
    /// The way it went, or why it failed.
    pub(crate) outcome: Result<Steps, String>,
}

/// What the client lost in some span of time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Loss {
    /// All requests sent.
    pub(crate) requests: usize,
    /// Those without a whole answer.
    pub(crate) lost: usize,
    /// The longest time from the sending of a lost request to the next whole answer, in milliseconds.
    pub(crate) longest_ms: f64,
}

/// A browser that asks until dropped.
pub(crate) struct Client {
    requests: Arc<Mutex<Vec<Request>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Client {
    /// Asks `address` from `host`, and writes a line for each answer to `file`.
    pub(crate) fn start(host: &Host, address: IpAddr, file: &Path) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let (theirs, stopped) = (Arc::clone(&requests), Arc::clone(&stop));
        let mut file = File::create(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let thread = host.spawn(move || {
            for service in SERVICES.into_iter().cycle() {
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let next = Instant::now() + BETWEEN_REQUESTS;
                let request = ask(SocketAddr::new(address, 80), service);
                writeln!(file, "{}", line(service, &request)).expect("answers can be written");
                lock(&theirs).push(request);
                sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        Self { requests, stop, thread: Some(thread) }
    }

    /// Waits until every request of a whole second has its answer, by way of this host's nginx.
    #[track_caller]
    pub(crate) fn wait_until_all_is_well(&self, nginx: &str, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        loop {
            let start = Stamp::now();
            sleep(Duration::from_secs(1));
            let recent: Vec<Request> = self.between(start, Stamp::now());
            let well = |request: &Request| request.outcome.as_ref().is_ok_and(|steps| steps.nginx == nginx);
            if recent.len() >= 5 && recent.iter().all(well) {
                return;
            }
            assert!(Instant::now() < deadline, "not all is well on {nginx} after {timeout:?}: {:?}", recent.last());
        }
    }

    /// The requests sent in this span, as far as they are answered.
    pub(crate) fn between(&self, start: Stamp, end: Stamp) -> Vec<Request> {
        lock(&self.requests).iter().filter(|request| request.asked >= start && request.asked < end).cloned().collect()
    }

    /// What was lost of the requests sent in this span.
    pub(crate) fn loss(&self, start: Stamp, end: Stamp) -> Loss {
        let requests = self.between(start, end);
        let mut loss = Loss { requests: requests.len(), ..Loss::default() };
        let mut since: Option<Stamp> = None;
        for request in &requests {
            if request.outcome.is_err() {
                loss.lost += 1;
                since.get_or_insert(request.asked);
            }
            if let Some(first) = since {
                loss.longest_ms = loss.longest_ms.max(request.answered.millis_after(first));
            }
            if request.outcome.is_ok() {
                since = None;
            }
        }
        loss
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn lock(requests: &Mutex<Vec<Request>>) -> MutexGuard<'_, Vec<Request>> {
    requests.lock().expect("no thread panics while it holds the requests")
}

fn ask(address: SocketAddr, service: &str) -> Request {
    let asked = Stamp::now();
    let outcome = request(address, service).map_err(|error| error.to_string()).and_then(|text| steps(&text, service));
    Request { asked, answered: Stamp::now(), outcome }
}

fn request(address: SocketAddr, service: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /{service} HTTP/1.0\r\nHost: example.com\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// Reads the way that an answer came; an answer that lacks a step is none.
fn steps(text: &str, service: &str) -> Result<Steps, String> {
    let (head, body) = text.split_once("\r\n\r\n").ok_or("not HTTP")?;
    let status = head.lines().next().unwrap_or_default();
    if !status.contains(" 200 ") {
        return Err(format!("{status}: {}", body.lines().next().unwrap_or_default()));
    }
    let header = |name: &str| {
        let found =
            head.lines().filter_map(|line| line.split_once(": ")).find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_owned()).ok_or(format!("no {name}"))
    };
    let answer: serde_json::Value = serde_json::from_str(body).map_err(|error| error.to_string())?;
    let is_whole = answer["service"] == service
        && answer["visits"].as_u64().is_some()
        && answer["title"].as_str() == Some(service)
        && (service != "course" || answer["cloud"] == "from the cloud");
    if !is_whole {
        return Err(format!("not the whole answer: {answer}"));
    }
    let service = answer["host"].as_str().ok_or("no host")?.to_owned();
    Ok(Steps { nginx: header("X-Nginx")?, gateways: header("X-Gateway")?, service })
}

fn line(service: &str, request: &Request) -> String {
    let mut line = format!("{}\t{service}\t{:.1}\t", request.asked, request.answered.millis_after(request.asked));
    let _ = match &request.outcome {
        Ok(Steps { nginx, gateways, service }) => write!(line, "{nginx}\t{gateways}\t{service}"),
        Err(error) => write!(line, "LOST\t{error}"),
    };
    line
}
