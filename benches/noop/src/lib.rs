//! The server that does nothing: `authzed.api.v1` on stock generated code, answering constants.
//!
//! **Invariant: nothing but decoding, a constant and encoding: what a server does more than this is its own cost.**

use std::future::Future;
use std::net::TcpListener;
use std::pin::Pin;

use anyhow::{Context as _, Result};
use pemba_proto::authzed::api::v1::permissions_service_server::{
    PermissionsService, PermissionsServiceServer,
};
use pemba_proto::authzed::api::v1::{self as wire, check_permission_response::Permissionship};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Iter, StreamExt as _};
use tonic::{Request, Response, Status, Streaming};

/// Ids that each lookup answers with.
pub const LOOKUP_IDS: u32 = 10_000;
/// Largest request message, in bytes.
const MESSAGE_MAX_BYTES: usize = 8 * 1024 * 1024;

/// Serves on a bound socket, on this thread alone, until `stop` ends.
pub fn serve(listener: TcpListener, stop: impl Future<Output = ()>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let incoming = TcpListenerStream::new(tokio::net::TcpListener::from_std(listener)?);
        let incoming = incoming.map(|stream| {
            let stream = stream?;
            stream.set_nodelay(true)?;
            Ok::<_, std::io::Error>(stream)
        });
        let service = PermissionsServiceServer::new(Constants).max_decoding_message_size(MESSAGE_MAX_BYTES);
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming_shutdown(incoming, stop)
            .await
            .context("cannot serve")
    })
}

/// Every answer.
struct Constants;

type Answers<T> = Iter<Box<dyn Iterator<Item = Result<T, Status>> + Send>>;
type Nothing<T> = Pin<Box<tokio_stream::Empty<Result<T, Status>>>>;

fn answers<T: 'static>(one: impl Fn(u32) -> T + Send + 'static) -> Response<Answers<T>> {
    let all: Box<dyn Iterator<Item = Result<T, Status>> + Send> =
        Box::new((0..LOOKUP_IDS).map(move |number| Ok(one(number))));
    Response::new(tokio_stream::iter(all))
}

fn token() -> Option<wire::ZedToken> {
    Some(wire::ZedToken { token: "GhUKEzE3NjQwNTYwMDAwMDAwMDAwMDA=".to_owned() })
}

fn has() -> i32 {
    Permissionship::HasPermission.into()
}

#[tonic::async_trait]
impl PermissionsService for Constants {
    type ReadRelationshipsStream = Nothing<wire::ReadRelationshipsResponse>;
    type LookupResourcesStream = Answers<wire::LookupResourcesResponse>;
    type LookupSubjectsStream = Answers<wire::LookupSubjectsResponse>;
    type ExportBulkRelationshipsStream = Nothing<wire::ExportBulkRelationshipsResponse>;

    async fn read_relationships(
        &self,
        _: Request<wire::ReadRelationshipsRequest>,
    ) -> Result<Response<Self::ReadRelationshipsStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::empty())))
    }

    async fn write_relationships(
        &self,
        _: Request<wire::WriteRelationshipsRequest>,
    ) -> Result<Response<wire::WriteRelationshipsResponse>, Status> {
        Ok(Response::new(wire::WriteRelationshipsResponse { written_at: token() }))
    }

    async fn delete_relationships(
        &self,
        _: Request<wire::DeleteRelationshipsRequest>,
    ) -> Result<Response<wire::DeleteRelationshipsResponse>, Status> {
        Ok(Response::new(wire::DeleteRelationshipsResponse { deleted_at: token(), ..Default::default() }))
    }

    async fn check_permission(
        &self,
        _: Request<wire::CheckPermissionRequest>,
    ) -> Result<Response<wire::CheckPermissionResponse>, Status> {
        Ok(Response::new(wire::CheckPermissionResponse {
            checked_at: token(),
            permissionship: has(),
            ..Default::default()
        }))
    }

    async fn check_bulk_permissions(
        &self,
        request: Request<wire::CheckBulkPermissionsRequest>,
    ) -> Result<Response<wire::CheckBulkPermissionsResponse>, Status> {
        use wire::check_bulk_permissions_pair::Response as Pair;

        let pair = |item| wire::CheckBulkPermissionsPair {
            request: Some(item),
            response: Some(Pair::Item(wire::CheckBulkPermissionsResponseItem {
                permissionship: has(),
                ..Default::default()
            })),
        };
        let pairs = request.into_inner().items.into_iter().map(pair).collect();
        Ok(Response::new(wire::CheckBulkPermissionsResponse { checked_at: token(), pairs }))
    }

    async fn expand_permission_tree(
        &self,
        _: Request<wire::ExpandPermissionTreeRequest>,
    ) -> Result<Response<wire::ExpandPermissionTreeResponse>, Status> {
        Ok(Response::new(wire::ExpandPermissionTreeResponse { expanded_at: token(), tree_root: None }))
    }

    async fn lookup_resources(
        &self,
        _: Request<wire::LookupResourcesRequest>,
    ) -> Result<Response<Self::LookupResourcesStream>, Status> {
        Ok(answers(|number| wire::LookupResourcesResponse {
            resource_object_id: format!("desk/2026/{number:010}"),
            permissionship: wire::LookupPermissionship::HasPermission.into(),
            ..Default::default()
        }))
    }

    async fn lookup_subjects(
        &self,
        _: Request<wire::LookupSubjectsRequest>,
    ) -> Result<Response<Self::LookupSubjectsStream>, Status> {
        Ok(answers(|number| wire::LookupSubjectsResponse {
            subject: Some(wire::ResolvedSubject {
                subject_object_id: format!("user-{number:016x}"),
                permissionship: wire::LookupPermissionship::HasPermission.into(),
                ..Default::default()
            }),
            ..Default::default()
        }))
    }

    async fn import_bulk_relationships(
        &self,
        request: Request<Streaming<wire::ImportBulkRelationshipsRequest>>,
    ) -> Result<Response<wire::ImportBulkRelationshipsResponse>, Status> {
        let mut stream = request.into_inner();
        let mut num_loaded = 0;
        while let Some(message) = stream.message().await? {
            num_loaded += message.relationships.len() as u64;
        }
        Ok(Response::new(wire::ImportBulkRelationshipsResponse { num_loaded }))
    }

    async fn export_bulk_relationships(
        &self,
        _: Request<wire::ExportBulkRelationshipsRequest>,
    ) -> Result<Response<Self::ExportBulkRelationshipsStream>, Status> {
        Ok(Response::new(Box::pin(tokio_stream::empty())))
    }
}
