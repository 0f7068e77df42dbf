//! Delegations made, renewed, revoked and listed.

use pemba_proto::pemba::v1 as wire;
use tonic::Code;

use super::world::*;
use crate::harness::*;

/// From alice to `agent:to`: one document, for a minute, with one more hop.
pub fn first(world: &World, to: &str) -> wire::DelegateRequest {
    wire::DelegateRequest {
        from: Some(user("alice")),
        to: Some(subject(&format!("agent:{to}"))),
        scope: Some(documents(&["view", "edit"], &["x"])),
        not_after: world.in_ms(60_000),
        depth_left: 1,
        consent: "while I am away".into(),
        ..Default::default()
    }
}

/// From the agent of a delegation to another, for the same.
fn next(before: &wire::Delegation, to: &str) -> wire::DelegateRequest {
    wire::DelegateRequest {
        parent_id: before.id.clone(),
        from: before.to.clone().unwrap().object,
        to: Some(subject(&format!("agent:{to}"))),
        scope: before.scope.clone(),
        not_after: before.not_after,
        ..Default::default()
    }
}

async fn chain(world: &World, id: &str) -> Vec<wire::Delegation> {
    let request = wire::GetDelegationRequest { id: id.into() };
    world.delegations().get_delegation(request).await.unwrap().into_inner().chain
}

fn revoke(id: &str) -> wire::RevokeDelegationRequest {
    wire::RevokeDelegationRequest { id: id.into(), reason: "done".into() }
}

#[tokio::test]
async fn a_delegation_is_one_revision_and_says_what_sleeps() {
    let world = World::start().await;
    world.harness.touch(&["document:x#viewer@user:alice"]).await;
    let before = world.head();
    let answer = world.delegations().delegate(first(&world, "a")).await.unwrap().into_inner();
    assert_eq!(world.head(), before + 1);
    assert_eq!(answer.sleeping, ["edit on document:x"]);
    let made = answer.delegation.unwrap();
    assert!(made.id.starts_with("dlg_") && made.parent_id.is_empty(), "{}", made.id);
    assert_eq!((made.root.clone(), made.depth, made.depth_left), (Some(user("alice")), 1, 1));
    assert_eq!((made.version, made.created_by.as_str(), made.alive), (1, "anybody", true));
    assert_eq!((made.not_before, made.not_after), (world.in_ms(0), world.in_ms(60_000)));
    let hop = world.delegate(next(&made, "b")).await.unwrap();
    assert_eq!((hop.root.clone(), hop.depth, hop.depth_left), (Some(user("alice")), 2, 0));
    assert_eq!(chain(&world, &hop.id).await, [made, hop]);
}

