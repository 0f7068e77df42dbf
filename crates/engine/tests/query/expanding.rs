//! Expansion.

use pemba_engine::{ExpandNode, ExpandTree, QueryError};
use pemba_model::text::parse_object_relation;

use crate::world::World;

fn show(tree: &ExpandTree) -> String {
    let list = |children: &[ExpandTree]| children.iter().map(show).collect::<Vec<_>>().join(", ");
    let body = match &tree.node {
        ExpandNode::Leaf(subjects) => {
            format!("[{}]", subjects.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        }
        ExpandNode::Union(children) => format!("any({})", list(children)),
        ExpandNode::Intersection(children) => format!("all({})", list(children)),
        ExpandNode::Exclusion(children) => format!("but({})", list(children)),
    };
    format!("{}#{}{body}", tree.object, tree.relation)
}

fn expand(world: &World, question: &str) -> Result<String, QueryError> {
    let (resource, permission) = parse_object_relation(question).unwrap();
    world.snapshot.expand(&resource, &permission, &world.context()).map(|tree| show(&tree))
}

const DOCS: &str = "
definition user {}
definition group { relation member: user | group#member | user with expiration | user with not_ok }
definition folder {
    relation parent: folder
    relation viewer: user | user:* | group#member
    permission view = viewer + parent->view
    permission every = parent.all(viewer) & viewer
    permission nobody = nil
    permission less = viewer - (nobody + parent->viewer)
    permission alone = viewer
}";

#[test]
fn a_relation_is_a_leaf_of_its_live_subjects_whatever_their_caveats() {
    let world = World::new(
        DOCS,
        &[
            "group:eng#member@user:bob[not_ok]",
            "group:eng#member@user:ann[expiration:1970-01-01T00:00:02Z]",
            "group:eng#member@user:old[expiration:1970-01-01T00:00:01Z]",
            "group:eng#member@group:sub#member",
        ],
    );
    assert_eq!(
        expand(&world, "group:eng#member").unwrap(),
        "group:eng#member[group:sub#member user:ann user:bob]"
    );
    assert_eq!(expand(&world, "group:new#member").unwrap(), "group:new#member[]");
}

#[test]
fn a_permission_is_its_expression() {
    let world = World::new(
        DOCS,
        &[
            "folder:low#parent@folder:top",
            "folder:low#viewer@user:*",
            "folder:top#viewer@group:eng#member",
            "folder:top#viewer@user:ann",
        ],
    );
    let top = "folder:top#viewer[group:eng#member user:ann]";
    assert_eq!(
        expand(&world, "folder:low#view").unwrap(),
        format!(
            "folder:low#viewany(folder:low#viewer[user:*], folder:low#viewany(folder:top#viewany({top}, \
             folder:top#viewany())))"
        )
    );
    assert_eq!(
        expand(&world, "folder:low#every").unwrap(),
        format!("folder:low#everyall(folder:low#everyall({top}), folder:low#viewer[user:*])")
    );
    assert_eq!(
        expand(&world, "folder:low#less").unwrap(),
        format!(
            "folder:low#lessbut(folder:low#viewer[user:*], folder:low#lessany(folder:low#nobodyany(folder:low#nobody[]), \
             folder:low#lessany({top})))"
        )
    );
    assert_eq!(expand(&world, "folder:low#alone").unwrap(), "folder:low#aloneany(folder:low#viewer[user:*])");
}

#[test]
fn one_part_alone_is_under_a_union_and_an_object_without_the_target_is_an_empty_leaf() {
    let world = World::new(
        "definition user {}
        definition group { relation member: user }
        definition folder {
            relation parent: user | group | group#member
            permission nobody = nil
            permission itself = self
            permission every = parent.all(member)
        }",
        &["folder:aaa#parent@group:eng", "folder:aaa#parent@group:eng#member", "folder:aaa#parent@user:ann"],
    );
    assert_eq!(expand(&world, "folder:aaa#nobody").unwrap(), "folder:aaa#nobodyany(folder:aaa#nobody[])");
    assert_eq!(
        expand(&world, "folder:aaa#itself").unwrap(),
        "folder:aaa#itselfany(folder:aaa#itself[folder:aaa])"
    );
    assert_eq!(
        expand(&world, "folder:aaa#every").unwrap(),
        "folder:aaa#everyany(folder:aaa#everyall(group:eng#member[], folder:aaa#every[]))"
    );
    assert_eq!(expand(&world, "folder:bbb#every").unwrap(), "folder:bbb#everyany(folder:bbb#everyall())");
}

#[test]
fn a_cycle_ends_in_a_leaf_that_names_it() {
    let world = World::new(DOCS, &["folder:aaa#parent@folder:bbb", "folder:bbb#parent@folder:aaa"]);
    assert_eq!(
        expand(&world, "folder:aaa#view").unwrap(),
        "folder:aaa#viewany(folder:aaa#viewer[], folder:aaa#viewany(folder:bbb#viewany(folder:bbb#viewer[], \
         folder:bbb#viewany(folder:aaa#view[folder:aaa#view]))))"
    );
}

#[test]
fn too_deep_and_too_wide_are_errors() {
    let chain = (0..100).map(|at| format!("folder:n{at}#parent@folder:n{}", at + 1));
    let mut world = World::from_iter(DOCS, chain);
    assert_eq!(expand(&world, "folder:n0#view"), Err(QueryError::TooDeep { depth_max: 45 }));
    assert!(expand(&world, "folder:n90#view").is_ok());
    world.steps_max = 10;
    assert_eq!(expand(&world, "folder:n90#view"), Err(QueryError::TooManySteps { steps_max: 10 }));
}
