//! Agents registered, changed, stopped and started.

use pemba_agents::Moment;
use pemba_agents::client::Verb;
use pemba_agents::command::{self, Transition};
use pemba_agents::records::Agent;
use pemba_proto::pemba::v1 as wire;
use tonic::Status;

use crate::access;
use crate::consistency::encode;
use crate::errors;
use crate::pemba::Fields;
use crate::pemba::caller::Caller;
use crate::pemba::convert;
use crate::pemba::moment::{Newest, run};
use crate::state::State;
use crate::validate::Path;

/// Everything but these stands in the specification.
const SPEC: Fields =
    Fields { under: "spec", beside: &["reason", "version"], renamed: &[("bindings", "external_names")] };

pub(super) async fn register(
    state: &State,
    caller: &Caller,
    request: wire::RegisterAgentRequest,
) -> Result<wire::AgentResponse, Status> {
    access::change_records(&caller.client, Verb::Agents)?;
    let new = convert::registration(Path::Root.field("spec"), request.spec, !request.proposed)
        .map_err(|refused| errors::agents(&refused))?;
    let by = caller.by(request.reason);
    let (token, agent) = run(state, SPEC, move |moment| command::register(moment, &by, new)).await?;
    answer(state, token, &agent)
}

pub(super) async fn update(
    state: &State,
    caller: &Caller,
    request: wire::UpdateAgentRequest,
) -> Result<wire::AgentResponse, Status> {
    access::change_records(&caller.client, Verb::Agents)?;
    let new = convert::registration(Path::Root.field("spec"), request.spec, true)
        .map_err(|refused| errors::agents(&refused))?;
    let (by, version) = (caller.by(request.reason), request.version);
    let (token, agent) = run(state, SPEC, move |moment| command::update(moment, &by, new, version)).await?;
    answer(state, token, &agent)
}

pub(super) async fn attest(
    state: &State,
    caller: &Caller,
    request: wire::AttestAgentRequest,
) -> Result<wire::AgentResponse, Status> {
    access::change_records(&caller.client, Verb::Agents)?;
    let principal = convert::object(Path::Root.field("principal"), request.principal.as_ref())
        .map_err(|refused| errors::agents(&refused))?;
    let by = caller.by(request.reason);
    let attest = move |moment: &Moment<'_>| command::attest(moment, &by, &principal);
    let (token, agent) = run(state, Fields::default(), attest).await?;
    answer(state, token, &agent)
}

pub(super) async fn transition(
    state: &State,
    caller: &Caller,
    request: wire::TransitionRequest,
    transition: Transition,
) -> Result<wire::TransitionResponse, Status> {
    access::change_records(&caller.client, Verb::Agents)?;
    let principals = convert::objects(Path::Root, "principals", &request.principals)
        .map_err(|refused| errors::agents(&refused))?;
    let version = (request.version > 0).then_some(request.version);
    if version.is_some() && principals.len() > 1 {
        let message = "a version is for one agent; several are named";
        let refused = convert::invalid(Path::Root.field("version"), message);
        return Err(errors::agents(&refused));
    }
    let by = caller.by(request.reason);
    // The command looks for each of them alone.
    let fields = Fields { renamed: &[("principal", "principals")], ..Fields::default() };
    let change =
        move |moment: &Moment<'_>| command::transition(moment, &by, &principals, transition, version);
    let (token, agents) = run(state, fields, change).await?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    Ok(wire::TransitionResponse {
        agents: agents.iter().map(|agent| convert::agent_to_wire(&moment, agent)).collect(),
        written_at: Some(encode(token)),
    })
}

/// The answer of a command about one agent. How it stands is judged with the newest records.
pub(super) fn answer(
    state: &State,
    token: pemba_db::Token,
    agent: &Agent,
) -> Result<wire::AgentResponse, Status> {
    let newest = Newest::of(state)?;
    let agent = convert::agent_to_wire(&newest.moment()?, agent);
    Ok(wire::AgentResponse { agent: Some(agent), written_at: Some(encode(token)) })
}
