//! Data that leads back to itself.

use crate::world::World;

const GROUPS: &str = "
definition user {}
definition group {
    relation member: user | group#member | group#member with one | user with two
    relation banned: user | group#left | group#member
    permission left = member - banned
}
definition folder {
    relation parent: folder | folder with one
    relation viewer: user | group#member
    relation hidden: user
    permission view = viewer + parent->view
    permission every = viewer + parent.all(every)
    permission shown = (viewer + parent->shown) - hidden
    permission narrow = viewer + (parent->narrow & parent->view)
}
definition node {
    relation next: node
    relation win: user
    permission wins = win - next->wins
}";

#[test]
fn a_cycle_of_groups_adds_nothing() {
    let world = World::new(
        GROUPS,
        &[
            "group:one#member@group:two#member",
            "group:two#member@group:three#member",
            "group:three#member@group:one#member",
            "group:two#member@user:ann",
            "group:self#member@group:self#member",
        ],
    );
    for group in ["one", "two", "three"] {
        assert_eq!(world.check(&format!("group:{group}#member@user:ann")), "yes");
        assert_eq!(world.check(&format!("group:{group}#member@user:bob")), "no");
    }
    assert_eq!(world.check("group:self#member@user:ann"), "no");
    assert_eq!(world.resources("group", "member", "user:ann"), "one three two");
    assert_eq!(world.subjects("group:one#member", "user", None), "ann=yes");
    world.cross_examine();
}

#[test]
fn a_cycle_with_conditions() {
    let world = World::new(
        GROUPS,
        &[
            "group:one#member@group:two#member[one]",
            "group:two#member@group:one#member",
            "group:one#member@user:ann",
            "group:two#member@user:bob",
            "group:two#member@user:cat[two]",
            "folder:aaa#parent@folder:bbb[one]",
            "folder:bbb#parent@folder:aaa",
            "folder:bbb#viewer@group:two#member",
        ],
    );
    assert_eq!(world.check("group:two#member@user:ann"), "yes");
    assert_eq!(world.check("group:one#member@user:bob"), "if one");
    assert_eq!(world.check("group:one#member@user:cat"), "if one,two");
    assert_eq!(world.check("folder:aaa#view@user:ann"), "if one");
    assert_eq!(world.subjects("group:one#member", "user", None), "ann=yes bob=if one cat=if one,two");
    world.cross_examine();
}

#[test]
fn a_cycle_of_folders_under_every_operator() {
    let world = World::new(
        GROUPS,
        &[
            "folder:aaa#parent@folder:bbb",
            "folder:bbb#parent@folder:ccc",
            "folder:ccc#parent@folder:aaa",
            "folder:ccc#viewer@user:ann",
            "folder:aaa#hidden@user:ann",
            "folder:bbb#hidden@user:bob",
            "folder:ddd#parent@folder:ddd",
            "folder:ddd#parent@folder:ccc",
        ],
    );
    assert_eq!(world.check("folder:aaa#view@user:ann"), "yes");
    assert_eq!(world.check("folder:bbb#shown@user:ann"), "yes");
    assert_eq!(world.check("folder:aaa#shown@user:ann"), "no");
    assert_eq!(world.check("folder:aaa#every@user:ann"), "yes");
    assert_eq!(world.check("folder:aaa#narrow@user:ann"), "yes");
    // Its own parent too: the least solution does not let it support itself.
    assert_eq!(world.check("folder:ddd#every@user:ann"), "no");
    assert_eq!(world.resources("folder", "shown", "user:ann"), "bbb ccc ddd");
    world.cross_examine();
}

#[test]
fn absence_through_a_chain_is_defined_and_through_a_cycle_it_is_not() {
    let chain = World::new(
        GROUPS,
        &[
            "node:aaa#next@node:bbb",
            "node:bbb#next@node:ccc",
            "node:aaa#win@user:ann",
            "node:bbb#win@user:ann",
            "node:ccc#win@user:ann",
        ],
    );
    assert_eq!(chain.check("node:ccc#wins@user:ann"), "yes");
    assert_eq!(chain.check("node:bbb#wins@user:ann"), "no");
    assert_eq!(chain.check("node:aaa#wins@user:ann"), "yes");
    assert_eq!(chain.resources("node", "wins", "user:ann"), "aaa ccc");
    assert_eq!(chain.subjects("node:aaa#wins", "user", None), "ann=yes");
    chain.cross_examine();

    let own =
        World::new(GROUPS, &["node:aaa#next@node:aaa", "node:aaa#win@user:ann", "node:bbb#win@user:ann"]);
    let text =
        "`node:aaa#wins` depends on its own absence through a cycle in the data, so neither answer follows";
    assert_eq!(own.check("node:aaa#wins@user:ann"), text);
    assert_eq!(own.check("node:aaa#wins@user:bob"), "no");
    assert_eq!(own.check("node:bbb#wins@user:ann"), "yes");
    assert_eq!(own.resources("node", "wins", "user:ann"), text);
    assert_eq!(own.subjects("node:aaa#wins", "user", None), text);
    assert_eq!(own.subjects("node:bbb#wins", "user", None), "ann=yes");
    own.cross_examine();
}

#[test]
fn a_negative_cycle_that_the_data_decides() {
    let world = World::new(
        GROUPS,
        &[
            "node:aaa#next@node:bbb",
            "node:bbb#next@node:aaa",
            "node:aaa#win@user:ann",
            "node:bbb#win@user:ann",
            "node:bbb#next@node:ccc",
            "node:ccc#win@user:ann",
        ],
    );
    // `ccc` wins, so `bbb` does not, so `aaa` does.
    assert_eq!(world.check("node:aaa#wins@user:ann"), "yes");
    assert_eq!(world.check("node:bbb#wins@user:ann"), "no");
    world.cross_examine();

    let mutual = World::new(
        GROUPS,
        &[
            "group:one#member@user:ann",
            "group:two#member@user:ann",
            "group:one#banned@group:two#left",
            "group:two#banned@group:one#left",
        ],
    );
    assert!(mutual.check("group:one#left@user:ann").contains("absence"));
    assert_eq!(mutual.check("group:one#left@user:bob"), "no");
    mutual.cross_examine();
}

#[test]
fn permissions_that_refer_to_themselves_on_the_same_object() {
    let world = World::new(
        "definition user {}
        definition document {
            relation viewer: user
            relation editor: user
            permission view = viewer + view
            permission share = viewer + edit
            permission edit = editor & share
            permission none = nil + none
        }",
        &["document:one#viewer@user:ann", "document:one#editor@user:ann", "document:one#editor@user:bob"],
    );
    for (permission, ann, bob) in
        [("view", "yes", "no"), ("share", "yes", "no"), ("edit", "yes", "no"), ("none", "no", "no")]
    {
        assert_eq!(world.check(&format!("document:one#{permission}@user:ann")), ann, "{permission}");
        assert_eq!(world.check(&format!("document:one#{permission}@user:bob")), bob, "{permission}");
    }
    assert_eq!(world.resources("document", "share", "user:ann"), "one");
    assert_eq!(world.subjects("document:one#edit", "user", None), "ann=yes");
    world.cross_examine();
}
