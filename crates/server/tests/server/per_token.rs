//! A database for each token, and the address that only reads.

use std::sync::Arc;

use pemba_db::{Database, Storage};
use pemba_model::Limits;
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::experimental_service_client::ExperimentalServiceClient;
use pemba_proto::authzed::api::v1::permissions_service_client::PermissionsServiceClient;
use pemba_proto::authzed::api::v1::relationship_update::Operation;
use pemba_proto::authzed::api::v1::schema_service_client::SchemaServiceClient;
use pemba_server::{RunningServer, Server, ServerOptions, StartError, TokenDatabases};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::harness::*;

struct Testing {
    servers: [RunningServer; 2],
    databases: Arc<TokenDatabases>,
    writable: Channel,
    read_only: Channel,
}

async fn start(count_max: usize) -> Testing {
    let databases = Arc::new(TokenDatabases::new(count_max, |clock| {
        Database::open(Storage::Memory, with_book(&Limits::default(), clock))
            .map_err(|error| error.to_string())
    }));
    let server = |read_only| {
        let per_token = Some(Arc::clone(&databases));
        Server::start(ServerOptions { per_token, read_only, ..options(&Limits::default()) }).unwrap()
    };
    let servers = [server(false), server(true)];
    let (writable, read_only) = (connect(&servers[0]).await, connect(&servers[1]).await);
    Testing { servers, databases, writable, read_only }
}

fn with<T>(token: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    if !token.is_empty() {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    request
}

async fn write_schema(channel: &Channel, token: &str, schema: &str) -> Result<(), Status> {
    let request = with(token, wire::WriteSchemaRequest { schema: schema.to_owned() });
    SchemaServiceClient::new(channel.clone()).write_schema(request).await.map(|_| ())
}

async fn touch(channel: &Channel, token: &str, text: &str) -> Result<(), Status> {
    let updates = vec![update(Operation::Touch, text)];
    let request = with(token, wire::WriteRelationshipsRequest { updates, ..Default::default() });
    PermissionsServiceClient::new(channel.clone()).write_relationships(request).await.map(|_| ())
}

async fn check(channel: &Channel, token: &str, question: &str) -> Result<i32, Status> {
    let request = with(token, check_request(question));
    let answer = PermissionsServiceClient::new(channel.clone()).check_permission(request).await?;
    Ok(answer.into_inner().permissionship)
}

const QUESTION: &str = "document:a#view@user:ada";

#[tokio::test]
async fn callers_with_different_tokens_see_nothing_of_one_another() {
    let testing = start(10).await;
    for token in ["one", "two", ""] {
        write_schema(&testing.writable, token, SCHEMA).await.unwrap();
    }
    touch(&testing.writable, "one", "document:a#owner@user:ada").await.unwrap();
    assert_eq!(check(&testing.writable, "one", QUESTION).await.unwrap(), HAS);
    assert_eq!(check(&testing.writable, "two", QUESTION).await.unwrap(), NO);
    assert_eq!(check(&testing.writable, "", QUESTION).await.unwrap(), NO);
    // A token that was never seen has an empty database.
    let status = check(&testing.writable, "three", QUESTION).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &[]);
    // The other address reads the same database.
    assert_eq!(check(&testing.read_only, "one", QUESTION).await.unwrap(), HAS);
    assert_eq!(check(&testing.read_only, "two", QUESTION).await.unwrap(), NO);
    assert_eq!(testing.databases.len(), 4);
    let request = HealthCheckRequest { service: String::new() };
    let health = HealthClient::new(testing.writable.clone()).check(request).await.unwrap();
    assert_eq!(health.into_inner().status, 1);
    drop((testing.writable, testing.read_only));
    for server in testing.servers {
        server.shutdown();
    }
}

#[tokio::test]
async fn the_address_that_only_reads_refuses_every_write() {
    let testing = start(10).await;
    write_schema(&testing.writable, "one", SCHEMA).await.unwrap();
    let channel = testing.read_only.clone();
    let mut permissions = PermissionsServiceClient::new(channel.clone());
    let mut experimental = ExperimentalServiceClient::new(channel.clone());
    let filter = Some(type_filter("document"));
    let delete =
        wire::DeleteRelationshipsRequest { relationship_filter: filter.clone(), ..Default::default() };
    let import = wire::ImportBulkRelationshipsRequest {
        relationships: vec![relationship("document:a#owner@user:ada")],
    };
    let register = wire::ExperimentalRegisterRelationshipCounterRequest {
        name: "docs".into(),
        relationship_filter: filter,
    };
    let unregister = wire::ExperimentalUnregisterRelationshipCounterRequest { name: "docs".into() };
    let refused = [
        write_schema(&channel, "one", SCHEMA).await.unwrap_err(),
        touch(&channel, "one", "document:a#owner@user:ada").await.unwrap_err(),
        permissions.delete_relationships(with("one", delete)).await.unwrap_err(),
        permissions.import_bulk_relationships(with("one", tokio_stream::iter([import]))).await.unwrap_err(),
        experimental.experimental_register_relationship_counter(with("one", register)).await.unwrap_err(),
        experimental.experimental_unregister_relationship_counter(with("one", unregister)).await.unwrap_err(),
    ];
    for status in refused {
        assert_error(&status, Code::Unavailable, "SERVICE_READ_ONLY", &[]);
    }
    // What is no schema is told as such, as on the other address.
    let status = write_schema(&channel, "one", "definition user").await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, "SCHEMA_PARSE_ERROR", &[]);
}

#[tokio::test]
async fn the_database_asked_longest_ago_makes_room() {
    let testing = start(2).await;
    for token in ["one", "two"] {
        write_schema(&testing.writable, token, SCHEMA).await.unwrap();
    }
    assert_eq!(check(&testing.writable, "one", QUESTION).await.unwrap(), NO);
    write_schema(&testing.writable, "three", SCHEMA).await.unwrap();
    assert_eq!(testing.databases.len(), 2);
    assert_eq!(check(&testing.writable, "one", QUESTION).await.unwrap(), NO);
    let status = check(&testing.writable, "two", QUESTION).await.unwrap_err();
    assert_error(&status, Code::FailedPrecondition, "UNKNOWN_DEFINITION", &[]);
}

#[test]
fn keys_of_the_server_and_databases_of_tokens_exclude_one_another() {
    let databases = Arc::new(TokenDatabases::new(1, |_| Err("none".to_owned())));
    let both = ServerOptions {
        per_token: Some(databases),
        preshared_keys: vec!["key".to_owned()],
        ..options(&Limits::default())
    };
    assert!(matches!(Server::start(both), Err(StartError::Option { option: "per-token", .. })));
}
