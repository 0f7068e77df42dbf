//! Each operator with plain edges.

use crate::world::World;

const DOCS: &str = "
definition user {}
definition bot {}
definition group { relation member: user | group#member | bot }
definition folder {
    relation parent: folder
    relation viewer: user | group#member
    permission view = viewer + parent->view
}
definition doc {
    relation parent: folder
    relation viewer: user | user:* | group#member
    relation editor: user | group#member
    relation banned: user | group#member
    relation approver: group#member
    permission edit = editor
    permission view = viewer + edit + parent->view
    permission both = viewer & editor
    permission allowed = view - banned
    permission approved = approver.all(member)
    permission nobody = nil
    permission odd = viewer - editor + banned
}";

#[test]
fn union_intersection_and_exclusion() {
    let world = World::new(
        DOCS,
        &[
            "doc:one#viewer@user:ann",
            "doc:one#editor@user:bob",
            "doc:one#viewer@user:cat",
            "doc:one#editor@user:cat",
            "doc:one#banned@user:ann",
            "doc:two#parent@folder:low",
            "folder:low#parent@folder:top",
            "folder:top#viewer@user:dan",
        ],
    );
    assert_eq!(world.check("doc:one#view@user:ann"), "yes");
    assert_eq!(world.check("doc:one#view@user:bob"), "yes");
    assert_eq!(world.check("doc:one#view@user:dan"), "no");
    assert_eq!(world.check("doc:one#both@user:cat"), "yes");
    assert_eq!(world.check("doc:one#both@user:ann"), "no");
    assert_eq!(world.check("doc:one#allowed@user:ann"), "no");
    assert_eq!(world.check("doc:one#allowed@user:cat"), "yes");
    assert_eq!(world.check("doc:two#view@user:dan"), "yes");
    assert_eq!(world.check("doc:two#view@user:ann"), "no");
    assert_eq!(world.check("doc:one#nobody@user:ann"), "no");
    // `+` binds tighter than `-`: viewer - (editor + banned).
    assert_eq!(world.check("doc:one#odd@user:ann"), "no");
    assert_eq!(world.check("doc:unheard#view@user:ann"), "no");
    assert_eq!(world.check("doc:one#view@user:unheard"), "no");
    world.cross_examine();
}

#[test]
fn unknown_names_are_errors() {
    let world = World::new(DOCS, &["doc:one#viewer@user:ann"]);
    assert_eq!(world.check("sheet:one#view@user:ann"), "object definition `sheet` not found");
    assert_eq!(world.check("doc:one#view@robot:ann"), "object definition `robot` not found");
    let missing = "relation or permission `fly` not found under definition";
    assert_eq!(world.check("doc:one#fly@user:ann"), format!("{missing} `doc`"));
    assert_eq!(world.check("doc:one#view@group:ann#fly"), format!("{missing} `group`"));
    assert_eq!(world.resources("doc", "fly", "user:ann"), format!("{missing} `doc`"));
    assert_eq!(world.subjects("doc:one#view", "group", Some("fly")), format!("{missing} `group`"));
}

#[test]
fn a_userset_is_a_member_of_itself_for_relations_and_permissions() {
    let world = World::new(DOCS, &["doc:one#viewer@group:eng#member", "group:eng#member@group:sub#member"]);
    assert_eq!(world.check("group:eng#member@group:eng#member"), "yes");
    assert_eq!(world.check("group:unheard#member@group:unheard#member"), "yes");
    assert_eq!(world.check("group:unheard#member@group:eng#member"), "no");
    assert_eq!(world.check("group:new_a#member@group:new_b#member"), "no");
    assert_eq!(world.check("doc:one#view@doc:one#view"), "yes");
    assert_eq!(world.check("doc:one#view@doc:one#edit"), "yes");
    assert_eq!(world.check("doc:one#edit@doc:one#view"), "no");
    assert_eq!(world.check("doc:one#view@group:eng#member"), "yes");
    assert_eq!(world.check("doc:one#view@group:sub#member"), "yes");
    assert_eq!(world.check("doc:one#view@group:eng"), "no");
    assert_eq!(world.resources("doc", "view", "group:sub#member"), "one");
    assert_eq!(world.resources("group", "member", "group:sub#member"), "eng sub");
    assert_eq!(world.subjects("doc:one#view", "group", Some("member")), "eng=yes sub=yes");
    world.cross_examine();
}

#[test]
fn equal_ids_of_different_types_are_different() {
    let world = World::new(
        DOCS,
        &["group:same#member@user:same", "doc:same#viewer@group:same#member", "group:other#member@bot:same"],
    );
    assert_eq!(world.check("doc:same#view@user:same"), "yes");
    assert_eq!(world.check("doc:same#view@bot:same"), "no");
    assert_eq!(world.check("doc:same#view@group:same"), "no");
    assert_eq!(world.check("group:other#member@bot:same"), "yes");
    world.cross_examine();
}

#[test]
fn a_wildcard_matches_objects_of_its_type_even_unheard_of() {
    let world =
        World::new(DOCS, &["doc:one#viewer@user:*", "doc:one#banned@user:ann", "doc:one#editor@user:bob"]);
    assert_eq!(world.check("doc:one#view@user:unheard"), "yes");
    assert_eq!(world.check("doc:one#view@bot:unheard"), "no");
    assert_eq!(world.check("doc:one#view@group:eng#member"), "no");
    assert_eq!(world.check("doc:one#allowed@user:ann"), "no");
    assert_eq!(world.check("doc:one#allowed@user:bob"), "yes");
    assert_eq!(world.check("doc:one#both@user:bob"), "yes");
    assert_eq!(world.resources("doc", "allowed", "user:unheard"), "one");
    assert_eq!(world.resources("doc", "allowed", "user:ann"), "");
    assert_eq!(world.subjects("doc:one#view", "user", None), "*=yes bob=yes");
    assert_eq!(world.subjects("doc:one#allowed", "user", None), "*=yes -ann=yes bob=yes");
    assert_eq!(world.subjects("doc:one#both", "user", None), "bob=yes");
    world.cross_examine();
}

#[test]
fn all_needs_an_edge_and_every_object() {
    let world = World::new(
        DOCS,
        &[
            "doc:one#approver@group:left#member",
            "doc:one#approver@group:right#member",
            "group:left#member@user:ann",
            "group:right#member@user:ann",
            "group:left#member@user:bob",
        ],
    );
    assert_eq!(world.check("doc:one#approved@user:ann"), "yes");
    assert_eq!(world.check("doc:one#approved@user:bob"), "no");
    assert_eq!(world.check("doc:two#approved@user:ann"), "no");
    assert_eq!(world.resources("doc", "approved", "user:ann"), "one");
    assert_eq!(world.subjects("doc:one#approved", "user", None), "ann=yes");
    world.cross_examine();
}

#[test]
fn an_arrow_skips_types_that_lack_the_target_and_all_fails_on_them() {
    let world = World::new(
        "definition user {}
         definition bare {}
         definition team { relation member: user; permission act = member }
         definition doc {
             relation owner: team | bare
             permission any_act = owner->act
             permission all_act = owner.all(act)
         }",
        &[
            "doc:mixed#owner@team:red",
            "doc:mixed#owner@bare:box",
            "doc:clean#owner@team:red",
            "team:red#member@user:ann",
        ],
    );
    assert_eq!(world.check("doc:mixed#any_act@user:ann"), "yes");
    assert_eq!(world.check("doc:mixed#all_act@user:ann"), "no");
    assert_eq!(world.check("doc:clean#all_act@user:ann"), "yes");
    assert_eq!(world.resources("doc", "all_act", "user:ann"), "clean");
    world.cross_examine();
}

#[test]
fn self_is_the_resource_without_relation() {
    let world = World::new(
        "definition user { relation friend: user; permission see = friend + self }
         definition doc { relation owner: user; permission see = owner->see; permission odd = self }",
        &["user:ann#friend@user:bob", "doc:one#owner@user:ann"],
    );
    assert_eq!(world.check("user:ann#see@user:ann"), "yes");
    assert_eq!(world.check("user:new#see@user:new"), "yes");
    assert_eq!(world.check("user:ann#see@user:bob"), "yes");
    assert_eq!(world.check("user:ann#see@user:cat"), "no");
    assert_eq!(world.check("doc:one#see@user:ann"), "yes");
    assert_eq!(world.check("doc:one#odd@doc:one"), "yes");
    assert_eq!(world.check("doc:one#odd@user:one"), "no");
    assert_eq!(world.resources("user", "see", "user:bob"), "ann bob");
    assert_eq!(world.subjects("doc:one#see", "user", None), "ann=yes bob=yes");
    world.cross_examine();
}

#[test]
fn groups_six_deep() {
    let mut edges: Vec<String> = Vec::new();
    for level in 0..6 {
        for branch in 0..3 {
            edges.push(format!("group:l{level}b0#member@group:l{}b{branch}#member", level + 1));
        }
    }
    edges.push("group:l6b0#member@user:deep".into());
    edges.push("group:l6b2#member@user:deep".into());
    edges.push("doc:one#viewer@group:l0b0#member".into());
    edges.push("doc:one#banned@group:l3b1#member".into());
    let world = World::from_iter(DOCS, edges);
    assert_eq!(world.check("doc:one#allowed@user:deep"), "yes");
    assert_eq!(world.check("doc:one#view@group:l6b1#member"), "yes");
    assert_eq!(world.check("doc:one#allowed@group:l3b1#member"), "no");
    assert_eq!(world.check("doc:one#view@user:other"), "no");
    assert_eq!(world.resources("doc", "view", "user:deep"), "one");
    assert_eq!(world.subjects("doc:one#view", "user", None), "deep=yes");
    world.cross_examine();
}

#[test]
fn usersets_of_permissions_and_walks_through_usersets() {
    let world = World::new(
        "definition user {}
         definition team {
             relation lead: user
             relation staff: user | team#anybody
             permission anybody = lead + staff
         }
         definition doc {
             relation viewer: team#anybody
             relation owner: team#anybody | team
             permission view = viewer
             permission led = owner->lead
         }",
        &[
            "team:top#staff@team:low#anybody",
            "team:low#lead@user:ann",
            "team:top#lead@user:bob",
            "doc:one#viewer@team:top#anybody",
            "doc:one#owner@team:top#anybody",
            "doc:two#owner@team:low",
        ],
    );
    assert_eq!(world.check("doc:one#view@user:ann"), "yes");
    assert_eq!(world.check("doc:one#led@user:bob"), "yes");
    assert_eq!(world.check("doc:one#led@user:ann"), "no");
    assert_eq!(world.check("doc:two#led@user:ann"), "yes");
    assert_eq!(world.check("doc:one#view@team:low#lead"), "yes");
    world.cross_examine();
}

#[test]
fn an_object_that_nothing_mentions_is_found_as_itself() {
    let world = World::new(
        "definition user {}
         definition folder {
             relation banned: folder#view
             permission view = banned
             permission admin = banned
         }",
        &[],
    );
    assert_eq!(world.check("folder:stranger#admin@folder:stranger#banned"), "yes");
    assert_eq!(world.resources("folder", "admin", "folder:stranger#banned"), "stranger");
    assert_eq!(world.subjects("folder:stranger#admin", "folder", Some("banned")), "stranger=yes");
    assert_eq!(world.resources("folder", "admin", "user:stranger"), "");
    assert_eq!(world.subjects("folder:stranger#admin", "user", None), "");
}
