//! The messages that requests share: objects, subjects, relationships, filters, consistency.

use pemba_proto::authzed::api::v1::{
    Consistency, Cursor, ObjectReference, Relationship, RelationshipFilter, SubjectReference,
    consistency::Requirement,
};

use super::rule::{
    CAVEAT_NAME, OBJECT_ID, OBJECT_TYPE, OPTIONAL_OBJECT_TYPE, OPTIONAL_RELATION, OPTIONAL_RESOURCE_ID,
    OPTIONAL_SUBJECT_ID, RELATION, Rule,
};
use super::{Found, Path, names, required};

pub(super) fn object(found: &mut Found, path: Path<'_>, object: Option<&ObjectReference>) {
    let Some(object) = required(found, path, object) else { return };
    names::text(found, path.field("object_type"), &OBJECT_TYPE, &object.object_type);
    names::text(found, path.field("object_id"), &OBJECT_ID, &object.object_id);
}

pub(super) fn subject(found: &mut Found, path: Path<'_>, subject: Option<&SubjectReference>) {
    let Some(subject) = required(found, path, subject) else { return };
    object(found, path.field("object"), subject.object.as_ref());
    names::text(found, path.field("optional_relation"), &OPTIONAL_RELATION, &subject.optional_relation);
}

pub(super) fn relationship(found: &mut Found, path: Path<'_>, relationship: Option<&Relationship>) {
    let Some(relationship) = required(found, path, relationship) else { return };
    object(found, path.field("resource"), relationship.resource.as_ref());
    names::text(found, path.field("relation"), &RELATION, &relationship.relation);
    subject(found, path.field("subject"), relationship.subject.as_ref());
    if let Some(caveat) = &relationship.optional_caveat {
        let path = path.field("optional_caveat");
        names::text(found, path.field("caveat_name"), &CAVEAT_NAME, &caveat.caveat_name);
    }
}

pub(super) fn filter(found: &mut Found, path: Path<'_>, filter: &RelationshipFilter) {
    for (name, grammar, text) in [
        ("resource_type", OPTIONAL_OBJECT_TYPE, &filter.resource_type),
        ("optional_resource_id", OPTIONAL_RESOURCE_ID, &filter.optional_resource_id),
        ("optional_resource_id_prefix", OPTIONAL_RESOURCE_ID, &filter.optional_resource_id_prefix),
        ("optional_relation", OPTIONAL_RELATION, &filter.optional_relation),
    ] {
        names::text(found, path.field(name), &grammar, text);
    }
    let Some(subject) = &filter.optional_subject_filter else { return };
    let path = path.field("optional_subject_filter");
    names::text(found, path.field("subject_type"), &OBJECT_TYPE, &subject.subject_type);
    names::text(found, path.field("optional_subject_id"), &OPTIONAL_SUBJECT_ID, &subject.optional_subject_id);
    if let Some(filter) = &subject.optional_relation {
        let path = path.field("optional_relation");
        names::text(found, path.field("relation"), &OPTIONAL_RELATION, &filter.relation);
    }
}

/// A filter that must be there.
pub(super) fn required_filter(found: &mut Found, path: Path<'_>, filter: Option<&RelationshipFilter>) {
    if let Some(filter) = required(found, path, filter) {
        self::filter(found, path, filter);
    }
}

pub(super) fn consistency(found: &mut Found, consistency: Option<&Consistency>) {
    let Some(consistency) = consistency else { return };
    let root = Path::Root.field("consistency");
    let mut must_be_true = |name: &'static str, value: bool| {
        if !value {
            found.breaks(root.field(name), Rule::True, "`false` is given; only `true` is allowed");
        }
    };
    match &consistency.requirement {
        None => {
            found.breaks(root.field("requirement"), Rule::OneRequired, "exactly one field is required");
        }
        Some(Requirement::MinimizeLatency(value)) => must_be_true("minimize_latency", *value),
        Some(Requirement::FullyConsistent(value)) => must_be_true("fully_consistent", *value),
        Some(Requirement::AtLeastAsFresh(token)) => {
            names::token(found, root.field("at_least_as_fresh").field("token"), &token.token);
        }
        Some(Requirement::AtExactSnapshot(token)) => {
            names::token(found, root.field("at_exact_snapshot").field("token"), &token.token);
        }
    }
}

pub(super) fn cursor(found: &mut Found, cursor: Option<&Cursor>) {
    if let Some(cursor) = cursor {
        names::cursor(found, Path::Root.field("optional_cursor").field("token"), &cursor.token);
    }
}
