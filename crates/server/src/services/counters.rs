//! Relationship counters: register, count, unregister.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_proto::authzed::api::v1::experimental_count_relationships_response::CounterResult;
use pemba_proto::authzed::api::v1::{
    ExperimentalCountRelationshipsRequest, ExperimentalCountRelationshipsResponse,
    ExperimentalRegisterRelationshipCounterRequest, ExperimentalRegisterRelationshipCounterResponse,
    ExperimentalUnregisterRelationshipCounterRequest, ExperimentalUnregisterRelationshipCounterResponse,
    ReadCounterValue,
};
use tonic::Status;

use crate::access;
use crate::consistency::encode;
use crate::convert::filter;
use crate::errors;
use crate::state::State;
use crate::validate;

pub(super) async fn register(
    state: &Arc<State>,
    client: &Client,
    request: ExperimentalRegisterRelationshipCounterRequest,
) -> Result<ExperimentalRegisterRelationshipCounterResponse, Status> {
    validate::register_counter(&request)?;
    named(&request.name)?;
    let filter = request.relationship_filter.as_ref().map(filter).unwrap_or_default();
    access::register_counter(client, &filter)?;
    let registered = state.writer()?.register_counter(request.name.into(), filter).await;
    registered.map_err(|error| errors::counter(&error))?;
    Ok(ExperimentalRegisterRelationshipCounterResponse {})
}

pub(super) async fn unregister(
    state: &Arc<State>,
    client: &Client,
    request: ExperimentalUnregisterRelationshipCounterRequest,
) -> Result<ExperimentalUnregisterRelationshipCounterResponse, Status> {
    validate::counter_name(&request.name)?;
    named(&request.name)?;
    access::write_schema(client)?;
    let unregistered = state.writer()?.unregister_counter(request.name.into()).await;
    unregistered.map_err(|error| errors::counter(&error))?;
    Ok(ExperimentalUnregisterRelationshipCounterResponse {})
}

pub(super) async fn count(
    state: &Arc<State>,
    client: &Client,
    request: ExperimentalCountRelationshipsRequest,
) -> Result<ExperimentalCountRelationshipsResponse, Status> {
    validate::counter_name(&request.name)?;
    named(&request.name)?;
    let database = state.database()?.clone();
    access::count(client, &database, &request.name)?;
    let count = move || database.count(&request.name).map_err(|error| errors::counter(&error));
    let counted = state.queries.run(count).await?;
    let value = ReadCounterValue { relationship_count: counted.count, read_at: Some(encode(counted.token)) };
    Ok(ExperimentalCountRelationshipsResponse {
        counter_result: Some(CounterResult::ReadCounterValue(value)),
    })
}

/// The grammar lets the empty name through.
fn named(name: &str) -> Result<(), Status> {
    if name.is_empty() { Err(errors::counter_without_name()) } else { Ok(()) }
}
