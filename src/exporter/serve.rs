//! HTTP: a few paths, for reading only. Whatever a client does, it costs one of a fixed number of connections.

use super::exposition::Form;
use super::feed::Feed;
use super::{metrics, page};
use http_body_util::{Either, Full};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::sleep;

/// Connections at once; one more is closed at once.
const CONNECTIONS: usize = 48;

/// Browsers that watch at once; one more is told so.
const WATCHERS: usize = 16;

/// How long a client may take to ask, and again to take the answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long a browser may watch before it has to come again, which it does by itself.
const WATCHING: Duration = Duration::from_hours(1);

/// The longest request head, in octets.
const HEAD: usize = 16 << 10;

/// What the handlers share.
struct Site {
    feed: Arc<Feed>,
    policy: HeaderValue,
    watchers: Arc<Semaphore>,
}

type Reply = Response<Either<Full<Bytes>, Events>>;

/// Serves for ever.
pub(super) async fn serve(listener: TcpListener, feed: Arc<Feed>) -> io::Result<Infallible> {
    let policy = HeaderValue::from_str(&page::policy()).map_err(io::Error::other)?;
    let site = Arc::new(Site { feed, policy, watchers: Arc::new(Semaphore::new(WATCHERS)) });
    let connections = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Ok(permit) = Arc::clone(&connections).try_acquire_owned() {
                    tokio::spawn(connection(stream, Arc::clone(&site), permit));
                }
            }
            // No descriptors left, say: the connection waits meanwhile.
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

/// One request, one answer.
async fn connection(stream: TcpStream, site: Arc<Site>, _permit: OwnedSemaphorePermit) {
    let watching = AtomicBool::new(false);
    let service = service_fn(|request| {
        let (site, watching) = (Arc::clone(&site), &watching);
        async move { Ok::<_, Infallible>(respond(&site, &request, watching).await) }
    });
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let deadline = async {
        sleep(2 * PATIENCE).await;
        if watching.load(Ordering::Relaxed) {
            sleep(WATCHING).await;
        }
    };
    // A client that breaks off or writes nonsense is no concern of anybody's.
    tokio::select! {
        _ = serving => {}
        () = deadline => {}
    }
}

async fn respond(site: &Site, request: &Request<Incoming>, watching: &AtomicBool) -> Reply {
    let mut reply = if matches!(*request.method(), Method::GET | Method::HEAD) {
        match request.uri().path() {
            "/" => text(StatusCode::OK, "text/html; charset=utf-8", page::PAGE),
            "/metrics" => metrics(site, request.headers()).await,
            "/healthz" => health(site).await,
            "/status.json" => status(site).await,
            "/events" => events(site, watching),
            _ => plain(StatusCode::NOT_FOUND, "there are /, /metrics, /healthz, /status.json and /events\n"),
        }
    } else {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "everything here is for reading\n");
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        refused
    };
    let headers = reply.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, site.policy.clone());
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

async fn metrics(site: &Site, headers: &HeaderMap) -> Reply {
    let accept = headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let form = Form::accepted(accept);
    let status = site.feed.source.status().await.ok();
    let document = status.and_then(|line| serde_json::from_str(&line).ok());
    text(StatusCode::OK, form.content_type(), metrics::render(document.as_ref(), form))
}

async fn health(site: &Site) -> Reply {
    match site.feed.source.status().await {
        Ok(_) => plain(StatusCode::OK, "the daemon answers\n"),
        Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

async fn status(site: &Site) -> Reply {
    match site.feed.source.status().await {
        Ok(line) => text(StatusCode::OK, "application/json", format!("{line}\n")),
        Err(error) => plain(StatusCode::SERVICE_UNAVAILABLE, format!("{error}\n")),
    }
}

fn events(site: &Site, watching: &AtomicBool) -> Reply {
    let Ok(permit) = Arc::clone(&site.watchers).try_acquire_owned() else {
        return plain(StatusCode::SERVICE_UNAVAILABLE, "too many are watching: try again later\n");
    };
    watching.store(true, Ordering::Relaxed);
    let (sender, frames) = mpsc::channel(1);
    tokio::spawn(Arc::clone(&site.feed).watch(sender));
    let mut reply = Response::new(Either::Right(Events { frames, _permit: permit }));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    reply
}

fn plain(code: StatusCode, body: impl Into<Bytes>) -> Reply {
    text(code, "text/plain; charset=utf-8", body)
}

fn text(code: StatusCode, kind: &'static str, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Either::Left(Full::new(body.into())));
    *reply.status_mut() = code;
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    reply
}

/// A body that goes on for as long as there are frames.
struct Events {
    frames: mpsc::Receiver<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl Body for Events {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.frames.poll_recv(context).map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }
}
