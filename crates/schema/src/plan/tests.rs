use super::*;
use crate::compile::compile;

fn plans(text: &str) -> Plans {
    match compile(text) {
        Ok(compiled) => Plans::compile(&compiled.schema),
        Err(rejected) => panic!("{}", rejected.message(text)),
    }
}

fn predicate(text: &str) -> Predicate {
    let (object_type, name) = text.split_once('#').unwrap();
    Predicate { object_type: object_type.into(), name: name.into() }
}

fn kind(text: &str) -> SubjectKind {
    match text.split_once('#') {
        Some((subject_type, relation)) => {
            SubjectKind { subject_type: subject_type.into(), relation: Some(relation.into()) }
        }
        None => SubjectKind { subject_type: text.into(), relation: None },
    }
}

/// The plan as text: `|` any, `&` every, `-` without, `~all`/`->` arrows.
fn shown(plan: &Plan) -> String {
    let list = |operands: &[Plan], sign: &str| {
        format!("({})", operands.iter().map(shown).collect::<Vec<_>>().join(sign))
    };
    match plan {
        Plan::Nil => "nil".into(),
        Plan::SelfObject => "self".into(),
        Plan::Reference(name) => name.to_string(),
        Plan::Arrow { relation, target, all: false } => format!("{relation}->{target}"),
        Plan::Arrow { relation, target, all: true } => format!("{relation}~all {target}"),
        Plan::Union(operands) => list(operands, " | "),
        Plan::Intersection(operands) => list(operands, " & "),
        Plan::Exclusion(left, right) => format!("({} - {})", shown(left), shown(right)),
    }
}

fn plan_of(expression: &str) -> String {
    let text = format!(
        "use self\ndefinition user {{}}\ndefinition doc {{\nrelation aaa: user\nrelation bbb: user\n\
         relation ccc: user\npermission view = {expression}\n}}"
    );
    shown(plans(&text).plan(&predicate("doc#view")).unwrap())
}

#[test]
fn plans_are_in_normal_form() {
    for (expression, expect) in [
        ("bbb + aaa", "(aaa | bbb)"),
        ("aaa + aaa", "aaa"),
        ("aaa & aaa", "aaa"),
        ("aaa & nil", "nil"),
        ("aaa + nil", "aaa"),
        ("aaa - nil", "aaa"),
        ("nil - aaa", "nil"),
        ("nil + nil", "nil"),
        ("aaa - aaa", "(aaa - aaa)"),
        ("(ccc + aaa) + bbb", "(aaa | bbb | ccc)"),
        ("ccc & (aaa & bbb)", "(aaa & bbb & ccc)"),
        ("aaa - bbb + ccc", "(aaa - (bbb | ccc))"),
        ("aaa & bbb + ccc", "(aaa & (bbb | ccc))"),
        ("aaa - bbb & ccc", "(aaa - (bbb & ccc))"),
        ("aaa - bbb - ccc", "((aaa - bbb) - ccc)"),
        ("aaa - (bbb - ccc)", "(aaa - (bbb - ccc))"),
        ("(aaa & nil) + self", "self"),
        ("aaa - (bbb & nil)", "aaa"),
    ] {
        assert_eq!(plan_of(expression), expect, "{expression}");
    }
}

const ORGANISATION: &str = "
use self
definition user {}
definition bot {}
definition group {
    relation member: user | group#member
    relation banned: bot
    permission active = member - banned
}
definition folder {
    relation viewer: user:* | group#active
    relation owner: bot
    permission view = viewer + owner
    permission own = self
}
definition doc {
    relation parent: folder
    relation team: group | folder
    relation reader: user
    relation robot: bot
    permission view = reader + parent->view + robot
    permission both = reader & robot
    permission strict = parent.all(view) & team.all(active)
    permission less = reader - robot
    permission less_arrow = (reader + robot) - parent->owner
    permission none = nil
}
";

#[test]
fn reachability_goes_through_usersets_wildcards_and_arrows() {
    let plans = plans(ORGANISATION);
    for (name, subject, expect) in [
        ("group#member", "user", true),
        ("group#member", "group#member", true),
        ("group#member", "bot", false),
        ("group#member", "group", false),
        ("folder#viewer", "user", true),
        ("folder#viewer", "group#active", true),
        ("folder#viewer", "group#member", true),
        ("folder#own", "folder", true),
        ("folder#own", "user", false),
        ("doc#view", "bot", true),
        ("doc#view", "group#active", true),
        ("doc#view", "folder", false),
        ("doc#parent", "folder", true),
        ("doc#both", "user", false),
        ("doc#both", "bot", false),
        ("doc#both", "doc#both", true),
        ("doc#strict", "user", true),
        ("doc#strict", "bot", false),
        ("doc#less", "bot", false),
        ("doc#none", "user", false),
        ("doc#none", "doc#none", true),
        ("doc#view", "nobody", false),
        ("doc#nothing", "user", false),
    ] {
        assert_eq!(plans.reaches(&predicate(name), &kind(subject)), expect, "{subject} in {name}");
    }
}

#[test]
fn pruning_drops_what_a_kind_cannot_reach() {
    let plans = plans(ORGANISATION);
    for (name, subject, expect) in [
        ("doc#view", "user", "(reader | parent->view)"),
        ("doc#view", "bot", "(robot | parent->view)"),
        ("doc#view", "group#member", "parent->view"),
        ("doc#view", "folder", "nil"),
        ("doc#both", "user", "nil"),
        ("doc#strict", "user", "(parent~all view & team~all active)"),
        ("doc#strict", "bot", "nil"),
        ("doc#less", "user", "reader"),
        ("doc#less", "bot", "nil"),
        ("doc#less_arrow", "user", "reader"),
        ("doc#less_arrow", "bot", "(robot - parent->owner)"),
        ("folder#own", "folder", "self"),
        ("doc#view", "nobody", "nil"),
    ] {
        assert_eq!(
            shown(&plans.plan_for(&predicate(name), &kind(subject)).unwrap()),
            expect,
            "{name} for {subject}"
        );
    }
    assert_eq!(plans.plan_for(&predicate("doc#reader"), &kind("user")), None);
    assert_eq!(plans.plan(&predicate("doc#nothing")), None);
}

#[test]
fn recursion_by_arrow_reaches_the_fixpoint() {
    let plans = plans(
        "definition user {}\ndefinition folder {\nrelation parent: folder\nrelation viewer: user\n\
         permission view = viewer + parent->view\npermission lost = parent->lost\n}",
    );
    assert!(plans.reaches(&predicate("folder#view"), &kind("user")));
    assert!(!plans.reaches(&predicate("folder#lost"), &kind("user")));
    assert_eq!(shown(&plans.plan_for(&predicate("folder#lost"), &kind("user")).unwrap()), "nil");
    assert!(plans.reaches(&predicate("folder#lost"), &kind("folder#lost")), "over the arrow and by itself");
}

#[test]
fn a_schema_too_large_for_reachability_is_not_pruned() {
    let mut text = String::from("definition user {}\ndefinition big {\n");
    for number in 0..12_000 {
        text.push_str(&format!("relation rel{number}: user\n"));
    }
    text.push_str("permission view = rel1 - rel2\n}");
    let plans = plans(&text);
    assert!(plans.reaches(&predicate("big#rel1"), &kind("big#rel2")), "taken to be reachable");
    assert_eq!(shown(&plans.plan_for(&predicate("big#view"), &kind("big")).unwrap()), "(rel1 - rel2)");
}
