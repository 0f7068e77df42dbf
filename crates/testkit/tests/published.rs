//! Wrong answers that other authorization databases have published, each as the smallest data that provokes it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::sync::Arc;

use pemba_engine::{
    CaveatEvaluator, CaveatOutcome, CheckItem, Ordinal, Permissionship, QueryContext, QueryError, Snapshot,
};
use pemba_model::text::{parse_object, parse_relationship, parse_subject};
use pemba_model::{Context, Revision, SmolStr, Timestamp};
use pemba_testkit::caveats::Given;
use pemba_testkit::compare::{compare_scenario, scenario};
use pemba_testkit::generate::Case;

const NOW: &str = "2020-01-01T00:00:00Z";

const SCHEMA: &str = "use expiration
    caveat one(pa bool) { pa }
    caveat two(pb bool, pc bool) { pb && pc }
    definition user {}
    definition group {
        relation member: user | user with one | user with expiration | user with two and expiration | group#member | group#member with two
    }
    definition folder {
        relation parent: folder | folder with one
        relation viewer: user | user with one | user with two | user:* with one | group#member | group#member with one | group#member with two
        relation banned: user | user with one
        permission view = viewer + parent->view
        permission left = view - banned
        permission every = parent.all(view)
    }";

fn case(relationships: &[&str], given: &[(&str, bool)]) -> Case {
    scenario(SCHEMA, relationships, NOW, given)
}

/// Everything about the data is what the oracle says.
fn agrees(case: &Case) {
    if let Err(difference) = compare_scenario(case) {
        panic!("{difference}");
    }
}

fn snapshot(relationships: &[&str]) -> Snapshot {
    let mut transaction = Snapshot::empty().transaction();
    let schema = pemba_schema::compile(SCHEMA).unwrap_or_else(|e| panic!("{:?}", e.diagnostics)).schema;
    transaction.set_schema(Arc::new(schema));
    for text in relationships {
        transaction.put(&parse_relationship(text).unwrap()).unwrap();
    }
    transaction.finish(Revision(1))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::new(1_577_836_800 + seconds, 0).unwrap()
}

fn context(caveats: &dyn CaveatEvaluator, now: Timestamp) -> QueryContext<'_> {
    QueryContext { now, steps_max: 1_000_000, caveats }
}

