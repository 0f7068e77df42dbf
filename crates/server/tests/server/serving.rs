//! Health, keys, TLS, reflection, metrics, metadata, starting and stopping.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use pemba_db::store::{Fault, FaultyStore};
use pemba_db::{Database, Options, Storage};
use pemba_model::Limits;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::permissions_service_client::PermissionsServiceClient;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use pemba_server::{Server, ServerOptions, StartError, TlsOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tonic::metadata::MetadataValue;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request};
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus};

use crate::harness::*;

const ENTRIES: [&str; 4] =
    ["", "authzed.api.v1.PermissionsService", "authzed.api.v1.SchemaService", "authzed.api.v1.WatchService"];

async fn health(channel: &Channel, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel.clone()).check(request).await.unwrap().into_inner().status()
}

async fn becomes(channel: &Channel, expected: ServingStatus) {
    for entry in ENTRIES {
        let mut left = 100;
        while health(channel, entry).await != expected {
            left -= 1;
            assert!(left > 0, "`{entry}` does not become {expected:?}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn health_follows_recovery_and_the_writer() {
    let limits = Limits::default();
    let server = Server::start(options(&limits)).unwrap();
    let channel = connect(&server).await;
    for entry in ENTRIES {
        assert_eq!(health(&channel, entry).await, ServingStatus::NotServing);
    }
    let status = PermissionsServiceClient::new(channel.clone())
        .check_permission(check_request("document:a#view@user:a"))
        .await;
    assert_error(&status.unwrap_err(), Code::Unavailable, "", &[]);

    let store = Arc::new(FaultyStore::new());
    let database = Database::open(Storage::Store(store.clone()), Options::default()).unwrap();
    server.attach(database.clone());
    becomes(&channel, ServingStatus::Serving).await;
    let harness = Harness { server, database, channel };
    harness.write_schema(SCHEMA).await.unwrap();
    harness.touch(&["document:a#owner@user:ada"]).await;
    store.fail_next_write(Fault::FailedSync { survives: false });
    let status = harness.write(Operation::Touch, &["document:b#owner@user:ada"]).await.unwrap_err();
    assert_error(&status, Code::Unavailable, "", &[]);
    becomes(&harness.channel, ServingStatus::NotServing).await;
    // Reads go on, writes are refused with the reason.
    assert_eq!(harness.answer("document:a#view@user:ada").await, HAS);
    let status = harness.write(Operation::Touch, &["document:c#owner@user:ada"]).await.unwrap_err();
    assert_error(&status, Code::Unavailable, "", &[]);
}

#[tokio::test]
async fn health_ends_with_the_server() {
    let harness = Harness::start().await;
    becomes(&harness.channel, ServingStatus::Serving).await;
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = HealthClient::new(harness.channel.clone()).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let server = harness.server;
    let stopping = tokio::task::spawn_blocking(move || server.shutdown());
    let told = tokio::time::timeout(Duration::from_secs(5), watch.message()).await.expect("no news");
    assert_eq!(told.unwrap().unwrap().status(), ServingStatus::NotServing);
    drop((watch, harness.channel));
    stopping.await.unwrap();
}

#[tokio::test]
async fn an_open_health_watch_does_not_hold_a_shutdown_up() {
    let harness =
        Harness::start_with(Limits::default(), |options| options.drain_max = Duration::from_secs(60)).await;
    let request = HealthCheckRequest { service: String::new() };
    let mut watch = HealthClient::new(harness.channel.clone()).watch(request).await.unwrap().into_inner();
    watch.message().await.unwrap().unwrap();
    let server = harness.server;
    let stopping = tokio::task::spawn_blocking(move || server.shutdown());
    let mut told = Vec::new();
    while let Ok(Some(news)) = watch.message().await {
        told.push(news.status());
    }
    assert_eq!(told.last(), Some(&ServingStatus::NotServing));
    let drained = tokio::time::timeout(Duration::from_secs(20), stopping).await.expect("the shutdown waits");
    assert!(drained.unwrap());
}

#[tokio::test]
async fn a_shutdown_finishes_calls_in_progress() {
    let harness = Harness::start().await;
    let texts: Vec<String> = (0..900).map(|n| format!("document:d{n}#owner@user:ada")).collect();
    harness.touch(&texts.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let request = wire::ReadRelationshipsRequest {
        relationship_filter: Some(type_filter("document")),
        ..Default::default()
    };
    let stream = harness.permissions().read_relationships(request).await.unwrap();
    let server = harness.server;
    let stopping = tokio::task::spawn_blocking(move || server.shutdown());
    assert_eq!(all(stream).await.unwrap().len(), 900);
    drop(harness.channel);
    assert!(stopping.await.unwrap());
}

#[tokio::test]
async fn keys_open_and_others_do_not() {
    let keys = vec!["first key".to_owned(), "second".to_owned()];
    let harness = Harness::start_with(Limits::default(), |options| options.preshared_keys = keys).await;
    let schema = wire::WriteSchemaRequest { schema: SCHEMA.to_owned() };
    let call = async |header: Option<&'static str>| {
        let mut request = Request::new(schema.clone());
        if let Some(header) = header {
            request.metadata_mut().insert("authorization", MetadataValue::from_static(header));
        }
        harness.schemas().write_schema(request).await.map_or_else(|status| status.code(), |_| Code::Ok)
    };
    assert_eq!(call(Some("Bearer first key")).await, Code::Ok);
    assert_eq!(call(Some("Bearer second")).await, Code::Ok);
    assert_eq!(call(Some("Bearer third")).await, Code::PermissionDenied);
    assert_eq!(call(Some("Bearer")).await, Code::Unauthenticated);
    assert_eq!(call(Some("Basic second")).await, Code::Unauthenticated);
    assert_eq!(call(None).await, Code::Unauthenticated);
    becomes(&harness.channel, ServingStatus::Serving).await;
}

#[tokio::test]
async fn tls_serves_whoever_trusts_the_certificate() {
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
        database: Some(database(&limits)),
        ..options(&limits)
    })
    .unwrap();
    let address = server.addresses()[0];
    let endpoint = Endpoint::from_shared(format!("https://{address}")).unwrap();
    let trusting =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(&certificate)).domain_name("localhost");
    let channel = endpoint.clone().tls_config(trusting).unwrap().connect().await.unwrap();
    assert_eq!(health(&channel, "").await, ServingStatus::Serving);
    let plain = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await;
    if let Ok(plain) = plain {
        let request = HealthCheckRequest { service: String::new() };
        assert!(HealthClient::new(plain).check(request).await.is_err());
    }
    let other = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap().cert.pem();
    let distrusting =
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(other)).domain_name("localhost");
    assert!(endpoint.tls_config(distrusting).unwrap().connect().await.is_err());
}

