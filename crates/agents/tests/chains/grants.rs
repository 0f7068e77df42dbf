//! Attacks on grants inside sessions that rest on an approval, each by its name.

use pemba_agents::authority::Outcome;
use pemba_agents::chain::Claim;
use pemba_agents::command::{self, Transition};
use pemba_agents::records::{
    ApprovalPolicy, ApprovalState, GrantPolicy, HumanStatus, KillMode, KillSelector, SessionBinding,
};
use pemba_agents::{ApprovalId, Reason, Refused, SessionId};

use crate::attacks;
use crate::world::{MINUTE, World, alone, approved, by, object, policy, scope};

const LINE: &str = "doc:3#viewer@agent:a";

fn of_grants() -> ApprovalPolicy {
    ApprovalPolicy { grants: true, ..policy("doc", "viewer", "grant") }
}

/// A session of agent `a`, in which who owns a document approves who views it; Bob owns document 3.
fn world() -> (World, SessionId) {
    let mut world = attacks::world();
    world.set_policy(of_grants());
    let new = world.session("agent:a", None);
    let id = world.open(new);
    (world, id)
}

/// Carol, who may nothing herself, asks and Bob approves.
fn given(world: &mut World, session: SessionId) -> ApprovalId {
    let approval = world.ask_grant(session, "user:carol", LINE).unwrap();
    world.vote(approval, "user:bob", true).unwrap();
    approval
}

fn grant_as(
    world: &mut World,
    session: SessionId,
    (grantor, line): (&str, &str),
    approval: ApprovalId,
) -> Result<(), Reason> {
    let mut new = world.granting(session, grantor, line);
    new.approval = Some(approval);
    world.grant(new).map(drop).map_err(|refused| refused.reason)
}

fn grant(world: &mut World, session: SessionId, approval: ApprovalId) -> Result<(), Reason> {
    grant_as(world, session, ("user:carol", LINE), approval)
}

fn views(world: &World, session: SessionId) -> Outcome {
    world.check(&Claim { session: Some(session), ..Claim::default() }, "view", "doc:3")
}

fn reason<T: std::fmt::Debug>(result: Result<T, Refused>) -> Reason {
    result.unwrap_err().reason
}

#[test]
fn an_approval_lets_somebody_grant_once_and_only_inside_the_session() {
    let (mut world, session) = world();
    let without = world.granting(session, "user:carol", LINE);
    assert_eq!(reason(world.grant(without)), Reason::GrantNotOffered);
    let approval = world.ask_grant(session, "user:carol", LINE).unwrap();
    assert_eq!(world.ask_grant(session, "user:carol", LINE).unwrap(), approval, "it waits already");
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalNotUsable), "nobody voted");
    world.vote(approval, "user:bob", true).unwrap();
    assert_eq!(views(&world, session), Outcome::Deny, "an approval alone gives nothing");
    let before = world.snapshot.revision();
    assert_eq!(grant(&mut world, session, approval), Ok(()));
    assert_eq!(world.snapshot.revision(), before.next(), "in one revision");
    assert!(matches!(world.book.approval(approval).unwrap().state, ApprovalState::Consumed { .. }));
    assert_eq!(views(&world, session), Outcome::Allow);
    assert_eq!(world.check(&alone("agent:a"), "view", "doc:3"), Outcome::Deny);
    world.restart();
    world.run(|moment| command::close_session(moment, &by(), session)).unwrap();
    assert_eq!(views(&world, session), Outcome::Deny);
}

#[test]
fn an_approval_of_a_grant_cannot_be_reused() {
    let (mut world, session) = world();
    let approval = given(&mut world, session);
    assert_eq!(grant(&mut world, session, approval), Ok(()));
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalNotUsable));
    world.restart();
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalNotUsable));
}

