//! Approvals: asked for, voted on, taken back.

use pemba_model::{Context, ObjectRef, Revision, SmolStr, Timestamp};

use super::changes::{By, Changes, check_object, check_text, millis};
use crate::authority::{Decision, Ground, Outcome, Question, action_hash, decide, eligible, is_same_voter};
use crate::book::Book;
use crate::chain::{Chain, Claim, Presenter, resolve};
use crate::error::{Reason, Refused};
use crate::id::ApprovalId;
use crate::moment::Moment;
use crate::records::{Approval, ApprovalPolicy, ApprovalState, ApprovalUses, Vote};

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
    let now = moment.now();
    let approval = Approval {
        id: new.id,
        action_hash: hash,
        policy_version: policy.version,
        root: chain.root.clone(),
        actors: chain.actors().cloned().collect(),
        delegation: chain.leaf(),
        session: claim.session,
        resource: new.resource,
        permission: new.permission,
        bound,
        reason: by.reason.clone(),
        binding: presenter.binding(),
        requester: new.requester,
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
    };
    let mut changes = Changes::new(approval.clone());
    changes.put(&approval)?;
    changes.forget(moment);
    Ok(changes)
}

/// The policy of an action that waits for nothing but an approval.
fn offered<'a>(
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

/// The ground of a command: everything as it is at the moment.
pub(super) fn ground_of<'a>(moment: &Moment<'a>, presenter: &'a Presenter) -> Ground<'a> {
    let Moment { facts, book, limits, .. } = *moment;
    Ground { facts, head: facts, seen: facts, book, limits, presenter }
}

/// The decision at the moment, with what the chain's session grants.
pub(super) fn decide_now(
    moment: &Moment<'_>,
    presenter: &Presenter,
    chain: &Chain,
    question: &Question<'_>,
    consume: bool,
) -> Result<(Decision, Option<ApprovalId>), Refused> {
    let (facts, ground) = (&moment.facts, ground_of(moment, presenter));
    let session = chain.session.as_deref();
    match crate::contextual::overlay(facts.graph, facts.schema, session, &[], facts.now)? {
        Some(overlay) => decide(&ground.over(facts.over(&overlay)), chain, question, consume),
        None => decide(&ground, chain, question, consume),
    }
}

/// This client's approval that waits, or can be used, for the same action; an error while a rejection, to whomever, still
/// counts.
fn same_action(moment: &Moment<'_>, presenter: &Presenter, hash: &str) -> Result<Option<Approval>, Refused> {
    let now = moment.now();
    let mut waiting = None;
    for approval in moment.book.approvals_of_action(hash) {
        let is_own = presenter.is(&approval.binding);
        match &approval.state {
            ApprovalState::Pending if now < approval.decide_before && is_own => {
                waiting = Some(approval);
            }
            ApprovalState::Approved { use_before, .. } if now < *use_before && is_own => {
                waiting = Some(approval);
            }
            ApprovalState::Denied { at } => {
                let until = at.plus_millis(millis(approval.cool_down_ms));
                if now < until {
                    let message = format!("the same action was rejected at {at}: ask again from {until} on");
                    return Err(Refused::new(Reason::CoolingDown, "permission", message));
                }
            }
            _ => {}
        }
    }
    Ok(waiting.map(|approval| approval.as_ref().clone()))
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

fn is_waiting(approval: &Approval, now: Timestamp) -> bool {
    approval.state == ApprovalState::Pending && now < approval.decide_before
}

/// A vote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CastVote {
    /// On what.
    pub approval: ApprovalId,
    /// Who votes.
    pub approver: ObjectRef,
    /// Whether they approve.
    pub approves: bool,
    /// Their words.
    pub comment: String,
}

/// An approval after a vote.
#[derive(Debug, Clone, PartialEq)]
pub struct Voted {
    /// The approval.
    pub approval: Approval,
    /// How many more must approve.
    pub votes_needed: u32,
}

