//! The requests of `pemba.v1.AuthorityService`.

use pemba_proto::authzed::api::v1::{Consistency, Cursor, ObjectReference, Relationship};
use pemba_proto::pemba::v1 as own;

use super::check::no_wildcard_resource;
use super::rule::{OBJECT_TYPE, RELATION};
use super::{Checked, Found, Path, names, references};

/// A question about one object, in a message or an item of one.
pub(crate) fn authority_question(
    path: Path<'_>,
    resource: Option<&ObjectReference>,
    permission: &str,
) -> Checked {
    let mut found = Found::in_own_message();
    references::object(&mut found, path.field("resource"), resource);
    names::text(&mut found, path.field("permission"), &RELATION, permission);
    found.checked()?;
    no_wildcard_resource(path.field("resource"), resource)
}

/// What several requests have.
pub(crate) fn authority_reading(
    consistency: Option<&Consistency>,
    contextual: &[Relationship],
    cursor: Option<&Cursor>,
) -> Checked {
    let mut found = Found::in_own_message();
    reading(&mut found, consistency, contextual, cursor);
    found.checked()
}

fn reading(
    found: &mut Found,
    consistency: Option<&Consistency>,
    contextual: &[Relationship],
    cursor: Option<&Cursor>,
) {
    references::consistency(found, consistency);
    for (index, relationship) in contextual.iter().enumerate() {
        references::relationship(
            found,
            Path::Root.item("contextual_relationships", index),
            Some(relationship),
        );
    }
    references::cursor(found, cursor);
}

/// The names of a lookup of resources.
pub(crate) fn lookup_resources_as(request: &own::LookupResourcesAsRequest) -> Checked {
    let (root, mut found) = (Path::Root, Found::in_own_message());
    names::text(&mut found, root.field("resource_type"), &OBJECT_TYPE, &request.resource_type);
    names::text(&mut found, root.field("permission"), &RELATION, &request.permission);
    let contextual = &request.contextual_relationships;
    reading(&mut found, request.consistency.as_ref(), contextual, request.optional_cursor.as_ref());
    found.checked()
}

/// The names of a lookup of subjects.
pub(crate) fn lookup_subjects_as(request: &own::LookupSubjectsAsRequest) -> Checked {
    let (root, mut found) = (Path::Root, Found::in_own_message());
    references::object(&mut found, root.field("resource"), request.resource.as_ref());
    names::text(&mut found, root.field("permission"), &RELATION, &request.permission);
    names::text(&mut found, root.field("subject_type"), &OBJECT_TYPE, &request.subject_type);
    reading(&mut found, request.consistency.as_ref(), &[], request.optional_cursor.as_ref());
    found.checked()?;
    no_wildcard_resource(root.field("resource"), request.resource.as_ref())
}
