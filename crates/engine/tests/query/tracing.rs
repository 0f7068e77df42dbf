//! Traces: which nodes a tree has, and that each says what a check of it does.

use pemba_engine::{CaveatOutcome, Condition, Cut, Permissionship, QueryError, Trace};
use pemba_model::SubjectRef;
use pemba_model::text::{parse_object_relation, parse_subject};

use crate::world::{World, word};

const NODES_MAX: usize = 1_000;

fn show_condition(condition: &Condition) -> String {
    let list = |parts: &[std::sync::Arc<Condition>], operator: &str| {
        let parts: Vec<String> = parts.iter().map(|part| show_condition(part)).collect();
        format!("({})", parts.join(operator))
    };
    match condition {
        Condition::Never => "never".to_owned(),
        Condition::Always => "always".to_owned(),
        Condition::Caveat(caveat) => caveat.name.to_string(),
        Condition::Any(parts) => list(parts, "|"),
        Condition::All(parts) => list(parts, "&"),
        Condition::Not(part) => format!("!{}", show_condition(part)),
        Condition::Open => "?".to_owned(),
    }
}

/// One line a node, indented: resource, permission, answer, condition, what is cut.
fn show(trace: &Trace, depth: usize, lines: &mut Vec<String>) {
    let answer = match &trace.answer {
        Ok(answer) => word(answer.permissionship, &answer.missing),
        Err(error) => error.to_string(),
    };
    let cut = match trace.cut {
        None => "",
        Some(Cut::Cycle) => " cycle",
        Some(Cut::Repeated) => " repeated",
        Some(Cut::Limit) => " limit",
    };
    let mark = if trace.is_permission { "*" } else { "" };
    let (indent, resource, condition) =
        (" ".repeat(depth), &trace.resource, show_condition(&trace.condition));
    lines.push(format!("{indent}{resource}#{}{mark} {answer} if {condition}{cut}", trace.permission));
    trace.children.iter().for_each(|child| show(child, depth + 1, lines));
}

fn traced(world: &World, question: &str, nodes_max: usize) -> Vec<String> {
    let trace = ask(world, question, nodes_max).unwrap();
    let subject = parse_subject(question.split_once('@').unwrap().1).unwrap();
    confirm(world, &trace, &subject);
    let mut lines = Vec::new();
    show(&trace, 0, &mut lines);
    lines
}

fn ask(world: &World, question: &str, nodes_max: usize) -> Result<Trace, QueryError> {
    let (left, subject) = question.split_once('@').unwrap();
    let (resource, permission) = parse_object_relation(left).unwrap();
    let subject = parse_subject(subject).unwrap();
    world.snapshot.trace(&resource, &permission, &subject, nodes_max, &world.context())
}

fn value(condition: &Condition) -> Permissionship {
    match condition {
        Condition::Never => Permissionship::No,
        Condition::Always => Permissionship::Yes,
        Condition::Caveat(caveat) => match caveat.outcome {
            Ok(CaveatOutcome::True) => Permissionship::Yes,
            Ok(CaveatOutcome::False) => Permissionship::No,
            Ok(CaveatOutcome::Missing(_)) | Err(_) => Permissionship::Conditional,
        },
        Condition::Any(parts) => parts.iter().map(|part| value(part)).max().unwrap(),
        Condition::All(parts) => parts.iter().map(|part| value(part)).min().unwrap(),
        Condition::Not(part) => match value(part) {
            Permissionship::No => Permissionship::Yes,
            Permissionship::Conditional => Permissionship::Conditional,
            Permissionship::Yes => Permissionship::No,
        },
        Condition::Open => panic!("not shown"),
    }
}

