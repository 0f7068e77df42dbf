//! Approvals asked for: of an action, and of a grant inside a session.

use pemba_model::{Context, ObjectRef, Relationship, SmolStr, Timestamp};

use super::approvals::{decide_now, is_waiting};
use super::changes::{By, Changes, check_object, check_text, millis};
use super::grants::{self, check_end, check_grant, open_session};
use crate::authority::{ActionHash, Outcome, Question, action_hash, grant_hash};
use crate::chain::{Chain, Claim, Presenter, resolve};
use crate::error::{Reason, Refused};
use crate::id::{ApprovalId, SessionId};
use crate::moment::Moment;
use crate::records::{Approval, ApprovalPolicy, ApprovalState, ApprovalUses, GrantAsked};

/// A request for an approval.
#[derive(Debug, Clone, PartialEq)]
pub struct AskApproval {
    /// Its id, drawn by the caller.
    pub id: ApprovalId,
    /// On whose authority the action is to be done; names no approval.
    pub claim: Claim,
    /// The permission.
    pub permission: SmolStr,
    /// The object.
    pub resource: ObjectRef,
    /// Values for caveats, and those the approval is bound to.
    pub values: Option<Context>,
    /// Who asks, where they say so.
    pub requester: Option<ObjectRef>,
}

/// Asks for an approval: only where everything else allows the action. One that waits for the same action is returned
/// as it is.
pub fn ask_approval(
    moment: &Moment<'_>,
    by: &By,
    presenter: &Presenter,
    new: AskApproval,
) -> Result<Changes<Approval>, Refused> {
    check_text("reason", &by.reason)?;
    check_object("resource", &new.resource)?;
    new.requester.iter().try_for_each(|requester| check_object("requester", requester))?;
    let claim = Claim { approval: None, ..new.claim };
    let chain = resolve(moment.book, &claim, presenter, moment.revision)?;
    let values = new.values.as_ref();
    let question = Question { claim: &claim, permission: &new.permission, resource: &new.resource, values };
    let policy = offered(moment, presenter, &chain, &question)?;
    let (hash, bound) = action_hash(&chain, &new.permission, &new.resource, values, policy)?;
    if let Some(waiting) = same_action(moment, presenter, &hash)? {
        return Ok(Changes::new(waiting));
    }
    check_pending(moment, policy, chain.actor())?;
    let asked = Asked {
        id: new.id,
        hash,
        session: claim.session,
        resource: new.resource,
        permission: new.permission,
        bound,
        grant: None,
        requester: new.requester,
    };
    put(moment, &asked.pending(moment, by, presenter, (&chain, policy)))
}

/// What an approval is for, and who asks.
pub(super) struct Asked {
    pub(super) id: ApprovalId,
    pub(super) hash: ActionHash,
    pub(super) session: Option<SessionId>,
    pub(super) resource: ObjectRef,
    pub(super) permission: SmolStr,
    pub(super) bound: Context,
    pub(super) grant: Option<GrantAsked>,
    pub(super) requester: Option<ObjectRef>,
}

impl Asked {
    /// The approval, waiting for votes.
    pub(super) fn pending(
        self,
        moment: &Moment<'_>,
        by: &By,
        presenter: &Presenter,
        (chain, policy): (&Chain, &ApprovalPolicy),
    ) -> Approval {
        let now = moment.now();
        Approval {
            id: self.id,
            action_hash: self.hash,
            policy_version: policy.version,
            root: chain.root.clone(),
            actors: chain.actors().cloned().collect(),
            delegation: chain.leaf(),
            session: self.session,
            resource: self.resource,
            permission: self.permission,
            grant: self.grant,
            glass: None,
            bound: self.bound,
            reason: by.reason.clone(),
            binding: presenter.binding(),
            requester: self.requester,
            created_at: now,
            created_revision: moment.revision.0,
            decide_before: now.plus_millis(millis(policy.pending_ms)),
            uses: policy.uses,
            uses_left: match policy.uses {
                ApprovalUses::Counted(uses) => uses,
                ApprovalUses::TimeBoxed => 0,
            },
            cool_down_ms: policy.cool_down_ms,
            votes: Vec::new(),
            state: ApprovalState::Pending,
        }
    }
}

fn put(moment: &Moment<'_>, approval: &Approval) -> Result<Changes<Approval>, Refused> {
    let mut changes = Changes::new(approval.clone());
    changes.put(approval)?;
    changes.forget(moment);
    Ok(changes)
}

/// A request for an approval of a grant.
#[derive(Debug, Clone, PartialEq)]
pub struct AskGrantApproval {
    /// Its id, drawn by the caller.
    pub id: ApprovalId,
    /// The session in which is to be granted.
    pub session: SessionId,
    /// Who is to grant.
    pub grantor: ObjectRef,
    /// What.
    pub relationship: Relationship,
    /// The first instant at which it is no longer to count; absent is the session's end.
    pub not_after: Option<Timestamp>,
}

