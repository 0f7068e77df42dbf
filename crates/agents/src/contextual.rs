//! Relationships that are not in the graph and count for one request: those it brings along and those of its session.

use pemba_engine::{Overlay, OverlayError, Snapshot};
use pemba_model::{Relationship, SmolStr, Timestamp};
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
    if let Some(other) = contextual.iter().find(|relationship| clashes(snapshot, relationship, now)) {
        let message = format!("`{other}` is stored under another caveat, which it cannot replace");
        return Err(Refused::new(Reason::ContextualNotAllowed, "contextual_relationships", message));
    }
    let granted =
        session.filter(|session| session.closed.is_none()).map_or(&[][..], |session| &session.grants);
    let extra: Vec<Relationship> = granted
        .iter()
        // A schema written since may no longer know what was granted; what is stored under another caveat holds.
        .filter(|relationship| check_allowed(schema, relationship, "grants").is_ok())
        .filter(|relationship| !clashes(snapshot, relationship, now))
        .chain(contextual)
        .filter(|relationship| relationship.expires_at.is_none_or(|at| now < at))
        .cloned()
        .collect();
    if extra.is_empty() {
        return Ok(None);
    }
    let not_allowed = |error: OverlayError| {
        Refused::new(Reason::ContextualNotAllowed, "contextual_relationships", error.to_string())
    };
    Overlay::new(snapshot, &extra).map(Some).map_err(not_allowed)
}

/// Whether the same edge is stored under another caveat: one of the two would have to give way, and where the edge
/// excludes somebody, giving way would grant.
fn clashes(snapshot: &Snapshot, relationship: &Relationship, now: Timestamp) -> bool {
    let Some(caveat) = &relationship.caveat else { return false };
    let stored = snapshot.edge_key(relationship).and_then(|key| snapshot.edge(key)).flatten();
    stored.is_some_and(|qualifier| {
        qualifier.expires_at.is_none_or(|at| now < at)
            && qualifier.caveat.as_ref().is_some_and(|stored| stored != caveat)
    })
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
