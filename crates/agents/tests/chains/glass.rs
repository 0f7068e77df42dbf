//! Attacks on breaking the glass, each by its name.

use pemba_agents::authority::Outcome;
use pemba_agents::chain::Claim;
use pemba_agents::command::{self, Transition};
use pemba_agents::records::{ApprovalState, ApprovalUses, HumanStatus, KillMode, KillSelector};
use pemba_agents::{ApprovalId, DelegationId, Reason, Refused};

use crate::world::{MINUTE, World, alone, approved, by, context, glass, leaf, object, policy, scope};

const SCHEMA: &str = "
definition user {}
definition agent {}
definition account {
    relation owner: user | agent
    relation manager: user | agent
    relation oncall: user | agent
    relation auditor: user | agent
    permission pay = owner
    permission approve = manager
    permission hurry = oncall
    permission audit = auditor
}";

const ACTION: (&str, &str) = ("pay", "account:1");

/// Agent `a` pays on Alice's authority, Mia manages; Olaf is on call, and Ava audits.
fn world() -> (World, DelegationId) {
    let mut world = World::new(SCHEMA);
    world.declare();
    world.write(&[
        "account:1#owner@user:alice",
        "account:1#manager@user:mia",
        "account:1#oncall@user:olaf",
        "account:1#auditor@user:ava",
    ]);
    world.register("agent:a", |_| {});
    let id = world.delegate("user:alice", "agent:a", "account:pay:*");
    world.set_policy(policy("account", "pay", "approve"));
    world.set_glass(glass("account", "pay", "hurry", "audit"));
    (world, id)
}

fn break_as(world: &mut World, id: DelegationId, user: &str) -> Result<ApprovalId, Reason> {
    world.break_glass(&leaf(id), ACTION, user, None).map_err(|refused| refused.reason)
}

fn broken(world: &mut World, id: DelegationId) -> ApprovalId {
    break_as(world, id, "user:olaf").unwrap()
}

fn pays(world: &World, id: DelegationId, approval: ApprovalId) -> Outcome {
    world.check(&approved(&leaf(id), approval), "pay", "account:1")
}

fn reason<T: std::fmt::Debug>(result: Result<T, Refused>) -> Reason {
    result.unwrap_err().reason
}

#[test]
fn one_human_stands_in_for_the_approval_once_and_owes_a_review() {
    let (mut world, id) = world();
    let approval = broken(&mut world, id);
    assert_eq!(broken(&mut world, id), approval, "it serves already");
    assert_eq!(world.check(&leaf(id), "pay", "account:1"), Outcome::RequiresApproval, "it must be named");
    assert_eq!(pays(&world, id, approval), Outcome::RequiresConsumption, "as the approval it stands for");
    let claim = approved(&leaf(id), approval);
    let mut consume = |key| world.consume(&claim, "pay", "account:1", (None, key)).unwrap().decision.outcome;
    assert_eq!((consume("1"), consume("2")), (Outcome::Allow, Outcome::RequiresApproval));
    world.restart();
    assert_eq!(world.book.unreviewed().count(), 1);
    world.review(approval, "user:ava").unwrap();
    assert_eq!((world.book.unreviewed().count(), world.book.all_broken_glass().len()), (0, 1));
    world.restart();
}

#[test]
fn broken_glass_overrides_nothing_but_the_missing_approval() {
    let (mut world, id) = world();
    let approval = broken(&mut world, id);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresConsumption);
    for mode in [KillMode::DenyAll, KillMode::DenyWrite] {
        world.throw("s", KillSelector::All, mode);
        assert_eq!(pays(&world, id, approval), Outcome::Deny, "{mode:?}");
        world.run(|moment| command::lift_kill(moment, &by(), "s")).unwrap();
    }
    world.delete(&["account:1#owner@user:alice"]);
    assert_eq!(pays(&world, id, approval), Outcome::Deny, "the root lost it");
    world.write(&["account:1#owner@user:alice"]);
    world.transition("agent:a", Transition::Suspend);
    assert_eq!(pays(&world, id, approval), Outcome::Deny, "suspended");
    world.transition("agent:a", Transition::Resume);
    let mut bounded = world.registration("agent:a");
    let version = world.book.agent(&object("agent:a")).unwrap().version;
    bounded.ceiling = Some(scope("account:pay:2"));
    world.run(|moment| command::update(moment, &by(), bounded, version)).unwrap();
    assert_eq!(pays(&world, id, approval), Outcome::Deny, "its ceiling");
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::ApprovalNotOffered));
    let free = world.registration("agent:a");
    world.run(|moment| command::update(moment, &by(), free, version + 1)).unwrap();
    assert_eq!(pays(&world, id, approval), Outcome::RequiresConsumption);
    world.revoke(id);
    assert_eq!(pays(&world, id, approval), Outcome::Deny, "revoked");
}

