//! `DelegationService`.

use std::sync::Arc;

use pemba_agents::client::{Client, Verb};
use pemba_agents::records::Delegation;
use pemba_agents::{DelegationId, Moment, Reason, Refused, command};
use pemba_model::ObjectRef;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::delegation_service_server::DelegationService;
use tonic::{Request, Response, Status};

use super::caller::{Caller, caller};
use super::convert;
use super::moment::{Newest, run};
use super::page::{Asked, Page};
use super::{Fields, draw_id};
use crate::access;
use crate::consistency::encode;
use crate::cursor::Call;
use crate::errors;
use crate::state::State;
use crate::validate::Path;

/// Most hops that an answer shows; above every depth that can be configured.
const HOPS_MAX: usize = 256;
/// What the request calls the fields of a new delegation.
const NEW: Fields =
    Fields { under: "", beside: &[], renamed: &[("parent", "parent_id"), ("session", "session_id")] };

/// The service.
pub(crate) struct Delegations {
    state: Arc<State>,
}

impl Delegations {
    pub(crate) fn new(state: Arc<State>) -> Delegations {
        Delegations { state }
    }
}

#[tonic::async_trait]
impl DelegationService for Delegations {
    async fn delegate(
        &self,
        request: Request<wire::DelegateRequest>,
    ) -> Result<Response<wire::DelegateResponse>, Status> {
        let (caller, request) = caller(request)?;
        delegate(&self.state, &caller, request).await.map(Response::new)
    }

    async fn get_delegation(
        &self,
        request: Request<wire::GetDelegationRequest>,
    ) -> Result<Response<wire::GetDelegationResponse>, Status> {
        let (caller, request) = caller(request)?;
        get(&self.state, &caller, &request).map(Response::new)
    }

    async fn list_delegations(
        &self,
        request: Request<wire::ListDelegationsRequest>,
    ) -> Result<Response<wire::ListDelegationsResponse>, Status> {
        let (caller, request) = caller(request)?;
        list(&self.state, &caller, request).await.map(Response::new)
    }

    async fn renew_delegation(
        &self,
        request: Request<wire::RenewDelegationRequest>,
    ) -> Result<Response<wire::DelegationResponse>, Status> {
        let (caller, request) = caller(request)?;
        renew(&self.state, &caller, request).await.map(Response::new)
    }

    async fn revoke_delegation(
        &self,
        request: Request<wire::RevokeDelegationRequest>,
    ) -> Result<Response<wire::DelegationResponse>, Status> {
        let (caller, request) = caller(request)?;
        revoke(&self.state, &caller, request).await.map(Response::new)
    }
}

/// Who delegates must be somebody the client may speak for: as the root, or as who acts by the hop before.
async fn delegate(
    state: &State,
    caller: &Caller,
    request: wire::DelegateRequest,
) -> Result<wire::DelegateResponse, Status> {
    access::change_records(&caller.client, Verb::Delegate)?;
    let new =
        convert::delegate(DelegationId(draw_id()?), request).map_err(|refused| errors::agents(&refused))?;
    let root = match new.parent {
        None => new.from.clone(),
        Some(parent) => {
            let newest = Newest::of(state)?;
            let parent = newest.moment()?.book.delegation(parent).cloned();
            // Without the hop before the command refuses.
            parent.map_or_else(|| new.from.clone(), |parent| parent.root.clone())
        }
    };
    access::act_in(&caller.client, Path::Root.field("from"), &root, &new.from)?;
    // The words are kept as what was agreed to.
    let by = caller.by(String::new());
    let (token, delegated) = run(state, NEW, move |moment| command::delegate(moment, &by, new)).await?;
    let newest = Newest::of(state)?;
    let delegation = convert::delegation_to_wire(&newest.moment()?, &delegated.delegation);
    Ok(wire::DelegateResponse {
        delegation: Some(delegation),
        sleeping: delegated.sleeping,
        written_at: Some(encode(token)),
    })
}

fn get(
    state: &State,
    caller: &Caller,
    request: &wire::GetDelegationRequest,
) -> Result<wire::GetDelegationResponse, Status> {
    access::read_records(&caller.client, Verb::Delegate)?;
    let id = convert::delegation_id(Path::Root.field("id"), &request.id)
        .map_err(|refused| errors::agents(&refused))?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    let mut hop = Some(found(&moment, id)?);
    let mut chain = Vec::new();
    while let Some(one) = hop.filter(|_| chain.len() < HOPS_MAX) {
        chain.push(convert::delegation_to_wire(&moment, one));
        // One that was forgotten long after its end is missing at the front.
        hop = one.parent.and_then(|id| moment.book.delegation(id));
    }
    chain.reverse();
    Ok(wire::GetDelegationResponse { chain })
}

fn found<'a>(moment: &Moment<'a>, id: DelegationId) -> Result<&'a Arc<Delegation>, Status> {
    moment.book.delegation(id).ok_or_else(|| {
        let refused = Refused::new(Reason::DelegationNotFound, "id", format!("there is no delegation {id}"));
        errors::agents(&refused)
    })
}

/// Whose delegations are listed.
struct Filter {
    root: Option<ObjectRef>,
    from: Option<ObjectRef>,
    to: Option<ObjectRef>,
    only_alive: bool,
}

