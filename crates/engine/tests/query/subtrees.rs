//! Subtrees along one relation.

use pemba_engine::{CheckAnswer, Ordinal, Permissionship, QueryError, in_subtree, subtree};
use pemba_model::text::parse_object;
use pemba_model::{ObjectRef, Timestamp};

use crate::world::{World, word};

const TREE: &str = "
definition user {}
definition group { relation member: user }
definition folder {
    relation parent: folder | folder with one | folder with two | folder with gone | folder with expiration |
        folder:* | folder#parent | site
}
definition site { relation parent: folder }
definition doc { relation parent: folder | site | folder with not_ok }
";

fn object(text: &str) -> ObjectRef {
    parse_object(text).unwrap()
}

fn ask(world: &World, text: &str, top: &str) -> Result<CheckAnswer, QueryError> {
    in_subtree(&world.snapshot, &object(text), "parent", &object(top), &world.context())
}

fn answer(world: &World, text: &str, top: &str) -> String {
    ask(world, text, top).map_or_else(|error| error.to_string(), |a| word(a.permissionship, &a.missing))
}

/// The objects in the subtree by id, conditional ones with a mark; each agrees with `in_subtree`.
fn all(world: &World, resource_type: &str, top: &str) -> String {
    let found = match subtree(&world.snapshot, resource_type, "parent", &object(top), &world.context()) {
        Ok(found) => found,
        Err(error) => return error.to_string(),
    };
    let type_id = found.resource_type.unwrap();
    let mut words = Vec::new();
    for n in 0..world.snapshot.names().len(type_id) {
        let id = world.snapshot.names().object_id(type_id, Ordinal(n)).unwrap();
        let value = match (found.definite.contains(n), found.conditional.contains(n)) {
            (true, false) => Permissionship::Yes,
            (false, true) => Permissionship::Conditional,
            (false, false) => Permissionship::No,
            (true, true) => panic!("{id} twice"),
        };
        let one = ask(world, &format!("{resource_type}:{id}"), top).unwrap();
        assert_eq!(one.permissionship, value, "{resource_type}:{id} in {top}");
        match value {
            Permissionship::Yes => words.push(id.to_owned()),
            Permissionship::Conditional => words.push(format!("{id}?")),
            Permissionship::No => {}
        }
    }
    words.sort();
    words.join(" ")
}

#[test]
fn what_hangs_below_is_in_it_across_types_diamonds_and_cycles() {
    let world = World::new(
        TREE,
        &[
            "folder:left#parent@folder:top",
            "folder:right#parent@folder:top",
            "folder:deep#parent@folder:left",
            "folder:deep#parent@folder:right",
            "site:s#parent@folder:deep",
            "folder:under#parent@site:s",
            "doc:d#parent@folder:under",
            "doc:top#parent@folder:other",
            "folder:round#parent@folder:again",
            "folder:again#parent@folder:round",
        ],
    );
    assert_eq!(all(&world, "folder", "folder:top"), "deep left right top under");
    assert_eq!(all(&world, "site", "folder:top"), "s");
    assert_eq!(all(&world, "doc", "folder:top"), "d");
    assert_eq!(all(&world, "folder", "site:s"), "under");
    assert_eq!(all(&world, "folder", "folder:round"), "again round");
    assert_eq!(all(&world, "doc", "doc:d"), "d");
    assert_eq!(answer(&world, "doc:top", "folder:top"), "no", "equal ids of two types");
    assert_eq!(answer(&world, "folder:top", "folder:deep"), "no", "up is not down");
}

#[test]
fn usersets_and_wildcards_lead_nowhere() {
    let world = World::new(
        TREE,
        &["folder:a#parent@folder:top#parent", "folder:b#parent@folder:*", "folder:c#parent@folder:top"],
    );
    assert_eq!(all(&world, "folder", "folder:top"), "c top");
    assert_eq!(answer(&world, "folder:b", "folder:never"), "no");
}

