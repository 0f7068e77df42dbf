//! `WatchBrokenGlass`: the reviews that are open, and then every time that the glass is broken or a review is closed.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_agents::records::BrokenGlass;
use pemba_db::{Database, View};
use pemba_model::Revision;
use pemba_proto::pemba::v1 as wire;
use tonic::{Code, Status};

use super::convert;
use super::moment::book_of;
use crate::consistency::encode;
use crate::errors;
use crate::state::State;
use crate::status::plain;
use crate::stream::{Outgoing, Outlet};

/// Records of one hand-over to the stream.
const CHUNK: usize = 256;

/// Opens the stream.
pub(super) fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
) -> Result<Outgoing<wire::WatchBrokenGlassResponse>, Status> {
    let database = state.database()?.clone();
    let (outlet, outgoing) = state.streams.open()?;
    tokio::spawn(follow(Arc::clone(state), Arc::clone(client), database, outlet));
    Ok(outgoing)
}

async fn follow(
    state: Arc<State>,
    client: Arc<Client>,
    database: Database,
    outlet: Outlet<wire::WatchBrokenGlassResponse>,
) {
    state.metrics.watches.inc();
    if let Err(status) = tell(&state, &client, &database, &outlet).await {
        outlet.fail(status);
    }
    state.metrics.watches.dec();
}

/// Sends until the client is gone, takes nothing or has other rights, or the server stops.
async fn tell(
    state: &State,
    client: &Client,
    database: &Database,
    outlet: &Outlet<wire::WatchBrokenGlassResponse>,
) -> Result<(), Status> {
    let mut stopping = state.stopping.clone();
    let mut replaced = state.authentication.replacements();
    replaced.mark_changed();
    let mut last = None;
    loop {
        let view = database.head_view();
        for chunk in changes(&view, last)?.chunks(CHUNK) {
            if outlet.send_or(chunk.to_vec(), Code::ResourceExhausted).await.is_err() {
                return Ok(());
            }
        }
        let revision = view.revision();
        drop(view);
        last = Some(revision);
        tokio::select! {
            changed = database.changed_since(revision) => if changed.is_none() {
                return Err(stopped());
            },
            () = outlet.closed() => return Ok(()),
            Ok(()) = replaced.changed() => if !state.authentication.still_knows(client) {
                return Err(errors::rights_changed(&client.name));
            },
            _ = stopping.wait_for(|stopping| *stopping) => return Err(stopped()),
        }
    }
}

fn stopped() -> Status {
    plain(Code::Unavailable, "the server is shutting down; watch again")
}

/// What is told at a revision: without one before it every open review, else what changed since.
fn changes(view: &View, last: Option<Revision>) -> Result<Vec<wire::WatchBrokenGlassResponse>, Status> {
    let book = book_of(view).ok_or_else(errors::no_book)?;
    let told = |broken: &BrokenGlass| wire::WatchBrokenGlassResponse {
        at: Some(encode(view.token())),
        initial: last.is_none(),
        broken: Some(convert::broken_glass_to_wire(broken, view.now())),
    };
    Ok(match last {
        None => book.unreviewed().map(told).collect(),
        Some(last) => book.glass_changes_after(last).map(told).collect(),
    })
}
