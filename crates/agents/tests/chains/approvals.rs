//! Attacks on approvals, each by its name.

use pemba_agents::authority::{Limit, Outcome};
use pemba_agents::chain::Claim;
use pemba_agents::command::{self, Transition};
use pemba_agents::records::{
    Applies, ApprovalState, ApprovalUses, Distinct, HumanStatus, KillMode, KillSelector,
};
use pemba_agents::{ApprovalId, DelegationId, Reason};

use crate::world::{MINUTE, World, alone, approved, by, context, leaf, object, policy, scope};

const SCHEMA: &str = "
definition user {}
definition agent {}
definition account {
    relation owner: user | agent
    relation manager: user | agent
    permission pay = owner
    permission approve = manager
}";

/// Agent `a` pays on Alice's authority; Mia and Max manage the account.
fn world() -> (World, DelegationId) {
    let mut world = World::new(SCHEMA);
    world.declare();
    world.write(&["account:1#owner@user:alice", "account:1#manager@user:mia", "account:1#manager@user:max"]);
    world.register("agent:a", |new| new.blueprint = Some("payer".into()));
    let id = world.delegate("user:alice", "agent:a", "account:pay,approve:*");
    world.set_policy(policy("account", "pay", "approve"));
    (world, id)
}

fn ask(world: &mut World, id: DelegationId) -> ApprovalId {
    world.ask(&leaf(id), "pay", "account:1", None).unwrap().id
}

fn reason<T: std::fmt::Debug>(result: Result<T, pemba_agents::Refused>) -> Reason {
    result.unwrap_err().reason
}

fn consumed(world: &mut World, claim: &Claim, key: &str) -> Outcome {
    world.consume(claim, "pay", "account:1", (None, key)).unwrap().decision.outcome
}

#[test]
fn an_approval_serves_once_and_only_by_consuming() {
    let (mut world, id) = world();
    assert_eq!(world.check(&leaf(id), "pay", "account:1"), Outcome::RequiresApproval);
    let approval = ask(&mut world, id);
    let claim = approved(&leaf(id), approval);
    assert_eq!(world.check(&claim, "pay", "account:1"), Outcome::RequiresApproval, "nobody voted");
    world.vote(approval, "user:mia", true).unwrap();
    assert_eq!(world.check(&leaf(id), "pay", "account:1"), Outcome::RequiresApproval, "it must be named");
    assert_eq!(world.check(&claim, "pay", "account:1"), Outcome::RequiresConsumption);
    assert_eq!(consumed(&mut world, &claim, "k1"), Outcome::Allow);
    assert_eq!(consumed(&mut world, &claim, "k2"), Outcome::RequiresApproval, "reused");
    assert_eq!(consumed(&mut world, &claim, "k1"), Outcome::Allow, "the same answer to the same key");
    world.restart();
    assert!(matches!(world.book.approval(approval).unwrap().state, ApprovalState::Consumed { .. }));
}

#[test]
fn an_approval_is_for_one_action_of_one_chain_and_client() {
    let (mut world, id) = world();
    world.write(&["account:2#owner@user:alice", "account:2#manager@user:mia"]);
    let other = world.delegate("user:alice", "agent:a", "account:pay:*");
    let approval = ask(&mut world, id);
    world.vote(approval, "user:mia", true).unwrap();
    let elsewhere = world.decision(&approved(&leaf(id), approval), "pay", "account:2", None);
    assert_eq!(reason(elsewhere), Reason::ApprovalMismatch);
    let otherwise = world.decision(&approved(&leaf(other), approval), "pay", "account:1", None);
    assert_eq!(reason(otherwise), Reason::ApprovalMismatch, "another delegation of the same two");
    world.presenter.client = "thief".into();
    let stolen = world.decision(&approved(&leaf(id), approval), "pay", "account:1", None);
    assert_eq!(reason(stolen), Reason::ApprovalBinding);
    let own = world.ask(&leaf(id), "pay", "account:1", None).unwrap();
    assert_ne!(own.id, approval, "another client asks for its own");
    let cancelled = world.presenter.clone();
    let refused = world.run(|moment| command::cancel_approval(moment, &by(), &cancelled, approval));
    assert_eq!(reason(refused), Reason::ApprovalBinding);
}

