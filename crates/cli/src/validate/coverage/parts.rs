//! The parts of a schema that can be covered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use pemba_model::{SmolStr, Span};
use pemba_schema::syntax::{
    Block, CaveatNode, ExpressionKind, ExpressionNode, Item, Member, PermissionNode, RelationNode, Tree,
};
use pemba_schema::{AllowedSubject, Expression, Schema};

/// Something in a schema that answers may depend on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// The definition or caveat that it belongs to.
    pub owner: SmolStr,
    /// The relation or permission; of a caveat its name once more.
    pub member: SmolStr,
    /// What it is.
    pub kind: PartKind,
    /// As the schema writes it.
    pub text: String,
    /// Where it is in the schema's text.
    pub span: Span,
}

/// What a part is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PartKind {
    /// A kind of subject that a relation takes.
    Subjects(AllowedSubject),
    /// An operand of a permission: of its relations, permissions, arrows and `self` that one with this number, from 0,
    /// in the order of the text.
    Operand(usize),
    /// That a caveat can hold.
    CaveatAllows,
    /// That a caveat can fail to hold.
    CaveatRefuses,
}

impl PartKind {
    /// Its name for programs.
    pub fn word(&self) -> &'static str {
        match self {
            PartKind::Subjects(_) => "subjects",
            PartKind::Operand(_) => "operand",
            PartKind::CaveatAllows => "caveat_allows",
            PartKind::CaveatRefuses => "caveat_refuses",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            PartKind::Subjects(_) => write!(f, "`{}` of the relation `{}`", self.text, self.member),
            PartKind::Operand(_) => write!(f, "`{}` of the permission `{}`", self.text, self.member),
            PartKind::CaveatAllows => write!(f, "the caveat `{}` to hold", self.member),
            PartKind::CaveatRefuses => write!(f, "the caveat `{}` not to hold", self.member),
        }
    }
}

/// All parts of a schema text: of each definition in name order its members in the order of the text, then the caveats.
/// Fails when the text is refused.
pub(super) fn parts(text: &str) -> Result<Vec<Part>, String> {
    let schema = pemba_schema::compile(text).map_err(|rejected| rejected.to_string())?.schema;
    let tree = pemba_schema::parser::parse(text).tree;
    let nodes = Nodes::new(&tree);
    let mut parts = Vec::new();
    for definition in schema.definitions.values() {
        let members = nodes.members_of(&definition.name);
        for name in definition.names_in_order() {
            match members.get(name) {
                Some(Member::Relation(node)) => {
                    let allowed = definition.relations.get(name).map_or(&[][..], |found| &found.allowed);
                    subjects(&definition.name, node, allowed, text, &mut parts);
                }
                Some(Member::Permission(node)) => operands(&definition.name, node, text, &mut parts),
                _ => {}
            }
        }
    }
    caveats(&schema, &nodes, &mut parts);
    Ok(parts)
}

fn subjects(
    owner: &SmolStr,
    node: &RelationNode,
    allowed: &[AllowedSubject],
    text: &str,
    parts: &mut Vec<Part>,
) {
    let parts_of = allowed.iter().zip(&node.allowed).map(|(allowed, written)| Part {
        owner: owner.clone(),
        member: node.name.text.clone(),
        kind: PartKind::Subjects(allowed.clone()),
        text: one_line(written.span, text),
        span: written.span,
    });
    parts.extend(parts_of);
}

fn operands(owner: &SmolStr, node: &PermissionNode, text: &str, parts: &mut Vec<Part>) {
    let mut spans = Vec::new();
    if let Some(expression) = &node.expression {
        operand_spans(expression, &mut spans);
    }
    parts.extend(spans.into_iter().enumerate().map(|(number, span)| Part {
        owner: owner.clone(),
        member: node.name.text.clone(),
        kind: PartKind::Operand(number),
        text: one_line(span, text),
        span,
    }));
}

fn operand_spans(node: &ExpressionNode, spans: &mut Vec<Span>) {
    match &node.kind {
        ExpressionKind::Nil => {}
        ExpressionKind::SelfObject | ExpressionKind::Reference(_) | ExpressionKind::Arrow { .. } => {
            spans.push(node.span);
        }
        ExpressionKind::Union(operands) | ExpressionKind::Intersection(operands) => {
            operands.iter().for_each(|operand| operand_spans(operand, spans));
        }
        ExpressionKind::Exclusion(left, right) => {
            operand_spans(left, spans);
            operand_spans(right, spans);
        }
    }
}

fn caveats(schema: &Schema, nodes: &Nodes<'_>, parts: &mut Vec<Part>) {
    for name in schema.caveats.keys() {
        let span = nodes.caveats.get(name).map_or(Span::default(), |node| node.name.span);
        for kind in [PartKind::CaveatAllows, PartKind::CaveatRefuses] {
            let (owner, member, text) = (name.clone(), name.clone(), name.to_string());
            parts.push(Part { owner, member, kind, text, span });
        }
    }
}

