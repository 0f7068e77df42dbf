//! `LookupResourcesAs`: ids in the order of their ordinals, each once.

use std::sync::Arc;

use pemba_agents::authority::Outcome;
use pemba_agents::client::Client;
use pemba_db::{Consistency, Database};
use pemba_engine::Ordinal;
use pemba_proto::authzed::api::v1::Cursor as WireCursor;
use pemba_proto::pemba::v1 as own;
use prost::Message as _;
use tonic::Status;

use super::super::read::position;
use super::super::{PAGE_MESSAGES, optional_limit, request_context};
use super::wire;
use crate::access;
use crate::chains::{Basis, Lookup, Reached, ReachedResource, newer_ledger};
use crate::consistency::encode;
use crate::convert::partial_caveat_info;
use crate::cursor::{Call, Cursor, Scope};
use crate::errors;
use crate::state::State;
use crate::stream::{Outgoing, Page};
use crate::validate::{self, Path};

/// A lookup in progress.
struct Going {
    database: Database,
    scope: Scope,
    after: Option<Ordinal>,
    left: Option<u32>,
    stage: Stage,
}

enum Stage {
    Start(Box<Start>),
    Found(Box<Reached>),
}

struct Start {
    state: Arc<State>,
    client: Arc<Client>,
    consistency: Consistency,
    lookup: Lookup,
}

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    mut request: own::LookupResourcesAsRequest,
) -> Result<Outgoing<own::LookupResourcesAsResponse>, Status> {
    validate::lookup_resources_as(&request)?;
    let left = optional_limit(request.optional_limit, state.limits.lookup_limit_max)?;
    let values = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let claim = wire::claim(Path::Root.field("chain"), request.chain.as_ref())?;
    let brought = wire::brought(&request.contextual_relationships)?;
    let database = state.database()?.clone();
    let (requested, cursor) = (request.consistency.take(), request.optional_cursor.take());
    request.optional_limit = 0;
    let scope = Scope::new(Call::LookupResourcesAs, database.database_id(), &request.encode_to_vec());
    let (consistency, after) = position(&database, &scope, requested, cursor)?;
    let lookup = Lookup {
        claim,
        resource_type: request.resource_type.into(),
        permission: request.permission,
        values,
        brought,
    };
    let (state_of_start, client) = (Arc::clone(state), Arc::clone(client));
    let start = Start { state: state_of_start, client, consistency, lookup };
    let going = Going { database, scope, after, left, stage: Stage::Start(Box::new(start)) };
    state.streams.paged(&state.queries, going, next).await
}

fn find(database: &Database, start: Start) -> Result<Reached, Status> {
    let Start { state, client, consistency, lookup } = start;
    let view = database.view(&consistency).map_err(|error| errors::view(&error))?;
    let ledger = newer_ledger(&state, &consistency)?.unwrap_or_else(|| Arc::clone(view.ledger()));
    let basis = Basis::new(&state, &client, view, ledger);
    let chain = basis.chain(&lookup.claim, Path::Root.field("chain"))?;
    access::lookup_as(&client, &lookup.resource_type, &lookup.permission, &chain)?;
    Reached::find(basis, chain, lookup)
}

fn next(going: Going) -> Result<Page<Going, own::LookupResourcesAsResponse>, Status> {
    let Going { database, scope, mut after, left, stage } = going;
    let mut reached = match stage {
        Stage::Start(start) => Box::new(find(&database, *start)?),
        Stage::Found(reached) => reached,
    };
    reached.still_holds(&database)?;
    let wanted = left.map_or(PAGE_MESSAGES, |left| PAGE_MESSAGES.min(left as usize));
    let view = &reached.basis().view;
    let (revision, looked_up_at) = (view.revision(), encode(view.token()));
    let page = reached.page(after, wanted)?;
    let messages: Vec<_> = page
        .into_iter()
        .map(|ReachedResource { ordinal, id, missing }| {
            after = Some(ordinal);
            let outcome = if missing.is_some() { Outcome::Conditional } else { Outcome::Allow };
            let cursor = scope.encode(Cursor { revision, position: ordinal });
            own::LookupResourcesAsResponse {
                looked_up_at: Some(looked_up_at.clone()),
                resource_id: id,
                outcome: wire::outcome(outcome).into(),
                partial_caveat_info: missing.and_then(|missing| partial_caveat_info(&missing)),
                after_result_cursor: Some(WireCursor { token: cursor }),
            }
        })
        .collect();
    let told = u32::try_from(messages.len()).unwrap_or(u32::MAX);
    let left = left.map(|left| left.saturating_sub(told));
    let is_over = messages.len() < wanted || left == Some(0);
    let stage = Stage::Found(reached);
    let rest = (!is_over).then_some(Going { database, scope, after, left, stage });
    Ok(Page { messages, rest })
}
