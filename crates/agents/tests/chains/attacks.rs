//! Attacks on chains, delegations and sessions, each by its name.

use pemba_agents::authority::{Limit, Outcome};
use pemba_agents::chain::{Claim, Over, Presenter};
use pemba_agents::command::{self, Delegate, Renew, Transition};
use pemba_agents::liveness::NotLive;
use pemba_agents::records::{GrantPolicy, HumanStatus, KillMode, KillSelector, SessionBinding, Status};
use pemba_agents::{DelegationId, Reason};
use pemba_engine::Snapshot;
use pemba_model::text::parse_relationship;

use crate::world::{MINUTE, World, alone, by, leaf, object, scope};

pub const SCHEMA: &str = "
definition user {}
definition agent {}
definition team {
    relation member: user | agent
}
definition folder {
    relation parent: folder
    relation viewer: user | agent | team#member
    permission view = viewer + parent->view
}
definition doc {
    relation parent: folder
    relation owner: user | agent
    relation viewer: user | agent | team#member
    relation banned: user | agent
    permission view = (owner + viewer + parent->view) - banned
    permission grant = owner
}";

/// Alice owns doc 1 and 2, Bob doc 3; both agents are registered.
pub fn world() -> World {
    let mut world = World::new(SCHEMA);
    world.declare();
    world.write(&["doc:1#owner@user:alice", "doc:2#owner@user:alice", "doc:3#owner@user:bob"]);
    for agent in ["agent:a", "agent:b", "agent:c"] {
        world.register(agent, |_| {});
    }
    world
}

fn reason<T: std::fmt::Debug>(result: Result<T, pemba_agents::Refused>) -> Reason {
    result.unwrap_err().reason
}

fn limit(world: &World, claim: &Claim, permission: &str, resource: &str) -> Limit {
    world.decision(claim, permission, resource, None).unwrap().limit.unwrap()
}

#[test]
fn two_chains_cannot_be_spliced() {
    let mut world = world();
    let of_alice = world.delegate("user:alice", "agent:a", "doc:view:*");
    let of_bob = world.delegate("user:bob", "agent:a", "doc:view:*");
    let next = world.further(of_alice, "agent:b", "doc:view:*");
    let next = Delegate { root: Some(object("user:bob")), ..next };
    assert_eq!(reason(world.try_delegate(next)), Reason::RootMismatch);
    let onwards = world.further(of_alice, "agent:b", "doc:view:*");
    let onwards = world.try_delegate(onwards).unwrap();
    assert_eq!(world.check(&leaf(onwards), "view", "doc:1"), Outcome::Allow);
    assert_eq!(world.check(&leaf(onwards), "view", "doc:3"), Outcome::Deny, "Bob's document");
    assert_eq!(world.check(&leaf(of_bob), "view", "doc:3"), Outcome::Allow);
    let claim = Claim { root: Some(object("user:bob")), ..leaf(onwards) };
    assert_eq!(reason(world.decision(&claim, "view", "doc:3", None)), Reason::ChainMismatch);
}

#[test]
fn a_stranger_cannot_delegate_what_another_was_given() {
    let mut world = world();
    let of_alice = world.delegate("user:alice", "agent:a", "doc:view:*");
    let next = world.delegation("agent:b", "agent:c", scope("doc:view:1"));
    let next = Delegate { parent: Some(of_alice), depth_left: 0, ..next };
    assert_eq!(reason(world.try_delegate(next)), Reason::DelegatorMismatch);
    let next = world.delegation("agent:b", "agent:c", scope("doc:view:1"));
    let next = Delegate { root: Some(object("user:alice")), ..next };
    assert_eq!(reason(world.try_delegate(next)), Reason::RootMismatch);
}

#[test]
fn an_expired_delegation_cannot_be_replayed_and_ends_exactly_at_its_instant() {
    let mut world = world();
    let id = world.delegate("user:alice", "agent:a", "doc:view:*");
    let end = world.book.delegation(id).unwrap().not_after;
    world.now = end.plus_millis(-1);
    let decision = world.decision(&leaf(id), "view", "doc:1", None).unwrap();
    assert_eq!((decision.outcome, decision.valid_until), (Outcome::Allow, Some(end)));
    world.now = end;
    assert_eq!(limit(&world, &leaf(id), "view", "doc:1"), Limit::Hop(id, Over::Expired));
    let renewal = Renew { not_after: Some(world.at(MINUTE)), ..Renew::default() };
    assert_eq!(
        reason(world.run(|moment| command::renew(moment, &by(), id, renewal))),
        Reason::DelegationOver
    );
}

#[test]
fn a_delegation_begins_exactly_at_its_instant() {
    let mut world = world();
    let start = world.at(MINUTE);
    let new = world.delegation("user:alice", "agent:a", scope("doc:view:*"));
    let id = world.try_delegate(Delegate { not_before: Some(start), ..new }).unwrap();
    world.pass(MINUTE - 1);
    let decision = world.decision(&leaf(id), "view", "doc:1", None).unwrap();
    assert_eq!((decision.outcome, decision.valid_until), (Outcome::Deny, Some(start)));
    world.pass(1);
    assert_eq!(world.check(&leaf(id), "view", "doc:1"), Outcome::Allow);
}

