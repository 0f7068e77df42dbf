//! The requests that read and change relationships.

use pemba_proto::authzed::api::v1::{
    DeleteRelationshipsRequest, ExperimentalRegisterRelationshipCounterRequest,
    ExportBulkRelationshipsRequest, Precondition, ReadRelationshipsRequest, Relationship,
    WriteRelationshipsRequest, precondition, relationship_update,
};

use super::check::{no_wildcard_resource, no_wildcard_with_relation};
use super::{Checked, Path, defined, names, references, required};

pub(crate) fn write(request: &WriteRelationshipsRequest) -> Checked {
    for (index, update) in request.updates.iter().enumerate() {
        let path = Path::Root.item("updates", index);
        defined::<relationship_update::Operation>(path.field("operation"), update.operation)?;
        references::relationship(path.field("relationship"), update.relationship.as_ref())?;
    }
    preconditions(&request.optional_preconditions)?;
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
    let path = Path::Root.field("relationship_filter");
    references::filter(path, required(path, request.relationship_filter.as_ref())?)?;
    preconditions(&request.optional_preconditions)
}

pub(crate) fn read(request: &ReadRelationshipsRequest) -> Checked {
    references::consistency(request.consistency.as_ref())?;
    let path = Path::Root.field("relationship_filter");
    references::filter(path, required(path, request.relationship_filter.as_ref())?)?;
    references::cursor(request.optional_cursor.as_ref())
}

pub(crate) fn export(request: &ExportBulkRelationshipsRequest) -> Checked {
    references::consistency(request.consistency.as_ref())?;
    if let Some(filter) = &request.optional_relationship_filter {
        references::filter(Path::Root.field("optional_relationship_filter"), filter)?;
    }
    references::cursor(request.optional_cursor.as_ref())
}

pub(crate) fn register_counter(request: &ExperimentalRegisterRelationshipCounterRequest) -> Checked {
    counter_name(&request.name)?;
    let path = Path::Root.field("relationship_filter");
    references::filter(path, required(path, request.relationship_filter.as_ref())?)
}

/// The name of a counter, alone in its request but for the filter; empty passes.
pub(crate) fn counter_name(name: &str) -> Checked {
    names::optional_relation(Path::Root.field("name"), name)
}

/// The relationships of one message of an import stream.
pub(crate) fn import(relationships: &[Relationship]) -> Checked {
    for (index, relationship) in relationships.iter().enumerate() {
        let path = Path::Root.item("relationships", index);
        references::relationship(path, Some(relationship))?;
        wildcards(path, relationship)?;
    }
    Ok(())
}

fn preconditions(preconditions: &[Precondition]) -> Checked {
    for (index, precondition) in preconditions.iter().enumerate() {
        let path = Path::Root.item("optional_preconditions", index);
        defined::<precondition::Operation>(path.field("operation"), precondition.operation)?;
        let path = path.field("filter");
        references::filter(path, required(path, precondition.filter.as_ref())?)?;
    }
    Ok(())
}

fn wildcards(path: Path<'_>, relationship: &Relationship) -> Checked {
    no_wildcard_resource(path.field("resource"), relationship.resource.as_ref())?;
    no_wildcard_with_relation(path.field("subject"), relationship.subject.as_ref())
}
