//! Relationships granted for the life of a session, seen only by requests that present it. Who grants has what the grant
//! policy asks for, or an approval of exactly this grant.

use pemba_model::{ObjectRef, Relationship, SubjectRef, Timestamp};

use super::approvals::{approval_of, ground_of};
use super::changes::{By, Changes, check_ahead, check_object, check_text};
use crate::authority::{applies, grant_hash, has_quorum, may_by_itself};
use crate::chain::{Chain, Claim, Presenter, resolve};
use crate::contextual::check_allowed;
use crate::error::{Reason, Refused};
use crate::id::{ApprovalId, SessionId};
use crate::limits::SESSION_GRANTS_MAX;
use crate::liveness::liveness;
use crate::moment::Moment;
use crate::records::{Approval, ApprovalPolicy, ApprovalState, GrantAsked, Session};

/// What is granted inside a session.
#[derive(Debug, Clone, PartialEq)]
pub struct GrantInSession {
    /// The session.
    pub session: SessionId,
    /// Who grants.
    pub grantor: ObjectRef,
    /// What; each about the session's actor or the root of its chain. With an approval exactly one.
    pub relationships: Vec<Relationship>,
    /// The first instant at which it no longer counts; absent is the session's end, or what was approved.
    pub not_after: Option<Timestamp>,
    /// The approval that stands in for the right of who grants; granting uses it up.
    pub approval: Option<ApprovalId>,
}

/// Grants relationships inside a session, all or none.
pub fn grant_in_session(
    moment: &Moment<'_>,
    by: &By,
    presenter: &Presenter,
    new: GrantInSession,
) -> Result<Changes<Session>, Refused> {
    check_object("grantor", &new.grantor)?;
    check_text("reason", &by.reason)?;
    let session = open_session(moment, new.session)?;
    let not_after = check_end(moment, session, new.not_after)?;
    if new.relationships.is_empty() {
        return Err(Refused::new(Reason::MissingValue, "relationships", "name what is granted"));
    }
    let mut used = None;
    let mut after = session.clone();
    let count = new.relationships.len();
    for (at, relationship) in new.relationships.into_iter().enumerate() {
        let field = format!("relationships[{at}]");
        check_grant(moment, session, &relationship, &field)?;
        let mut not_after = not_after;
        if let Some(id) = new.approval {
            if count > 1 {
                let message = format!("an approval is for one relationship, and {count} are given");
                return Err(Refused::new(Reason::InvalidValue, "relationships", message));
            }
            let end = relationship.expires_at.into_iter().chain(new.not_after).min();
            let wanted = (&new.grantor, &relationship, end);
            let (approval, until) = approved(moment, presenter, session, wanted, id)?;
            not_after = not_after.min(until);
            used = Some(approval);
        } else {
            check_right(moment, &new.grantor, &relationship, &field)?;
        }
        after.grants.retain(|present| !present.same_identity(&relationship));
        after.grants.push(ending(relationship, not_after));
    }
    crate::scope::check_count("relationships", after.grants.len(), SESSION_GRANTS_MAX)?;
    let mut changes = Changes::new(after.clone());
    changes.put(&after)?;
    if let Some(before) = used {
        let state = ApprovalState::Consumed { at: moment.now() };
        changes.put(&Approval { uses_left: 0, state, ..before.clone() })?;
    }
    Ok(changes)
}

/// A session that is open, apart from lying unused.
pub(super) fn open_session<'a>(moment: &Moment<'a>, id: SessionId) -> Result<&'a Session, Refused> {
    let session = moment.book.session(id).ok_or_else(|| {
        Refused::new(Reason::SessionNotFound, "session", format!("there is no session {id}"))
    })?;
    match crate::chain::session_over(session, None, moment.now()) {
        Err((over, _)) if over != crate::chain::Over::Idle => {
            let message = format!("{id} is over: {}", over.as_str());
            Err(Refused::new(Reason::SessionOver, "session", message))
        }
        _ => Ok(session),
    }
}

/// When a grant ends, as far as the request says: not after its session.
pub(super) fn check_end(
    moment: &Moment<'_>,
    session: &Session,
    not_after: Option<Timestamp>,
) -> Result<Timestamp, Refused> {
    let not_after = not_after.unwrap_or(session.not_after);
    check_ahead("not_after", not_after, moment.now())?;
    if not_after > session.not_after {
        let message = format!("{not_after} is after the end of the session, {}", session.not_after);
        return Err(Refused::new(Reason::OutlivesParent, "not_after", message));
    }
    Ok(not_after)
}

/// The relationship, with an end not after an instant.
pub(super) fn ending(relationship: Relationship, not_after: Timestamp) -> Relationship {
    let expires_at = relationship.expires_at.map_or(not_after, |at| at.min(not_after));
    Relationship { expires_at: Some(expires_at), ..relationship }
}

