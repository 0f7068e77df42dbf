//! Lookups of subjects: wildcards, exclusions of them, and names.

use crate::world::World;

const DOCS: &str = "
definition user {}
definition doc {
    relation viewer: user | user:*
    relation banned: user | user:*
    relation pardoned: user
    permission left = viewer - banned
    permission twice = viewer - (banned - pardoned)
    permission both = viewer & pardoned
    permission either = viewer + pardoned
}";

#[test]
fn everybody_but() {
    let world = World::new(
        DOCS,
        &[
            "doc:one#viewer@user:*",
            "doc:one#viewer@user:ann",
            "doc:one#banned@user:ann",
            "doc:one#banned@user:bob",
            "doc:one#pardoned@user:bob",
        ],
    );
    assert_eq!(world.subjects("doc:one#left", "user", None), "*=yes -ann=yes -bob=yes");
    assert_eq!(world.subjects("doc:one#twice", "user", None), "*=yes -ann=yes");
    assert_eq!(world.subjects("doc:one#both", "user", None), "bob=yes");
    assert_eq!(world.subjects("doc:one#either", "user", None), "*=yes ann=yes bob=yes");
    world.cross_examine();
}

#[test]
fn nobody_but() {
    // Everybody minus everybody but bob leaves bob, whom no grant names.
    let world =
        World::new(DOCS, &["doc:one#viewer@user:*", "doc:one#banned@user:*", "doc:one#pardoned@user:bob"]);
    assert_eq!(world.subjects("doc:one#left", "user", None), "");
    assert_eq!(world.subjects("doc:one#twice", "user", None), "bob=yes");
    assert_eq!(world.check("doc:one#twice@user:bob"), "yes");
    assert_eq!(world.subjects("doc:never#twice", "user", None), "");
    world.cross_examine();
}

#[test]
fn whoever_depends_on_more_than_everybody_is_listed() {
    let schema = "
definition user {}
definition doc {
    relation viewer: user:* with one
    relation banned: user with two | user with gone
    relation hidden: user:* with two
    relation known: user
    permission left = viewer - banned
    permission gated = viewer - (hidden & known)
}";
    let world = World::new(
        schema,
        &[
            "doc:a#viewer@user:*[one]",
            "doc:a#banned@user:bob[two]",
            "doc:a#hidden@user:*[two]",
            "doc:a#known@user:ann",
            "doc:b#viewer@user:*[one]",
            "doc:b#banned@user:bob[gone]",
        ],
    );
    assert_eq!(world.subjects("doc:a#left", "user", None), "*=if one bob=if one,two");
    assert_eq!(world.subjects("doc:a#gated", "user", None), "*=if one ann=if one,two");
    assert_eq!(world.subjects("doc:b#left", "user", None), "caveat `gone` not found");
    world.cross_examine();
}

const FOLDERS: &str = "
definition user {}
definition group {
    relation member: user | group#member | user with one | group#member with two
}
definition folder {
    relation parent: folder
    relation viewer: user | user:* | group#member
    relation banned: user | group#member | folder#view
    permission open = viewer + parent->open
    permission view = (viewer + parent->view) - banned
    permission both = (viewer + parent->both) & open
}";

#[test]
fn a_group_reached_conditionally_and_then_certainly_counts_certainly() {
    let world = World::new(
        FOLDERS,
        &[
            "folder:top#viewer@group:all#member",
            "group:all#member@group:inner#member[two]",
            "group:all#member@group:middle#member",
            "group:middle#member@group:inner#member",
            "group:inner#member@user:ann",
            "group:inner#member@user:bob[one]",
            "group:all#member@group:far#member[two]",
            "group:far#member@user:eve",
            "group:far#member@group:all#member",
        ],
    );
    assert_eq!(world.subjects("folder:top#open", "user", None), "ann=yes bob=if one,two eve=if two");
    assert_eq!(world.subjects("folder:top#view", "user", None), "ann=yes bob=if one,two eve=if two");
    world.cross_examine();
}

#[test]
fn exclusions_inside_one_another_to_any_depth() {
    let mut edges = Vec::new();
    for at in 0..40 {
        edges.push(format!("folder:f{at}#parent@folder:f{}", at + 1));
        edges.push(format!("folder:f{at}#viewer@user:u{at}"));
        edges.push(format!("folder:f{at}#banned@user:u{}", at + 2));
    }
    for last in [3, 14, 16, 17, 30] {
        let kept = edges.iter().filter(|edge| !edge.starts_with(&format!("folder:f{last}#parent")));
        let world = World::from_iter(FOLDERS, kept.cloned());
        let found = world.subjects("folder:f0#view", "user", None);
        assert_eq!(found, "u0=yes u1=yes", "{last} parents");
        assert_eq!(world.subjects("folder:f0#both", "user", None).split(' ').count(), last + 1);
    }
}

#[test]
fn an_exclusion_that_leads_back_is_left_to_the_equations() {
    let world = World::new(
        FOLDERS,
        &[
            "folder:a#viewer@user:ann",
            "folder:a#viewer@user:bob",
            "folder:a#parent@folder:b",
            "folder:b#parent@folder:a",
            "folder:b#banned@user:bob",
            "folder:b#viewer@user:eve",
            "folder:c#viewer@user:ann",
            "folder:c#banned@folder:c#view",
            "folder:d#viewer@user:eve",
            "folder:d#banned@folder:c#view",
        ],
    );
    assert_eq!(world.subjects("folder:a#view", "user", None), "ann=yes bob=yes eve=yes");
    assert_eq!(world.subjects("folder:b#view", "user", None), "ann=yes eve=yes");
    assert!(world.subjects("folder:c#view", "user", None).contains("depends on its own absence"));
    assert_eq!(world.subjects("folder:a#both", "user", None), "ann=yes bob=yes eve=yes");
    world.cross_examine();
}
