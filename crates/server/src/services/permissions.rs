//! `PermissionsService`: which call is answered where.

use std::sync::Arc;

use pemba_proto::authzed::api::v1::permissions_service_server::PermissionsService;
use pemba_proto::authzed::api::v1::{
    CheckBulkPermissionsRequest, CheckBulkPermissionsResponse, CheckPermissionRequest,
    CheckPermissionResponse, DeleteRelationshipsRequest, DeleteRelationshipsResponse,
    ExpandPermissionTreeRequest, ExpandPermissionTreeResponse, ExportBulkRelationshipsRequest,
    ExportBulkRelationshipsResponse, ImportBulkRelationshipsRequest, ImportBulkRelationshipsResponse,
    LookupResourcesRequest, LookupResourcesResponse, LookupSubjectsRequest, LookupSubjectsResponse,
    ReadRelationshipsRequest, ReadRelationshipsResponse, WriteRelationshipsRequest,
    WriteRelationshipsResponse,
};
use tonic::{Request, Response, Status, Streaming};

use super::{
    asked, bulk_check, check, delete, expand, export, import, lookup_resources, lookup_subjects, read, write,
};
use crate::access::caller;
use crate::chains::Presented;
use crate::state::State;
use crate::stream::Outgoing;

/// The metadata by which older clients ask for the trace of a check, whatever its value.
pub(super) const REQUEST_DEBUG_INFORMATION: &str = "io.spicedb.requestdebuginfo";

/// The service.
pub(crate) struct Permissions {
    state: Arc<State>,
}

impl Permissions {
    pub(crate) fn new(state: Arc<State>) -> Permissions {
        Permissions { state }
    }
}

/// What a call presents, as the front has read it.
pub(super) fn presented_by<M>(request: &Request<M>) -> Option<Presented> {
    request.extensions().get().copied()
}

#[tonic::async_trait]
impl PermissionsService for Permissions {
    type ReadRelationshipsStream = Outgoing<ReadRelationshipsResponse>;
    type LookupResourcesStream = Outgoing<LookupResourcesResponse>;
    type LookupSubjectsStream = Outgoing<LookupSubjectsResponse>;
    type ExportBulkRelationshipsStream = Outgoing<ExportBulkRelationshipsResponse>;

    async fn read_relationships(
        &self,
        request: Request<ReadRelationshipsRequest>,
    ) -> Result<Response<Self::ReadRelationshipsStream>, Status> {
        let (client, request) = caller(request)?;
        let stream = read::answer::<Vec<_>>(&self.state, &client, request).await?;
        Ok(Response::new(stream))
    }

    async fn write_relationships(
        &self,
        request: Request<WriteRelationshipsRequest>,
    ) -> Result<Response<WriteRelationshipsResponse>, Status> {
        let (client, request) = caller(request)?;
        write::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn delete_relationships(
        &self,
        request: Request<DeleteRelationshipsRequest>,
    ) -> Result<Response<DeleteRelationshipsResponse>, Status> {
        let (client, request) = caller(request)?;
        delete::answer(&self.state, &client, request).await.map(Response::new)
    }

    async fn check_permission(
        &self,
        request: Request<CheckPermissionRequest>,
    ) -> Result<Response<CheckPermissionResponse>, Status> {
        let is_traced = request.metadata().contains_key(REQUEST_DEBUG_INFORMATION);
        let presented = presented_by(&request);
        let (client, request) = caller(request)?;
        let (answer, told) = check::answer(&self.state, &client, &request, presented, is_traced).await?;
        Ok(told.beside(asked(answer, 1)))
    }

    async fn check_bulk_permissions(
        &self,
        request: Request<CheckBulkPermissionsRequest>,
    ) -> Result<Response<CheckBulkPermissionsResponse>, Status> {
        let presented = presented_by(&request);
        let (client, request) = caller(request)?;
        let (answer, told) = bulk_check::answer(&self.state, &client, request, presented).await?;
        let count = answer.pairs.len();
        Ok(told.beside(asked(answer, count)))
    }

    async fn expand_permission_tree(
        &self,
        request: Request<ExpandPermissionTreeRequest>,
    ) -> Result<Response<ExpandPermissionTreeResponse>, Status> {
        let (client, request) = caller(request)?;
        expand::answer(&self.state, &client, request).await.map(|answer| asked(answer, 1))
    }

    async fn lookup_resources(
        &self,
        request: Request<LookupResourcesRequest>,
    ) -> Result<Response<Self::LookupResourcesStream>, Status> {
        let presented = presented_by(&request);
        let (client, request) = caller(request)?;
        let (answer, told) =
            lookup_resources::answer::<Vec<_>>(&self.state, &client, request, presented).await?;
        Ok(told.beside(asked(answer, 1)))
    }

    async fn lookup_subjects(
        &self,
        request: Request<LookupSubjectsRequest>,
    ) -> Result<Response<Self::LookupSubjectsStream>, Status> {
        let presented = presented_by(&request);
        let (client, request) = caller(request)?;
        let (answer, told) =
            lookup_subjects::answer::<Vec<_>>(&self.state, &client, request, presented).await?;
        Ok(told.beside(asked(answer, 1)))
    }

    async fn import_bulk_relationships(
        &self,
        request: Request<Streaming<ImportBulkRelationshipsRequest>>,
    ) -> Result<Response<ImportBulkRelationshipsResponse>, Status> {
        let (client, request) = caller(request)?;
        import::answer(&self.state, &client, request).await
    }

    async fn export_bulk_relationships(
        &self,
        request: Request<ExportBulkRelationshipsRequest>,
    ) -> Result<Response<Self::ExportBulkRelationshipsStream>, Status> {
        let (client, request) = caller(request)?;
        export::answer(&self.state, &client, request).await.map(Response::new)
    }
}
