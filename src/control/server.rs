//! Serves the control socket. Whatever a client does, it costs at most one of a fixed number of slots, one bounded
//! line of memory, and a few seconds.

use super::authority::Authority;
use super::backend::{Backend, ReloadOutcome, Request, UpgradeOutcome};
use super::document::Document;
use super::explain::explain;
use super::history::History;
use super::listener::Listener;
use super::protocol::{Ask, Done, EventsEnd, Explanation, Refusal, ReloadAnswer, UpgradeAnswer};
use super::status;
use crate::engine::Command;
use crate::vrrp::Seq;
use serde::Serialize;
use std::io::{self, Write};
use std::sync::{Arc, Weak};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf, UCred};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

/// What clients are held to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Clients at once; one more is told so and closed.
    pub clients: usize,
    /// The longest request line, in octets.
    pub line: usize,
    /// How long a client may take to send a line, or to take an answer.
    pub patience: Duration,
    /// How long the daemon may take for an answer; a reload may have to look up users.
    pub answer: Duration,
    /// Different statuses held in memory at once, of which each may be megabytes. However many clients do not read.
    pub statuses: usize,
    /// A status younger than this is shown again: however many ask, the protocol thread is asked 50 times a second.
    pub freshness: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 64,
            line: 64 * 1024,
            patience: Duration::from_secs(5),
            answer: Duration::from_secs(30),
            statuses: 8,
            freshness: Duration::from_millis(20),
        }
    }
}

/// How many records are taken from the history at a time.
const PAGE: usize = 64;

