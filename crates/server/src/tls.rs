//! TLS of every interface.

use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::front::Shown;
use crate::options::{StartError, TlsOptions};

/// Longest handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// Shakes hands with the server's certificate, for connections that speak this protocol, as ALPN names it.
pub(crate) fn acceptor(tls: &TlsOptions, protocol: &[u8]) -> Result<TlsAcceptor, StartError> {
    let unfit = |error: &dyn std::fmt::Display| StartError::Tls(error.to_string());
    let chain = CertificateDer::pem_slice_iter(tls.certificate_pem.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| unfit(&error))?;
    let key = PrivateKeyDer::from_pem_slice(tls.key_pem.as_bytes()).map_err(|error| unfit(&error))?;
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| unfit(&error))?;
    let config = match &tls.client_authorities_pem {
        None => config.with_no_client_auth(),
        Some(pem) => config.with_client_cert_verifier(client_verifier(pem)?),
    };
    let mut config = config.with_single_cert(chain, key).map_err(|error| unfit(&error))?;
    config.alpn_protocols = vec![protocol.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// A connection after its handshake, and the certificate that the other side has shown; none where it came to nothing.
pub(crate) async fn shake_hands<C>(
    acceptor: &TlsAcceptor,
    connection: C,
) -> Option<(TlsStream<C>, Option<Arc<Shown>>)>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    match timeout(HANDSHAKE_MAX, acceptor.accept(connection)).await {
        Ok(Ok(connection)) => {
            let chain = connection.get_ref().1.peer_certificates();
            let shown = chain.and_then(|chain| chain.first()).map(|first| Arc::new(Shown::new(first)));
            Some((connection, shown))
        }
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!("a TLS handshake took too long");
            None
        }
    }
}

/// Takes connections without a certificate too: their calls need a key.
fn client_verifier(authorities_pem: &str) -> Result<Arc<dyn ClientCertVerifier>, StartError> {
    let unfit = |error: &dyn std::fmt::Display| StartError::ClientAuthorities(error.to_string());
    let mut authorities = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities_pem.as_bytes()) {
        let authority = authority.map_err(|error| unfit(&error))?;
        authorities.add(authority).map_err(|error| unfit(&error))?;
    }
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiClientVerifier::builder_with_provider(Arc::new(authorities), provider)
        .allow_unauthenticated()
        .build()
        .map_err(|error| unfit(&error))
}