/// Asks for an approval of one grant inside a session: only where nothing but the grantor's own right is missing. One
/// that waits for the same grant is returned as it is.
pub fn ask_grant_approval(
    moment: &Moment<'_>,
    by: &By,
    presenter: &Presenter,
    new: AskGrantApproval,
) -> Result<Changes<Approval>, Refused> {
    check_text("reason", &by.reason)?;
    let AskGrantApproval { id, grantor, relationship, .. } = new;
    let session = open_session(moment, new.session)?;
    let not_after = check_end(moment, session, new.not_after)?;
    grants::check_grantor(moment, &grantor)?;
    check_grant(moment, session, &relationship, "relationship")?;
    if grants::may_grant(moment, &grantor, &relationship)? == Some(true) {
        let message = format!("`{grantor}` may grant it without an approval");
        return Err(Refused::new(Reason::ApprovalNotNeeded, "relationship", message));
    }
    let chain = grants::chain_of(moment, session)?;
    let policy = grants::approvable(moment, &chain, &relationship).ok_or_else(|| {
        let message = format!(
            "no policy says who may approve grants of `{}#{}`",
            relationship.resource.object_type, relationship.relation
        );
        Refused::new(Reason::PolicyNotFound, "relationship", message)
    })?;
    let grant = GrantAsked { grantor, relationship: grants::ending(relationship, not_after) };
    let hash = grant_hash(&chain, &grant, policy);
    if let Some(waiting) = same_action(moment, presenter, &hash)? {
        return Ok(Changes::new(waiting));
    }
    check_pending(moment, policy, chain.actor())?;
    let asked = Asked {
        id,
        hash,
        session: Some(session.id),
        resource: grant.relationship.resource.clone(),
        permission: grant.relationship.relation.clone(),
        bound: Context::new(),
        requester: Some(grant.grantor.clone()),
        grant: Some(grant),
    };
    put(moment, &asked.pending(moment, by, presenter, (&chain, policy)))
}

/// The policy of an action that waits for nothing but an approval.
pub(super) fn offered<'a>(
    moment: &Moment<'a>,
    presenter: &Presenter,
    chain: &Chain,
    question: &Question<'_>,
) -> Result<&'a ApprovalPolicy, Refused> {
    let not_offered = |message: &str| Refused::new(Reason::ApprovalNotOffered, "permission", message);
    match decide_now(moment, presenter, chain, question, false)?.0.outcome {
        Outcome::RequiresApproval => {}
        Outcome::Deny => return Err(not_offered("something else denies the action: no approval would help")),
        Outcome::Conditional => return Err(not_offered("the action depends on values that were not given")),
        Outcome::Allow | Outcome::RequiresConsumption => {
            let message = "the action needs no approval";
            return Err(Refused::new(Reason::ApprovalNotNeeded, "permission", message));
        }
    }
    let (object_type, name) = (&question.resource.object_type, question.permission);
    moment.book.approval_policy(object_type, name).map(AsRef::as_ref).ok_or_else(|| {
        let message = format!("no policy says who may approve `{object_type}#{name}`");
        Refused::new(Reason::PolicyNotFound, "permission", message)
    })
}

/// This client's approval that waits, or can be used, for the same action; an error while a rejection still counts. What
/// somebody gave themselves is none that others were asked for.
fn same_action(moment: &Moment<'_>, presenter: &Presenter, hash: &str) -> Result<Option<Approval>, Refused> {
    check_cool(moment, hash)?;
    let now = moment.now();
    let all = moment.book.approvals_of_action(hash);
    let mut own = all.filter(|approval| presenter.is(&approval.binding) && approval.glass.is_none());
    let waiting = own.find(|approval| match &approval.state {
        ApprovalState::Pending => now < approval.decide_before,
        ApprovalState::Approved { use_before, .. } => now < *use_before,
        _ => false,
    });
    Ok(waiting.map(|approval| approval.as_ref().clone()))
}

/// An error while a rejection of the same action, to whomever, still counts.
pub(super) fn check_cool(moment: &Moment<'_>, hash: &str) -> Result<(), Refused> {
    for approval in moment.book.approvals_of_action(hash) {
        let ApprovalState::Denied { at } = &approval.state else { continue };
        let until = at.plus_millis(millis(approval.cool_down_ms));
        if moment.now() < until {
            let message = format!("the same action was rejected at {at}: ask again from {until} on");
            return Err(Refused::new(Reason::CoolingDown, "permission", message));
        }
    }
    Ok(())
}

fn check_pending(moment: &Moment<'_>, policy: &ApprovalPolicy, actor: &ObjectRef) -> Result<(), Refused> {
    let waiting = moment
        .book
        .approvals_of_actor(actor, None)
        .filter(|approval| is_waiting(approval, moment.now()))
        .count();
    let max = policy.pending_per_actor_max as usize;
    if waiting < max {
        return Ok(());
    }
    let message = format!("{waiting} wait for `{actor}`; at most {max} may");
    Err(Refused::new(Reason::TooManyPending, "permission", message))
}
