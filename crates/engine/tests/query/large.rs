//! Graphs that are long or wide: linear work, no deep stack, and an error when the budget is spent.

use pemba_engine::QueryError;

use crate::world::World;

const LEN: usize = 100_000;

const SCHEMA: &str = "
definition user {}
definition group { relation member: user | group#member; relation temp: user | user with expiration | group#temp }
definition folder {
    relation parent: folder
    relation viewer: user | group#member | group#temp
    relation hidden: user
    permission view = viewer + parent->view
    permission every = viewer + parent.all(every)
    permission shown = viewer + (parent->shown - hidden)
    permission flips = viewer - parent->flips
}";

/// Steps for each object, at most. Quadratic work would take a thousand times as many.
const STEPS_EACH_MAX: u64 = 60;

fn world(edges: Vec<String>) -> World {
    let mut world = World::from_iter(SCHEMA, edges);
    world.steps_max = STEPS_EACH_MAX * LEN as u64;
    world
}

fn count(world: &World, permission: &str, subject: &str) -> usize {
    world.resources("folder", permission, subject).split_whitespace().count()
}

#[test]
fn a_chain_of_a_hundred_thousand_parents() {
    let mut edges: Vec<String> =
        (0..LEN).map(|at| format!("folder:n{at}#parent@folder:n{}", at + 1)).collect();
    edges.push(format!("folder:n{LEN}#viewer@user:ann"));
    edges.push("folder:n10#hidden@user:ann".into());
    edges.extend((0..LEN).step_by(10).map(|at| format!("folder:n{at}#viewer@user:u{at}")));
    let world = world(edges);
    for permission in ["view", "every", "shown"] {
        assert_eq!(world.check(&format!("folder:n11#{permission}@user:ann")), "yes");
        assert_eq!(world.check(&format!("folder:n0#{permission}@user:bob")), "no");
    }
    assert_eq!(world.check("folder:n10#shown@user:ann"), "no");
    assert_eq!(world.check(&format!("folder:n{}#flips@user:ann", LEN - 1)), "no");
    assert_eq!(count(&world, "view", "user:ann"), LEN + 1);
    assert_eq!(count(&world, "every", "user:ann"), LEN + 1);
    assert_eq!(count(&world, "shown", "user:ann"), LEN - 10);
    assert_eq!(count(&world, "flips", "user:ann"), 1);
    {
        let found = world.subjects("folder:n0#view", "user", None);
        assert_eq!(found.split_whitespace().count(), LEN / 10 + 1);
    }
}

#[test]
fn a_cycle_of_a_hundred_thousand_groups() {
    let mut edges: Vec<String> =
        (0..LEN).map(|at| format!("group:g{at}#member@group:g{}#member", (at + 1) % LEN)).collect();
    edges.extend((0..LEN).step_by(100).map(|at| format!("group:g{at}#member@user:u{at}")));
    edges.push("folder:top#viewer@group:g0#member".into());
    let world = world(edges);
    assert_eq!(world.check("folder:top#view@user:u500"), "yes");
    assert_eq!(world.check("folder:top#view@user:new"), "no");
    assert_eq!(world.resources("folder", "view", "user:u500"), "top");
    {
        let found = world.subjects("folder:top#view", "user", None);
        assert_eq!(found.split_whitespace().count(), LEN / 100);
    }
}

#[test]
fn wide_objects_and_wide_subjects() {
    let mut edges: Vec<String> = Vec::new();
    for at in 0..LEN {
        edges.push(format!("folder:wide#viewer@group:g{at}#member"));
        edges.push(format!("group:g{at}#member@user:busy"));
        edges.push(format!("group:root#member@group:g{at}#member"));
        edges.push(format!("folder:many#parent@folder:f{at}"));
        edges.push(format!("folder:f{at}#viewer@user:busy"));
    }
    edges.push("group:g77#member@user:calm".into());
    edges.push("folder:f7#viewer@user:calm".into());
    edges.push("folder:small#viewer@group:tiny#member".into());
    edges.push("group:tiny#temp@user:late[expiration:1970-01-01T00:00:02Z]".into());
    edges.push("folder:rooted#viewer@group:root#member".into());
    edges.push("folder:temp#viewer@group:tiny#temp".into());
    let world = world(edges);
    for (question, answer) in [
        ("folder:wide#view@user:busy", "yes"),
        ("folder:wide#view@user:calm", "yes"),
        ("folder:wide#view@user:new", "no"),
        ("folder:small#view@user:busy", "no"),
        ("folder:rooted#view@user:busy", "yes"),
        ("folder:rooted#view@user:calm", "yes"),
        ("folder:rooted#view@user:new", "no"),
        ("folder:many#view@user:calm", "yes"),
        ("folder:many#view@user:new", "no"),
        ("folder:many#every@user:busy", "yes"),
        ("folder:many#every@user:calm", "no"),
        ("folder:temp#view@user:late", "yes"),
        ("folder:temp#view@user:busy", "no"),
    ] {
        assert_eq!(world.check(question), answer, "{question}");
    }
    assert_eq!(world.resources("folder", "view", "user:calm"), "f7 many rooted wide");
    assert_eq!(count(&world, "every", "user:busy"), LEN + 3);
    assert_eq!(world.subjects("folder:rooted#view", "user", None), "busy=yes calm=yes");
}

#[test]
fn a_spent_budget_is_an_error() {
    let edges = (0..1000).map(|at| format!("folder:n{at}#parent@folder:n{}", at + 1));
    let mut world = World::from_iter(SCHEMA, edges.chain(["folder:n1000#viewer@user:ann".to_owned()]));
    world.steps_max = 100;
    let error = QueryError::TooManySteps { steps_max: 100 };
    assert_eq!(world.answer("folder:n0#view@user:ann"), Err(error.clone()));
    world.steps_max = 300;
    assert_eq!(world.check("folder:n990#view@user:ann"), "yes");
    world.steps_max = 100;
    assert_eq!(world.resources("folder", "view", "user:ann"), error.to_string());
    assert_eq!(world.subjects("folder:n0#view", "user", None), error.to_string());
}
