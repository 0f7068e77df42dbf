//! How two schemas differ, change by change.

use std::collections::BTreeSet;

use pemba_model::SmolStr;

use super::parts::{
    self, ReflectedCaveat, ReflectedDefinition, ReflectedPermission, ReflectedRelation, comment,
};
use crate::schema::{AllowedSubject, Caveat, CaveatParameter, Definition, ParameterType, Schema};

/// One change from an existing schema to another. What was removed is shown as it was, what changed as it became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Diff {
    /// A definition is new; its members are not told apart.
    DefinitionAdded(ReflectedDefinition),
    /// A definition is gone.
    DefinitionRemoved(ReflectedDefinition),
    /// The comment of a definition is another.
    DefinitionDocCommentChanged(ReflectedDefinition),
    /// A relation is new.
    RelationAdded(ReflectedRelation),
    /// A relation is gone.
    RelationRemoved(ReflectedRelation),
    /// The comment of a relation is another.
    RelationDocCommentChanged(ReflectedRelation),
    /// A relation takes one more kind of subject.
    RelationSubjectTypeAdded {
        /// The relation as it became.
        relation: ReflectedRelation,
        /// The kind of subject.
        changed: AllowedSubject,
    },
    /// A relation no longer takes a kind of subject.
    RelationSubjectTypeRemoved {
        /// The relation as it became.
        relation: ReflectedRelation,
        /// The kind of subject.
        changed: AllowedSubject,
    },
    /// A permission is new.
    PermissionAdded(ReflectedPermission),
    /// A permission is gone.
    PermissionRemoved(ReflectedPermission),
    /// The comment of a permission is another.
    PermissionDocCommentChanged(ReflectedPermission),
    /// A permission is computed in another way; another order of operands counts, needless parentheses do not.
    PermissionExprChanged(ReflectedPermission),
    /// A caveat is new.
    CaveatAdded(ReflectedCaveat),
    /// A caveat is gone.
    CaveatRemoved(ReflectedCaveat),
    /// The comment of a caveat is another.
    CaveatDocCommentChanged(ReflectedCaveat),
    /// The text of a caveat's condition is another.
    CaveatExprChanged(ReflectedCaveat),
    /// A caveat has one more parameter.
    CaveatParameterAdded {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter.
        parameter: CaveatParameter,
    },
    /// A caveat has one parameter less.
    CaveatParameterRemoved {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter as it was.
        parameter: CaveatParameter,
    },
    /// A parameter has another type.
    CaveatParameterTypeChanged {
        /// The caveat.
        caveat: SmolStr,
        /// The parameter as it became.
        parameter: CaveatParameter,
        /// The type that it had.
        previous_type: ParameterType,
    },
}

/// Most subjects that all changes of one comparison may list: each change of a relation's subjects lists all that the
/// relation takes.
pub const DIFF_SUBJECTS_MAX: usize = 1_000_000;

/// A comparison that would list too much.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the changes of the subjects of `{definition}#{relation}` and of those before it list more than {DIFF_SUBJECTS_MAX} subjects"
)]
pub struct DiffTooLarge {
    /// The definition.
    pub definition: SmolStr,
    /// The relation whose changes are too many.
    pub relation: SmolStr,
}

/// All changes that lead from `existing` to `comparison`: what is added and removed, then what changed within
/// definitions, then within caveats, each by name; of one definition in the order of its members. The order of members,
/// of allowed subjects and of parameters, and blanks around the lines of comments, are no change. Empty when there is
/// none. Takes time linear in both schemas and in what it lists, but for logarithms.
pub fn diff(existing: &Schema, comparison: &Schema) -> Result<Vec<Diff>, DiffTooLarge> {
    let mut diffs = Vec::new();
    let mut budget = DIFF_SUBJECTS_MAX;
    let (old, new) = (&existing.definitions, &comparison.definitions);
    let added = new.values().filter(|found| !old.contains_key(&found.name));
    diffs.extend(added.map(|found| Diff::DefinitionAdded(parts::definition(found))));
    let removed = old.values().filter(|found| !new.contains_key(&found.name));
    diffs.extend(removed.map(|found| Diff::DefinitionRemoved(parts::definition(found))));
    let (old_caveats, new_caveats) = (&existing.caveats, &comparison.caveats);
    let added = new_caveats.values().filter(|found| !old_caveats.contains_key(&found.name));
    diffs.extend(added.map(|found| Diff::CaveatAdded(parts::caveat(found))));
    let removed = old_caveats.values().filter(|found| !new_caveats.contains_key(&found.name));
    diffs.extend(removed.map(|found| Diff::CaveatRemoved(parts::caveat(found))));
    for (name, new) in new {
        if let Some(old) = old.get(name) {
            definition(old, new, &mut budget, &mut diffs)?;
        }
    }
    for (name, new) in new_caveats {
        if let Some(old) = old_caveats.get(name) {
            caveat(old, new, &mut diffs);
        }
    }
    Ok(diffs)
}

