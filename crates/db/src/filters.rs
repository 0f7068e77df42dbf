//! Filters against the schema.

use pemba_model::{RelationFilter, RelationshipFilter, SmolStr};
use pemba_schema::Schema;

use crate::errors::FilterError;

/// Checks that a filter selects something, does not contradict itself, and names only what the schema has.
pub(crate) fn check_filter(schema: &Schema, filter: &RelationshipFilter) -> Result<(), FilterError> {
    if let Some(object_type) = &filter.resource_type {
        check_name(schema, object_type, filter.relation.as_ref())?;
    }
    if let Some(subject) = &filter.subject {
        let relation = match &subject.relation {
            RelationFilter::Is(relation) => Some(relation),
            RelationFilter::Any | RelationFilter::NoRelation => None,
        };
        check_name(schema, &subject.subject_type, relation)?;
    }
    check_shape(filter)
}

/// The part of the check that needs no schema.
pub(crate) fn check_shape(filter: &RelationshipFilter) -> Result<(), FilterError> {
    filter
        .check()
        .map_err(|error| FilterError::Invalid { filter: Box::new(filter.clone()), reason: error.to_string() })
}

fn check_name(schema: &Schema, object_type: &SmolStr, relation: Option<&SmolStr>) -> Result<(), FilterError> {
    let Some(definition) = schema.definition(object_type) else {
        return Err(FilterError::UnknownDefinition { definition: object_type.clone() });
    };
    match relation {
        Some(relation) if !definition.has(relation) => {
            Err(FilterError::UnknownRelation { definition: object_type.clone(), relation: relation.clone() })
        }
        _ => Ok(()),
    }
}
