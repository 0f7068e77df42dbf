//! What the properties once found, each by name and small; and cases that are easy to get wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use pemba_engine::{Permissionship, QueryError};
use pemba_model::text::{parse_object, parse_subject};
use pemba_testkit::compare::{compare_scenario, replay, scenario};
use pemba_testkit::generate::Case;

const NOW: &str = "2020-01-01T00:00:00Z";

fn agrees(case: &Case) {
    if let Err(difference) = compare_scenario(case) {
        panic!("{difference}");
    }
}

/// The engine's answer, beside the comparison of everything with the oracle.
fn answer(case: &Case, object: &str, name: &str, subject: &str) -> Result<Permissionship, QueryError> {
    agrees(case);
    let history = replay(case);
    let scene = history.scene(case, 1, case.instants[0]);
    let (object, subject) = (parse_object(object).unwrap(), parse_subject(subject).unwrap());
    let snapshot = scene.snapshot;
    pemba_engine::check(snapshot, snapshot.program(), &object, name, &subject, &scene.context())
        .map(|answer| answer.permissionship)
}

#[test]
fn lookup_through_recursive_all_with_a_conditional_edge() {
    let schema = "caveat one(pa bool) { pa }
        definition folder {
            relation member: folder | folder with one
            permission edit = view
            permission view = member.all(edit)
        }";
    let relationships =
        ["folder:a#member@folder:a", "folder:a#member@folder:b[one]", "folder:b#member@folder:a"];
    agrees(&scenario(schema, &relationships, NOW, &[]));
}

/// Whether a grant by name counts may be open where the value is the same without it.
#[test]
fn lookup_of_subjects_where_only_the_naming_is_open() {
    let schema = "use self
        definition folder {
            relation member: folder:*
            relation parent: folder#edit
            permission edit = self - parent->edit
            permission view = edit + member
        }";
    agrees(&scenario(schema, &["folder:c#member@folder:*", "folder:c#parent@folder:c#edit"], NOW, &[]));
    let schema = "caveat two(pb bool, pc bool) { pb && pc }
        definition group {
            relation member: group with two | group
            permission edit = member.all(view)
            permission view = member - member->view
        }";
    agrees(&scenario(schema, &["group:a#member@group:c[two]", "group:c#member@group:c"], NOW, &[]));
}