#[test]
fn a_revoked_hop_kills_everything_below_it() {
    let mut world = world();
    let first = world.delegate("user:alice", "agent:a", "doc:view:*");
    let second = world.further(first, "agent:b", "doc:view:*");
    let second = world.try_delegate(second).unwrap();
    let third = world.further(second, "agent:c", "doc:view:*");
    let third = world.try_delegate(third).unwrap();
    assert_eq!(world.check(&leaf(third), "view", "doc:1"), Outcome::Allow);
    world.revoke(second);
    assert_eq!(world.check(&leaf(first), "view", "doc:1"), Outcome::Allow);
    assert_eq!(limit(&world, &leaf(third), "view", "doc:1"), Limit::Hop(second, Over::Ended));
    let next = world.further(third, "agent:d", "doc:view:*");
    assert_eq!(reason(world.try_delegate(next)), Reason::DelegationOver);
}

#[test]
fn a_forgotten_hop_leaves_its_chain_dead() {
    let mut world = world();
    let first = world.delegate("user:alice", "agent:a", "doc:view:*");
    let second = world.further(first, "agent:b", "doc:view:*");
    let second = world.try_delegate(second).unwrap();
    world.revoke(first);
    world.pass(60 * MINUTE);
    world.now = world.now.plus_millis(-1);
    world.delegate("user:bob", "agent:c", "doc:view:*");
    assert!(world.book.delegation(first).is_some(), "kept as long as the limits say");
    world.pass(1);
    world.delegate("user:bob", "agent:c", "doc:view:*");
    assert!(world.book.delegation(first).is_none());
    if world.book.delegation(second).is_some() {
        assert_eq!(limit(&world, &leaf(second), "view", "doc:1"), Limit::Connection(Over::Cut));
    } else {
        assert_eq!(reason(world.decision(&leaf(second), "view", "doc:1", None)), Reason::DelegationNotFound);
    }
}

#[test]
fn a_snapshot_from_before_a_revocation_does_not_bring_the_delegation_back() {
    let mut world = world();
    let id = world.delegate("user:alice", "agent:a", "doc:view:*");
    let before = world.snapshot.clone();
    world.revoke(id);
    let decision = world.check_at(&before, &leaf(id), "view", "doc:1", (None, &[])).unwrap();
    assert_eq!(decision.limit, Some(Limit::Hop(id, Over::Ended)));
}

#[test]
fn a_delegation_does_not_reach_back_before_it_was_made() {
    let mut world = world();
    let before = world.snapshot.clone();
    let id = world.delegate("user:alice", "agent:a", "doc:view:*");
    let asked = world.check_at(&before, &leaf(id), "view", "doc:1", (None, &[]));
    assert_eq!(reason(asked), Reason::DelegationAfterSnapshot);
    let after = world.snapshot.clone();
    let asked = world.check_at(&after, &leaf(id), "view", "doc:1", (None, &[]));
    assert_eq!(asked.unwrap().outcome, Outcome::Allow);
}

#[test]
fn a_confused_deputy_uses_no_right_of_its_own() {
    let mut world = world();
    world.write(&["doc:4#viewer@agent:a"]);
    let id = world.delegate("user:alice", "agent:a", "doc:view:*");
    assert_eq!(world.check(&alone("agent:a"), "view", "doc:4"), Outcome::Allow, "by itself");
    assert_eq!(limit(&world, &leaf(id), "view", "doc:4"), Limit::Root(object("user:alice")));
    let named = Claim { either_end: Some(object("agent:a")), ..leaf(id) };
    assert_eq!(world.check(&named, "view", "doc:4"), Outcome::Deny);
    assert_eq!(world.lookup(&leaf(id), "doc", "view", (None, &[])).unwrap().1, ["1", "2"]);
}

#[test]
fn nobody_acts_for_another_without_a_delegation() {
    let world = world();
    let claim = Claim { actors: vec![object("agent:a")], ..alone("user:alice") };
    assert_eq!(reason(world.decision(&claim, "view", "doc:1", None)), Reason::ChainNotDelegated);
    let claim = Claim { either_end: Some(object("user:bob")), ..alone("user:alice") };
    assert_eq!(reason(world.decision(&claim, "view", "doc:1", None)), Reason::ChainMismatch);
}

#[test]
fn a_principal_of_a_chain_cannot_be_substituted() {
    let mut world = world();
    let first = world.delegate("user:alice", "agent:a", "doc:view:*");
    let next = world.further(first, "agent:b", "doc:view:*");
    let id = world.try_delegate(next).unwrap();
    let told = |actors: &[&str]| Claim { actors: actors.iter().map(|one| object(one)).collect(), ..leaf(id) };
    assert_eq!(world.check(&told(&["agent:a", "agent:b"]), "view", "doc:1"), Outcome::Allow);
    for wrong in [
        &["agent:b", "agent:a"][..],
        &["agent:b"],
        &["agent:a", "agent:c"],
        &["agent:a", "agent:b", "agent:c"],
        &["user:alice", "agent:a", "agent:b"],
    ] {
        let asked = world.decision(&told(wrong), "view", "doc:1", None);
        assert_eq!(reason(asked), Reason::ChainMismatch, "{wrong:?}");
    }
    for end in ["user:alice", "agent:b"] {
        let claim = Claim { either_end: Some(object(end)), ..leaf(id) };
        assert_eq!(world.check(&claim, "view", "doc:1"), Outcome::Allow);
    }
    let claim = Claim { either_end: Some(object("agent:a")), ..leaf(id) };
    assert_eq!(reason(world.decision(&claim, "view", "doc:1", None)), Reason::ChainMismatch, "in the middle");
}

