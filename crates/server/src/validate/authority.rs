//! The requests of `pemba.v1.AuthorityService`.

use pemba_model::WILDCARD_ID;
use pemba_proto::authzed::api::v1::{Consistency, Cursor, ObjectReference, Relationship};
use pemba_proto::pemba::v1 as own;

use super::check::no_wildcard_resource;
use super::{Checked, Invalid, Path, names, references, required};

/// A question about one object, in a message or an item of one.
pub(crate) fn authority_question(
    path: Path<'_>,
    chain: Option<&own::Chain>,
    resource: Option<&ObjectReference>,
    permission: &str,
) -> Checked {
    authority_chain(path.field("chain"), chain)?;
    references::object(path.field("resource"), resource)?;
    no_wildcard_resource(path.field("resource"), resource)?;
    names::relation(path.field("permission"), permission)
}

/// A chain; ids are looked at where they are read.
fn authority_chain(path: Path<'_>, chain: Option<&own::Chain>) -> Checked {
    let chain = required(path, chain)?;
    if chain.root.is_some() {
        principal(path.field("root"), chain.root.as_ref())?;
    }
    for (index, actor) in chain.actors.iter().enumerate() {
        principal(path.item("actors", index), Some(actor))?;
    }
    Ok(())
}

fn principal(path: Path<'_>, principal: Option<&ObjectReference>) -> Checked {
    references::object(path, principal)?;
    match principal {
        Some(object) if object.object_id == WILDCARD_ID => {
            Err(Invalid::at(path.field("object_id"), "the wildcard `*` is nobody who could act"))
        }
        _ => Ok(()),
    }
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
    authority_chain(root.field("chain"), request.chain.as_ref())?;
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
