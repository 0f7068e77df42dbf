//! What happened to an agent.

use pemba_agents::client::Verb;
use pemba_agents::{Reason, Refused};
use pemba_proto::pemba::v1 as wire;
use tonic::Status;

use crate::access;
use crate::errors;
use crate::pemba::caller::Caller;
use crate::pemba::convert;
use crate::pemba::moment::Newest;
use crate::state::State;
use crate::validate::Path;

pub(super) fn changes(
    state: &State,
    caller: &Caller,
    request: &wire::ListAgentChangesRequest,
) -> Result<wire::ListAgentChangesResponse, Status> {
    access::read_records(&caller.client, Verb::Agents)?;
    let principal = convert::object(Path::Root.field("principal"), request.principal.as_ref())
        .map_err(|refused| errors::agents(&refused))?;
    let newest = Newest::of(state)?;
    let book = newest.moment()?.book;
    if book.agent(&principal).is_none() {
        let message = format!("`{principal}` is not registered");
        return Err(errors::agents(&Refused::new(Reason::AgentNotFound, "principal", message)));
    }
    let changes: Vec<_> = book.changes_of(&principal).map(|change| convert::change_to_wire(change)).collect();
    let complete = changes.first().is_some_and(|first| first.version == 1);
    Ok(wire::ListAgentChangesResponse { changes, complete })
}
