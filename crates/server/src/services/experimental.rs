//! `ExperimentalService`: deprecated twins of calls that have moved, and relationship counters.

use std::sync::Arc;

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::experimental_service_server::ExperimentalService;
use tokio_stream::StreamExt as _;
use tokio_stream::adapters::Map;
use tonic::{Request, Response, Status, Streaming};

use super::permissions::presented_by;
use super::{asked, bulk_check, counters, export, import, reflection};
use crate::access::caller;
use crate::state::State;
use crate::stream::Outgoing;

/// The service.
pub(crate) struct Experimental {
    state: Arc<State>,
}

impl Experimental {
    pub(crate) fn new(state: Arc<State>) -> Experimental {
        Experimental { state }
    }
}

/// An export's messages under their old name.
type OldExport = Map<
    Outgoing<wire::ExportBulkRelationshipsResponse>,
    fn(
        Result<wire::ExportBulkRelationshipsResponse, Status>,
    ) -> Result<wire::BulkExportRelationshipsResponse, Status>,
>;

fn old_export(
    message: Result<wire::ExportBulkRelationshipsResponse, Status>,
) -> Result<wire::BulkExportRelationshipsResponse, Status> {
    message.map(|message| wire::BulkExportRelationshipsResponse {
        after_result_cursor: message.after_result_cursor,
        relationships: message.relationships,
    })
}

#[expect(deprecated, reason = "older clients send the field that the interface calls deprecated")]
fn new_check(request: wire::BulkCheckPermissionRequest) -> wire::CheckBulkPermissionsRequest {
    let items = request.items.into_iter().map(|item| wire::CheckBulkPermissionsRequestItem {
        resource: item.resource,
        permission: item.permission,
        subject: item.subject,
        context: item.context,
    });
    wire::CheckBulkPermissionsRequest {
        consistency: request.consistency,
        items: items.collect(),
        with_tracing: false,
    }
}

fn old_pair(pair: wire::CheckBulkPermissionsPair) -> wire::BulkCheckPermissionPair {
    use wire::bulk_check_permission_pair::Response as Old;
    use wire::check_bulk_permissions_pair::Response as New;
    wire::BulkCheckPermissionPair {
        request: pair.request.map(|item| wire::BulkCheckPermissionRequestItem {
            resource: item.resource,
            permission: item.permission,
            subject: item.subject,
            context: item.context,
        }),
        response: pair.response.map(|response| match response {
            New::Item(item) => Old::Item(wire::BulkCheckPermissionResponseItem {
                permissionship: item.permissionship,
                partial_caveat_info: item.partial_caveat_info,
            }),
            New::Error(status) => Old::Error(status),
        }),
    }
}

#[tonic::async_trait]
impl ExperimentalService for Experimental {
    type BulkExportRelationshipsStream = OldExport;

    async fn bulk_import_relationships(
        &self,
        request: Request<Streaming<wire::BulkImportRelationshipsRequest>>,
    ) -> Result<Response<wire::BulkImportRelationshipsResponse>, Status> {
        let (client, request) = caller(request)?;
        let response = import::answer(&self.state, &client, request).await?;
        Ok(response.map(|answer| wire::BulkImportRelationshipsResponse { num_loaded: answer.num_loaded }))
    }

    async fn bulk_export_relationships(
        &self,
        request: Request<wire::BulkExportRelationshipsRequest>,
    ) -> Result<Response<Self::BulkExportRelationshipsStream>, Status> {
        let (client, request) = caller(request)?;
        let request = wire::ExportBulkRelationshipsRequest {
            consistency: request.consistency,
            optional_limit: request.optional_limit,
            optional_cursor: request.optional_cursor,
            optional_relationship_filter: request.optional_relationship_filter,
        };
        let outgoing = export::answer(&self.state, &client, request).await?;
        let old: fn(_) -> _ = old_export;
        Ok(Response::new(outgoing.map(old)))
    }

    async fn bulk_check_permission(
        &self,
        request: Request<wire::BulkCheckPermissionRequest>,
    ) -> Result<Response<wire::BulkCheckPermissionResponse>, Status> {
        let presented = presented_by(&request);
        let (client, request) = caller(request)?;
        let (answer, told) = bulk_check::answer(&self.state, &client, new_check(request), presented).await?;
        let count = answer.pairs.len();
        let pairs = answer.pairs.into_iter().map(old_pair).collect();
        let answer = wire::BulkCheckPermissionResponse { checked_at: answer.checked_at, pairs };
        Ok(told.beside(asked(answer, count)))
    }

    async fn experimental_reflect_schema(
        &self,
        request: Request<wire::ExperimentalReflectSchemaRequest>,
    ) -> Result<Response<wire::ExperimentalReflectSchemaResponse>, Status> {
        let (client, request) = caller(request)?;
        let answer = reflection::reflect(&self.state, &client, reflection::twin(&request)?).await?;
        reflection::twin(&answer).map(Response::new)
    }

    async fn experimental_computable_permissions(
        &self,
        request: Request<wire::ExperimentalComputablePermissionsRequest>,
    ) -> Result<Response<wire::ExperimentalComputablePermissionsResponse>, Status> {
        let (client, request) = caller(request)?;
        let answer = reflection::computable(&self.state, &client, reflection::twin(&request)?).await?;
        reflection::twin(&answer).map(Response::new)
    }

    async fn experimental_dependent_relations(
        &self,
        request: Request<wire::ExperimentalDependentRelationsRequest>,
    ) -> Result<Response<wire::ExperimentalDependentRelationsResponse>, Status> {
        let (client, request) = caller(request)?;
        let answer = reflection::dependent(&self.state, &client, reflection::twin(&request)?).await?;
        reflection::twin(&answer).map(Response::new)
    }

    async fn experimental_diff_schema(
        &self,
        request: Request<wire::ExperimentalDiffSchemaRequest>,
    ) -> Result<Response<wire::ExperimentalDiffSchemaResponse>, Status> {
        let (client, request) = caller(request)?;
        let answer = reflection::diff(&self.state, &client, reflection::twin(&request)?).await?;
        reflection::twin(&answer).map(Response::new)
    }

    async fn experimental_register_relationship_counter(
        &self,
        request: Request<wire::ExperimentalRegisterRelationshipCounterRequest>,
    ) -> Result<Response<wire::ExperimentalRegisterRelationshipCounterResponse>, Status> {
        let (client, request) = caller(request)?;
        counters::register(&self.state, &client, request).await.map(Response::new)
    }

    async fn experimental_count_relationships(
        &self,
        request: Request<wire::ExperimentalCountRelationshipsRequest>,
    ) -> Result<Response<wire::ExperimentalCountRelationshipsResponse>, Status> {
        let (client, request) = caller(request)?;
        counters::count(&self.state, &client, request).await.map(Response::new)
    }

    async fn experimental_unregister_relationship_counter(
        &self,
        request: Request<wire::ExperimentalUnregisterRelationshipCounterRequest>,
    ) -> Result<Response<wire::ExperimentalUnregisterRelationshipCounterResponse>, Status> {
        let (client, request) = caller(request)?;
        counters::unregister(&self.state, &client, request).await.map(Response::new)
    }
}