#[test]
fn broken_glass_lifts_no_approval_that_a_switch_or_a_quarantine_wants() {
    let (mut world, id) = world();
    let approval = broken(&mut world, id);
    world.throw("s", KillSelector::Agent(object("agent:a")), KillMode::RequireApproval);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::BreakGlassNotOffered));
    world.run(|moment| command::lift_kill(moment, &by(), "s")).unwrap();
    world.transition("agent:a", Transition::Quarantine);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::BreakGlassNotOffered));
    world.transition("agent:a", Transition::Resume);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresConsumption);
}

#[test]
fn broken_glass_is_for_one_action_of_one_chain_value_and_client() {
    let (mut world, id) = world();
    let mut bound = policy("account", "pay", "approve");
    bound.bind = ["amount".into()].into();
    world.set_policy(bound);
    world.write(&["account:2#owner@user:alice"]);
    let other = world.delegate("user:alice", "agent:a", "account:pay:*");
    let ten = context(r#"{"amount": 10}"#);
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::BoundValueMissing));
    let approval = world.break_glass(&leaf(id), ACTION, "user:olaf", Some(ten.clone())).unwrap();
    let claim = approved(&leaf(id), approval);
    let more = context(r#"{"amount": 1000}"#);
    assert_eq!(reason(world.decision(&claim, "pay", "account:1", Some(&more))), Reason::ApprovalMismatch);
    assert_eq!(reason(world.decision(&claim, "pay", "account:2", Some(&ten))), Reason::ApprovalMismatch);
    let otherwise = approved(&leaf(other), approval);
    assert_eq!(reason(world.decision(&otherwise, "pay", "account:1", Some(&ten))), Reason::ApprovalMismatch);
    let session = world.session("agent:a", Some(id));
    let inside = Claim { session: Some(world.open(session)), ..claim.clone() };
    assert_eq!(reason(world.decision(&inside, "pay", "account:1", Some(&ten))), Reason::ApprovalMismatch);
    world.presenter.client = "thief".into();
    assert_eq!(reason(world.decision(&claim, "pay", "account:1", Some(&ten))), Reason::ApprovalBinding);
}

#[test]
fn neither_an_agent_nor_a_stranger_breaks_the_glass() {
    let (mut world, id) = world();
    world.write(&["account:1#oncall@agent:a"]);
    assert_eq!(break_as(&mut world, id, "agent:a"), Err(Reason::BreakGlassNotPermitted), "an agent");
    assert_eq!(break_as(&mut world, id, "user:mia"), Err(Reason::BreakGlassNotPermitted), "she approves");
    world.set_human("user:olaf", HumanStatus::Disabled, None);
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::BreakGlassNotPermitted), "he left");
    let none = world.break_glass(&alone("user:alice"), ACTION, "user:olaf", None);
    assert_eq!(reason(none), Reason::ApprovalNotNeeded);
}

#[test]
fn who_lost_the_right_since_breaking_the_glass_stands_in_for_nobody() {
    let (mut world, id) = world();
    let approval = broken(&mut world, id);
    world.delete(&["account:1#oncall@user:olaf"]);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
    world.write(&["account:1#oncall@user:olaf"]);
    world.set_human("user:olaf", HumanStatus::Disabled, None);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
    world.set_human("user:olaf", HumanStatus::Active, None);
    world.throw("s", KillSelector::Agent(object("user:olaf")), KillMode::DenyAll);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
    world.run(|moment| command::lift_kill(moment, &by(), "s")).unwrap();
    assert_eq!(pays(&world, id, approval), Outcome::RequiresConsumption);
}

#[test]
fn nobody_reviews_what_they_broke_under_whichever_account() {
    let (mut world, id) = world();
    world.write(&[
        "account:1#auditor@user:olaf",
        "account:1#auditor@user:alice",
        "account:1#auditor@user:nils",
        "account:1#auditor@agent:b",
    ]);
    world.set_human("user:olaf", HumanStatus::Active, Some("olaf"));
    let approval = broken(&mut world, id);
    let review = |world: &mut World, who| reason(world.review(approval, who));
    assert_eq!(review(&mut world, "user:olaf"), Reason::ReviewerNotEligible, "himself");
    world.set_human("user:nils", HumanStatus::Active, Some("olaf"));
    assert_eq!(review(&mut world, "user:nils"), Reason::ReviewerNotEligible, "his other account");
    world.set_human("user:olaf", HumanStatus::Active, None);
    assert_eq!(review(&mut world, "user:nils"), Reason::ReviewerNotEligible, "as it was known then");
    assert_eq!(review(&mut world, "user:alice"), Reason::ReviewerNotEligible, "the root");
    assert_eq!(review(&mut world, "agent:b"), Reason::ReviewerNotEligible, "an agent");
    assert_eq!(review(&mut world, "user:mia"), Reason::ReviewerNotEligible, "without the permission");
    assert!(world.book.broken_glass(approval).unwrap().review.is_none(), "it stays open");
    world.review(approval, "user:ava").unwrap();
    assert_eq!(review(&mut world, "user:ava"), Reason::AlreadyReviewed);
}

