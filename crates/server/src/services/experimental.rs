//! `ExperimentalService`: deprecated twins and counters, none of them served.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::experimental_service_server::ExperimentalService;
use tonic::{Request, Response, Status, Streaming};

use crate::errors::unimplemented;
use crate::stream::Outgoing;

/// What the counters answer.
const COUNT_INSTEAD: &str = "count with `ExportBulkRelationships` and a filter";

/// The service.
pub(crate) struct Experimental;

/// The answer of a call that has a stable twin.
fn moved<T>(call: &str, twin: &str) -> Result<Response<T>, Status> {
    Err(unimplemented(call, &format!("call `{twin}` instead")))
}

#[tonic::async_trait]
impl ExperimentalService for Experimental {
    type BulkExportRelationshipsStream = Outgoing<wire::BulkExportRelationshipsResponse>;

    async fn bulk_import_relationships(
        &self,
        _: Request<Streaming<wire::BulkImportRelationshipsRequest>>,
    ) -> Result<Response<wire::BulkImportRelationshipsResponse>, Status> {
        moved("BulkImportRelationships", "PermissionsService/ImportBulkRelationships")
    }

    async fn bulk_export_relationships(
        &self,
        _: Request<wire::BulkExportRelationshipsRequest>,
    ) -> Result<Response<Self::BulkExportRelationshipsStream>, Status> {
        moved("BulkExportRelationships", "PermissionsService/ExportBulkRelationships")
    }

    async fn bulk_check_permission(
        &self,
        _: Request<wire::BulkCheckPermissionRequest>,
    ) -> Result<Response<wire::BulkCheckPermissionResponse>, Status> {
        moved("BulkCheckPermission", "PermissionsService/CheckBulkPermissions")
    }

    async fn experimental_reflect_schema(
        &self,
        _: Request<wire::ExperimentalReflectSchemaRequest>,
    ) -> Result<Response<wire::ExperimentalReflectSchemaResponse>, Status> {
        moved("ExperimentalReflectSchema", "SchemaService/ReadSchema")
    }

    async fn experimental_computable_permissions(
        &self,
        _: Request<wire::ExperimentalComputablePermissionsRequest>,
    ) -> Result<Response<wire::ExperimentalComputablePermissionsResponse>, Status> {
        moved("ExperimentalComputablePermissions", "SchemaService/ReadSchema")
    }

    async fn experimental_dependent_relations(
        &self,
        _: Request<wire::ExperimentalDependentRelationsRequest>,
    ) -> Result<Response<wire::ExperimentalDependentRelationsResponse>, Status> {
        moved("ExperimentalDependentRelations", "SchemaService/ReadSchema")
    }

    async fn experimental_diff_schema(
        &self,
        _: Request<wire::ExperimentalDiffSchemaRequest>,
    ) -> Result<Response<wire::ExperimentalDiffSchemaResponse>, Status> {
        moved("ExperimentalDiffSchema", "SchemaService/ReadSchema")
    }

    async fn experimental_register_relationship_counter(
        &self,
        _: Request<wire::ExperimentalRegisterRelationshipCounterRequest>,
    ) -> Result<Response<wire::ExperimentalRegisterRelationshipCounterResponse>, Status> {
        Err(unimplemented("ExperimentalRegisterRelationshipCounter", COUNT_INSTEAD))
    }

    async fn experimental_count_relationships(
        &self,
        _: Request<wire::ExperimentalCountRelationshipsRequest>,
    ) -> Result<Response<wire::ExperimentalCountRelationshipsResponse>, Status> {
        Err(unimplemented("ExperimentalCountRelationships", COUNT_INSTEAD))
    }

    async fn experimental_unregister_relationship_counter(
        &self,
        _: Request<wire::ExperimentalUnregisterRelationshipCounterRequest>,
    ) -> Result<Response<wire::ExperimentalUnregisterRelationshipCounterResponse>, Status> {
        Err(unimplemented("ExperimentalUnregisterRelationshipCounter", COUNT_INSTEAD))
    }
}
