//! Objects, subjects, relationships and instants: read from flags, and as text.

use pemba_client::wire;
use pemba_model::Timestamp;
use pemba_model::text::{parse_object, parse_relationship, parse_subject};
use pemba_proto::authzed::api::v1::{ObjectReference, Relationship, SubjectReference};

use super::time::{now, relative};

/// Reads `type:id`.
pub(crate) fn object(text: &str) -> Result<ObjectReference, String> {
    parse_object(text).map(|object| wire::object_to_wire(&object)).map_err(|error| error.to_string())
}

/// Reads `type:id` or `type:id#relation`.
pub(crate) fn subject(text: &str) -> Result<SubjectReference, String> {
    parse_subject(text).map(|subject| wire::subject_to_wire(&subject)).map_err(|error| error.to_string())
}

/// Reads `type:id#relation@type:id`.
pub(crate) fn relationship(text: &str) -> Result<Relationship, String> {
    let read = parse_relationship(text).map_err(|error| error.to_string())?;
    wire::relationship_to_wire(&read).map_err(|error| error.to_string())
}

/// A relationship as it is read.
pub(crate) fn relationship_text(relationship: &Relationship) -> String {
    wire::relationship_from_wire(relationship.clone())
        .map_or_else(|error| error.to_string(), |relationship| relationship.to_string())
}

/// `type:id`; empty for none.
pub(crate) fn object_text(object: Option<&ObjectReference>) -> String {
    object.map(|object| format!("{}:{}", object.object_type, object.object_id)).unwrap_or_default()
}

/// `type:id, type:id`.
pub(crate) fn objects_text(objects: &[ObjectReference]) -> String {
    objects.iter().map(|object| object_text(Some(object))).collect::<Vec<_>>().join(", ")
}

/// `type:id` or `type:id#relation`; empty for none.
pub(crate) fn subject_text(subject: Option<&SubjectReference>) -> String {
    let Some(subject) = subject else { return String::new() };
    let object = object_text(subject.object.as_ref());
    if subject.optional_relation.is_empty() {
        object
    } else {
        format!("{object}#{}", subject.optional_relation)
    }
}

/// The instant of an answer, where there is one that makes sense.
pub(crate) fn instant(time: Option<prost_types::Timestamp>) -> Option<Timestamp> {
    time.and_then(|time| wire::time_from_wire(time).ok())
}

/// The instant and how far it is from now; empty for none.
pub(crate) fn instant_text(time: Option<prost_types::Timestamp>) -> String {
    instant(time).map(|at| format!("{at} ({})", relative(at, now()))).unwrap_or_default()
}

/// How far an instant is from now; empty for none.
pub(crate) fn relative_text(time: Option<prost_types::Timestamp>) -> String {
    instant(time).map(|at| relative(at, now())).unwrap_or_default()
}
