//! Objects, subjects, relationships, filters, updates.

use pemba_model::{
    CaveatRef, Context, ObjectRef, Operation, Precondition, RelationFilter, Relationship, RelationshipFilter,
    SmolStr, SubjectFilter, SubjectRef, Timestamp, Update,
};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::precondition;
use pemba_proto::authzed::api::v1::relationship_update::Operation as WireOperation;

use super::{context, optional};
use crate::validate::{Invalid, Path};

/// An object; an absent one, which validation refuses, has empty names.
pub(crate) fn object(object: Option<&wire::ObjectReference>) -> ObjectRef {
    object.map_or_else(
        || ObjectRef::new("", ""),
        |object| ObjectRef::new(object.object_type.as_str(), object.object_id.as_str()),
    )
}

pub(crate) fn subject(subject: Option<&wire::SubjectReference>) -> SubjectRef {
    SubjectRef {
        object: object(subject.and_then(|subject| subject.object.as_ref())),
        relation: subject.and_then(|subject| optional(&subject.optional_relation)),
    }
}

pub(crate) fn object_to_wire(object: &ObjectRef) -> wire::ObjectReference {
    wire::ObjectReference {
        object_type: object.object_type.to_string(),
        object_id: object.object_id.to_string(),
    }
}

pub(crate) fn subject_to_wire(subject: &SubjectRef) -> wire::SubjectReference {
    wire::SubjectReference {
        object: Some(object_to_wire(&subject.object)),
        optional_relation: subject.relation.as_ref().map(SmolStr::to_string).unwrap_or_default(),
    }
}

/// A relationship; what stands at `path` is wrong when its context or its expiry is no JSON or no time.
pub(crate) fn relationship(
    path: Path<'_>,
    relationship: &wire::Relationship,
) -> Result<Relationship, Invalid> {
    let caveat = match &relationship.optional_caveat {
        None => None,
        Some(caveat) => Some(CaveatRef {
            name: caveat.caveat_name.as_str().into(),
            context: match &caveat.context {
                None => Context::new(),
                Some(context) => context::from_wire(context).map_err(|error| {
                    Invalid::at(path.field("optional_caveat").field("context"), error.to_string())
                })?,
            },
        }),
    };
    let expires_at = match &relationship.optional_expires_at {
        None => None,
        Some(instant) => Some(timestamp(path.field("optional_expires_at"), *instant)?),
    };
    Ok(Relationship {
        resource: object(relationship.resource.as_ref()),
        relation: relationship.relation.as_str().into(),
        subject: subject(relationship.subject.as_ref()),
        caveat,
        expires_at,
    })
}

/// An instant; what is no time is wrong at `path`.
pub(crate) fn timestamp(path: Path<'_>, instant: prost_types::Timestamp) -> Result<Timestamp, Invalid> {
    u32::try_from(instant.nanos)
        .ok()
        .and_then(|nanos| Timestamp::new(instant.seconds, nanos).ok())
        .ok_or_else(|| {
            let message = format!(
                "{} seconds and {} nanoseconds are not a time from the year 1 to 9999",
                instant.seconds, instant.nanos
            );
            Invalid::at(path, message)
        })
}

pub(crate) fn timestamp_to_wire(instant: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp {
        seconds: instant.seconds(),
        nanos: i32::try_from(instant.nanos()).unwrap_or_default(),
    }
}

pub(crate) fn relationship_to_wire(relationship: &Relationship) -> wire::Relationship {
    wire::Relationship {
        resource: Some(object_to_wire(&relationship.resource)),
        relation: relationship.relation.to_string(),
        subject: Some(subject_to_wire(&relationship.subject)),
        optional_caveat: relationship.caveat.as_ref().map(|caveat| wire::ContextualizedCaveat {
            caveat_name: caveat.name.to_string(),
            // An empty one too: that is how clients of the interface know it.
            context: Some(context::to_wire(&caveat.context)),
        }),
        optional_expires_at: relationship.expires_at.map(timestamp_to_wire),
    }
}

pub(crate) fn filter(filter: &wire::RelationshipFilter) -> RelationshipFilter {
    RelationshipFilter {
        resource_type: optional(&filter.resource_type),
        resource_id: optional(&filter.optional_resource_id),
        resource_id_prefix: optional(&filter.optional_resource_id_prefix),
        relation: optional(&filter.optional_relation),
        subject: filter.optional_subject_filter.as_ref().map(|subject| SubjectFilter {
            subject_type: subject.subject_type.as_str().into(),
            subject_id: optional(&subject.optional_subject_id),
            relation: match &subject.optional_relation {
                None => RelationFilter::Any,
                Some(filter) => {
                    optional(&filter.relation).map_or(RelationFilter::NoRelation, RelationFilter::Is)
                }
            },
        }),
    }
}

