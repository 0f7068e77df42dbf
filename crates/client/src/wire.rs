//! The model's nouns as messages, and back: for callers of generated clients over an
//! [`AuthenticatedChannel`](crate::AuthenticatedChannel).

use pemba_model::{
    CaveatRef, Context, ObjectRef, Operation, Precondition, RelationFilter, Relationship, RelationshipFilter,
    SmolStr, SubjectFilter, SubjectRef, Timestamp, Update,
};
use pemba_proto::authzed::api::v1;

use crate::{context, error::Error};

fn text(value: &Option<SmolStr>) -> String {
    value.as_ref().map(ToString::to_string).unwrap_or_default()
}

/// The message an answer cannot do without.
pub(crate) fn present<T>(field: Option<T>, name: &str) -> Result<T, Error> {
    field.ok_or_else(|| Error::malformed_answer(format!("`{name}` is missing")))
}

/// An object as a message.
pub fn object_to_wire(object: &ObjectRef) -> v1::ObjectReference {
    v1::ObjectReference {
        object_type: object.object_type.to_string(),
        object_id: object.object_id.to_string(),
    }
}

pub(crate) fn object_from_wire(object: v1::ObjectReference) -> ObjectRef {
    ObjectRef::new(object.object_type, object.object_id)
}

/// A subject as a message.
pub fn subject_to_wire(subject: &SubjectRef) -> v1::SubjectReference {
    v1::SubjectReference {
        object: Some(object_to_wire(&subject.object)),
        optional_relation: text(&subject.relation),
    }
}

pub(crate) fn subject_from_wire(subject: v1::SubjectReference) -> Result<SubjectRef, Error> {
    let object = object_from_wire(present(subject.object, "subject.object")?);
    let relation = Some(subject.optional_relation).filter(|name| !name.is_empty()).map(SmolStr::from);
    Ok(SubjectRef { object, relation })
}

/// The instant of a message.
///
/// # Errors
/// `Internal` outside the years 1 to 9999.
pub fn time_from_wire(time: prost_types::Timestamp) -> Result<Timestamp, Error> {
    u32::try_from(time.nanos)
        .map_err(|_| Error::malformed_answer(format!("`{}` nanoseconds", time.nanos)))
        .and_then(|nanos| Timestamp::new(time.seconds, nanos).map_err(Error::malformed_answer))
}

/// An instant as a message.
pub fn time_to_wire(time: Timestamp) -> prost_types::Timestamp {
    // Below one thousand million, so it fits.
    prost_types::Timestamp { seconds: time.seconds(), nanos: i32::try_from(time.nanos()).unwrap_or(0) }
}

/// A relationship as a message.
///
/// # Errors
/// `InvalidArgument` for a context nested too deep.
pub fn relationship_to_wire(relationship: &Relationship) -> Result<v1::Relationship, Error> {
    let caveat = relationship
        .caveat
        .as_ref()
        .map(|caveat| {
            let context = context::to_wire(&caveat.context)?;
            Ok::<_, Error>(v1::ContextualizedCaveat { caveat_name: caveat.name.to_string(), context })
        })
        .transpose()?;
    Ok(v1::Relationship {
        resource: Some(object_to_wire(&relationship.resource)),
        relation: relationship.relation.to_string(),
        subject: Some(subject_to_wire(&relationship.subject)),
        optional_caveat: caveat,
        optional_expires_at: relationship.expires_at.map(time_to_wire),
    })
}

/// Caveat context as a message; absent when empty.
///
/// # Errors
/// `InvalidArgument` for a context nested too deep.
pub fn context_to_wire(context: &Context) -> Result<Option<prost_types::Struct>, Error> {
    context::to_wire(context)
}

/// The caveat context of a message; an absent one is empty.
///
/// # Errors
/// `Internal` for what JSON cannot show.
pub fn context_from_wire(context: Option<prost_types::Struct>) -> Result<Context, Error> {
    context::from_wire(context)
}

/// The relationship of a message.
///
/// # Errors
/// `Internal` for a message without its parts.
pub fn relationship_from_wire(relationship: v1::Relationship) -> Result<Relationship, Error> {
    let caveat = relationship
        .optional_caveat
        .filter(|caveat| !caveat.caveat_name.is_empty())
        .map(|caveat| {
            let context = context::from_wire(caveat.context)?;
            Ok::<_, Error>(CaveatRef { name: caveat.caveat_name.into(), context })
        })
        .transpose()?;
    Ok(Relationship {
        resource: object_from_wire(present(relationship.resource, "resource")?),
        relation: relationship.relation.into(),
        subject: subject_from_wire(present(relationship.subject, "subject")?)?,
        caveat,
        expires_at: relationship.optional_expires_at.map(time_from_wire).transpose()?,
    })
}