#[test]
fn no_sub_agent_is_deeper_than_allowed() {
    let mut world = world();
    let new = world.delegation("user:alice", "agent:a", scope("doc:view:*"));
    let first = world.try_delegate(Delegate { depth_left: 1, ..new }).unwrap();
    let next = world.further(first, "agent:b", "doc:view:*");
    let wider = Delegate { depth_left: 1, ..next.clone() };
    assert_eq!(reason(world.try_delegate(wider)), Reason::DepthExceeded);
    let second = world.try_delegate(next).unwrap();
    let beyond = world.further(second, "agent:c", "doc:view:*");
    assert_eq!(reason(world.try_delegate(beyond)), Reason::DepthExceeded);

    // A bound that comes later holds for what is there already.
    let renewal = Renew { depth_left: Some(0), ..Renew::default() };
    world.run(|moment| command::renew(moment, &by(), first, renewal)).unwrap();
    assert_eq!(limit(&world, &leaf(second), "view", "doc:1"), Limit::Connection(Over::Broken));
    assert_eq!(world.check(&leaf(first), "view", "doc:1"), Outcome::Allow);
}

#[test]
fn an_agents_own_depth_bounds_it_also_afterwards() {
    let mut world = world();
    world.register("agent:shallow", |new| new.max_depth = Some(1));
    let first = world.delegate("user:alice", "agent:a", "doc:view:*");
    let next = world.further(first, "agent:shallow", "doc:view:*");
    assert_eq!(reason(world.try_delegate(next)), Reason::DepthExceeded);
    let next = world.further(first, "agent:b", "doc:view:*");
    let id = world.try_delegate(next).unwrap();
    let mut update = world.registration("agent:b");
    update.max_depth = Some(1);
    world.run(|moment| command::update(moment, &by(), update, 1)).unwrap();
    assert_eq!(limit(&world, &leaf(id), "view", "doc:1"), Limit::Connection(Over::Broken));
}

#[test]
fn a_renewal_never_widens() {
    let mut world = world();
    let new = world.delegation("user:alice", "agent:a", scope("doc:view:1"));
    let id = world.try_delegate(Delegate { uses: Some(2), depth_left: 1, ..new }).unwrap();
    let mut renew = |change: Renew| reason(world.run(|moment| command::renew(moment, &by(), id, change)));
    let wider = |text| Renew { scope: Some(scope(text)), ..Renew::default() };
    assert_eq!(renew(wider("doc:view:1,2")), Reason::ScopeWider);
    assert_eq!(renew(wider("doc:view,grant:1")), Reason::ScopeWider);
    assert_eq!(renew(wider("doc:view:*")), Reason::ScopeWider);
    assert_eq!(renew(wider("doc:view:parent>folder:f")), Reason::ScopeWider);
    assert_eq!(renew(Renew { depth_left: Some(2), ..Renew::default() }), Reason::DepthExceeded);
    assert_eq!(renew(Renew { uses_left: Some(3), ..Renew::default() }), Reason::UsesWider);
    assert_eq!(renew(Renew { uses_left: Some(0), ..Renew::default() }), Reason::UsesWider);
}

#[test]
fn a_renewal_is_within_what_the_hop_before_has_left() {
    let mut world = world();
    let first = world.delegate("user:alice", "agent:a", "doc:view:1,2");
    let second = world.further(first, "agent:b", "doc:view:1,2");
    let second = world.try_delegate(second).unwrap();
    let to = |text| Renew { scope: Some(scope(text)), ..Renew::default() };
    world.run(|moment| command::renew(moment, &by(), first, to("doc:view:1"))).unwrap();
    let wider = world.run(|moment| command::renew(moment, &by(), second, to("doc:view:1,2")));
    assert_eq!(reason(wider), Reason::ScopeWider);
    world.run(|moment| command::renew(moment, &by(), second, to("doc:view:1"))).unwrap();
}

#[test]
fn a_renewal_outlives_neither_hop_before_nor_session() {
    let mut world = world();
    let first = world.delegate("user:alice", "agent:a", "doc:view:*");
    let session = world.session("agent:b", None);
    let session = world.open(session);
    let next = world.further(first, "agent:b", "doc:view:*");
    let end = world.at(30 * MINUTE);
    let id = world.try_delegate(Delegate { session: Some(session), not_after: end, ..next }).unwrap();
    for ms in [30 * MINUTE + 1, 60 * MINUTE + 1] {
        let renewal = Renew { not_after: Some(world.at(ms)), ..Renew::default() };
        let refused = world.run(|moment| command::renew(moment, &by(), id, renewal));
        assert_eq!(reason(refused), Reason::OutlivesParent);
    }
}

#[test]
fn what_leaves_a_subtree_leaves_a_renewed_scope_too() {
    let mut world = world();
    world.write(&["doc:1#parent@folder:sub", "folder:sub#parent@folder:top", "doc:2#parent@folder:top"]);
    for narrower in ["doc:view:1", "doc:view:parent>folder:sub"] {
        let id = world.delegate("user:alice", "agent:a", "doc:view:parent>folder:top");
        let renewal = Renew { scope: Some(scope(narrower)), ..Renew::default() };
        world.run(|moment| command::renew(moment, &by(), id, renewal)).unwrap();
        assert_eq!(world.check(&leaf(id), "view", "doc:1"), Outcome::Allow);
        assert_eq!(world.check(&leaf(id), "view", "doc:2"), Outcome::Deny);
        world.delete(&["folder:sub#parent@folder:top"]);
        assert_eq!(limit(&world, &leaf(id), "view", "doc:1"), Limit::Scope(id), "{narrower}");
        assert!(world.lookup(&leaf(id), "doc", "view", (None, &[])).unwrap().1.is_empty());
        world.write(&["folder:sub#parent@folder:top"]);
        world.restart();
    }
}

