//! The rules of the comparison with SpiceDB, each on a case of its own: SpiceDB still differs there, and the rule covers it.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, missing_docs, reason = "tests")]

use std::collections::BTreeMap;

use pemba_tests::differential::answer::{Answer, CONDITIONAL, Verdict};
use pemba_tests::differential::caveats::named;
use pemba_tests::differential::generate::Case;
use pemba_tests::differential::naive::State;
use pemba_tests::differential::oracle::Oracle;
use pemba_tests::differential::peer::Peer;
use pemba_tests::differential::run::{Counts, Pair, run};
use pemba_tests::differential::schema::{
    Allowed, Definition, Expression, Permission, Relation, Schema, Shape,
};
use pemba_tests::differential::second::Second;
use pemba_tests::differential::step::{
    At, Context, Edge, Filter, Item, Object, Operation, PAST_S, Step, Subject,
};
use pemba_tests::process::{KEY, ServerProcess};
use serde_json::json;

fn allowed(subject_type: &'static str, shape: Shape) -> Allowed {
    Allowed { subject_type, shape, caveat: None, expiration: false }
}

fn permission(name: &'static str, expression: Expression) -> Permission {
    Permission { name, expression }
}

/// `self` and a name, joined.
fn itself(operator: char, name: &'static str) -> Expression {
    Expression::Chain(vec![Expression::Itself, Expression::Name(name)], vec![operator])
}

/// Users, groups that may hold one another, and folders that are read by everybody, for a time, or under a caveat.
fn schema() -> Schema {
    let user = || allowed("user", Shape::Direct);
    let group = Definition {
        name: "group",
        relations: vec![Relation {
            name: "member",
            allowed: vec![user(), allowed("group", Shape::Userset("member"))],
        }],
        permissions: vec![permission("view", Expression::Name("member"))],
    };
    let folder = Definition {
        name: "folder",
        relations: vec![
            Relation {
                name: "viewer",
                allowed: vec![
                    user(),
                    allowed("user", Shape::Wildcard),
                    allowed("group", Shape::Wildcard),
                    allowed("folder", Shape::Direct),
                ],
            },
            Relation {
                name: "member",
                allowed: vec![
                    Allowed { expiration: true, ..user() },
                    Allowed { caveat: Some("big_number"), ..user() },
                ],
            },
        ],
        permissions: vec![
            permission("view", Expression::Name("viewer")),
            permission("share", itself('&', "viewer")),
            permission("admin", itself('+', "viewer")),
        ],
    };
    let user = Definition { name: "user", relations: Vec::new(), permissions: Vec::new() };
    Schema { caveats: vec![named("big_number").unwrap()], definitions: vec![user, group, folder] }
}

/// `type:id#relation@type:id` or with `#relation` behind it.
fn edge(text: &str) -> Edge {
    let (resource, subject) = text.split_once('@').unwrap();
    let (resource, relation) = resource.split_once('#').unwrap();
    Edge {
        resource: object(resource),
        relation: relation.to_owned(),
        subject: subject_of(subject),
        caveat: None,
        expires_at_s: None,
    }
}

fn object(text: &str) -> Object {
    let (kind, id) = text.split_once(':').unwrap();
    Object::new(kind, id)
}

fn subject_of(text: &str) -> Subject {
    let (text, relation) = text.split_once('#').unwrap_or((text, ""));
    Subject { object: object(text), relation: relation.to_owned() }
}

fn check(text: &str) -> Step {
    let Edge { resource, relation, subject, .. } = edge(text);
    Step::Check(Item { resource, permission: relation, subject, context: Context::new() }, At::Head)
}

/// A bulk check whose every item breaks two rules.
fn broken(items: usize) -> Step {
    let (resource, subject) = (Object::new("Bad!", "a"), subject_of("user:"));
    let item = Item { resource, permission: "view".to_owned(), subject, context: Context::new() };
    Step::Bulk(vec![item; items])
}

fn create(edge: Edge) -> Step {
    Step::Write { updates: vec![(Operation::Create, edge)], preconditions: Vec::new() }
}

