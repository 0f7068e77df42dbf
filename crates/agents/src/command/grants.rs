//! Relationships granted for the life of a session, seen only by requests that present it.

use pemba_model::{ObjectRef, Relationship, SubjectRef, Timestamp};

use super::approvals::ground_of;
use super::changes::{By, Changes, check_ahead, check_object, check_text};
use crate::authority::may_by_itself;
use crate::chain::Presenter;
use crate::contextual::check_allowed;
use crate::error::{Reason, Refused};
use crate::id::SessionId;
use crate::limits::SESSION_GRANTS_MAX;
use crate::moment::Moment;
use crate::records::Session;

/// What is granted inside a session.
#[derive(Debug, Clone, PartialEq)]
pub struct GrantInSession {
    /// The session.
    pub session: SessionId,
    /// Who grants.
    pub grantor: ObjectRef,
    /// What; each about the session's actor or the root of its chain.
    pub relationships: Vec<Relationship>,
    /// The first instant at which it no longer counts; absent is the session's end.
    pub not_after: Option<Timestamp>,
}

/// Grants relationships inside a session, all or none.
pub fn grant_in_session(
    moment: &Moment<'_>,
    by: &By,
    new: GrantInSession,
) -> Result<Changes<Session>, Refused> {
    check_object("grantor", &new.grantor)?;
    check_text("reason", &by.reason)?;
    let id = new.session;
    let session = moment.book.session(id).ok_or_else(|| {
        Refused::new(Reason::SessionNotFound, "session", format!("there is no session {id}"))
    })?;
    if let Err((over, _)) = crate::chain::session_over(session, None, moment.now())
        && over != crate::chain::Over::Idle
    {
        let message = format!("{id} is over: {}", over.as_str());
        return Err(Refused::new(Reason::SessionOver, "session", message));
    }
    let not_after = new.not_after.unwrap_or(session.not_after);
    check_ahead("not_after", not_after, moment.now())?;
    if not_after > session.not_after {
        let message = format!("{not_after} is after the end of the session, {}", session.not_after);
        return Err(Refused::new(Reason::OutlivesParent, "not_after", message));
    }
    if new.relationships.is_empty() {
        return Err(Refused::new(Reason::MissingValue, "relationships", "name what is granted"));
    }
    let mut after = session.as_ref().clone();
    for (at, relationship) in new.relationships.into_iter().enumerate() {
        let field = format!("relationships[{at}]");
        check_grant(moment, session, &new.grantor, &relationship, &field)?;
        let expires_at = relationship.expires_at.map_or(not_after, |at| at.min(not_after));
        after.grants.retain(|present| !present.same_identity(&relationship));
        after.grants.push(Relationship { expires_at: Some(expires_at), ..relationship });
    }
    crate::scope::check_count("relationships", after.grants.len(), SESSION_GRANTS_MAX)?;
    let mut changes = Changes::new(after.clone());
    changes.put(&after)?;
    Ok(changes)
}

fn check_grant(
    moment: &Moment<'_>,
    session: &Session,
    grantor: &ObjectRef,
    relationship: &Relationship,
    field: &str,
) -> Result<(), Refused> {
    check_allowed(moment.facts.schema, relationship, field)?;
    let (resource, relation) = (&relationship.resource, &relationship.relation);
    check_subject(moment, session, &relationship.subject, field)?;
    let policy = moment.book.grant_policy(&resource.object_type, relation).ok_or_else(|| {
        let message = format!("nobody may grant `{relation}` of `{}` in a session", resource.object_type);
        Refused::new(Reason::GrantNotOffered, field, message)
    })?;
    let presenter = Presenter::default();
    if !may_by_itself(&ground_of(moment, &presenter), grantor, &policy.grantor_permission, resource, None)? {
        let message =
            format!("`{grantor}` lacks `{}` on `{resource}`, or may not act", policy.grantor_permission);
        return Err(Refused::new(Reason::GrantNotPermitted, field, message));
    }
    if let Some(ceiling) = moment.book.agent(&session.actor).and_then(|agent| agent.ceiling.as_ref())
        && !ceiling.reaches(&moment.facts, resource)?
    {
        let message = format!("`{resource}` is outside the ceiling of `{}`", session.actor);
        return Err(Refused::new(Reason::GrantAboveCeiling, field, message));
    }
    Ok(())
}

/// A grant is to who acts in the session or to the root of its chain, by name.
fn check_subject(
    moment: &Moment<'_>,
    session: &Session,
    subject: &SubjectRef,
    field: &str,
) -> Result<(), Refused> {
    let root = session.delegation.and_then(|id| moment.book.delegation(id)).map(|leaf| &leaf.root);
    let is_own = subject.object == session.actor || Some(&subject.object) == root;
    if is_own && subject.relation.is_none() {
        return Ok(());
    }
    let message = format!("a grant inside a session is to `{}` or the root of its chain", session.actor);
    Err(Refused::new(Reason::InvalidValue, field, message))
}
