//! Scopes as sets of ordinals, for lookups.

use pemba_engine::{Graph, Permissionship, QueryError, ResourceSet, subtree};
use pemba_model::{Context, SmolStr, Timestamp};
use roaring::RoaringBitmap;

use crate::answer::earlier;
use crate::moment::Facts;
use crate::scope::{Clause, Scope, Selector};

/// A set of objects of one type.
#[derive(Debug, Clone, PartialEq)]
enum Part {
    /// All objects of the type, whether or not they were ever mentioned.
    All,
    /// These.
    These(RoaringBitmap),
}

impl Part {
    fn add(&mut self, other: Part) {
        match (self, other) {
            (Part::All, _) => {}
            (this, Part::All) => *this = Part::All,
            (Part::These(these), Part::These(others)) => *these |= others,
        }
    }

    fn of(&self, set: &RoaringBitmap) -> RoaringBitmap {
        match self {
            Part::All => set.clone(),
            Part::These(these) => set & these,
        }
    }
}

/// Objects of one type in three values: those in neither set are out. What is in both is definite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Held {
    definite: Part,
    conditional: Part,
}

impl Held {
    /// Exactly what a lookup found.
    pub(crate) fn found(set: ResourceSet) -> Held {
        Held { definite: Part::These(set.definite), conditional: Part::These(set.conditional) }
    }

    fn nothing() -> Held {
        Held { definite: Part::These(RoaringBitmap::new()), conditional: Part::These(RoaringBitmap::new()) }
    }

    fn join(&mut self, other: Held, condition: Permissionship) {
        if condition == Permissionship::Yes {
            self.definite.add(other.definite);
        } else {
            self.conditional.add(other.definite);
        }
        self.conditional.add(other.conditional);
    }

    /// Leaves of a set what is held too, in three values.
    pub(crate) fn restrict(&self, set: &mut ResourceSet) {
        let mut open = self.conditional.of(&set.definite);
        open |= self.definite.of(&set.conditional);
        open |= self.conditional.of(&set.conditional);
        set.definite = self.definite.of(&set.definite);
        open -= &set.definite;
        set.conditional = open;
    }
}

/// What a scope holds of a type for a permission.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct HeldScope {
    pub(crate) held: Held,
    pub(crate) valid_until: Option<Timestamp>,
    /// A failing caveat: what it guards is left open, as if its values were missing.
    pub(crate) fault: Option<QueryError>,
}

impl Scope {
    /// What a scope holds of a type for a permission. Subtrees and conditions are as in `facts`; `seen` knows the names
    /// of the objects that the set is cut from.
    pub(crate) fn held<G: Graph>(
        &self,
        facts: &Facts<'_>,
        seen: &G,
        permission: &str,
        resource_type: &SmolStr,
        values: Option<&Context>,
    ) -> Result<HeldScope, QueryError> {
        let mut whole = HeldScope { held: Held::nothing(), valid_until: None, fault: None };
        for clause in &*self.clauses {
            if clause.resource_type != *resource_type || !clause.permissions.contains(permission) {
                continue;
            }
            let condition = match clause.condition(facts, values) {
                Ok(answer) => answer.permissionship,
                Err(error) if error.failed_caveat().is_some() => {
                    whole.fault.get_or_insert(error);
                    Permissionship::Conditional
                }
                Err(error) => return Err(error),
            };
            if condition == Permissionship::No {
                continue;
            }
            let (selected, valid_until) = clause.selected(facts, seen, values)?;
            whole.valid_until = earlier(whole.valid_until, valid_until);
            whole.held.join(selected, condition);
        }
        Ok(whole)
    }
}

impl Clause {
    fn selected<G: Graph>(
        &self,
        facts: &Facts<'_>,
        seen: &G,
        values: Option<&Context>,
    ) -> Result<(Held, Option<Timestamp>), QueryError> {
        match &self.selector {
            Selector::AllOfType => Ok((Held { definite: Part::All, ..Held::nothing() }, None)),
            Selector::Objects(ids) => {
                let ids = ids.iter().map(|id| ordinal(seen, &self.resource_type, id));
                Ok((Held { definite: Part::These(ids.flatten().collect()), ..Held::nothing() }, None))
            }
            Selector::Subtree { relation, top } => {
                let mut found = facts.ask(values, |context| {
                    subtree(facts.graph, &self.resource_type, relation, top, context)
                })?;
                let valid_until = found.valid_until;
                if top.object_type == self.resource_type {
                    // Only what the request brings along may mention the top, which is in its own subtree.
                    found.definite.extend(ordinal(seen, &top.object_type, &top.object_id));
                }
                Ok((Held::found(found), valid_until))
            }
        }
    }
}

fn ordinal<G: Graph>(graph: &G, object_type: &str, id: &str) -> Option<u32> {
    graph.ordinal(graph.catalog().type_id(object_type)?, id).map(|ordinal| ordinal.0)
}