impl Filter {
    fn read(request: &wire::ListDelegationsRequest) -> Result<Filter, Refused> {
        let path = Path::Root;
        let filter = Filter {
            root: convert::optional_object(path.field("root"), request.root.as_ref())?,
            from: convert::optional_object(path.field("from"), request.from.as_ref())?,
            to: convert::optional_object(path.field("to"), request.to.as_ref())?,
            only_alive: request.only_alive,
        };
        if filter.root.is_none() && filter.from.is_none() && filter.to.is_none() {
            let message = "name whose: at least one of `root`, `from` and `to`";
            return Err(Refused::new(Reason::MissingValue, "root", message));
        }
        Ok(filter)
    }

    /// The ids to look at: those of the end that usually has the fewest.
    fn ids<'a>(
        &'a self,
        moment: &Moment<'a>,
        after: Option<DelegationId>,
    ) -> Box<dyn Iterator<Item = DelegationId> + 'a> {
        let book = moment.book;
        match (&self.to, &self.from, &self.root) {
            (Some(to), _, _) => Box::new(book.delegations_to(to, after)),
            (None, Some(from), _) => Box::new(book.delegations_from(from, after)),
            (None, None, Some(root)) => Box::new(book.delegations_of_root(root, after)),
            (None, None, None) => Box::new(std::iter::empty()),
        }
    }

    fn passes(&self, delegation: &Delegation, wire: &wire::Delegation) -> bool {
        let is = |asked: &Option<ObjectRef>, object: &ObjectRef| {
            asked.as_ref().is_none_or(|asked| asked == object)
        };
        is(&self.root, &delegation.root)
            && is(&self.from, &delegation.from)
            && is(&self.to, &delegation.to.object)
            && (!self.only_alive || wire.alive)
    }
}

async fn list(
    state: &State,
    caller: &Caller,
    request: wire::ListDelegationsRequest,
) -> Result<wire::ListDelegationsResponse, Status> {
    access::read_records(&caller.client, Verb::Delegate)?;
    let newest = Newest::of(state)?;
    let same = wire::ListDelegationsRequest { limit: 0, cursor: String::new(), ..request.clone() };
    let asked = Asked::read(state, Call::ListDelegations, &same, request.limit, &request.cursor)?;
    let filter = Filter::read(&request).map_err(|refused| errors::agents(&refused))?;
    state.queries.run(move || page(&newest, &asked, &filter)).await
}

fn page(
    newest: &Newest,
    asked: &Asked<u128>,
    filter: &Filter,
) -> Result<wire::ListDelegationsResponse, Status> {
    let moment = newest.moment()?;
    let ids = filter.ids(&moment, asked.after.map(DelegationId));
    let records = ids.filter_map(|id| Some((id.0, moment.book.delegation(id)?)));
    let keep = |delegation: &Arc<Delegation>| {
        let wire = convert::delegation_to_wire(&moment, delegation);
        Ok::<_, Status>((filter.passes(delegation, &wire).then_some(wire), 1))
    };
    let Page { items, cursor } = asked.take(moment.revision, records, keep)?;
    Ok(wire::ListDelegationsResponse { delegations: items, cursor })
}

/// Whoever may delegate as who delegated may renew.
async fn renew(
    state: &State,
    caller: &Caller,
    request: wire::RenewDelegationRequest,
) -> Result<wire::DelegationResponse, Status> {
    access::change_records(&caller.client, Verb::Delegate)?;
    let read = || {
        let id = convert::delegation_id(Path::Root.field("id"), &request.id)?;
        Ok((id, convert::renew(request.clone())?))
    };
    let (id, new) = read().map_err(|refused: Refused| errors::agents(&refused))?;
    {
        let newest = Newest::of(state)?;
        let before = found(&newest.moment()?, id)?;
        access::act_in(&caller.client, Path::Root.field("id"), &before.root, &before.from)?;
    }
    let by = caller.by(request.reason);
    let (token, delegation) =
        run(state, Fields::default(), move |moment| command::renew(moment, &by, id, new)).await?;
    answer(state, token, &delegation)
}

/// Whoever is in a delegation may end it, and whoever may throw kill switches.
async fn revoke(
    state: &State,
    caller: &Caller,
    request: wire::RevokeDelegationRequest,
) -> Result<wire::DelegationResponse, Status> {
    let id = convert::delegation_id(Path::Root.field("id"), &request.id)
        .map_err(|refused| errors::agents(&refused))?;
    if caller.client.may(Verb::Kill).is_err() {
        access::change_records(&caller.client, Verb::Delegate)?;
        let newest = Newest::of(state)?;
        may_revoke(&caller.client, found(&newest.moment()?, id)?)?;
    }
    let by = caller.by(request.reason);
    let (token, delegation) =
        run(state, Fields::default(), move |moment| command::revoke(moment, &by, id)).await?;
    answer(state, token, &delegation)
}

fn may_revoke(client: &Client, delegation: &Delegation) -> Result<(), Status> {
    let is_own = client.may_assert_actor(&delegation.to.object).is_ok()
        || client.may_assert_root(&delegation.root).is_ok();
    if is_own {
        return Ok(());
    }
    access::act_in(client, Path::Root.field("id"), &delegation.root, &delegation.from)
}

fn answer(
    state: &State,
    token: pemba_db::Token,
    delegation: &Delegation,
) -> Result<wire::DelegationResponse, Status> {
    let newest = Newest::of(state)?;
    let delegation = convert::delegation_to_wire(&newest.moment()?, delegation);
    Ok(wire::DelegationResponse { delegation: Some(delegation), written_at: Some(encode(token)) })
}
