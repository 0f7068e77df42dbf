//! Wrong answers that other databases have published, each replayed over gRPC: by Check, CheckBulk and both lookups, at the
//! head and at an earlier revision.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::BTreeMap;

use pemba_tests::crosscheck::{File, check};
use pemba_tests::differential::answer::{Answer, CONDITIONAL, HAS, NO};
use pemba_tests::differential::peer::Peer;
use pemba_tests::differential::step::{At, Context, Edge, Item, Object, Operation, Step, Subject};
use pemba_tests::process::{KEY, ServerProcess};

const CAVEATS: &str =
    "caveat open(open bool) {\n  open\n}\ncaveat level(level int) {\n  level > 3\n}\ndefinition user {}\n";

fn done(answer: Answer) {
    assert!(matches!(answer, Answer::Done), "{answer:?}");
}

fn object(text: &str) -> Object {
    let (kind, id) = text.split_once(':').unwrap();
    Object::new(kind, id)
}

fn subject(text: &str) -> Subject {
    let (of, relation) = text.split_once('#').unwrap_or((text, ""));
    Subject { object: object(of), relation: relation.to_owned() }
}

fn context(json: &str) -> Context {
    serde_json::from_str(json).unwrap()
}

/// `type:id#relation@subject`, with ` caveat {json}` after it.
fn edge(text: &str) -> Edge {
    let (text, caveat) = text.split_once(' ').unwrap_or((text, ""));
    let (left, right) = text.split_once('@').unwrap();
    let (resource, relation) = left.split_once('#').unwrap();
    let caveat = caveat.split_once(' ').map(|(name, json)| (name.to_owned(), context(json)));
    Edge {
        resource: object(resource),
        relation: relation.to_owned(),
        subject: subject(right),
        caveat,
        expires_at_s: None,
    }
}

/// `type:id#permission@subject`, with ` {json}` after it.
fn item(text: &str) -> Item {
    let (text, json) = text.split_once(' ').unwrap_or((text, "{}"));
    let (left, right) = text.split_once('@').unwrap();
    let (resource, permission) = left.split_once('#').unwrap();
    Item {
        resource: object(resource),
        permission: permission.to_owned(),
        subject: subject(right),
        context: context(json),
    }
}

/// Checks the assertions by every call, and every lookup against brute force.
async fn holds(schema: &str, types: &[(&str, &[&str])], edges: &[&str], assertions: &[(&str, i32)]) {
    let server = ServerProcess::start(None, &[]);
    let mut peer = Peer::new(&server.endpoint(), KEY);
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect();
    let file = File {
        name: String::new(),
        schema: format!("{CAVEATS}{schema}"),
        types: types
            .iter()
            .map(|(kind, of)| ((*kind).to_owned(), names(of)))
            .collect::<BTreeMap<_, Vec<_>>>(),
        edges: edges.iter().map(|text| edge(text)).collect(),
        assertions: assertions.iter().map(|(text, wanted)| (item(text), *wanted)).collect(),
    };
    check(&mut peer, &file).await.unwrap();
}

#[tokio::test]
async fn cve_2023_35930_lookup_resources_leaves_nothing_out() {
    holds(
        "definition group {\n  relation member: user | group#member\n}\ndefinition paper {\n  relation one: user | group#member\n  relation two: user | group#member\n  permission view = one + two\n}\n",
        &[("paper", &["view"]), ("group", &["member"])],
        &[
            "paper:p#one@group:g#member",
            "paper:p#two@group:h#member",
            "paper:q#two@group:g#member",
            "group:g#member@group:h#member",
            "group:h#member@user:ann",
        ],
        &[("paper:p#view@user:ann", HAS), ("paper:q#view@user:ann", HAS), ("paper:q#view@user:bob", NO)],
    )
    .await;
}

#[tokio::test]
async fn cve_2024_48909_a_conditional_resource_is_not_found_as_definite_nor_the_other_way() {
    holds(
        "definition paper {\n  relation direct: user with open\n  relation other: user\n  permission view = direct + other\n}\n",
        &[("paper", &["view"])],
        &["paper:p#direct@user:ann open {}", "paper:q#direct@user:ann open {}", "paper:q#other@user:ann"],
        &[
            ("paper:p#view@user:ann", CONDITIONAL),
            ("paper:q#view@user:ann", HAS),
            ("paper:p#view@user:ann {\"open\":true}", HAS),
            ("paper:p#view@user:ann {\"open\":false}", NO),
        ],
    )
    .await;
}

#[tokio::test]
async fn cve_2025_49011_an_arrow_with_caveats_does_not_deny() {
    holds(
        "definition folder {\n  relation viewer: user | user with level\n}\ndefinition paper {\n  relation folder: folder | folder with open\n  permission view = folder->viewer\n}\n",
        &[("paper", &["view"]), ("folder", &["viewer"])],
        &[
            "folder:a#viewer@user:ann",
            "folder:b#viewer@user:ann level {}",
            "paper:p#folder@folder:a open {}",
            "paper:p#folder@folder:b",
            "paper:q#folder@folder:a open {\"open\":false}",
            "paper:q#folder@folder:b",
        ],
        &[
            ("paper:p#view@user:ann", CONDITIONAL),
            ("paper:p#view@user:ann {\"open\":true}", HAS),
            ("paper:p#view@user:ann {\"open\":false,\"level\":9}", HAS),
            ("paper:q#view@user:ann {\"level\":9}", HAS),
            ("paper:q#view@user:ann {\"level\":1}", NO),
        ],
    )
    .await;
}

