//! `CheckAs`, and what it shares with the other calls about one object.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_proto::authzed::api::v1::ObjectReference;
use pemba_proto::pemba::v1 as own;
use prost_types::Struct;
use tonic::Status;

use super::super::request_context;
use super::wire;
use crate::access;
use crate::chains::{Basis, Case};
use crate::consistency::{consistency, encode};
use crate::convert::object;
use crate::errors;
use crate::pemba::convert::claim;
use crate::state::State;
use crate::validate::{self, Path};

/// The fields of a question about one object.
pub(super) struct Fields<'a> {
    pub(super) chain: Option<&'a own::Chain>,
    pub(super) resource: Option<&'a ObjectReference>,
    pub(super) permission: &'a str,
    pub(super) context: Option<&'a Struct>,
}

impl Fields<'_> {
    /// The question at `at` of a request, without what the request brings along, for a client that may ask it.
    pub(super) fn case(&self, state: &State, basis: &Basis, at: Path<'_>) -> Result<Case, Status> {
        let claim = claim(at.field("chain"), self.chain).map_err(|refused| errors::agents(&refused))?;
        validate::authority_question(at, self.resource, self.permission)?;
        let values = request_context(at.field("context"), self.context, &state.limits)?;
        let chain = basis.chain(&claim, at.field("chain"))?;
        let resource = object(self.resource);
        access::check_as(&basis.client, at, (&resource.object_type, self.permission), &chain)?;
        let permission = self.permission.to_owned();
        Ok(Case { claim, chain, resource, permission, values, brought: Vec::new() })
    }
}

/// Whether the client may know why.
pub(super) fn is_explained(client: &Client, case: &Case) -> bool {
    access::explain(client, (&case.resource.object_type, &case.permission)).is_ok()
}

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    request: own::CheckAsRequest,
) -> Result<own::CheckAsResponse, Status> {
    validate::authority_reading(request.consistency.as_ref(), &request.contextual_relationships, None)?;
    let basis = Basis::at(state, client, consistency(request.consistency.as_ref())?).await?;
    let fields = Fields {
        chain: request.chain.as_ref(),
        resource: request.resource.as_ref(),
        permission: &request.permission,
        context: request.context.as_ref(),
    };
    let brought = wire::brought(&request.contextual_relationships)?;
    let case = Arc::new(Case { brought, ..fields.case(state, &basis, Path::Root)? });
    let decision = case.decide_soon(state, &basis).await?;
    Ok(own::CheckAsResponse {
        checked_at: Some(encode(basis.view.token())),
        decision: Some(wire::decision(&decision, is_explained(client, &case))),
    })
}
