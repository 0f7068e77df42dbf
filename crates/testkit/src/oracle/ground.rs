//! From relationships and expressions to one formula for each object's relation or permission.

use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::{CaveatEvaluator, CaveatOutcome, QueryError};
use pemba_model::{ObjectRef, Relationship, SmolStr, SubjectRef};
use pemba_schema::{Expression, Schema};

use crate::oracle::Value;

/// One relation or permission of one object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Atom {
    /// The object.
    pub object: ObjectRef,
    /// Its relation or permission.
    pub name: SmolStr,
}

/// One thing that a conditional value depends on. Ordered: parameters, then faults by caveat and text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Cause {
    /// A parameter that nobody gave.
    Parameter(SmolStr),
    /// A caveat that failed, and how.
    Fault(SmolStr, String),
}

impl Cause {
    /// The fault of a caveat; `None` for an error that is none.
    pub fn fault(error: &QueryError) -> Option<Cause> {
        Some(Cause::Fault(error.failed_caveat()?.clone(), error.to_string()))
    }
}

/// What an atom is for a subject that is still open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Formula {
    /// The value of an edge: unconditional, refused or dependent on these.
    Edge(Value, Vec<Cause>),
    /// The subject is this one.
    Is(SubjectRef),
    /// The subject is some object of this type, without a relation.
    AnyOf(SmolStr),
    /// Another atom, by its number.
    Atom(usize),
    /// Any of them.
    Or(Vec<Formula>),
    /// All of them.
    And(Vec<Formula>),
    /// The first and not the second.
    Except(Box<Formula>, Box<Formula>),
}

/// What the grounding reads.
#[derive(Clone, Copy)]
pub(super) struct World<'a> {
    pub(super) schema: &'a Schema,
    pub(super) live: &'a [Relationship],
    pub(super) numbers: &'a BTreeMap<Atom, usize>,
    pub(super) caveats: &'a dyn CaveatEvaluator,
    pub(super) withheld: &'a BTreeSet<ObjectRef>,
}

/// The grounding of one object's relations and permissions.
struct Ground<'a> {
    world: World<'a>,
    object: &'a ObjectRef,
    /// Whether withheld usersets are read.
    is_whole: bool,
}

impl World<'_> {
    /// The formula of one atom. A subject that equals the atom, as a userset, is always a member.
    pub(super) fn formula(&self, atom: &Atom, is_whole: bool) -> Formula {
        let ground = Ground { world: *self, object: &atom.object, is_whole };
        let itself = SubjectRef { object: atom.object.clone(), relation: Some(atom.name.clone()) };
        let definition = self.schema.definition(&atom.object.object_type);
        let body = match definition.and_then(|definition| definition.permissions.get(&atom.name)) {
            Some(permission) => ground.expression(&permission.expression),
            None => ground.relation(&atom.name),
        };
        Formula::Or(vec![Formula::Is(itself), body])
    }
}