fn with_number(text: &str, number: serde_json::Value) -> Edge {
    let context = Context::from_iter([("num".to_owned(), number)]);
    Edge { caveat: Some(("big_number".to_owned(), context)), ..edge(text) }
}

fn subjects(resource: &str, permission: &str, subject_type: &str) -> Step {
    Step::LookupSubjects {
        resource: object(resource),
        permission: permission.to_owned(),
        subject_type: subject_type.to_owned(),
        subject_relation: String::new(),
        context: Context::new(),
    }
}

fn resources(permission: &str, subject: &str, context: Context) -> Step {
    Step::LookupResources {
        resource_type: "folder".to_owned(),
        permission: permission.to_owned(),
        subject: subject_of(subject),
        context,
        page: 0,
    }
}

/// The rule, the relationships at the start, and what is asked.
type RuleCase = (&'static str, Vec<Edge>, Step);

fn schemas() -> Vec<RuleCase> {
    let text = schema().text();
    vec![
        (
            "a-wildcard-is-no-relationship-of-its-type",
            vec![edge("folder:a#viewer@user:*")],
            Step::Schema(text.replace("viewer: user | user:*", "viewer: user:*")),
        ),
        (
            "lines-may-end-between-parameters",
            Vec::new(),
            Step::Schema(text.replace("(num int)", "(\n  num int\n)")),
        ),
        (
            "a-brace-may-end-a-statement",
            Vec::new(),
            Step::Schema(text.replace("view = member\n}", "view = member }")),
        ),
        (
            "permissions-that-only-name-each-other-have-a-code",
            Vec::new(),
            Step::Schema(text.replace("view = member", "view = edit\n  permission edit = view")),
        ),
        (
            "a-schema-leaves-no-conditional-relationship-behind",
            vec![with_number("folder:a#member@user:a", json!(4))],
            Step::Schema(
                text.replace("  relation member: user with expiration | user with big_number\n", ""),
            ),
        ),
    ]
}

fn questions() -> Vec<RuleCase> {
    let loops = vec![edge("group:a#member@group:b#member"), edge("group:b#member@group:a#member")];
    let much = Context::from_iter([("much".to_owned(), json!("x".repeat(5000)))]);
    vec![
        ("cycles-are-answered", loops, check("group:a#member@user:a")),
        (
            "wildcards-cover-objects-only",
            vec![edge("folder:a#viewer@group:*")],
            check("folder:a#view@group:a#member"),
        ),
        (
            "self-is-found-as-its-own-type-only",
            vec![edge("folder:a#viewer@user:*")],
            subjects("folder:a", "admin", "user"),
        ),
        (
            "lookup-through-self-is-answered",
            vec![edge("folder:b#viewer@folder:b")],
            resources("share", "folder:b", Context::new()),
        ),
        ("large-contexts-are-refused-by-every-call", Vec::new(), resources("view", "user:a", much)),
        ("many-broken-rules-are-told-as-far-as-headers-take-them", Vec::new(), broken(8)),
        ("a-wildcard-is-no-resource", Vec::new(), subjects("folder:*", "view", "user")),
        (
            "a-filter-for-a-permission-finds-nothing",
            Vec::new(),
            Step::Read {
                filter: Filter {
                    relation: "view".to_owned(),
                    subject: Some(("user".to_owned(), "a".to_owned(), None)),
                    resource_type: "folder".to_owned(),
                    ..Filter::default()
                },
                page: 0,
                at: At::Head,
            },
        ),
    ]
}

fn changes() -> Vec<RuleCase> {
    let expired = || Edge { expires_at_s: Some(PAST_S), ..edge("folder:a#member@user:a") };
    vec![
        (
            "caveat-values-on-relationships-have-a-code",
            Vec::new(),
            create(with_number("folder:a#member@user:a", json!("many"))),
        ),
        (
            "whole-numbers-have-64-bits",
            Vec::new(),
            create(with_number("folder:a#member@user:a", json!("1e99999"))),
        ),
        ("create-over-an-expired-relationship", vec![expired()], create(expired())),
        (
            "expired-relationships-are-not-counted-as-deleted",
            vec![expired()],
            Step::Delete {
                filter: Filter { resource_type: "folder".to_owned(), ..Filter::default() },
                preconditions: Vec::new(),
                limit: 0,
                partial: false,
            },
        ),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_rule_covers_the_case_that_it_was_written_for() {
    let Some(oracle) = Oracle::start() else {
        println!("SKIPPED: PEMBA_ORACLE=skip, nothing was compared with the real SpiceDB");
        return;
    };
    let server = ServerProcess::start(None, &[]);
    let peer = |key| Peer::of_oracle((&oracle.endpoint, oracle.kind), key);
    let mut pair = Pair {
        pemba: Peer::new(&server.endpoint(), KEY),
        oracle: peer("rules"),
        second: Second::new(peer("rules-second")),
        kind: oracle.kind,
        runs: 0,
        stuck: false,
    };
    let mut wrong = Vec::new();
    for (rule, edges, step) in schemas().into_iter().chain(questions()).chain(changes()) {
        let case = Case { seed: 0, schema: schema(), edges, steps: vec![step] };
        let mut counts = Counts::default();
        let difference = run(&mut pair, &case, &mut counts).await;
        let found: Vec<&str> = counts.tolerated.keys().copied().collect();
        if difference.is_some() || found != [rule] {
            let difference = difference.map(|found| found.to_string()).unwrap_or_default();
            wrong.push(format!("{rule}: counted {found:?}\n{difference}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The library names only some missing parameters; what Pemba names is held against the naive evaluator.
#[test]
fn a_parameter_too_many_or_too_few_is_a_difference() {
    let schema = "caveat either(flag bool, num int) { flag || num > 3 }
        caveat unused(other int) { other > 3 }
        definition user {}
        definition folder {
          relation viewer: user with either | user:* with either
          permission view = viewer
        }";
    let viewer = |subject: &str| Edge {
        caveat: Some(("either".to_owned(), Context::new())),
        ..edge(&format!("folder:a#viewer@{subject}"))
    };
    let state = State::new(schema, vec![viewer("user:a").wire(), viewer("user:*").wire()]);
    let conditional = |missing: &[&str]| Verdict {
        permissionship: CONDITIONAL,
        missing: missing.iter().map(|name| (*name).to_owned()).collect(),
    };
    let item = |context: &str| Item {
        resource: object("folder:a"),
        permission: "view".to_owned(),
        subject: subject_of("user:a"),
        context: serde_json::from_str(context).unwrap(),
    };
    let ask = Step::Check(item("{}"), At::Head);
    let right = Answer::Check(conditional(&["flag", "num"]));
    assert!(right.same(&state.corrected(&ask, &right)));
    let given = Step::Check(item("{\"flag\": false}"), At::Head);
    let less = Answer::Check(conditional(&["num"]));
    assert!(less.same(&state.corrected(&given, &less)) && !right.same(&state.corrected(&given, &right)));
    for wrong in [&["flag"][..], &["flag", "num", "other"], &[]] {
        let verdict = conditional(wrong);
        let answers = [
            (ask.clone(), Answer::Check(verdict.clone())),
            (Step::Bulk(vec![item("{}")]), Answer::Bulk(vec![Ok(verdict.clone())])),
            (
                resources("view", "user:a", Context::new()),
                Answer::Resources { found: BTreeMap::from([("a".to_owned(), verdict.clone())]), repeated: 0 },
            ),
            (
                subjects("folder:a", "view", "user"),
                Answer::Subjects {
                    found: BTreeMap::from([("*".to_owned(), (verdict.clone(), BTreeMap::new()))]),
                    repeated: 0,
                },
            ),
        ];
        for (step, answer) in answers {
            assert!(!answer.same(&state.corrected(&step, &answer)), "{step} {wrong:?}");
        }
    }
    // What the library may leave out, and what not.
    let short = |theirs: &Answer| right.same_in_short(theirs);
    assert!(short(&Answer::Check(conditional(&["num"]))) && short(&right));
    assert!(!short(&Answer::Check(conditional(&["other"]))) && !short(&Answer::Check(conditional(&[]))));
}
