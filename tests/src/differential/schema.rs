//! A schema as the generator and the shrinker see it, and its text.

use std::fmt::Write as _;

use super::caveats::Caveat;

/// A schema.
#[derive(Debug, Clone, Default)]
pub struct Schema {
    /// The caveats it declares.
    pub caveats: Vec<&'static Caveat>,
    /// Its types.
    pub definitions: Vec<Definition>,
}

/// A type.
#[derive(Debug, Clone)]
pub struct Definition {
    /// Its name.
    pub name: &'static str,
    /// Its relations.
    pub relations: Vec<Relation>,
    /// Its permissions.
    pub permissions: Vec<Permission>,
}

/// A relation.
#[derive(Debug, Clone)]
pub struct Relation {
    /// Its name.
    pub name: &'static str,
    /// The subjects it allows; at least one.
    pub allowed: Vec<Allowed>,
}

/// A permission.
#[derive(Debug, Clone)]
pub struct Permission {
    /// Its name.
    pub name: &'static str,
    /// What it follows from.
    pub expression: Expression,
}

/// What a relation allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowed {
    /// The subject's type.
    pub subject_type: &'static str,
    /// Object, all objects, or a userset.
    pub shape: Shape,
    /// The caveat that the relationship must carry.
    pub caveat: Option<&'static str>,
    /// Whether the relationship must expire.
    pub expiration: bool,
}

/// The shape of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// One object.
    Direct,
    /// All objects of the type.
    Wildcard,
    /// The userset of a relation or permission.
    Userset(&'static str),
}

/// A permission's expression. A chain is written without parentheses, so that the servers decide what binds stronger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expression {
    /// `nil`.
    Nil,
    /// `self`.
    Itself,
    /// A relation or permission of the same type.
    Name(&'static str),
    /// `left->right`, `left.any(right)` or `left.all(right)`.
    Arrow(&'static str, ArrowKind, &'static str),
    /// Operands with the operators between them.
    Chain(Vec<Expression>, Vec<char>),
}

/// How an arrow is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArrowKind {
    /// `->`
    Plain,
    /// `.any()`
    Any,
    /// `.all()`
    All,
}

impl Schema {
    /// The type with a name.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.iter().find(|definition| definition.name == name)
    }

    /// The schema's text.
    pub fn text(&self) -> String {
        let mut text = String::new();
        let mut all_allowed = self.definitions.iter().flat_map(|d| &d.relations).flat_map(|r| &r.allowed);
        if all_allowed.any(|allowed| allowed.expiration) {
            text.push_str("use expiration\n");
        }
        let mut permissions = self.definitions.iter().flat_map(|d| &d.permissions);
        if permissions.any(|permission| permission.expression.has_itself()) {
            text.push_str("use self\n");
        }
        for caveat in &self.caveats {
            let parameters: Vec<_> = caveat.parameters.iter().map(|(n, t)| format!("{n} {t}")).collect();
            writeln!(
                text,
                "caveat {}({}) {{\n  {}\n}}",
                caveat.name,
                parameters.join(", "),
                caveat.expression
            )
            .unwrap();
        }
        for definition in &self.definitions {
            definition.write(&mut text);
        }
        text
    }
}

impl Definition {
    /// The names of its relations and permissions.
    pub fn names(&self) -> Vec<&'static str> {
        self.relations.iter().map(|r| r.name).chain(self.permissions.iter().map(|p| p.name)).collect()
    }

    /// The relation with a name.
    pub fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.iter().find(|relation| relation.name == name)
    }

    fn write(&self, text: &mut String) {
        if self.relations.is_empty() && self.permissions.is_empty() {
            writeln!(text, "definition {} {{}}", self.name).unwrap();
            return;
        }
        writeln!(text, "definition {} {{", self.name).unwrap();
        for relation in &self.relations {
            let allowed: Vec<_> = relation.allowed.iter().map(Allowed::text).collect();
            writeln!(text, "  relation {}: {}", relation.name, allowed.join(" | ")).unwrap();
        }
        for permission in &self.permissions {
            writeln!(text, "  permission {} = {}", permission.name, permission.expression.text()).unwrap();
        }
        text.push_str("}\n");
    }
}

impl Allowed {
    fn text(&self) -> String {
        let mut text = self.subject_type.to_owned();
        match self.shape {
            Shape::Direct => {}
            Shape::Wildcard => text.push_str(":*"),
            Shape::Userset(name) => write!(text, "#{name}").unwrap(),
        }
        match (self.caveat, self.expiration) {
            (None, false) => {}
            (Some(caveat), false) => write!(text, " with {caveat}").unwrap(),
            (None, true) => text.push_str(" with expiration"),
            (Some(caveat), true) => write!(text, " with {caveat} and expiration").unwrap(),
        }
        text
    }
}

impl Expression {
    /// As the schema writes it.
    pub fn text(&self) -> String {
        match self {
            Expression::Nil => "nil".to_owned(),
            Expression::Itself => "self".to_owned(),
            Expression::Name(name) => (*name).to_owned(),
            Expression::Arrow(left, ArrowKind::Plain, right) => format!("{left}->{right}"),
            Expression::Arrow(left, ArrowKind::Any, right) => format!("{left}.any({right})"),
            Expression::Arrow(left, ArrowKind::All, right) => format!("{left}.all({right})"),
            Expression::Chain(operands, operators) => {
                let mut text = String::new();
                for (place, operand) in operands.iter().enumerate() {
                    if place > 0 {
                        write!(text, " {} ", operators[place - 1]).unwrap();
                    }
                    match operand {
                        Expression::Chain(..) => write!(text, "({})", operand.text()).unwrap(),
                        _ => text.push_str(&operand.text()),
                    }
                }
                text
            }
        }
    }

    fn has_itself(&self) -> bool {
        match self {
            Expression::Itself => true,
            Expression::Chain(operands, _) => operands.iter().any(Expression::has_itself),
            _ => false,
        }
    }

    /// The operators in it, by the names that the coverage counts.
    pub fn operators(&self, into: &mut std::collections::BTreeSet<&'static str>) {
        match self {
            Expression::Nil => _ = into.insert("nil"),
            Expression::Itself => _ = into.insert("self"),
            Expression::Name(_) => _ = into.insert("name"),
            Expression::Arrow(_, ArrowKind::Plain, _) => _ = into.insert("arrow"),
            Expression::Arrow(_, ArrowKind::Any, _) => _ = into.insert("any"),
            Expression::Arrow(_, ArrowKind::All, _) => _ = into.insert("all"),
            Expression::Chain(operands, operators) => {
                operands.iter().for_each(|operand| operand.operators(into));
                for operator in operators {
                    into.insert(match operator {
                        '+' => "union",
                        '&' => "intersection",
                        _ => "exclusion",
                    });
                }
            }
        }
    }
}