/// Decides by the text of the values: what holds is listed.
struct Holds(&'static str);

impl CaveatEvaluator for Holds {
    fn evaluate(&self, caveat: &str, bound: &Context) -> Result<CaveatOutcome, QueryError> {
        let text = serde_json::to_string(bound).unwrap();
        Ok(match () {
            () if text == self.0 => CaveatOutcome::True,
            () if bound.is_empty() && caveat == "one" => CaveatOutcome::Missing(vec![SmolStr::new("pa")]),
            () => CaveatOutcome::False,
        })
    }
}

#[test]
fn a_lookup_never_calls_a_conditional_resource_definite() {
    let relationships = [
        "folder:a#viewer@user:u[one]",
        "folder:b#parent@folder:a",
        "folder:b#viewer@group:g#member",
        "folder:c#parent@folder:b",
        "group:g#member@user:v",
        "folder:d#parent@folder:e[one]",
        "folder:e#viewer@user:u",
    ];
    agrees(&case(&relationships, &[]));
    let snapshot = snapshot(&relationships);
    let user = parse_subject("user:u").unwrap();
    let found = snapshot.lookup_resources("folder", "view", &user, &context(&Holds("none"), at(0))).unwrap();
    assert_eq!((found.definite.len(), found.conditional.len()), (1, 4));
    let ordinals: Vec<Ordinal> = found.conditional.iter().map(Ordinal).collect();
    let missing =
        snapshot.lookup_missing("folder", "view", &user, &ordinals, &context(&Holds("none"), at(0))).unwrap();
    assert_eq!(missing, vec![vec![SmolStr::new("pa")]; 4]);
}

#[test]
fn a_caveated_arrow_does_not_deny() {
    let relationships = [
        "folder:a#parent@folder:b[one]",
        "folder:b#viewer@user:u",
        "folder:c#parent@folder:b[one]",
        "folder:c#parent@folder:d",
        "folder:d#viewer@user:u",
        "folder:e#parent@folder:b[one:{\"pa\":true}]",
    ];
    for given in [&[][..], &[("pa", true)], &[("pa", false)]] {
        agrees(&case(&relationships, given));
    }
    let snapshot = snapshot(&relationships);
    let user = parse_subject("user:u").unwrap();
    let check = |folder: &str, permission: &str| {
        let caveats = Holds("{\"pa\":true}");
        let folder = parse_object(folder).unwrap();
        snapshot.check(&folder, permission, &user, &context(&caveats, at(0))).unwrap().permissionship
    };
    assert_eq!(check("folder:a", "view"), Permissionship::Conditional);
    assert_eq!(check("folder:c", "view"), Permissionship::Yes);
    assert_eq!(check("folder:e", "view"), Permissionship::Yes);
    assert_eq!(check("folder:a", "every"), Permissionship::Conditional);
    // Every edge's own condition counts, although what both lead to has the permission.
    assert_eq!(check("folder:c", "every"), Permissionship::Conditional);
}

#[test]
fn several_caveats_on_one_path_and_to_one_subject_all_count() {
    let relationships = [
        "folder:a#viewer@group:g#member[one]",
        "group:g#member@group:h#member[two]",
        "group:h#member@user:u",
        "folder:b#parent@folder:a[one:{\"pa\":false}]",
        "folder:c#viewer@user:u[one]",
        "folder:c#viewer@group:h#member[two:{\"pb\":true}]",
        "folder:d#viewer@user:u[one:{\"pa\":false}]",
        "folder:d#viewer@group:h#member[two]",
    ];
    for given in [
        &[][..],
        &[("pa", true)],
        &[("pb", true)],
        &[("pa", true), ("pb", true), ("pc", true)],
        &[("pa", true), ("pb", true), ("pc", false)],
        &[("pa", false), ("pc", true)],
    ] {
        agrees(&case(&relationships, given));
    }
}

#[test]
fn a_conditional_wildcard_gives_nobody_more_than_a_condition() {
    let relationships =
        ["folder:a#viewer@user:*[one]", "folder:a#banned@user:u", "folder:a#viewer@user:v[two]"];
    for given in [&[][..], &[("pa", true)], &[("pa", false)]] {
        agrees(&case(&relationships, given));
    }
    let snapshot = snapshot(&relationships);
    let caveats = Holds("none");
    let folder = parse_object("folder:a").unwrap();
    for user in ["user:stranger", "user:u"] {
        let user = parse_subject(user).unwrap();
        let got = snapshot.check(&folder, "view", &user, &context(&caveats, at(0))).unwrap();
        assert_eq!(got.permissionship, Permissionship::Conditional);
    }
}

#[test]
fn items_of_a_batch_and_edges_of_a_lookup_that_differ_in_nested_lists_are_not_mixed_up() {
    let relationships = [
        "folder:a#viewer@user:u[one:{\"list\":[[\"a\"],[\"b\"]]}]",
        "folder:b#viewer@user:u[one:{\"list\":[[\"a\",\"b\"]]}]",
        "folder:c#viewer@user:u[one:{\"list\":[[\"a\",\"b\"],[]]}]",
    ];
    let snapshot = snapshot(&relationships);
    let user = parse_subject("user:u").unwrap();
    let folders = ["folder:a", "folder:b", "folder:c"].map(|folder| parse_object(folder).unwrap());
    for (place, text) in
        [r#"{"list":[["a"],["b"]]}"#, r#"{"list":[["a","b"]]}"#, r#"{"list":[["a","b"],[]]}"#]
            .into_iter()
            .enumerate()
    {
        let caveats = Holds(text);
        let found = snapshot.lookup_resources("folder", "view", &user, &context(&caveats, at(0))).unwrap();
        let expected = snapshot.check(&folders[place], "view", &user, &context(&caveats, at(0))).unwrap();
        assert_eq!(expected.permissionship, Permissionship::Yes);
        assert_eq!((found.definite.len(), found.conditional.len()), (1, 0), "{text}");
    }
    // The same question thrice in one batch, each with what its own request brings along.
    let own = [Holds(r#"{"list":[["a"],["b"]]}"#), Holds(r#"{"list":[["a","b"]]}"#), Holds("none")];
    let items = own.each_ref().map(|caveats| CheckItem {
        resource: &folders[0],
        permission: "view",
        subject: &user,
        caveats,
    });
    let answers: Vec<Permissionship> =
        snapshot.check_bulk(&items, at(0), 1000).into_iter().map(|a| a.unwrap().permissionship).collect();
    assert_eq!(answers, [Permissionship::Yes, Permissionship::No, Permissionship::No]);
}

#[test]
fn an_expired_membership_grants_nothing_through_the_groups_above_it() {
    // Enough groups that the subject's closure is used.
    let mut relationships: Vec<String> = Vec::new();
    for number in 0..20 {
        relationships.push(format!("folder:a#viewer@group:g{number}#member"));
        relationships.push(format!("group:g{number}#member@group:h{number}#member"));
    }
    relationships.push("group:h7#member@user:u[expiration:2020-01-01T00:00:05Z]".into());
    relationships.push("group:h8#member@user:v[two][expiration:2020-01-01T00:00:05Z]".into());
    let texts: Vec<&str> = relationships.iter().map(String::as_str).collect();
    let snapshot = snapshot(&texts);
    let folder = parse_object("folder:a").unwrap();
    let caveats = Holds("none");
    for (user, before) in [("user:u", Permissionship::Yes), ("user:v", Permissionship::No)] {
        let user = parse_subject(user).unwrap();
        let item = CheckItem { resource: &folder, permission: "view", subject: &user, caveats: &caveats };
        for (now, expected) in [(at(4), before), (at(5), Permissionship::No), (at(4), before)] {
            let one = snapshot.check(&folder, "view", &user, &context(&caveats, now)).unwrap();
            assert_eq!(one.permissionship, expected, "{user} at {now}");
            for got in snapshot.check_bulk(&[item, item], now, 10_000) {
                assert_eq!(got.unwrap().permissionship, expected, "{user} at {now}, in a batch");
            }
            let found = snapshot.lookup_resources("folder", "view", &user, &context(&caveats, now)).unwrap();
            assert_eq!(found.definite.is_empty(), expected == Permissionship::No);
        }
    }
}

#[test]
fn a_fault_counts_only_where_the_answer_depends_on_it() {
    let relationships = [
        // Decided by another path.
        "folder:a#viewer@user:u[one]",
        "folder:a#viewer@group:g#member",
        "group:g#member@user:u",
        // Open, and by the fault too.
        "folder:b#viewer@user:u[one]",
        "folder:b#viewer@group:g2#member[two]",
        "group:g2#member@user:u",
        // Nothing to condition.
        "folder:c#viewer@group:empty#member[one]",
        // Excluded for certain.
        "folder:d#viewer@user:u[one]",
        "folder:d#banned@user:u",
        // An exclusion that is of no consequence.
        "folder:e#banned@user:u[one]",
        // Behind an arrow of which another branch decides.
        "folder:f#parent@folder:b",
        "folder:f#parent@folder:a",
    ];
    let mut case = case(&relationships, &[]);
    agrees(&case);
    case.given.insert("pa".into(), Given::Wrong);
    agrees(&case);
    case.given.insert("pb".into(), Given::Wrong);
    agrees(&case);
    let snapshot = snapshot(&relationships);
    let caveats = case.caveats(&case.schema);
    let user = parse_subject("user:u").unwrap();
    let check = |folder: &str, permission: &str| {
        let folder = parse_object(folder).unwrap();
        snapshot.check(&folder, permission, &user, &context(&caveats, at(0)))
    };
    let value = |folder: &str, permission: &str| check(folder, permission).unwrap().permissionship;
    assert_eq!(value("folder:a", "view"), Permissionship::Yes);
    assert_eq!(value("folder:c", "view"), Permissionship::No);
    assert_eq!(value("folder:d", "left"), Permissionship::No);
    assert_eq!(value("folder:e", "left"), Permissionship::No);
    assert_eq!(value("folder:f", "view"), Permissionship::Yes);
    let failed = check("folder:b", "view").unwrap_err();
    assert_eq!(failed.failed_caveat().unwrap(), "one");
    let folders = ["folder:a", "folder:b", "folder:a"].map(|folder| parse_object(folder).unwrap());
    let items = folders.each_ref().map(|resource| CheckItem {
        resource,
        permission: "view",
        subject: &user,
        caveats: &caveats,
    });
    let answers = snapshot.check_bulk(&items, at(0), 1000);
    assert!(answers[0].is_ok() && answers[1] == Err(failed.clone()) && answers[2].is_ok());
    let lookup = snapshot.lookup_resources("folder", "view", &user, &context(&caveats, at(0)));
    assert_eq!(lookup, Err(failed));
    let left = snapshot.lookup_resources("group", "member", &user, &context(&caveats, at(0))).unwrap();
    assert_eq!(left.definite.len(), 2);
}