#[tokio::test]
async fn what_is_wrong_with_a_delegation_is_told_with_its_field() {
    let world = World::start().await;
    world.register("stopped").await;
    let stop = wire::TransitionRequest { principals: vec![agent("stopped")], ..Default::default() };
    world.agents().suspend_agents(stop).await.unwrap();
    let made = world.delegate(first(&world, "a")).await.unwrap();
    let last = world.delegate(next(&made, "b")).await.unwrap();
    let good = || first(&world, "c");
    let hop = || next(&made, "c");
    let (invalid, before) = (Code::InvalidArgument, Code::FailedPrecondition);
    let cases = [
        (wire::DelegateRequest { from: None, ..good() }, invalid, "MISSING_VALUE", "from"),
        (wire::DelegateRequest { to: None, ..good() }, invalid, "MISSING_VALUE", "to"),
        (wire::DelegateRequest { scope: None, ..good() }, invalid, "MISSING_VALUE", "scope"),
        (
            wire::DelegateRequest { scope: Some(wire::Scope::default()), ..good() },
            invalid,
            "EMPTY_SCOPE",
            "scope.clauses",
        ),
        (wire::DelegateRequest { not_after: None, ..good() }, invalid, "MISSING_VALUE", "not_after"),
        (
            wire::DelegateRequest { not_after: world.in_ms(-1), ..good() },
            invalid,
            "INVALID_PERIOD",
            "not_after",
        ),
        (
            wire::DelegateRequest { not_after: world.in_ms(400 * 86_400_000), ..good() },
            Code::ResourceExhausted,
            "TOO_MUCH",
            "not_after",
        ),
        (wire::DelegateRequest { parent_id: "x".into(), ..good() }, invalid, "INVALID_VALUE", "parent_id"),
        (
            wire::DelegateRequest { parent_id: format!("dlg_{:032x}", 1), ..good() },
            Code::NotFound,
            "DELEGATION_NOT_FOUND",
            "parent_id",
        ),
        (wire::DelegateRequest { uses: Some(0), ..good() }, invalid, "INVALID_VALUE", "uses"),
        (wire::DelegateRequest { depth_left: 8, ..good() }, before, "DEPTH_EXCEEDED", "depth_left"),
        (wire::DelegateRequest { root: Some(user("bob")), ..good() }, invalid, "ROOT_MISMATCH", "root"),
        (
            wire::DelegateRequest { session_id: format!("ses_{:032x}", 1), ..good() },
            Code::NotFound,
            "SESSION_NOT_FOUND",
            "session_id",
        ),
        (
            wire::DelegateRequest { to: Some(subject("team:ops#member")), ..good() },
            invalid,
            "USERSET_UNBOUNDED",
            "to",
        ),
        (first(&world, "stopped"), before, "WRONG_STATUS", "to"),
        (wire::DelegateRequest { from: Some(user("bob")), ..hop() }, invalid, "DELEGATOR_MISMATCH", "from"),
        (wire::DelegateRequest { depth_left: 1, ..hop() }, before, "DEPTH_EXCEEDED", "depth_left"),
        (next(&last, "c"), before, "DEPTH_EXCEEDED", "parent_id"),
        (
            wire::DelegateRequest { scope: Some(documents(&["view"], &[])), ..hop() },
            before,
            "SCOPE_WIDER",
            "scope.clauses[0]",
        ),
        (
            wire::DelegateRequest { not_after: world.in_ms(60_001), ..hop() },
            before,
            "OUTLIVES_PARENT",
            "not_after",
        ),
        (
            wire::DelegateRequest { to: Some(subject("user:alice")), ..hop() },
            invalid,
            "PRINCIPAL_TWICE",
            "to",
        ),
    ];
    let head = world.head();
    for (request, code, reason, field) in cases {
        let status = world.delegate(request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    assert_eq!(world.head(), head, "refusals write nothing");
}

#[tokio::test]
async fn a_revocation_is_one_write_and_ends_what_rests_on_it() {
    let world = World::start().await;
    let made = world.delegate(first(&world, "a")).await.unwrap();
    let hop = world.delegate(next(&made, "b")).await.unwrap();
    let other = world.delegate(first(&world, "a")).await.unwrap();
    let before = world.head();
    let mut delegations = world.delegations();
    let ended = delegations.revoke_delegation(revoke(&made.id)).await.unwrap().into_inner();
    assert_eq!(world.head(), before + 1);
    let ended_at = ended.written_at.unwrap();
    let why = ended.delegation.unwrap().revoked.unwrap();
    assert_eq!((why.by.as_str(), why.reason.as_str(), why.at), ("anybody", "done", world.in_ms(0)));
    let alive: Vec<bool> = chain(&world, &hop.id).await.iter().map(|hop| hop.alive).collect();
    assert_eq!(alive, [false, false]);
    assert!(chain(&world, &other.id).await[0].alive, "another delegation of the same survives");
    let again = delegations.revoke_delegation(revoke(&made.id)).await.unwrap().into_inner();
    assert_eq!((world.head(), again.written_at.unwrap()), (before + 1, ended_at));
    let status = world.delegate(next(&made, "c")).await.unwrap_err();
    assert_agents_error(&status, Code::FailedPrecondition, "DELEGATION_OVER", "parent_id");
    let status = delegations.revoke_delegation(revoke(&format!("dlg_{:032x}", 5))).await.unwrap_err();
    assert_agents_error(&status, Code::NotFound, "DELEGATION_NOT_FOUND", "id");
    let status = delegations.revoke_delegation(revoke("")).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "MISSING_VALUE", "id");
    let status =
        delegations.get_delegation(wire::GetDelegationRequest { id: "dlg_".into() }).await.unwrap_err();
    assert_agents_error(&status, Code::InvalidArgument, "INVALID_VALUE", "id");
}

#[tokio::test]
async fn alive_is_what_records_and_clock_say_now() {
    let world = World::start().await;
    world.register("a").await;
    let made = world.delegate(first(&world, "a")).await.unwrap();
    let hop = world.delegate(next(&made, "b")).await.unwrap();
    let later = wire::DelegateRequest { not_before: world.in_ms(1000), ..first(&world, "a") };
    let later = world.delegate(later).await.unwrap();
    assert!(!later.alive);
    let transition = wire::TransitionRequest { principals: vec![agent("a")], ..Default::default() };
    world.agents().suspend_agents(transition.clone()).await.unwrap();
    assert!(!chain(&world, &hop.id).await[1].alive, "who is in the middle is stopped");
    world.agents().resume_agents(transition.clone()).await.unwrap();
    assert!(chain(&world, &hop.id).await[1].alive);
    world.clock.advance_ms(1000);
    assert!(chain(&world, &later.id).await[0].alive);
    world.agents().retire_agents(transition).await.unwrap();
    world.register("a").await;
    assert!(!chain(&world, &hop.id).await[1].alive, "it was given to another incarnation");
    let other = world.delegate(first(&world, "z")).await.unwrap();
    world.clock.advance_ms(60_000);
    assert!(!chain(&world, &other.id).await[0].alive);
}

#[tokio::test]
async fn a_renewal_moves_the_end_and_narrows() {
    let world = World::start().await;
    let made = world.delegate(first(&world, "a")).await.unwrap();
    let mut delegations = world.delegations();
    let renew = |change: &dyn Fn(&mut wire::RenewDelegationRequest)| {
        let mut request = wire::RenewDelegationRequest { id: made.id.clone(), ..Default::default() };
        change(&mut request);
        request
    };
    let (end, past) = (world.in_ms(90_000), world.in_ms(-1));
    let renewed = delegations
        .renew_delegation(renew(&|r| {
            r.not_after = end;
            r.scope = Some(documents(&["view"], &["x"]));
            r.depth_left = Some(0);
            r.uses_left = Some(3);
            r.version = 1;
        }))
        .await
        .unwrap()
        .into_inner()
        .delegation
        .unwrap();
    assert_eq!((renewed.version, renewed.not_after, renewed.depth_left), (2, end, 0));
    assert_eq!((renewed.uses_left, renewed.scope), (Some(3), Some(documents(&["view"], &["x"]))));
    let before = Code::FailedPrecondition;
    for (request, code, reason, field) in [
        (renew(&|r| r.version = 1), before, "VERSION_MISMATCH", "version"),
        (renew(&|r| r.scope = Some(documents(&["edit"], &["x"]))), before, "SCOPE_WIDER", "scope.clauses[0]"),
        (renew(&|r| r.depth_left = Some(1)), before, "DEPTH_EXCEEDED", "depth_left"),
        (renew(&|r| r.uses_left = Some(4)), before, "USES_WIDER", "uses_left"),
        (renew(&|r| r.not_after = past), Code::InvalidArgument, "INVALID_PERIOD", "not_after"),
        (renew(&|r| r.id.clear()), Code::InvalidArgument, "MISSING_VALUE", "id"),
        (renew(&|r| r.id = format!("dlg_{:032x}", 9)), Code::NotFound, "DELEGATION_NOT_FOUND", "id"),
    ] {
        let status = delegations.renew_delegation(request).await.unwrap_err();
        assert_agents_error(&status, code, reason, field);
    }
    delegations.revoke_delegation(revoke(&made.id)).await.unwrap();
    let status = delegations.renew_delegation(renew(&|r| r.not_after = end)).await.unwrap_err();
    assert_agents_error(&status, before, "DELEGATION_OVER", "id");
}
