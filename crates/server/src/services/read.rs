//! `ReadRelationships`.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_db::{Consistency, Database, View};
use pemba_engine::EdgeKey;
use pemba_model::RelationshipFilter;
use pemba_proto::authzed::api::v1::{
    self as wire, ReadRelationshipsRequest, ReadRelationshipsResponse, ZedToken,
};
use prost::Message as _;
use tonic::Status;

use super::{optional_limit, read_page};
use crate::access;
use crate::consistency::{consistency, encode};
use crate::convert::{filter, relationship_to_wire};
use crate::cursor::{Call, Cursor, Scope};
use crate::errors;
use crate::state::State;
use crate::stream::{Gathered, Outgoing, Page};
use crate::validate;

/// Where a read stands.
enum Reading {
    /// Nothing is read yet.
    Start(Box<Start>),
    /// In the middle.
    Middle(Box<Middle>),
}

struct Start {
    database: Database,
    consistency: Consistency,
    filter: RelationshipFilter,
    scope: Scope,
    after: Option<EdgeKey>,
    left: Option<u32>,
    steps_max: u64,
}

struct Middle {
    view: View,
    read_at: ZedToken,
    filter: RelationshipFilter,
    scope: Scope,
    after: Option<EdgeKey>,
    left: Option<u32>,
    steps_max: u64,
}

pub(super) async fn answer<G: Gathered<ReadRelationshipsResponse> + 'static>(
    state: &Arc<State>,
    client: &Client,
    request: ReadRelationshipsRequest,
) -> Result<Outgoing<G::Part>, Status> {
    validate::read(&request)?;
    let left = optional_limit(request.optional_limit, state.limits.read_limit_max)?;
    let database = state.database()?.clone();
    let wanted = request.relationship_filter.unwrap_or_default();
    let read = filter(&wanted);
    access::read(client, &read)?;
    let scope = Scope::new(Call::Read, database.database_id(), &wanted.encode_to_vec());
    let (consistency, after) = position(&database, &scope, request.consistency, request.optional_cursor)?;
    let steps_max = state.limits.query_steps_max;
    let start = Start { database, consistency, filter: read, scope, after, left, steps_max };
    state.streams.paged(&state.queries, Reading::Start(Box::new(start)), next::<G>).await
}

/// Where a paged call begins: a cursor overrides the consistency, since it pins its own revision.
pub(super) fn position<P: crate::cursor::Position>(
    database: &Database,
    scope: &Scope,
    requested: Option<wire::Consistency>,
    cursor: Option<wire::Cursor>,
) -> Result<(Consistency, Option<P>), Status> {
    let requested = consistency(requested.as_ref())?;
    let Some(cursor) = cursor else { return Ok((requested, None)) };
    let cursor: Cursor<P> = scope.decode(&cursor.token).map_err(|error| errors::cursor(&error))?;
    Ok((Consistency::AtExactSnapshot(database.token(cursor.revision)), Some(cursor.position)))
}

fn next<G: Gathered<ReadRelationshipsResponse>>(reading: Reading) -> Result<Page<Reading, G::Part>, Status> {
    let mut middle = match reading {
        Reading::Middle(middle) => middle,
        Reading::Start(start) => {
            let view = start.database.view(&start.consistency).map_err(|error| errors::view(&error))?;
            view.validate_filter(&start.filter).map_err(|error| errors::filter(&error))?;
            let Start { filter, scope, after, left, steps_max, .. } = *start;
            let read_at = encode(view.token());
            Box::new(Middle { read_at, view, filter, scope, after, left, steps_max })
        }
    };
    let wanted = middle.left.map_or(G::MESSAGES_MAX, |left| G::MESSAGES_MAX.min(left as usize));
    let mut cursors = middle.scope.at(middle.view.revision());
    let mut gathered = G::default();
    let page = read_page(&middle.view, &middle.filter, middle.after, wanted, middle.steps_max, |_| true)?;
    let made = page.len();
    for (key, relationship) in page {
        middle.after = Some(key);
        gathered.push(ReadRelationshipsResponse {
            read_at: Some(middle.read_at.clone()),
            relationship: Some(relationship_to_wire(&relationship)),
            after_result_cursor: Some(wire::Cursor { token: cursors.text(key).to_owned() }),
        });
    }
    let told = u32::try_from(made).unwrap_or(u32::MAX);
    middle.left = middle.left.map(|left| left.saturating_sub(told));
    let is_over = made < wanted || middle.left == Some(0);
    Ok(Page { messages: gathered.parts(), rest: (!is_over).then_some(Reading::Middle(middle)) })
}
