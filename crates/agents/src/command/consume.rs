//! Consuming: a decision that counts, taken in the one order of all writes.

use pemba_model::{Context, ObjectRef, SmolStr};
use sha2::{Digest, Sha256};

use super::approvals::{approval_of, decide_now};
use super::changes::{Changes, check_name, check_object, millis};
use crate::authority::{Decision, Outcome, Question, hexadecimal};
use crate::chain::{Chain, Claim, Presenter, resolve};
use crate::error::{Reason, Refused};
use crate::id::ApprovalId;
use crate::limits::IDEMPOTENCY_KEY_MAX_BYTES;
use crate::moment::Moment;
use crate::records::{Approval, ApprovalState, ApprovalUses, Consumed, Consumption, Delegation};

/// What is to be done, once.
#[derive(Debug, Clone, PartialEq)]
pub struct Consume {
    /// On whose authority; with the approval, where one is needed.
    pub claim: Claim,
    /// The permission.
    pub permission: SmolStr,
    /// The object.
    pub resource: ObjectRef,
    /// Values for caveats, and those the approval is bound to.
    pub values: Option<Context>,
    /// The same key gives the same answer, and uses nothing again.
    pub idempotency_key: SmolStr,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcomes {
    /// The decision; anything but `Allow` used nothing.
    pub decision: Decision,
    /// What was used, and when; of the first time for a key that is repeated.
    pub consumption: Option<Consumption>,
    /// Whether this is the answer of an earlier time.
    pub is_repeated: bool,
}

/// Decides at the head, and in the same revision uses up what the decision counts.
pub fn consume(
    moment: &Moment<'_>,
    presenter: &Presenter,
    new: &Consume,
) -> Result<Changes<Outcomes>, Refused> {
    check_name("idempotency_key", &new.idempotency_key)?;
    if new.idempotency_key.len() > IDEMPOTENCY_KEY_MAX_BYTES {
        let message = format!("at most {IDEMPOTENCY_KEY_MAX_BYTES} bytes are allowed");
        return Err(Refused::new(Reason::TooMuch, "idempotency_key", message));
    }
    check_object("resource", &new.resource)?;
    let question_hash = hash_of(new);
    if let Some(repeated) = repeated(moment, presenter, new, &question_hash)? {
        return Ok(Changes::new(repeated));
    }
    let chain = resolve(moment.book, &new.claim, presenter, moment.revision)?;
    let (decision, approval) = decided(moment, presenter, new, &chain)?;
    if decision.outcome != Outcome::Allow {
        return Ok(Changes::new(Outcomes { decision, consumption: None, is_repeated: false }));
    }
    let mut changes = Changes::new(());
    let consumed = use_up(moment, &chain, approval, &mut changes)?;
    let window = millis(moment.limits.idempotency_window_ms);
    let consumption = Consumption {
        client: presenter.client.clone(),
        idempotency_key: new.idempotency_key.clone(),
        question_hash,
        actors: chain.actors().cloned().collect(),
        root: chain.root,
        permission: new.permission.clone(),
        resource: new.resource.clone(),
        consumed,
        at: moment.now(),
        revision: moment.revision.0,
        repeat_until: moment.now().plus_millis(window),
    };
    changes.put(&consumption)?;
    changes.forget(moment);
    let reply = Outcomes { decision, consumption: Some(consumption), is_repeated: false };
    Ok(Changes { documents: changes.documents, reincarnate: Vec::new(), reply })
}

/// The answer to a key that was used before, for the same question.
fn repeated(
    moment: &Moment<'_>,
    presenter: &Presenter,
    new: &Consume,
    question_hash: &str,
) -> Result<Option<Outcomes>, Refused> {
    let Some(before) = moment.book.consumption(&presenter.client, &new.idempotency_key) else {
        return Ok(None);
    };
    if moment.now() >= before.repeat_until {
        return Ok(None);
    }
    if before.question_hash != question_hash {
        let message = format!("`{}` was used for another question", new.idempotency_key);
        return Err(Refused::new(Reason::IdempotencyConflict, "idempotency_key", message));
    }
    let decision = Decision {
        outcome: Outcome::Allow,
        missing: Vec::new(),
        valid_until: None,
        limit: None,
        shadows: Vec::new(),
    };
    Ok(Some(Outcomes { decision, consumption: Some(before.as_ref().clone()), is_repeated: true }))
}

fn decided(
    moment: &Moment<'_>,
    presenter: &Presenter,
    new: &Consume,
    chain: &Chain,
) -> Result<(Decision, Option<ApprovalId>), Refused> {
    let question = Question {
        claim: &new.claim,
        permission: &new.permission,
        resource: &new.resource,
        values: new.values.as_ref(),
    };
    decide_now(moment, presenter, chain, &question, true)
}

/// Takes one use of everything that counts them.
fn use_up(
    moment: &Moment<'_>,
    chain: &Chain,
    approval: Option<ApprovalId>,
    changes: &mut Changes<()>,
) -> Result<Consumed, Refused> {
    let mut consumed = Consumed { approval, approval_uses_left: None, delegations: Vec::new() };
    if let Some(id) = approval {
        let before = approval_of(moment, id)?;
        if matches!(before.uses, ApprovalUses::Counted(_)) {
            let uses_left = before.uses_left.checked_sub(1).ok_or_else(|| {
                Refused::new(Reason::ApprovalNotUsable, "approval", format!("{id} is used up"))
            })?;
            let state = match uses_left {
                0 => ApprovalState::Consumed { at: moment.now() },
                _ => before.state.clone(),
            };
            changes.put(&Approval { uses_left, state, ..before.clone() })?;
            consumed.approval_uses_left = Some(uses_left);
        }
    }
    for hop in &chain.hops {
        let Some(left) = hop.delegation.uses_left else { continue };
        let id = hop.delegation.id;
        let left = left
            .checked_sub(1)
            .ok_or_else(|| Refused::new(Reason::DelegationOver, "delegation", format!("{id} is used up")))?;
        let version = hop.delegation.version + 1;
        changes.put(&Delegation { uses_left: Some(left), version, ..hop.delegation.as_ref().clone() })?;
        consumed.delegations.push((id, left));
    }
    Ok(consumed)
}

/// What was asked, in one hash.
fn hash_of(new: &Consume) -> SmolStr {
    let claim = &new.claim;
    let canonical = serde_json::json!([
        claim.root.as_ref().map(ToString::to_string),
        claim.actors.iter().map(ToString::to_string).collect::<Vec<_>>(),
        claim.either_end.as_ref().map(ToString::to_string),
        claim.delegation.map(|id| id.to_string()),
        claim.session.map(|id| id.to_string()),
        claim.approval.map(|id| id.to_string()),
        new.permission,
        new.resource.to_string(),
        new.values,
    ]);
    hexadecimal(&Sha256::digest(canonical.to_string().as_bytes()))
}
