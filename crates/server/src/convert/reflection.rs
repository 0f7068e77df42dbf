//! Schemas as data, between the schema crate and the wire.

use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::reflection_schema_diff::Diff as WireDiff;
use pemba_proto::authzed::api::v1::reflection_type_reference::Typeref;
use pemba_schema::reflection::{
    Diff, MemberReference, ReflectedCaveat, ReflectedDefinition, ReflectedPermission, ReflectedRelation,
    SchemaFilter,
};
use pemba_schema::{AllowedSubject, CaveatParameter, SubjectShape};

use super::optional;

/// A filter; an empty text is none.
pub(crate) fn schema_filter(filter: &wire::ReflectionSchemaFilter) -> SchemaFilter {
    SchemaFilter {
        definition: optional(&filter.optional_definition_name_filter),
        caveat: optional(&filter.optional_caveat_name_filter),
        relation: optional(&filter.optional_relation_name_filter),
        permission: optional(&filter.optional_permission_name_filter),
    }
}

/// A filter as text, with the fields that are set.
pub(crate) fn schema_filter_text(filter: &wire::ReflectionSchemaFilter) -> String {
    let fields = [
        ("optional_definition_name_filter", &filter.optional_definition_name_filter),
        ("optional_caveat_name_filter", &filter.optional_caveat_name_filter),
        ("optional_relation_name_filter", &filter.optional_relation_name_filter),
        ("optional_permission_name_filter", &filter.optional_permission_name_filter),
    ];
    let set = fields.into_iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| format!("{name}:{value:?}")).collect::<Vec<_>>().join(" ")
}

pub(crate) fn definition_to_wire(definition: ReflectedDefinition) -> wire::ReflectionDefinition {
    wire::ReflectionDefinition {
        name: definition.name.into(),
        comment: definition.comment,
        relations: definition.relations.into_iter().map(relation_to_wire).collect(),
        permissions: definition.permissions.into_iter().map(permission_to_wire).collect(),
    }
}

fn relation_to_wire(relation: ReflectedRelation) -> wire::ReflectionRelation {
    wire::ReflectionRelation {
        name: relation.name.into(),
        comment: relation.comment,
        parent_definition_name: relation.definition.into(),
        subject_types: relation.subjects.into_iter().map(subject_to_wire).collect(),
    }
}

/// What of its type a subject is, is told by which field is set. The field of whole objects carries `false`, as clients
/// know it. The message has no place for an expiry.
fn subject_to_wire(subject: AllowedSubject) -> wire::ReflectionTypeReference {
    wire::ReflectionTypeReference {
        subject_definition_name: subject.subject_type.into(),
        optional_caveat_name: subject.caveat.map(Into::into).unwrap_or_default(),
        typeref: Some(match subject.shape {
            SubjectShape::Direct => Typeref::IsTerminalSubject(false),
            SubjectShape::Userset(relation) => Typeref::OptionalRelationName(relation.into()),
            SubjectShape::Wildcard => Typeref::IsPublicWildcard(true),
        }),
    }
}

fn permission_to_wire(permission: ReflectedPermission) -> wire::ReflectionPermission {
    wire::ReflectionPermission {
        name: permission.name.into(),
        comment: permission.comment,
        parent_definition_name: permission.definition.into(),
    }
}

pub(crate) fn caveat_to_wire(caveat: ReflectedCaveat) -> wire::ReflectionCaveat {
    let parameters = caveat.parameters.iter().map(|parameter| parameter_to_wire(&caveat.name, parameter));
    wire::ReflectionCaveat {
        parameters: parameters.collect(),
        name: caveat.name.into(),
        comment: caveat.comment,
        expression: caveat.expression,
    }
}

fn parameter_to_wire(caveat: &str, parameter: &CaveatParameter) -> wire::ReflectionCaveatParameter {
    wire::ReflectionCaveatParameter {
        name: parameter.name.to_string(),
        r#type: parameter.parameter_type.to_string(),
        parent_caveat_name: caveat.to_owned(),
    }
}

pub(crate) fn reference_to_wire(reference: MemberReference) -> wire::ReflectionRelationReference {
    wire::ReflectionRelationReference {
        definition_name: reference.definition.into(),
        relation_name: reference.name.into(),
        is_permission: reference.is_permission,
    }
}

pub(crate) fn diff_to_wire(diff: Diff) -> wire::ReflectionSchemaDiff {
    let subject = |relation, changed| wire::ReflectionRelationSubjectTypeChange {
        relation: Some(relation_to_wire(relation)),
        changed_subject_type: Some(subject_to_wire(changed)),
    };
    let diff = match diff {
        Diff::DefinitionAdded(it) => WireDiff::DefinitionAdded(definition_to_wire(it)),
        Diff::DefinitionRemoved(it) => WireDiff::DefinitionRemoved(definition_to_wire(it)),
        Diff::DefinitionDocCommentChanged(it) => {
            WireDiff::DefinitionDocCommentChanged(definition_to_wire(it))
        }
        Diff::RelationAdded(it) => WireDiff::RelationAdded(relation_to_wire(it)),
        Diff::RelationRemoved(it) => WireDiff::RelationRemoved(relation_to_wire(it)),
        Diff::RelationDocCommentChanged(it) => WireDiff::RelationDocCommentChanged(relation_to_wire(it)),
        Diff::RelationSubjectTypeAdded { relation, changed } => {
            WireDiff::RelationSubjectTypeAdded(subject(relation, changed))
        }
        Diff::RelationSubjectTypeRemoved { relation, changed } => {
            WireDiff::RelationSubjectTypeRemoved(subject(relation, changed))
        }
        Diff::PermissionAdded(it) => WireDiff::PermissionAdded(permission_to_wire(it)),
        Diff::PermissionRemoved(it) => WireDiff::PermissionRemoved(permission_to_wire(it)),
        Diff::PermissionDocCommentChanged(it) => {
            WireDiff::PermissionDocCommentChanged(permission_to_wire(it))
        }
        Diff::PermissionExprChanged(it) => WireDiff::PermissionExprChanged(permission_to_wire(it)),
        Diff::CaveatAdded(it) => WireDiff::CaveatAdded(caveat_to_wire(it)),
        Diff::CaveatRemoved(it) => WireDiff::CaveatRemoved(caveat_to_wire(it)),
        Diff::CaveatDocCommentChanged(it) => WireDiff::CaveatDocCommentChanged(caveat_to_wire(it)),
        Diff::CaveatExprChanged(it) => WireDiff::CaveatExprChanged(caveat_to_wire(it)),
        Diff::CaveatParameterAdded { caveat, parameter } => {
            WireDiff::CaveatParameterAdded(parameter_to_wire(&caveat, &parameter))
        }
        Diff::CaveatParameterRemoved { caveat, parameter } => {
            WireDiff::CaveatParameterRemoved(parameter_to_wire(&caveat, &parameter))
        }
        Diff::CaveatParameterTypeChanged { caveat, parameter, previous_type } => {
            WireDiff::CaveatParameterTypeChanged(wire::ReflectionCaveatParameterTypeChange {
                parameter: Some(parameter_to_wire(&caveat, &parameter)),
                previous_type: previous_type.to_string(),
            })
        }
    };
    wire::ReflectionSchemaDiff { diff: Some(diff) }
}
