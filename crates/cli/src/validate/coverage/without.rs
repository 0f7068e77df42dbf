//! Schemas and relationships without one part.

use pemba_model::{Relationship, WILDCARD_ID};
use pemba_schema::{AllowedSubject, Schema, SubjectShape};

use super::parts;

/// The text of a schema without one operand of one permission. Annotations go too: they may say what no longer holds.
pub(super) fn operand(schema: &Schema, definition: &str, permission: &str, number: usize) -> String {
    let mut changed = without_annotations(schema);
    let permissions = changed.definitions.get_mut(definition).map(|found| &mut found.permissions);
    if let Some(found) = permissions.and_then(|permissions| permissions.get_mut(permission)) {
        found.expression = parts::without(&found.expression, number);
    }
    pemba_schema::print(&changed)
}

/// The text of a schema in which what may be written with a caveat may be written without it too.
pub(super) fn optional_caveat(schema: &Schema, caveat: &str) -> String {
    let mut changed = without_annotations(schema);
    let relations = changed.definitions.values_mut().flat_map(|definition| definition.relations.values_mut());
    for relation in relations {
        let plain: Vec<AllowedSubject> = relation
            .allowed
            .iter()
            .filter(|allowed| allowed.caveat.as_deref() == Some(caveat))
            .map(|allowed| AllowedSubject { caveat: None, ..allowed.clone() })
            .filter(|plain| !relation.allowed.contains(plain))
            .collect();
        relation.allowed.extend(plain);
    }
    pemba_schema::print(&changed)
}

fn without_annotations(schema: &Schema) -> Schema {
    let mut changed = schema.clone();
    let definitions = changed.definitions.values_mut();
    for permission in definitions.flat_map(|definition| definition.permissions.values_mut()) {
        permission.types.clear();
    }
    changed
}

/// Whether a relationship is of a kind that a relation takes.
pub(super) fn is_of(
    relationship: &Relationship,
    definition: &str,
    relation: &str,
    kind: &AllowedSubject,
) -> bool {
    let subject = &relationship.subject;
    let shape = match &subject.relation {
        Some(relation) => SubjectShape::Userset(relation.clone()),
        None if subject.object.object_id == WILDCARD_ID => SubjectShape::Wildcard,
        None => SubjectShape::Direct,
    };
    relationship.resource.object_type == definition
        && relationship.relation == relation
        && subject.object.object_type == kind.subject_type
        && shape == kind.shape
        && relationship.caveat.as_ref().map(|caveat| &caveat.name) == kind.caveat.as_ref()
        && relationship.expires_at.is_some() == kind.expiration
}

/// Whether a relationship has the caveat.
pub(super) fn has_caveat(relationship: &Relationship, caveat: &str) -> bool {
    relationship.caveat.as_ref().is_some_and(|found| found.name == caveat)
}
