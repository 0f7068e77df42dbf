//! Permission plans: what a permission computes, normalised, and which subjects it can ever reach.

mod normal;
mod reach;

use std::collections::BTreeMap;

use smol_str::SmolStr;

use crate::schema::Schema;
use reach::Reach;

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
    reach: Reach,
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
        let reach = Reach::compute(schema, |object_type, name| {
            let predicate = Predicate { object_type: object_type.into(), name: name.into() };
            plans.get(&predicate).cloned().unwrap_or(Plan::Nil)
        });
        Plans { plans, reach }
    }

    /// The plan of a permission; `None` for a relation or an unknown name.
    pub fn plan(&self, predicate: &Predicate) -> Option<&Plan> {
        self.plans.get(predicate)
    }

    /// All permissions with their plans, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&Predicate, &Plan)> {
        self.plans.iter()
    }

    /// The plan of a permission with every branch removed that can never contain a subject of this kind.
    /// Removing is exact: the pruned plan answers the same for every data. `None` for a relation or an unknown name.
    pub fn plan_for(&self, predicate: &Predicate, subject: &SubjectKind) -> Option<Plan> {
        let plan = self.plans.get(predicate)?;
        match self.kind(subject) {
            Some(kind) => Some(self.prune(plan, &predicate.object_type, kind)),
            None => Some(Plan::Nil),
        }
    }

    /// Whether a subject of this kind can, for some data, be a member. A kind always reaches the predicate that it
    /// names itself (`group#member` is a member of `member` of its own group). What is said to be unreachable is so
    /// for every data; the other way it is as exact as the schema alone allows.
    pub fn reaches(&self, predicate: &Predicate, subject: &SubjectKind) -> bool {
        self.kind(subject).is_some_and(|kind| self.reach.holds(&predicate.object_type, &predicate.name, kind))
    }

    fn kind(&self, subject: &SubjectKind) -> Option<usize> {
        self.reach.kind(&subject.subject_type, subject.relation.as_deref())
    }

    /// Each step replaces a plan by one that holds the same subjects of this kind, so it may go on below any
    /// operator, the right side of an exclusion included. An arrow with `all` is kept or goes as a whole: a subject
    /// of the relation whose type lacks the target must still make it false.
    fn prune(&self, plan: &Plan, object_type: &str, kind: usize) -> Plan {
        let keep = |holds: bool| if holds { plan.clone() } else { Plan::Nil };
        match plan {
            Plan::Nil => Plan::Nil,
            Plan::SelfObject => keep(self.reach.is_object(object_type, kind)),
            Plan::Reference(name) => keep(self.reach.holds(object_type, name, kind)),
            Plan::Arrow { relation, target, .. } => {
                keep(self.reach.holds_over(object_type, relation, target, kind))
            }
            Plan::Union(operands) => {
                normal::union(operands.iter().map(|operand| self.prune(operand, object_type, kind)))
            }
            Plan::Intersection(operands) => {
                normal::intersection(operands.iter().map(|operand| self.prune(operand, object_type, kind)))
            }
            Plan::Exclusion(left, right) => {
                normal::exclusion(self.prune(left, object_type, kind), self.prune(right, object_type, kind))
            }
        }
    }
}

#[cfg(test)]
mod tests;
