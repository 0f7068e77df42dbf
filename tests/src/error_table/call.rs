//! A call of any service, as plain data.

use pemba_model::text::{parse_relationship, parse_subject};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::check_bulk_permissions_pair::Response;
use pemba_proto::authzed::api::v1::experimental_service_client::ExperimentalServiceClient;
use pemba_proto::authzed::api::v1::permissions_service_client::PermissionsServiceClient;
use pemba_proto::authzed::api::v1::schema_service_client::SchemaServiceClient;
use pemba_proto::authzed::api::v1::watch_service_client::WatchServiceClient;
use tonic::metadata::MetadataValue;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Response as Answer, Status, Streaming};

use crate::differential::answer::Fault;
use crate::differential::step::wire_struct;

/// One request of any call.
#[derive(Debug, Clone)]
#[allow(missing_docs, clippy::large_enum_variant, reason = "each is the call of that name")]
pub enum Call {
    CheckPermission(wire::CheckPermissionRequest),
    CheckBulkPermissions(wire::CheckBulkPermissionsRequest),
    ExpandPermissionTree(wire::ExpandPermissionTreeRequest),
    LookupResources(wire::LookupResourcesRequest),
    LookupSubjects(wire::LookupSubjectsRequest),
    ReadRelationships(wire::ReadRelationshipsRequest),
    WriteRelationships(wire::WriteRelationshipsRequest),
    DeleteRelationships(wire::DeleteRelationshipsRequest),
    ImportBulkRelationships(wire::ImportBulkRelationshipsRequest),
    ExportBulkRelationships(wire::ExportBulkRelationshipsRequest),
    ReadSchema(wire::ReadSchemaRequest),
    WriteSchema(wire::WriteSchemaRequest),
    ReflectSchema(wire::ReflectSchemaRequest),
    DiffSchema(wire::DiffSchemaRequest),
    ComputablePermissions(wire::ComputablePermissionsRequest),
    DependentRelations(wire::DependentRelationsRequest),
    RegisterCounter(wire::ExperimentalRegisterRelationshipCounterRequest),
    UnregisterCounter(wire::ExperimentalUnregisterRelationshipCounterRequest),
    CountRelationships(wire::ExperimentalCountRelationshipsRequest),
    Watch(wire::WatchRequest),
    /// A lookup of resources in pages of one, whose second page has another request than the first.
    NextPage(wire::LookupResourcesRequest, wire::LookupResourcesRequest),
    /// The same of a read.
    NextRead(wire::ReadRelationshipsRequest, wire::ReadRelationshipsRequest),
}

/// A client of one server, with the `authorization` that it sends.
#[derive(Debug, Clone)]
pub struct Caller {
    channel: Channel,
    authorization: Option<String>,
}

impl Caller {
    /// A client that connects when first used and presents this, or nothing.
    pub fn new(endpoint: &str, authorization: Option<&str>) -> Caller {
        let channel = Endpoint::from_shared(endpoint.to_owned()).unwrap().connect_lazy();
        Caller { channel, authorization: authorization.map(str::to_owned) }
    }

