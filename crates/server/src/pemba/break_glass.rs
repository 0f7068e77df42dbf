//! `BreakGlassService`.

use std::sync::Arc;

use pemba_agents::chain::resolve;
use pemba_agents::client::Verb;
use pemba_agents::records::BrokenGlass;
use pemba_agents::{ApprovalId, Moment, Reason, Refused, command};
use pemba_model::ObjectRef;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::break_glass_service_server::BreakGlassService;
use tonic::{Request, Response, Status};

use super::caller::{Caller, caller};
use super::convert;
use super::moment::{Newest, run};
use super::page::{Asked, Page};
use super::{Fields, draw_id, watch_glass};
use crate::access;
use crate::consistency::encode;
use crate::cursor::Call;
use crate::errors;
use crate::state::State;
use crate::stream::Outgoing;
use crate::validate::Path;

/// What the requests call the fields of commands.
const POLICY: Fields = Fields { under: "policy", beside: &[], renamed: &[] };
const BREAK: Fields = Fields { under: "", beside: &[], renamed: &super::approvals::CHAIN };

/// The service.
pub(crate) struct Glass {
    state: Arc<State>,
}

impl Glass {
    pub(crate) fn new(state: Arc<State>) -> Glass {
        Glass { state }
    }
}

#[tonic::async_trait]
impl BreakGlassService for Glass {
    type WatchBrokenGlassStream = Outgoing<wire::WatchBrokenGlassResponse>;

    async fn set_break_glass_policy(
        &self,
        request: Request<wire::SetBreakGlassPolicyRequest>,
    ) -> Result<Response<wire::SetBreakGlassPolicyResponse>, Status> {
        let (caller, request) = caller(request)?;
        set_policy(&self.state, &caller, request).await.map(Response::new)
    }

    async fn delete_break_glass_policy(
        &self,
        request: Request<wire::DeleteBreakGlassPolicyRequest>,
    ) -> Result<Response<wire::SetBreakGlassPolicyResponse>, Status> {
        let (caller, request) = caller(request)?;
        delete_policy(&self.state, &caller, request).await.map(Response::new)
    }

    async fn list_break_glass_policies(
        &self,
        request: Request<wire::ListBreakGlassPoliciesRequest>,
    ) -> Result<Response<wire::ListBreakGlassPoliciesResponse>, Status> {
        let (caller, _) = caller(request)?;
        list_policies(&self.state, &caller).map(Response::new)
    }

    async fn break_glass(
        &self,
        request: Request<wire::BreakGlassRequest>,
    ) -> Result<Response<wire::BrokenGlassResponse>, Status> {
        let (caller, request) = caller(request)?;
        break_glass(&self.state, &caller, request).await.map(Response::new)
    }

    async fn review_broken_glass(
        &self,
        request: Request<wire::ReviewBrokenGlassRequest>,
    ) -> Result<Response<wire::BrokenGlassResponse>, Status> {
        let (caller, request) = caller(request)?;
        review(&self.state, &caller, request).await.map(Response::new)
    }

    async fn get_broken_glass(
        &self,
        request: Request<wire::GetBrokenGlassRequest>,
    ) -> Result<Response<wire::GetBrokenGlassResponse>, Status> {
        let (caller, request) = caller(request)?;
        get(&self.state, &caller, &request).map(Response::new)
    }

    async fn list_broken_glass(
        &self,
        request: Request<wire::ListBrokenGlassRequest>,
    ) -> Result<Response<wire::ListBrokenGlassResponse>, Status> {
        let (caller, request) = caller(request)?;
        list(&self.state, &caller, request).await.map(Response::new)
    }

    async fn watch_broken_glass(
        &self,
        request: Request<wire::WatchBrokenGlassRequest>,
    ) -> Result<Response<Self::WatchBrokenGlassStream>, Status> {
        let (caller, _) = caller(request)?;
        access::read_records(&caller.client, Verb::Approve)?;
        watch_glass::answer(&self.state, &caller.client).map(Response::new)
    }
}

async fn set_policy(
    state: &State,
    caller: &Caller,
    request: wire::SetBreakGlassPolicyRequest,
) -> Result<wire::SetBreakGlassPolicyResponse, Status> {
    access::change_records(&caller.client, Verb::Policy)?;
    let new = convert::break_glass_policy(Path::Root.field("policy"), request.policy)
        .map_err(|refused| errors::agents(&refused))?;
    let by = caller.by(String::new());
    let (token, policy) =
        run(state, POLICY, move |moment| command::set_break_glass_policy(moment, &by, new)).await?;
    let policy = Some(convert::break_glass_policy_to_wire(&policy));
    Ok(wire::SetBreakGlassPolicyResponse { policy, written_at: Some(encode(token)) })
}

async fn delete_policy(
    state: &State,
    caller: &Caller,
    request: wire::DeleteBreakGlassPolicyRequest,
) -> Result<wire::SetBreakGlassPolicyResponse, Status> {
    access::change_records(&caller.client, Verb::Policy)?;
    let unset = move |moment: &Moment<'_>| {
        command::unset_break_glass_policy(moment, &request.resource_type, &request.permission)
    };
    let (token, policy) = run(state, Fields::default(), unset).await?;
    let policy = Some(convert::break_glass_policy_to_wire(&policy));
    Ok(wire::SetBreakGlassPolicyResponse { policy, written_at: Some(encode(token)) })
}

