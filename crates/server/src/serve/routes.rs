//! All services of one worker.

use std::sync::Arc;

use pemba_db::StoppableClock;
use pemba_proto::authzed::api::v1::experimental_service_server::ExperimentalServiceServer;
use pemba_proto::authzed::api::v1::permissions_service_server::PermissionsServiceServer;
use pemba_proto::authzed::api::v1::schema_service_server::SchemaServiceServer;
use pemba_proto::authzed::api::v1::watch_service_server::WatchServiceServer;
use pemba_proto::pemba::v1::agent_service_server::AgentServiceServer;
use pemba_proto::pemba::v1::approval_service_server::ApprovalServiceServer;
use pemba_proto::pemba::v1::authority_service_server::AuthorityServiceServer;
use pemba_proto::pemba::v1::break_glass_service_server::BreakGlassServiceServer;
use pemba_proto::pemba::v1::delegation_service_server::DelegationServiceServer;
use pemba_proto::pemba::v1::session_service_server::SessionServiceServer;
use pemba_proto::pemba::v1::testing_service_server::{self, TestingServiceServer};
use prost::Message as _;
use prost_types::{FileDescriptorSet, ServiceDescriptorProto};
use tonic::service::Routes;
use tonic_health::pb::health_server::{Health, HealthServer};

use super::per_token::PerToken;
use crate::options::StartError;
use crate::pemba::{Agents, Approvals, Delegations, Glass, Sessions, Testing};
use crate::services::{Authority, Experimental, Permissions, Schemas, Watches};
use crate::state::State;

/// The services of the interface over one database.
pub(super) fn api(state: &Arc<State>) -> Routes {
    let message_max = state.limits.message_max_bytes;
    let experimental = ExperimentalServiceServer::new(Experimental::new(Arc::clone(state)));
    let permissions = PermissionsServiceServer::new(Permissions::new(Arc::clone(state)));
    Routes::new(permissions.max_decoding_message_size(message_max))
        .add_service(
            SchemaServiceServer::new(Schemas::new(Arc::clone(state))).max_decoding_message_size(message_max),
        )
        .add_service(
            WatchServiceServer::new(Watches::new(Arc::clone(state))).max_decoding_message_size(message_max),
        )
        .add_service(experimental.max_decoding_message_size(message_max))
        .add_service(
            AgentServiceServer::new(Agents::new(Arc::clone(state))).max_decoding_message_size(message_max),
        )
        .add_service(
            DelegationServiceServer::new(Delegations::new(Arc::clone(state)))
                .max_decoding_message_size(message_max),
        )
        .add_service(
            SessionServiceServer::new(Sessions::new(Arc::clone(state)))
                .max_decoding_message_size(message_max),
        )
        .add_service(
            ApprovalServiceServer::new(Approvals::new(Arc::clone(state)))
                .max_decoding_message_size(message_max),
        )
        .add_service(
            BreakGlassServiceServer::new(Glass::new(Arc::clone(state)))
                .max_decoding_message_size(message_max),
        )
        .add_service(
            AuthorityServiceServer::new(Authority::new(Arc::clone(state)))
                .max_decoding_message_size(message_max),
        )
}

/// The same routes with the service that moves the clock of a test's own database.
pub(super) fn with_testing(api: Routes, clock: Arc<StoppableClock>) -> Routes {
    api.add_service(TestingServiceServer::new(Testing::new(clock)))
}

/// As `api`, over the database of the caller's token.
pub(super) fn per_token(per_token: PerToken) -> Routes {
    Routes::from(axum::Router::new().fallback_service(per_token))
}

/// The same routes with the services that everybody may ask. `is_per_token` says whether each token has a database of
/// its own, whose clock can be moved.
pub(super) fn with_open_services(
    api: Routes,
    health: HealthServer<impl Health>,
    is_per_token: bool,
) -> Result<Routes, StartError> {
    let reflection = |own: &str| {
        let builder = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(pemba_proto::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
            .with_service_name(own);
        service_names(is_per_token).into_iter().fold(builder, |builder, name| builder.with_service_name(name))
    };
    let unfit = |error: tonic_reflection::server::Error| StartError::Services(error.to_string());
    let v1 = reflection("grpc.reflection.v1.ServerReflection").build_v1().map_err(unfit)?;
    let v1alpha = reflection("grpc.reflection.v1alpha.ServerReflection").build_v1alpha().map_err(unfit)?;
    Ok(api.add_service(health).add_service(v1).add_service(v1alpha))
}

/// The services that reflection tells of, besides itself: those that are there to be called.
fn service_names(is_per_token: bool) -> Vec<String> {
    let mut names = Vec::new();
    for set in [pemba_proto::FILE_DESCRIPTOR_SET, tonic_health::pb::FILE_DESCRIPTOR_SET] {
        for file in FileDescriptorSet::decode(set).unwrap_or_default().file {
            let name = |service: &ServiceDescriptorProto| format!("{}.{}", file.package(), service.name());
            names.extend(file.service.iter().map(name));
        }
    }
    names.retain(|name| is_per_token || name != testing_service_server::SERVICE_NAME);
    names
}
