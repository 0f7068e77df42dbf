//! Random relationships under schemas that mix every operator: every way to an answer gives the same one.

use proptest::prelude::*;

use crate::tracing::trace_everything;
use crate::world::World;

const SCHEMA: &str = "
definition user {}
definition group {
    relation member: user | user with one | group#member | group#member with two | group#all_but
    relation banned: user | group#member
    permission all_but = member - banned
}
definition folder {
    relation parent: folder | folder with one
    relation viewer: user | user:* | user with gone | user with two | user with expiration | group#member | group#all_but
    relation hidden: user | group#all_but
    permission view = viewer + parent->view
    permission every = viewer + parent.all(every)
    permission meet = viewer & parent->view
    permission chain = viewer + (parent->chain & parent->view)
    permission shown = viewer + (parent->shown - hidden)
    permission flips = viewer - parent->flips
    permission mixed = (view - hidden) & (every + meet)
    permission strict = parent.all(view) - hidden
}";

fn relationship() -> impl Strategy<Value = String> {
    let user = || prop_oneof![4 => "user:u[0-2]", 1 => Just("user:*".to_owned())];
    let plain_user = || "user:u[0-2]";
    let group = || "group:g[0-3]";
    let folder = || "folder:f[0-3]";
    prop_oneof![
        (group(), plain_user()).prop_map(|(g, u)| format!("{g}#member@{u}")),
        (group(), plain_user()).prop_map(|(g, u)| format!("{g}#member@{u}[one]")),
        (group(), group()).prop_map(|(a, b)| format!("{a}#member@{b}#member")),
        (group(), group()).prop_map(|(a, b)| format!("{a}#member@{b}#member[two]")),
        (group(), group()).prop_map(|(a, b)| format!("{a}#member@{b}#all_but")),
        (group(), plain_user()).prop_map(|(g, u)| format!("{g}#banned@{u}")),
        (group(), group()).prop_map(|(a, b)| format!("{a}#banned@{b}#member")),
        (folder(), folder()).prop_map(|(a, b)| format!("{a}#parent@{b}")),
        (folder(), folder()).prop_map(|(a, b)| format!("{a}#parent@{b}[one]")),
        (folder(), user()).prop_map(|(f, u)| format!("{f}#viewer@{u}")),
        (folder(), plain_user()).prop_map(|(f, u)| format!("{f}#viewer@{u}[two]")),
        (folder(), plain_user()).prop_map(|(f, u)| format!("{f}#viewer@{u}[gone]")),
        (folder(), plain_user(), 0..3_u32)
            .prop_map(|(f, u, at)| format!("{f}#viewer@{u}[expiration:1970-01-01T00:00:0{at}Z]")),
        (folder(), group()).prop_map(|(f, g)| format!("{f}#viewer@{g}#member")),
        (folder(), group()).prop_map(|(f, g)| format!("{f}#viewer@{g}#all_but")),
        (folder(), plain_user()).prop_map(|(f, u)| format!("{f}#hidden@{u}")),
        (folder(), group()).prop_map(|(f, g)| format!("{f}#hidden@{g}#all_but")),
    ]
}

#[test]
fn a_fault_that_only_a_named_subject_meets_fails_the_lookup_behind_a_conditional_wildcard() {
    let relationships = [
        "folder:f1#parent@folder:f1[one]",
        "folder:f2#viewer@user:u0[gone]",
        "folder:f1#viewer@user:*",
        "folder:f1#parent@folder:f2",
    ];
    World::new(SCHEMA, &relationships).cross_examine();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn checks_and_lookups_agree(relationships in proptest::collection::vec(relationship(), 0..24)) {
        World::from_iter(SCHEMA, relationships).cross_examine();
    }

    #[test]
    fn every_node_of_a_trace_says_what_a_check_does(
        relationships in proptest::collection::vec(relationship(), 0..24)
    ) {
        let world = World::from_iter(SCHEMA, relationships);
        trace_everything(&world, &["user:u0", "user:u1", "user:new", "group:g1#member", "group:g2#all_but"]);
    }
}
