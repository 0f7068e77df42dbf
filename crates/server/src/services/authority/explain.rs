//! `Explain`.

use std::sync::Arc;
use std::time::Instant;

use pemba_agents::Refused;
use pemba_agents::authority::{self, Explanation, Ground, Part, Question, Step};
use pemba_agents::chain::Chain;
use pemba_agents::client::Client;
use pemba_engine::Graph;
use pemba_model::{ObjectRef, SmolStr, SubjectRef};
use pemba_proto::pemba::v1 as own;
use tonic::Status;

use super::check::Fields;
use super::explain_text::text;
use super::wire;
use crate::access;
use crate::chains::{Ask, Basis, Case};
use crate::consistency::{consistency, encode};
use crate::convert::{Tracing, object_to_wire, timestamp_to_wire};
use crate::errors;
use crate::services::check::permissionship;
use crate::state::State;
use crate::validate::{self, Path};

pub(super) async fn answer(
    state: &Arc<State>,
    client: &Arc<Client>,
    request: own::ExplainRequest,
) -> Result<own::ExplainResponse, Status> {
    validate::authority_reading(request.consistency.as_ref(), &request.contextual_relationships, None)?;
    let basis = Basis::at(state, client, consistency(request.consistency.as_ref())?).await?;
    let fields = Fields {
        chain: request.chain.as_ref(),
        resource: request.resource.as_ref(),
        permission: &request.permission,
        context: request.context.as_ref(),
    };
    let brought = wire::brought(&request.contextual_relationships)?;
    let case = Case { brought, ..fields.case(state, &basis, Path::Root)? };
    access::explain(client, (&case.resource.object_type, &case.permission))
        .map_err(|refused| errors::refused(&refused, Path::Root))?;
    state.queries.run(move || explained(&basis, &case)).await
}

struct Explain<'a> {
    question: Question<'a>,
    nodes_max: usize,
}

impl Ask for Explain<'_> {
    type Answer = Explanation;

    fn ask<G: Graph>(self, ground: &Ground<'_, G>, _: &Chain) -> Result<Explanation, Refused> {
        authority::explain(ground, &self.question, self.nodes_max)
    }
}

fn explained(basis: &Basis, case: &Case) -> Result<own::ExplainResponse, Status> {
    let mut tracing = Tracing::new(&basis.view, 1);
    let since = Instant::now();
    let explain = Explain { question: case.question(), nodes_max: tracing.nodes_max() };
    let explanation =
        basis.ask(&case.chain, &case.brought, explain).map_err(|refused| errors::agents(&refused))?;
    basis.used(&case.chain, explanation.decision.limit.as_ref());
    let root = SubjectRef { object: explanation.chain.root.clone(), relation: None };
    let root_trace = match &explanation.trace {
        Ok(trace) => tracing.shown(trace, &root, case.values.as_ref(), since.elapsed()).check,
        Err(_) => None,
    };
    let chain = &explanation.chain;
    Ok(own::ExplainResponse {
        explained_at: Some(encode(basis.view.token())),
        decision: Some(wire::decision(&explanation.decision, true)),
        principals: chain.principals().map(object_to_wire).collect(),
        steps: explanation.steps.iter().map(|one| step(chain, one)).collect(),
        root_trace,
        text: text(case, &explanation),
    })
}

fn step(chain: &Chain, step: &Step) -> own::ExplainStep {
    let (kind, place) = wire::part(step.part);
    let answer = step.answer.as_ref();
    // A step without an answer rests on a caveat that failed: it is open.
    let permissionship = permissionship(
        answer.map_or(pemba_engine::Permissionship::Conditional, |answer| answer.permissionship),
    );
    own::ExplainStep {
        kind: kind.to_owned(),
        place: u32::try_from(place).unwrap_or(u32::MAX),
        principal: principal(chain, step.part).map(object_to_wire),
        id: id(chain, step.part),
        permissionship: permissionship.into(),
        missing: answer
            .map_or_else(|_| Vec::new(), |answer| answer.missing.iter().map(SmolStr::to_string).collect()),
        detail: step.limit.as_ref().map(|limit| wire::limit(limit).detail).unwrap_or_default(),
        clause: step.clause.and_then(|clause| u32::try_from(clause).ok()),
        ends_at: step.ends_at.map(timestamp_to_wire),
        error: answer.err().map(ToString::to_string).unwrap_or_default(),
    }
}

/// Whom a step is about.
pub(super) fn principal(chain: &Chain, part: Part) -> Option<&ObjectRef> {
    match part {
        Part::Session | Part::SessionScope => Some(chain.actor()),
        Part::Connection | Part::Approval | Part::Uses => None,
        part => chain.principals().nth(wire::part(part).1),
    }
}

/// The delegation or session a step is about.
pub(super) fn id(chain: &Chain, part: Part) -> String {
    let session = chain.session.as_ref().map(|session| session.id.to_string());
    let hop = |place: usize| {
        place.checked_sub(1).and_then(|at| chain.hops.get(at)).map(|hop| hop.delegation.id.to_string())
    };
    let id = match part {
        Part::Session | Part::SessionScope => session,
        Part::Hop(place) | Part::Member(place) | Part::Scope(place) => hop(place),
        _ => None,
    };
    id.unwrap_or_default()
}
