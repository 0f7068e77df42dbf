//! A server on a free port with a database in memory, and short ways to ask it.

use std::sync::Arc;

use pemba_agents::Book;
use pemba_db::{Clock, Database, Options, Storage, SystemClock};
use pemba_model::{Limits, text};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::experimental_service_client::ExperimentalServiceClient;
use pemba_proto::authzed::api::v1::permissions_service_client::PermissionsServiceClient;
use pemba_proto::authzed::api::v1::schema_service_client::SchemaServiceClient;
use pemba_proto::authzed::api::v1::watch_service_client::WatchServiceClient;
use pemba_server::{RunningServer, Server, ServerOptions};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

pub const SCHEMA: &str = "use expiration

caveat on_call(level int) {
  level > 3
}

definition user {}

definition group {
  relation member: user | group#member
}

definition document {
  relation owner: user
  relation viewer: user | user:* | group#member | user with on_call | user with expiration
  relation banned: user
  permission view = (viewer + owner) - banned
  permission edit = owner
}
";

pub struct Harness {
    pub server: RunningServer,
    pub database: Database,
    pub channel: Channel,
}

/// What a database is opened with: this clock, and the records of agents.
pub fn with_book(limits: &Limits, clock: Arc<dyn Clock>) -> Options {
    Options { limits: limits.clone(), clock, ledger: Arc::new(Book::default()) }
}

pub fn database(limits: &Limits) -> Database {
    Database::open(Storage::Memory, with_book(limits, Arc::new(SystemClock))).unwrap()
}

pub fn options(limits: &Limits) -> ServerOptions {
    ServerOptions {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        limits: limits.clone(),
        worker_threads: 2,
        ..ServerOptions::default()
    }
}

pub async fn connect(server: &RunningServer) -> Channel {
    let address = server.addresses()[0];
    Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap()
}

impl Harness {
    /// With the schema.
    pub async fn start() -> Harness {
        let harness = Harness::start_with(Limits::default(), |_| ()).await;
        harness.write_schema(SCHEMA).await.unwrap();
        harness
    }

    /// With these limits and options, without a schema.
    pub async fn start_with(limits: Limits, change: impl FnOnce(&mut ServerOptions)) -> Harness {
        let database = database(&limits);
        let mut options = ServerOptions { database: Some(database.clone()), ..options(&limits) };
        change(&mut options);
        let server = Server::start(options).unwrap();
        let channel = connect(&server).await;
        Harness { server, database, channel }
    }

    pub fn permissions(&self) -> PermissionsServiceClient<Channel> {
        PermissionsServiceClient::new(self.channel.clone())
    }

    pub fn schemas(&self) -> SchemaServiceClient<Channel> {
        SchemaServiceClient::new(self.channel.clone())
    }

    pub fn watches(&self) -> WatchServiceClient<Channel> {
        WatchServiceClient::new(self.channel.clone())
    }

    pub fn experimental(&self) -> ExperimentalServiceClient<Channel> {
        ExperimentalServiceClient::new(self.channel.clone())
    }

    pub async fn write_schema(&self, text: &str) -> Result<wire::ZedToken, Status> {
        let request = wire::WriteSchemaRequest { schema: text.to_owned() };
        Ok(self.schemas().write_schema(request).await?.into_inner().written_at.unwrap())
    }

    /// TOUCHes relationships given as text.
    pub async fn touch(&self, texts: &[&str]) -> wire::ZedToken {
        self.write(wire::relationship_update::Operation::Touch, texts).await.unwrap()
    }

    pub async fn write(
        &self,
        operation: wire::relationship_update::Operation,
        texts: &[&str],
    ) -> Result<wire::ZedToken, Status> {
        let updates = texts.iter().map(|text| update(operation, text)).collect();
        let request = wire::WriteRelationshipsRequest { updates, ..Default::default() };
        Ok(self.permissions().write_relationships(request).await?.into_inner().written_at.unwrap())
    }

    /// Checks `type:id#permission@type:id`.
    pub async fn check(
        &self,
        question: &str,
        consistency: Option<wire::Consistency>,
    ) -> Result<wire::CheckPermissionResponse, Status> {
        let request = wire::CheckPermissionRequest { consistency, ..check_request(question) };
        Ok(self.permissions().check_permission(request).await?.into_inner())
    }

    /// Whether the answer is HAS, NO or CONDITIONAL.
    pub async fn answer(&self, question: &str) -> i32 {
        self.check(question, None).await.unwrap().permissionship
    }
}

pub const NO: i32 = 1;
pub const HAS: i32 = 2;
pub const CONDITIONAL: i32 = 3;

pub fn object(object_type: &str, object_id: &str) -> wire::ObjectReference {
    wire::ObjectReference { object_type: object_type.into(), object_id: object_id.into() }
}

