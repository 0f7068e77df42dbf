//! Caveats and expiry.

use pemba_model::Timestamp;

use crate::world::World;

const DOCS: &str = "
definition user {}
definition group {
    relation member: user | user with one | user with two | user with yes_ok | user with not_ok |
        group#member | group#member with one | group#member with two | user with expiration |
        user with gone
}
definition folder { relation viewer: user | user with one | user with two; permission view = viewer }
definition doc {
    relation parent: folder | folder with one | folder with two | folder with not_ok | folder with yes_ok
    relation viewer: user | user with one | user:* | user:* with one | group#member | group#member with two |
        user with expiration | group#member with one and expiration
    relation banned: user | user with one | user with two | user:* with two | user with expiration
    permission view = viewer
    permission from = parent->view
    permission every = parent.all(view)
    permission left = viewer - banned
    permission both = viewer & banned
}";

#[test]
fn an_edge_has_its_caveats_value() {
    let world = World::new(
        DOCS,
        &[
            "group:eng#member@user:ann[yes_ok]",
            "group:eng#member@user:bob[not_ok]",
            "group:eng#member@user:cat[one]",
            "doc:one#viewer@group:eng#member",
            "doc:two#viewer@group:eng#member[two]",
        ],
    );
    assert_eq!(world.check("doc:one#view@user:ann"), "yes");
    assert_eq!(world.check("doc:one#view@user:bob"), "no");
    assert_eq!(world.check("doc:one#view@user:cat"), "if one");
    assert_eq!(world.check("doc:two#view@user:ann"), "if two");
    assert_eq!(world.check("doc:two#view@user:bob"), "no");
    assert_eq!(world.check("doc:two#view@user:cat"), "if one,two");
    assert_eq!(world.resources("doc", "view", "user:cat"), "one? two?");
    assert_eq!(world.resources("doc", "view", "user:ann"), "one two?");
    assert_eq!(world.subjects("doc:two#view", "user", None), "ann=if two cat=if one,two");
    world.cross_examine();
}

#[test]
fn a_branch_that_decides_hides_the_others_parameters() {
    let world = World::new(
        DOCS,
        &[
            "doc:one#viewer@user:ann[one]",
            "doc:one#viewer@group:eng#member",
            "group:eng#member@user:ann",
            "doc:two#viewer@user:ann[one]",
            "doc:two#banned@user:bob[two]",
            "doc:two#viewer@user:bob[one]",
            "doc:three#viewer@user:ann[one]",
            "doc:three#banned@user:ann",
        ],
    );
    assert_eq!(world.check("doc:one#view@user:ann"), "yes");
    assert_eq!(world.check("doc:two#both@user:ann"), "no");
    assert_eq!(world.check("doc:two#both@user:bob"), "if one,two");
    assert_eq!(world.check("doc:two#left@user:bob"), "if one,two");
    assert_eq!(world.check("doc:two#left@user:ann"), "if one");
    assert_eq!(world.check("doc:three#left@user:ann"), "no");
    assert_eq!(world.check("doc:three#both@user:ann"), "if one");
    world.cross_examine();
}

#[test]
fn caveats_on_both_sides_of_an_arrow() {
    let world = World::new(
        DOCS,
        &[
            "doc:one#parent@folder:f1[one]",
            "folder:f1#viewer@user:ann[two]",
            "folder:f1#viewer@user:bob",
            "doc:two#parent@folder:f1",
            "doc:two#parent@folder:f2[not_ok]",
            "doc:three#parent@folder:f1[yes_ok]",
            "doc:three#parent@folder:f2[two]",
        ],
    );
    assert_eq!(world.check("doc:one#from@user:ann"), "if one,two");
    assert_eq!(world.check("doc:one#from@user:bob"), "if one");
    assert_eq!(world.check("doc:one#from@user:cat"), "no");
    // Every edge's own caveat is demanded: one that says no denies.
    assert_eq!(world.check("doc:two#every@user:bob"), "no");
    assert_eq!(world.check("doc:two#every@user:ann"), "no");
    // The second folder says no, whatever the caveat of the edge to it.
    assert_eq!(world.check("doc:three#every@user:bob"), "no");
    assert_eq!(world.check("doc:three#every@user:cat"), "no");
    // One conditional edge to an object without the target denies.
    assert_eq!(world.check("doc:one#every@user:cat"), "no");
    assert_eq!(world.resources("doc", "every", "user:cat"), "");
    assert_eq!(world.subjects("doc:one#every", "user", None), "ann=if one,two bob=if one");
    world.cross_examine();
}