#[test]
fn what_cannot_be_started_says_why() {
    let limits = Limits::default();
    let none = ServerOptions { listen: Vec::new(), ..options(&limits) };
    assert!(matches!(Server::start(none), Err(StartError::Option { option: "listen", .. })));
    let threads = ServerOptions { worker_threads: 0, ..options(&limits) };
    assert!(matches!(Server::start(threads), Err(StartError::Option { option: "worker-threads", .. })));
    let key = ServerOptions { preshared_keys: vec![" ".to_owned()], ..options(&limits) };
    assert!(matches!(Server::start(key), Err(StartError::Option { option: "preshared-key", .. })));
    let tls = TlsOptions {
        certificate_pem: "nonsense".to_owned(),
        key_pem: "nonsense".to_owned(),
        client_authorities_pem: None,
    };
    let tls = ServerOptions { tls: Some(tls), ..options(&limits) };
    assert!(matches!(Server::start(tls), Err(StartError::Tls(_))));
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = ServerOptions { listen: vec![taken.local_addr().unwrap()], ..options(&limits) };
    assert!(matches!(Server::start(taken), Err(StartError::Listen { .. })));
}

#[tokio::test]
async fn request_ids_come_back_and_the_version_when_asked_for() {
    let harness = Harness::start().await;
    let mut request = Request::new(check_request("document:a#view@user:ada"));
    request.metadata_mut().insert("x-request-id", MetadataValue::from_static("mine"));
    request.metadata_mut().insert("io.spicedb.requestversion", MetadataValue::from_static("true"));
    let answer = harness.permissions().check_permission(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "mine");
    let version = answer.metadata().get("io.spicedb.debug.version").unwrap().to_str().unwrap();
    assert!(version.starts_with("pemba-v"), "{version}");
    let answer =
        harness.permissions().check_permission(check_request("document:a#view@user:ada")).await.unwrap();
    assert!(answer.metadata().get("x-request-id").is_some());
    assert!(answer.metadata().get("io.spicedb.debug.version").is_none());
    let status = harness.check("document:a#nothing@user:ada", None).await.unwrap_err();
    assert!(status.metadata().get("x-request-id").is_some());
}

