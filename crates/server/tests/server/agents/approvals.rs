//! Approvals asked for, voted on, taken back, and their policies.

use pemba_proto::pemba::v1 as wire;
use tonic::{Code, Status};

use super::world::*;
use crate::harness::*;

/// Two of the approvers of a document must agree before an agent edits it, once.
pub fn policy() -> wire::ApprovalPolicy {
    wire::ApprovalPolicy {
        resource_type: "document".into(),
        permission: "edit".into(),
        applies: wire::Applies::AgentChains.into(),
        approver_permission: "approve".into(),
        quorum: 2,
        human_only: true,
        uses: Some(wire::approval_policy::Uses::Counted(1)),
        bind: vec!["amount".into()],
        pending: seconds(60),
        execution: seconds(30),
        cool_down: seconds(5),
        ..Default::default()
    }
}

pub async fn set(world: &World, policy: wire::ApprovalPolicy) -> Result<wire::ApprovalPolicy, Status> {
    let request = wire::SetApprovalPolicyRequest { policy: Some(policy) };
    Ok(world.approvals().set_approval_policy(request).await?.into_inner().policy.unwrap())
}

pub fn asking(actor: &str) -> wire::RequestApprovalRequest {
    wire::RequestApprovalRequest {
        chain: Some(wire::Chain { root: Some(agent(actor)), ..Default::default() }),
        resource: Some(object("document", "x")),
        permission: "edit".into(),
        context: Some(text_struct("amount", "7")),
        reason: "a typo".into(),
        requester: None,
    }
}

async fn ask(world: &World, request: wire::RequestApprovalRequest) -> Result<wire::Approval, Status> {
    Ok(world.approvals().request_approval(request).await?.into_inner().approval.unwrap())
}

async fn vote(
    world: &World,
    approval: &wire::Approval,
    approver: &str,
    approves: bool,
) -> Result<wire::VoteResponse, Status> {
    let request = wire::VoteRequest {
        approval_id: approval.id.clone(),
        approver: Some(user(approver)),
        approves,
        comment: "as discussed".into(),
    };
    Ok(world.approvals().vote(request).await?.into_inner())
}

async fn read(world: &World, id: &str) -> wire::Approval {
    let request = wire::GetApprovalRequest { id: id.into() };
    world.approvals().get_approval(request).await.unwrap().into_inner().approval.unwrap()
}

/// An agent that may edit, three who may approve, and the policy.
pub async fn start() -> World {
    let world = World::start().await;
    world.register("a").await;
    world
        .harness
        .touch(&[
            "document:x#editor@agent:a",
            "document:x#approver@user:ann",
            "document:x#approver@user:ben",
            "document:x#approver@user:cid",
        ])
        .await;
    set(&world, policy()).await.unwrap();
    world
}

#[tokio::test]
async fn policies_are_set_listed_and_deleted() {
    let world = World::start().await;
    let set_policy = set(&world, policy()).await.unwrap();
    assert!(set_policy.version > 0);
    assert_eq!((set_policy.pending_per_actor_max, set_policy.set_by.as_str()), (16, "anybody"));
    let filled = wire::ApprovalPolicy {
        version: set_policy.version,
        set_at: world.in_ms(0),
        set_by: "anybody".into(),
        pending_per_actor_max: 16,
        ..policy()
    };
    assert_eq!(set_policy, filled);
    let time_boxed = wire::ApprovalPolicy {
        permission: "approve".into(),
        uses: Some(wire::approval_policy::Uses::TimeBoxed(true)),
        ..policy()
    };
    set(&world, time_boxed).await.unwrap();
    let mut approvals = world.approvals();
    let list = wire::ListApprovalPoliciesRequest {};
    let listed = approvals.list_approval_policies(list).await.unwrap().into_inner().policies;
    let names: Vec<_> = listed.iter().map(|policy| policy.permission.as_str()).collect();
    assert_eq!(names, ["approve", "edit"]);
    let delete = |permission: &str| wire::DeleteApprovalPolicyRequest {
        resource_type: "document".into(),
        permission: permission.into(),
        grants: false,
    };
    let before = world.head();
    approvals.delete_approval_policy(delete("edit")).await.unwrap();
    assert_eq!(world.head(), before + 1);
    let status = approvals.delete_approval_policy(delete("edit")).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "POLICY_NOT_FOUND", "permission");
    let again = set(&world, policy()).await.unwrap();
    assert!(again.version > set_policy.version, "approvals of a deleted policy do not come back");
}