/// What is there of a permission without the operand of that number; nothing of it when it was the only one.
pub(super) fn without(expression: &Expression, number: usize) -> Expression {
    remove(expression, number, &mut 0).unwrap_or(Expression::Nil)
}

/// An exclusion whose first operand goes, goes with it. `next` is the number of the next operand.
fn remove(expression: &Expression, number: usize, next: &mut usize) -> Option<Expression> {
    let mut kept = |operands: &[Expression]| -> Vec<Expression> {
        operands.iter().filter_map(|operand| remove(operand, number, next)).collect()
    };
    match expression {
        Expression::Nil => Some(Expression::Nil),
        Expression::SelfObject | Expression::Reference(_) | Expression::Arrow { .. } => {
            let is_it = *next == number;
            *next += 1;
            (!is_it).then(|| expression.clone())
        }
        Expression::Union(operands) => joined(kept(operands), Expression::Union),
        Expression::Intersection(operands) => joined(kept(operands), Expression::Intersection),
        Expression::Exclusion(left, right) => {
            let left = remove(left, number, next);
            let right = remove(right, number, next);
            match (left?, right) {
                (left, Some(right)) => Some(Expression::Exclusion(Box::new(left), Box::new(right))),
                (left, None) => Some(left),
            }
        }
    }
}

fn joined(mut operands: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Option<Expression> {
    if operands.len() > 1 { Some(join(operands)) } else { operands.pop() }
}

/// Where the parts of a tree are.
struct Nodes<'t> {
    blocks: BTreeMap<&'t SmolStr, &'t Block>,
    caveats: BTreeMap<&'t SmolStr, &'t CaveatNode>,
}

impl<'t> Nodes<'t> {
    fn new(tree: &'t Tree) -> Nodes<'t> {
        let mut nodes = Nodes { blocks: BTreeMap::new(), caveats: BTreeMap::new() };
        for item in &tree.items {
            match item {
                Item::Definition(block) | Item::Partial(block) => {
                    nodes.blocks.insert(&block.name.text, block);
                }
                Item::Caveat(caveat) => {
                    nodes.caveats.insert(&caveat.name.text, caveat);
                }
                Item::Use(_) | Item::Import(_) => {}
            }
        }
        nodes
    }

    /// The members of a definition by name, those of the partials that it mixes in too.
    fn members_of(&self, name: &SmolStr) -> BTreeMap<&'t SmolStr, &'t Member> {
        let mut members = BTreeMap::new();
        let mut seen = BTreeSet::from([name]);
        let mut open = vec![name];
        while let Some(block) = open.pop().and_then(|name| self.blocks.get(name)) {
            for member in &block.members {
                match member {
                    Member::Relation(relation) => {
                        members.insert(&relation.name.text, member);
                    }
                    Member::Permission(permission) => {
                        members.insert(&permission.name.text, member);
                    }
                    Member::Mix(name) => {
                        if seen.insert(&name.text) {
                            open.push(&name.text);
                        }
                    }
                }
            }
        }
        members
    }
}

fn one_line(span: Span, text: &str) -> String {
    span.text(text).split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_subjects_operands_and_both_outcomes_of_a_caveat() {
        let text = "use partial\ncaveat odd(n int) { n == 1 }\ndefinition user {}\npartial owned {\n\trelation owner: user\n}\n\
                    definition doc {\n\t...owned\n\trelation viewer: user | user:* with odd\n\tpermission view = (viewer & owner) - \
                    viewer\n\tpermission none = nil\n}\n";
        let shown: Vec<String> = parts(text).unwrap().iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            [
                "`user` of the relation `owner`",
                "`user` of the relation `viewer`",
                "`user:* with odd` of the relation `viewer`",
                "`viewer` of the permission `view`",
                "`owner` of the permission `view`",
                "`viewer` of the permission `view`",
                "the caveat `odd` to hold",
                "the caveat `odd` not to hold",
            ]
        );
    }

    #[test]
    fn an_operand_is_taken_away_with_its_operator() {
        let with = |expression: &str| {
            let text = format!(
                "definition user {{}}\ndefinition doc {{ relation aaa: user\nrelation bbb: user\nrelation ccc: user\nrelation ddd: user\npermission \
                 view = {expression} }}"
            );
            let schema = pemba_schema::compile(&text).unwrap().schema;
            schema.definitions["doc"].permissions["view"].expression.clone()
        };
        for (expression, number, expect) in [
            ("aaa + bbb + ccc", 1, "aaa + ccc"),
            ("aaa & bbb", 0, "bbb"),
            ("aaa - bbb", 1, "aaa"),
            ("aaa - bbb", 0, "nil"),
            ("aaa", 0, "nil"),
            ("(aaa & bbb) + (ccc - ddd)", 2, "aaa & bbb"),
            ("(aaa & bbb) + (ccc - ddd)", 3, "(aaa & bbb) + ccc"),
            ("aaa - (bbb & ccc)", 1, "aaa - ccc"),
        ] {
            assert_eq!(without(&with(expression), number), with(expect), "{expression} without {number}");
        }
    }
}