/// Whether a relationship may be granted inside a session at all, whoever grants it.
pub(super) fn check_grant(
    moment: &Moment<'_>,
    session: &Session,
    relationship: &Relationship,
    field: &str,
) -> Result<(), Refused> {
    check_allowed(moment.facts.schema, relationship, field)?;
    check_subject(moment, session, &relationship.subject, field)?;
    let resource = &relationship.resource;
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

/// Whether somebody has what the grant policy asks for; `None` where there is no policy.
pub(super) fn may_grant(
    moment: &Moment<'_>,
    grantor: &ObjectRef,
    relationship: &Relationship,
) -> Result<Option<bool>, Refused> {
    let (resource, relation) = (&relationship.resource, &relationship.relation);
    let Some(policy) = moment.book.grant_policy(&resource.object_type, relation) else { return Ok(None) };
    let presenter = Presenter::default();
    let ground = ground_of(moment, &presenter);
    may_by_itself(&ground, grantor, &policy.grantor_permission, resource, None).map(Some)
}

fn check_right(
    moment: &Moment<'_>,
    grantor: &ObjectRef,
    relationship: &Relationship,
    field: &str,
) -> Result<(), Refused> {
    let (resource, relation) = (&relationship.resource, &relationship.relation);
    match may_grant(moment, grantor, relationship)? {
        Some(true) => Ok(()),
        Some(false) => {
            let message =
                format!("`{grantor}` lacks what granting `{relation}` of `{resource}` takes, or may not act");
            Err(Refused::new(Reason::GrantNotPermitted, field, message))
        }
        None => {
            let message =
                format!("nobody may grant `{relation}` of `{}` without an approval", resource.object_type);
            Err(Refused::new(Reason::GrantNotOffered, field, message))
        }
    }
}

/// Whether somebody may grant what others approve: they may act, and do more than read.
pub(super) fn check_grantor(moment: &Moment<'_>, grantor: &ObjectRef) -> Result<(), Refused> {
    check_object("grantor", grantor)?;
    let (book, now) = (moment.book, moment.now());
    let stands = liveness(book, moment.limits, book.known(grantor), None, now);
    if stands.not_live.is_none() && stands.write_denied.is_none() {
        return Ok(());
    }
    let message = format!("`{grantor}` may not act, or only read");
    Err(Refused::new(Reason::GrantNotPermitted, "grantor", message))
}

/// The chain of a session. Whose client presents it does not matter to a grant.
pub(super) fn chain_of(moment: &Moment<'_>, session: &Session) -> Result<Chain, Refused> {
    let claim = Claim {
        root: session.delegation.is_none().then(|| session.actor.clone()),
        either_end: Some(session.actor.clone()),
        delegation: session.delegation,
        ..Claim::default()
    };
    let mut chain = resolve(moment.book, &claim, &Presenter::default(), moment.revision)?;
    chain.session = moment.book.session(session.id).cloned();
    Ok(chain)
}

/// The policy under which others may approve a grant, if there is one.
pub(super) fn approvable<'a>(
    moment: &Moment<'a>,
    chain: &Chain,
    relationship: &Relationship,
) -> Option<&'a ApprovalPolicy> {
    let (object_type, relation) = (&relationship.resource.object_type, &relationship.relation);
    let policy = moment.book.grant_approval_policy(object_type, relation)?;
    applies(moment.book, chain, policy).then_some(policy)
}

/// The approval that lets somebody grant a relationship, and until when what is granted counts. Whoever approved must
/// still be one who may.
fn approved<'a>(
    moment: &Moment<'a>,
    presenter: &Presenter,
    session: &Session,
    wanted: Wanted<'_>,
    id: ApprovalId,
) -> Result<(&'a Approval, Timestamp), Refused> {
    let approval = approval_of(moment, id)?;
    if !presenter.is(&approval.binding) {
        let message = format!("approval {id} belongs to another client than `{}`", presenter.client);
        return Err(Refused::new(Reason::ApprovalBinding, "approval", message));
    }
    let mismatch = |message: String| Refused::new(Reason::ApprovalMismatch, "approval", message);
    let grant = approval
        .grant
        .as_ref()
        .filter(|grant| approval.session == Some(session.id) && is_same_grant(grant, wanted))
        .ok_or_else(|| mismatch(format!("approval {id} is not for this grant in this session")))?;
    let chain = chain_of(moment, session)?;
    let policy = approvable(moment, &chain, &grant.relationship)
        .filter(|policy| grant_hash(&chain, grant, policy) == approval.action_hash)
        .ok_or_else(|| {
            mismatch(format!("approval {id} was given under a policy that is no longer in force"))
        })?;
    check_grantor(moment, &grant.grantor)?;
    let is_given = match approval.state {
        ApprovalState::Approved { use_before, .. } => moment.now() < use_before && approval.uses_left > 0,
        _ => false,
    };
    if !is_given || !has_quorum(&ground_of(moment, presenter), &chain, policy, approval)? {
        let message = format!("approval {id} is not given, is over or used, or who gave it may no longer");
        return Err(Refused::new(Reason::ApprovalNotUsable, "approval", message));
    }
    Ok((approval, grant.relationship.expires_at.unwrap_or(session.not_after)))
}

/// Who wants to grant what, and until when, where they say so.
type Wanted<'a> = (&'a ObjectRef, &'a Relationship, Option<Timestamp>);

/// Whether a grant is the one that was approved: by the same grantor, of the same relationship under the same caveat. It
/// may end earlier and not later.
fn is_same_grant(approved: &GrantAsked, (grantor, wanted, end): Wanted<'_>) -> bool {
    let relationship = &approved.relationship;
    approved.grantor == *grantor
        && relationship.same_identity(wanted)
        && relationship.caveat == wanted.caveat
        && end.is_none_or(|end| relationship.expires_at.is_some_and(|until| end <= until))
}
