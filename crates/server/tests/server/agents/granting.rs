//! Grants inside sessions that rest on an approval.

use pemba_proto::pemba::v1 as wire;
use tonic::{Code, Status};

use super::approvals::{policy, set};
use super::sessions::opening;
use super::world::*;
use crate::harness::*;

const LINE: &str = "document:x#viewer@agent:a";

fn of_grants() -> wire::ApprovalPolicy {
    wire::ApprovalPolicy {
        permission: "viewer".into(),
        grants: true,
        quorum: 1,
        bind: Vec::new(),
        ..policy()
    }
}

/// Ann may approve that somebody views document `x`, in an open session of agent `a`.
async fn start() -> (World, wire::Session) {
    let world = World::start().await;
    world.harness.touch(&["document:x#approver@user:ann"]).await;
    set(&world, of_grants()).await.unwrap();
    let opened = world.open(opening("a")).await.unwrap();
    (world, opened)
}

fn asking(session: &wire::Session) -> wire::RequestGrantApprovalRequest {
    wire::RequestGrantApprovalRequest {
        session_id: session.id.clone(),
        grantor: Some(user("carol")),
        relationship: Some(relationship(LINE)),
        reason: "one look".into(),
        ..Default::default()
    }
}

async fn ask(world: &World, request: wire::RequestGrantApprovalRequest) -> Result<wire::Approval, Status> {
    Ok(world.approvals().request_grant_approval(request).await?.into_inner().approval.unwrap())
}

async fn approve(world: &World, approval: &wire::Approval) {
    let (approval_id, approver) = (approval.id.clone(), Some(user("ann")));
    let vote = wire::VoteRequest { approval_id, approver, approves: true, comment: String::new() };
    world.approvals().vote(vote).await.unwrap();
}

fn granting(session: &wire::Session, approval: &wire::Approval) -> wire::GrantInSessionRequest {
    wire::GrantInSessionRequest {
        session_id: session.id.clone(),
        grantor: Some(user("carol")),
        relationships: vec![relationship(LINE)],
        approval_id: approval.id.clone(),
        ..Default::default()
    }
}

#[tokio::test]
async fn a_grant_by_an_approval_is_asked_for_approved_and_done_in_one_revision() {
    let (world, session) = start().await;
    let asked = ask(&world, asking(&session)).await.unwrap();
    assert_eq!(ask(&world, asking(&session)).await.unwrap(), asked, "it waits already");
    let grant = asked.grant.clone().unwrap();
    assert_eq!((grant.grantor, asked.permission.as_str()), (Some(user("carol")), "viewer"));
    assert_eq!(grant.relationship.unwrap().optional_expires_at, session.not_after);
    assert_eq!(asked.chain.clone().unwrap().session_id, session.id);
    let mut sessions = world.sessions();
    let early = sessions.grant_in_session(granting(&session, &asked)).await.unwrap_err();
    assert_agents_error(&early, Code::FailedPrecondition, "APPROVAL_NOT_USABLE", "approval_id");
    let list = wire::ListApprovalsRequest { votable_by: Some(user("ann")), ..Default::default() };
    let listed = world.approvals().list_approvals(list).await.unwrap().into_inner().approvals;
    assert_eq!(listed.len(), 1);
    approve(&world, &asked).await;
    let before = world.head();
    let granted = sessions.grant_in_session(granting(&session, &asked)).await.unwrap().into_inner();
    assert_eq!(world.head(), before + 1);
    assert_eq!(granted.session.unwrap().grants.len(), 1);
    let again = sessions.grant_in_session(granting(&session, &asked)).await.unwrap_err();
    assert_agents_error(&again, Code::FailedPrecondition, "APPROVAL_NOT_USABLE", "approval_id");
    let get = wire::GetApprovalRequest { id: asked.id };
    let approval = world.approvals().get_approval(get).await.unwrap().into_inner().approval.unwrap();
    assert_eq!(approval.state, i32::from(wire::ApprovalState::Consumed));
}

#[tokio::test]
async fn of_64_grants_at_once_with_one_approval_exactly_one_succeeds() {
    let (world, session) = start().await;
    let asked = ask(&world, asking(&session)).await.unwrap();
    approve(&world, &asked).await;
    let before = world.head();
    let mut all = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (mut sessions, request) = (world.sessions(), granting(&session, &asked));
        all.spawn(async move { sessions.grant_in_session(request).await });
    }
    let done = all.join_all().await;
    assert_eq!(done.iter().filter(|answer| answer.is_ok()).count(), 1);
    for refused in done.into_iter().filter_map(Result::err) {
        assert_agents_error(&refused, Code::FailedPrecondition, "APPROVAL_NOT_USABLE", "approval_id");
    }
    assert_eq!(world.head(), before + 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_grant_to_approve_is_told_with_its_field() {
    let (world, session) = start().await;
    let (invalid, state) = (Code::InvalidArgument, Code::FailedPrecondition);
    let with = |change: &dyn Fn(&mut wire::RequestGrantApprovalRequest)| {
        let mut request = asking(&session);
        change(&mut request);
        request
    };
    let cases = [
        (with(&|new| new.session_id.clear()), invalid, "MISSING_VALUE", "session_id"),
        (
            with(&|new| new.session_id = format!("ses_{:032x}", 1)),
            Code::NotFound,
            "SESSION_NOT_FOUND",
            "session_id",
        ),
        (with(&|new| new.grantor = None), invalid, "MISSING_VALUE", "grantor"),
        (with(&|new| new.relationship = None), invalid, "MISSING_VALUE", "relationship"),
        (
            with(&|new| new.relationship = Some(relationship("document:x#viewer@agent:b"))),
            invalid,
            "INVALID_VALUE",
            "relationship",
        ),
        (
            with(&|new| new.relationship = Some(relationship("document:x#editor@agent:a"))),
            Code::NotFound,
            "POLICY_NOT_FOUND",
            "relationship",
        ),
        (with(&|new| new.not_after = world.in_ms(60_001)), state, "OUTLIVES_PARENT", "not_after"),
    ];
    let head = world.head();
    for (request, code, reason, field) in cases {
        let status = ask(&world, request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    assert_eq!(world.head(), head);
    let approval = ask(&world, asking(&session)).await.unwrap();
    let other = world.open(opening("a")).await.unwrap();
    let status = world.sessions().grant_in_session(granting(&other, &approval)).await.unwrap_err();
    assert_agents_error(&status, invalid, "APPROVAL_MISMATCH", "approval_id");
}
