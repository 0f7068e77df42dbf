//! `WriteRelationships`.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_db::{Write, WriteError};
use pemba_model::Limits;
use pemba_proto::authzed::api::v1::{Relationship, WriteRelationshipsRequest, WriteRelationshipsResponse};
use prost::Message as _;
use tonic::Status;

use super::transaction_metadata;
use crate::access;
use crate::consistency::encode;
use crate::convert::{preconditions, relationship, update};
use crate::errors;
use crate::state::State;
use crate::validate::{self, Invalid, Path};

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Client,
    request: WriteRelationshipsRequest,
) -> Result<WriteRelationshipsResponse, Status> {
    validate::write(&request)?;
    let limits = &state.limits;
    let (count, max) = (request.updates.len(), limits.write_updates_max);
    if count > max {
        return Err(errors::write(&WriteError::TooManyUpdates { count, max }));
    }
    let (count, max) = (request.optional_preconditions.len(), limits.preconditions_max);
    if count > max {
        return Err(errors::write(&WriteError::TooManyPreconditions { count, max }));
    }
    let metadata = transaction_metadata(request.optional_transaction_metadata.as_ref(), limits)?;
    for update in &request.updates {
        caveat_size(update.relationship.as_ref(), limits)?;
    }
    let updates = request.updates.iter().enumerate();
    let updates = updates
        .map(|(index, wire)| update(Path::Root.item("updates", index), wire))
        .collect::<Result<Vec<_>, Invalid>>()?;
    let write = Write { updates, preconditions: preconditions(&request.optional_preconditions), metadata };
    access::write(client, &write)?;
    let committed = state.writer()?.write(write).await.map_err(|error| errors::write(&error))?;
    Ok(WriteRelationshipsResponse { written_at: Some(encode(committed.token)) })
}

/// The caveat context of a relationship against its size on the wire.
pub(super) fn caveat_size(wire: Option<&Relationship>, limits: &Limits) -> Result<(), Status> {
    let caveat = wire.and_then(|relationship| relationship.optional_caveat.as_ref());
    let Some(context) = caveat.and_then(|caveat| caveat.context.as_ref()) else { return Ok(()) };
    let (size, max) = (context.encoded_len(), limits.relationship_context_max_bytes);
    if size <= max {
        return Ok(());
    }
    let bare = wire.map(|wire| Relationship { optional_caveat: None, ..wire.clone() }).unwrap_or_default();
    let text =
        relationship(Path::Root, &bare).map(|relationship| relationship.to_string()).unwrap_or_default();
    Err(errors::relationship_context_too_large(text, size, max))
}
