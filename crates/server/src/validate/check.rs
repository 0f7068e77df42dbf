//! The requests that ask: check, expand, lookups.

use pemba_model::WILDCARD_ID;
use pemba_proto::authzed::api::v1::{
    CheckBulkPermissionsRequest, CheckBulkPermissionsRequestItem, CheckPermissionRequest,
    ExpandPermissionTreeRequest, LookupResourcesRequest, LookupSubjectsRequest, ObjectReference,
    SubjectReference, lookup_subjects_request::WildcardOption,
};

use super::rule::{OBJECT_TYPE, OPTIONAL_RELATION, RELATION};
use super::{Checked, Found, Invalid, Path, names, references};

pub(crate) fn check_permission(request: &CheckPermissionRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.CheckPermissionRequest");
    let root = Path::Root;
    references::consistency(&mut found, request.consistency.as_ref());
    references::object(&mut found, root.field("resource"), request.resource.as_ref());
    names::text(&mut found, root.field("permission"), &OPTIONAL_RELATION, &request.permission);
    references::subject(&mut found, root.field("subject"), request.subject.as_ref());
    found.checked()?;
    no_wildcard_resource(root.field("resource"), request.resource.as_ref())
}

pub(crate) fn bulk_check(request: &CheckBulkPermissionsRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.CheckBulkPermissionsRequest");
    references::consistency(&mut found, request.consistency.as_ref());
    for (index, item) in request.items.iter().enumerate() {
        let path = Path::Root.item("items", index);
        references::object(&mut found, path.field("resource"), item.resource.as_ref());
        names::text(&mut found, path.field("permission"), &OPTIONAL_RELATION, &item.permission);
        references::subject(&mut found, path.field("subject"), item.subject.as_ref());
    }
    found.checked()
}

/// What only one item of a bulk check suffers for.
pub(crate) fn bulk_check_item(index: usize, item: &CheckBulkPermissionsRequestItem) -> Checked {
    no_wildcard_resource(Path::Root.item("items", index).field("resource"), item.resource.as_ref())
}

pub(crate) fn expand(request: &ExpandPermissionTreeRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.ExpandPermissionTreeRequest");
    let root = Path::Root;
    references::consistency(&mut found, request.consistency.as_ref());
    references::object(&mut found, root.field("resource"), request.resource.as_ref());
    names::text(&mut found, root.field("permission"), &OPTIONAL_RELATION, &request.permission);
    found.checked()?;
    no_wildcard_resource(root.field("resource"), request.resource.as_ref())
}

pub(crate) fn lookup_resources(request: &LookupResourcesRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.LookupResourcesRequest");
    let root = Path::Root;
    references::consistency(&mut found, request.consistency.as_ref());
    names::text(&mut found, root.field("resource_object_type"), &OBJECT_TYPE, &request.resource_object_type);
    names::text(&mut found, root.field("permission"), &RELATION, &request.permission);
    references::subject(&mut found, root.field("subject"), request.subject.as_ref());
    references::cursor(&mut found, request.optional_cursor.as_ref());
    found.checked()
}

pub(crate) fn lookup_subjects(request: &LookupSubjectsRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.LookupSubjectsRequest");
    let root = Path::Root;
    references::consistency(&mut found, request.consistency.as_ref());
    references::object(&mut found, root.field("resource"), request.resource.as_ref());
    names::text(&mut found, root.field("permission"), &OPTIONAL_RELATION, &request.permission);
    names::text(&mut found, root.field("subject_object_type"), &OBJECT_TYPE, &request.subject_object_type);
    let relation = &request.optional_subject_relation;
    names::text(&mut found, root.field("optional_subject_relation"), &OPTIONAL_RELATION, relation);
    references::cursor(&mut found, request.optional_cursor.as_ref());
    found.checked()?;
    if WildcardOption::try_from(request.wildcard_option).is_err() {
        let message = format!("`{}` is not one of the defined values", request.wildcard_option);
        return Err(Invalid::at(root.field("wildcard_option"), message));
    }
    no_wildcard_resource(root.field("resource"), request.resource.as_ref())
}

/// The wildcard means every object as a subject; no resource is every object.
pub(crate) fn no_wildcard_resource(path: Path<'_>, object: Option<&ObjectReference>) -> Checked {
    match object {
        Some(object) if object.object_id == WILDCARD_ID => {
            Err(Invalid::at(path.field("object_id"), "the wildcard `*` is not allowed as a resource's id"))
        }
        _ => Ok(()),
    }
}

/// A wildcard stands for objects, never for usersets.
pub(crate) fn no_wildcard_with_relation(path: Path<'_>, subject: Option<&SubjectReference>) -> Checked {
    let id = subject.and_then(|subject| subject.object.as_ref()).map(|object| object.object_id.as_str());
    match subject {
        Some(subject) if !subject.optional_relation.is_empty() && id == Some(WILDCARD_ID) => {
            let message =
                format!("the wildcard `*` takes no relation; `{}` is given", subject.optional_relation);
            Err(Invalid::at(path.field("optional_relation"), message))
        }
        _ => Ok(()),
    }
}
