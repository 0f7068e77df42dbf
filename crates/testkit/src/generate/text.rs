//! A schema as text, written without the schema crate's own printer, so that each checks the other.

use std::fmt::Write;

use pemba_schema::{AllowedSubject, Expression, Schema, SubjectShape};

fn allowed_text(allowed: &AllowedSubject) -> String {
    let mut text = allowed.subject_type.to_string();
    match &allowed.shape {
        SubjectShape::Direct => {}
        SubjectShape::Userset(name) => text.push_str(&format!("#{name}")),
        SubjectShape::Wildcard => text.push_str(":*"),
    }
    match (&allowed.caveat, allowed.expiration) {
        (None, false) => {}
        (None, true) => text.push_str(" with expiration"),
        (Some(caveat), false) => text.push_str(&format!(" with {caveat}")),
        (Some(caveat), true) => text.push_str(&format!(" with {caveat} and expiration")),
    }
    text
}

/// The expression; operators inside it are in parentheses, so binding strengths do not matter.
fn expression_text(expression: &Expression) -> String {
    let operand = |expression: &Expression| match expression {
        Expression::Union(_) | Expression::Intersection(_) | Expression::Exclusion(..) => {
            format!("({})", expression_text(expression))
        }
        _ => expression_text(expression),
    };
    let joined = |operands: &[Expression], operator: &str| {
        operands.iter().map(operand).collect::<Vec<_>>().join(&format!(" {operator} "))
    };
    match expression {
        Expression::Nil => "nil".to_owned(),
        Expression::SelfObject => "self".to_owned(),
        Expression::Reference(name) => name.to_string(),
        // Both spellings of the same arrow, so that both are read.
        Expression::Arrow { relation, target, all: false } if target.len() == 4 => {
            format!("{relation}->{target}")
        }
        Expression::Arrow { relation, target, all: false } => format!("{relation}.any({target})"),
        Expression::Arrow { relation, target, all: true } => format!("{relation}.all({target})"),
        Expression::Union(operands) => joined(operands, "+"),
        Expression::Intersection(operands) => joined(operands, "&"),
        Expression::Exclusion(base, without) => format!("{} - {}", operand(base), operand(without)),
    }
}

/// The text of a schema without comments and type annotations.
pub fn schema_text(schema: &Schema) -> String {
    let mut text = String::new();
    for flag in &schema.flags {
        writeln!(text, "use {flag}\n").expect("to memory");
    }
    for caveat in schema.caveats.values() {
        // Generated caveats take nothing but bools.
        let parameter = |p: &pemba_schema::CaveatParameter| format!("{} bool", p.name);
        let parameters: Vec<String> = caveat.parameters.iter().map(parameter).collect();
        let (name, expression) = (&caveat.name, &caveat.expression);
        writeln!(text, "caveat {name}({}) {{\n\t{expression}\n}}\n", parameters.join(", "))
            .expect("to memory");
    }
    for definition in schema.definitions.values() {
        writeln!(text, "definition {} {{", definition.name).expect("to memory");
        for relation in definition.relations.values() {
            let allowed: Vec<String> = relation.allowed.iter().map(allowed_text).collect();
            writeln!(text, "\trelation {}: {}", relation.name, allowed.join(" | ")).expect("to memory");
        }
        for permission in definition.permissions.values() {
            let expression = expression_text(&permission.expression);
            writeln!(text, "\tpermission {} = {expression}", permission.name).expect("to memory");
        }
        writeln!(text, "}}\n").expect("to memory");
    }
    text
}