pub fn subject(text: &str) -> wire::SubjectReference {
    let subject = text::parse_subject(text).unwrap();
    wire::SubjectReference {
        object: Some(object(&subject.object.object_type, &subject.object.object_id)),
        optional_relation: subject.relation.map(|relation| relation.to_string()).unwrap_or_default(),
    }
}

/// A relationship from its text.
pub fn relationship(text: &str) -> wire::Relationship {
    let read = text::parse_relationship(text).unwrap();
    wire::Relationship {
        resource: Some(object(&read.resource.object_type, &read.resource.object_id)),
        relation: read.relation.to_string(),
        subject: Some(subject(&read.subject.to_string())),
        optional_caveat: read.caveat.map(|caveat| wire::ContextualizedCaveat {
            caveat_name: caveat.name.to_string(),
            context: if caveat.context.is_empty() { None } else { Some(numbers(&caveat.context)) },
        }),
        optional_expires_at: read.expires_at.map(|instant| prost_types::Timestamp {
            seconds: instant.seconds(),
            nanos: i32::try_from(instant.nanos()).unwrap(),
        }),
    }
}

/// A struct of numbers and texts.
fn numbers(context: &pemba_model::Context) -> prost_types::Struct {
    let field = |value: &serde_json::Value| match value.as_f64() {
        Some(number) => prost_types::value::Kind::NumberValue(number),
        None => prost_types::value::Kind::StringValue(value.as_str().unwrap().to_owned()),
    };
    let fields =
        context.iter().map(|(name, value)| (name.clone(), prost_types::Value { kind: Some(field(value)) }));
    prost_types::Struct { fields: fields.collect() }
}

/// A struct with one text.
pub fn text_struct(name: &str, value: &str) -> prost_types::Struct {
    let value = prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(value.to_owned())) };
    prost_types::Struct { fields: [(name.to_owned(), value)].into() }
}

pub fn update(operation: wire::relationship_update::Operation, text: &str) -> wire::RelationshipUpdate {
    wire::RelationshipUpdate { operation: operation.into(), relationship: Some(relationship(text)) }
}

pub fn check_request(question: &str) -> wire::CheckPermissionRequest {
    let (resource, asked) = question.split_once('@').unwrap();
    let (resource, permission) = resource.split_once('#').unwrap();
    let (object_type, object_id) = resource.split_once(':').unwrap();
    wire::CheckPermissionRequest {
        resource: Some(object(object_type, object_id)),
        permission: permission.to_owned(),
        subject: Some(subject(asked)),
        ..Default::default()
    }
}

pub fn bulk_item(question: &str) -> wire::CheckBulkPermissionsRequestItem {
    let wire::CheckPermissionRequest { resource, permission, subject, context, .. } = check_request(question);
    wire::CheckBulkPermissionsRequestItem { resource, permission, subject, context }
}

pub fn type_filter(resource_type: &str) -> wire::RelationshipFilter {
    wire::RelationshipFilter { resource_type: resource_type.into(), ..Default::default() }
}

pub fn at_exact_snapshot(token: &wire::ZedToken) -> Option<wire::Consistency> {
    let requirement = wire::consistency::Requirement::AtExactSnapshot(token.clone());
    Some(wire::Consistency { requirement: Some(requirement) })
}

pub fn at_least_as_fresh(token: &wire::ZedToken) -> Option<wire::Consistency> {
    let requirement = wire::consistency::Requirement::AtLeastAsFresh(token.clone());
    Some(wire::Consistency { requirement: Some(requirement) })
}

/// Everything a stream sends.
pub async fn all<M>(stream: tonic::Response<tonic::Streaming<M>>) -> Result<Vec<M>, Status> {
    let mut stream = stream.into_inner();
    let mut messages = Vec::new();
    while let Some(message) = stream.message().await? {
        messages.push(message);
    }
    Ok(messages)
}

/// Asserts code, reason (without its prefix; empty for no `ErrorInfo`) and metadata that must be there.
#[track_caller]
pub fn assert_error(status: &Status, code: Code, reason: &str, metadata: &[(&str, &str)]) {
    assert_eq!(status.code(), code, "{status:?}");
    let info = status.get_details_error_info();
    if reason.is_empty() {
        assert!(info.is_none(), "{info:?}");
        return;
    }
    let info = info.unwrap_or_else(|| panic!("no ErrorInfo: {status:?}"));
    assert_eq!(info.domain, "authzed.com");
    assert_eq!(info.reason, format!("ERROR_REASON_{reason}"));
    for (key, value) in metadata {
        assert_eq!(info.metadata.get(*key).map(String::as_str), Some(*value), "{key}: {:?}", info.metadata);
    }
    assert!(!status.message().is_empty());
}
