//! Clients that show a certificate over gRPC.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_db::{Database, ManualClock, Storage};
use pemba_model::{Limits, Timestamp};
use pemba_proto::pemba::v1 as own;
use pemba_proto::pemba::v1::authority_service_client::AuthorityServiceClient;
use pemba_server::{ClientKey, Credential, Server, ServerOptions, TlsOptions};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use tonic::Code;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity};

use super::delegations::first;
use super::sessions::opening;
use super::world::*;
use crate::harness::*;

const ID: &str = "spiffe://example.org/agents/a";

/// Signs what clients show, and knows how to reach the server.
struct Desk {
    issuer: Issuer<'static, KeyPair>,
    endpoint: Endpoint,
    trusting: ClientTlsConfig,
}

impl Desk {
    async fn connect(&self, identity: Option<Identity>) -> Result<Channel, tonic::transport::Error> {
        let tls = self.trusting.clone();
        let tls = match identity {
            Some(identity) => tls.identity(identity),
            None => tls,
        };
        self.endpoint.clone().tls_config(tls).unwrap().connect().await
    }

    fn sign(&self, id: &str) -> Identity {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(id.try_into().unwrap())];
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        Identity::from_pem(certificate.pem(), key.serialize_pem())
    }
}

/// A server that knows one client by its id, and the world as that client sees it.
async fn start() -> (World, Desk) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&key).unwrap().pem();
    let limits = Limits::default();
    let clock = Arc::new(ManualClock::new(Timestamp::parse(BEGIN).unwrap()));
    let database = Database::open(Storage::Memory, with_book(&limits, clock.clone())).unwrap();
    let credential = Credential::SpiffeId(ID.parse().unwrap());
    let client = Arc::new(Client::unrestricted("runtime"));
    let server = Server::start(ServerOptions {
        tls: Some(TlsOptions {
            certificate_pem: made.cert.pem(),
            key_pem: made.signing_key.serialize_pem(),
            client_authorities_pem: Some(authority),
        }),
        clients: Some(vec![ClientKey { client, credential }]),
        database: Some(database.clone()),
        ..options(&limits)
    })
    .unwrap();
    let trusted = Certificate::from_pem(made.cert.pem());
    let desk = Desk {
        issuer: Issuer::new(params, key),
        endpoint: Endpoint::from_shared(format!("https://{}", server.addresses()[0])).unwrap(),
        trusting: ClientTlsConfig::new().ca_certificate(trusted).domain_name("localhost"),
    };
    let channel = desk.connect(Some(desk.sign(ID))).await.unwrap();
    (World { harness: Harness { server, database, channel }, clock }, desk)
}

#[tokio::test]
async fn a_session_is_of_no_use_behind_another_certificate() {
    let (world, desk) = start().await;
    world.harness.write_schema(AGENTS).await.unwrap();
    world.declare("user", own::PrincipalKind::Human, own::TypeMode::Observed).await;
    world.declare("agent", own::PrincipalKind::Agent, own::TypeMode::Observed).await;
    world.harness.touch(&["document:x#viewer@user:alice"]).await;
    let made = world.delegate(first(&world, "a")).await.unwrap();
    let opened = own::OpenSessionRequest { delegation_id: made.id, ..opening("a") };
    let session = world.open(opened).await.unwrap();
    let binding = session.binding.unwrap().binding.unwrap();
    assert!(matches!(binding, own::binding::Binding::Thumbprint(_)), "{binding:?}");
    let ask = async |channel: Channel| {
        let chain = own::Chain { session_id: session.id.clone(), ..own::Chain::default() };
        let request = own::CheckAsRequest {
            chain: Some(chain),
            resource: Some(object("document", "x")),
            permission: "view".into(),
            ..own::CheckAsRequest::default()
        };
        AuthorityServiceClient::new(channel).check_as(request).await.map(tonic::Response::into_inner)
    };
    let answer = ask(world.harness.channel.clone()).await.unwrap();
    assert_eq!(answer.decision.unwrap().outcome(), own::Outcome::Allow);
    // The same client with its next certificate.
    let next = desk.connect(Some(desk.sign(ID))).await.unwrap();
    assert_eq!(ask(next).await.unwrap_err().code(), Code::PermissionDenied);
    let other = desk.connect(Some(desk.sign("spiffe://example.org/agents/b"))).await.unwrap();
    assert_eq!(ask(other).await.unwrap_err().code(), Code::Unauthenticated);
    let nobody = desk.connect(None).await.unwrap();
    assert_eq!(ask(nobody).await.unwrap_err().code(), Code::Unauthenticated);
}
