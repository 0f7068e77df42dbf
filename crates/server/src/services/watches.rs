//! `WatchService`.

use std::sync::Arc;
use std::time::Duration;

use pemba_agents::client::Client;
use pemba_db::{Watch, WatchError, WatchEvent};
use pemba_model::Revision;
use pemba_proto::authzed::api::v1::watch_service_server::WatchService;
use pemba_proto::authzed::api::v1::{WatchKind, WatchRequest, WatchResponse, ZedToken};
use tonic::metadata::MetadataMap;
use tonic::{Code, Request, Response, Status};

use crate::access::{self, caller};
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
        let asked = Asked::read(request.metadata())?;
        let (client, request) = caller(request)?;
        validate::watch(&request)?;
        let database = self.state.database()?;
        let after = match &request.optional_start_cursor {
            None if asked.from_beginning => Some(Revision::ZERO),
            None => None,
            Some(_) if asked.from_beginning => {
                let message = format!(
                    "invalid `optional_start_cursor`: the metadata `{WATCH_FROM}` is given too; only one of them is \
                     allowed"
                );
                return Err(plain(Code::InvalidArgument, message));
            }
            Some(token) => Some(own_revision(database.database_id(), token)?),
        };
        let wants = |kind: WatchKind| request.optional_update_kinds.contains(&i32::from(kind));
        let wanted = pemba_db::WatchRequest {
            after,
            object_types: request.optional_object_types.iter().map(|name| name.as_str().into()).collect(),
            filters: request.optional_relationship_filters.iter().map(filter).collect(),
            schema: wants(WatchKind::IncludeSchemaUpdates),
            checkpoints: wants(WatchKind::IncludeCheckpoints),
            expirations: asked.expirations,
        };
        access::watch(&client, &wanted)?;
        let begin = {
            let database = database.clone();
            move || database.watch(wanted).map_err(|error| errors::watch(&error))
        };
        // Looking for what will expire may take long.
        let watch = if asked.expirations { self.state.queries.run(begin).await? } else { begin()? };
        let (outlet, outgoing) = self.state.streams.open()?;
        // Before the caller hears that it watches.
        self.state.metrics.watches.inc();
        tokio::spawn(follow(Arc::clone(&self.state), client, watch, outlet));
        Ok(Response::new(outgoing))
    }
}

/// Where to begin when no token is at hand: `beginning` replays every change, as far as the history reaches.
const WATCH_FROM: &str = "pemba-watch-from";
/// Whether relationships that expire are told: `true` or `false`.
const WATCH_EXPIRATIONS: &str = "pemba-watch-expirations";

/// What a caller asks for by metadata, for which the request has no field.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    from_beginning: bool,
    expirations: bool,
}

impl Asked {
    fn read(metadata: &MetadataMap) -> Result<Asked, Status> {
        let value = |name: &str| metadata.get(name).map(|value| value.to_str().unwrap_or("?").to_owned());
        let wrong = |name: &str, value: &str, allowed: &str| {
            plain(Code::InvalidArgument, format!("invalid metadata `{name}`: `{value}` is not {allowed}"))
        };
        let from_beginning = match value(WATCH_FROM).as_deref() {
            None => false,
            Some("beginning") => true,
            Some(other) => return Err(wrong(WATCH_FROM, other, "`beginning`")),
        };
        let expirations = match value(WATCH_EXPIRATIONS).as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => return Err(wrong(WATCH_EXPIRATIONS, other, "`true` or `false`")),
        };
        Ok(Asked { from_beginning, expirations })
    }
}

fn own_revision(database_id: u64, token: &ZedToken) -> Result<Revision, Status> {
    let token = decode(token)?;
    if token.database_id != database_id {
        let message = "invalid `optional_start_cursor`: the token belongs to another database";
        return Err(plain(Code::InvalidArgument, message));
    }
    Ok(token.revision)
}

/// Longest sleep towards an expiration: the clock by which things expire may be set.
const EXPIRATION_WAIT_MAX: Duration = Duration::from_secs(10);

/// Sends events until the client is gone, falls behind, has other rights or the server stops.
async fn follow(state: Arc<State>, client: Arc<Client>, mut watch: Watch, outlet: Outlet<WatchResponse>) {
    let mut stopping = state.stopping.clone();
    let mut replaced = state.authentication.replacements();
    // The clients may have been replaced since this one was let in.
    replaced.mark_changed();
    loop {
        let until_expiration = watch.until_expiration();
        let event = tokio::select! {
            event = watch.next() => event,
            () = outlet.closed() => break,
            () = sleep(until_expiration) => continue,
            Ok(()) = replaced.changed() => {
                if state.authentication.still_knows(&client) {
                    continue;
                }
                outlet.fail(errors::rights_changed(&client.name));
                break;
            }
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

/// Ready once something may have expired that the watch tells of.
async fn sleep(until_expiration: Option<Duration>) {
    match until_expiration {
        Some(wait) => tokio::time::sleep(wait.min(EXPIRATION_WAIT_MAX)).await,
        None => std::future::pending().await,
    }
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
