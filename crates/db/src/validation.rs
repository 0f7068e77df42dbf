//! One relationship against grammars, limits and the schema.

use std::collections::{BTreeSet, HashSet};
use std::fmt::Write as _;

use pemba_model::{Limits, Operation, Relationship, SmolStr, Update, suggest};
use pemba_schema::{AllowedSubject, Definition, Relation, Schema, SubjectShape};

use crate::caveats::check_bound_values;
use crate::context::{context_depth_fits, context_size_bytes};
use crate::errors::{RelationshipError, WriteError};
use crate::records::CONTEXT_DEPTH_MAX;

/// Checks what needs no state of updates that belong together: their form, and that no relationship is named twice.
pub(crate) fn check_updates(updates: &[Update], limits: &Limits) -> Result<(), WriteError> {
    let mut seen = HashSet::with_capacity(updates.len());
    for Update { relationship, .. } in updates {
        check_form(relationship, limits)?;
        if !seen.insert((&relationship.resource, &relationship.relation, &relationship.subject)) {
            return Err(WriteError::DuplicateUpdate { relationship: Box::new(relationship.clone()) });
        }
    }
    Ok(())
}

/// Checks what needs no state: grammars and sizes.
pub(crate) fn check_form(relationship: &Relationship, limits: &Limits) -> Result<(), RelationshipError> {
    if relationship.resource.is_wildcard() {
        return Err(RelationshipError::WildcardResource { relationship: identity(relationship) });
    }
    if relationship.subject.object.is_wildcard() && relationship.subject.relation.is_some() {
        return Err(RelationshipError::WildcardWithRelation { relationship: identity(relationship) });
    }
    relationship
        .check_names()
        .map_err(|error| RelationshipError::InvalidName { relationship: identity(relationship), error })?;
    let Some(caveat) = &relationship.caveat else { return Ok(()) };
    let (size_bytes, max_bytes) =
        (context_size_bytes(&caveat.context), limits.relationship_context_max_bytes);
    if size_bytes > max_bytes {
        let relationship = identity(relationship);
        return Err(RelationshipError::ContextTooLarge { relationship, size_bytes, max_bytes });
    }
    if !context_depth_fits(&caveat.context) {
        let relationship = identity(relationship);
        return Err(RelationshipError::ContextTooDeep { relationship, max: CONTEXT_DEPTH_MAX });
    }
    Ok(())
}

/// Checks that the schema allows the relationship. A delete may leave out the caveat, and then the expiry does not matter
/// either.
pub(crate) fn check_allowed(
    schema: &Schema,
    relationship: &Relationship,
    operation: Operation,
) -> Result<(), RelationshipError> {
    let definition = definition_of(schema, &relationship.resource.object_type)?;
    check_has(definition, &relationship.relation)?;
    let subject_definition = definition_of(schema, &relationship.subject.object.object_type)?;
    if let Some(relation) = &relationship.subject.relation {
        check_has(subject_definition, relation)?;
    }
    let Some(relation) = definition.relations.get(&relationship.relation) else {
        return Err(RelationshipError::CannotUpdatePermission {
            definition: definition.name.clone(),
            permission: relationship.relation.clone(),
        });
    };
    let wanted = subject_kind(relationship);
    let lenient = operation == Operation::Delete && wanted.caveat.is_none();
    let allowed = relation.allowed.iter().any(|one| {
        one.subject_type == wanted.subject_type
            && one.shape == wanted.shape
            && (lenient || (one.caveat == wanted.caveat && one.expiration == wanted.expiration))
    });
    if !allowed {
        return Err(not_allowed(definition, relation, &wanted));
    }
    match &relationship.caveat {
        Some(caveat) => check_bound_values(schema, caveat, relationship),
        None => Ok(()),
    }
}

/// The kind of subject a relationship has, as a relation would allow it.
pub(crate) fn subject_kind(relationship: &Relationship) -> AllowedSubject {
    let subject = &relationship.subject;
    AllowedSubject {
        subject_type: subject.object.object_type.clone(),
        shape: SubjectShape::of(subject),
        caveat: relationship.caveat.as_ref().map(|caveat| caveat.name.clone()),
        expiration: relationship.expires_at.is_some(),
    }
}

/// A kind of subject as the schema writes it: `user:* with somecaveat and expiration`.
pub(crate) fn subject_kind_text(kind: &AllowedSubject) -> String {
    let mut text = kind.subject_type.to_string();
    match &kind.shape {
        SubjectShape::Direct => {}
        SubjectShape::Wildcard => text.push_str(":*"),
        SubjectShape::Userset(relation) => {
            // Writing to a `String` does not fail.
            let _ = write!(text, "#{relation}");
        }
    }
    if let Some(caveat) = &kind.caveat {
        let _ = write!(text, " with {caveat}");
    }
    if kind.expiration {
        text.push_str(if kind.caveat.is_some() { " and expiration" } else { " with expiration" });
    }
    text
}

/// The relationship without caveat and expiry: what errors show, so that no context lands in a message.
pub(crate) fn identity(relationship: &Relationship) -> String {
    format!("{}#{}@{}", relationship.resource, relationship.relation, relationship.subject)
}

/// The definition of a type.
pub(crate) fn definition_of<'a>(
    schema: &'a Schema,
    object_type: &SmolStr,
) -> Result<&'a Definition, RelationshipError> {
    schema.definition(object_type).ok_or_else(|| RelationshipError::UnknownDefinition {
        definition: object_type.clone(),
        suggestion: near(object_type, schema.definitions.keys()),
    })
}

fn check_has(definition: &Definition, name: &SmolStr) -> Result<(), RelationshipError> {
    if definition.has(name) {
        return Ok(());
    }
    Err(RelationshipError::UnknownRelation {
        definition: definition.name.clone(),
        relation: name.clone(),
        suggestion: near(name, definition.names()),
    })
}

fn near<'a>(name: &SmolStr, candidates: impl Iterator<Item = &'a SmolStr>) -> Option<SmolStr> {
    suggest::nearest(name, candidates.map(SmolStr::as_str)).map(SmolStr::new)
}

fn not_allowed(definition: &Definition, relation: &Relation, wanted: &AllowedSubject) -> RelationshipError {
    let same_subject =
        |one: &&AllowedSubject| one.subject_type == wanted.subject_type && one.shape == wanted.shape;
    let caveats: BTreeSet<SmolStr> = relation
        .allowed
        .iter()
        .filter(|one| same_subject(one) && one.expiration == wanted.expiration)
        .filter_map(|one| one.caveat.clone())
        .collect();
    let caveat_is_wrong =
        !caveats.is_empty() && wanted.caveat.as_ref().is_none_or(|caveat| !caveats.contains(caveat));
    let texts: Vec<String> = relation.allowed.iter().map(subject_kind_text).collect();
    let subject_type = subject_kind_text(wanted);
    let same = relation.allowed.iter().find(same_subject).map(subject_kind_text);
    let suggestion =
        same.or_else(|| suggest::nearest(&subject_type, texts.iter().map(String::as_str)).map(str::to_owned));
    RelationshipError::InvalidSubjectType {
        definition: definition.name.clone(),
        relation: relation.name.clone(),
        subject_type,
        allowed_caveats: caveat_is_wrong.then(|| caveats.into_iter().collect()),
        suggestion,
    }
}
