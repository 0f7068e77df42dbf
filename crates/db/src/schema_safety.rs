//! Whether stored relationships still fit a new schema.

use pemba_engine::Transaction;
use pemba_model::{RelationFilter, Relationship, RelationshipFilter, SmolStr, SubjectFilter, Timestamp};
use pemba_schema::removed::{Removal, removed};
use pemba_schema::{AllowedSubject, Schema, SubjectShape};

use crate::errors::{SchemaError, SchemaOperation};
use crate::validation::{subject_kind, subject_kind_text};

/// Refuses a schema that drops what relationships that have not expired need, naming one of them; and one that
/// removes or retypes a parameter of a caveat that stays, whatever the data.
pub(crate) fn check_fits(state: &Transaction, new: &Schema, now: Timestamp) -> Result<(), SchemaError> {
    for removal in removed(state.schema(), new) {
        check_removal(state, removal, now)?;
    }
    Ok(())
}

fn check_removal(state: &Transaction, removal: Removal, now: Timestamp) -> Result<(), SchemaError> {
    match removal {
        Removal::CaveatParameter { caveat, parameter } => {
            Err(parameter_error(SchemaOperation::RemoveParameter, caveat, parameter))
        }
        Removal::CaveatParameterType { caveat, parameter, .. } => {
            Err(parameter_error(SchemaOperation::ChangeParameterType, caveat, parameter))
        }
        // A relationship can name a caveat only where an allowed subject does, which is then removed too.
        Removal::Caveat { .. } => Ok(()),
        Removal::Definition { object_type } => {
            let as_resource = on(&object_type, None);
            let as_subject = with_subject(&object_type, RelationFilter::Any);
            let found = first(state, &as_resource, now).or_else(|| first(state, &as_subject, now));
            exist(SchemaOperation::DeleteObjectDefinition, object_type, None, None, found)
        }
        Removal::Relation { object_type, relation } => {
            let found = first(state, &on(&object_type, Some(&relation)), now);
            exist(SchemaOperation::DeleteRelation, object_type, Some(relation), None, found)
        }
        Removal::SubjectRelation { object_type, relation } => {
            let found = first(state, &with_subject(&object_type, RelationFilter::Is(relation.clone())), now);
            exist(SchemaOperation::DeleteRelationReverseCheck, object_type, Some(relation), None, found)
        }
        Removal::AllowedSubject { object_type, relation, allowed } => {
            let found = first_of_kind(state, &object_type, &relation, &allowed, now);
            let text = Some(subject_kind_text(&allowed));
            exist(SchemaOperation::RemoveAllowedType, object_type, Some(relation), text, found)
        }
    }
}

fn parameter_error(operation: SchemaOperation, caveat_name: SmolStr, parameter_name: SmolStr) -> SchemaError {
    SchemaError::CaveatParameter { operation, caveat_name, parameter_name }
}

fn exist(
    operation: SchemaOperation,
    resource_type: SmolStr,
    relation: Option<SmolStr>,
    allowed_type: Option<String>,
    found: Option<Relationship>,
) -> Result<(), SchemaError> {
    match found.map(Box::new) {
        None => Ok(()),
        Some(relationship) => Err(SchemaError::RelationshipsExist {
            operation,
            resource_type,
            relation,
            allowed_type,
            relationship,
        }),
    }
}

fn on(resource_type: &SmolStr, relation: Option<&SmolStr>) -> RelationshipFilter {
    RelationshipFilter {
        resource_type: Some(resource_type.clone()),
        relation: relation.cloned(),
        ..RelationshipFilter::default()
    }
}

fn with_subject(subject_type: &SmolStr, relation: RelationFilter) -> RelationshipFilter {
    let subject = SubjectFilter { subject_type: subject_type.clone(), subject_id: None, relation };
    RelationshipFilter { subject: Some(subject), ..RelationshipFilter::default() }
}

fn first(state: &Transaction, filter: &RelationshipFilter, now: Timestamp) -> Option<Relationship> {
    state.scan(filter, None, Some(now)).find_map(|(key, attributes)| state.relationship(key, &attributes))
}

/// The first relationship whose subject is of exactly this kind, caveat and expiry included.
fn first_of_kind(
    state: &Transaction,
    object_type: &SmolStr,
    relation: &SmolStr,
    allowed: &AllowedSubject,
    now: Timestamp,
) -> Option<Relationship> {
    let subject_relation = match &allowed.shape {
        SubjectShape::Direct | SubjectShape::Wildcard => RelationFilter::NoRelation,
        SubjectShape::Userset(relation) => RelationFilter::Is(relation.clone()),
    };
    let filter = RelationshipFilter {
        subject: with_subject(&allowed.subject_type, subject_relation).subject,
        ..on(object_type, Some(relation))
    };
    state
        .scan(&filter, None, Some(now))
        .filter(|(_, attributes)| {
            let caveat = attributes.as_deref().and_then(|one| one.caveat.as_ref()).map(|caveat| &caveat.name);
            let expiration = attributes.as_deref().is_some_and(|one| one.expires_at.is_some());
            caveat == allowed.caveat.as_ref() && expiration == allowed.expiration
        })
        .filter_map(|(key, attributes)| state.relationship(key, &attributes))
        .find(|relationship| subject_kind(relationship) == *allowed)
}