#[test]
fn renewals_into_subtrees_are_bounded() {
    let mut world = world();
    let lines: Vec<String> = (0..10).map(|n| format!("folder:{}#parent@folder:{n}", n + 1)).collect();
    world.write(&lines.iter().map(String::as_str).collect::<Vec<_>>());
    let id = world.delegate("user:alice", "agent:a", "doc:view:parent>folder:0");
    for n in 1..=9 {
        let renewal =
            Renew { scope: Some(scope(&format!("doc:view:parent>folder:{n}"))), ..Renew::default() };
        let done = world.run(|moment| command::renew(moment, &by(), id, renewal));
        assert_eq!(done.map_err(|refused| refused.reason).is_ok(), n <= 8, "{n}");
    }
    let same = Renew { scope: Some(scope("doc:view:parent>folder:8")), ..Renew::default() };
    world.run(|moment| command::renew(moment, &by(), id, same)).unwrap();
}

#[test]
fn a_session_is_worth_nothing_to_another_client() {
    let mut world = world();
    let id = world.delegate("user:alice", "agent:a", "doc:view:*");
    let session = world.session("agent:a", Some(id));
    let session = world.open(session);
    let claim = Claim { session: Some(session), ..Claim::default() };
    assert_eq!(world.check(&claim, "view", "doc:1"), Outcome::Allow);
    world.presenter.client = "thief".into();
    assert_eq!(reason(world.decision(&claim, "view", "doc:1", None)), Reason::SessionBinding);

    world.presenter.client = "desk".into();
    let mut bound = world.session("agent:a", Some(id));
    bound.binding = SessionBinding::Thumbprint("ab".repeat(32).into());
    let claim = Claim { session: Some(world.open(bound)), ..Claim::default() };
    assert_eq!(reason(world.decision(&claim, "view", "doc:1", None)), Reason::SessionBinding);
    world.presenter.thumbprint = Some("ab".repeat(32).into());
    assert_eq!(world.check(&claim, "view", "doc:1"), Outcome::Allow);
}

#[test]
fn a_session_serves_its_own_actor_and_chain_only() {
    let mut world = world();
    let of_a = world.delegate("user:alice", "agent:a", "doc:view:*");
    let of_b = world.delegate("user:alice", "agent:b", "doc:view:*");
    let session = world.session("agent:a", None);
    let session = world.open(session);
    let with = |id| Claim { session: Some(session), ..leaf(id) };
    assert_eq!(world.check(&with(of_a), "view", "doc:1"), Outcome::Allow);
    assert_eq!(reason(world.decision(&with(of_b), "view", "doc:1", None)), Reason::SessionMismatch);
    let bound = world.session("agent:b", Some(of_a));
    assert_eq!(
        reason(world.run(|moment| command::open_session(moment, &by(), bound))),
        Reason::ChainMismatch
    );
}

#[test]
fn an_idle_session_is_over_exactly_at_its_instant_and_no_use_revives_it() {
    let mut world = world();
    let mut session = world.session("agent:a", None);
    session.idle_ms = Some(MINUTE as u64);
    let session = world.open(session);
    world.write(&["doc:4#viewer@agent:a"]);
    let claim = Claim { session: Some(session), ..alone("agent:a") };
    world.pass(MINUTE - 1);
    assert_eq!(world.check(&claim, "view", "doc:4"), Outcome::Allow);
    world.presenter.session_used_at = Some(world.now);
    world.pass(MINUTE - 1);
    assert_eq!(world.check(&claim, "view", "doc:4"), Outcome::Allow, "memory knows of a use");
    world.pass(1);
    assert_eq!(limit(&world, &claim, "view", "doc:4"), Limit::Session(session, Over::Idle));
    let used_at = world.at(-MINUTE);
    world.run(|moment| command::touch_session(moment, session, used_at)).unwrap();
    world.presenter.session_used_at = None;
    assert_eq!(limit(&world, &claim, "view", "doc:4"), Limit::Session(session, Over::Idle));
}

