//! Agents read: one, or pages of them.

use pemba_agents::client::Verb;
use pemba_agents::records::Agent;
use pemba_agents::{Moment, Reason, Refused};
use pemba_model::ObjectRef;
use pemba_proto::pemba::v1 as wire;
use tonic::Status;

use crate::access;
use crate::consistency::encode;
use crate::cursor::Call;
use crate::errors;
use crate::pemba::caller::Caller;
use crate::pemba::convert;
use crate::pemba::moment::Newest;
use crate::pemba::page::Asked;
use crate::state::State;
use crate::validate::Path;

/// The word for agents that may act.
const LIVE: &str = "live";
/// Why an agent with a record may not act, in one word each.
const NOT_LIVE: [&str; 8] =
    ["proposed", "suspended", "retired", "not_yet", "expired", "unattested", "orphaned", "killed"];

pub(super) fn get(
    state: &State,
    caller: &Caller,
    request: &wire::GetAgentRequest,
) -> Result<wire::GetAgentResponse, Status> {
    access::read_records(&caller.client, Verb::Agents)?;
    let principal = convert::object(Path::Root.field("principal"), request.principal.as_ref())
        .map_err(|refused| errors::agents(&refused))?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    let agent = moment.book.agent(&principal).ok_or_else(|| {
        let message = format!("`{principal}` is not registered");
        errors::agents(&Refused::new(Reason::AgentNotFound, "principal", message))
    })?;
    Ok(wire::GetAgentResponse {
        agent: Some(convert::agent_to_wire(&moment, agent)),
        read_at: Some(encode(newest.view().token())),
    })
}

/// What the agents of a list must be.
struct Filter {
    status: Option<i32>,
    sponsor: Option<ObjectRef>,
    owner: Option<ObjectRef>,
    request: wire::ListAgentsRequest,
}

impl Filter {
    fn read(request: wire::ListAgentsRequest) -> Result<Filter, Refused> {
        let root = Path::Root;
        let status = match request.status {
            0 => None,
            number => Some(convert::defined::<wire::AgentStatus>(root.field("status"), number)?.into()),
        };
        let not_live = request.not_live.as_str();
        if !not_live.is_empty() && not_live != LIVE && !NOT_LIVE.contains(&not_live) {
            let message = format!("`{not_live}` is none of `{LIVE}`, `{}`", NOT_LIVE.join("`, `"));
            return Err(convert::invalid(root.field("not_live"), message));
        }
        Ok(Filter {
            status,
            sponsor: convert::optional_object(root.field("sponsor"), request.sponsor.as_ref())?,
            owner: convert::optional_object(root.field("owner"), request.owner.as_ref())?,
            request,
        })
    }

    fn passes(&self, moment: &Moment<'_>, agent: &Agent) -> bool {
        let asked = &self.request;
        let is = |asked: &str, name: Option<&str>| asked.is_empty() || name == Some(asked);
        let status = i32::from(convert::status_to_wire(agent.status));
        is(&asked.object_type, Some(&agent.principal.object_type))
            && self.status.is_none_or(|asked| asked == status)
            && is(&asked.blueprint, agent.blueprint.as_deref())
            && is(&asked.tenant, agent.tenant.as_deref())
            && is(&asked.environment, agent.environment.as_deref())
            && (asked.label.is_empty() || agent.labels.contains(asked.label.as_str()))
            && self.sponsor.as_ref().is_none_or(|sponsor| agent.sponsors.contains(sponsor))
            && self.owner.as_ref().is_none_or(|owner| agent.owners.contains(owner))
            && match asked.not_live.as_str() {
                "" => true,
                LIVE => convert::not_live(moment, agent).is_empty(),
                why => convert::not_live(moment, agent) == why,
            }
    }
}

pub(super) async fn list(
    state: &State,
    caller: &Caller,
    request: wire::ListAgentsRequest,
) -> Result<wire::ListAgentsResponse, Status> {
    access::read_records(&caller.client, Verb::Agents)?;
    let newest = Newest::of(state)?;
    let same = wire::ListAgentsRequest { limit: 0, cursor: String::new(), ..request.clone() };
    let asked = Asked::read(state, Call::ListAgents, &same, request.limit, &request.cursor)?;
    let filter = Filter::read(request).map_err(|refused| errors::agents(&refused))?;
    state.queries.run(move || page(&newest, &asked, &filter)).await
}

fn page(
    newest: &Newest,
    asked: &Asked<ObjectRef>,
    filter: &Filter,
) -> Result<wire::ListAgentsResponse, Status> {
    let moment = newest.moment()?;
    let records = moment.book.agents().after(asked.after.as_ref());
    let records = records.map(|(principal, agent)| (principal.clone(), agent));
    let keep = |agent: &std::sync::Arc<Agent>| {
        let passes = filter.passes(&moment, agent);
        Ok::<_, Status>((passes.then(|| convert::agent_to_wire(&moment, agent)), 1))
    };
    let page = asked.take(moment.revision, records, keep)?;
    Ok(wire::ListAgentsResponse {
        agents: page.items,
        cursor: page.cursor,
        read_at: Some(encode(newest.view().token())),
    })
}
