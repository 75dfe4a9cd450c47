//! A GET request and what makes its answer healthy.

use super::Finding;
#[cfg(feature = "tls")]
use super::tls;
use crate::engine::HttpCheck;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::http::uri::{InvalidUri, Scheme};
use hyper::{Request, Response, StatusCode, Uri, header};
use hyper_util::rt::TokioIo;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// The greatest body that is searched.
const MAX_BODY: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
enum HttpFailure {
    #[error("{url} is not a URL: {source}")]
    Url { url: String, source: InvalidUri },
    #[error("{0} is not a URL: it must begin with http:// or https:// and name a host")]
    NotHttp(String),
    #[error("{0}")]
    Connect(io::Error),
    #[cfg(feature = "tls")]
    #[error("TLS: {0}")]
    Tls(#[from] tls::TlsFailure),
    #[cfg(not(feature = "tls"))]
    #[error("this vrrpd was built without TLS: use http://, or a build with the feature tls")]
    NoTls,
    #[error("host {0:?} cannot be sent in a header")]
    Host(String),
    #[error("no valid answer: {0}")]
    Exchange(#[from] hyper::Error),
    #[error("status {0}")]
    Status(StatusCode),
    #[error("status {status}, but {wanted} is expected")]
    OtherStatus { status: StatusCode, wanted: u16 },
    #[error("the body could not be read to its end, or is greater than {MAX_BODY} octets: {0}")]
    Body(Box<dyn std::error::Error + Send + Sync>),
    #[error("the body does not contain {0:?}")]
    NotInBody(String),
}

/// Makes the request once; the caller sets the limit.
pub(super) async fn check(check: &HttpCheck) -> Finding {
    get(check).await.map_err(|failure| failure.to_string())
}

async fn get(check: &HttpCheck) -> Result<String, HttpFailure> {
    let url: Uri = check.url.parse().map_err(|source| HttpFailure::Url { url: check.url.to_string(), source })?;
    let not_http = || HttpFailure::NotHttp(check.url.to_string());
    let host = url.host().ok_or_else(not_http)?.trim_start_matches('[').trim_end_matches(']');
    let secure = match url.scheme() {
        Some(scheme) if *scheme == Scheme::HTTP => false,
        Some(scheme) if *scheme == Scheme::HTTPS => true,
        _ => return Err(not_http()),
    };
    let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await.map_err(HttpFailure::Connect)?;
    if !secure {
        return exchange(stream, check, &url).await;
    }
    #[cfg(feature = "tls")]
    return exchange(tls::connect(stream, name_of(check, host), check.insecure).await?, check, &url).await;
    #[cfg(not(feature = "tls"))]
    Err(HttpFailure::NoTls)
}

/// The name that the certificate must be for: that of the Host header, without a port.
#[cfg(feature = "tls")]
fn name_of<'a>(check: &'a HttpCheck, host: &'a str) -> &'a str {
    check.host.as_deref().map_or(host, |header| header.split(':').next().unwrap_or(header))
}

async fn exchange<S>(stream: S, check: &HttpCheck, url: &Uri) -> Result<String, HttpFailure>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request = request(check, url)?;
    let exchange = async { judge(check, sender.send_request(request).await?).await };
    // The connection is driven here, so that it ends with this future. When it fails the exchange says so.
    let driver = async {
        connection.await.ok();
        std::future::pending().await
    };
    tokio::select! {
        outcome = exchange => outcome,
        outcome = driver => outcome,
    }
}

fn request(check: &HttpCheck, url: &Uri) -> Result<Request<Empty<Bytes>>, HttpFailure> {
    let named = url.host().unwrap_or_default();
    let own = url.port_u16().map_or_else(|| named.to_owned(), |port| format!("{named}:{port}"));
    let host = check.host.as_deref().unwrap_or(&own);
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, concat!("vrrpd/", env!("CARGO_PKG_VERSION")))
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|_| HttpFailure::Host(host.into()))
}

async fn judge(check: &HttpCheck, response: Response<Incoming>) -> Result<String, HttpFailure> {
    let status = response.status();
    match check.status {
        Some(wanted) if status.as_u16() != wanted => return Err(HttpFailure::OtherStatus { status, wanted }),
        None if !(200..400).contains(&status.as_u16()) => return Err(HttpFailure::Status(status)),
        _ => {}
    }
    if let Some(wanted) = check.body.as_deref().filter(|wanted| !wanted.is_empty()) {
        let body = Limited::new(response.into_body(), MAX_BODY).collect().await.map_err(HttpFailure::Body)?.to_bytes();
        if !body.windows(wanted.len()).any(|window| window == wanted.as_bytes()) {
            return Err(HttpFailure::NotInBody(wanted.into()));
        }
    }
    Ok(format!("status {status}"))
}
