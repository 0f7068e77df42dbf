//! Permission plans: what a permission computes, normalised, and which subjects it can ever reach.

use std::collections::{BTreeMap, BTreeSet};

use smol_str::SmolStr;

use crate::schema::Schema;

/// How a permission is computed. Normalised: unions and intersections are flat, sorted, without duplicates and have
/// at least two operands; `Nil` occurs only alone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plan {
    /// Nobody.
    Nil,
    /// The resource itself.
    SelfObject,
    /// Another relation or permission of the same object.
    Reference(SmolStr),
    /// What the subjects of a relation have.
    Arrow {
        /// A relation of the same definition.
        relation: SmolStr,
        /// What they must have.
        target: SmolStr,
        /// Whether all of them must have it.
        all: bool,
    },
    /// Any operand.
    Union(Vec<Plan>),
    /// Every operand.
    Intersection(Vec<Plan>),
    /// The first and not the second.
    Exclusion(Box<Plan>, Box<Plan>),
}

/// A subject kind as a query names it: a type and, for usersets, a relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SubjectKind {
    /// The subject's object type.
    pub subject_type: SmolStr,
    /// The subject's relation, `None` for the object itself.
    pub relation: Option<SmolStr>,
}

/// A relation or permission of a type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Predicate {
    /// The object type.
    pub object_type: SmolStr,
    /// The relation or permission.
    pub name: SmolStr,
}

/// The plans of a schema, and what each relation and permission can reach.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    plans: BTreeMap<Predicate, Plan>,
    reach: BTreeMap<Predicate, BTreeSet<SubjectKind>>,
}

impl Plans {
    /// Compiles every permission of a checked schema.
    pub fn compile(schema: &Schema) -> Plans {
        let _ = schema;
        Plans::default()
    }

    /// The plan of a permission; `None` for a relation or an unknown name.
    pub fn plan(&self, predicate: &Predicate) -> Option<&Plan> {
        self.plans.get(predicate)
    }

    /// The plan of a permission with every branch removed that can never contain a subject of this kind.
    /// Removing is exact: the pruned plan answers the same for every data. `None` for a relation or an unknown name.
    pub fn plan_for(&self, predicate: &Predicate, subject: &SubjectKind) -> Option<Plan> {
        let _ = subject;
        self.plans.get(predicate).cloned()
    }

    /// Whether a subject of this kind can, for some data, be a member. A kind always reaches the predicate that it
    /// names itself (`group#member` is a member of `member` of its own group).
    pub fn reaches(&self, predicate: &Predicate, subject: &SubjectKind) -> bool {
        self.reach.get(predicate).is_some_and(|kinds| kinds.contains(subject))
    }
}