#[test]
fn an_approval_of_a_grant_serves_no_other_session() {
    let (mut world, session) = world();
    let approval = given(&mut world, session);
    let other = world.session("agent:a", None);
    let other = world.open(other);
    assert_eq!(grant(&mut world, other, approval), Err(Reason::ApprovalMismatch));
    world.run(|moment| command::close_session(moment, &by(), session)).unwrap();
    assert_eq!(grant(&mut world, session, approval), Err(Reason::SessionOver));
    assert_eq!(grant(&mut world, other, approval), Err(Reason::ApprovalMismatch));
}

#[test]
fn an_approval_of_a_grant_serves_no_other_relationship_grantor_client_or_longer_time() {
    let (mut world, session) = world();
    world.write(&["doc:4#owner@user:bob"]);
    let approval = given(&mut world, session);
    let mismatch = Err(Reason::ApprovalMismatch);
    let carol = "user:carol";
    assert_eq!(grant_as(&mut world, session, (carol, "doc:4#viewer@agent:a"), approval), mismatch);
    assert_eq!(grant_as(&mut world, session, (carol, "doc:3#owner@agent:a"), approval), mismatch);
    assert_eq!(grant_as(&mut world, session, ("user:dora", LINE), approval), mismatch);
    world.presenter.client = "thief".into();
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalBinding));
    world.presenter.client = "desk".into();
    let mut brief = world.granting(session, carol, LINE);
    let new = command::AskGrantApproval {
        id: ApprovalId(world.id()),
        session,
        grantor: object(carol),
        relationship: brief.relationships[0].clone(),
        not_after: Some(world.at(MINUTE)),
    };
    let presenter = world.presenter.clone();
    let asked = world.run(|moment| command::ask_grant_approval(moment, &by(), &presenter, new)).unwrap().id;
    world.vote(asked, "user:bob", true).unwrap();
    brief.approval = Some(asked);
    brief.not_after = Some(world.at(MINUTE + 1));
    assert_eq!(reason(world.grant(brief.clone())), Reason::ApprovalMismatch, "longer than approved");
    brief.not_after = None;
    let end = world.grant(brief).unwrap().grants[0].expires_at;
    assert_eq!(end, Some(world.at(MINUTE)), "what was approved, not the session's end");
    world.pass(MINUTE);
    assert_eq!(views(&world, session), Outcome::Deny);
}

#[test]
fn an_approver_who_lost_the_right_before_the_grant_counts_no_more() {
    let (mut world, session) = world();
    let approval = given(&mut world, session);
    world.delete(&["doc:3#owner@user:bob"]);
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalNotUsable));
    world.write(&["doc:3#owner@user:bob"]);
    world.set_human("user:bob", HumanStatus::Disabled, None);
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalNotUsable));
    world.set_human("user:bob", HumanStatus::Active, Some("carol"));
    world.set_human("user:carol", HumanStatus::Active, Some("carol"));
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalNotUsable), "the same person");
    world.set_human("user:carol", HumanStatus::Active, None);
    world.throw("locked", KillSelector::Agent(object("user:carol")), KillMode::DenyWrite);
    assert_eq!(grant(&mut world, session, approval), Err(Reason::GrantNotPermitted), "who grants only reads");
    world.run(|moment| command::lift_kill(moment, &by(), "locked")).unwrap();
    assert_eq!(grant(&mut world, session, approval), Ok(()));
}

#[test]
fn neither_who_grants_nor_anybody_of_the_chain_approves_a_grant() {
    let (mut world, _) = world();
    world.write(&["doc:3#owner@user:carol", "doc:3#owner@user:alice"]);
    let hop = world.delegate("user:alice", "agent:a", "doc:view:*");
    let new = world.session("agent:a", Some(hop));
    let session = world.open(new);
    let approval = world.ask_grant(session, "user:carol", "doc:3#viewer@user:alice").unwrap();
    for voter in ["user:carol", "user:alice", "agent:a"] {
        assert_eq!(reason(world.vote(approval, voter, true)), Reason::ApproverNotEligible, "{voter}");
    }
    world.vote(approval, "user:bob", true).unwrap();
    let granted = grant_as(&mut world, session, ("user:carol", "doc:3#viewer@user:alice"), approval);
    assert_eq!(granted, Ok(()));
}