#[test]
fn a_retired_id_does_not_rise_with_what_it_had() {
    let mut world = world();
    world.write(&["doc:4#viewer@agent:a", "team:t#member@agent:a", "doc:5#viewer@team:t#member"]);
    let to_it = world.delegate("user:alice", "agent:a", "doc:view:*");
    let onwards = world.further(to_it, "agent:b", "doc:view:*");
    let onwards = world.try_delegate(onwards).unwrap();
    let from_it = world.delegate("agent:a", "agent:c", "doc:view:*");
    let before = world.snapshot.clone();
    assert_eq!(world.check(&leaf(onwards), "view", "doc:1"), Outcome::Allow);
    assert_eq!(world.check(&leaf(from_it), "view", "doc:4"), Outcome::Allow);

    world.transition("agent:a", Transition::Retire);
    for id in [to_it, onwards, from_it] {
        assert_eq!(world.check(&leaf(id), "view", "doc:1"), Outcome::Deny);
        assert_eq!(world.check(&leaf(id), "view", "doc:4"), Outcome::Deny);
    }
    let again = world
        .run(|moment| command::transition(moment, &by(), &[object("agent:a")], Transition::Resume, None));
    assert_eq!(reason(again), Reason::WrongStatus);

    world.register("agent:a", |_| {});
    let not_live = Limit::NotLive(object("agent:a"), NotLive::OtherIncarnation);
    for id in [to_it, onwards, from_it] {
        assert_eq!(limit(&world, &leaf(id), "view", "doc:1"), not_live);
        assert_eq!(limit(&world, &leaf(id), "view", "doc:4"), not_live);
    }
    let at = |world: &World, snapshot: &Snapshot, resource: &str| {
        world.check_at(snapshot, &alone("agent:a"), "view", resource, (None, &[])).unwrap().outcome
    };
    for resource in ["doc:4", "doc:5"] {
        assert_eq!(at(&world, &world.snapshot, resource), Outcome::Deny);
        assert_eq!(at(&world, &before, resource), Outcome::Deny, "an older snapshot");
    }
    world.restart();
    assert_eq!(world.book.agent(&object("agent:a")).unwrap().incarnation, 2);
    world.write(&["doc:4#viewer@agent:a"]);
    assert_eq!(at(&world, &world.snapshot, "doc:4"), Outcome::Allow, "what the later one was given");
}

#[test]
fn a_session_of_an_earlier_incarnation_is_over() {
    let mut world = world();
    world.write(&["team:t#member@agent:a"]);
    let alone_session = world.session("agent:a", None);
    let alone_session = world.open(alone_session);
    let new = world.delegation("user:alice", "team:t#member", scope("doc:view:*"));
    let shared = world.try_delegate(Delegate { uses: Some(9), ..new }).unwrap();
    let in_team = world.session("agent:a", Some(shared));
    let in_team = world.open(in_team);
    let claims = [
        Claim { session: Some(alone_session), ..Claim::default() },
        Claim { session: Some(in_team), ..Claim::default() },
    ];
    assert_eq!(world.check(&claims[1], "view", "doc:1"), Outcome::RequiresConsumption);
    world.transition("agent:a", Transition::Retire);
    world.register("agent:a", |_| {});
    world.write(&["team:t#member@agent:a", "doc:4#viewer@agent:a"]);
    let over = |session| Limit::Session(session, Over::OtherIncarnation);
    assert_eq!(limit(&world, &claims[0], "view", "doc:4"), over(alone_session));
    assert_eq!(limit(&world, &claims[1], "view", "doc:1"), over(in_team));
    let later = world.delegate("user:alice", "agent:a", "doc:view:*");
    let claim = Claim { session: Some(alone_session), ..leaf(later) };
    assert_eq!(
        limit(&world, &claim, "view", "doc:1"),
        over(alone_session),
        "with a delegation to the later one"
    );
}

#[test]
fn a_userset_as_delegate_is_whoever_of_it_acts() {
    let mut world = world();
    world.write(&["team:t#member@agent:a"]);
    let new = world.delegation("user:alice", "team:t#member", scope("doc:view:*"));
    assert_eq!(reason(world.try_delegate(new.clone())), Reason::UsersetUnbounded);
    let session = world.session("agent:a", None);
    let session = world.open(session);
    let end = world.at(MINUTE);
    let id = world.try_delegate(Delegate { session: Some(session), not_after: end, ..new }).unwrap();
    let acts = |who: &str| Claim { actors: vec![object(who)], session: Some(session), ..leaf(id) };
    assert_eq!(world.check(&acts("agent:a"), "view", "doc:1"), Outcome::Allow);
    // The client names the root, and the session says who acts.
    let named = Claim { either_end: Some(object("user:alice")), session: Some(session), ..leaf(id) };
    assert_eq!(world.check(&named, "view", "doc:1"), Outcome::Allow);
    assert_eq!(reason(world.decision(&leaf(id), "view", "doc:1", None)), Reason::ChainMismatch);
    let without = Claim { actors: vec![object("agent:a")], ..leaf(id) };
    assert_eq!(limit(&world, &without, "view", "doc:1"), Limit::Hop(id, Over::OutsideSession));
    assert_eq!(reason(world.decision(&acts("agent:b"), "view", "doc:1", None)), Reason::SessionMismatch);
    world.delete(&["team:t#member@agent:a"]);
    assert_eq!(limit(&world, &acts("agent:a"), "view", "doc:1"), Limit::Member(id));
}

#[test]
fn nobody_is_in_a_chain_twice() {
    let mut world = world();
    let first = world.delegate("user:alice", "agent:a", "doc:view:*");
    let second = world.further(first, "agent:b", "doc:view:*");
    let second = world.try_delegate(second).unwrap();
    for to in ["user:alice", "agent:a", "agent:b"] {
        let next = world.further(second, to, "doc:view:*");
        assert_eq!(reason(world.try_delegate(next)), Reason::PrincipalTwice, "{to}");
    }
    let itself = world.delegation("user:alice", "user:alice", scope("doc:view:*"));
    assert_eq!(reason(world.try_delegate(itself)), Reason::PrincipalTwice);
}

