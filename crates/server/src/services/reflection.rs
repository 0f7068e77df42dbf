//! `ReflectSchema`, `ComputablePermissions`, `DependentRelations` and `DiffSchema`, with their deprecated twins. Without a
//! schema they answer as for an empty one.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_proto::authzed::api::v1::{
    ComputablePermissionsRequest, ComputablePermissionsResponse, DependentRelationsRequest,
    DependentRelationsResponse, DiffSchemaRequest, DiffSchemaResponse, ReflectSchemaRequest,
    ReflectSchemaResponse,
};
use pemba_schema::reflection;
use prost::Message;
use tonic::{Code, Status};

use crate::access;
use crate::consistency::{consistency, encode};
use crate::convert::reflection::{
    caveat_to_wire, definition_to_wire, diff_to_wire, reference_to_wire, schema_filter, schema_filter_text,
};
use crate::errors;
use crate::state::State;
use crate::status::plain;

pub(super) async fn reflect(
    state: &Arc<State>,
    client: &Client,
    request: ReflectSchemaRequest,
) -> Result<ReflectSchemaResponse, Status> {
    access::read_schema(client)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    let reflect = move || {
        let filters: Vec<_> = request.optional_filters.iter().map(schema_filter).collect();
        let reflected = reflection::reflect(view.snapshot().schema(), &filters).map_err(|error| {
            let filter = request.optional_filters.get(error.position);
            errors::reflection_filter(&error, filter.map(schema_filter_text).unwrap_or_default())
        })?;
        Ok(ReflectSchemaResponse {
            definitions: reflected.definitions.into_iter().map(definition_to_wire).collect(),
            caveats: reflected.caveats.into_iter().map(caveat_to_wire).collect(),
            read_at: Some(encode(view.token())),
        })
    };
    state.queries.run(reflect).await
}

pub(super) async fn computable(
    state: &Arc<State>,
    client: &Client,
    request: ComputablePermissionsRequest,
) -> Result<ComputablePermissionsResponse, Status> {
    access::read_schema(client)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    let compute = move || {
        let beginning = &request.optional_definition_name_filter;
        let found = reflection::computable_permissions(
            view.snapshot().schema(),
            &request.definition_name,
            &request.relation_name,
            (!beginning.is_empty()).then_some(beginning),
        );
        let found = found.map_err(|error| errors::reference(&error))?;
        Ok(ComputablePermissionsResponse {
            permissions: found.into_iter().map(reference_to_wire).collect(),
            read_at: Some(encode(view.token())),
        })
    };
    state.queries.run(compute).await
}

pub(super) async fn dependent(
    state: &Arc<State>,
    client: &Client,
    request: DependentRelationsRequest,
) -> Result<DependentRelationsResponse, Status> {
    access::read_schema(client)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    let depend = move || {
        let schema = view.snapshot().schema();
        let found =
            reflection::dependent_relations(schema, &request.definition_name, &request.permission_name);
        let found = found.map_err(|error| errors::reference(&error))?;
        Ok(DependentRelationsResponse {
            relations: found.into_iter().map(reference_to_wire).collect(),
            read_at: Some(encode(view.token())),
        })
    };
    state.queries.run(depend).await
}

pub(super) async fn diff(
    state: &Arc<State>,
    client: &Client,
    request: DiffSchemaRequest,
) -> Result<DiffSchemaResponse, Status> {
    access::read_schema(client)?;
    let view = state.view(consistency(request.consistency.as_ref())?).await?;
    let compare = move || {
        let text = &request.comparison_schema;
        let comparison =
            pemba_schema::outline(text).map_err(|rejected| errors::rejected_schema(&rejected, text))?;
        let diffs = reflection::diff(view.snapshot().schema(), &comparison);
        let diffs = diffs.map_err(|error| errors::diff(&error))?;
        Ok(DiffSchemaResponse {
            diffs: diffs.into_iter().map(diff_to_wire).collect(),
            read_at: Some(encode(view.token())),
        })
    };
    state.queries.run(compare).await
}

/// A message as its twin of the experimental service, or the other way: both have the same fields under the same
/// numbers.
pub(super) fn twin<T: Message + Default>(message: &impl Message) -> Result<T, Status> {
    T::decode(message.encode_to_vec().as_slice())
        .map_err(|error| plain(Code::Internal, format!("a message is not like its twin: {error}")))
}