    fn with<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            let value = MetadataValue::try_from(authorization.as_str()).unwrap();
            request.metadata_mut().insert("authorization", value);
        }
        request.set_timeout(std::time::Duration::from_secs(20));
        request
    }

    /// What goes wrong; `None` when the call is answered. Of a bulk check with one item, what is wrong with the item.
    pub async fn fault(&self, call: &Call) -> Option<Fault> {
        match self.send(call).await {
            Ok(None) => None,
            Ok(Some(item)) => Some(item),
            Err(status) => Some(Fault::of(&status)),
        }
    }

    async fn send(&self, call: &Call) -> Result<Option<Fault>, Status> {
        let mut permissions = PermissionsServiceClient::new(self.channel.clone());
        match call.clone() {
            Call::CheckPermission(request) => done(permissions.check_permission(self.with(request)).await),
            Call::CheckBulkPermissions(request) => {
                let pairs = permissions.check_bulk_permissions(self.with(request)).await?.into_inner().pairs;
                Ok(pairs.into_iter().find_map(|pair| match pair.response {
                    Some(Response::Error(status)) => Some(Fault::of_item(&status)),
                    _ => None,
                }))
            }
            Call::ExpandPermissionTree(request) => {
                done(permissions.expand_permission_tree(self.with(request)).await)
            }
            Call::LookupResources(request) => {
                whole(permissions.lookup_resources(self.with(request)).await).await
            }
            Call::LookupSubjects(request) => {
                whole(permissions.lookup_subjects(self.with(request)).await).await
            }
            Call::ReadRelationships(request) => {
                whole(permissions.read_relationships(self.with(request)).await).await
            }
            Call::WriteRelationships(request) => {
                done(permissions.write_relationships(self.with(request)).await)
            }
            Call::DeleteRelationships(request) => {
                done(permissions.delete_relationships(self.with(request)).await)
            }
            Call::ImportBulkRelationships(message) => {
                done(permissions.import_bulk_relationships(self.with(Once(Some(message)))).await)
            }
            Call::ExportBulkRelationships(request) => {
                whole(permissions.export_bulk_relationships(self.with(request)).await).await
            }
            Call::NextPage(first, mut second) => {
                let mut page = permissions.lookup_resources(self.with(first)).await?.into_inner();
                second.optional_cursor = page.message().await?.unwrap().after_result_cursor;
                whole(permissions.lookup_resources(self.with(second)).await).await
            }
            Call::NextRead(first, mut second) => {
                let mut page = permissions.read_relationships(self.with(first)).await?.into_inner();
                second.optional_cursor = page.message().await?.unwrap().after_result_cursor;
                whole(permissions.read_relationships(self.with(second)).await).await
            }
            other => self.send_elsewhere(other).await,
        }
    }

    async fn send_elsewhere(&self, call: Call) -> Result<Option<Fault>, Status> {
        let mut schemas = SchemaServiceClient::new(self.channel.clone());
        let mut experimental = ExperimentalServiceClient::new(self.channel.clone());
        match call {
            Call::ReadSchema(request) => done(schemas.read_schema(self.with(request)).await),
            Call::WriteSchema(request) => done(schemas.write_schema(self.with(request)).await),
            Call::ReflectSchema(request) => done(schemas.reflect_schema(self.with(request)).await),
            Call::DiffSchema(request) => done(schemas.diff_schema(self.with(request)).await),
            Call::ComputablePermissions(request) => {
                done(schemas.computable_permissions(self.with(request)).await)
            }
            Call::DependentRelations(request) => done(schemas.dependent_relations(self.with(request)).await),
            Call::RegisterCounter(request) => {
                done(experimental.experimental_register_relationship_counter(self.with(request)).await)
            }
            Call::UnregisterCounter(request) => {
                done(experimental.experimental_unregister_relationship_counter(self.with(request)).await)
            }
            Call::CountRelationships(request) => {
                done(experimental.experimental_count_relationships(self.with(request)).await)
            }
            Call::Watch(request) => {
                let mut watches = WatchServiceClient::new(self.channel.clone());
                whole(watches.watch(self.with(request)).await).await
            }
            other => panic!("no service has {other:?}"),
        }
    }
}

fn done<T>(answer: Result<Answer<T>, Status>) -> Result<Option<Fault>, Status> {
    answer.map(|_| None)
}

/// Reads a stream to its end, which may be its error.
async fn whole<T>(answer: Result<Answer<Streaming<T>>, Status>) -> Result<Option<Fault>, Status> {
    let mut stream = answer?.into_inner();
    while stream.message().await?.is_some() {}
    Ok(None)
}

/// A stream of one message.
#[derive(Debug)]
struct Once<T>(Option<T>);