fn list_policies(state: &State, caller: &Caller) -> Result<wire::ListBreakGlassPoliciesResponse, Status> {
    access::read_records(&caller.client, Verb::Policy)?;
    let newest = Newest::of(state)?;
    let mut policies: Vec<_> = newest.moment()?.book.break_glass_policies().collect();
    policies
        .sort_unstable_by(|a, b| (&a.resource_type, &a.permission).cmp(&(&b.resource_type, &b.permission)));
    let policies = policies.into_iter().map(convert::break_glass_policy_to_wire).collect();
    Ok(wire::ListBreakGlassPoliciesResponse { policies })
}

/// Whoever may check for a chain, and speak for the human who takes it upon themselves.
async fn break_glass(
    state: &State,
    caller: &Caller,
    request: wire::BreakGlassRequest,
) -> Result<wire::BrokenGlassResponse, Status> {
    let id = ApprovalId(draw_id()?);
    let new = convert::break_glass(id, &request).map_err(|refused| errors::agents(&refused))?;
    {
        let newest = Newest::of(state)?;
        let moment = newest.moment()?;
        let chain = resolve(moment.book, &new.claim, &caller.presenter, moment.revision)
            .map_err(|refused| errors::agents(&BREAK.of_request(refused)))?;
        let asked = (new.resource.object_type.as_str(), new.permission.as_str());
        access::check_in(&caller.client, asked, &chain.root)?;
        access::act_in(&caller.client, Path::Root.field("chain"), &chain.root, chain.actor())?;
    }
    access::speak_for(&caller.client, Path::Root.field("user"), &new.user)?;
    let (by, presenter) = (caller.by(request.reason), caller.presenter.clone());
    let (token, broken) =
        run(state, BREAK, move |moment| command::break_glass(moment, &by, &presenter, new)).await?;
    if broken.id == id {
        tracing::warn!(
            id = %broken.id,
            user = %broken.user,
            permission = %broken.permission,
            resource = %broken.resource,
            client = %broken.by,
            reason = %broken.reason,
            "the glass was broken"
        );
    }
    answer(state, token, &broken)
}

/// Who reviews must be somebody the client may speak for.
async fn review(
    state: &State,
    caller: &Caller,
    request: wire::ReviewBrokenGlassRequest,
) -> Result<wire::BrokenGlassResponse, Status> {
    access::change_records(&caller.client, Verb::Approve)?;
    let new = convert::review_glass(request).map_err(|refused| errors::agents(&refused))?;
    access::speak_for(&caller.client, Path::Root.field("reviewer"), &new.reviewer)?;
    let by = caller.by(String::new());
    let review = move |moment: &Moment<'_>| command::review_glass(moment, &by, new);
    let (token, broken) = run(state, Fields::default(), review).await?;
    answer(state, token, &broken)
}

fn get(
    state: &State,
    caller: &Caller,
    request: &wire::GetBrokenGlassRequest,
) -> Result<wire::GetBrokenGlassResponse, Status> {
    access::read_records(&caller.client, Verb::Approve)?;
    let id = convert::approval_id(Path::Root.field("id"), &request.id)
        .map_err(|refused| errors::agents(&refused))?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    let broken = moment.book.broken_glass(id).ok_or_else(|| {
        let message = format!("nothing was broken under {id}");
        errors::agents(&Refused::new(Reason::BrokenGlassNotFound, "id", message))
    })?;
    Ok(wire::GetBrokenGlassResponse { broken: Some(convert::broken_glass_to_wire(broken, moment.now())) })
}

async fn list(
    state: &State,
    caller: &Caller,
    request: wire::ListBrokenGlassRequest,
) -> Result<wire::ListBrokenGlassResponse, Status> {
    access::read_records(&caller.client, Verb::Approve)?;
    let newest = Newest::of(state)?;
    let same = wire::ListBrokenGlassRequest { limit: 0, cursor: String::new(), ..request.clone() };
    let asked = Asked::read(state, Call::ListBrokenGlass, &same, request.limit, &request.cursor)?;
    let user = convert::optional_object(Path::Root.field("user"), request.user.as_ref())
        .map_err(|refused| errors::agents(&refused))?;
    let (only_open, only_overdue) = (request.only_open, request.only_overdue);
    state.queries.run(move || page(&newest, &asked, user.as_ref(), only_open, only_overdue)).await
}

fn page(
    newest: &Newest,
    asked: &Asked<u128>,
    user: Option<&ObjectRef>,
    only_open: bool,
    only_overdue: bool,
) -> Result<wire::ListBrokenGlassResponse, Status> {
    let moment = newest.moment()?;
    let (book, after) = (moment.book, asked.after.map(ApprovalId));
    let keep = |broken: &Arc<BrokenGlass>| {
        let passes = user.is_none_or(|user| broken.user == *user)
            && (!only_open || broken.review.is_none())
            && (!only_overdue || broken.is_overdue(moment.now()));
        Ok::<_, Status>((passes.then(|| convert::broken_glass_to_wire(broken, moment.now())), 1))
    };
    let all = book.all_broken_glass().after(after.as_ref()).map(|(id, broken)| (id.0, broken));
    let Page { items, cursor } = asked.take(moment.revision, all, keep)?;
    Ok(wire::ListBrokenGlassResponse { broken: items, cursor })
}

fn answer(
    state: &State,
    token: pemba_db::Token,
    broken: &BrokenGlass,
) -> Result<wire::BrokenGlassResponse, Status> {
    let now = Newest::of(state)?.view().now();
    let broken = Some(convert::broken_glass_to_wire(broken, now));
    Ok(wire::BrokenGlassResponse { broken, written_at: Some(encode(token)) })
}