#[test]
fn bound_values_cannot_be_left_out_or_changed() {
    let (mut world, id) = world();
    let mut bound = policy("account", "pay", "approve");
    bound.bind = ["amount".into()].into();
    world.set_policy(bound);
    assert_eq!(reason(world.ask(&leaf(id), "pay", "account:1", None)), Reason::BoundValueMissing);
    let ten = context(r#"{"amount": 10}"#);
    let approval = world.ask(&leaf(id), "pay", "account:1", Some(ten.clone())).unwrap().id;
    world.vote(approval, "user:mia", true).unwrap();
    let claim = approved(&leaf(id), approval);
    let thousand = context(r#"{"amount": 1000}"#);
    assert_eq!(reason(world.decision(&claim, "pay", "account:1", Some(&thousand))), Reason::ApprovalMismatch);
    assert_eq!(reason(world.decision(&claim, "pay", "account:1", None)), Reason::BoundValueMissing);
    let used = world.consume(&claim, "pay", "account:1", (Some(ten), "k")).unwrap();
    assert_eq!(used.decision.outcome, Outcome::Allow);
}

#[test]
fn a_hopeless_action_reaches_no_human() {
    let (mut world, id) = world();
    assert_eq!(reason(world.ask(&leaf(id), "pay", "account:9", None)), Reason::ApprovalNotOffered);
    assert_eq!(reason(world.ask(&leaf(id), "approve", "account:1", None)), Reason::ApprovalNotOffered);
    assert_eq!(reason(world.ask(&alone("user:alice"), "pay", "account:1", None)), Reason::ApprovalNotNeeded);
    let approval = ask(&mut world, id);
    world.vote(approval, "user:mia", true).unwrap();
    world.delete(&["account:1#owner@user:alice"]);
    assert_eq!(
        consumed(&mut world, &approved(&leaf(id), approval), "k"),
        Outcome::Deny,
        "it overrides nothing"
    );
}

#[test]
fn nobody_of_the_chain_approves_for_it() {
    let (mut world, id) = world();
    world.write(&["account:1#manager@user:alice", "account:1#manager@agent:a", "account:1#manager@agent:b"]);
    let mut lax = policy("account", "pay", "approve");
    lax.human_only = false;
    world.set_policy(lax);
    let approval = ask(&mut world, id);
    for voter in ["user:alice", "agent:a"] {
        assert_eq!(reason(world.vote(approval, voter, true)), Reason::ApproverNotEligible, "{voter}");
        assert_eq!(reason(world.vote(approval, voter, false)), Reason::ApproverNotEligible, "nor rejects");
    }
    world.register("agent:b", |new| new.blueprint = Some("payer".into()));
    assert_eq!(reason(world.vote(approval, "agent:b", true)), Reason::ApproverNotEligible, "a sibling");
    let mut other = world.registration("agent:b");
    other.blueprint = Some("auditor".into());
    world.run(|moment| command::update(moment, &by(), other, 1)).unwrap();
    world.vote(approval, "agent:b", true).unwrap();
}

#[test]
fn an_agent_approves_only_where_the_policy_says_so_and_within_its_own_bounds() {
    let (mut world, id) = world();
    world.write(&["account:1#manager@agent:b"]);
    world.register("agent:b", |new| new.ceiling = Some(scope("account:pay:*")));
    let approval = ask(&mut world, id);
    assert_eq!(reason(world.vote(approval, "agent:b", true)), Reason::ApproverNotEligible, "humans only");
    let mut lax = policy("account", "pay", "approve");
    lax.human_only = false;
    world.set_policy(lax);
    let approval = ask(&mut world, id);
    assert_eq!(reason(world.vote(approval, "agent:b", true)), Reason::ApproverNotEligible, "its ceiling");
    let free = world.registration("agent:b");
    world.run(|moment| command::update(moment, &by(), free, 1)).unwrap();
    world.transition("agent:b", Transition::Quarantine);
    assert_eq!(reason(world.vote(approval, "agent:b", true)), Reason::ApproverNotEligible, "quarantined");
    world.transition("agent:b", Transition::Resume);
    world.vote(approval, "agent:b", true).unwrap();
    let claim = approved(&leaf(id), approval);
    assert_eq!(world.check(&claim, "pay", "account:1"), Outcome::RequiresConsumption);
    world.throw("stop", KillSelector::Agent(object("agent:b")), KillMode::DenyAll);
    assert_eq!(
        world.check(&claim, "pay", "account:1"),
        Outcome::RequiresApproval,
        "its approver was stopped"
    );
}

#[test]
fn an_approver_who_lost_the_right_or_left_counts_no_more() {
    let (mut world, id) = world();
    let approval = ask(&mut world, id);
    let claim = approved(&leaf(id), approval);
    world.vote(approval, "user:mia", true).unwrap();
    world.delete(&["account:1#manager@user:mia"]);
    assert_eq!(consumed(&mut world, &claim, "k1"), Outcome::RequiresApproval);
    world.write(&["account:1#manager@user:mia"]);
    world.set_human("user:mia", HumanStatus::Disabled, None);
    assert_eq!(consumed(&mut world, &claim, "k2"), Outcome::RequiresApproval);
    world.set_human("user:mia", HumanStatus::Active, None);
    world.throw("locked", KillSelector::Agent(object("user:mia")), KillMode::DenyAll);
    assert_eq!(consumed(&mut world, &claim, "k3"), Outcome::RequiresApproval);
    world.run(|moment| command::lift_kill(moment, &by(), "locked")).unwrap();
    assert_eq!(consumed(&mut world, &claim, "k4"), Outcome::Allow);
}

#[test]
fn one_person_under_two_accounts_votes_once() {
    let (mut world, id) = world();
    let mut two = policy("account", "pay", "approve");
    two.quorum = 2;
    world.set_policy(two);
    let approval = ask(&mut world, id);
    world.vote(approval, "user:mia", true).unwrap();
    assert_eq!(reason(world.vote(approval, "user:mia", true)), Reason::AlreadyVoted);
    // It becomes known only after the first vote.
    for account in ["user:mia", "user:max"] {
        world.set_human(account, HumanStatus::Active, Some("mia"));
    }
    assert_eq!(reason(world.vote(approval, "user:max", true)), Reason::AlreadyVoted);
}

#[test]
fn two_votes_that_turn_out_to_be_one_persons_are_no_quorum() {
    let (mut world, id) = world();
    let mut two = policy("account", "pay", "approve");
    two.quorum = 2;
    world.set_policy(two);
    let approval = ask(&mut world, id);
    world.vote(approval, "user:mia", true).unwrap();
    world.vote(approval, "user:max", true).unwrap();
    let claim = approved(&leaf(id), approval);
    assert_eq!(world.check(&claim, "pay", "account:1"), Outcome::RequiresConsumption);
    for account in ["user:mia", "user:max"] {
        world.set_human(account, HumanStatus::Active, Some("mia"));
    }
    assert_eq!(consumed(&mut world, &claim, "k"), Outcome::RequiresApproval);
}

#[test]
fn the_person_behind_the_root_does_not_approve_under_another_account() {
    let (mut world, id) = world();
    for account in ["user:alice", "user:mia"] {
        world.set_human(account, HumanStatus::Active, Some("alice"));
    }
    let approval = ask(&mut world, id);
    assert_eq!(reason(world.vote(approval, "user:mia", true)), Reason::ApproverNotEligible);
    world.vote(approval, "user:max", true).unwrap();
}

#[test]
fn whom_a_policy_sets_apart_does_not_approve() {
    let (mut world, id) = world();
    world.write(&[
        "account:1#manager@user:sponsor",
        "account:1#manager@user:asker",
        "account:1#manager@user:opener",
    ]);
    let mut apart = policy("account", "pay", "approve");
    apart.distinct_from = [Distinct::Sponsor, Distinct::Requester, Distinct::SessionOpener].into();
    world.set_policy(apart);
    let mut session = world.session("agent:a", Some(id));
    session.opened_for = Some(object("user:opener"));
    let claim = Claim { session: Some(world.open(session)), ..leaf(id) };
    let new = command::AskApproval {
        id: ApprovalId(world.id()),
        claim: claim.clone(),
        permission: "pay".into(),
        resource: object("account:1"),
        values: None,
        requester: Some(object("user:asker")),
    };
    let presenter = world.presenter.clone();
    let approval = world.run(|moment| command::ask_approval(moment, &by(), &presenter, new)).unwrap().id;
    for voter in ["user:sponsor", "user:asker", "user:opener"] {
        assert_eq!(reason(world.vote(approval, voter, true)), Reason::ApproverNotEligible, "{voter}");
    }
    world.vote(approval, "user:mia", true).unwrap();
    assert_eq!(consumed(&mut world, &approved(&claim, approval), "k"), Outcome::Allow);
    let without = world.decision(&approved(&leaf(id), approval), "pay", "account:1", None);
    assert_eq!(reason(without), Reason::ApprovalMismatch, "outside the session it was asked in");
}

#[test]
fn a_policy_that_changed_voids_what_was_asked_under_it() {
    let (mut world, id) = world();
    let pending = ask(&mut world, id);
    world.set_policy(policy("account", "pay", "approve"));
    assert_eq!(reason(world.vote(pending, "user:mia", true)), Reason::ApprovalNotPending);
    let given = ask(&mut world, id);
    world.vote(given, "user:mia", true).unwrap();
    world.set_policy(policy("account", "pay", "approve"));
    let claim = approved(&leaf(id), given);
    assert_eq!(reason(world.decision(&claim, "pay", "account:1", None)), Reason::ApprovalMismatch);
    // Nor does it come back when the policy is removed and set again.
    let again = ask(&mut world, id);
    world.vote(again, "user:mia", true).unwrap();
    world.run(|moment| command::unset_approval_policy(moment, "account", "pay", false)).unwrap();
    world.set_policy(policy("account", "pay", "approve"));
    let claim = approved(&leaf(id), again);
    assert_eq!(reason(world.decision(&claim, "pay", "account:1", None)), Reason::ApprovalMismatch);
}

#[test]
fn the_same_action_waits_once_and_cools_down_after_a_rejection() {
    let (mut world, id) = world();
    let first = ask(&mut world, id);
    assert_eq!(ask(&mut world, id), first);
    world.vote(first, "user:max", false).unwrap();
    assert_eq!(reason(world.vote(first, "user:mia", true)), Reason::ApprovalNotPending, "one veto ends it");
    world.pass(5 * MINUTE - 1);
    assert_eq!(reason(world.ask(&leaf(id), "pay", "account:1", None)), Reason::CoolingDown);
    world.presenter.client = "another".into();
    assert_eq!(reason(world.ask(&leaf(id), "pay", "account:1", None)), Reason::CoolingDown, "by whomever");
    world.pass(1);
    assert_ne!(ask(&mut world, id), first);
}

#[test]
fn no_actor_floods_those_who_approve() {
    let (mut world, id) = world();
    let mut few = policy("account", "pay", "approve");
    few.pending_per_actor_max = 2;
    world.set_policy(few);
    world.write(&["account:2#owner@user:alice", "account:3#owner@user:alice"]);
    ask(&mut world, id);
    world.ask(&leaf(id), "pay", "account:2", None).unwrap();
    assert_eq!(reason(world.ask(&leaf(id), "pay", "account:3", None)), Reason::TooManyPending);
    world.pass(10 * MINUTE);
    world.ask(&leaf(id), "pay", "account:3", None).unwrap();
}

#[test]
fn both_clocks_end_exactly_at_their_instants() {
    let (mut world, id) = world();
    let late = ask(&mut world, id);
    world.pass(10 * MINUTE);
    assert_eq!(reason(world.vote(late, "user:mia", true)), Reason::ApprovalNotPending);
    let approval = ask(&mut world, id);
    world.pass(10 * MINUTE - 1);
    world.vote(approval, "user:mia", true).unwrap();
    let claim = approved(&leaf(id), approval);
    let end = world.at(10 * MINUTE);
    world.pass(10 * MINUTE - 1);
    let decision = world.decision(&claim, "pay", "account:1", None).unwrap();
    assert_eq!((decision.outcome, decision.valid_until), (Outcome::RequiresConsumption, Some(end)));
    world.pass(1);
    assert_eq!(world.check(&claim, "pay", "account:1"), Outcome::RequiresApproval);
}

#[test]
fn an_approval_for_a_while_serves_until_it_is_over_or_taken_back() {
    let (mut world, id) = world();
    let mut boxed = policy("account", "pay", "approve");
    boxed.uses = ApprovalUses::TimeBoxed;
    boxed.applies = Applies::All;
    world.set_policy(boxed);
    assert_eq!(world.check(&alone("user:alice"), "pay", "account:1"), Outcome::RequiresApproval);
    let approval = ask(&mut world, id);
    world.vote(approval, "user:mia", true).unwrap();
    let claim = approved(&leaf(id), approval);
    for _ in 0..2 {
        assert_eq!(world.check(&claim, "pay", "account:1"), Outcome::Allow);
    }
    let presenter = world.presenter.clone();
    world.run(|moment| command::cancel_approval(moment, &by(), &presenter, approval)).unwrap();
    assert_eq!(world.decision(&claim, "pay", "account:1", None).unwrap().limit, Some(Limit::Approval));
}

#[test]
fn a_revoked_chain_uses_no_approval() {
    let (mut world, id) = world();
    let approval = ask(&mut world, id);
    world.vote(approval, "user:mia", true).unwrap();
    world.revoke(id);
    assert_eq!(consumed(&mut world, &approved(&leaf(id), approval), "k"), Outcome::Deny);
    assert_eq!(reason(world.ask(&leaf(id), "pay", "account:1", None)), Reason::ApprovalNotOffered);
}

#[test]
fn a_time_boxed_approval_counts_its_approver_at_the_head_whatever_snapshot_is_asked() {
    let (mut world, id) = world();
    let mut boxed = policy("account", "pay", "approve");
    boxed.uses = ApprovalUses::TimeBoxed;
    world.set_policy(boxed);
    let approval = ask(&mut world, id);
    world.vote(approval, "user:mia", true).unwrap();
    let claim = approved(&leaf(id), approval);
    let before = world.snapshot.clone();
    let at =
        |world: &World| world.check_at(&before, &claim, "pay", "account:1", (None, &[])).unwrap().outcome;
    assert_eq!(at(&world), Outcome::Allow);
    world.delete(&["account:1#manager@user:mia"]);
    assert_eq!(world.check(&claim, "pay", "account:1"), Outcome::RequiresApproval, "Mia manages no more");
    assert_eq!(at(&world), Outcome::RequiresApproval, "nor for a snapshot in which she did");
    // And one who may approve at the head counts, although the snapshot knows nothing of it.
    world.write(&["account:1#manager@user:mia"]);
    assert_eq!(at(&world), Outcome::Allow);
    world.set_human("user:mia", HumanStatus::Disabled, None);
    assert_eq!(at(&world), Outcome::RequiresApproval, "she left");
}
