//! Why a schema was not written.

use std::fmt;

use pemba_model::{Relationship, SmolStr};
use pemba_schema::Rejected;

use super::refusal::Refusal;

/// What a schema write would do to stored data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SchemaOperation {
    /// A definition would go.
    DeleteObjectDefinition,
    /// A relation would go that relationships are written on.
    DeleteRelation,
    /// A relation would go that usersets name as subjects.
    DeleteRelationReverseCheck,
    /// A relation would no longer take a kind of subject.
    RemoveAllowedType,
    /// A caveat would lose a parameter.
    RemoveParameter,
    /// A caveat's parameter would get another type.
    ChangeParameterType,
}

/// Why a schema was not written. The old one stays in force.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SchemaError {
    /// The text is no valid schema; with every finding.
    #[error("the schema is invalid: {}", first_finding(.0))]
    Rejected(Rejected),
    /// Stored relationships need what the new schema drops.
    #[error("cannot {} of `{resource_type}`: relationship `{relationship}` still exists{}", .operation.verb(), and_relation(.relation, .allowed_type))]
    RelationshipsExist {
        /// What the schema would drop.
        operation: SchemaOperation,
        /// The definition concerned.
        resource_type: SmolStr,
        /// The relation concerned; `None` when the whole definition goes.
        relation: Option<SmolStr>,
        /// The kind of subject, as the schema writes it, for `RemoveAllowedType`.
        allowed_type: Option<String>,
        /// One of the relationships.
        relationship: Box<Relationship>,
    },
    /// A caveat's parameters may be added to but not removed or retyped.
    #[error("cannot {} `{parameter_name}` of caveat `{caveat_name}`: declare a new caveat instead", .operation.verb())]
    CaveatParameter {
        /// `RemoveParameter` or `ChangeParameterType`.
        operation: SchemaOperation,
        /// The caveat.
        caveat_name: SmolStr,
        /// The parameter.
        parameter_name: SmolStr,
    },
    /// The database takes no request that changes it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl SchemaOperation {
    /// The name on the wire, `delete_relation`.
    pub fn name(self) -> &'static str {
        match self {
            SchemaOperation::DeleteObjectDefinition => "delete_object_definition",
            SchemaOperation::DeleteRelation => "delete_relation",
            SchemaOperation::DeleteRelationReverseCheck => "delete_relation_reverse_check",
            SchemaOperation::RemoveAllowedType => "remove_allowed_type",
            SchemaOperation::RemoveParameter => "remove_parameter",
            SchemaOperation::ChangeParameterType => "change_parameter_type",
        }
    }

    fn verb(self) -> &'static str {
        match self {
            SchemaOperation::DeleteObjectDefinition => "delete the definition",
            SchemaOperation::DeleteRelation | SchemaOperation::DeleteRelationReverseCheck => {
                "delete a relation"
            }
            SchemaOperation::RemoveAllowedType => "remove an allowed subject type",
            SchemaOperation::RemoveParameter => "remove parameter",
            SchemaOperation::ChangeParameterType => "change the type of parameter",
        }
    }
}

impl fmt::Display for SchemaOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl From<Rejected> for SchemaError {
    fn from(rejected: Rejected) -> SchemaError {
        SchemaError::Rejected(rejected)
    }
}

fn first_finding(rejected: &Rejected) -> &str {
    rejected.first().map_or("no finding", |finding| &finding.message)
}

/// What exactly would go: ` on relation x, as subject type y`.
fn and_relation(relation: &Option<SmolStr>, allowed_type: &Option<String>) -> String {
    let mut text = String::new();
    if let Some(relation) = relation {
        text.push_str(&format!(" (relation `{relation}`"));
        if let Some(allowed) = allowed_type {
            text.push_str(&format!(", subject type `{allowed}`"));
        }
        text.push(')');
    }
    text
}