#[test]
fn conditions_add_up_and_a_plain_way_decides() {
    let world = World::new(
        TREE,
        &[
            "folder:a#parent@folder:top[one]",
            "folder:b#parent@folder:a[two]",
            "doc:refused#parent@folder:top[not_ok]",
            "folder:c#parent@folder:b",
            "folder:c#parent@folder:top",
        ],
    );
    assert_eq!(answer(&world, "folder:a", "folder:top"), "if one");
    assert_eq!(answer(&world, "folder:b", "folder:top"), "if one,two");
    assert_eq!(answer(&world, "folder:c", "folder:top"), "yes");
    assert_eq!(all(&world, "folder", "folder:top"), "a? b? c top");
    assert_eq!(all(&world, "doc", "folder:top"), "");
}

#[test]
fn a_failing_caveat_matters_only_where_the_answer_depends_on_it() {
    let world = World::new(
        TREE,
        &[
            "folder:a#parent@folder:top[gone]",
            "folder:a#parent@folder:top2",
            "folder:b#parent@folder:a",
            "folder:b#parent@folder:top",
        ],
    );
    assert_eq!(answer(&world, "folder:a", "folder:top"), "caveat `gone` not found");
    assert_eq!(answer(&world, "folder:b", "folder:top"), "yes");
    assert_eq!(answer(&world, "folder:a", "folder:top2"), "yes");
    assert_eq!(all(&world, "folder", "folder:top"), "caveat `gone` not found");
    assert_eq!(all(&world, "folder", "folder:top2"), "a b top2");
}

#[test]
fn an_expired_edge_is_gone_and_a_live_one_bounds_the_answer() {
    let mut world = World::new(
        TREE,
        &[
            "folder:old#parent@folder:top[expiration:1970-01-01T00:00:01Z]",
            "folder:live#parent@folder:top[expiration:1970-01-01T00:00:02Z]",
            "folder:below#parent@folder:live",
        ],
    );
    assert_eq!(all(&world, "folder", "folder:top"), "below live top");
    let until = Some(Timestamp::from_millis(2000));
    assert_eq!(ask(&world, "folder:below", "folder:top").unwrap().valid_until, until);
    let found = subtree(&world.snapshot, "folder", "parent", &object("folder:top"), &world.context());
    assert_eq!(found.unwrap().valid_until, until);
    world.now = Timestamp::from_millis(2000);
    assert_eq!(all(&world, "folder", "folder:top"), "top");
}

#[test]
fn names_nobody_knows_are_errors_and_objects_nobody_knows_are_alone() {
    let world = World::new(TREE, &["folder:a#parent@folder:top"]);
    assert_eq!(answer(&world, "nothing:a", "folder:top"), "object definition `nothing` not found");
    assert_eq!(answer(&world, "folder:a", "nothing:top"), "object definition `nothing` not found");
    let unknown =
        in_subtree(&world.snapshot, &object("folder:a"), "up", &object("folder:top"), &world.context());
    assert!(matches!(unknown, Err(QueryError::UnknownRelation { relation, .. }) if relation == "up"));
    assert_eq!(answer(&world, "user:a", "folder:top"), "no", "a type without the relation");
    assert_eq!(answer(&world, "folder:new", "folder:new"), "yes");
    assert_eq!(answer(&world, "folder:new", "folder:other"), "no");
    let alone =
        subtree(&world.snapshot, "folder", "parent", &object("folder:new"), &world.context()).unwrap();
    assert_eq!(alone.definite.iter().collect::<Vec<_>>(), [Ordinal::UNMENTIONED.0]);
}

#[test]
fn a_long_chain_is_walked_within_the_bound_of_steps() {
    let edges = (0..20_000).map(|n| format!("folder:f{}#parent@folder:f{n}", n + 1));
    let mut world = World::from_iter(TREE, edges);
    assert_eq!(answer(&world, "folder:f20000", "folder:f0"), "yes");
    assert_eq!(answer(&world, "folder:f19999", "folder:f20000"), "no");
    let found = subtree(&world.snapshot, "folder", "parent", &object("folder:f0"), &world.context()).unwrap();
    assert_eq!(found.definite.len(), 20_001);
    world.steps_max = 1_000;
    assert_eq!(ask(&world, "folder:f20000", "folder:f0"), Err(QueryError::TooManySteps { steps_max: 1_000 }));
    let bounded = subtree(&world.snapshot, "folder", "parent", &object("folder:f0"), &world.context());
    assert_eq!(bounded, Err(QueryError::TooManySteps { steps_max: 1_000 }));
}