#[test]
fn contextual_relationships_widen_neither_ceiling_scope_membership_nor_own_grants() {
    let mut world = world();
    world.write(&["doc:2#parent@folder:f", "folder:g#viewer@user:carol"]);
    world.register("agent:bounded", |new| new.ceiling = Some(scope("doc:view:1,2")));
    world.register("agent:strict", |new| new.own_grants_required = true);
    let told = |lines: &[&str]| lines.iter().map(|l| parse_relationship(l).unwrap()).collect::<Vec<_>>();
    let check = |world: &World, id: DelegationId, resource: &str, extra: &[&str]| {
        let extra = told(extra);
        let decision = world.check_at(&world.snapshot, &leaf(id), "view", resource, (None, &extra)).unwrap();
        let (_, found, _) = world.lookup(&leaf(id), "doc", "view", (None, &extra)).unwrap();
        let is_found = found.iter().any(|one| format!("doc:{one}") == resource);
        assert_eq!(is_found, decision.outcome == Outcome::Allow);
        decision.limit
    };
    let grants = ["doc:3#viewer@user:alice", "doc:9#viewer@user:alice", "doc:2#viewer@user:alice"];

    let bounded = world.delegate("user:alice", "agent:bounded", "doc:view:1,2");
    assert_eq!(check(&world, bounded, "doc:2", &grants), None);
    assert_eq!(check(&world, bounded, "doc:3", &grants), Some(Limit::Scope(bounded)));

    let tree = world.delegate("user:alice", "agent:a", "doc:view:parent>folder:f");
    assert_eq!(check(&world, tree, "doc:2", &[]), None);
    let moved = ["doc:3#viewer@user:alice", "doc:3#parent@folder:f"];
    assert_eq!(check(&world, tree, "doc:3", &moved), Some(Limit::Scope(tree)));

    let strict = world.delegate("user:alice", "agent:strict", "doc:view:*");
    let own = ["doc:1#viewer@agent:strict"];
    let lacks = Some(Limit::OwnGrants(object("agent:strict")));
    assert_eq!(check(&world, strict, "doc:1", &own), lacks);

    // An object that only the request mentions, in an explicit scope: both questions agree.
    let named = world.delegate("user:alice", "agent:a", "doc:view:9");
    assert_eq!(check(&world, named, "doc:9", &grants), None);
}

#[test]
fn what_excludes_somebody_goes_on_excluding_them() {
    let mut world = world();
    world.write(&["doc:1#banned@agent:a", "doc:6#viewer@agent:b", "doc:6#banned@agent:b"]);
    assert_eq!(world.check(&alone("agent:b"), "view", "doc:6"), Outcome::Deny);
    // No gate grants: neither a suspended agent nor one that is retired loses the edge that bans it.
    for to in [Transition::Suspend, Transition::Retire] {
        world.transition("agent:b", to);
        assert_eq!(world.check(&alone("agent:b"), "view", "doc:6"), Outcome::Deny);
    }
    // The root's ban counts, not the actor's: the actor adds and takes nothing.
    let id = world.delegate("user:alice", "agent:a", "doc:view:*");
    assert_eq!(world.check(&leaf(id), "view", "doc:1"), Outcome::Allow);
    world.write(&["doc:1#banned@user:alice"]);
    world.throw("stop", KillSelector::Agent(object("user:alice")), KillMode::DenyAll);
    assert_eq!(world.check(&leaf(id), "view", "doc:1"), Outcome::Deny);
    assert_eq!(world.check(&alone("user:alice"), "view", "doc:1"), Outcome::Deny);
}

#[test]
fn sponsors_are_live_humans_and_never_agents() {
    let mut world = world();
    for (sponsors, expected) in [
        (vec!["agent:x"], Reason::SponsorNotHuman),
        (vec!["agent:a"], Reason::SponsorNotHuman),
        (vec!["user:sponsor", "agent:a"], Reason::SponsorNotHuman),
        (vec!["team:t"], Reason::SponsorNotHuman),
        (vec![], Reason::MissingValue),
    ] {
        let mut new = world.registration("agent:x");
        new.sponsors = sponsors.iter().map(|sponsor| object(sponsor)).collect();
        assert_eq!(
            reason(world.run(|moment| command::register(moment, &by(), new))),
            expected,
            "{sponsors:?}"
        );
    }
    world.set_human("user:gone", HumanStatus::Disabled, None);
    let mut new = world.registration("agent:x");
    new.sponsors = vec![object("user:gone")];
    assert_eq!(reason(world.run(|moment| command::register(moment, &by(), new))), Reason::SponsorNotLive);
    let proposed = world
        .run(|moment| command::propose_sponsor(moment, &by(), &object("agent:a"), None, object("agent:b")));
    assert_eq!(reason(proposed), Reason::SponsorNotHuman);
    let mut human = world.registration("user:alice");
    human.sponsors = vec![object("user:sponsor")];
    assert_eq!(reason(world.run(|moment| command::register(moment, &by(), human))), Reason::TypeMismatch);
}

#[test]
fn an_agent_whose_last_sponsor_left_stops_when_its_grace_is_over() {
    let mut world = world();
    world.write(&["doc:4#viewer@agent:a", "doc:4#viewer@agent:critical"]);
    world.register("agent:critical", |new| new.labels = ["critical".into()].into());
    world.set_human("user:sponsor", HumanStatus::Disabled, None);
    let orphaned = |agent: &str| Limit::NotLive(object(agent), NotLive::Orphaned);
    assert_eq!(limit(&world, &alone("agent:critical"), "view", "doc:4"), orphaned("agent:critical"));
    let grace = world.limits.orphan_grace_ms as i64;
    let end = world.at(grace);
    world.pass(grace - 1);
    let decision = world.decision(&alone("agent:a"), "view", "doc:4", None).unwrap();
    assert_eq!((decision.outcome, decision.valid_until), (Outcome::Allow, Some(end)));
    world.pass(1);
    assert_eq!(limit(&world, &alone("agent:a"), "view", "doc:4"), orphaned("agent:a"));
}