#[test]
fn an_approval_lifts_neither_the_ceiling_nor_whom_a_grant_may_be_about() {
    let (mut world, session) = world();
    let ask = |world: &mut World, line| reason(world.ask_grant(session, "user:carol", line));
    assert_eq!(ask(&mut world, "doc:3#viewer@agent:b"), Reason::InvalidValue);
    let approval = given(&mut world, session);
    let mut bounded = world.registration("agent:a");
    bounded.ceiling = Some(scope("doc:view:1"));
    world.run(|moment| command::update(moment, &by(), bounded, 1)).unwrap();
    assert_eq!(ask(&mut world, LINE), Reason::GrantAboveCeiling);
    assert_eq!(grant(&mut world, session, approval), Err(Reason::GrantAboveCeiling));
    world.transition("agent:a", Transition::Suspend);
    assert_eq!(views(&world, session), Outcome::Deny);
}

#[test]
fn an_approval_of_a_grant_is_none_of_using_the_relation_and_the_other_way_round() {
    let (mut world, session) = world();
    world.write(&[LINE]);
    world.set_policy(policy("doc", "viewer", "grant"));
    let of_grant = given(&mut world, session);
    let inside = Claim { session: Some(session), ..Claim::default() };
    let used = world.decision(&approved(&inside, of_grant), "viewer", "doc:3", None);
    assert_eq!(reason(used), Reason::ApprovalMismatch);
    let of_use = world.ask(&inside, "viewer", "doc:3", None).unwrap().id;
    world.vote(of_use, "user:bob", true).unwrap();
    assert_eq!(grant(&mut world, session, of_use), Err(Reason::ApprovalMismatch));
}

#[test]
fn a_policy_of_grants_that_changed_or_went_voids_what_was_approved_under_it() {
    let (mut world, session) = world();
    let approval = given(&mut world, session);
    world.set_policy(of_grants());
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalMismatch));
    let approval = given(&mut world, session);
    world.run(|moment| command::unset_approval_policy(moment, "doc", "viewer", true)).unwrap();
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalMismatch));
    world.set_policy(of_grants());
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalMismatch));
}

#[test]
fn an_approval_of_a_grant_ends_at_its_instant_and_a_rejected_one_cools_down() {
    let (mut world, session) = world();
    let approval = given(&mut world, session);
    world.pass(10 * MINUTE);
    assert_eq!(grant(&mut world, session, approval), Err(Reason::ApprovalNotUsable));
    let again = world.ask_grant(session, "user:carol", LINE).unwrap();
    world.vote(again, "user:bob", false).unwrap();
    assert_eq!(grant(&mut world, session, again), Err(Reason::ApprovalNotUsable));
    assert_eq!(reason(world.ask_grant(session, "user:carol", LINE)), Reason::CoolingDown);
}

#[test]
fn who_has_the_right_needs_no_approval_and_the_session_may_be_another_clients() {
    let (mut world, _) = world();
    let offer = GrantPolicy {
        resource_type: "doc".into(),
        relation: "viewer".into(),
        grantor_permission: "grant".into(),
    };
    world.run(|moment| command::set_grant_policy(moment, offer)).unwrap();
    let mut new = world.session("agent:a", None);
    new.binding = SessionBinding::Client("runtime".into());
    let session = world.open(new);
    assert_eq!(reason(world.ask_grant(session, "user:bob", LINE)), Reason::ApprovalNotNeeded);
    let approval = given(&mut world, session);
    assert_eq!(grant(&mut world, session, approval), Ok(()));
    world.presenter.client = "runtime".into();
    assert_eq!(views(&world, session), Outcome::Allow);
}
