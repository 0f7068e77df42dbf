//! `ImportBulkRelationships`: one stream, one transaction.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use pemba_agents::client::Client;
use pemba_model::Relationship;
use pemba_proto::authzed::api::v1::{
    BulkImportRelationshipsRequest, ImportBulkRelationshipsRequest, ImportBulkRelationshipsResponse,
    Relationship as WireRelationship,
};
use tonic::{Code, Response, Status, Streaming};

use super::write::caveat_size;
use crate::access;
use crate::convert::relationship;
use crate::errors;
use crate::front::LastWords;
use crate::state::State;
use crate::status::plain;
use crate::validate::{self, Invalid, Path};

/// The trailer with the token of the import, which its answer has no field for.
const WRITTEN_AT: &str = "pemba-written-at";

/// A message of an import stream, under its new or its old name.
pub(super) trait Part {
    /// What is to be created.
    fn relationships(&self) -> &[WireRelationship];
}

impl Part for ImportBulkRelationshipsRequest {
    fn relationships(&self) -> &[WireRelationship] {
        &self.relationships
    }
}

impl Part for BulkImportRelationshipsRequest {
    fn relationships(&self) -> &[WireRelationship] {
        &self.relationships
    }
}

pub(super) async fn answer<M: Part>(
    state: &Arc<State>,
    client: &Client,
    mut stream: Streaming<M>,
) -> Result<Response<ImportBulkRelationshipsResponse>, Status> {
    access::import(client)?;
    let mut import = state.writer()?.import();
    while let Some(message) = next(state, &mut stream).await? {
        let relationships = read(state, message.relationships())?;
        access::import_part(client, &relationships)?;
        import.push(relationships).map_err(|error| errors::import(&error))?;
    }
    let imported = import.finish().await.map_err(|error| errors::import(&error))?;
    let mut response = Response::new(ImportBulkRelationshipsResponse { num_loaded: imported.count });
    if let Ok(token) = HeaderValue::try_from(imported.token.to_string()) {
        response.extensions_mut().insert(LastWords(vec![(HeaderName::from_static(WRITTEN_AT), token)]));
    }
    Ok(response)
}

/// The next message; a client that sends none for too long would hold what it has sent for ever.
async fn next<M>(state: &State, stream: &mut Streaming<M>) -> Result<Option<M>, Status> {
    let stall_max = state.streams.stall_max();
    match tokio::time::timeout(stall_max, stream.message()).await {
        Ok(message) => message,
        Err(_) => {
            let message =
                format!("the client sent no message for {} ms; nothing was imported", stall_max.as_millis());
            Err(plain(Code::DeadlineExceeded, message))
        }
    }
}

fn read(state: &State, relationships: &[WireRelationship]) -> Result<Vec<Relationship>, Status> {
    validate::import(relationships)?;
    for relationship in relationships {
        caveat_size(Some(relationship), &state.limits)?;
    }
    let read = relationships
        .iter()
        .enumerate()
        .map(|(index, wire)| relationship(Path::Root.item("relationships", index), wire))
        .collect::<Result<Vec<_>, Invalid>>()?;
    Ok(read)
}