#[tokio::test]
async fn what_is_wrong_with_a_policy_is_told_with_its_field() {
    let world = World::start().await;
    let with = |change: &dyn Fn(&mut wire::ApprovalPolicy)| {
        let mut policy = policy();
        change(&mut policy);
        policy
    };
    let cases: Vec<(wire::ApprovalPolicy, &str, &str)> = vec![
        (with(&|p| p.resource_type = "robot".into()), "UNKNOWN_TYPE", "policy.resource_type"),
        (with(&|p| p.permission = "fly".into()), "UNKNOWN_PERMISSION", "policy.permission"),
        (with(&|p| p.approver_permission = "fly".into()), "UNKNOWN_PERMISSION", "policy.approver_permission"),
        (with(&|p| p.applies = 0), "MISSING_VALUE", "policy.applies"),
        (with(&|p| p.quorum = 0), "INVALID_QUORUM", "policy.quorum"),
        (with(&|p| p.quorum = 17), "INVALID_QUORUM", "policy.quorum"),
        (with(&|p| p.uses = None), "MISSING_VALUE", "policy.uses"),
        (
            with(&|p| p.uses = Some(wire::approval_policy::Uses::TimeBoxed(false))),
            "MISSING_VALUE",
            "policy.uses",
        ),
        (with(&|p| p.uses = Some(wire::approval_policy::Uses::Counted(0))), "INVALID_VALUE", "policy.uses"),
        (with(&|p| p.distinct_from = vec![1, 0]), "MISSING_VALUE", "policy.distinct_from[1]"),
        (with(&|p| p.distinct_from = vec![42]), "INVALID_VALUE", "policy.distinct_from[0]"),
        (with(&|p| p.pending = None), "MISSING_VALUE", "policy.pending"),
        (with(&|p| p.pending = seconds(0)), "INVALID_PERIOD", "policy.pending"),
        (with(&|p| p.execution = seconds(31 * 86_400)), "INVALID_PERIOD", "policy.execution"),
        (with(&|p| p.cool_down = seconds(-1)), "INVALID_VALUE", "policy.cool_down"),
        (with(&|p| p.bind = vec![String::new()]), "MISSING_VALUE", "policy.bind"),
    ];
    let head = world.head();
    for (policy, reason, field) in cases {
        let status = set(&world, policy).await.unwrap_err();
        assert_agents_error(&status, Code::InvalidArgument, reason, field);
    }
    let status =
        world.approvals().set_approval_policy(wire::SetApprovalPolicyRequest::default()).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "MISSING_VALUE", "policy");
    assert_eq!(world.head(), head);
}

#[tokio::test]
async fn an_approval_waits_is_voted_on_and_ends_on_two_clocks() {
    let world = start().await;
    let before = world.head();
    let waiting = ask(&world, asking("a")).await.unwrap();
    assert_eq!(world.head(), before + 1);
    assert!(waiting.id.starts_with("apr_"));
    assert_eq!((waiting.state(), waiting.uses_left), (wire::ApprovalState::Pending, Some(1)));
    assert_eq!(waiting.bound, Some(text_struct("amount", "7")));
    assert_eq!((waiting.decide_before, waiting.use_before), (world.in_ms(60_000), None));
    assert_eq!(
        waiting.binding.clone().unwrap().binding,
        Some(wire::binding::Binding::Client("anybody".into()))
    );
    let same = ask(&world, asking("a")).await.unwrap();
    assert_eq!((same.id.as_str(), world.head()), (waiting.id.as_str(), before + 1));
    let one = vote(&world, &waiting, "ann", true).await.unwrap();
    assert_eq!((one.votes_needed, one.approval.unwrap().state()), (1, wire::ApprovalState::Pending));
    let status = vote(&world, &waiting, "ann", true).await.unwrap_err();
    assert_agents_error(&status, Code::AlreadyExists, "ALREADY_VOTED", "approver");
    let status = vote(&world, &waiting, "eve", true).await.unwrap_err();
    assert_agents_error(&status, Code::PermissionDenied, "APPROVER_NOT_ELIGIBLE", "approver");
    let two = vote(&world, &waiting, "ben", true).await.unwrap();
    let approved = two.approval.unwrap();
    assert_eq!((two.votes_needed, approved.state()), (0, wire::ApprovalState::Approved));
    assert_eq!((approved.use_before, approved.votes.len()), (world.in_ms(30_000), 2));
    let status = vote(&world, &waiting, "cid", true).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "APPROVAL_NOT_PENDING", "approval_id");
    world.clock.advance_ms(30_000);
    assert_eq!(read(&world, &waiting.id).await.state(), wire::ApprovalState::Expired);
    let next = ask(&world, asking("a")).await.unwrap();
    assert_ne!(next.id, waiting.id);
    world.clock.advance_ms(60_000);
    assert_eq!(read(&world, &next.id).await.state(), wire::ApprovalState::Expired);
    let status = vote(&world, &next, "ann", true).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "APPROVAL_NOT_PENDING", "approval_id");
}

#[tokio::test]
async fn a_veto_ends_it_and_the_same_is_not_asked_again_at_once() {
    let world = start().await;
    set(&world, wire::ApprovalPolicy { veto: true, ..policy() }).await.unwrap();
    let waiting = ask(&world, asking("a")).await.unwrap();
    let denied = vote(&world, &waiting, "ann", false).await.unwrap().approval.unwrap();
    assert_eq!(denied.state(), wire::ApprovalState::Denied);
    let status = ask(&world, asking("a")).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "COOLING_DOWN", "permission");
    world.clock.advance_ms(5000);
    let again = ask(&world, asking("a")).await.unwrap();
    let mut approvals = world.approvals();
    let cancel = |id: &str| wire::CancelApprovalRequest { id: id.into(), reason: "no need".into() };
    let cancelled = approvals.cancel_approval(cancel(&again.id)).await.unwrap().into_inner();
    assert_eq!(cancelled.approval.unwrap().state(), wire::ApprovalState::Cancelled);
    let status = approvals.cancel_approval(cancel(&again.id)).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "APPROVAL_NOT_PENDING", "id");
    let status = approvals.cancel_approval(cancel("apr_")).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "id");
    let unknown = format!("apr_{:032x}", 1);
    let status = approvals.get_approval(wire::GetApprovalRequest { id: unknown }).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "APPROVAL_NOT_FOUND", "id");
}

