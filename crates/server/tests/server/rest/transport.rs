//! TLS, and starting.

use std::net::SocketAddr;
use std::sync::Arc;

use pemba_model::Limits;
use pemba_server::{Server, ServerOptions, StartError, TlsOptions};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::http::{Reply, read, request, send};
use crate::harness::{database, options};

async fn post_tls(address: SocketAddr, trusted_pem: &str, versions: &[&[u8]]) -> std::io::Result<Reply> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted_pem.as_bytes()).unwrap()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = versions.iter().map(|version| version.to_vec()).collect();
    let connector = TlsConnector::from(Arc::new(config));
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, TcpStream::connect(address).await.unwrap()).await?;
    stream.write_all(request("POST", "/v1/schema/read", &[], "{}").as_bytes()).await?;
    Ok(read(&mut stream).await)
}

#[tokio::test]
async fn with_a_certificate_rest_is_https() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate = made.cert.pem();
    let tls = TlsOptions { certificate_pem: certificate.clone(), key_pem: made.signing_key.serialize_pem() };
    let limits = Limits::default();
    let server = Server::start(ServerOptions {
        tls: Some(tls),
        rest_listen: Some("127.0.0.1:0".parse().unwrap()),
        database: Some(database(&limits)),
        ..options(&limits)
    })
    .unwrap();
    let address = server.rest_address().unwrap();
    for versions in [&[][..], &[&b"http/1.1"[..]], &[&b"h2"[..], &b"http/1.1"[..]]] {
        post_tls(address, &certificate, versions).await.unwrap().assert_error(404, 5);
    }
    assert!(post_tls(address, &certificate, &[b"h2"]).await.is_err());
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    assert!(post_tls(address, &other, &[]).await.is_err());
    let plain = request("POST", "/v1/schema/read", &[], "{}");
    let answered = tokio::spawn(async move { send(address, &plain).await });
    assert!(answered.await.is_err(), "plain text is not answered over TLS");
}

#[test]
fn without_an_address_there_is_no_rest_and_a_taken_one_is_said() {
    let limits = Limits::default();
    let server = Server::start(options(&limits)).unwrap();
    assert_eq!(server.rest_address(), None);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = ServerOptions { rest_listen: Some(taken.local_addr().unwrap()), ..options(&limits) };
    assert!(matches!(Server::start(taken), Err(StartError::Listen { .. })));
    let tls = TlsOptions { certificate_pem: "nonsense".to_owned(), key_pem: "nonsense".to_owned() };
    let rest_listen = Some("127.0.0.1:0".parse().unwrap());
    let tls = ServerOptions { tls: Some(tls), rest_listen, ..options(&limits) };
    assert!(matches!(Server::start(tls), Err(StartError::Tls(_))));
}
