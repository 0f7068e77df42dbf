//! `CheckAndConsume`.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_agents::command::{Consume, consume};
use pemba_db::Consistency;
use pemba_model::Revision;
use pemba_proto::pemba::v1 as own;
use tonic::Status;

use super::check::{Fields, is_explained};
use super::wire;
use crate::chains::{Basis, submit};
use crate::consistency::encode;
use crate::convert::timestamp_to_wire;
use crate::state::State;
use crate::validate::Path;

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    request: own::CheckAndConsumeRequest,
) -> Result<own::CheckAndConsumeResponse, Status> {
    let database = state.writer()?;
    let basis = Basis::at(state, client, Consistency::FullyConsistent).await?;
    let fields = Fields {
        chain: request.chain.as_ref(),
        resource: request.resource.as_ref(),
        permission: &request.permission,
        context: request.context.as_ref(),
    };
    // Who is in the chain never changes, so that whoever may speak for it now may when it is decided.
    let case = fields.case(state, &basis, Path::Root)?;
    let presenter = basis.presenter(case.chain.session.as_ref().map(|session| session.id));
    let new = Consume {
        claim: case.claim.clone(),
        permission: case.permission.as_str().into(),
        resource: case.resource.clone(),
        values: case.values.clone(),
        idempotency_key: request.idempotency_key.into(),
    };
    let decided = submit(database, basis.limits(), move |moment| consume(moment, &presenter, &new));
    let (committed, outcomes) = decided.await?;
    basis.used(&case.chain, outcomes.decision.limit.as_ref());
    let consumption = outcomes.consumption.as_ref();
    let decided_at = match consumption {
        Some(consumption) => database.token(Revision(consumption.revision)),
        None => committed.token,
    };
    let at = consumption.map_or_else(|| database.head_view().now(), |consumption| consumption.at);
    Ok(own::CheckAndConsumeResponse {
        decision: Some(wire::decision(&outcomes.decision, is_explained(client, &case))),
        decided_at: Some(encode(decided_at)),
        repeated_answer: outcomes.is_repeated,
        approval_uses_left: consumption.and_then(|consumption| consumption.consumed.approval_uses_left),
        at: Some(timestamp_to_wire(at)),
    })
}
