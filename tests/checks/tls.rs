//! `http` tracks over TLS.
#![cfg(feature = "tls")]

use crate::bench::{fails, passes, run, spec};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use vrrpd::engine::{Check, HttpCheck};

/// A server with a certificate for `shop.example` from an authority of its own, whose certificate goes to `authority`.
async fn server(authority: &Path) -> SocketAddr {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, authority.display().to_string());
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(authority, issuer.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["shop.example".into()]).unwrap().signed_by(&key, &issuer).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::try_from(key.serialize_der()).unwrap())
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = [0; 1024];
            if stream.read(&mut request).await.is_ok_and(|read| read > 0) {
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell").await.ok();
                stream.shutdown().await.ok();
            }
        }
    });
    address
}

fn get(url: &str, host: Option<&str>, insecure: bool) -> Check {
    let body = Some("well".into());
    Check::Http(HttpCheck { url: url.into(), status: None, body, host: host.map(Into::into), insecure })
}

/// The roots of the system are read once in a process, so the trust is tried in another one, whose system's root is the
/// authority of the server here.
#[tokio::test]
async fn a_certificate_must_be_for_the_name_and_from_a_known_authority() {
    let dir = tempfile::tempdir().unwrap();
    let authority = dir.path().join("authority.pem");
    let url = format!("https://{}/", server(&authority).await);
    passes(&run(spec(get(&url, None, true))).await, "status 200 OK");
    passes(&run(spec(get(&url, Some("any.example"), true))).await, "status 200 OK");
    let status = tokio::process::Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "tls::trusting_child"])
        .env("SSL_CERT_FILE", &authority)
        .env_remove("SSL_CERT_DIR")
        .env("TRUSTED_URL", &url)
        .status()
        .await
        .unwrap();
    assert!(status.success());
}

#[tokio::test]
#[ignore = "the child of the test above: it needs a server and its authority"]
async fn trusting_child() {
    let url = std::env::var("TRUSTED_URL").unwrap();
    passes(&run(spec(get(&url, Some("shop.example:443"), false))).await, "status 200 OK");
    let other = run(spec(get(&url, Some("other.example"), false))).await.result;
    assert!(
        other.starts_with("TLS: invalid peer certificate: certificate not valid for name \"other.example\""),
        "{other}"
    );
    let stranger = tempfile::tempdir().unwrap();
    let strange = format!("https://{}/", server(&stranger.path().join("authority.pem")).await);
    fails(&run(spec(get(&strange, Some("shop.example"), false))).await, "TLS: invalid peer certificate: UnknownIssuer");
}

#[tokio::test]
async fn what_speaks_no_tls_is_a_failure_that_says_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.ok();
    });
    let report = run(spec(get(&url, None, true))).await;
    assert!(report.result.starts_with("TLS: "), "{report:?}");
}
