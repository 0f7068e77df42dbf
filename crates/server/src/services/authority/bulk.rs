//! `CheckBulkAs`.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_model::Relationship;
use pemba_model::limits::BULK_CHECK_ITEMS_MAX;
use pemba_proto::pemba::v1 as own;
use pemba_proto::pemba::v1::check_bulk_as_pair::Response;
use tonic::Status;

use super::check::{Fields, is_explained};
use super::wire;
use crate::chains::Basis;
use crate::consistency::{consistency, encode};
use crate::errors;
use crate::state::State;
use crate::status::to_wire;
use crate::validate::{self, Path};

/// Items that are answered on the thread of the connection; more would delay other calls on it.
const INLINE_ITEMS_MAX: usize = 32;

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    request: own::CheckBulkAsRequest,
) -> Result<own::CheckBulkAsResponse, Status> {
    validate::authority_reading(request.consistency.as_ref(), &request.contextual_relationships, None)?;
    if request.items.len() > BULK_CHECK_ITEMS_MAX {
        return Err(errors::too_many_checks(request.items.len()));
    }
    let basis = Basis::at(state, client, consistency(request.consistency.as_ref())?).await?;
    let brought = wire::brought(&request.contextual_relationships)?;
    let is_short = request.items.len() <= INLINE_ITEMS_MAX;
    let state_of_work = Arc::clone(state);
    let work = move || Ok(checked(&state_of_work, &basis, &request.items, &brought));
    if is_short { work() } else { state.queries.run(work).await }
}

fn checked(
    state: &State,
    basis: &Basis,
    items: &[own::CheckBulkAsItem],
    brought: &[Relationship],
) -> own::CheckBulkAsResponse {
    let items = items.iter().enumerate();
    let pairs = items.map(|(index, item)| {
        let response = match decided(state, basis, item, index, brought) {
            Ok(decision) => Response::Decision(decision),
            Err(status) => Response::Error(to_wire(&status)),
        };
        own::CheckBulkAsPair { response: Some(response) }
    });
    own::CheckBulkAsResponse { checked_at: Some(encode(basis.view.token())), pairs: pairs.collect() }
}

/// Each item has its own chain, so each has its own refusal.
fn decided(
    state: &State,
    basis: &Basis,
    item: &own::CheckBulkAsItem,
    index: usize,
    brought: &[Relationship],
) -> Result<own::Decision, Status> {
    let fields = Fields {
        chain: item.chain.as_ref(),
        resource: item.resource.as_ref(),
        permission: &item.permission,
        context: item.context.as_ref(),
    };
    let mut case = fields.case(state, basis, Path::Root.item("items", index))?;
    case.brought = brought.to_vec();
    let decision = case.decide(basis).map_err(|refused| errors::agents(&refused))?;
    Ok(wire::decision(&decision, is_explained(&basis.client, &case)))
}
