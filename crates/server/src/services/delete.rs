//! `DeleteRelationships`.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_db::{Delete, DeleteError};
use pemba_proto::authzed::api::v1::delete_relationships_response::DeletionProgress;
use pemba_proto::authzed::api::v1::{DeleteRelationshipsRequest, DeleteRelationshipsResponse};
use tonic::Status;

use super::{optional_limit, transaction_metadata};
use crate::access;
use crate::consistency::encode;
use crate::convert::{filter, preconditions};
use crate::errors;
use crate::state::State;
use crate::validate;

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Client,
    request: DeleteRelationshipsRequest,
) -> Result<DeleteRelationshipsResponse, Status> {
    validate::delete(&request)?;
    let limits = &state.limits;
    let (count, max) = (request.optional_preconditions.len(), limits.preconditions_max);
    if count > max {
        return Err(errors::delete(&DeleteError::TooManyPreconditions { count, max }));
    }
    let limit = optional_limit(request.optional_limit, limits.delete_limit_max)?;
    let delete = Delete {
        filter: request.relationship_filter.as_ref().map(filter).unwrap_or_default(),
        preconditions: preconditions(&request.optional_preconditions),
        limit,
        allow_partial: request.optional_allow_partial_deletions,
        metadata: transaction_metadata(request.optional_transaction_metadata.as_ref(), limits)?,
    };
    access::delete(client, &delete)?;
    let deleted = state.writer()?.delete(delete).await.map_err(|error| errors::delete(&error))?;
    // Reaching the limit counts as partial even when nothing is left: clients loop until they are told COMPLETE.
    let reached = limit.is_some_and(|limit| deleted.count >= u64::from(limit));
    let progress = if reached { DeletionProgress::Partial } else { DeletionProgress::Complete };
    Ok(DeleteRelationshipsResponse {
        deleted_at: Some(encode(deleted.token)),
        deletion_progress: progress.into(),
        relationships_deleted_count: deleted.count,
    })
}
