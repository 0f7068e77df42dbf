//! The messages that requests share: objects, subjects, relationships, filters, consistency.

use pemba_proto::authzed::api::v1::{
    Consistency, Cursor, ObjectReference, Relationship, RelationshipFilter, SubjectReference,
    consistency::Requirement,
};

use super::{Checked, Invalid, Path, names, required};

pub(super) fn object(path: Path<'_>, object: Option<&ObjectReference>) -> Checked {
    let object = required(path, object)?;
    names::object_type(path.field("object_type"), &object.object_type)?;
    names::object_id(path.field("object_id"), &object.object_id)
}

pub(super) fn subject(path: Path<'_>, subject: Option<&SubjectReference>) -> Checked {
    let subject = required(path, subject)?;
    self::object(path.field("object"), subject.object.as_ref())?;
    names::optional_relation(path.field("optional_relation"), &subject.optional_relation)
}

pub(super) fn relationship(path: Path<'_>, relationship: Option<&Relationship>) -> Checked {
    let relationship = required(path, relationship)?;
    object(path.field("resource"), relationship.resource.as_ref())?;
    names::relation(path.field("relation"), &relationship.relation)?;
    subject(path.field("subject"), relationship.subject.as_ref())?;
    match &relationship.optional_caveat {
        Some(caveat) => {
            names::caveat_name(path.field("optional_caveat").field("caveat_name"), &caveat.caveat_name)
        }
        None => Ok(()),
    }
}

pub(super) fn filter(path: Path<'_>, filter: &RelationshipFilter) -> Checked {
    names::optional_object_type(path.field("resource_type"), &filter.resource_type)?;
    names::optional_resource_id(path.field("optional_resource_id"), &filter.optional_resource_id)?;
    names::optional_resource_id(
        path.field("optional_resource_id_prefix"),
        &filter.optional_resource_id_prefix,
    )?;
    names::optional_relation(path.field("optional_relation"), &filter.optional_relation)?;
    let Some(subject) = &filter.optional_subject_filter else { return Ok(()) };
    let path = path.field("optional_subject_filter");
    names::object_type(path.field("subject_type"), &subject.subject_type)?;
    names::optional_subject_id(path.field("optional_subject_id"), &subject.optional_subject_id)?;
    match &subject.optional_relation {
        Some(filter) => {
            names::optional_relation(path.field("optional_relation").field("relation"), &filter.relation)
        }
        None => Ok(()),
    }
}

pub(super) fn consistency(consistency: Option<&Consistency>) -> Checked {
    let Some(consistency) = consistency else { return Ok(()) };
    let root = Path::Root.field("consistency");
    let must_be_true = |name: &'static str, value: bool| {
        if value {
            Ok(())
        } else {
            Err(Invalid::at(root.field(name), "`false` is given; only `true` is allowed"))
        }
    };
    match &consistency.requirement {
        None => Err(Invalid::at(root.field("requirement"), "exactly one field is required")),
        Some(Requirement::MinimizeLatency(value)) => must_be_true("minimize_latency", *value),
        Some(Requirement::FullyConsistent(value)) => must_be_true("fully_consistent", *value),
        Some(Requirement::AtLeastAsFresh(token)) => {
            names::token(root.field("at_least_as_fresh").field("token"), &token.token)
        }
        Some(Requirement::AtExactSnapshot(token)) => {
            names::token(root.field("at_exact_snapshot").field("token"), &token.token)
        }
    }
}

pub(super) fn cursor(cursor: Option<&Cursor>) -> Checked {
    match cursor {
        Some(cursor) => names::cursor(Path::Root.field("optional_cursor").field("token"), &cursor.token),
        None => Ok(()),
    }
}
