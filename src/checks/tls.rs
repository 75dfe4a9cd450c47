//! TLS for `https` checks: rustls with the system's roots, or with any certificate where the operator says so.

use std::io;
use std::sync::{Arc, OnceLock};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{ClientConfig, Resumption, WantsClientCert};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ConfigBuilder, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Why there is no TLS connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum TlsFailure {
    /// Neither a name nor an address.
    #[error("{0:?} is not a name that a certificate can be for")]
    Name(String),
    /// The system has no certificates of authorities.
    #[error(
        "no certificates of authorities were found on this system: install ca-certificates, or set insecure = true"
    )]
    NoRoots,
    /// The library refuses its own defaults.
    #[error("{0}")]
    Config(#[from] Error),
    /// The handshake failed.
    #[error("{0}")]
    Handshake(#[from] io::Error),
}

/// Makes the connection secure. The system's roots are read once, at the first use.
pub(super) async fn connect(stream: TcpStream, name: &str, insecure: bool) -> Result<TlsStream<TcpStream>, TlsFailure> {
    let name = ServerName::try_from(name.to_owned()).map_err(|_| TlsFailure::Name(name.into()))?;
    let config = if insecure { unverified()? } else { verified().await? };
    Ok(TlsConnector::from(config).connect(name, stream).await?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

async fn verified() -> Result<Arc<ClientConfig>, TlsFailure> {
    static CONFIG: OnceLock<Arc<ClientConfig>> = OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(config.clone());
    }
    let load = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs);
    let found = load.await.map_err(io::Error::other)?;
    let mut roots = RootCertStore::empty();
    let (valid, _) = roots.add_parsable_certificates(found.certs);
    if valid == 0 {
        return Err(TlsFailure::NoRoots);
    }
    let config = finish(
        ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots),
    );
    Ok(CONFIG.get_or_init(|| config).clone())
}

fn unverified() -> Result<Arc<ClientConfig>, TlsFailure> {
    let provider = provider();
    let any = Arc::new(AnyCertificate(provider.clone()));
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(finish(builder.dangerous().with_custom_certificate_verifier(any)))
}

/// Every check makes a whole handshake: a resumed session would not look at the certificate again.
fn finish(builder: ConfigBuilder<ClientConfig, WantsClientCert>) -> Arc<ClientConfig> {
    let mut config = builder.with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

/// Takes any certificate, as `insecure` asks for.
#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