#[test]
fn conditional_wildcards_and_exclusions() {
    let world = World::new(
        DOCS,
        &[
            "doc:one#viewer@user:*[one]",
            "doc:one#banned@user:ann",
            "doc:two#viewer@user:*",
            "doc:two#banned@user:ann[two]",
            "doc:three#viewer@user:*",
            "doc:three#banned@user:*[two]",
            "doc:three#banned@user:ann",
        ],
    );
    assert_eq!(world.check("doc:one#left@user:ann"), "no");
    assert_eq!(world.check("doc:one#left@user:new"), "if one");
    assert_eq!(world.check("doc:two#left@user:ann"), "if two");
    assert_eq!(world.subjects("doc:one#left", "user", None), "*=if one -ann=yes");
    assert_eq!(world.subjects("doc:two#left", "user", None), "*=yes -ann=if two");
    assert_eq!(world.subjects("doc:three#left", "user", None), "*=if two -ann=yes");
    assert_eq!(world.resources("doc", "left", "user:ann"), "two?");
    world.cross_examine();
}

#[test]
fn an_edge_stops_counting_at_the_instant_it_expires() {
    let mut world = World::new(
        DOCS,
        &[
            "doc:one#viewer@user:ann[expiration:1970-01-01T00:00:02Z]",
            "group:eng#member@user:bob[expiration:1970-01-01T00:00:03Z]",
            "doc:one#viewer@group:eng#member[one][expiration:1970-01-01T00:00:02.5Z]",
            "doc:two#viewer@user:ann",
            "doc:two#banned@user:ann[expiration:1970-01-01T00:00:02Z]",
        ],
    );
    assert_eq!(world.check("doc:one#view@user:ann"), "yes");
    let until = world.answer("doc:one#view@user:ann").unwrap().valid_until;
    assert_eq!(until, Some(Timestamp::from_millis(2000)));
    assert_eq!(world.check("doc:one#view@user:bob"), "if one");
    let until = world.answer("doc:one#view@user:bob").unwrap().valid_until.unwrap();
    assert!(until <= Timestamp::from_millis(2500));
    assert_eq!(world.check("doc:two#left@user:ann"), "no");
    let until = world.answer("doc:two#left@user:ann").unwrap().valid_until;
    assert_eq!(until, Some(Timestamp::from_millis(2000)));
    world.cross_examine();

    world.now = Timestamp::new(1, 999_999_999).unwrap();
    assert_eq!(world.check("doc:one#view@user:ann"), "yes");
    world.now = Timestamp::from_millis(2000);
    assert_eq!(world.check("doc:one#view@user:ann"), "no");
    // She is in no group, so nothing that is left can change it.
    assert_eq!(world.answer("doc:one#view@user:ann").unwrap().valid_until, None);
    assert_eq!(world.check("doc:two#left@user:ann"), "yes");
    assert_eq!(world.answer("doc:two#left@user:ann").unwrap().valid_until, None);
    assert_eq!(world.resources("doc", "left", "user:ann"), "two");
    world.cross_examine();
    world.now = Timestamp::from_millis(2500);
    assert_eq!(world.check("doc:one#view@user:bob"), "no");
    assert_eq!(world.check("group:eng#member@user:bob"), "yes");
    world.now = Timestamp::from_millis(3000);
    assert_eq!(world.check("group:eng#member@user:bob"), "no");
    world.cross_examine();
}

#[test]
fn a_caveat_that_fails_fails_the_query() {
    let world = World::new(DOCS, &["group:eng#member@user:ann[gone]", "doc:one#viewer@group:eng#member"]);
    assert_eq!(world.check("doc:one#view@user:ann"), "caveat `gone` not found");
    assert_eq!(world.check("doc:one#view@user:bob"), "no");
    assert_eq!(world.resources("doc", "view", "user:ann"), "caveat `gone` not found");
    assert_eq!(world.subjects("doc:one#view", "user", None), "caveat `gone` not found");
}
