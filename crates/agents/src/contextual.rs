//! Relationships that are not in the graph and count for one request: those it brings along and those of its session.

use pemba_engine::{Overlay, OverlayError, Snapshot};
use pemba_model::{CaveatRef, Relationship, SmolStr, Timestamp};
use pemba_schema::{Schema, SubjectShape};

use crate::error::{Reason, Refused};
use crate::limits::CONTEXTUAL_MAX;
use crate::records::Session;
use crate::scope::check_values;

/// The graph as a request sees it: with what it brings along and what its session grants; `None` when that is nothing.
/// What has expired is left out.
pub fn overlay<'a>(
    snapshot: &'a Snapshot,
    schema: &Schema,
    session: Option<&Session>,
    contextual: &[Relationship],
    now: Timestamp,
) -> Result<Option<Overlay<'a, Snapshot>>, Refused> {
    crate::scope::check_count("contextual_relationships", contextual.len(), CONTEXTUAL_MAX)?;
    for (at, relationship) in contextual.iter().enumerate() {
        check_allowed(schema, relationship, &format!("contextual_relationships[{at}]"))?;
    }
    let mut extra: Vec<Relationship> = Vec::new();
    let granted =
        session.filter(|session| session.closed.is_none()).map_or(&[][..], |session| &session.grants);
    // A schema written since may no longer know what was granted.
    for grant in granted.iter().filter(|grant| check_allowed(schema, grant, "grants").is_ok()) {
        if matches!(beside(snapshot, &extra, grant, now), Beside::Counts) {
            extra.push(grant.clone());
        }
    }
    for relationship in contextual {
        match beside(snapshot, &extra, relationship, now) {
            Beside::Counts => extra.push(relationship.clone()),
            Beside::AddsNothing => {}
            Beside::Clashes => {
                let message =
                    format!("`{relationship}` is there under another caveat, which it cannot replace");
                return Err(Refused::new(Reason::ContextualNotAllowed, "contextual_relationships", message));
            }
        }
    }
    if extra.is_empty() {
        return Ok(None);
    }
    let not_allowed = |error: OverlayError| {
        Refused::new(Reason::ContextualNotAllowed, "contextual_relationships", error.to_string())
    };
    Overlay::new(snapshot, &extra).map(Some).map_err(not_allowed)
}

/// What a relationship does beside the same edge where that counts already.
enum Beside {
    /// It makes an edge, or strengthens the one that is there.
    Counts,
    /// It has expired, or the edge counts without any condition.
    AddsNothing,
    /// The edge is there under another caveat: one of the two would have to give way, and where the edge excludes
    /// somebody, giving way would grant.
    Clashes,
}

/// Compares a relationship with the same edge as `extra` or else the graph has it.
fn beside(
    snapshot: &Snapshot,
    extra: &[Relationship],
    relationship: &Relationship,
    now: Timestamp,
) -> Beside {
    if relationship.expires_at.is_some_and(|at| at <= now) {
        return Beside::AddsNothing;
    }
    let Some(caveat) = &relationship.caveat else { return Beside::Counts };
    let there = match extra.iter().rfind(|other| other.same_identity(relationship)) {
        Some(other) => Some(other.caveat.clone()),
        None => stored_caveat(snapshot, relationship, now),
    };
    match there {
        Some(None) => Beside::AddsNothing,
        Some(Some(there)) if there != *caveat => Beside::Clashes,
        Some(Some(_)) | None => Beside::Counts,
    }
}

/// The caveat of the stored edge, if there is one that has not expired; `Some(None)` for one without a caveat.
fn stored_caveat(
    snapshot: &Snapshot,
    relationship: &Relationship,
    now: Timestamp,
) -> Option<Option<CaveatRef>> {
    let attributes = snapshot.edge(snapshot.edge_key(relationship)?)?;
    match attributes {
        None => Some(None),
        Some(qualifier) => qualifier.expires_at.is_none_or(|at| now < at).then(|| qualifier.caveat.clone()),
    }
}

/// Checks that the schema allows a relationship, with the caveat it has. It may expire wherever it is allowed at all:
/// it never lives longer than what brings it.
pub fn check_allowed(schema: &Schema, relationship: &Relationship, field: &str) -> Result<(), Refused> {
    let refused = |message: String| Refused::new(Reason::ContextualNotAllowed, field, message);
    relationship.check_names().map_err(|error| refused(error.to_string()))?;
    let relation = schema
        .definitions
        .get(&relationship.resource.object_type)
        .and_then(|definition| definition.relations.get(&relationship.relation))
        .ok_or_else(|| {
            let (object_type, name) = (&relationship.resource.object_type, &relationship.relation);
            refused(format!("the schema has no relation `{object_type}#{name}`"))
        })?;
    let subject = &relationship.subject;
    let shape = SubjectShape::of(subject);
    let caveat: Option<&SmolStr> = relationship.caveat.as_ref().map(|caveat| &caveat.name);
    let is_allowed = relation.allowed.iter().any(|allowed| {
        allowed.subject_type == subject.object.object_type
            && allowed.shape == shape
            && allowed.caveat.as_ref() == caveat
    });
    if !is_allowed {
        return Err(refused(format!("the schema does not allow `{relationship}`")));
    }
    match &relationship.caveat {
        Some(caveat) => check_values(schema, caveat).map_err(refused),
        None => Ok(()),
    }
}
