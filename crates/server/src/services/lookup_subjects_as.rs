//! `LookupSubjects` with a chain presented: whoever of it a check would find to have the permission by it, that is its
//! root and who acts.

use std::sync::Arc;

use pemba_agents::client::Client;
use pemba_engine::{Ordinal, Permissionship};
use pemba_model::ObjectRef;
use pemba_proto::authzed::api::v1::{
    self as wire, LookupSubjectsRequest, LookupSubjectsResponse, ResolvedSubject,
};
use prost::Message as _;
use tonic::Status;

use super::check::granted;
use super::lookup_subjects::{lookup_permissionship, told};
use super::read::position;
use super::{optional_limit, request_context};
use crate::chains::{Basis, Case, Presented, Told};
use crate::consistency::encode;
use crate::convert::partial_caveat_info;
use crate::cursor::{AfterSubject, Call, Scope};
use crate::state::State;
use crate::stream::{Gathered, Outgoing, Page};
use crate::validate::{Invalid, Path};

pub(super) async fn answer<G: Gathered<LookupSubjectsResponse> + 'static>(
    state: &Arc<State>,
    client: &Arc<Client>,
    mut request: LookupSubjectsRequest,
    resource: ObjectRef,
    presented: Presented,
) -> Result<(Outgoing<G::Part>, Told), Status> {
    if !request.optional_subject_relation.is_empty() {
        let message = "with a chain presented its principals are looked up, which take no relation";
        return Err(Invalid::at(Path::Root.field("optional_subject_relation"), message).into());
    }
    let limit = optional_limit(request.optional_concrete_limit, state.limits.lookup_limit_max)?;
    let values = request_context(Path::Root.field("context"), request.context.as_ref(), &state.limits)?;
    let (requested, cursor) = (request.consistency.take(), request.optional_cursor.take());
    request.optional_concrete_limit = 0;
    let mut arguments = request.encode_to_vec();
    arguments.extend(presented.to_bytes());
    let database = state.database()?;
    let scope = Scope::new(Call::LookupSubjects, database.database_id(), &arguments);
    let (consistency, after) = position::<AfterSubject>(database, &scope, requested, cursor)?;
    let basis = Basis::at(state, client, consistency).await?;
    let claim = presented.whole_claim();
    let chain = basis.chain(&claim, Path::Root.field("subject"))?;
    let permission = request.permission;
    let case = Arc::new(Case { claim, chain, resource, permission, values, brought: Vec::new() });
    let decision = case.decide_soon(state, &basis).await?;
    let beside = Told::applied(&case.chain).with(decision.outcome);
    let permissionship = granted(decision.outcome);
    let looked_up_at = encode(basis.view.token());
    let mut ends: Vec<&ObjectRef> = vec![&case.chain.root, case.chain.actor()];
    ends.dedup();
    ends.retain(|end| permissionship != Permissionship::No && end.object_type == request.subject_object_type);
    // The place in the chain is the place among the results.
    let numbered = (0..).map(|place| AfterSubject::Named(Ordinal(place))).zip(ends);
    let mut cursors = scope.at(basis.view.revision());
    let mut gathered = G::default();
    let found = numbered
        .filter(|(place, _)| after.is_none_or(|after| is_after(*place, after)))
        .take(limit.map_or(usize::MAX, |limit| limit as usize));
    for (position, end) in found {
        let subject = ResolvedSubject {
            subject_object_id: end.object_id.to_string(),
            permissionship: lookup_permissionship(permissionship).into(),
            partial_caveat_info: partial_caveat_info(&decision.missing),
        };
        gathered.push(LookupSubjectsResponse {
            after_result_cursor: Some(wire::Cursor { token: cursors.text(position).to_owned() }),
            ..told(&looked_up_at, subject, Vec::new())
        });
    }
    let whole = |messages| Ok(Page { messages, rest: None });
    Ok((state.streams.paged(&state.queries, gathered.parts(), whole).await?, beside))
}

fn is_after(place: AfterSubject, after: AfterSubject) -> bool {
    match (place, after) {
        (AfterSubject::Named(place), AfterSubject::Named(after)) => place > after,
        _ => true,
    }
}
