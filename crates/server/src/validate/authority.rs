//! The requests of `pemba.v1.AuthorityService`.

use pemba_proto::authzed::api::v1::{Consistency, Cursor, ObjectReference, Relationship};
use pemba_proto::pemba::v1 as own;

use super::check::no_wildcard_resource;
use super::{Checked, Path, names, references};

/// A question about one object, in a message or an item of one.
pub(crate) fn authority_question(
    path: Path<'_>,
    resource: Option<&ObjectReference>,
    permission: &str,
) -> Checked {
    references::object(path.field("resource"), resource)?;
    no_wildcard_resource(path.field("resource"), resource)?;
    names::relation(path.field("permission"), permission)
}

/// What several requests have.
pub(crate) fn authority_reading(
    consistency: Option<&Consistency>,
    contextual: &[Relationship],
    cursor: Option<&Cursor>,
) -> Checked {
    references::consistency(consistency)?;
    for (index, relationship) in contextual.iter().enumerate() {
        references::relationship(Path::Root.item("contextual_relationships", index), Some(relationship))?;
    }
    references::cursor(cursor)
}

/// The names of a lookup of resources.
pub(crate) fn lookup_resources_as(request: &own::LookupResourcesAsRequest) -> Checked {
    let root = Path::Root;
    names::object_type(root.field("resource_type"), &request.resource_type)?;
    names::relation(root.field("permission"), &request.permission)?;
    let contextual = &request.contextual_relationships;
    authority_reading(request.consistency.as_ref(), contextual, request.optional_cursor.as_ref())
}

/// The names of a lookup of subjects.
pub(crate) fn lookup_subjects_as(request: &own::LookupSubjectsAsRequest) -> Checked {
    let root = Path::Root;
    references::object(root.field("resource"), request.resource.as_ref())?;
    no_wildcard_resource(root.field("resource"), request.resource.as_ref())?;
    names::relation(root.field("permission"), &request.permission)?;
    names::object_type(root.field("subject_type"), &request.subject_type)?;
    authority_reading(request.consistency.as_ref(), &[], request.optional_cursor.as_ref())
}