#[tokio::test]
async fn reflection_lists_the_services_without_a_key() {
    use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
    use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
    use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
    use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};
    let keys = vec!["key".to_owned()];
    let harness = Harness::start_with(Limits::default(), |options| options.preshared_keys = keys).await;
    let ask = async |request| -> ServerReflectionResponse {
        let request = ServerReflectionRequest { host: String::new(), message_request: Some(request) };
        let mut client = ServerReflectionClient::new(harness.channel.clone());
        let stream = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
        all(stream).await.unwrap().remove(0)
    };
    let Some(MessageResponse::ListServicesResponse(list)) =
        ask(MessageRequest::ListServices(String::new())).await.message_response
    else {
        panic!("no list");
    };
    let names: Vec<&str> = list.service.iter().map(|service| service.name.as_str()).collect();
    for name in [
        "authzed.api.v1.PermissionsService",
        "authzed.api.v1.WatchService",
        "grpc.health.v1.Health",
        "grpc.reflection.v1.ServerReflection",
        "pemba.v1.AgentService",
        "pemba.v1.SessionService",
    ] {
        assert!(names.contains(&name), "{name}: {names:?}");
    }
    assert!(!names.contains(&"pemba.v1.TestingService"), "{names:?}");
    let symbol =
        MessageRequest::FileContainingSymbol("authzed.api.v1.PermissionsService.CheckPermission".to_owned());
    assert!(matches!(ask(symbol).await.message_response, Some(MessageResponse::FileDescriptorResponse(_))));
}

pub(crate) async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn metrics_count_what_happened() {
    let harness = Harness::start_with(Limits::default(), |options| {
        options.metrics_listen = Some("127.0.0.1:0".parse().unwrap());
    })
    .await;
    harness.write_schema(SCHEMA).await.unwrap();
    harness.touch(&["document:a#owner@user:ada"]).await;
    for _ in 0..3 {
        harness.answer("document:a#view@user:ada").await;
    }
    harness.check("document:a#nothing@user:ada", None).await.unwrap_err();
    let _watch = harness.watches().watch(wire::WatchRequest::default()).await.unwrap();
    let address = harness.server.metrics_address().unwrap();
    // A group's time is recorded after its writes are acknowledged.
    let recorded = "pemba_commit_duration_seconds_bucket{le=\"+Inf\"} 2";
    let mut text = get(address, "/metrics").await;
    for _ in 0..100 {
        if text.contains(recorded) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        text = get(address, "/metrics").await;
    }
    let check = "method=\"authzed.api.v1.PermissionsService/CheckPermission\"";
    for line in [
        format!("pemba_requests_total{{{check},code=\"OK\"}} 3"),
        format!("pemba_requests_total{{{check},code=\"FAILED_PRECONDITION\"}} 1"),
        format!("pemba_request_duration_seconds_count{{{check}}} 4"),
        "pemba_relationships 1".to_owned(),
        "pemba_watch_streams 1".to_owned(),
        "pemba_serving 1".to_owned(),
        recorded.to_owned(),
        "pemba_head_revision 2".to_owned(),
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
    harness.database.clone().close();
    assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 503"));
}
