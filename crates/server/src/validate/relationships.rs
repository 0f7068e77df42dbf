//! The requests that read and change relationships.

use pemba_proto::authzed::api::v1::{
    DeleteRelationshipsRequest, ExperimentalRegisterRelationshipCounterRequest,
    ExportBulkRelationshipsRequest, Precondition, ReadRelationshipsRequest, Relationship,
    WriteRelationshipsRequest, precondition, relationship_update,
};

use super::check::{no_wildcard_resource, no_wildcard_with_relation};
use super::rule::OPTIONAL_RELATION;
use super::{Checked, Found, Path, defined, names, references};

pub(crate) fn write(request: &WriteRelationshipsRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.WriteRelationshipsRequest");
    for (index, update) in request.updates.iter().enumerate() {
        let path = Path::Root.item("updates", index);
        defined::<relationship_update::Operation>(&mut found, path.field("operation"), update.operation);
        references::relationship(&mut found, path.field("relationship"), update.relationship.as_ref());
    }
    preconditions(&mut found, &request.optional_preconditions);
    found.checked()?;
    for (index, update) in request.updates.iter().enumerate() {
        let path = Path::Root.item("updates", index);
        let path = path.field("relationship");
        if let Some(relationship) = &update.relationship {
            wildcards(path, relationship)?;
        }
    }
    Ok(())
}

pub(crate) fn delete(request: &DeleteRelationshipsRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.DeleteRelationshipsRequest");
    let path = Path::Root.field("relationship_filter");
    references::required_filter(&mut found, path, request.relationship_filter.as_ref());
    preconditions(&mut found, &request.optional_preconditions);
    found.checked()
}

pub(crate) fn read(request: &ReadRelationshipsRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.ReadRelationshipsRequest");
    references::consistency(&mut found, request.consistency.as_ref());
    let path = Path::Root.field("relationship_filter");
    references::required_filter(&mut found, path, request.relationship_filter.as_ref());
    references::cursor(&mut found, request.optional_cursor.as_ref());
    found.checked()
}

pub(crate) fn export(request: &ExportBulkRelationshipsRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.ExportBulkRelationshipsRequest");
    references::consistency(&mut found, request.consistency.as_ref());
    references::cursor(&mut found, request.optional_cursor.as_ref());
    if let Some(filter) = &request.optional_relationship_filter {
        references::filter(&mut found, Path::Root.field("optional_relationship_filter"), filter);
    }
    found.checked()
}

pub(crate) fn register_counter(request: &ExperimentalRegisterRelationshipCounterRequest) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.ExperimentalRegisterRelationshipCounterRequest");
    names::text(&mut found, Path::Root.field("name"), &OPTIONAL_RELATION, &request.name);
    let path = Path::Root.field("relationship_filter");
    references::required_filter(&mut found, path, request.relationship_filter.as_ref());
    found.checked()
}

/// The name of a counter, alone in its request; empty passes.
pub(crate) fn counter_name(name: &str) -> Checked {
    // The request to remove a counter has the same field.
    let mut found = Found::in_message("authzed.api.v1.ExperimentalCountRelationshipsRequest");
    names::text(&mut found, Path::Root.field("name"), &OPTIONAL_RELATION, name);
    found.checked()
}

/// The relationships of one message of an import stream.
pub(crate) fn import(relationships: &[Relationship]) -> Checked {
    let mut found = Found::in_message("authzed.api.v1.ImportBulkRelationshipsRequest");
    for (index, relationship) in relationships.iter().enumerate() {
        let path = Path::Root.item("relationships", index);
        references::relationship(&mut found, path, Some(relationship));
    }
    found.checked()?;
    for (index, relationship) in relationships.iter().enumerate() {
        wildcards(Path::Root.item("relationships", index), relationship)?;
    }
    Ok(())
}

fn preconditions(found: &mut Found, preconditions: &[Precondition]) {
    for (index, precondition) in preconditions.iter().enumerate() {
        let path = Path::Root.item("optional_preconditions", index);
        defined::<precondition::Operation>(found, path.field("operation"), precondition.operation);
        references::required_filter(found, path.field("filter"), precondition.filter.as_ref());
    }
}

fn wildcards(path: Path<'_>, relationship: &Relationship) -> Checked {
    no_wildcard_resource(path.field("resource"), relationship.resource.as_ref())?;
    no_wildcard_with_relation(path.field("subject"), relationship.subject.as_ref())
}
