//! A TCP connection, or a dialogue of one line each way: what is sent gets an end of line, and the answer must begin as
//! expected.

use super::Finding;
use std::borrow::Cow;
use std::io;
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How much of a wrong answer is shown.
const SHOWN: usize = 80;

#[derive(Debug, thiserror::Error)]
enum TcpFailure {
    /// The source says which step refused: connecting, sending or receiving.
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("closed the connection without an answer")]
    Silent,
    #[error("answered {got:?}, not {expected:?}")]
    Unexpected { got: String, expected: String },
}

/// Connects; sends and expects what is asked for.
pub(super) async fn check(address: SocketAddr, send: Option<&str>, expect: Option<&str>) -> Finding {
    talk(address, send, expect).await.map_err(|failure| failure.to_string())
}

async fn talk(address: SocketAddr, send: Option<&str>, expect: Option<&str>) -> Result<String, TcpFailure> {
    let mut stream = TcpStream::connect(address).await?;
    if let Some(send) = send {
        let line = if send.ends_with('\n') { Cow::from(send) } else { Cow::from(format!("{send}\r\n")) };
        stream.write_all(line.as_bytes()).await?;
    }
    let Some(expect) = expect else { return Ok("connected".into()) };
    let mut answer = Vec::new();
    while answer.len() < expect.len() && expect.as_bytes().starts_with(&answer) {
        let mut chunk = [0; 256];
        let read = stream.read(&mut chunk).await?;
        if read == 0 {
            break;
        }
        answer.extend_from_slice(&chunk[..read]);
    }
    let shown: String = String::from_utf8_lossy(&answer).trim_end().chars().take(SHOWN).collect();
    match answer {
        answer if answer.starts_with(expect.as_bytes()) => Ok(format!("answered {shown:?}")),
        answer if answer.is_empty() => Err(TcpFailure::Silent),
        _ => Err(TcpFailure::Unexpected { got: shown, expected: expect.into() }),
    }
}