#[tokio::test]
async fn ghsa_jhg6_several_caveats_on_the_ways_to_one_subject_all_count() {
    holds(
        "definition group {\n  relation member: user with open | user with level\n}\ndefinition paper {\n  relation reader: group#member with open | group#member with level\n  permission read = reader\n}\n",
        &[("paper", &["read"]), ("group", &["member"])],
        &[
            "group:g#member@user:ann level {}",
            "group:h#member@user:ann open {}",
            "paper:p#reader@group:g#member open {}",
            "paper:p#reader@group:h#member level {\"level\":9}",
        ],
        &[
            ("paper:p#read@user:ann", CONDITIONAL),
            ("paper:p#read@user:ann {\"open\":true}", HAS),
            ("paper:p#read@user:ann {\"level\":9}", CONDITIONAL),
            ("paper:p#read@user:ann {\"open\":false,\"level\":9}", NO),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_wildcard_does_not_satisfy_where_only_a_condition_does() {
    holds(
        "definition paper {\n  relation reader: user:* with open | user\n  relation cleared: user:*\n  permission read = reader & cleared\n}\n",
        &[("paper", &["read"])],
        &["paper:p#reader@user:* open {}", "paper:p#cleared@user:*", "paper:p#reader@user:bob"],
        &[
            ("paper:p#read@user:ann", CONDITIONAL),
            ("paper:p#read@user:bob", HAS),
            ("paper:p#read@user:ann {\"open\":false}", NO),
        ],
    )
    .await;
}

#[tokio::test]
async fn cve_2026_46668_contexts_that_differ_inside_nested_lists_are_not_mixed_in_a_bulk_check() {
    let schema = "caveat listed(groups list<list<string>>) {\n  groups.exists(g, 'x' in g)\n}\ndefinition user {}\ndefinition paper {\n  relation reader: user with listed\n  permission read = reader\n}\n";
    let server = ServerProcess::start(None, &[]);
    let mut peer = Peer::new(&server.endpoint(), KEY);
    done(peer.ask(&Step::Schema(schema.to_owned())).await);
    let updates = vec![(Operation::Touch, edge("paper:p#reader@user:ann listed {}"))];
    done(peer.ask(&Step::Write { updates, preconditions: Vec::new() }).await);
    let items = vec![
        item("paper:p#read@user:ann {\"groups\":[[\"x\",\"y\"],[\"z\"]]}"),
        item("paper:p#read@user:ann {\"groups\":[[\"y\"],[\"z\"]]}"),
        item("paper:p#read@user:ann {\"groups\":[[\"xy\"],[\"z\"]]}"),
        item("paper:p#read@user:ann {\"groups\":[[],[\"y\",\"x\",\"z\"]]}"),
        item("paper:p#read@user:ann"),
    ];
    let Answer::Bulk(answers) = peer.ask(&Step::Bulk(items)).await else { panic!("no answer") };
    let found: Vec<i32> = answers.into_iter().map(|answer| answer.unwrap().permissionship).collect();
    assert_eq!(found, [HAS, NO, NO, HAS, CONDITIONAL]);
}

#[tokio::test]
async fn cve_2026_55866_a_lookup_beside_a_check_does_not_make_it_definite() {
    let server = ServerProcess::start(None, &[]);
    let mut peer = Peer::new(&server.endpoint(), KEY);
    let schema = format!(
        "{CAVEATS}definition paper {{\n  relation reader: user with open\n  permission read = reader\n}}\n"
    );
    done(peer.ask(&Step::Schema(schema)).await);
    let updates = vec![(Operation::Touch, edge("paper:p#reader@user:ann open {}"))];
    done(peer.ask(&Step::Write { updates, preconditions: Vec::new() }).await);
    let lookup = Step::LookupResources {
        resource_type: "paper".to_owned(),
        permission: "read".to_owned(),
        subject: subject("user:ann"),
        context: context("{\"open\":true}"),
        page: 0,
    };
    let mut beside = peer.clone();
    for _ in 0..200 {
        let question = Step::Check(item("paper:p#read@user:ann"), At::Head);
        let (found, checked) = tokio::join!(beside.ask(&lookup), peer.ask(&question));
        assert!(matches!(found, Answer::Resources { found, .. } if found["p"].permissionship == HAS));
        assert!(matches!(checked, Answer::Check(verdict) if verdict.permissionship == CONDITIONAL));
    }
}

#[tokio::test]
async fn relationships_of_an_older_schema_grant_nothing_under_the_new_one() {
    let server = ServerProcess::start(None, &[]);
    let mut peer = Peer::new(&server.endpoint(), KEY);
    let old = "definition user {}\ndefinition paper {\n  relation reader: user\n  relation banned: user\n  permission read = reader\n}\n";
    let new = "definition user {}\ndefinition paper {\n  relation reader: user\n  relation banned: user\n  permission read = reader - banned\n}\n";
    done(peer.ask(&Step::Schema(old.to_owned())).await);
    let updates =
        ["paper:p#reader@user:ann", "paper:p#banned@user:ann"].map(|text| (Operation::Touch, edge(text)));
    let write = Step::Write { updates: updates.to_vec(), preconditions: Vec::new() };
    assert!(matches!(peer.ask(&write).await, Answer::Done));
    let at = |at| Step::Check(item("paper:p#read@user:ann"), at);
    let is =
        |answer: Answer, wanted| matches!(answer, Answer::Check(verdict) if verdict.permissionship == wanted);
    assert!(is(peer.ask(&at(At::Head)).await, HAS));
    done(peer.ask(&Step::Schema(new.to_owned())).await);
    assert!(is(peer.ask(&at(At::Head)).await, NO));
    assert!(is(peer.ask(&at(At::Fresh)).await, NO));
    assert!(is(peer.ask(&at(At::Exact(1))).await, HAS), "the schema is of the revision that is asked");
}
