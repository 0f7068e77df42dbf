//! A name that is given to another object: nothing granted to the earlier one is found by the name.

use pemba_engine::{Graph, Loader, Ordinal, PutError, Snapshot};
use pemba_model::text::{parse_object, parse_relationship};
use pemba_model::{ObjectRef, RelationshipFilter, Revision};

use crate::world::World;

const SCHEMA: &str = "
definition user {}
definition agent { relation operator: user | agent#operator }
definition folder { relation viewer: user | agent | agent:* | agent#operator }
definition doc {
    relation parent: folder | folder with one
    relation viewer: user | agent | agent with one | agent:* | agent#operator | agent#operator with one
    relation banned: user | agent
    permission view = viewer + parent->viewer
    permission every = parent.all(viewer)
    permission open = viewer - banned
}
";

const EDGES: [&str; 13] = [
    "doc:d#viewer@agent:a",
    "doc:c#viewer@agent:a[one]",
    "doc:d#viewer@agent:b",
    "doc:u#viewer@agent:a#operator",
    "doc:v#viewer@agent:a#operator[one]",
    "doc:n#viewer@agent:b#operator",
    "agent:b#operator@agent:a#operator",
    "agent:a#operator@user:ann",
    "doc:w#viewer@agent:*",
    "doc:f#parent@folder:x",
    "doc:f#parent@folder:y",
    "folder:x#viewer@agent:a",
    "folder:y#viewer@agent:b",
];

fn object(text: &str) -> ObjectRef {
    parse_object(text).unwrap()
}

/// The world after `agent:a` has become another.
fn reincarnated(before: &World, name: &str) -> World {
    let mut transaction = before.snapshot.transaction();
    transaction.reincarnate(&object(name)).unwrap();
    let snapshot = transaction.finish(Revision(1));
    World { snapshot, now: before.now, steps_max: before.steps_max }
}

fn edges(snapshot: &Snapshot, filter: &RelationshipFilter) -> Vec<String> {
    let text = |(key, attributes): (_, _)| snapshot.relationship(key, &attributes).unwrap().to_string();
    let mut edges: Vec<String> = snapshot.scan(filter, None, None).map(text).collect();
    edges.sort();
    edges
}

#[test]
fn the_earlier_ones_grants_are_found_by_no_question_about_the_name() {
    let before = World::new(SCHEMA, &EDGES);
    assert_eq!(before.check("doc:d#view@agent:a"), "yes");
    assert_eq!(before.subjects("doc:d#view", "agent", None), "a=yes b=yes");
    let after = reincarnated(&before, "agent:a");
    // The name is the newest's at the revision before, too.
    for world in [&after, &before] {
        assert_eq!(world.check("doc:d#view@agent:a"), "no");
        assert_eq!(world.check("doc:c#view@agent:a"), "no");
        assert_eq!(world.check("doc:f#view@agent:a"), "no");
        assert_eq!(world.check("doc:u#view@agent:a#operator"), "no");
        assert_eq!(world.check("agent:a#operator@user:ann"), "no");
        assert_eq!(world.resources("doc", "view", "agent:a"), "w");
        assert_eq!(
            world.resources("agent", "operator", "user:ann"),
            if std::ptr::eq(world, &before) { "b" } else { "" }
        );
        assert_eq!(world.subjects("doc:d#view", "agent", None), "b=yes");
        assert_eq!(world.subjects("doc:c#view", "agent", None), "");
        assert_eq!(world.subjects("doc:u#view", "agent", Some("operator")), "");
        for text in [EDGES[0], EDGES[1], EDGES[3], EDGES[7]] {
            let key = world.snapshot.edge_key(&parse_relationship(text).unwrap());
            assert_eq!(key.and_then(|key| world.snapshot.edge(key)), None, "{text}");
        }
        let tree = world.snapshot.expand(&object("doc:d"), "viewer", &world.context()).unwrap();
        assert!(format!("{tree:?}").contains("\"b\"") && !format!("{tree:?}").contains("\"a\""));
    }
}

#[test]
fn from_then_on_the_earlier_one_counts_for_nobody() {
    let after = reincarnated(&World::new(SCHEMA, &EDGES), "agent:a");
    // Its operators had these by way of it.
    for doc in ["u", "v", "n"] {
        assert_eq!(after.check(&format!("doc:{doc}#view@user:ann")), "no");
    }
    assert_eq!(after.resources("doc", "view", "user:ann"), "");
    assert_eq!(after.subjects("doc:u#view", "user", None), "");
    after.cross_examine();

    // A folder that became another is no parent: `.all` asks the others alone.
    let after = reincarnated(&World::new(SCHEMA, &EDGES), "folder:x");
    assert_eq!(after.check("doc:f#view@agent:a"), "no");
    assert_eq!(after.check("doc:f#every@agent:b"), "yes");
    assert_eq!(after.resources("doc", "every", "agent:b"), "f");
    assert_eq!(after.subjects("doc:f#every", "agent", None), "b=yes");
    after.cross_examine();
}

#[test]
fn the_new_one_gets_what_it_is_granted_itself_and_wildcards_cover_it() {
    let after = reincarnated(&World::new(SCHEMA, &EDGES), "agent:a");
    assert_eq!(after.check("doc:w#view@agent:a"), "yes");
    let mut transaction = after.snapshot.transaction();
    for text in ["doc:z#viewer@agent:a", "agent:a#operator@user:bob", "doc:u#viewer@agent:a#operator"] {
        assert_eq!(transaction.put(&parse_relationship(text).unwrap()).unwrap().before, None, "{text}");
    }
    assert!(transaction.new_objects().iter().all(|(_, _, name)| name != "a"), "handed over before");
    let granted = World { snapshot: transaction.finish(Revision(2)), ..after };
    assert_eq!(granted.resources("doc", "view", "agent:a"), "w z");
    assert_eq!(granted.check("doc:u#view@user:bob"), "yes");
    assert_eq!(granted.check("doc:u#view@user:ann"), "no");
    granted.cross_examine();
}

#[test]
fn scans_show_the_earlier_edges_under_the_name_and_an_id_finds_the_newest_ones() {
    let before = World::new(SCHEMA, &EDGES);
    let all = edges(&before.snapshot, &RelationshipFilter::default());
    let after = reincarnated(&before, "agent:a");
    assert_eq!(edges(&after.snapshot, &RelationshipFilter::default()), all);
    for (key, attributes) in after.snapshot.scan(&RelationshipFilter::default(), None, None) {
        assert_eq!(after.snapshot.edge(key), Some(attributes.clone()));
        assert_eq!(after.snapshot.edge_from_subject(key), Some(attributes));
    }
    let mut transaction = after.snapshot.transaction();
    transaction.put(&parse_relationship("agent:a#operator@user:bob").unwrap()).unwrap();
    let granted = transaction.finish(Revision(2));
    let of_agents =
        RelationshipFilter { resource_type: Some("agent".into()), ..RelationshipFilter::default() };
    let of_a = RelationshipFilter { resource_id: Some("a".into()), ..of_agents.clone() };
    assert_eq!(edges(&granted, &of_a), ["agent:a#operator@user:bob"]);
    let shown =
        ["agent:a#operator@user:ann", "agent:a#operator@user:bob", "agent:b#operator@agent:a#operator"];
    assert_eq!(edges(&granted, &of_agents), shown);
}

#[test]
fn it_is_handed_to_the_store_like_any_name_and_a_reload_finds_the_newest() {
    let before = World::new(SCHEMA, &EDGES);
    let agents = before.snapshot.catalog().type_id("agent").unwrap();
    let count = before.snapshot.names().len(agents);
    // One that is dropped: the name is gone from the earlier one all the same, and handed over with the next.
    before.snapshot.transaction().reincarnate(&object("agent:a")).unwrap();
    let mut transaction = before.snapshot.transaction();
    assert_eq!(transaction.reincarnate(&object("agent:a")), Ok(Ordinal(count + 1)));
    assert_eq!(transaction.reincarnate(&object("agent:new")), Ok(Ordinal(count + 2)));
    let handed: Vec<_> =
        transaction.new_objects().iter().map(|(_, ordinal, name)| (ordinal.0, name.as_str())).collect();
    assert_eq!(handed, [(count, "a"), (count + 1, "a"), (count + 2, "new")]);
    let after = World { snapshot: transaction.finish(Revision(1)), ..before };

    let mut loader = Loader::new();
    for (id, name) in after.snapshot.catalog().types() {
        loader.restore_type(id, name).unwrap();
    }
    for (id, kind) in after.snapshot.catalog().kinds() {
        loader.restore_kind(id, kind.clone()).unwrap();
    }
    for (object_type, _) in after.snapshot.catalog().types() {
        for n in 0..after.snapshot.names().len(object_type) {
            let name = after.snapshot.names().object_id(object_type, Ordinal(n)).unwrap();
            loader.restore_object(object_type, Ordinal(n), name).unwrap();
        }
    }
    loader.restore_schema(after.snapshot.schema().clone());
    for (key, attributes) in after.snapshot.scan(&RelationshipFilter::default(), None, None) {
        loader.edge(key, attributes).unwrap();
    }
    let reloaded = World { snapshot: loader.finish(Revision(1)).unwrap(), ..after };
    assert_eq!(reloaded.snapshot.ordinal(agents, "a"), Some(Ordinal(count + 1)));
    assert_eq!(reloaded.check("doc:d#view@agent:a"), "no");
    assert_eq!(reloaded.check("doc:u#view@user:ann"), "no");
    assert_eq!(reloaded.subjects("doc:d#view", "agent", None), "b=yes");
    reloaded.cross_examine();
}

#[test]
fn what_is_no_object_gets_no_incarnation() {
    let world = World::new(SCHEMA, &EDGES);
    let mut transaction = world.snapshot.transaction();
    let unknown = ObjectRef::new("nothing", "a");
    assert_eq!(transaction.reincarnate(&unknown), Err(PutError::NoObject { object: "nothing:a".to_owned() }));
    assert!(matches!(transaction.reincarnate(&ObjectRef::new("agent", "*")), Err(PutError::NoObject { .. })));
    assert!(transaction.new_objects().is_empty());
}
