//! Kill switches.

use pemba_agents::client::Verb;
use pemba_agents::command;
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

pub(super) async fn throw(
    state: &State,
    caller: &Caller,
    mut request: wire::ThrowKillSwitchRequest,
) -> Result<wire::KillSwitchResponse, Status> {
    access::change_records(&caller.client, Verb::Kill)?;
    let by = caller.by(std::mem::take(&mut request.reason));
    let new = convert::throw(request).map_err(|refused| errors::agents(&refused))?;
    let (token, kill) =
        run(state, Fields::default(), move |moment| command::throw_kill(moment, &by, new)).await?;
    let kill_switch = Some(convert::kill_to_wire(&kill));
    Ok(wire::KillSwitchResponse { kill_switch, written_at: Some(encode(token)) })
}

pub(super) async fn lift(
    state: &State,
    caller: &Caller,
    request: wire::LiftKillSwitchRequest,
) -> Result<wire::KillSwitchResponse, Status> {
    access::change_records(&caller.client, Verb::Kill)?;
    let (by, name) = (caller.by(request.reason), request.name);
    let (token, kill) =
        run(state, Fields::default(), move |moment| command::lift_kill(moment, &by, &name)).await?;
    let kill_switch = Some(convert::kill_to_wire(&kill));
    Ok(wire::KillSwitchResponse { kill_switch, written_at: Some(encode(token)) })
}

pub(super) fn list(state: &State, caller: &Caller) -> Result<wire::ListKillSwitchesResponse, Status> {
    access::read_records(&caller.client, Verb::Kill)?;
    let newest = Newest::of(state)?;
    let kills = newest.moment()?.book.kills();
    let kill_switches = kills.map(|kill| convert::kill_to_wire(kill)).collect();
    Ok(wire::ListKillSwitchesResponse { kill_switches })
}
