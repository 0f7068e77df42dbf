//! Scopes: what may be done to which objects. A delegation has one, and an agent's ceiling is one.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_engine::{CheckAnswer, Graph, Permissionship, QueryError, in_subtree};
use pemba_model::{CaveatRef, Context, ObjectRef, SmolStr, names};
use pemba_schema::{Definition, Schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::answer::{self, Open};
use crate::error::{Reason, Refused};
use crate::limits::{CLAUSE_PERMISSIONS_MAX, CLAUSES_MAX, SCOPE_OBJECTS_MAX};
use crate::moment::Facts;

/// Clauses, any of which suffices.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The clauses, in the order given. Many records have the same ones, and share them.
    #[serde(serialize_with = "write_clauses", deserialize_with = "read_clauses")]
    pub clauses: Arc<[Clause]>,
}

fn write_clauses<S: Serializer>(clauses: &Arc<[Clause]>, serializer: S) -> Result<S::Ok, S::Error> {
    clauses.serialize(serializer)
}

fn read_clauses<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Clause]>, D::Error> {
    Vec::deserialize(deserializer).map(Into::into)
}

/// Permissions on objects of one type, under a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Clause {
    /// The type.
    pub resource_type: SmolStr,
    /// The permissions or relations; each is named, so one that a schema gains later is in no scope made before.
    pub permissions: BTreeSet<SmolStr>,
    /// Which objects.
    pub selector: Selector,
    /// The condition, with the values fixed by who made the scope.
    pub caveat: Option<CaveatRef>,
}

/// Objects of a clause's type.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Selector {
    /// These, by id.
    Objects(BTreeSet<SmolStr>),
    /// All from which `relation`, followed any number of times, leads to `top`; `top` too. As it is when asked.
    Subtree {
        /// The relation followed.
        relation: SmolStr,
        /// Where it must lead.
        top: ObjectRef,
    },
    /// All.
    AllOfType,
}

impl Scope {
    /// Checks that everything a scope names is there in the schema, and that it is within the limits.
    pub fn check(&self, schema: &Schema) -> Result<(), Refused> {
        if self.clauses.is_empty() {
            return Err(Refused::new(
                Reason::EmptyScope,
                "clauses",
                "a scope without clauses allows nothing",
            ));
        }
        check_count("clauses", self.clauses.len(), CLAUSES_MAX)?;
        let objects = self.clauses.iter().map(|clause| match &clause.selector {
            Selector::Objects(objects) => objects.len(),
            Selector::Subtree { .. } | Selector::AllOfType => 0,
        });
        check_count("clauses.objects", objects.sum(), SCOPE_OBJECTS_MAX)?;
        for (at, clause) in self.clauses.iter().enumerate() {
            clause.check(schema).map_err(|refused| refused.under(&format!("clauses[{at}]")))?;
        }
        Ok(())
    }