/// A filter as errors show it: only the fields that are set.
pub(crate) fn filtered_text(filter: &RelationshipFilter) -> String {
    let mut parts = Vec::new();
    let mut part = |name: &str, value: &Option<SmolStr>| {
        if let Some(value) = value {
            parts.push(format!("{name}:{value}"));
        }
    };
    part("resource_type", &filter.resource_type);
    part("resource_id", &filter.resource_id);
    part("resource_id_prefix", &filter.resource_id_prefix);
    part("relation", &filter.relation);
    if let Some(subject) = &filter.subject {
        part("subject_type", &Some(subject.subject_type.clone()));
        part("subject_id", &subject.subject_id);
        if let RelationFilter::Is(relation) = &subject.relation {
            part("subject_relation", &Some(relation.clone()));
        }
    }
    parts.join(" ")
}

pub(crate) fn update(path: Path<'_>, update: &wire::RelationshipUpdate) -> Result<Update, Invalid> {
    let operation = match WireOperation::try_from(update.operation) {
        Ok(WireOperation::Create) => Operation::Create,
        Ok(WireOperation::Touch) => Operation::Touch,
        Ok(WireOperation::Delete) => Operation::Delete,
        Ok(WireOperation::Unspecified) | Err(_) => {
            let message = format!("`{}` is not one of the defined values other than 0", update.operation);
            return Err(Invalid::at(path.field("operation"), message));
        }
    };
    let Some(relationship) = &update.relationship else {
        return Err(Invalid::at(path.field("relationship"), "a value is required"));
    };
    Ok(Update { operation, relationship: self::relationship(path.field("relationship"), relationship)? })
}

/// A change as a watch reports it.
pub(crate) fn updated_to_wire(update: &Update) -> wire::RelationshipUpdate {
    let operation = match update.operation {
        Operation::Create | Operation::Touch => WireOperation::Touch,
        Operation::Delete => WireOperation::Delete,
    };
    wire::RelationshipUpdate {
        operation: operation.into(),
        relationship: Some(relationship_to_wire(&update.relationship)),
    }
}

/// The preconditions of a write or delete.
pub(crate) fn preconditions(preconditions: &[wire::Precondition]) -> Vec<Precondition> {
    preconditions
        .iter()
        .map(|precondition| {
            let filter = precondition.filter.as_ref().map(filter).unwrap_or_default();
            match precondition::Operation::try_from(precondition.operation) {
                Ok(precondition::Operation::MustNotMatch) => Precondition::MustNotMatch(filter),
                _ => Precondition::MustMatch(filter),
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pemba_proto::authzed::api::v1::subject_filter;

    #[test]
    fn relationships_come_back() {
        let text = r#"docs/file:a#viewer@group:eng#member[ip:{"x":1}][expiration:2030-01-01T00:00:00Z]"#;
        let read = pemba_model::text::parse_relationship(text).unwrap();
        let back = relationship(Path::Root, &relationship_to_wire(&read)).unwrap();
        assert_eq!(back.to_string(), text);
    }

    #[test]
    fn a_subject_relation_filter_has_three_forms() {
        let read = |relation: Option<&str>| {
            let relation = relation.map(|text| subject_filter::RelationFilter { relation: text.to_owned() });
            let subject = wire::SubjectFilter {
                subject_type: "user".into(),
                optional_subject_id: "*".into(),
                optional_relation: relation,
            };
            let wire =
                wire::RelationshipFilter { optional_subject_filter: Some(subject), ..Default::default() };
            filter(&wire).subject.unwrap().relation
        };
        assert_eq!(read(None), RelationFilter::Any);
        assert_eq!(read(Some("")), RelationFilter::NoRelation);
        assert_eq!(read(Some("member")), RelationFilter::Is("member".into()));
    }

    #[test]
    fn times_outside_the_calendar_are_refused_with_their_place() {
        let path = Path::Root;
        for (seconds, nanos) in [(253_402_300_800, 0), (-62_135_596_801, 0), (0, -1), (0, 1_000_000_000)] {
            let invalid = timestamp(path.field("at"), prost_types::Timestamp { seconds, nanos }).unwrap_err();
            assert_eq!(invalid.first.field, "at");
        }
    }
}