/// Each node says what a check of it does, and its condition comes to that.
pub(crate) fn confirm(world: &World, trace: &Trace, subject: &SubjectRef) -> usize {
    let check = world.ask(&trace.resource, &trace.permission, subject);
    let outline = |answer: &Result<pemba_engine::CheckAnswer, QueryError>| {
        answer.clone().map(|answer| (answer.permissionship, answer.missing))
    };
    let at = format!("{}#{}@{subject}", trace.resource, trace.permission);
    match (&trace.answer, &check) {
        (Err(QueryError::Contradiction { .. }), Err(QueryError::Contradiction { .. })) => {}
        _ => assert_eq!(outline(&trace.answer), outline(&check), "{at}"),
    }
    if !trace.condition.is_open() {
        let expected = match &trace.answer {
            Ok(answer) => answer.permissionship,
            Err(error) => {
                assert!(error.failed_caveat().is_some(), "{at}: {error}");
                Permissionship::Conditional
            }
        };
        assert_eq!(value(&trace.condition), expected, "{at}: {:?}", trace.condition);
    }
    1 + trace.children.iter().map(|child| confirm(world, child, subject)).sum::<usize>()
}

/// Traces everything in a world for some subjects, whole and with little room.
pub(crate) fn trace_everything(world: &World, subjects: &[&str]) {
    for object in world.objects() {
        let definition = world.snapshot.schema().definition(&object.object_type).unwrap().clone();
        for name in definition.names() {
            for subject in subjects {
                let subject = parse_subject(subject).unwrap();
                for nodes_max in [NODES_MAX, 4] {
                    let trace = world.snapshot.trace(&object, name, &subject, nodes_max, &world.context());
                    let nodes = confirm(world, &trace.unwrap(), &subject);
                    assert!(nodes <= nodes_max);
                }
            }
        }
    }
}

