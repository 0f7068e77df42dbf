//! Approvals: voted on, taken back.

use pemba_model::{ObjectRef, Revision, Timestamp};

use super::changes::{By, Changes, check_object, check_text, millis};
use super::policies::approval_policy;
use crate::authority::{Decision, Ground, Question, decide, eligible, is_same_voter, person_of};
use crate::book::Book;
use crate::chain::{Chain, Claim, Presenter, resolve};
use crate::error::{Reason, Refused};
use crate::id::ApprovalId;
use crate::moment::Moment;
use crate::records::{Approval, ApprovalPolicy, ApprovalState, Vote};

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

/// Whether an approval waits for votes.
pub(super) fn is_waiting(approval: &Approval, now: Timestamp) -> bool {
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
    let person = person_of(moment.book, &new.approver);
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
    if matches!(after.state, ApprovalState::Denied { .. }) {
        take_back_broken(moment, &after, &mut changes)?;
    }
    Ok(changes)
}

/// Who rejects an action takes back what was broken for it.
fn take_back_broken(
    moment: &Moment<'_>,
    rejected: &Approval,
    changes: &mut Changes<Voted>,
) -> Result<(), Refused> {
    for approval in moment.book.approvals_of_action(&rejected.action_hash) {
        if approval.glass.is_some() && matches!(approval.state, ApprovalState::Approved { .. }) {
            let state = ApprovalState::Cancelled { at: moment.now() };
            changes.put(&Approval { state, ..approval.as_ref().clone() })?;
        }
    }
    Ok(())
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
    approval_policy(book, object_type, permission, approval.grant.is_some())
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