/// Votes on an approval that waits. Whoever may not approve may not reject either.
pub fn vote(moment: &Moment<'_>, new: CastVote) -> Result<Changes<Voted>, Refused> {
    check_object("approver", &new.approver)?;
    check_text("comment", &new.comment)?;
    let before = approval_of(moment, new.approval)?;
    if !is_waiting(before, moment.now()) {
        let message = format!("{} does not wait for votes", before.id);
        return Err(Refused::new(Reason::ApprovalNotPending, "approval", message));
    }
    let policy = policy_of(moment.book, before)?;
    let chain = chain_of(moment.book, moment.revision, before)?;
    check_eligible(moment, policy, before, &chain, &new.approver)?;
    let person = moment.book.human(&new.approver).and_then(|human| human.person.clone());
    if has_voted(moment.book, before, &new.approver) {
        let message = format!("`{}`, or the same person, has voted", new.approver);
        return Err(Refused::new(Reason::AlreadyVoted, "approver", message));
    }
    let mut after = before.clone();
    after.votes.push(Vote {
        approver: new.approver,
        person,
        approves: new.approves,
        comment: new.comment,
        at: moment.now(),
        revision: moment.revision.0,
    });
    let approving =
        u32::try_from(after.votes.iter().filter(|vote| vote.approves).count()).unwrap_or(u32::MAX);
    if !new.approves && policy.veto {
        after.state = ApprovalState::Denied { at: moment.now() };
    } else if approving >= policy.quorum {
        let use_before = moment.now().plus_millis(millis(policy.execution_ms));
        after.state = ApprovalState::Approved { at: moment.now(), use_before };
    }
    let voted = Voted { votes_needed: policy.quorum.saturating_sub(approving), approval: after.clone() };
    let mut changes = Changes::new(voted);
    changes.put(&after)?;
    Ok(changes)
}

/// Whether somebody, or the same person under another name, has voted.
fn has_voted(book: &Book, approval: &Approval, approver: &ObjectRef) -> bool {
    approval.votes.iter().any(|vote| is_same_voter(book, vote, approver))
}

/// Whether a vote of somebody would be taken now.
pub fn may_vote(moment: &Moment<'_>, approval: &Approval, approver: &ObjectRef) -> Result<bool, Refused> {
    if !is_waiting(approval, moment.now()) || has_voted(moment.book, approval, approver) {
        return Ok(false);
    }
    let Ok(policy) = policy_of(moment.book, approval) else { return Ok(false) };
    let Ok(chain) = chain_of(moment.book, moment.revision, approval) else { return Ok(false) };
    let presenter = Presenter::default();
    Ok(eligible(&ground_of(moment, &presenter), policy, approval, &chain, approver)?.is_ok())
}

fn check_eligible(
    moment: &Moment<'_>,
    policy: &ApprovalPolicy,
    approval: &Approval,
    chain: &Chain,
    approver: &ObjectRef,
) -> Result<(), Refused> {
    let presenter = Presenter::default();
    eligible(&ground_of(moment, &presenter), policy, approval, chain, approver)?
        .map_err(|why| Refused::new(Reason::ApproverNotEligible, "approver", why))
}

/// An approval by its id.
pub(super) fn approval_of<'a>(moment: &Moment<'a>, id: ApprovalId) -> Result<&'a Approval, Refused> {
    moment.book.approval(id).map(AsRef::as_ref).ok_or_else(|| {
        Refused::new(Reason::ApprovalNotFound, "approval", format!("there is no approval {id}"))
    })
}

/// The policy an approval was asked under, if it is still in force.
fn policy_of<'a>(book: &'a Book, approval: &Approval) -> Result<&'a ApprovalPolicy, Refused> {
    let (object_type, permission) = (&approval.resource.object_type, &approval.permission);
    book.approval_policy(object_type, permission)
        .map(AsRef::as_ref)
        .filter(|policy| policy.version == approval.policy_version)
        .ok_or_else(|| {
            let message = format!("the policy {} was asked under is no longer in force", approval.id);
            Refused::new(Reason::ApprovalNotPending, "approval", message)
        })
}

/// The chain an approval is for. Whose client asked does not matter to it.
fn chain_of(book: &Book, at: Revision, approval: &Approval) -> Result<Chain, Refused> {
    let claim = Claim {
        root: Some(approval.root.clone()),
        actors: approval.actors.clone(),
        delegation: approval.delegation,
        ..Claim::default()
    };
    let mut chain = resolve(book, &claim, &Presenter::default(), at)?;
    chain.session = approval.session.and_then(|id| book.session(id)).cloned();
    Ok(chain)
}

/// Takes back an approval that waits or was given. Only its own client may.
pub fn cancel_approval(
    moment: &Moment<'_>,
    by: &By,
    presenter: &Presenter,
    id: ApprovalId,
) -> Result<Changes<Approval>, Refused> {
    check_text("reason", &by.reason)?;
    let before = approval_of(moment, id)?;
    if !presenter.is(&before.binding) {
        let message = format!("{id} belongs to another client than `{}`", presenter.client);
        return Err(Refused::new(Reason::ApprovalBinding, "approval", message));
    }
    if !matches!(before.state, ApprovalState::Pending | ApprovalState::Approved { .. }) {
        let message = format!("{id} is final");
        return Err(Refused::new(Reason::ApprovalNotPending, "approval", message));
    }
    let after = Approval { state: ApprovalState::Cancelled { at: moment.now() }, ..before.clone() };
    let mut changes = Changes::new(after.clone());
    changes.put(&after)?;
    Ok(changes)
}