#[test]
fn a_grant_in_a_session_is_seen_in_it_only_and_ends_with_it() {
    let mut world = world();
    let offer = GrantPolicy {
        resource_type: "doc".into(),
        relation: "viewer".into(),
        grantor_permission: "grant".into(),
    };
    world.run(|moment| command::set_grant_policy(moment, offer)).unwrap();
    let session = world.session("agent:a", None);
    let session = world.open(session);
    let run = |world: &mut World, (grantor, line): (&str, &str)| {
        let new = world.granting(session, grantor, line);
        world.grant(new)
    };
    let others = run(&mut world, ("user:alice", "doc:1#viewer@agent:b"));
    assert_eq!(reason(others), Reason::InvalidValue);
    let not_hers = run(&mut world, ("user:alice", "doc:3#viewer@agent:a"));
    assert_eq!(reason(not_hers), Reason::GrantNotPermitted);
    let not_offered = run(&mut world, ("user:alice", "doc:1#owner@agent:a"));
    assert_eq!(reason(not_offered), Reason::GrantNotOffered);
    run(&mut world, ("user:alice", "doc:1#viewer@agent:a")).unwrap();
    let inside = Claim { session: Some(session), ..Claim::default() };
    assert_eq!(world.check(&inside, "view", "doc:1"), Outcome::Allow);
    assert_eq!(world.check(&alone("agent:a"), "view", "doc:1"), Outcome::Deny);
    assert_eq!(world.lookup(&inside, "doc", "view", (None, &[])).unwrap().1, ["1"]);
    let other = world.session("agent:a", None);
    let other = Claim { session: Some(world.open(other)), ..Claim::default() };
    assert_eq!(world.check(&other, "view", "doc:1"), Outcome::Deny, "another session of the same agent");
    world.restart();
    world.run(|moment| command::close_session(moment, &by(), session)).unwrap();
    assert_eq!(world.check(&inside, "view", "doc:1"), Outcome::Deny);
}

#[test]
fn a_grantor_gives_nothing_beyond_its_own_bounds() {
    let mut world = world();
    let offer = GrantPolicy {
        resource_type: "doc".into(),
        relation: "viewer".into(),
        grantor_permission: "grant".into(),
    };
    world.run(|moment| command::set_grant_policy(moment, offer)).unwrap();
    world.write(&["doc:7#owner@agent:b"]);
    let session = world.session("agent:a", None);
    let session = world.open(session);
    let run = |world: &mut World| {
        let new = world.granting(session, "agent:b", "doc:7#viewer@agent:a");
        world.grant(new).map_err(|refused| refused.reason)
    };
    let mut bounded = world.registration("agent:b");
    bounded.ceiling = Some(scope("doc:view:*"));
    world.run(|moment| command::update(moment, &by(), bounded, 1)).unwrap();
    assert_eq!(run(&mut world).err(), Some(Reason::GrantNotPermitted), "its ceiling lacks granting");
    let free = world.registration("agent:b");
    world.run(|moment| command::update(moment, &by(), free, 2)).unwrap();
    world.transition("agent:b", Transition::Quarantine);
    assert_eq!(run(&mut world).err(), Some(Reason::GrantNotPermitted), "it is quarantined");
    world.transition("agent:b", Transition::Resume);
    assert_eq!(run(&mut world).err(), None);
}

#[test]
fn a_kill_switch_stops_whom_it_selects_and_nobody_else() {
    let mut world = world();
    world.write(&["doc:4#viewer@agent:x", "doc:4#viewer@agent:y", "doc:4#viewer@user:alice"]);
    world.register("agent:x", |new| {
        new.blueprint = Some("mail".into());
        new.labels = ["beta".into()].into();
        new.tenant = Some("acme".into());
        new.owners = vec![object("team:t")];
    });
    let selectors = [
        KillSelector::Agent(object("agent:x")),
        KillSelector::Blueprint("mail".into()),
        KillSelector::Label("beta".into()),
        KillSelector::Tenant("acme".into()),
        KillSelector::Owner(object("team:t")),
        KillSelector::Sponsor(object("user:sponsor")),
        KillSelector::All,
    ];
    for selector in selectors {
        let others = if selector == KillSelector::All { Outcome::Deny } else { Outcome::Allow };
        world.throw("s", selector.clone(), KillMode::DenyAll);
        assert_eq!(world.check(&alone("agent:x"), "view", "doc:4"), Outcome::Deny, "{selector}");
        assert_eq!(world.check(&alone("agent:y"), "view", "doc:4"), others, "{selector}: without a record");
        assert_eq!(world.check(&alone("user:alice"), "view", "doc:4"), Outcome::Allow, "{selector}: a human");
        world.run(|moment| command::lift_kill(moment, &by(), "s")).unwrap();
        assert_eq!(world.check(&alone("agent:x"), "view", "doc:4"), Outcome::Allow);
    }
}

