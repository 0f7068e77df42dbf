//! The naive evaluator: what every answer must be, computed by brute force straight from the semantics.
//!
//! It shares no code with the engine; only what a caveat says of one relationship both ask the same evaluator. It reads the permission expressions as written (no plans) and a plain list of
//! relationships (no tables). For one subject it computes *every* object's every relation and permission at once, so
//! there is no question of order, depth, caching or pruning that could go wrong the same way as in the engine.

mod expand;
mod ground;
mod solve;

use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::CaveatEvaluator;
use pemba_model::{ObjectRef, Relationship, RelationshipFilter, SmolStr, SubjectRef, Timestamp};
use pemba_schema::Schema;

pub use expand::{Operator, Tree};
pub use ground::{Atom, Cause, Formula};
pub use solve::Solution;

/// FALSE, CONDITIONAL or TRUE. Ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// FALSE
    No,
    /// CONDITIONAL
    Maybe,
    /// TRUE
    Yes,
}

impl Value {
    /// Kleene's negation.
    #[must_use]
    pub fn negate(self) -> Value {
        match self {
            Value::No => Value::Yes,
            Value::Maybe => Value::Maybe,
            Value::Yes => Value::No,
        }
    }
}

/// What the answer to one question must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A value, with the missing parameters when it is `Maybe`, sorted.
    Value(Value, Vec<SmolStr>),
    /// It depends on a caveat that fails: the first such by name, and its error's text.
    Fault(SmolStr, String),
    /// It depends on its own absence: neither answer follows.
    Contradiction,
    /// The schema has no such type.
    UnknownDefinition,
    /// The type has no such relation or permission.
    UnknownRelation,
}

impl Answer {
    /// TRUE, for comparisons.
    pub fn is_yes(&self) -> bool {
        matches!(self, Answer::Value(Value::Yes, _))
    }

    /// The value, `None` for an error.
    pub fn value(&self) -> Option<Value> {
        match self {
            Answer::Value(value, _) => Some(*value),
            _ => None,
        }
    }
}

/// One set of relationships under one schema at one instant, made ready to be asked.
#[derive(Debug, Clone)]
pub struct Oracle {
    schema: Schema,
    live: Vec<Relationship>,
    atoms: Vec<Atom>,
    numbers: BTreeMap<Atom, usize>,
    /// One per atom; with withheld usersets two, those that read all edges in the second half.
    formulas: Vec<Formula>,
}

impl Oracle {
    /// Takes the relationships that are live at `now`. `others` are objects to be asked about although no
    /// relationship may mention them.
    pub fn new(
        schema: &Schema,
        relationships: &[Relationship],
        others: &BTreeSet<ObjectRef>,
        now: Timestamp,
        caveats: &dyn CaveatEvaluator,
    ) -> Oracle {
        Oracle::withholding(schema, relationships, others, now, caveats, &BTreeSet::new())
    }

    /// The same, where the usersets of some objects give nothing in a relation that grants, and take away what they take
    /// away in one that an exclusion reads.
    pub fn withholding(
        schema: &Schema,
        relationships: &[Relationship],
        others: &BTreeSet<ObjectRef>,
        now: Timestamp,
        caveats: &dyn CaveatEvaluator,
        withheld: &BTreeSet<ObjectRef>,
    ) -> Oracle {
        let live: Vec<Relationship> =
            relationships.iter().filter(|r| r.expires_at.is_none_or(|at| at > now)).cloned().collect();
        let mut objects = others.clone();
        for relationship in &live {
            objects.insert(relationship.resource.clone());
            if !relationship.subject.object.is_wildcard() {
                objects.insert(relationship.subject.object.clone());
            }
        }
        let mut atoms = Vec::new();
        for object in &objects {
            for name in
                schema.definition(&object.object_type).into_iter().flat_map(pemba_schema::Definition::names)
            {
                atoms.push(Atom { object: object.clone(), name: name.clone() });
            }
        }
        let numbers: BTreeMap<Atom, usize> = atoms.iter().cloned().zip(0..).collect();
        let world = ground::World { schema, live: &live, numbers: &numbers, caveats, withheld };
        let halves: &[bool] = if withheld.is_empty() { &[false] } else { &[false, true] };
        let formulas = halves
            .iter()
            .flat_map(|is_whole| atoms.iter().map(|atom| world.formula(atom, *is_whole)))
            .collect();
        Oracle { schema: schema.clone(), live, atoms, numbers, formulas }
    }

    /// Every relation and permission of every object there is, in the order of `Solution`'s values.
    pub fn atoms(&self) -> &[Atom] {
        &self.atoms
    }

    /// What each atom is, in the order of `atoms`; with withheld usersets as it grants, and then all again as it takes away.
    pub fn formulas(&self) -> &[Formula] {
        &self.formulas
    }

    /// Every answer for one subject. The subject need not be known.
    pub fn solve(&self, subject: &SubjectRef) -> Solution {
        solve::solve(&self.formulas, subject)
    }

    /// The answer to one question, from the solution for its subject. The object must be one of the known ones, or
    /// of a type or with a name that the schema lacks.
    pub fn answer(
        &self,
        solution: &Solution,
        subject: &SubjectRef,
        object: &ObjectRef,
        name: &str,
    ) -> Answer {
        let Some(definition) = self.schema.definition(&object.object_type) else {
            return Answer::UnknownDefinition;
        };
        let Some(subject_definition) = self.schema.definition(&subject.object.object_type) else {
            return Answer::UnknownDefinition;
        };
        let subject_named = subject.relation.as_ref().is_none_or(|relation| subject_definition.has(relation));
        if !definition.has(name) || !subject_named {
            return Answer::UnknownRelation;
        }
        let atom = Atom { object: object.clone(), name: SmolStr::new(name) };
        match self.numbers.get(&atom) {
            Some(number) => solution.answer(*number),
            None => panic!("`{object}` was not given to the oracle"),
        }
    }

    /// The answer to one question, from nothing.
    pub fn check(&self, object: &ObjectRef, name: &str, subject: &SubjectRef) -> Answer {
        self.answer(&self.solve(subject), subject, object, name)
    }

    /// The live relationships that a filter means, in the order of their text.
    pub fn read(&self, filter: &RelationshipFilter) -> Vec<Relationship> {
        let mut found: Vec<Relationship> = self.live.iter().filter(|r| filter.matches(r)).cloned().collect();
        found.sort_by_key(ToString::to_string);
        found
    }

    /// The subjects that the live relationships of one relation of one object name, sorted.
    pub fn direct_subjects(&self, object: &ObjectRef, relation: &str) -> Vec<SubjectRef> {
        let of_it = self.live.iter().filter(|r| r.resource == *object && r.relation == relation);
        let mut subjects: Vec<SubjectRef> = of_it.map(|r| r.subject.clone()).collect();
        subjects.sort();
        subjects
    }
}
