//! Usersets of agents that are not live, and what an update may not do to sponsors.

use pemba_agents::Reason;
use pemba_agents::authority::{Limit, Outcome};
use pemba_agents::chain::Claim;
use pemba_agents::command::{self, Transition};
use pemba_agents::records::{KillMode, KillSelector};

use crate::attacks;
use crate::world::{MINUTE, World, alone, by, leaf, object, scope};

#[test]
fn exclusion_polarity() {
    let schema = "
definition user {}
definition agent { relation team: user | agent }
definition doc {
    relation viewer: user | agent#team
    relation banned: agent#team
    relation pardoned: agent#team
    permission view = viewer - (banned - pardoned)
}";
    let mut world = World::new(schema);
    world.declare();
    world.write(&[
        "agent:a#team@user:alice",
        "doc:given#viewer@agent:a#team",
        "doc:banned#viewer@user:alice",
        "doc:banned#banned@agent:a#team",
        "doc:pardoned#viewer@user:alice",
        "doc:pardoned#banned@agent:a#team",
        "doc:pardoned#pardoned@agent:a#team",
    ]);
    world.register("agent:a", |_| {});
    let (head, alice) = (world.snapshot.clone(), alone("user:alice"));
    let all = |world: &World| {
        let seen = ["doc:given", "doc:banned", "doc:pardoned"]
            .map(|doc| world.check(&alice, "view", doc) == Outcome::Allow);
        let (_, found, _) = world.lookup(&alice, "doc", "view", (None, &[])).unwrap();
        for (doc, is_seen) in ["given", "banned", "pardoned"].into_iter().zip(seen) {
            assert_eq!(found.contains(&doc.to_owned()), is_seen, "a lookup is all checks: {doc}");
        }
        seen
    };
    assert_eq!(all(&world), [true, false, true]);
    // What takes the agent's life takes what its userset gives, and nothing of what that excludes: hiding the ban
    // would grant. Within the exclusion of an exclusion it gives, so there it is hidden too.
    let off = [false, false, false];
    world.transition("agent:a", Transition::Suspend);
    assert_eq!(all(&world), off);
    let then = world.check_at(&head, &alice, "view", "doc:given", (None, &[])).unwrap();
    assert_eq!(then.outcome, Outcome::Deny, "a snapshot from before is no way around");
    world.transition("agent:a", Transition::Resume);
    assert_eq!(all(&world), [true, false, true]);
    world.throw("stop", KillSelector::All, KillMode::DenyAll);
    assert_eq!(all(&world), off);
    world.run(|moment| command::lift_kill(moment, &by(), "stop")).unwrap();
    let end = world.at(MINUTE);
    let mut update = world.registration("agent:a");
    update.not_after = Some(end);
    let version = world.book.agent(&object("agent:a")).unwrap().version;
    world.run(|moment| command::update(moment, &by(), update, version)).unwrap();
    let decision = world.decision(&alice, "view", "doc:given", None).unwrap();
    assert_eq!((decision.outcome, decision.valid_until), (Outcome::Allow, Some(end)));
    world.pass(MINUTE);
    assert_eq!(all(&world), off);
    world.transition("agent:a", Transition::Retire);
    assert_eq!(all(&world), off);
    let then = world.check_at(&head, &alice, "view", "doc:given", (None, &[])).unwrap();
    assert_eq!(then.outcome, Outcome::Deny);
    // The next incarnation has none of it, and at the snapshot from before the first one's still counts for nobody.
    world.register("agent:a", |_| {});
    let then = world.check_at(&head, &alice, "view", "doc:given", (None, &[])).unwrap();
    assert_eq!(then.outcome, Outcome::Deny, "the name's later life gives nothing to the earlier userset");
}

#[test]
fn a_delegation_to_the_userset_of_an_agent_that_is_not_live_is_nobodys() {
    let schema = "
definition user {}
definition agent { relation team: user | agent }
definition doc { relation viewer: user
    permission view = viewer }";
    let mut world = World::new(schema);
    world.declare();
    world.write(&["agent:a#team@agent:b", "doc:1#viewer@user:alice"]);
    world.register("agent:a", |_| {});
    world.register("agent:b", |_| {});
    let mut new = world.delegation("user:alice", "agent:a#team", scope("doc:view:*"));
    new.uses = Some(10);
    let id = world.try_delegate(new).unwrap();
    let claim = Claim { either_end: Some(object("agent:b")), ..leaf(id) };
    assert_eq!(world.check(&claim, "view", "doc:1"), Outcome::RequiresConsumption);
    world.transition("agent:a", Transition::Suspend);
    let decision = world.decision(&claim, "view", "doc:1", None).unwrap();
    assert_eq!(decision.limit, Some(Limit::Member(id)));
}

#[test]
fn nobody_is_made_a_sponsor_by_an_update() {
    let mut world = attacks::world();
    world.register("agent:s", |_| {});
    let mut update = world.registration("agent:s");
    update.sponsors.push(object("user:alice"));
    let refused = world.run(|moment| command::update(moment, &by(), update, 1)).unwrap_err();
    assert_eq!((refused.reason, refused.field.as_str()), (Reason::SponsorNotAccepted, "sponsors"));
    let (agent, alice) = (object("agent:s"), object("user:alice"));
    world.run(|moment| command::propose_sponsor(moment, &by(), &agent, None, alice.clone())).unwrap();
    world.run(|moment| command::accept_sponsor(moment, &by(), &agent, &alice)).unwrap();
    // One of those there are may go.
    let mut fewer = world.registration("agent:s");
    fewer.sponsors = vec![alice];
    let version = world.book.agent(&agent).unwrap().version;
    world.run(|moment| command::update(moment, &by(), fewer, version)).unwrap();
    assert_eq!(world.book.agent(&agent).unwrap().sponsors.len(), 1);
}