pub(crate) fn update_to_wire(update: &Update) -> Result<v1::RelationshipUpdate, Error> {
    use v1::relationship_update::Operation as Wire;

    let operation = match update.operation {
        Operation::Create => Wire::Create,
        Operation::Touch => Wire::Touch,
        Operation::Delete => Wire::Delete,
    };
    Ok(v1::RelationshipUpdate {
        operation: operation.into(),
        relationship: Some(relationship_to_wire(&update.relationship)?),
    })
}

pub(crate) fn update_from_wire(update: v1::RelationshipUpdate) -> Result<Update, Error> {
    use v1::relationship_update::Operation as Wire;

    let operation = match update.operation() {
        Wire::Create => Operation::Create,
        Wire::Touch => Operation::Touch,
        Wire::Delete => Operation::Delete,
        Wire::Unspecified => {
            return Err(Error::malformed_answer(format!("`{}` is no update operation", update.operation)));
        }
    };
    let relationship = relationship_from_wire(present(update.relationship, "relationship")?)?;
    Ok(Update { operation, relationship })
}

pub(crate) fn filter_to_wire(filter: &RelationshipFilter) -> v1::RelationshipFilter {
    v1::RelationshipFilter {
        resource_type: text(&filter.resource_type),
        optional_resource_id: text(&filter.resource_id),
        optional_resource_id_prefix: text(&filter.resource_id_prefix),
        optional_relation: text(&filter.relation),
        optional_subject_filter: filter.subject.as_ref().map(subject_filter_to_wire),
    }
}

fn subject_filter_to_wire(filter: &SubjectFilter) -> v1::SubjectFilter {
    let relation = match &filter.relation {
        RelationFilter::Any => None,
        RelationFilter::NoRelation => Some(String::new()),
        RelationFilter::Is(relation) => Some(relation.to_string()),
    };
    v1::SubjectFilter {
        subject_type: filter.subject_type.to_string(),
        optional_subject_id: text(&filter.subject_id),
        optional_relation: relation.map(|relation| v1::subject_filter::RelationFilter { relation }),
    }
}

pub(crate) fn precondition_to_wire(precondition: &Precondition) -> v1::Precondition {
    use v1::precondition::Operation as Wire;

    let operation = match precondition {
        Precondition::MustMatch(_) => Wire::MustMatch,
        Precondition::MustNotMatch(_) => Wire::MustNotMatch,
    };
    v1::Precondition { operation: operation.into(), filter: Some(filter_to_wire(precondition.filter())) }
}

#[cfg(test)]
mod tests {
    use pemba_model::text::parse_relationship;

    use super::*;

    #[test]
    fn relationships_survive_the_round_trip() {
        for line in [
            "document:a#viewer@user:u",
            "document:a#viewer@user:*",
            "acme/document:a#viewer@group:g#member",
            r#"document:a#viewer@user:u[on_network:{"cidr":"10.0.0.0/8","n":3}]"#,
            "document:a#viewer@user:u[on_network][expiration:2030-01-02T03:04:05.000000006Z]",
        ] {
            let relationship = parse_relationship(line).unwrap();
            let wire = relationship_to_wire(&relationship).unwrap();
            assert_eq!(relationship_from_wire(wire).unwrap(), relationship, "{line}");
        }
    }

    #[test]
    fn updates_survive_the_round_trip_and_garbage_does_not() {
        let relationship = parse_relationship("document:a#viewer@user:u").unwrap();
        for operation in [Operation::Create, Operation::Touch, Operation::Delete] {
            let update = Update { operation, relationship: relationship.clone() };
            assert_eq!(update_from_wire(update_to_wire(&update).unwrap()).unwrap(), update);
        }
        let nothing = update_from_wire(v1::RelationshipUpdate::default()).unwrap_err();
        assert_eq!(nothing.code(), tonic::Code::Internal);
        assert!(relationship_from_wire(v1::Relationship::default()).is_err());
    }

    #[test]
    fn a_subject_filter_tells_no_relation_from_any() {
        let wire = |relation| {
            let subject = Some(SubjectFilter { subject_type: "user".into(), subject_id: None, relation });
            let filter = RelationshipFilter { subject, ..RelationshipFilter::default() };
            filter_to_wire(&filter).optional_subject_filter.unwrap().optional_relation.map(|r| r.relation)
        };
        assert_eq!(wire(RelationFilter::Any), None);
        assert_eq!(wire(RelationFilter::NoRelation), Some(String::new()));
        assert_eq!(wire(RelationFilter::Is("member".into())), Some("member".into()));
    }
}