    /// Whether a clause without a condition lets a permission on an object through by what it says itself. Most do, and
    /// then nothing needs to be evaluated.
    pub fn surely_contains(&self, permission: &str, object: &ObjectRef) -> bool {
        self.clauses.iter().any(|clause| {
            clause.caveat.is_none()
                && clause.resource_type == object.object_type
                && clause.permissions.contains(permission)
                && clause.covers(None::<&Facts<'_>>, object).is_ok_and(|covers| covers)
        })
    }

    /// Whether a permission on an object is in scope.
    pub fn contains<G: Graph>(
        &self,
        facts: &Facts<'_, G>,
        permission: &str,
        object: &ObjectRef,
        values: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        let mut answer = answer::no();
        let mut open = Open::default();
        for clause in &*self.clauses {
            let Some(one) = open.take(clause.contains(facts, permission, object, values))? else { continue };
            answer = answer::or(answer, one);
            if answer.permissionship == Permissionship::Yes {
                return Ok(answer);
            }
        }
        open.fault().map_or(Ok(answer), Err)
    }

    /// The first clause that lets a permission on an object through; its place.
    pub fn matching<G: Graph>(
        &self,
        facts: &Facts<'_, G>,
        permission: &str,
        object: &ObjectRef,
        values: Option<&Context>,
    ) -> Option<usize> {
        self.clauses.iter().position(|clause| {
            clause
                .contains(facts, permission, object, values)
                .is_ok_and(|answer| answer.permissionship > Permissionship::No)
        })
    }

    /// Whether some permission on an object could be in scope, whatever the condition.
    pub fn reaches<G: Graph>(&self, facts: &Facts<'_, G>, object: &ObjectRef) -> Result<bool, QueryError> {
        for clause in self.clauses.iter().filter(|clause| clause.resource_type == object.object_type) {
            if clause.selects(facts, object, None)?.permissionship > Permissionship::No {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Checks that every clause of `inner` lies within clauses of this scope; the error names the first that does not.
    /// Explicit objects are compared with subtrees as they are; evaluation compares them again.
    pub fn check_contains<G: Graph>(&self, facts: &Facts<'_, G>, inner: &Scope) -> Result<(), Refused> {
        for (at, clause) in inner.clauses.iter().enumerate() {
            for permission in &clause.permissions {
                if let Some(outside) = self.outside(Some(facts), clause, permission)? {
                    return Err(Refused::new(
                        Reason::ScopeWider,
                        format!("clauses[{at}]"),
                        format!("`{permission}` on {outside} is not within the wider scope"),
                    ));
                }
            }
        }
        Ok(())
    }

    /// Whether every clause of `inner` lies within clauses of this scope whatever the relationships are.
    pub fn always_contains(&self, inner: &Scope) -> bool {
        inner.clauses.iter().all(|clause| {
            let outside = |permission| self.outside(None::<&Facts<'_>>, clause, permission);
            clause.permissions.iter().all(|permission| outside(permission).is_ok_and(|found| found.is_none()))
        })
    }

    /// What of a clause's selection no clause of this scope covers, for one permission; without facts, whatever the
    /// relationships are.
    fn outside<G: Graph>(
        &self,
        facts: Option<&Facts<'_, G>>,
        inner: &Clause,
        permission: &SmolStr,
    ) -> Result<Option<String>, Refused> {
        let able: Vec<&Clause> =
            self.clauses.iter().filter(|outer| outer.may_cover(inner, permission)).collect();
        let object_type = &inner.resource_type;
        match &inner.selector {
            Selector::AllOfType => {
                let covered = able.iter().any(|outer| outer.selector == Selector::AllOfType);
                Ok((!covered).then(|| format!("all of type `{object_type}`")))
            }
            Selector::Subtree { relation, top } => {
                for outer in &able {
                    if outer.covers_subtree(facts, relation, top)? {
                        return Ok(None);
                    }
                }
                Ok(Some(format!("the subtree of `{top}` by `{relation}`")))
            }
            Selector::Objects(ids) => {
                'objects: for id in ids {
                    let object = ObjectRef::new(object_type.clone(), id.clone());
                    for outer in &able {
                        if outer.covers(facts, &object)? {
                            continue 'objects;
                        }
                    }
                    return Ok(Some(format!("`{object}`")));
                }
                Ok(None)
            }
        }
    }
}

impl Clause {
    fn check(&self, schema: &Schema) -> Result<(), Refused> {
        let invalid = |field: &str, error: names::InvalidName| {
            Refused::new(Reason::InvalidValue, field, error.to_string())
        };
        names::check_object_type(&self.resource_type).map_err(|error| invalid("resource_type", error))?;
        let definition = schema.definitions.get(&self.resource_type).ok_or_else(|| {
            let message = format!("the schema has no type `{}`", self.resource_type);
            Refused::new(Reason::UnknownType, "resource_type", message)
        })?;
        check_count("permissions", self.permissions.len(), CLAUSE_PERMISSIONS_MAX)?;
        if self.permissions.is_empty() {
            return Err(Refused::new(Reason::EmptyScope, "permissions", "a clause names at least one"));
        }
        for permission in &self.permissions {
            check_member(definition, permission, "permissions")?;
        }
        self.check_selector(schema, definition)?;
        match &self.caveat {
            Some(caveat) => check_values(schema, caveat)
                .map_err(|message| Refused::new(Reason::UnknownCaveat, "caveat", message)),
            None => Ok(()),
        }
    }

    fn check_selector(&self, schema: &Schema, definition: &Definition) -> Result<(), Refused> {
        let invalid =
            |field: &str, message: String| Refused::new(Reason::InvalidValue, field.to_owned(), message);
        match &self.selector {
            Selector::AllOfType => Ok(()),
            Selector::Objects(ids) if ids.is_empty() => {
                Err(Refused::new(Reason::EmptyScope, "objects", "a clause with explicit objects names one"))
            }
            Selector::Objects(ids) => ids.iter().try_for_each(|id| {
                names::check_object_id(id).map_err(|error| invalid("objects", error.to_string()))
            }),
            Selector::Subtree { relation, top } => {
                if !definition.relations.contains_key(relation) {
                    let message = format!("type `{}` has no relation `{relation}`", definition.name);
                    return Err(Refused::new(Reason::UnknownPermission, "subtree.relation", message));
                }
                names::check_object_id(&top.object_id)
                    .map_err(|error| invalid("subtree.top", error.to_string()))?;
                if !schema.definitions.contains_key(&top.object_type) {
                    let message = format!("the schema has no type `{}`", top.object_type);
                    return Err(Refused::new(Reason::UnknownType, "subtree.top", message));
                }
                Ok(())
            }
        }
    }

    fn contains<G: Graph>(
        &self,
        facts: &Facts<'_, G>,
        permission: &str,
        object: &ObjectRef,
        values: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        if self.resource_type != object.object_type || !self.permissions.contains(permission) {
            return Ok(answer::no());
        }
        let selected = self.selects(facts, object, values)?;
        if selected.permissionship == Permissionship::No {
            return Ok(selected);
        }
        Ok(answer::and(selected, self.condition(facts, values)?))
    }

    fn selects<G: Graph>(
        &self,
        facts: &Facts<'_, G>,
        object: &ObjectRef,
        values: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        match &self.selector {
            Selector::AllOfType => Ok(answer::yes()),
            Selector::Objects(ids) => Ok(answer::either(ids.contains(&object.object_id))),
            Selector::Subtree { relation, top } => {
                facts.ask(values, |context| in_subtree(facts.graph, object, relation, top, context))
            }
        }
    }

    /// What the clause's condition says.
    pub(crate) fn condition<G: Graph>(
        &self,
        facts: &Facts<'_, G>,
        values: Option<&Context>,
    ) -> Result<CheckAnswer, QueryError> {
        let Some(caveat) = &self.caveat else { return Ok(answer::yes()) };
        let outcome = facts.ask(values, |context| context.caveats.evaluate(&caveat.name, &caveat.context))?;
        Ok(answer::of_caveat(outcome))
    }

    /// Whether this clause could cover another's objects for a permission: same type, and a condition that holds
    /// whenever the other's does.
    fn may_cover(&self, inner: &Clause, permission: &SmolStr) -> bool {
        let condition_covers = match (&self.caveat, &inner.caveat) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(outer), Some(inner)) => outer == inner,
        };
        self.resource_type == inner.resource_type && self.permissions.contains(permission) && condition_covers
    }

    /// Whether it selects an object; without facts, whatever the relationships are.
    fn covers<G: Graph>(&self, facts: Option<&Facts<'_, G>>, object: &ObjectRef) -> Result<bool, QueryError> {
        match (facts, &self.selector) {
            (None, Selector::Subtree { top, .. }) => Ok(top == object),
            (None, Selector::Objects(ids)) => Ok(ids.contains(&object.object_id)),
            (None, Selector::AllOfType) => Ok(true),
            (Some(facts), _) => Ok(self.selects(facts, object, None)?.permissionship == Permissionship::Yes),
        }
    }

    fn covers_subtree<G: Graph>(
        &self,
        facts: Option<&Facts<'_, G>>,
        relation: &SmolStr,
        top: &ObjectRef,
    ) -> Result<bool, QueryError> {
        match &self.selector {
            Selector::AllOfType => Ok(true),
            Selector::Objects(_) => Ok(false),
            Selector::Subtree { relation: outer_relation, top: outer_top } => {
                let Some(facts) = facts.filter(|_| outer_relation == relation) else {
                    return Ok(outer_relation == relation && outer_top == top);
                };
                let answer =
                    facts.ask(None, |context| in_subtree(facts.graph, top, relation, outer_top, context))?;
                Ok(answer.permissionship == Permissionship::Yes)
            }
        }
    }
}

/// Checks that a type has a relation or permission of this name.
pub(crate) fn check_member(definition: &Definition, name: &SmolStr, field: &str) -> Result<(), Refused> {
    if definition.permissions.contains_key(name) || definition.relations.contains_key(name) {
        return Ok(());
    }
    let message = format!("type `{}` has no relation or permission `{name}`", definition.name);
    Err(Refused::new(Reason::UnknownPermission, field, message))
}

/// Checks that a list is not longer than allowed.
pub(crate) fn check_count(field: &str, count: usize, max: usize) -> Result<(), Refused> {
    if count <= max {
        return Ok(());
    }
    Err(Refused::new(Reason::TooMuch, field, format!("{count} are given; at most {max} are allowed")))
}

/// Checks that the schema has a caveat, and that the values bound to it are of its parameters' types; says what is wrong.
pub(crate) fn check_values(schema: &Schema, caveat: &CaveatRef) -> Result<(), String> {
    let Some(declared) = schema.caveats.get(&caveat.name) else {
        return Err(format!("the schema has no caveat `{}`", caveat.name));
    };
    caveat.context.iter().try_for_each(|(name, value)| {
        let converted = declared.program.convert_parameter(name, value);
        converted.map(drop).map_err(|error| format!("value `{name}` of caveat `{}`: {error}", caveat.name))
    })
}
