//! `ApprovalService`.

use std::sync::Arc;

use pemba_agents::chain::resolve;
use pemba_agents::client::Verb;
use pemba_agents::records::Approval;
use pemba_agents::{ApprovalId, Moment, Reason, Refused, command};
use pemba_model::ObjectRef;
use pemba_proto::pemba::v1 as wire;
use pemba_proto::pemba::v1::approval_service_server::ApprovalService;
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

/// For how many approvals one counts of which it is asked whether somebody may vote, since that takes a check.
const CHECK_WORK: usize = 50;
/// What the requests call the fields of commands.
const POLICY: Fields = Fields { under: "policy", beside: &[], renamed: &[] };
const VOTE: Fields = Fields { under: "", beside: &[], renamed: &[("approval", "approval_id")] };
const CANCEL: Fields = Fields { under: "", beside: &[], renamed: &[("approval", "id")] };
const ASK: Fields = Fields { under: "", beside: &[], renamed: &CHAIN };
const ASK_GRANT: Fields =
    Fields { under: "", beside: &[], renamed: &[("session", "session_id"), ("permission", "relationship")] };
pub(super) const CHAIN: [(&str, &str); 4] = [
    ("root", "chain.root"),
    ("actors", "chain.actors"),
    ("delegation", "chain.delegation_id"),
    ("session", "chain.session_id"),
];

/// The service.
pub(crate) struct Approvals {
    state: Arc<State>,
}

impl Approvals {
    pub(crate) fn new(state: Arc<State>) -> Approvals {
        Approvals { state }
    }
}

#[tonic::async_trait]
impl ApprovalService for Approvals {
    async fn set_approval_policy(
        &self,
        request: Request<wire::SetApprovalPolicyRequest>,
    ) -> Result<Response<wire::SetApprovalPolicyResponse>, Status> {
        let (caller, request) = caller(request)?;
        set_policy(&self.state, &caller, request).await.map(Response::new)
    }

    async fn delete_approval_policy(
        &self,
        request: Request<wire::DeleteApprovalPolicyRequest>,
    ) -> Result<Response<wire::SetApprovalPolicyResponse>, Status> {
        let (caller, request) = caller(request)?;
        delete_policy(&self.state, &caller, request).await.map(Response::new)
    }

    async fn list_approval_policies(
        &self,
        request: Request<wire::ListApprovalPoliciesRequest>,
    ) -> Result<Response<wire::ListApprovalPoliciesResponse>, Status> {
        let (caller, _) = caller(request)?;
        list_policies(&self.state, &caller).map(Response::new)
    }

    async fn request_approval(
        &self,
        request: Request<wire::RequestApprovalRequest>,
    ) -> Result<Response<wire::ApprovalResponse>, Status> {
        let (caller, request) = caller(request)?;
        ask(&self.state, &caller, request).await.map(Response::new)
    }

    async fn request_grant_approval(
        &self,
        request: Request<wire::RequestGrantApprovalRequest>,
    ) -> Result<Response<wire::ApprovalResponse>, Status> {
        let (caller, request) = caller(request)?;
        ask_grant(&self.state, &caller, request).await.map(Response::new)
    }

    async fn vote(
        &self,
        request: Request<wire::VoteRequest>,
    ) -> Result<Response<wire::VoteResponse>, Status> {
        let (caller, request) = caller(request)?;
        vote(&self.state, &caller, request).await.map(Response::new)
    }

    async fn cancel_approval(
        &self,
        request: Request<wire::CancelApprovalRequest>,
    ) -> Result<Response<wire::ApprovalResponse>, Status> {
        let (caller, request) = caller(request)?;
        cancel(&self.state, &caller, request).await.map(Response::new)
    }

    async fn get_approval(
        &self,
        request: Request<wire::GetApprovalRequest>,
    ) -> Result<Response<wire::GetApprovalResponse>, Status> {
        let (caller, request) = caller(request)?;
        get(&self.state, &caller, &request).map(Response::new)
    }

    async fn list_approvals(
        &self,
        request: Request<wire::ListApprovalsRequest>,
    ) -> Result<Response<wire::ListApprovalsResponse>, Status> {
        let (caller, request) = caller(request)?;
        list(&self.state, &caller, request).await.map(Response::new)
    }
}

async fn set_policy(
    state: &State,
    caller: &Caller,
    request: wire::SetApprovalPolicyRequest,
) -> Result<wire::SetApprovalPolicyResponse, Status> {
    access::change_records(&caller.client, Verb::Policy)?;
    let new = convert::approval_policy(Path::Root.field("policy"), request.policy)
        .map_err(|refused| errors::agents(&refused))?;
    let by = caller.by(String::new());
    let (token, policy) =
        run(state, POLICY, move |moment| command::set_approval_policy(moment, &by, new)).await?;
    let policy = Some(convert::approval_policy_to_wire(&policy));
    Ok(wire::SetApprovalPolicyResponse { policy, written_at: Some(encode(token)) })
}