impl<T: Unpin> tokio_stream::Stream for Once<T> {
    type Item = T;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<T>> {
        std::task::Poll::Ready(self.0.take())
    }
}

/// An object from its parts.
pub fn object(kind: &str, id: &str) -> Option<wire::ObjectReference> {
    Some(wire::ObjectReference { object_type: kind.to_owned(), object_id: id.to_owned() })
}

/// A subject from its text.
pub fn subject(text: &str) -> Option<wire::SubjectReference> {
    Some(crate::wire::subject(&parse_subject(text).unwrap()))
}

/// A relationship from its text, caveat and all.
pub fn relationship(text: &str) -> wire::Relationship {
    let read = parse_relationship(text).unwrap();
    let caveat = read.caveat.as_ref().map(|caveat| wire::ContextualizedCaveat {
        caveat_name: caveat.name.to_string(),
        context: (!caveat.context.is_empty()).then(|| wire_struct(&caveat.context)),
    });
    wire::Relationship { optional_caveat: caveat, ..crate::wire::relationship(&read) }
}

/// A struct of one text.
pub fn text_struct(name: &str, text: &str) -> Option<prost_types::Struct> {
    let value = serde_json::Value::String(text.to_owned());
    Some(wire_struct(&[(name.to_owned(), value)].into_iter().collect()))
}

/// A write of these relationships.
pub fn write(
    operation: wire::relationship_update::Operation,
    texts: &[&str],
) -> wire::WriteRelationshipsRequest {
    let updates = texts.iter().map(|text| wire::RelationshipUpdate {
        operation: operation.into(),
        relationship: Some(relationship(text)),
    });
    wire::WriteRelationshipsRequest { updates: updates.collect(), ..Default::default() }
}

/// A check of `type:id#permission@type:id`.
pub fn check(question: &str) -> wire::CheckPermissionRequest {
    let (resource, asked) = question.split_once('@').unwrap();
    let (resource, permission) = resource.split_once('#').unwrap();
    let (kind, id) = resource.split_once(':').unwrap();
    wire::CheckPermissionRequest {
        resource: object(kind, id),
        permission: permission.to_owned(),
        subject: subject(asked),
        ..Default::default()
    }
}

/// The same as the only item of a bulk check.
pub fn bulk(question: wire::CheckPermissionRequest) -> wire::CheckBulkPermissionsRequest {
    let wire::CheckPermissionRequest { resource, permission, subject, context, .. } = question;
    let item = wire::CheckBulkPermissionsRequestItem { resource, permission, subject, context };
    wire::CheckBulkPermissionsRequest { items: vec![item], ..Default::default() }
}

/// A lookup of the documents that a subject has a permission on.
pub fn lookup_resources(permission: &str, asked: &str) -> wire::LookupResourcesRequest {
    wire::LookupResourcesRequest {
        resource_object_type: "document".to_owned(),
        permission: permission.to_owned(),
        subject: subject(asked),
        ..Default::default()
    }
}

/// A lookup of the users that have a permission on a document.
pub fn lookup_subjects(document: &str, permission: &str) -> wire::LookupSubjectsRequest {
    wire::LookupSubjectsRequest {
        resource: object("document", document),
        permission: permission.to_owned(),
        subject_object_type: "user".to_owned(),
        ..Default::default()
    }
}

/// A filter for everything of a type.
pub fn of_type(kind: &str) -> wire::RelationshipFilter {
    wire::RelationshipFilter { resource_type: kind.to_owned(), ..Default::default() }
}

/// A read of what a filter selects.
pub fn read(filter: wire::RelationshipFilter) -> wire::ReadRelationshipsRequest {
    wire::ReadRelationshipsRequest { relationship_filter: Some(filter), ..Default::default() }
}

/// A removal of what a filter selects.
pub fn delete(filter: wire::RelationshipFilter) -> wire::DeleteRelationshipsRequest {
    wire::DeleteRelationshipsRequest { relationship_filter: Some(filter), ..Default::default() }
}
