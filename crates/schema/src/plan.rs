//! Permission plans: what a permission computes, normalised.

mod normal;

use std::collections::BTreeMap;

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

/// The plans of a schema.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    plans: BTreeMap<Predicate, Plan>,
}

impl Plans {
    /// Compiles every permission of a checked schema.
    pub fn compile(schema: &Schema) -> Plans {
        let mut plans = BTreeMap::new();
        for (object_type, definition) in &schema.definitions {
            for (name, permission) in &definition.permissions {
                let predicate = Predicate { object_type: object_type.clone(), name: name.clone() };
                plans.insert(predicate, normal::normal(&permission.expression));
            }
        }
        Plans { plans }
    }

    /// The plan of a permission; `None` for a relation or an unknown name.
    pub fn plan(&self, predicate: &Predicate) -> Option<&Plan> {
        self.plans.get(predicate)
    }

    /// All permissions with their plans, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Predicate, &Plan)> {
        self.plans.iter()
    }
}

#[cfg(test)]
mod tests;
