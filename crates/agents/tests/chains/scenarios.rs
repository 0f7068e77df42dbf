//! How others model agents with relationships alone, what leaks there, and that a chain stops it.

use pemba_agents::authority::Outcome;

use crate::world::{World, alone, leaf};

/// The union style: an agent's operators lend it all they see, so that `view` is theirs and the agent's.
const UNION: &str = "
definition user {}
definition agent {
    relation operator: user
}
definition document {
    relation reader: user
    relation agent_reader: agent
    permission view = reader + agent_reader
}";

/// A task as an object that binds an agent to what the task needs.
const TASKS: &str = "
definition user {}
definition agent {}
definition task {
    relation assignee: agent
    relation requester: user
}
definition document {
    relation reader: user
    relation task_reader: task#assignee
    permission view = reader + task_reader
}";

#[test]
fn an_agent_that_serves_two_users_by_union_shows_each_the_others_documents() {
    let mut world = World::new(UNION);
    world.declare();
    world.write(&[
        "document:alices#reader@user:alice",
        "document:bobs#reader@user:bob",
        "document:alices#agent_reader@agent:a",
        "document:bobs#agent_reader@agent:a",
    ]);
    world.register("agent:a", |_| {});
    // The leak: asked by Alice, the agent may read what is Bob's, since it is the agent who is asked about.
    for document in ["document:alices", "document:bobs"] {
        assert_eq!(world.check(&alone("agent:a"), "view", document), Outcome::Allow);
    }
    assert_eq!(
        world.lookup(&alone("agent:a"), "document", "view", (None, &[])).unwrap().1,
        ["alices", "bobs"]
    );

    // The chain: on whose authority it acts is part of the question, and its own grants add nothing.
    let for_alice = world.delegate("user:alice", "agent:a", "document:view:*");
    let for_bob = world.delegate("user:bob", "agent:a", "document:view:*");
    for (id, own, other) in [(for_alice, "alices", "bobs"), (for_bob, "bobs", "alices")] {
        assert_eq!(world.check(&leaf(id), "view", &format!("document:{own}")), Outcome::Allow);
        assert_eq!(world.check(&leaf(id), "view", &format!("document:{other}")), Outcome::Deny);
        assert_eq!(world.lookup(&leaf(id), "document", "view", (None, &[])).unwrap().1, [own]);
    }
}

#[test]
fn what_a_user_loses_the_agent_loses_with_no_further_write() {
    let mut world = World::new(UNION);
    world.declare();
    world.write(&["document:1#reader@user:alice", "document:1#agent_reader@agent:a"]);
    world.register("agent:a", |_| {});
    let id = world.delegate("user:alice", "agent:a", "document:view:*");
    world.delete(&["document:1#reader@user:alice"]);
    assert_eq!(world.check(&alone("agent:a"), "view", "document:1"), Outcome::Allow, "the copy lives on");
    assert_eq!(world.check(&leaf(id), "view", "document:1"), Outcome::Deny);
}

#[test]
fn a_task_binds_an_agent_and_a_chain_binds_it_to_its_requester_too() {
    let mut world = World::new(TASKS);
    world.declare();
    world.write(&[
        "document:1#reader@user:alice",
        "document:1#task_reader@task:t#assignee",
        "document:2#task_reader@task:t#assignee",
        "task:t#assignee@agent:a",
        "task:t#requester@user:alice",
    ]);
    world.register("agent:a", |_| {});
    // By the task alone the agent reads what its requester cannot.
    assert_eq!(world.check(&alone("agent:a"), "view", "document:2"), Outcome::Allow);
    let id = world.delegate("user:alice", "agent:a", "document:view:1,2");
    assert_eq!(world.check(&leaf(id), "view", "document:1"), Outcome::Allow);
    assert_eq!(world.check(&leaf(id), "view", "document:2"), Outcome::Deny);
    // And both bounds together: the agent must have its task as well.
    world.register("agent:strict", |new| new.own_grants_required = true);
    let strict = world.delegate("user:alice", "agent:strict", "document:view:1,2");
    assert_eq!(world.check(&leaf(strict), "view", "document:1"), Outcome::Deny);
    world.write(&["task:t#assignee@agent:strict"]);
    assert_eq!(world.check(&leaf(strict), "view", "document:1"), Outcome::Allow);
    world.delete(&["task:t#assignee@agent:strict"]);
    assert_eq!(world.check(&leaf(strict), "view", "document:1"), Outcome::Deny, "the task is done");
}