impl Ground<'_> {
    fn edges<'e>(&'e self, relation: &'e str) -> impl Iterator<Item = &'e Relationship> {
        self.world.live.iter().filter(move |r| r.resource == *self.object && r.relation == relation)
    }

    fn is_hidden(&self, edge: &Relationship) -> bool {
        let subject = &edge.subject;
        !self.is_whole && subject.relation.is_some() && self.world.withheld.contains(&subject.object)
    }

    fn edge_value(&self, edge: &Relationship) -> (Value, Vec<Cause>) {
        let Some(caveat) = &edge.caveat else { return (Value::Yes, Vec::new()) };
        match self.world.caveats.evaluate(&caveat.name, &caveat.context) {
            Ok(CaveatOutcome::True) => (Value::Yes, Vec::new()),
            Ok(CaveatOutcome::False) => (Value::No, Vec::new()),
            Ok(CaveatOutcome::Missing(missing)) => {
                (Value::Maybe, missing.into_iter().map(Cause::Parameter).collect())
            }
            Err(error) => match Cause::fault(&error) {
                Some(fault) => (Value::Maybe, vec![fault]),
                None => panic!("the caveat of {edge} ends in what is no fault of it: {error}"),
            },
        }
    }

    fn atom(&self, object: &ObjectRef, name: &SmolStr) -> Option<Formula> {
        let atom = Atom { object: object.clone(), name: name.clone() };
        let number = self.world.numbers.get(&atom).copied()?;
        let is_second = self.is_whole && !self.world.withheld.is_empty();
        Some(Formula::Atom(if is_second { number + self.world.numbers.len() } else { number }))
    }

    fn relation(&self, relation: &SmolStr) -> Formula {
        let mut any = Vec::new();
        for edge in self.edges(relation).filter(|edge| !self.is_hidden(edge)) {
            let (value, causes) = self.edge_value(edge);
            let subject = &edge.subject;
            let mut matches = Vec::new();
            if subject.object.is_wildcard() {
                matches.push(Formula::AnyOf(subject.object.object_type.clone()));
            } else {
                matches.push(Formula::Is(subject.clone()));
                if let Some(name) = &subject.relation {
                    matches.extend(self.atom(&subject.object, name));
                }
            }
            any.push(Formula::And(vec![Formula::Edge(value, causes), Formula::Or(matches)]));
        }
        Formula::Or(any)
    }

    fn expression(&self, expression: &Expression) -> Formula {
        let all = |operands: &[Expression]| operands.iter().map(|operand| self.expression(operand)).collect();
        match expression {
            Expression::Nil => Formula::Or(Vec::new()),
            Expression::SelfObject => Formula::Is(SubjectRef { object: self.object.clone(), relation: None }),
            Expression::Reference(name) => match self.atom(self.object, name) {
                Some(atom) => atom,
                None => panic!("`{}` has no `{name}`", self.object.object_type),
            },
            Expression::Arrow { relation, target, all: false } => self.arrow_any(relation, target),
            Expression::Arrow { relation, target, all: true } => self.arrow_all(relation, target),
            Expression::Union(operands) => Formula::Or(all(operands)),
            Expression::Intersection(operands) => Formula::And(all(operands)),
            Expression::Exclusion(base, without) => {
                let other = Ground { is_whole: !self.is_whole, ..*self };
                Formula::Except(Box::new(self.expression(base)), Box::new(other.expression(without)))
            }
        }
    }

    /// The target of an edge's subject object, whatever its relation; FALSE for a type that lacks it.
    fn target(&self, edge: &Relationship, target: &SmolStr) -> Formula {
        let object = &edge.subject.object;
        let has = self
            .world
            .schema
            .definition(&object.object_type)
            .is_some_and(|definition| definition.has(target));
        let atom = if has { self.atom(object, target) } else { None };
        atom.unwrap_or(Formula::Or(Vec::new()))
    }

    fn walked<'e>(&'e self, relation: &'e str) -> impl Iterator<Item = &'e Relationship> {
        self.edges(relation).filter(|edge| !edge.subject.object.is_wildcard())
    }

    fn arrow_any(&self, relation: &SmolStr, target: &SmolStr) -> Formula {
        let one = |edge: &Relationship| {
            let (value, causes) = self.edge_value(edge);
            Formula::And(vec![Formula::Edge(value, causes), self.target(edge, target)])
        };
        Formula::Or(self.walked(relation).map(one).collect())
    }

    /// Every edge's own condition is demanded like its target, and there must be an edge.
    fn arrow_all(&self, relation: &SmolStr, target: &SmolStr) -> Formula {
        let one = |edge: &Relationship| {
            let (value, causes) = self.edge_value(edge);
            Formula::And(vec![Formula::Edge(value, causes), self.target(edge, target)])
        };
        let all: Vec<Formula> = self.walked(relation).map(one).collect();
        if all.is_empty() { Formula::Or(all) } else { Formula::And(all) }
    }
}
