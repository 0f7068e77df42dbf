//! A checked schema as text.

use crate::doc;
use crate::schema::{
    AllowedSubject, Caveat, Definition, Expression, Permission, Relation, Schema, SubjectShape,
};

/// The text of a schema: the `use` lines that it needs, caveats, definitions, both sorted by name; members in the order of
/// their text, tabs, a blank line before a member with comments. Compiled again it is the same schema but for flags it
/// does not need. An empty schema is the empty text.
pub fn print(schema: &Schema) -> String {
    let mut blocks: Vec<String> = Vec::new();
    blocks.extend(flags(schema).into_iter().map(|flag| format!("use {flag}\n")));
    blocks.extend(schema.caveats.values().map(caveat));
    blocks.extend(schema.definitions.values().map(definition));
    let text = blocks.join("\n");
    text.strip_suffix('\n').unwrap_or(&text).to_owned()
}

/// The flags that the text of the schema needs, in the order that clients know.
fn flags(schema: &Schema) -> Vec<&'static str> {
    let relations = || schema.definitions.values().flat_map(|definition| definition.relations.values());
    let permissions = || schema.definitions.values().flat_map(|definition| definition.permissions.values());
    let mut flags = Vec::new();
    if permissions().any(|permission| has_self(&permission.expression)) {
        flags.push("self");
    }
    if relations().any(|relation| relation.allowed.iter().any(|allowed| allowed.expiration)) {
        flags.push("expiration");
    }
    if schema.flags.contains("typechecking") && permissions().any(|permission| !permission.types.is_empty()) {
        flags.push("typechecking");
    }
    flags
}

fn has_self(expression: &Expression) -> bool {
    match expression {
        Expression::SelfObject => true,
        Expression::Union(operands) | Expression::Intersection(operands) => operands.iter().any(has_self),
        Expression::Exclusion(left, right) => has_self(left) || has_self(right),
        Expression::Nil | Expression::Reference(_) | Expression::Arrow { .. } => false,
    }
}

fn definition(definition: &Definition) -> String {
    let mut out = String::new();
    write_doc(&mut out, definition.doc.as_deref(), "");
    out.push_str(&format!("definition {} {{", definition.name));
    if definition.relations.is_empty() && definition.permissions.is_empty() {
        out.push_str("}\n");
        return out;
    }
    out.push('\n');
    for (place, name) in definition.names_in_order().into_iter().enumerate() {
        let relation = definition.relations.get(name);
        let permission = definition.permissions.get(name);
        let text = relation.map(relation_text).or(permission.map(permission_text)).unwrap_or_default();
        let has_doc = relation.is_some_and(|found| found.doc.is_some())
            || permission.is_some_and(|found| found.doc.is_some());
        if has_doc && place > 0 {
            out.push('\n');
        }
        out.push_str(&text);
    }
    out.push_str("}\n");
    out
}

fn write_doc(out: &mut String, text: Option<&str>, indent: &str) {
    if let Some(text) = text {
        doc::write(out, text, indent);
    }
}

fn relation_text(relation: &Relation) -> String {
    let mut out = String::new();
    write_doc(&mut out, relation.doc.as_deref(), "\t");
    let allowed: Vec<String> = relation.allowed.iter().map(allowed_text).collect();
    out.push_str(&format!("\trelation {}: {}\n", relation.name, allowed.join(" | ")));
    out
}

/// A kind of subject as the schema writes it.
pub(crate) fn allowed_text(allowed: &AllowedSubject) -> String {
    let mut text = allowed.subject_type.to_string();
    match &allowed.shape {
        SubjectShape::Direct => {}
        SubjectShape::Userset(relation) => text.push_str(&format!("#{relation}")),
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

fn permission_text(permission: &Permission) -> String {
    let mut out = String::new();
    write_doc(&mut out, permission.doc.as_deref(), "\t");
    out.push_str(&format!("\tpermission {}", permission.name));
    if !permission.types.is_empty() {
        out.push_str(&format!(": {}", permission.types.join(" | ")));
    }
    out.push_str(" = ");
    expression(&mut out, &permission.expression, false);
    out.push('\n');
    out
}

/// Writes an expression. An operator below another is put in parentheses, but for a union of names: `+` binds
/// tightest.
fn expression(out: &mut String, node: &Expression, below: bool) {
    let (operands, sign): (Vec<&Expression>, &str) = match node {
        Expression::Nil => return out.push_str("nil"),
        Expression::SelfObject => return out.push_str("self"),
        Expression::Reference(name) => return out.push_str(name),
        Expression::Arrow { relation, target, all: false } => {
            return out.push_str(&format!("{relation}->{target}"));
        }
        Expression::Arrow { relation, target, all: true } => {
            return out.push_str(&format!("{relation}.all({target})"));
        }
        Expression::Union(operands) => (operands.iter().collect(), " + "),
        Expression::Intersection(operands) => (operands.iter().collect(), " & "),
        Expression::Exclusion(left, right) => (vec![left, right], " - "),
    };
    let is_leaf = |operand: &&Expression| {
        !matches!(operand, Expression::Union(_) | Expression::Intersection(_) | Expression::Exclusion(..))
    };
    let below = below && !(matches!(node, Expression::Union(_)) && operands.iter().all(is_leaf));
    if below {
        out.push('(');
    }
    for (number, operand) in operands.into_iter().enumerate() {
        if number > 0 {
            out.push_str(sign);
        }
        expression(out, operand, true);
    }
    if below {
        out.push(')');
    }
}

fn caveat(caveat: &Caveat) -> String {
    let mut out = String::new();
    write_doc(&mut out, caveat.doc.as_deref(), "");
    let parameters: Vec<String> = caveat
        .parameters_by_name()
        .into_iter()
        .map(|parameter| format!("{} {}", parameter.name, parameter.parameter_type))
        .collect();
    out.push_str(&format!(
        "caveat {}({}) {{\n\t{}\n}}\n",
        caveat.name,
        parameters.join(", "),
        caveat.program.canonical().replace('\n', "\n\t")
    ));
    out
}