const DOCS: &str = "
definition user {}
definition group { relation member: user | group#member | user with one | user with gone }
definition folder {
    relation parent: folder | folder with one
    relation viewer: user | user:* | user with one | user with yes_ok | user with not_ok | group#member | group#member with two | user with gone | user with expiration
    relation banned: user | user with two
    permission view = viewer + parent->view
    permission both = viewer & banned
    permission left = viewer - banned
    permission every = parent.all(viewer)
    permission alone = view
    permission nobody = nil
}";

#[test]
fn a_tree_shows_references_and_arrows_up_to_what_decides() {
    let world = World::new(
        DOCS,
        &[
            "folder:low#viewer@user:ann",
            "folder:low#parent@folder:top",
            "folder:top#viewer@user:bob",
            "folder:low#banned@user:ann",
        ],
    );
    let trace = |question| traced(&world, question, NODES_MAX);
    assert_eq!(
        trace("folder:low#view@user:ann"),
        ["folder:low#view* yes if always", " folder:low#viewer yes if always"]
    );
    assert_eq!(
        trace("folder:low#alone@user:bob"),
        [
            "folder:low#alone* yes if always",
            " folder:low#view* yes if always",
            "  folder:low#viewer no if never",
            "  folder:top#view* yes if always",
            "   folder:top#viewer yes if always",
        ]
    );
    assert_eq!(
        trace("folder:low#both@user:bob"),
        ["folder:low#both* no if never", " folder:low#banned no if never"]
    );
    assert_eq!(
        trace("folder:low#left@user:ann"),
        [
            "folder:low#left* no if never",
            " folder:low#viewer yes if always",
            " folder:low#banned yes if always",
        ]
    );
    assert_eq!(
        trace("folder:low#left@user:new"),
        ["folder:low#left* no if never", " folder:low#viewer no if never"]
    );
    assert_eq!(trace("folder:new#nobody@user:ann"), ["folder:new#nobody* no if never"]);
    assert!(matches!(ask(&world, "folder:low#none@user:ann", 9), Err(QueryError::UnknownRelation { .. })));
}

#[test]
fn conditions_come_with_the_nodes_they_are_on() {
    let world = World::new(
        DOCS,
        &[
            "folder:aaa#viewer@group:eng#member[two]",
            "group:eng#member@group:sub#member",
            "group:sub#member@user:ann[one]",
            "folder:aaa#viewer@user:ann[not_ok]",
            "folder:bbb#parent@folder:aaa[one]",
            "folder:aaa#viewer@user:bob[yes_ok]",
            "folder:aaa#banned@user:bob[two]",
            "folder:ccc#viewer@user:cat[gone]",
        ],
    );
    let trace = |question| traced(&world, question, NODES_MAX);
    assert_eq!(
        trace("folder:bbb#view@user:ann"),
        [
            "folder:bbb#view* if one,two if (one&(not_ok|(two&one)))",
            " folder:bbb#viewer no if never",
            " folder:aaa#view* if one,two if (not_ok|(two&one))",
            "  folder:aaa#viewer if one,two if (not_ok|(two&one))",
            "   group:eng#member if one if one",
            "    group:sub#member if one if one",
        ]
    );
    assert_eq!(
        trace("folder:aaa#left@user:bob"),
        [
            "folder:aaa#left* if two if (yes_ok&!two)",
            " folder:aaa#viewer yes if yes_ok",
            "  group:eng#member no if never",
            "   group:sub#member no if never",
            " folder:aaa#banned if two if two",
        ]
    );
    assert_eq!(
        trace("folder:ccc#view@user:cat"),
        [
            "folder:ccc#view* caveat `gone` not found if gone",
            " folder:ccc#viewer caveat `gone` not found if gone"
        ]
    );
    let root = ask(&world, "folder:aaa#viewer@user:ann", NODES_MAX).unwrap();
    let said: Vec<_> = root.caveats.iter().map(|caveat| (caveat.name.as_str(), &caveat.outcome)).collect();
    assert_eq!(said[0], ("not_ok", &Ok(CaveatOutcome::False)));
    assert_eq!(said[1], ("two", &Ok(CaveatOutcome::Missing(vec!["two".into()]))));
}

#[test]
fn cycles_repetitions_and_limits_are_marked() {
    let world = World::new(
        DOCS,
        &[
            "folder:aaa#parent@folder:bbb",
            "folder:bbb#parent@folder:aaa",
            "folder:bbb#viewer@group:one#member",
            "folder:bbb#viewer@group:two#member",
            "group:two#member@group:one#member",
        ],
    );
    assert_eq!(
        traced(&world, "folder:aaa#view@user:ann", NODES_MAX),
        [
            "folder:aaa#view* no if ?",
            " folder:aaa#viewer no if never",
            " folder:bbb#view* no if ?",
            "  folder:bbb#viewer no if never",
            "   group:one#member no if never",
            "   group:two#member no if never",
            "    group:one#member no if never repeated",
            "  folder:aaa#view* no if ? cycle",
        ]
    );
    assert_eq!(
        traced(&world, "folder:aaa#view@user:ann", 4),
        [
            "folder:aaa#view* no if (?|?)",
            " folder:aaa#viewer no if never",
            " folder:bbb#view* no if (?|?) limit",
            "  folder:bbb#viewer no if ? limit",
        ]
    );
    let chain = (0..100).map(|at| format!("folder:n{at}#parent@folder:n{}", at + 1));
    let world = World::from_iter(DOCS, chain.chain(["folder:n100#viewer@user:ann".to_owned()]));
    let lines = traced(&world, "folder:n0#view@user:ann", NODES_MAX);
    assert_eq!(lines.iter().filter(|line| line.ends_with("limit")).count(), 1, "{lines:?}");
    assert!(lines[0].starts_with("folder:n0#view* yes"));
}

#[test]
fn a_traced_answer_says_until_when_it_holds() {
    let world = World::new(DOCS, &["folder:aaa#viewer@user:ann[expiration:1970-01-01T00:00:02Z]"]);
    let trace = ask(&world, "folder:aaa#view@user:ann", NODES_MAX).unwrap();
    let until = Some(pemba_model::Timestamp::from_millis(2000));
    assert_eq!(trace.answer.as_ref().unwrap().valid_until, until);
    assert_eq!(trace.children[0].answer.as_ref().unwrap().valid_until, until);
}