#[test]
fn switches_and_quarantine_of_less_than_everything() {
    let mut world = world();
    world.write(&["doc:4#viewer@agent:a", "doc:4#owner@agent:a"]);
    let label = |world: &mut World, name: &str, label: &str| {
        let (name, labels) = (name.into(), [label.into()].into());
        world.run(|moment| command::set_permission_labels(moment, "doc".into(), name, labels)).unwrap();
    };
    label(&mut world, "view", "read");
    world.throw("writes", KillSelector::All, KillMode::DenyWrite);
    assert_eq!(world.check(&alone("agent:a"), "view", "doc:4"), Outcome::Allow);
    assert_eq!(world.check(&alone("agent:a"), "grant", "doc:4"), Outcome::Deny);
    world.run(|moment| command::lift_kill(moment, &by(), "writes")).unwrap();

    world.transition("agent:a", Transition::Quarantine);
    assert_eq!(world.book.agent(&object("agent:a")).unwrap().status, Status::Quarantined);
    assert_eq!(world.check(&alone("agent:a"), "view", "doc:4"), Outcome::RequiresApproval);
    label(&mut world, "view", "safe");
    assert_eq!(world.check(&alone("agent:a"), "view", "doc:4"), Outcome::Allow);
    assert_eq!(world.check(&alone("agent:a"), "grant", "doc:4"), Outcome::RequiresApproval);
    assert_eq!(world.check(&alone("agent:a"), "grant", "doc:1"), Outcome::Deny, "it lacks that itself");
    world.transition("agent:a", Transition::Resume);
    world.throw("ask", KillSelector::All, KillMode::RequireApproval);
    assert_eq!(world.check(&alone("agent:a"), "view", "doc:4"), Outcome::RequiresApproval);
    assert!(world.lookup(&alone("agent:a"), "doc", "view", (None, &[])).unwrap().1.is_empty());
}

#[test]
fn counted_uses_are_used_by_consuming_only() {
    let mut world = world();
    let new = world.delegation("user:alice", "agent:a", scope("doc:view:*"));
    let id = world.try_delegate(Delegate { uses: Some(2), ..new }).unwrap();
    for _ in 0..3 {
        assert_eq!(world.check(&leaf(id), "view", "doc:1"), Outcome::RequiresConsumption);
    }
    assert_eq!(
        world.consume(&leaf(id), "view", "doc:3", (None, "k0")).unwrap().decision.outcome,
        Outcome::Deny
    );
    let first = world.consume(&leaf(id), "view", "doc:1", (None, "k1")).unwrap();
    let again = world.consume(&leaf(id), "view", "doc:1", (None, "k1")).unwrap();
    assert_eq!((first.is_repeated, again.is_repeated), (false, true));
    assert_eq!(first.consumption, again.consumption);
    let other = world.consume(&leaf(id), "view", "doc:2", (None, "k1"));
    assert_eq!(reason(other), Reason::IdempotencyConflict);
    world.consume(&leaf(id), "view", "doc:1", (None, "k2")).unwrap();
    let third = world.consume(&leaf(id), "view", "doc:1", (None, "k3")).unwrap();
    assert_eq!(third.decision.limit, Some(Limit::Hop(id, Over::Used)));
    world.presenter = Presenter { client: "other".into(), ..Presenter::default() };
    let elsewhere = world.consume(&leaf(id), "view", "doc:1", (None, "k1")).unwrap();
    assert_eq!(elsewhere.decision.outcome, Outcome::Deny, "another client's key is another key");
}

#[test]
fn what_a_request_brings_along_lifts_no_ban() {
    let mut world = World::new(
        "use expiration
caveat when_hot(hot bool) { hot }
caveat when_cold(cold bool) { cold }
definition user {}
definition doc {
    relation viewer: user
    relation banned: user | user with when_hot | user with when_cold | user with expiration
    permission view = viewer - banned
}",
    );
    let viewer = ["doc:1", "doc:2", "doc:3", "doc:4"].map(|doc| format!("{doc}#viewer@user:alice"));
    world.write(&viewer.each_ref().map(String::as_str));
    world.write(&[
        "doc:1#banned@user:alice",
        "doc:2#banned@user:alice[expiration:2100-01-01T00:00:00Z]",
        r#"doc:3#banned@user:alice[when_hot:{"hot":true}]"#,
    ]);
    let check = |doc: &str, extra: &[&str]| {
        let extra: Vec<_> = extra.iter().map(|line| parse_relationship(line).unwrap()).collect();
        world.check_at(&world.snapshot, &alone("user:alice"), "view", doc, (None, &extra))
    };
    let never = |doc: &str| format!(r#"{doc}#banned@user:alice[when_cold:{{"cold":false}}]"#);
    for doc in ["doc:1", "doc:2"] {
        assert_eq!(check(doc, &[&never(doc)]).unwrap().outcome, Outcome::Deny, "{doc}");
    }
    // Neither of two conditions can give way to the other.
    assert_eq!(check("doc:3", &[&never("doc:3")]).unwrap_err().reason, Reason::ContextualNotAllowed);
    // Nor does a later part of a request take back what an earlier one says.
    let banned = "doc:4#banned@user:alice[expiration:2100-01-01T00:00:00Z]";
    assert_eq!(check("doc:4", &[banned, &never("doc:4")]).unwrap().outcome, Outcome::Deny);
    let hot = r#"doc:4#banned@user:alice[when_hot:{"hot":true}]"#;
    assert_eq!(check("doc:4", &[hot, &never("doc:4")]).unwrap_err().reason, Reason::ContextualNotAllowed);
    assert_eq!(check("doc:4", &[&never("doc:4")]).unwrap().outcome, Outcome::Allow);
}
