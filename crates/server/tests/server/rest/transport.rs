//! TLS, and starting.

use std::net::SocketAddr;
use std::sync::Arc;

use pemba_agents::client::{Client, Rights};
use pemba_model::Limits;
use pemba_server::{ClientKey, Credential, Server, ServerOptions, StartError, TlsOptions};
use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::http::{Reply, read, request, send};
use crate::harness::{database, options};

/// A certificate and its key, as a client shows them.
type Shown<'a> = Option<(&'a Certificate, &'a KeyPair)>;

async fn post_tls(address: SocketAddr, trusted_pem: &str, versions: &[&[u8]]) -> std::io::Result<Reply> {
    post_as(address, trusted_pem, versions, None).await
}

async fn post_as(
    address: SocketAddr,
    trusted_pem: &str,
    versions: &[&[u8]],
    shown: Shown<'_>,
) -> std::io::Result<Reply> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted_pem.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match shown {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
            config.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
    };
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
    let tls = TlsOptions {
        certificate_pem: certificate.clone(),
        key_pem: made.signing_key.serialize_pem(),
        client_authorities_pem: None,
    };
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
    let tls = TlsOptions {
        certificate_pem: "nonsense".to_owned(),
        key_pem: "nonsense".to_owned(),
        client_authorities_pem: None,
    };
    let rest_listen = Some("127.0.0.1:0".parse().unwrap());
    let tls = ServerOptions { tls: Some(tls), rest_listen, ..options(&limits) };
    assert!(matches!(Server::start(tls), Err(StartError::Tls(_))));
}

/// Signs certificates.
struct Authority(Issuer<'static, KeyPair>, String);

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority(Issuer::new(params, key), pem)
    }

    fn sign(&self, id: &str) -> (Certificate, KeyPair) {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        (params.signed_by(&key, &self.0).unwrap(), key)
    }
}

#[tokio::test]
async fn a_certificate_is_as_good_as_a_key_where_its_authority_is_trusted() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let own = made.cert.pem();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let id = "spiffe://example.org/portal";
    let tls = TlsOptions {
        certificate_pem: own.clone(),
        key_pem: made.signing_key.serialize_pem(),
        client_authorities_pem: Some(authority.1.clone()),
    };
    let client = Client { rights: Rights::everything(), ..Client::unrestricted("portal") };
    let credential = Credential::SpiffeId(id.parse().unwrap());
    let limits = Limits::default();
    let server = Server::start(ServerOptions {
        tls: Some(tls),
        rest_listen: Some("127.0.0.1:0".parse().unwrap()),
        clients: Some(vec![ClientKey { client: Arc::new(client), credential }]),
        database: Some(database(&limits)),
        ..options(&limits)
    })
    .unwrap();
    let address = server.rest_address().unwrap();
    let post = async |shown: Shown<'_>| post_as(address, &own, &[], shown).await;
    let (known, key) = authority.sign(id);
    // There is no schema: the call got that far.
    post(Some((&known, &key))).await.unwrap().assert_error(404, 5);
    post(None).await.unwrap().assert_error(401, 16);
    let (unknown, key) = authority.sign("spiffe://example.org/nobody");
    post(Some((&unknown, &key))).await.unwrap().assert_error(401, 16);
    let (forged, key) = stranger.sign(id);
    let refused = tokio::spawn(async move { post_as(address, &own, &[], Some((&forged, &key))).await });
    assert!(!matches!(refused.await, Ok(Ok(_))), "a certificate of a stranger is not connected");
}

#[test]
fn authorities_that_are_none_are_said() {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let limits = Limits::default();
    for pem in ["", "nonsense"] {
        let tls = TlsOptions {
            certificate_pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
            client_authorities_pem: Some(pem.to_owned()),
        };
        let options = ServerOptions {
            tls: Some(tls),
            rest_listen: Some("127.0.0.1:0".parse().unwrap()),
            ..options(&limits)
        };
        assert!(matches!(Server::start(options), Err(StartError::ClientAuthorities(_))), "{pem}");
    }
}
