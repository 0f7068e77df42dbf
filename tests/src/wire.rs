//! A client of `authzed.api.v1` as plain as the wire, for tests that must not depend on the SDK being right.

use pemba_model::{ObjectRef, Operation, Relationship, SubjectRef};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::permissions_service_client::PermissionsServiceClient;
use pemba_proto::authzed::api::v1::schema_service_client::SchemaServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

use crate::process::KEY;

/// Puts the test key on every request.
#[derive(Clone)]
pub struct Key;

impl tonic::service::Interceptor for Key {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", format!("Bearer {KEY}").parse().unwrap());
        Ok(request)
    }
}

/// The services, over one connection.
#[derive(Clone)]
pub struct Wire {
    /// PermissionsService.
    pub permissions: PermissionsServiceClient<InterceptedService<Channel, Key>>,
    /// SchemaService.
    pub schema: SchemaServiceClient<InterceptedService<Channel, Key>>,
}

impl Wire {
    /// Connects to a server that asks for the test key.
    pub async fn connect(endpoint: &str) -> Wire {
        let channel = Endpoint::from_shared(endpoint.to_owned()).unwrap().connect().await.unwrap();
        Wire {
            permissions: PermissionsServiceClient::with_interceptor(channel.clone(), Key),
            schema: SchemaServiceClient::with_interceptor(channel, Key),
        }
    }

    /// Replaces the schema.
    pub async fn write_schema(&mut self, text: &str) -> Result<(), Status> {
        self.schema.write_schema(wire::WriteSchemaRequest { schema: text.to_owned() }).await.map(drop)
    }

    /// Applies updates in one request and returns the token.
    pub async fn write(&mut self, updates: Vec<(Operation, Relationship)>) -> Result<String, Status> {
        let updates =
            updates.into_iter().map(|(operation, relationship)| update(operation, &relationship)).collect();
        let request = wire::WriteRelationshipsRequest { updates, ..Default::default() };
        let response = self.permissions.write_relationships(request).await?.into_inner();
        Ok(response.written_at.unwrap().token)
    }

    /// Checks, and answers whether the subject has the permission; conditional is an error here.
    pub async fn check(
        &mut self,
        resource: &ObjectRef,
        permission: &str,
        subject: &SubjectRef,
        consistency: Option<wire::Consistency>,
    ) -> Result<wire::check_permission_response::Permissionship, Status> {
        let request = wire::CheckPermissionRequest {
            consistency,
            resource: Some(object(resource)),
            permission: permission.to_owned(),
            subject: Some(self::subject(subject)),
            ..Default::default()
        };
        Ok(self.permissions.check_permission(request).await?.into_inner().permissionship())
    }
}

/// An object on the wire.
pub fn object(object: &ObjectRef) -> wire::ObjectReference {
    wire::ObjectReference {
        object_type: object.object_type.to_string(),
        object_id: object.object_id.to_string(),
    }
}

/// A subject on the wire.
pub fn subject(subject: &SubjectRef) -> wire::SubjectReference {
    wire::SubjectReference {
        object: Some(object(&subject.object)),
        optional_relation: subject.relation.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// A relationship on the wire; caveats are not carried.
pub fn relationship(relationship: &Relationship) -> wire::Relationship {
    wire::Relationship {
        resource: Some(object(&relationship.resource)),
        relation: relationship.relation.to_string(),
        subject: Some(subject(&relationship.subject)),
        optional_caveat: None,
        optional_expires_at: relationship.expires_at.map(|instant| prost_types::Timestamp {
            seconds: instant.seconds(),
            nanos: i32::try_from(instant.nanos()).unwrap(),
        }),
    }
}

fn update(operation: Operation, of: &Relationship) -> wire::RelationshipUpdate {
    let operation = match operation {
        Operation::Create => wire::relationship_update::Operation::Create,
        Operation::Touch => wire::relationship_update::Operation::Touch,
        Operation::Delete => wire::relationship_update::Operation::Delete,
    };
    wire::RelationshipUpdate { operation: operation.into(), relationship: Some(relationship(of)) }
}

/// Reads at the newest revision.
pub fn fully_consistent() -> Option<wire::Consistency> {
    Some(wire::Consistency { requirement: Some(wire::consistency::Requirement::FullyConsistent(true)) })
}

/// Reads at whatever is quickest.
pub fn minimize_latency() -> Option<wire::Consistency> {
    Some(wire::Consistency { requirement: Some(wire::consistency::Requirement::MinimizeLatency(true)) })
}

/// Reads at the token's revision or a newer one.
pub fn at_least(token: &str) -> Option<wire::Consistency> {
    let token = wire::ZedToken { token: token.to_owned() };
    Some(wire::Consistency { requirement: Some(wire::consistency::Requirement::AtLeastAsFresh(token)) })
}

/// Reads at exactly the token's revision.
pub fn at_exact(token: &str) -> Option<wire::Consistency> {
    let token = wire::ZedToken { token: token.to_owned() };
    Some(wire::Consistency { requirement: Some(wire::consistency::Requirement::AtExactSnapshot(token)) })
}
