//! The humans behind agents: whether they count, and what they answer for.

use pemba_agents::client::Verb;
use pemba_agents::{Moment, Reason, Refused, command};
use pemba_proto::pemba::v1 as wire;
use tonic::Status;

use super::identity::answer;
use crate::access;
use crate::consistency::encode;
use crate::errors;
use crate::pemba::Fields;
use crate::pemba::caller::Caller;
use crate::pemba::convert;
use crate::pemba::moment::{Newest, run};
use crate::state::State;
use crate::validate::Path;

pub(super) async fn set(
    state: &State,
    caller: &Caller,
    request: wire::SetHumanRequest,
) -> Result<wire::SetHumanResponse, Status> {
    access::change_records(&caller.client, Verb::Agents)?;
    let new = convert::human(&request).map_err(|refused| errors::agents(&refused))?;
    let by = caller.by(request.reason);
    let (token, human) =
        run(state, Fields::default(), move |moment| command::set_human(moment, &by, new)).await?;
    Ok(wire::SetHumanResponse {
        human: Some(convert::human_to_wire(&human)),
        written_at: Some(encode(token)),
    })
}

pub(super) fn get(
    state: &State,
    caller: &Caller,
    request: &wire::GetHumanRequest,
) -> Result<wire::GetHumanResponse, Status> {
    access::read_records(&caller.client, Verb::Agents)?;
    let principal = convert::object(Path::Root.field("principal"), request.principal.as_ref())
        .map_err(|refused| errors::agents(&refused))?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    let human = moment.book.human(&principal).ok_or_else(|| {
        let message = format!("nothing is known of `{principal}`");
        errors::agents(&Refused::new(Reason::HumanNotFound, "principal", message))
    })?;
    Ok(wire::GetHumanResponse { human: Some(convert::human_to_wire(human)) })
}

pub(super) async fn propose_sponsor(
    state: &State,
    caller: &Caller,
    request: wire::ProposeSponsorRequest,
) -> Result<wire::AgentResponse, Status> {
    access::change_records(&caller.client, Verb::Agents)?;
    let root = Path::Root;
    let read = || {
        let principal = convert::object(root.field("principal"), request.principal.as_ref())?;
        let from = convert::optional_object(root.field("from"), request.from.as_ref())?;
        let to = convert::object(root.field("to"), request.to.as_ref())?;
        Ok((principal, from, to))
    };
    let (principal, from, to) = read().map_err(|refused: Refused| errors::agents(&refused))?;
    let by = caller.by(request.reason);
    // The command checks who is offered it as it checks all sponsors.
    let fields = Fields { renamed: &[("sponsors", "to")], ..Fields::default() };
    let propose = move |moment: &Moment<'_>| command::propose_sponsor(moment, &by, &principal, from, to);
    let (token, agent) = run(state, fields, propose).await?;
    answer(state, token, &agent)
}

/// The human must be one the client may speak for: nobody else makes them answer for an agent.
pub(super) async fn accept_sponsor(
    state: &State,
    caller: &Caller,
    request: wire::AcceptSponsorRequest,
) -> Result<wire::AgentResponse, Status> {
    access::change_records(&caller.client, Verb::Agents)?;
    let root = Path::Root;
    let read = || {
        let principal = convert::object(root.field("principal"), request.principal.as_ref())?;
        let sponsor = convert::object(root.field("sponsor"), request.sponsor.as_ref())?;
        Ok((principal, sponsor))
    };
    let (principal, sponsor) = read().map_err(|refused: Refused| errors::agents(&refused))?;
    access::speak_for(&caller.client, root.field("sponsor"), &sponsor)?;
    let by = caller.by(request.reason);
    let fields = Fields { renamed: &[("sponsors", "sponsor")], ..Fields::default() };
    let accept = move |moment: &Moment<'_>| command::accept_sponsor(moment, &by, &principal, &sponsor);
    let (token, agent) = run(state, fields, accept).await?;
    answer(state, token, &agent)
}
