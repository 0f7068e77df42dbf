//! Whether somebody must approve, and whether they have: judged when an approval is used, not only when it was given.

use std::fmt::Write as _;
use std::sync::Arc;

use pemba_engine::Graph;
use pemba_model::{Context, ObjectRef, SmolStr, Timestamp};
use sha2::{Digest, Sha256};

use super::check::decide;
use super::decision::Outcome;
use super::person::{is_one_person, was_by};
use super::{Ground, Question, glass};
use crate::book::Book;
use crate::chain::{Chain, Claim};
use crate::error::{Reason, Refused};
use crate::id::ApprovalId;
use crate::records::{
    Applies, Approval, ApprovalPolicy, ApprovalState, ApprovalUses, Distinct, GrantAsked, Vote,
};

/// Whether an action is approved.
pub(super) enum Approved {
    /// Nobody has to.
    NotNeeded,
    /// Somebody has to, and has not.
    Waits,
    /// They have.
    By { approval: ApprovalId, is_counted: bool, until: Timestamp },
}

/// What an approval is for, in one hash: lower-case hexadecimal SHA-256.
pub type ActionHash = SmolStr;

/// The hash of an action under a policy: the chain, the permission, the object and the bound values. A bound value that
/// is not given is an error.
pub fn action_hash(
    chain: &Chain,
    permission: &str,
    resource: &ObjectRef,
    values: Option<&Context>,
    policy: &ApprovalPolicy,
) -> Result<(ActionHash, Context), Refused> {
    let mut bound = Context::new();
    for key in &policy.bind {
        let value = values.and_then(|values| values.get(key.as_str())).ok_or_else(|| {
            let message = format!("an approval of `{permission}` is bound to `{key}`: give its value");
            Refused::new(Reason::BoundValueMissing, format!("context.{key}"), message)
        })?;
        bound.insert(key.to_string(), value.clone());
    }
    let actors = chain.actors().map(ToString::to_string).collect::<Vec<_>>();
    let session = chain.session.as_ref().map(|session| session.id.to_string());
    let canonical = serde_json::json!([
        chain.root.to_string(),
        hops_of(chain),
        actors,
        session,
        permission,
        resource.to_string(),
        bound,
        policy.version,
    ]);
    Ok((hexadecimal(&Sha256::digest(canonical.to_string().as_bytes())), bound))
}

/// The hash of a grant inside a session under a policy: the session's chain, the grantor and the relationship with its
/// end.
pub(crate) fn grant_hash(chain: &Chain, grant: &GrantAsked, policy: &ApprovalPolicy) -> ActionHash {
    let canonical = serde_json::json!([
        "grant",
        hops_of(chain),
        chain.principals().map(ToString::to_string).collect::<Vec<_>>(),
        chain.session.as_ref().map(|session| session.id.to_string()),
        grant.grantor.to_string(),
        grant.relationship.to_string(),
        policy.version,
    ]);
    hexadecimal(&Sha256::digest(canonical.to_string().as_bytes()))
}

fn hops_of(chain: &Chain) -> Vec<String> {
    chain.hops.iter().map(|hop| hop.delegation.id.to_string()).collect()
}

/// Bytes as lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> SmolStr {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text.into()
}

/// The policy that makes a chain's action wait, if one does.
pub(super) fn policy_for<'a>(
    book: &'a Book,
    chain: &Chain,
    permission: &str,
    resource_type: &str,
    required: bool,
) -> Option<&'a Arc<ApprovalPolicy>> {
    let policy = book.approval_policy(resource_type, permission)?;
    (required || applies(book, chain, policy)).then_some(policy)
}

/// Whether a policy is about a chain.
pub(crate) fn applies(book: &Book, chain: &Chain, policy: &ApprovalPolicy) -> bool {
    match policy.applies {
        Applies::All => true,
        Applies::AgentChains => chain.principals().any(|principal| book.is_agent(principal)),
    }
}

/// The approval a claim names; it must be there, and be the presenter's.
pub(super) fn presented<G: Graph>(
    ground: &Ground<'_, G>,
    claim: &Claim,
) -> Result<Option<Arc<Approval>>, Refused> {
    let Some(id) = claim.approval else { return Ok(None) };
    let approval = ground.book.approval(id).ok_or_else(|| {
        Refused::new(Reason::ApprovalNotFound, "approval", format!("there is no approval {id}"))
    })?;
    if !ground.presenter.is(&approval.binding) {
        let message = format!("approval {id} belongs to another client than `{}`", ground.presenter.client);
        return Err(Refused::new(Reason::ApprovalBinding, "approval", message));
    }
    Ok(Some(Arc::clone(approval)))
}