#[tokio::test]
async fn an_approval_is_asked_only_for_what_waits_for_nothing_else() {
    let world = start().await;
    world.register("b").await;
    let (invalid, before) = (Code::InvalidArgument, Code::FailedPrecondition);
    let view = wire::RequestApprovalRequest { permission: "view".into(), ..asking("a") };
    let unbound = wire::RequestApprovalRequest { context: None, ..asking("a") };
    let chain = |change: &dyn Fn(&mut wire::Chain)| {
        let mut request = asking("a");
        change(request.chain.as_mut().unwrap());
        request
    };
    for (request, code, reason, field) in [
        (asking("b"), before, "APPROVAL_NOT_OFFERED", "permission"),
        (view, before, "APPROVAL_NOT_NEEDED", "permission"),
        (unbound, invalid, "BOUND_VALUE_MISSING", "context.amount"),
        (wire::RequestApprovalRequest { chain: None, ..asking("a") }, invalid, "MISSING_VALUE", "chain"),
        (
            wire::RequestApprovalRequest { permission: String::new(), ..asking("a") },
            invalid,
            "MISSING_VALUE",
            "permission",
        ),
        (
            wire::RequestApprovalRequest { resource: None, ..asking("a") },
            invalid,
            "MISSING_VALUE",
            "resource",
        ),
        (chain(&|c| c.root = None), invalid, "MISSING_VALUE", "chain.root"),
        (chain(&|c| c.actors = vec![agent("b")]), invalid, "CHAIN_NOT_DELEGATED", "chain.delegation_id"),
        (
            chain(&|c| c.session_id = format!("ses_{:032x}", 1)),
            Code::NotFound,
            "SESSION_NOT_FOUND",
            "chain.session_id",
        ),
        (
            chain(&|c| c.approval_id = format!("apr_{:032x}", 1)),
            invalid,
            "INVALID_VALUE",
            "chain.approval_id",
        ),
    ] {
        let status = ask(&world, request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    let status = vote(&world, &wire::Approval::default(), "ann", true).await.unwrap_err();
    assert_agents_error(&status, invalid, "MISSING_VALUE", "approval_id");
    let nobody = wire::VoteRequest { approval_id: format!("apr_{:032x}", 1), ..Default::default() };
    let status = world.approvals().vote(nobody).await.unwrap_err();
    assert_agents_error(&status, invalid, "MISSING_VALUE", "approver");
}

#[tokio::test]
async fn whoever_may_vote_finds_what_waits_for_them() {
    let world = start().await;
    let one = ask(&world, asking("a")).await.unwrap();
    let other = wire::RequestApprovalRequest { context: Some(text_struct("amount", "8")), ..asking("a") };
    let other = ask(&world, other).await.unwrap();
    vote(&world, &one, "ann", true).await.unwrap();
    let list = |votable_by: &str, actor: Option<&str>, state: i32| wire::ListApprovalsRequest {
        votable_by: (!votable_by.is_empty()).then(|| user(votable_by)),
        actor: actor.map(agent),
        state,
        ..Default::default()
    };
    let ids = async |request| {
        let answer = world.approvals().list_approvals(request).await.unwrap().into_inner();
        let mut ids: Vec<_> = answer.approvals.into_iter().map(|approval| approval.id).collect();
        ids.sort();
        ids
    };
    let mut both = vec![one.id.clone(), other.id.clone()];
    both.sort();
    assert_eq!(ids(list("ann", None, 0)).await, std::slice::from_ref(&other.id));
    assert_eq!(ids(list("ben", Some("a"), 0)).await, both);
    assert_eq!(ids(list("eve", None, 0)).await, Vec::<String>::new());
    assert_eq!(ids(list("", Some("b"), 0)).await, Vec::<String>::new());
    let state = |state: wire::ApprovalState| i32::from(state);
    assert_eq!(ids(list("", None, state(wire::ApprovalState::Pending))).await, both);
    vote(&world, &one, "ben", true).await.unwrap();
    assert_eq!(
        ids(list("", Some("a"), state(wire::ApprovalState::Approved))).await,
        std::slice::from_ref(&one.id)
    );
    world.clock.advance_ms(60_000);
    assert_eq!(ids(list("", None, state(wire::ApprovalState::Expired))).await, both);
    assert_eq!(ids(list("ben", None, 0)).await, Vec::<String>::new());
    let status = world.approvals().list_approvals(list("", None, 99)).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "state");
}