const RING: &str = "definition user {}
    definition group { relation member: user | group#member }";

#[test]
fn a_ring_of_groups_is_answered_for_members_and_for_others() {
    let ring: Vec<String> =
        (0..40).map(|n| format!("group:g{n}#member@group:g{}#member", (n + 1) % 40)).collect();
    let mut relationships: Vec<&str> = ring.iter().map(String::as_str).collect();
    relationships.push("group:g20#member@user:in");
    relationships.push("group:elsewhere#member@user:out");
    let case = scenario(RING, &relationships, NOW, &[]);
    assert_eq!(answer(&case, "group:g3", "member", "user:in"), Ok(Permissionship::Yes));
    assert_eq!(answer(&case, "group:g3", "member", "user:out"), Ok(Permissionship::No));
    assert_eq!(answer(&case, "group:g3", "member", "group:g2#member"), Ok(Permissionship::Yes));
}

const GAME: &str = "definition user {}
    definition place {
        relation next: place
        relation open: user
        permission win = open - next->win
    }";

#[test]
fn exclusion_through_a_chain_alternates() {
    let relationships = [
        "place:a#next@place:b",
        "place:b#next@place:c",
        "place:a#open@user:u",
        "place:b#open@user:u",
        "place:c#open@user:u",
    ];
    let case = scenario(GAME, &relationships, NOW, &[]);
    assert_eq!(answer(&case, "place:c", "win", "user:u"), Ok(Permissionship::Yes));
    assert_eq!(answer(&case, "place:b", "win", "user:u"), Ok(Permissionship::No));
    assert_eq!(answer(&case, "place:a", "win", "user:u"), Ok(Permissionship::Yes));
}

#[test]
fn a_permission_that_depends_on_its_own_absence_is_an_error_and_only_for_whom_it_does() {
    let relationships = ["place:a#next@place:a", "place:a#open@user:u", "place:b#open@user:u"];
    let case = scenario(GAME, &relationships, NOW, &[]);
    assert!(matches!(answer(&case, "place:a", "win", "user:u"), Err(QueryError::Contradiction { .. })));
    assert_eq!(answer(&case, "place:a", "win", "user:other"), Ok(Permissionship::No));
    assert_eq!(answer(&case, "place:b", "win", "user:u"), Ok(Permissionship::Yes));
}

#[test]
fn a_cycle_through_exclusion_that_something_else_breaks_is_answered() {
    // a waits for b and b for a, but c decides b.
    let relationships = [
        "place:a#next@place:b",
        "place:b#next@place:a",
        "place:b#next@place:c",
        "place:a#open@user:u",
        "place:b#open@user:u",
        "place:c#open@user:u",
    ];
    let case = scenario(GAME, &relationships, NOW, &[]);
    assert_eq!(answer(&case, "place:a", "win", "user:u"), Ok(Permissionship::Yes));
    assert_eq!(answer(&case, "place:b", "win", "user:u"), Ok(Permissionship::No));
}

#[test]
fn a_part_of_an_expression_means_the_same_by_name_and_in_place() {
    let relationships = [
        "item:a#next@item:a",
        "item:a#one@user:u",
        "item:a#two@user:u",
        "item:b#next@item:a",
        "item:b#one@user:u",
    ];
    let body = "relation next: item  relation one: user  relation two: user";
    for permissions in [
        "permission all = one - (two - next->all)",
        "permission part = two - next->all  permission all = one - part",
    ] {
        let relations = body.replace("  ", "\n");
        let permissions = permissions.replace("  ", "\n");
        let schema = format!("definition user {{}}\ndefinition item {{\n{relations}\n{permissions}\n}}");
        let case = scenario(&schema, &relationships, NOW, &[]);
        assert!(
            matches!(answer(&case, "item:a", "all", "user:u"), Err(QueryError::Contradiction { .. })),
            "{schema}"
        );
        assert_eq!(answer(&case, "item:b", "all", "user:u"), Ok(Permissionship::Yes), "{schema}");
    }
}

#[test]
fn a_wildcard_with_conditional_exclusions_is_a_set_of_values() {
    let schema = "caveat one(pa bool) { pa }
        definition user {}
        definition page {
            relation viewer: user:* | user | user:* with one
            relation blocked: user | user with one
            permission view = viewer - blocked
        }";
    let relationships = [
        "page:open#viewer@user:*",
        "page:open#viewer@user:named",
        "page:open#viewer@user:both",
        "page:open#blocked@user:no",
        "page:open#blocked@user:maybe[one]",
        "page:open#blocked@user:both[one]",
        "page:half#viewer@user:*[one]",
        "page:half#viewer@user:named",
        "page:half#blocked@user:no",
    ];
    let case = scenario(schema, &relationships, NOW, &[]);
    assert_eq!(answer(&case, "page:open", "view", "user:never"), Ok(Permissionship::Yes));
    assert_eq!(answer(&case, "page:open", "view", "user:no"), Ok(Permissionship::No));
    assert_eq!(answer(&case, "page:open", "view", "user:both"), Ok(Permissionship::Conditional));
    assert_eq!(answer(&case, "page:half", "view", "user:never"), Ok(Permissionship::Conditional));
    assert_eq!(answer(&case, "page:half", "view", "user:named"), Ok(Permissionship::Yes));
}

/// Whom a group of the ring names is told beside the wildcard that gives everybody the same.
#[test]
fn a_subject_named_behind_a_wildcard_under_exclusions_is_listed() {
    let schema = "definition group {
            relation member: group#view | group:* | group
            permission view = member - (member - member)
        }";
    let relationships = [
        "group:b#member@group:c",
        "group:d#member@group:e#view",
        "group:a#member@group:b#view",
        "group:a#member@group:*",
        "group:a#member@group:e#view",
        "group:b#member@group:d#view",
    ];
    let case = scenario(schema, &relationships, NOW, &[]);
    agrees(&case);
    let history = replay(&case);
    let scene = history.scene(&case, 1, case.instants[0]);
    let snapshot = scene.snapshot;
    for name in ["member", "view"] {
        let object = parse_object("group:a").unwrap();
        let context = scene.context();
        let found = pemba_engine::lookup_subjects(
            snapshot,
            snapshot.program(),
            &object,
            name,
            "group",
            None,
            &context,
        )
        .unwrap();
        assert_eq!(found.wildcard.0, Permissionship::Yes);
        assert_eq!(found.concrete.len(), 1, "{name}: {:?}", found.concrete);
    }
}