/// Whether an action that everything else allows is approved. `required` makes it need an approval whatever the
/// policies say.
pub(super) fn approved<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    question: &Question<'_>,
    required: bool,
) -> Result<Approved, Refused> {
    let approval = presented(ground, question.claim)?;
    let resource = question.resource;
    let policy = policy_for(ground.book, chain, question.permission, &resource.object_type, required);
    if let Some(approval) = &approval
        && (approval.resource != *resource || approval.permission != question.permission)
    {
        let message =
            format!("approval {} is for `{}` on `{}`", approval.id, approval.permission, approval.resource);
        return Err(Refused::new(Reason::ApprovalMismatch, "approval", message));
    }
    let Some(policy) = policy else {
        return Ok(if required { Approved::Waits } else { Approved::NotNeeded });
    };
    let Some(approval) = approval else { return Ok(Approved::Waits) };
    let (hash, _) = action_hash(chain, question.permission, resource, question.values, policy)?;
    if hash != approval.action_hash {
        let message =
            format!("approval {} is for another action, chain, value or version of the policy", approval.id);
        return Err(Refused::new(Reason::ApprovalMismatch, "approval", message));
    }
    let until = match approval.state {
        ApprovalState::Approved { use_before, .. } if ground.facts.now < use_before => use_before,
        _ => return Ok(Approved::Waits),
    };
    let is_counted = matches!(approval.uses, ApprovalUses::Counted(_));
    if is_counted && approval.uses_left == 0 {
        return Ok(Approved::Waits);
    }
    let until = match &approval.glass {
        // What a switch or a quarantine imposes is for others to approve.
        Some(_) if required => None,
        Some(glass) => glass::serves_until(ground, &approval, glass, until)?,
        None => has_quorum(ground, chain, policy, &approval)?.then_some(until),
    };
    let Some(until) = until else { return Ok(Approved::Waits) };
    Ok(Approved::By { approval: approval.id, is_counted, until })
}

/// Whether enough of those who approved may still approve, at the head: an approver who left does not count, however
/// old the snapshot is that the question is about.
pub(crate) fn has_quorum<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    policy: &ApprovalPolicy,
    approval: &Approval,
) -> Result<bool, Refused> {
    let mut standing: Vec<&Vote> = Vec::new();
    for vote in approval.votes.iter().filter(|vote| vote.approves) {
        let is_counted = standing.iter().any(|other| is_same_voter(ground.book, other, &vote.approver));
        if !is_counted && eligible(&ground.at_head(), policy, approval, chain, &vote.approver)?.is_ok() {
            standing.push(vote);
        }
    }
    Ok(standing.len() >= policy.quorum as usize)
}

/// Whether a vote is somebody's: by account, or by the person behind it, as known when it was cast or as known now.
pub(crate) fn is_same_voter(book: &Book, vote: &Vote, approver: &ObjectRef) -> bool {
    was_by(book, (&vote.approver, vote.person.as_ref()), approver)
}

/// Whether somebody may vote on an approval now, on a ground at the head, and if not, why. What they may do by themselves decides, with every gate
/// and bound of their own.
pub fn eligible(
    ground: &Ground<'_>,
    policy: &ApprovalPolicy,
    approval: &Approval,
    chain: &Chain,
    approver: &ObjectRef,
) -> Result<Result<(), String>, Refused> {
    let book = ground.book;
    let no = |why: String| Ok(Err(why));
    if let Some(other) = same_as(book, policy, approval, chain, approver) {
        return no(format!("`{approver}` is, or is the same person as, {other}"));
    }
    if policy.human_only && (book.is_agent(approver) || !book.is_human(approver)) {
        return no(format!("`{approver}` is not known to be a human, and only humans may approve this"));
    }
    let blueprint = |principal: &ObjectRef| book.agent(principal).and_then(|agent| agent.blueprint.clone());
    let own = blueprint(approver);
    if own.is_some() && chain.principals().any(|principal| blueprint(principal) == own) {
        return no(format!("`{approver}` is made from the same blueprint as an agent of the chain"));
    }
    if may_by_itself(
        ground,
        approver,
        &policy.approver_permission,
        &approval.resource,
        Some(&approval.bound),
    )? {
        return Ok(Ok(()));
    }
    no(format!(
        "`{approver}` lacks `{}` on `{}`, or may not act",
        policy.approver_permission, approval.resource
    ))
}

/// Whether a check of a principal that acts on its own authority allows an action.
pub(crate) fn may_by_itself(
    ground: &Ground<'_>,
    principal: &ObjectRef,
    permission: &str,
    resource: &ObjectRef,
    values: Option<&Context>,
) -> Result<bool, Refused> {
    let chain = Chain::of_one(principal.clone());
    let question = Question { claim: &Claim::default(), permission, resource, values };
    Ok(decide(ground, &chain, &question, false)?.0.outcome == Outcome::Allow)
}

/// Whom of those an approver must not be it is; by account or by the person behind it.
fn same_as(
    book: &Book,
    policy: &ApprovalPolicy,
    approval: &Approval,
    chain: &Chain,
    approver: &ObjectRef,
) -> Option<&'static str> {
    let is_same = |other: &ObjectRef| is_one_person(book, other, approver);
    if chain.principals().any(is_same) {
        return Some("somebody of the chain");
    }
    if approval.grant.as_ref().is_some_and(|grant| is_same(&grant.grantor)) {
        return Some("who grants");
    }
    for distinct in &policy.distinct_from {
        let found = match distinct {
            Distinct::Actor => is_same(chain.actor()),
            Distinct::Root => is_same(&chain.root),
            Distinct::Sponsor => chain
                .principals()
                .filter_map(|principal| book.agent(principal))
                .any(|agent| agent.sponsors.iter().any(is_same)),
            Distinct::Requester => approval.requester.as_ref().is_some_and(is_same),
            Distinct::SessionOpener => {
                chain.session.as_ref().and_then(|session| session.opened_for.as_ref()).is_some_and(is_same)
            }
        };
        if found {
            return Some(match distinct {
                Distinct::Actor => "who acts",
                Distinct::Root => "the root of the chain",
                Distinct::Sponsor => "a sponsor of an agent of the chain",
                Distinct::Requester => "who asked for the approval",
                Distinct::SessionOpener => "who opened the session",
            });
        }
    }
    None
}
