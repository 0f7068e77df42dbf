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
