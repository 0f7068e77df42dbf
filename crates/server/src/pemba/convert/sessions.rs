//! Sessions on the wire.

use pemba_agents::chain::session_over;
use pemba_agents::command::{GrantInSession, OpenSession};
use pemba_agents::records::{Session, SessionBinding};
use pemba_agents::{Reason, Refused, SessionId};
use pemba_model::Timestamp;
use pemba_proto::pemba::v1 as wire;

use super::{
    Read, binding, binding_to_wire, ended_to_wire, millis, millis_to_wire, missing, names_of, object,
    optional_approval_id, optional_delegation_id, optional_millis, optional_object, optional_timestamp,
    relationships, scope, scope_to_wire, session_id, text, texts,
};
use crate::convert::{object_to_wire, optional, relationship_to_wire, timestamp_to_wire};
use crate::validate::Path;

/// A session to open, under an id that was drawn, from `now` on where only its life is given.
pub(crate) fn open_session(
    id: SessionId,
    request: wire::OpenSessionRequest,
    own: impl FnOnce() -> SessionBinding,
    now: Timestamp,
) -> Read<OpenSession> {
    let root = Path::Root;
    let authenticated_at = root.field("authenticated_at");
    Ok(OpenSession {
        id,
        not_after: end(&request, now)?,
        actor: object(root.field("actor"), request.actor.as_ref())?,
        delegation: optional_delegation_id(root.field("delegation_id"), &request.delegation_id)?,
        scope: request.scope.map(|wanted| scope(root.field("scope"), wanted)).transpose()?,
        binding: binding(root.field("binding"), request.binding, own)?,
        purpose: request.purpose,
        task: optional(&request.task),
        authentication: optional(&request.authentication),
        authenticated_at: optional_timestamp(authenticated_at, request.authenticated_at.as_ref())?,
        labels: names_of(request.labels),
        opened_for: optional_object(root.field("opened_for"), request.opened_for.as_ref())?,
        idle_ms: optional_millis(root.field("idle"), request.idle.as_ref())?,
    })
}

/// The first instant at which a session is over; said in one way.
fn end(request: &wire::OpenSessionRequest, now: Timestamp) -> Read<Timestamp> {
    let path = Path::Root.field("not_after");
    match (&request.life, optional_timestamp(path, request.not_after.as_ref())?) {
        (None, Some(not_after)) => Ok(not_after),
        (Some(life), None) => {
            let ms = millis(Path::Root.field("life"), life)?;
            Ok(now.plus_millis(i64::try_from(ms).unwrap_or(i64::MAX)))
        }
        (None, None) => Err(missing(path)),
        (Some(_), Some(_)) => {
            let message = "it is given besides `life`: give one of them";
            Err(Refused::new(Reason::InvalidValue, "not_after", message))
        }
    }
}

/// What is to be granted inside a session.
pub(crate) fn grant(request: &wire::GrantInSessionRequest) -> Read<GrantInSession> {
    let root = Path::Root;
    Ok(GrantInSession {
        session: session_id(root.field("session_id"), &request.session_id)?,
        grantor: object(root.field("grantor"), request.grantor.as_ref())?,
        relationships: relationships("relationships", &request.relationships)?,
        not_after: optional_timestamp(root.field("not_after"), request.not_after.as_ref())?,
        approval: optional_approval_id(root.field("approval_id"), &request.approval_id)?,
    })
}

/// The wire form of a session, as it stands at an instant; `used_at` is its last use, as far as memory goes.
pub(crate) fn session_to_wire(
    session: &Session,
    used_at: Option<Timestamp>,
    now: Timestamp,
) -> wire::Session {
    wire::Session {
        id: session.id.to_string(),
        actor: Some(object_to_wire(&session.actor)),
        delegation_id: session.delegation.map(|id| id.to_string()).unwrap_or_default(),
        scope: session.scope.as_ref().map(scope_to_wire),
        binding: Some(binding_to_wire(&session.binding)),
        purpose: session.purpose.clone(),
        task: text(session.task.as_ref()),
        authentication: text(session.authentication.as_ref()),
        authenticated_at: session.authenticated_at.map(timestamp_to_wire),
        labels: texts(&session.labels),
        opened_at: Some(timestamp_to_wire(session.opened_at)),
        opened_by: session.opened_by.to_string(),
        opened_for: session.opened_for.as_ref().map(object_to_wire),
        not_after: Some(timestamp_to_wire(session.not_after)),
        idle: session.idle_ms.map(millis_to_wire),
        grants: session.grants.iter().map(relationship_to_wire).collect(),
        closed: session.closed.as_ref().map(ended_to_wire),
        open: session_over(session, used_at, now).is_ok(),
    }
}
