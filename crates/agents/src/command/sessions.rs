//! Sessions: opened, touched, closed.

use std::collections::BTreeSet;

use pemba_model::{ObjectRef, SmolStr, Timestamp};

use super::changes::{By, Changes, check_ahead, check_list, check_name, check_object, check_text, millis};
use crate::authority::may_act;
use crate::chain::{Claim, Presenter, incarnation_of, resolve};
use crate::error::{Reason, Refused};
use crate::id::{DelegationId, SessionId};
use crate::moment::Moment;
use crate::records::{Ended, Session, SessionBinding};
use crate::scope::Scope;

/// A session to open.
#[derive(Debug, Clone, PartialEq)]
pub struct OpenSession {
    /// Its id, drawn by the caller.
    pub id: SessionId,
    /// Who acts in it.
    pub actor: ObjectRef,
    /// The last hop of the chain it is for.
    pub delegation: Option<DelegationId>,
    /// One more bound.
    pub scope: Option<Scope>,
    /// Whose it is.
    pub binding: SessionBinding,
    /// What it is for.
    pub purpose: String,
    /// The task it belongs to.
    pub task: Option<SmolStr>,
    /// How the human behind it had proven who they are.
    pub authentication: Option<SmolStr>,
    /// When they had.
    pub authenticated_at: Option<Timestamp>,
    /// Free labels.
    pub labels: BTreeSet<SmolStr>,
    /// The human who opens it.
    pub opened_for: Option<ObjectRef>,
    /// The first instant at which it is over.
    pub not_after: Timestamp,
    /// How long it may lie unused.
    pub idle_ms: Option<u64>,
}

/// Opens a session.
pub fn open_session(moment: &Moment<'_>, by: &By, new: OpenSession) -> Result<Changes<Session>, Refused> {
    let now = moment.now();
    check(moment, &new)?;
    if !may_act(moment.book, moment.limits, &new.actor, now) {
        let message = format!("`{}` may not act", new.actor);
        return Err(Refused::new(Reason::WrongStatus, "actor", message));
    }
    if let Some(id) = new.delegation {
        check_delegation(moment, &new, id)?;
    }
    let (count, max) = (moment.book.sessions_of_count(&new.actor), moment.limits.sessions_per_agent_max);
    if count >= max {
        let message = format!("`{}` has {count} sessions; at most {max} are allowed", new.actor);
        return Err(Refused::new(Reason::TooMuch, "actor", message));
    }
    let session = Session {
        id: new.id,
        incarnation: incarnation_of(moment.book, &new.actor),
        actor: new.actor,
        delegation: new.delegation,
        scope: new.scope,
        binding: new.binding,
        purpose: new.purpose,
        task: new.task,
        authentication: new.authentication,
        authenticated_at: new.authenticated_at,
        labels: new.labels,
        opened_at: now,
        opened_by: by.client.clone(),
        opened_for: new.opened_for,
        not_after: new.not_after,
        idle_ms: new.idle_ms,
        touched_at: now,
        grants: Vec::new(),
        closed: None,
    };
    let mut changes = Changes::new(session.clone());
    changes.put(&session)?;
    changes.forget(moment);
    Ok(changes)
}

fn check(moment: &Moment<'_>, new: &OpenSession) -> Result<(), Refused> {
    check_object("actor", &new.actor)?;
    new.opened_for.iter().try_for_each(|human| check_object("opened_for", human))?;
    check_text("purpose", &new.purpose)?;
    new.task.iter().try_for_each(|task| check_name("task", task))?;
    new.authentication.iter().try_for_each(|text| check_name("authentication", text))?;
    check_list("labels", new.labels.len())?;
    new.labels.iter().try_for_each(|label| check_name("labels", label))?;
    match &new.binding {
        SessionBinding::Client(name) => check_name("binding.client", name)?,
        SessionBinding::Thumbprint(text) => check_thumbprint(text)?,
    }
    check_ahead("not_after", new.not_after, moment.now())?;
    let latest = moment.now().plus_millis(millis(moment.limits.session_life_max_ms));
    if new.not_after > latest {
        let message = format!("{} is too far ahead; {latest} is the latest", new.not_after);
        return Err(Refused::new(Reason::TooMuch, "not_after", message));
    }
    if new.idle_ms == Some(0) {
        return Err(Refused::new(Reason::InvalidPeriod, "idle", "it must be longer than nothing"));
    }
    match &new.scope {
        Some(scope) => scope.check(moment.facts.schema).map_err(|refused| refused.under("scope")),
        None => Ok(()),
    }
}

fn check_thumbprint(text: &str) -> Result<(), Refused> {
    if text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        return Ok(());
    }
    let message = "a thumbprint is 64 lower-case hexadecimal digits";
    Err(Refused::new(Reason::InvalidValue, "binding.thumbprint", message))
}

/// The chain must connect and end with the actor, and the session must not outlive its last hop.
fn check_delegation(moment: &Moment<'_>, new: &OpenSession, id: DelegationId) -> Result<(), Refused> {
    let claim = Claim { delegation: Some(id), either_end: Some(new.actor.clone()), ..Claim::default() };
    let chain = resolve(moment.book, &claim, &Presenter::default(), moment.revision)?;
    if *chain.actor() != new.actor {
        let message = format!("{id} ends with `{}`, not with `{}`", chain.actor(), new.actor);
        return Err(Refused::new(Reason::ChainMismatch, "actor", message));
    }
    let is_over = chain.is_cut
        || chain.hops.iter().any(|hop| {
            let record = &hop.delegation;
            crate::chain::delegation_over(record, record.session, moment.now())
                .is_err_and(|(over, _)| over != crate::chain::Over::NotYet)
        });
    if is_over {
        return Err(Refused::new(Reason::DelegationOver, "delegation", format!("{id} is over")));
    }
    match chain.hops.iter().map(|hop| hop.delegation.not_after).min() {
        Some(end) if new.not_after > end => {
            let message = format!("{} is after the end of {id}, {end}", new.not_after);
            Err(Refused::new(Reason::OutlivesParent, "not_after", message))
        }
        _ => Ok(()),
    }
}

/// Writes down that a session was used. Nothing happens to one that is over, or whose use is known.
pub fn touch_session(moment: &Moment<'_>, id: SessionId, used_at: Timestamp) -> Result<Changes<()>, Refused> {
    let mut changes = Changes::new(());
    let Some(before) = moment.book.session(id) else { return Ok(changes) };
    let used_at = used_at.min(moment.now());
    let is_over = crate::chain::session_over(before, Some(used_at), moment.now()).is_err();
    if is_over || used_at <= before.touched_at {
        return Ok(changes);
    }
    changes.put(&Session { touched_at: used_at, ..before.as_ref().clone() })?;
    Ok(changes)
}

/// Closes a session: what was granted in it stops at this revision. Closing twice changes nothing.
pub fn close_session(moment: &Moment<'_>, by: &By, id: SessionId) -> Result<Changes<Session>, Refused> {
    check_text("reason", &by.reason)?;
    let before = moment
        .book
        .session(id)
        .ok_or_else(|| Refused::new(Reason::SessionNotFound, "id", format!("there is no session {id}")))?;
    if before.closed.is_some() {
        return Ok(Changes::new(before.as_ref().clone()));
    }
    let after = Session {
        closed: Some(Ended { at: moment.now(), by: by.client.clone(), reason: by.reason.clone() }),
        ..before.as_ref().clone()
    };
    let mut changes = Changes::new(after.clone());
    changes.put(&after)?;
    Ok(changes)
}