#[test]
fn an_overdue_review_blocks_the_same_person_and_nobody_else() {
    let (mut world, id) = world();
    world.write(&["account:1#oncall@user:nils", "account:1#oncall@user:otto"]);
    world.set_human("user:olaf", HumanStatus::Active, Some("olaf"));
    let mut brief = glass("account", "pay", "hurry", "audit");
    brief.review_ms = 5 * MINUTE as u64;
    world.set_glass(brief);
    let approval = broken(&mut world, id);
    let end = world.at(5 * MINUTE);
    let decision = world.decision(&approved(&leaf(id), approval), "pay", "account:1", None).unwrap();
    assert_eq!((decision.outcome, decision.valid_until), (Outcome::RequiresConsumption, Some(end)));
    world.pass(5 * MINUTE - 1);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresConsumption);
    world.pass(1);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval, "what serves serves no more");
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::ReviewOverdue));
    world.set_human("user:nils", HumanStatus::Active, Some("olaf"));
    assert_eq!(break_as(&mut world, id, "user:nils"), Err(Reason::ReviewOverdue), "his other account");
    break_as(&mut world, id, "user:otto").unwrap();
    world.restart();
    world.pass(MINUTE * 60 * 24 * 30);
    assert!(world.book.broken_glass(approval).is_some(), "it waits for ever");
    world.review(approval, "user:ava").unwrap();
    let id = world.delegate("user:alice", "agent:a", "account:pay:*");
    broken(&mut world, id);
}

#[test]
fn broken_glass_ends_at_its_instant_and_with_its_policies() {
    let (mut world, id) = world();
    let approval = broken(&mut world, id);
    world.pass(10 * MINUTE - 1);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresConsumption);
    world.pass(1);
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
    let again = broken(&mut world, id);
    assert_ne!(again, approval);
    world.set_glass(glass("account", "pay", "hurry", "audit"));
    assert_eq!(pays(&world, id, again), Outcome::RequiresApproval, "under another version");
    let again = broken(&mut world, id);
    world.run(|moment| command::unset_break_glass_policy(moment, "account", "pay")).unwrap();
    assert_eq!(pays(&world, id, again), Outcome::RequiresApproval, "without a policy");
    assert_eq!(world.book.unreviewed().count(), 3, "every review stays open");
    world.review(again, "user:ava").unwrap();
    world.set_glass(glass("account", "pay", "hurry", "audit"));
    let again = broken(&mut world, id);
    world.set_policy(policy("account", "pay", "approve"));
    let claim = approved(&leaf(id), again);
    assert_eq!(reason(world.decision(&claim, "pay", "account:1", None)), Reason::ApprovalMismatch);
}

#[test]
fn a_rejection_is_not_overridden_and_takes_back_what_was_broken() {
    let (mut world, id) = world();
    let asked = world.ask(&leaf(id), "pay", "account:1", None).unwrap().id;
    let approval = broken(&mut world, id);
    assert_eq!(world.ask(&leaf(id), "pay", "account:1", None).unwrap().id, asked, "others are still asked");
    world.vote(asked, "user:mia", false).unwrap();
    assert!(matches!(world.book.approval(approval).unwrap().state, ApprovalState::Cancelled { .. }));
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::CoolingDown));
    assert_eq!(world.book.unreviewed().count(), 1, "it is reviewed all the same");
    world.pass(5 * MINUTE);
    assert!(break_as(&mut world, id, "user:olaf").is_ok());
}

#[test]
fn what_stands_for_an_approval_for_a_while_serves_for_its_own_time_only() {
    let (mut world, id) = world();
    let mut while_it_lasts = policy("account", "pay", "approve");
    while_it_lasts.uses = ApprovalUses::TimeBoxed;
    while_it_lasts.execution_ms = 60 * MINUTE as u64;
    world.set_policy(while_it_lasts);
    let approval = broken(&mut world, id);
    let end = world.at(10 * MINUTE);
    let decision = world.decision(&approved(&leaf(id), approval), "pay", "account:1", None).unwrap();
    assert_eq!((decision.outcome, decision.valid_until), (Outcome::Allow, Some(end)));
    world.now = end;
    assert_eq!(pays(&world, id, approval), Outcome::RequiresApproval);
}

#[test]
fn nobody_breaks_more_than_is_reviewed() {
    let (mut world, _) = world();
    for _ in 0..16 {
        let id = world.delegate("user:alice", "agent:a", "account:pay:*");
        broken(&mut world, id);
    }
    let id = world.delegate("user:alice", "agent:a", "account:pay:*");
    assert_eq!(break_as(&mut world, id, "user:olaf"), Err(Reason::TooManyPending));
}