async fn delete_policy(
    state: &State,
    caller: &Caller,
    request: wire::DeleteApprovalPolicyRequest,
) -> Result<wire::SetApprovalPolicyResponse, Status> {
    access::change_records(&caller.client, Verb::Policy)?;
    let unset = move |moment: &Moment<'_>| {
        let (resource_type, permission) = (&request.resource_type, &request.permission);
        command::unset_approval_policy(moment, resource_type, permission, request.grants)
    };
    let (token, policy) = run(state, Fields::default(), unset).await?;
    let policy = Some(convert::approval_policy_to_wire(&policy));
    Ok(wire::SetApprovalPolicyResponse { policy, written_at: Some(encode(token)) })
}

fn list_policies(state: &State, caller: &Caller) -> Result<wire::ListApprovalPoliciesResponse, Status> {
    access::read_records(&caller.client, Verb::Policy)?;
    let newest = Newest::of(state)?;
    let policies = newest.moment()?.book.approval_policies();
    let mut policies: Vec<_> = policies.map(convert::approval_policy_to_wire).collect();
    policies.sort_unstable_by(|a, b| {
        let place = |policy: &wire::ApprovalPolicy| {
            (policy.resource_type.clone(), policy.permission.clone(), policy.grants)
        };
        place(a).cmp(&place(b))
    });
    Ok(wire::ListApprovalPoliciesResponse { policies })
}

/// Whoever may check for a chain may ask for its approvals, and for nobody else's.
async fn ask(
    state: &State,
    caller: &Caller,
    request: wire::RequestApprovalRequest,
) -> Result<wire::ApprovalResponse, Status> {
    let id = ApprovalId(draw_id()?);
    let new = convert::ask_approval(id, &request).map_err(|refused| errors::agents(&refused))?;
    {
        let newest = Newest::of(state)?;
        let moment = newest.moment()?;
        let chain = resolve(moment.book, &new.claim, &caller.presenter, moment.revision)
            .map_err(|refused| errors::agents(&ASK.of_request(refused)))?;
        let asked = (new.resource.object_type.as_str(), new.permission.as_str());
        access::check_in(&caller.client, asked, &chain.root)?;
        access::act_in(&caller.client, Path::Root.field("chain"), &chain.root, chain.actor())?;
    }
    if let Some(requester) = &new.requester {
        let client = &caller.client;
        if client.may_assert_actor(requester).is_err() {
            access::speak_for(client, Path::Root.field("requester"), requester)?;
        }
    }
    let (by, presenter) = (caller.by(request.reason), caller.presenter.clone());
    let ask = move |moment: &Moment<'_>| command::ask_approval(moment, &by, &presenter, new);
    let (token, approval) = run(state, ASK, ask).await?;
    answer(state, token, &approval)
}

/// Whoever may grant in sessions for the grantor may ask that the grant be approved.
async fn ask_grant(
    state: &State,
    caller: &Caller,
    request: wire::RequestGrantApprovalRequest,
) -> Result<wire::ApprovalResponse, Status> {
    access::change_records(&caller.client, Verb::Session)?;
    let id = ApprovalId(draw_id()?);
    let new = convert::ask_grant_approval(id, &request).map_err(|refused| errors::agents(&refused))?;
    access::speak_for(&caller.client, Path::Root.field("grantor"), &new.grantor)?;
    let (by, presenter) = (caller.by(request.reason), caller.presenter.clone());
    let ask = move |moment: &Moment<'_>| command::ask_grant_approval(moment, &by, &presenter, new);
    let (token, approval) = run(state, ASK_GRANT, ask).await?;
    answer(state, token, &approval)
}

/// Who votes must be somebody the client may speak for.
async fn vote(
    state: &State,
    caller: &Caller,
    request: wire::VoteRequest,
) -> Result<wire::VoteResponse, Status> {
    access::change_records(&caller.client, Verb::Approve)?;
    let new = convert::cast_vote(request).map_err(|refused| errors::agents(&refused))?;
    access::speak_for(&caller.client, Path::Root.field("approver"), &new.approver)?;
    let (token, voted) = run(state, VOTE, move |moment| command::vote(moment, new)).await?;
    let now = Newest::of(state)?.view().now();
    Ok(wire::VoteResponse {
        approval: Some(convert::approval_to_wire(&voted.approval, now)),
        votes_needed: voted.votes_needed,
        written_at: Some(encode(token)),
    })
}

