//! `WatchService`.

use std::sync::Arc;

use pemba_db::{Watch, WatchError, WatchEvent};
use pemba_proto::authzed::api::v1::watch_service_server::WatchService;
use pemba_proto::authzed::api::v1::{WatchKind, WatchRequest, WatchResponse, ZedToken};
use tonic::{Code, Request, Response, Status};

use crate::consistency::{decode, encode};
use crate::convert::{context, filter, updated_to_wire};
use crate::errors;
use crate::state::State;
use crate::status::plain;
use crate::stream::{Outgoing, Outlet};
use crate::validate;

/// The service.
pub(crate) struct Watches {
    state: Arc<State>,
}

impl Watches {
    pub(crate) fn new(state: Arc<State>) -> Watches {
        Watches { state }
    }
}

#[tonic::async_trait]
impl WatchService for Watches {
    type WatchStream = Outgoing<WatchResponse>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let request = request.into_inner();
        validate::watch(&request)?;
        let database = self.state.database()?;
        let after = match &request.optional_start_cursor {
            None => None,
            Some(token) => Some(own_revision(database.database_id(), token)?),
        };
        let wants = |kind: WatchKind| request.optional_update_kinds.contains(&i32::from(kind));
        let watch = database
            .watch(pemba_db::WatchRequest {
                after,
                object_types: request.optional_object_types.iter().map(|name| name.as_str().into()).collect(),
                filters: request.optional_relationship_filters.iter().map(filter).collect(),
                schema: wants(WatchKind::IncludeSchemaUpdates),
                checkpoints: wants(WatchKind::IncludeCheckpoints),
            })
            .map_err(|error| errors::watch(&error))?;
        let (outlet, outgoing) = self.state.streams.open()?;
        tokio::spawn(follow(Arc::clone(&self.state), watch, outlet));
        Ok(Response::new(outgoing))
    }
}

fn own_revision(database_id: u64, token: &ZedToken) -> Result<pemba_model::Revision, Status> {
    let token = decode(token)?;
    if token.database_id != database_id {
        let message = "invalid `optional_start_cursor`: the token belongs to another database";
        return Err(plain(Code::InvalidArgument, message));
    }
    Ok(token.revision)
}

/// Sends events until the client is gone, falls behind or the server stops.
async fn follow(state: Arc<State>, mut watch: Watch, outlet: Outlet<WatchResponse>) {
    state.metrics.watches.inc();
    let mut stopping = state.stopping.clone();
    loop {
        let event = tokio::select! {
            event = watch.next() => event,
            () = outlet.closed() => break,
            _ = stopping.wait_for(|stopping| *stopping) => Err(WatchError::Stopped),
        };
        let messages = match event {
            Ok(event) => messages(&event),
            Err(WatchError::Stopped) => {
                let message = "the server is shutting down; watch again from the last `changes_through`";
                outlet.fail(plain(Code::Unavailable, message));
                break;
            }
            Err(error) => {
                outlet.fail(errors::watch(&error));
                break;
            }
        };
        if outlet.send_or(messages, Code::ResourceExhausted).await.is_err() {
            break;
        }
    }
    state.metrics.watches.dec();
}

/// Changes, a schema change and a checkpoint each come in a message of their own.
fn messages(event: &WatchEvent) -> Vec<WatchResponse> {
    let bare = || WatchResponse { changes_through: Some(encode(event.token)), ..WatchResponse::default() };
    let mut messages = Vec::new();
    if !event.updates.is_empty() {
        let metadata = event.metadata.as_ref().map(context::to_wire);
        messages.push(WatchResponse {
            updates: event.updates.iter().map(updated_to_wire).collect(),
            full_revision_metadata: metadata.iter().cloned().collect(),
            optional_transaction_metadata: metadata,
            ..bare()
        });
    }
    if event.schema_changed {
        messages.push(WatchResponse { schema_updated: true, ..bare() });
    }
    if event.checkpoint {
        messages.push(WatchResponse { is_checkpoint: true, ..bare() });
    }
    messages
}
