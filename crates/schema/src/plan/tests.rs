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

#[test]
fn relations_and_unknown_names_have_no_plan() {
    let plans =
        plans("definition user {}\ndefinition doc {\nrelation reader: user\npermission view = reader\n}");
    assert!(plans.plan(&predicate("doc#view")).is_some());
    assert_eq!(plans.plan(&predicate("doc#reader")), None);
    assert_eq!(plans.plan(&predicate("doc#nothing")), None);
}