/// Serves until the future is dropped, which also drops every client.
pub async fn serve(listener: Listener, backend: Backend, history: History, limits: Limits) -> io::Result<()> {
    let accepting = listener.accepting()?;
    let authority = Authority::new(listener.group().0);
    let desk = Arc::new(Desk { backend, history, limits, authority, recent: Mutex::default() });
    let mut clients = JoinSet::new();
    loop {
        tokio::select! {
            Some(_) = clients.join_next() => {}
            accepted = accepting.accept() => match accepted {
                Ok((stream, _)) if clients.len() < limits.clients => {
                    clients.spawn(Arc::clone(&desk).attend(stream));
                }
                Ok((stream, _)) => turn_away(stream, limits.clients),
                // Out of descriptors, most likely: those in use come back as clients leave.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }
}

/// One line as far as it goes without waiting, then closed. Written past tokio, which does not know yet that a new
/// connection can be written to.
fn turn_away(stream: UnixStream, limit: usize) {
    let error = format!("{limit} clients are connected already: try again in a moment");
    let _ = stream.into_std().and_then(|mut stream| stream.write_all(&line(&Refusal { error })));
}

/// What all clients share.
#[derive(Debug)]
struct Desk {
    backend: Backend,
    history: History,
    limits: Limits,
    authority: Authority,
    recent: Mutex<Recent>,
}

/// The last status, and how many older ones are still on their way to clients.
#[derive(Debug, Default)]
struct Recent {
    last: Option<(Instant, Arc<[u8]>)>,
    on_their_way: Vec<Weak<[u8]>>,
}

impl Recent {
    /// The last status where it is fresh. It is shown again although it is not where too many others, of megabytes
    /// perhaps, are held for clients that do not read; those are let go after [`Limits::patience`].
    fn usable(&mut self, limits: Limits) -> Option<Arc<[u8]>> {
        self.on_their_way.retain(|status| status.strong_count() > 0);
        let (taken, status) = self.last.as_ref()?;
        let crowded = self.on_their_way.len() >= limits.statuses && taken.elapsed() < limits.patience;
        (taken.elapsed() < limits.freshness || crowded).then(|| Arc::clone(status))
    }

    fn keep(&mut self, status: Arc<[u8]>) -> Arc<[u8]> {
        self.on_their_way.push(Arc::downgrade(&status));
        self.last = Some((Instant::now(), Arc::clone(&status)));
        status
    }

    /// Something was changed: the next one who asks wants to see it.
    fn forget(&mut self) {
        self.last = None;
    }
}

/// Why a client is let go.
#[derive(Debug)]
enum Farewell {
    /// It went, or did not read or write in time.
    Gone,
    /// It asked for what cannot be done; it is told so.
    Refused(String),
}

impl From<io::Error> for Farewell {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Desk {
    async fn attend(self: Arc<Self>, stream: UnixStream) {
        let Ok(peer) = stream.peer_cred() else { return };
        let (read, mut write) = stream.into_split();
        if let Err(Farewell::Refused(error)) = self.converse(BufReader::new(read), &mut write, peer).await {
            let _ = self.send(&mut write, &line(&Refusal { error })).await;
        }
    }

    async fn converse(
        &self,
        mut read: BufReader<OwnedReadHalf>,
        write: &mut OwnedWriteHalf,
        peer: UCred,
    ) -> Result<(), Farewell> {
        loop {
            let ask = self.ask(&mut read).await?;
            if ask.changes_something() && !self.authority.allows(peer).await {
                return Err(Farewell::Refused(self.authority.refusal(peer)));
            }
            match ask {
                Ask::Status {} => {
                    let status = self.status().await?;
                    self.send(write, &status).await?;
                }
                Ask::Events { since, follow } => self.events(since, follow, &mut read, write).await?,
                Ask::Explain { router } => {
                    let status = self.request(Request::Status).await?;
                    let text = explain(&status, &router).map_err(Farewell::Refused)?;
                    self.send(write, &line(&Explanation { text })).await?;
                }
                Ask::Drain { router, for_ms, force } => {
                    let (router, by) = (router.map(Into::into), Authority::name(peer).await);
                    let until = for_ms.map(Duration::from_millis);
                    let done = self.command(Command::Drain { router, by, until, force }).await?;
                    self.send(write, &line(&done)).await?;
                }
                Ask::Undrain { router } => {
                    let (router, by) = (router.map(Into::into), Authority::name(peer).await);
                    let done = self.command(Command::Undrain { router, by }).await?;
                    self.send(write, &line(&done)).await?;
                }
                Ask::LogLevel { level } => {
                    let by = Authority::name(peer).await;
                    let set = self.request(|reply| Request::LogLevel { level, by, reply }).await?;
                    let done = Done { done: vec![set.map_err(Farewell::Refused)?] };
                    self.send(write, &line(&done)).await?;
                }
                Ask::Upgrade {} => {
                    let UpgradeOutcome { ok, diagnostics } = self.request(Request::Upgrade).await?;
                    let version = env!("CARGO_PKG_VERSION").to_owned();
                    self.send(write, &line(&UpgradeAnswer { ok, diagnostics, version })).await?;
                }
                Ask::Reload { dry_run } => {
                    let answer = self.reload(dry_run, Authority::name(peer).await).await?;
                    self.send(write, &line(&answer)).await?;
                }
            }
        }
    }

    /// One request line, of bounded length and in bounded time.
    async fn ask(&self, read: &mut BufReader<OwnedReadHalf>) -> Result<Ask, Farewell> {
        let mut octets = Vec::new();
        let most = u64::try_from(self.limits.line).unwrap_or(u64::MAX);
        let mut bounded = read.take(most);
        timeout(self.limits.patience, bounded.read_until(b'\n', &mut octets)).await.map_err(|_| Farewell::Gone)??;
        if octets.is_empty() {
            return Err(Farewell::Gone);
        }
        if octets.last() != Some(&b'\n') && octets.len() == self.limits.line {
            return Err(Farewell::Refused(format!("a request is at most {} octets long", self.limits.line)));
        }
        serde_json::from_slice(&octets).map_err(|error| Farewell::Refused(format!("not a request: {error}")))
    }

    /// The status, at most [`Limits::freshness`] old. Clients that come meanwhile wait for the same one.
    async fn status(&self) -> Result<Arc<[u8]>, Farewell> {
        let mut recent = self.recent.lock().await;
        if let Some(status) = recent.usable(self.limits) {
            return Ok(status);
        }
        let document: Document = status::document(&self.request(Request::Status).await?);
        Ok(recent.keep(line(&document).into()))
    }

    async fn command(&self, command: Command) -> Result<Done, Farewell> {
        let routers = self.request(|reply| Request::Command { command, reply }).await?;
        self.recent.lock().await.forget();
        let done = routers.map_err(Farewell::Refused)?;
        Ok(Done { done: done.iter().map(ToString::to_string).collect() })
    }

    async fn reload(&self, dry_run: bool, by: Arc<str>) -> Result<ReloadAnswer, Farewell> {
        let ReloadOutcome { ok, diagnostics, changes } =
            self.request(|reply| Request::Reload { dry_run, by, reply }).await?;
        self.recent.lock().await.forget();
        Ok(ReloadAnswer { ok, diagnostics, changes })
    }

    /// Asks the daemon and waits for its answer.
    async fn request<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Farewell> {
        let (reply, answer) = oneshot::channel();
        let asking = async {
            self.backend.send(request(reply)).await.map_err(|_| ())?;
            answer.await.map_err(|_| ())
        };
        match timeout(self.limits.answer, asking).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(())) => Err(Farewell::Refused("the daemon is stopping".to_owned())),
            Err(_) => Err(Farewell::Refused("the daemon does not answer in time: see its log".to_owned())),
        }
    }

    async fn events(
        &self,
        since: Option<Seq>,
        follow: bool,
        read: &mut BufReader<OwnedReadHalf>,
        write: &mut OwnedWriteHalf,
    ) -> Result<(), Farewell> {
        let mut newest = self.history.newest();
        let latest = *newest.borrow();
        let mut seen = since.unwrap_or_else(|| self.history.before_oldest());
        if seen > latest {
            return Err(Farewell::Refused(format!("there is no record {seen}: the newest is {latest}")));
        }
        loop {
            newest.mark_unchanged();
            let page = self.history.after(seen, PAGE);
            if let Some(last) = page.entries.last() {
                seen = last.seq;
                self.send(write, &page.lines()).await?;
            } else if !follow {
                return self.send(write, &line(&EventsEnd { newest: seen })).await;
            } else {
                tokio::select! {
                    changed = newest.changed() => changed.map_err(|_| Farewell::Gone)?,
                    // A follower has nothing more to say: it has gone, or it talks out of turn.
                    _ = read.fill_buf() => return Err(Farewell::Gone),
                }
            }
        }
    }

    async fn send(&self, write: &mut OwnedWriteHalf, octets: &[u8]) -> Result<(), Farewell> {
        timeout(self.limits.patience, write.write_all(octets))
            .await
            .map_err(|_| Farewell::Gone)?
            .map_err(Farewell::from)
    }
}

/// A value as a line of JSON.
fn line(value: &impl Serialize) -> Vec<u8> {
    let mut octets = serde_json::to_vec(value).expect("the protocol's types have string keys and finite numbers");
    octets.push(b'\n');
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each client that does not read holds the status it asked for, until its time is up.
    #[tokio::test]
    async fn clients_that_do_not_read_share_a_few_statuses() {
        let limits = Limits { freshness: Duration::ZERO, statuses: 3, ..Limits::default() };
        let mut recent = Recent::default();
        let mut held: Vec<Arc<[u8]>> = Vec::new();
        for number in 0..64_u8 {
            let status = recent.usable(limits).unwrap_or_else(|| recent.keep(Arc::new([number])));
            held.push(status);
        }
        held.dedup();
        assert_eq!(held.len(), 3, "{held:?}");
        held.clear();
        assert_eq!(recent.usable(limits), None, "and once they are gone it is fresh again");
    }
}