/// An approval is cancelled by the client it belongs to, which is all the right it takes.
async fn cancel(
    state: &State,
    caller: &Caller,
    request: wire::CancelApprovalRequest,
) -> Result<wire::ApprovalResponse, Status> {
    let id = convert::approval_id(Path::Root.field("id"), &request.id)
        .map_err(|refused| errors::agents(&refused))?;
    let (by, presenter) = (caller.by(request.reason), caller.presenter.clone());
    let cancel = move |moment: &Moment<'_>| command::cancel_approval(moment, &by, &presenter, id);
    let (token, approval) = run(state, CANCEL, cancel).await?;
    answer(state, token, &approval)
}

/// One's own approvals are read without any right but to call.
fn get(
    state: &State,
    caller: &Caller,
    request: &wire::GetApprovalRequest,
) -> Result<wire::GetApprovalResponse, Status> {
    let id = convert::approval_id(Path::Root.field("id"), &request.id)
        .map_err(|refused| errors::agents(&refused))?;
    let newest = Newest::of(state)?;
    let moment = newest.moment()?;
    let found = moment.book.approval(id);
    if !found.is_some_and(|approval| caller.presenter.is(&approval.binding)) {
        access::read_records(&caller.client, Verb::Approve)?;
    }
    let approval = found.ok_or_else(|| {
        let message = format!("there is no approval {id}");
        errors::agents(&Refused::new(Reason::ApprovalNotFound, "id", message))
    })?;
    Ok(wire::GetApprovalResponse { approval: Some(convert::approval_to_wire(approval, moment.now())) })
}

/// Which approvals are listed.
struct Filter {
    actor: Option<ObjectRef>,
    votable_by: Option<ObjectRef>,
    state: Option<wire::ApprovalState>,
}

impl Filter {
    fn read(request: &wire::ListApprovalsRequest) -> Result<Filter, Refused> {
        let path = Path::Root;
        let state = match request.state {
            0 => None,
            number => Some(convert::defined(path.field("state"), number)?),
        };
        Ok(Filter {
            actor: convert::optional_object(path.field("actor"), request.actor.as_ref())?,
            votable_by: convert::optional_object(path.field("votable_by"), request.votable_by.as_ref())?,
            state,
        })
    }

    /// Whether an approval is listed, and for how many others it counts that took no check.
    fn passes(&self, moment: &Moment<'_>, approval: &Approval) -> Result<(bool, usize), Status> {
        let state = convert::approval_state(approval, moment.now());
        if self.state.is_some_and(|asked| asked != state) {
            return Ok((false, 1));
        }
        let Some(approver) = &self.votable_by else { return Ok((true, 1)) };
        if state != wire::ApprovalState::Pending {
            return Ok((false, 1));
        }
        match command::may_vote(moment, approval, approver) {
            Ok(may_vote) => Ok((may_vote, CHECK_WORK)),
            // A caveat without an answer gives nobody a vote.
            Err(refused) if refused.query.as_ref().is_some_and(|error| error.failed_caveat().is_some()) => {
                Ok((false, CHECK_WORK))
            }
            Err(refused) => Err(errors::agents(&refused)),
        }
    }
}

async fn list(
    state: &State,
    caller: &Caller,
    request: wire::ListApprovalsRequest,
) -> Result<wire::ListApprovalsResponse, Status> {
    access::read_records(&caller.client, Verb::Approve)?;
    let newest = Newest::of(state)?;
    let same = wire::ListApprovalsRequest { limit: 0, cursor: String::new(), ..request.clone() };
    let asked = Asked::read(state, Call::ListApprovals, &same, request.limit, &request.cursor)?;
    let filter = Filter::read(&request).map_err(|refused| errors::agents(&refused))?;
    state.queries.run(move || page(&newest, &asked, &filter)).await
}

fn page(
    newest: &Newest,
    asked: &Asked<u128>,
    filter: &Filter,
) -> Result<wire::ListApprovalsResponse, Status> {
    let moment = newest.moment()?;
    let (book, after) = (moment.book, asked.after.map(ApprovalId));
    let keep = |approval: &Arc<Approval>| {
        let (passes, work) = filter.passes(&moment, approval)?;
        Ok::<_, Status>((passes.then(|| convert::approval_to_wire(approval, moment.now())), work))
    };
    let Page { items, cursor } = match &filter.actor {
        Some(actor) => {
            let of_actor = book.approvals_of_actor(actor, after);
            asked.take(moment.revision, of_actor.map(|approval| (approval.id.0, approval)), keep)?
        }
        None => {
            let all = book.approvals().after(after.as_ref()).map(|(id, approval)| (id.0, approval));
            asked.take(moment.revision, all, keep)?
        }
    };
    Ok(wire::ListApprovalsResponse { approvals: items, cursor })
}

fn answer(
    state: &State,
    token: pemba_db::Token,
    approval: &Approval,
) -> Result<wire::ApprovalResponse, Status> {
    let now = Newest::of(state)?.view().now();
    let approval = Some(convert::approval_to_wire(approval, now));
    Ok(wire::ApprovalResponse { approval, written_at: Some(encode(token)) })
}