fn is_another_comment(old: &Option<String>, new: &Option<String>) -> bool {
    comment(old.as_deref()) != comment(new.as_deref())
}

fn definition(
    old: &Definition,
    new: &Definition,
    budget: &mut usize,
    diffs: &mut Vec<Diff>,
) -> Result<(), DiffTooLarge> {
    if is_another_comment(&old.doc, &new.doc) {
        diffs.push(Diff::DefinitionDocCommentChanged(parts::definition(new)));
    }
    let gone = old.relations_in_order().filter(|found| !new.relations.contains_key(&found.name));
    diffs.extend(gone.map(|found| Diff::RelationRemoved(parts::relation(old, found))));
    let come = new.relations_in_order().filter(|found| !old.relations.contains_key(&found.name));
    diffs.extend(come.map(|found| Diff::RelationAdded(parts::relation(new, found))));
    let gone = old.permissions_in_order().filter(|found| !new.permissions.contains_key(&found.name));
    diffs.extend(gone.map(|found| Diff::PermissionRemoved(parts::permission(old, found))));
    let come = new.permissions_in_order().filter(|found| !old.permissions.contains_key(&found.name));
    diffs.extend(come.map(|found| Diff::PermissionAdded(parts::permission(new, found))));
    for found in new.permissions_in_order() {
        let Some(before) = old.permissions.get(&found.name) else { continue };
        if before.expression != found.expression {
            diffs.push(Diff::PermissionExprChanged(parts::permission(new, found)));
        }
        if is_another_comment(&before.doc, &found.doc) {
            diffs.push(Diff::PermissionDocCommentChanged(parts::permission(new, found)));
        }
    }
    for found in new.relations_in_order() {
        let Some(before) = old.relations.get(&found.name) else { continue };
        let relation = || parts::relation(new, found);
        if is_another_comment(&before.doc, &found.doc) {
            diffs.push(Diff::RelationDocCommentChanged(relation()));
        }
        let gone = lacking(&before.allowed, &found.allowed);
        let come = lacking(&found.allowed, &before.allowed);
        let listed = (gone.len() + come.len()).saturating_mul(found.allowed.len());
        *budget = budget
            .checked_sub(listed)
            .ok_or_else(|| DiffTooLarge { definition: new.name.clone(), relation: found.name.clone() })?;
        let removed = |changed| Diff::RelationSubjectTypeRemoved { relation: relation(), changed };
        diffs.extend(gone.into_iter().map(removed));
        let added = |changed| Diff::RelationSubjectTypeAdded { relation: relation(), changed };
        diffs.extend(come.into_iter().map(added));
    }
    Ok(())
}

/// The subjects of one list that the other lacks.
fn lacking(of: &[AllowedSubject], other: &[AllowedSubject]) -> Vec<AllowedSubject> {
    let other: BTreeSet<&AllowedSubject> = other.iter().collect();
    of.iter().filter(|allowed| !other.contains(allowed)).cloned().collect()
}

fn caveat(old: &Caveat, new: &Caveat, diffs: &mut Vec<Diff>) {
    if is_another_comment(&old.doc, &new.doc) {
        diffs.push(Diff::CaveatDocCommentChanged(parts::caveat(new)));
    }
    let name = || new.name.clone();
    let (old_parameters, new_parameters) = (old.parameters_by_name(), new.parameters_by_name());
    let type_in = |list: &[&CaveatParameter], name: &SmolStr| {
        let place = list.binary_search_by(|parameter| parameter.name.cmp(name)).ok()?;
        list.get(place).map(|parameter| parameter.parameter_type.clone())
    };
    for parameter in &old_parameters {
        if type_in(&new_parameters, &parameter.name).is_none() {
            diffs.push(Diff::CaveatParameterRemoved { caveat: name(), parameter: (*parameter).clone() });
        }
    }
    for parameter in &new_parameters {
        if type_in(&old_parameters, &parameter.name).is_none() {
            diffs.push(Diff::CaveatParameterAdded { caveat: name(), parameter: (*parameter).clone() });
        }
    }
    for parameter in new_parameters {
        match type_in(&old_parameters, &parameter.name) {
            Some(previous_type) if previous_type != parameter.parameter_type => {
                let (caveat, parameter) = (name(), parameter.clone());
                diffs.push(Diff::CaveatParameterTypeChanged { caveat, parameter, previous_type });
            }
            _ => {}
        }
    }
    if old.expression != new.expression {
        diffs.push(Diff::CaveatExprChanged(parts::caveat(new)));
    }
}
