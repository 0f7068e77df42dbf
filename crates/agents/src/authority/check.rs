//! The decision about one object.

use pemba_engine::{CheckAnswer, Graph, Permissionship, QueryError};
use pemba_model::{ObjectRef, SubjectRef};

use super::approvals::{self, Approved};
use super::conjunct::{Limit, Part};
use super::decision::{Decision, Outcome};
use super::evaluation::{Concluded, Evaluation};
use super::gates::{self, Gated};
use super::plain;
use super::{Case, Ground, Question};
use crate::answer;
use crate::chain::{Chain, resolve};
use crate::error::Refused;
use crate::scope::Scope;

/// What a chain may do to an object.
pub fn check<G: Graph>(ground: &Ground<'_, G>, question: &Question<'_>) -> Result<Decision, Refused> {
    if let Some(plain) = plain::claimed(ground, question) {
        return plain.decide(ground, question);
    }
    check_whole(ground, question)
}

/// The decision of `check` with every conjunct evaluated: the slow way, which the quick one must agree with.
#[doc(hidden)]
pub fn check_whole<G: Graph>(ground: &Ground<'_, G>, question: &Question<'_>) -> Result<Decision, Refused> {
    let chain = resolve(ground.book, question.claim, ground.presenter, ground.facts.revision)?;
    Ok(decide_whole(ground, &chain, question, false)?.0)
}

/// Whether `check` answers the quick way.
#[doc(hidden)]
pub fn is_plain<G: Graph>(ground: &Ground<'_, G>, question: &Question<'_>) -> bool {
    plain::claimed(ground, question).is_some()
}

/// The decision for a chain that is resolved. With `consume`, what is counted counts as being consumed now: then it is
/// no obstacle. Also says which approval was used.
pub fn decide<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    question: &Question<'_>,
    consume: bool,
) -> Result<(Decision, Option<crate::id::ApprovalId>), Refused> {
    let leaf = chain.leaf();
    if let Some(plain) =
        leaf.and_then(|leaf| plain::resolved(ground, leaf, chain.session.as_deref(), question))
    {
        return Ok((plain.decide(ground, question)?, None));
    }
    decide_whole(ground, chain, question, consume)
}

/// The same, with every conjunct evaluated.
fn decide_whole<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    question: &Question<'_>,
    consume: bool,
) -> Result<(Decision, Option<crate::id::ApprovalId>), Refused> {
    let (concluded, gated) = evaluate(ground, chain, question, false)?;
    conclude(ground, chain, question, concluded, gated, consume)
}

/// Every conjunct but approval and uses.
pub(super) fn evaluate<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    question: &Question<'_>,
    whole: bool,
) -> Result<(Concluded, Gated), QueryError> {
    // What the schema lacks is an error whatever else says no: nobody learns of a slip by being denied.
    let (resource_type, root) = (&question.resource.object_type, direct(&chain.root));
    ground.seen.program.check_names(resource_type, question.permission, &root)?;
    let case = Case::new(ground, chain, question.permission, question.values);
    let mut evaluation = Evaluation::new(whole);
    let gated = gates::take(&case, &question.resource.object_type, &mut evaluation)?;
    bounds(&case, question.resource, &mut evaluation)?;
    authority_of_root(&case, question.resource, &mut evaluation)?;
    Ok((evaluation.conclude()?, gated))
}

/// The conjuncts that bound what may be done: scopes, ceilings, purposes, own grants.
fn bounds<G: Graph>(
    case: &Case<'_, G>,
    object: &ObjectRef,
    evaluation: &mut Evaluation,
) -> Result<(), QueryError> {
    for (at, hop) in case.chain.hops.iter().enumerate() {
        let limit = || Limit::Scope(hop.delegation.id);
        within(case, object, hop.delegation.scopes(), Part::Scope(at + 1), limit, evaluation)?;
    }
    if let Some(session) = &case.chain.session {
        let limit = || Limit::SessionScope(session.id);
        if let Some(scope) = &session.scope {
            within(case, object, std::iter::once(scope), Part::SessionScope, limit, evaluation)?;
        }
    }
    let (permission, values) = (case.permission, case.values);
    for (place, known) in case.known.iter().enumerate() {
        let (Some(agent), principal) = (known.agent, known.principal) else { continue };
        if let Some(ceiling) = &agent.ceiling {
            let limit = || Limit::Ceiling(principal.clone());
            within(case, object, std::iter::once(ceiling), Part::Ceiling(place), limit, evaluation)?;
        }
        if !agent.purpose_permissions.is_empty() {
            let holds = agent.is_for(&object.object_type, permission);
            evaluation.take(
                Part::Purpose(place),
                || Limit::Purpose(principal.clone()),
                || Ok(answer::either(holds)),
            )?;
        }
        if agent.own_grants_required && place > 0 {
            evaluation.take(
                Part::OwnGrants(place),
                || Limit::OwnGrants(principal.clone()),
                || case.ground.judged().check(object, permission, &direct(principal), values),
            )?;
        }
    }
    Ok(())
}

/// The conjunct that the action lies within all of these scopes.
fn within<'s, G: Graph>(
    case: &Case<'_, G>,
    object: &ObjectRef,
    mut scopes: impl Iterator<Item = &'s Scope> + Clone,
    part: Part,
    limit: impl FnOnce() -> Limit,
    evaluation: &mut Evaluation,
) -> Result<(), QueryError> {
    let (facts, permission, values) = (&case.ground.facts, case.permission, case.values);
    if scopes.clone().all(|scope| scope.surely_contains(permission, object)) {
        evaluation.hold(part, None);
        return Ok(());
    }
    evaluation.take(part, limit, || {
        scopes.try_fold(answer::yes(), |all, scope| {
            if all.permissionship == Permissionship::No {
                return Ok(all);
            }
            Ok(answer::and(all, scope.contains(facts, permission, object, values)?))
        })
    })
}

/// The root's own authority.
fn authority_of_root<G: Graph>(
    case: &Case<'_, G>,
    object: &ObjectRef,
    evaluation: &mut Evaluation,
) -> Result<(), QueryError> {
    let root = &case.chain.root;
    evaluation.take(
        Part::Root,
        || Limit::Root(root.clone()),
        || case.ground.judged_for_root().check(object, case.permission, &direct(root), case.values),
    )
}

/// A principal as a subject.
pub(super) fn direct(principal: &ObjectRef) -> SubjectRef {
    SubjectRef { object: principal.clone(), relation: None }
}

/// The decision that an answer comes to as long as nothing but approval and uses is left.
pub(super) fn decision_of(answer: CheckAnswer, limit: Option<Limit>, shadows: Vec<ObjectRef>) -> Decision {
    let outcome = match answer.permissionship {
        Permissionship::No => Outcome::Deny,
        Permissionship::Conditional => Outcome::Conditional,
        Permissionship::Yes => Outcome::Allow,
    };
    Decision { outcome, missing: answer.missing, valid_until: answer.valid_until, limit, shadows }
}

/// Adds approval and uses, which matter only when everything else allows the action.
pub(super) fn conclude<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    question: &Question<'_>,
    concluded: Concluded,
    gated: Gated,
    consume: bool,
) -> Result<(Decision, Option<crate::id::ApprovalId>), Refused> {
    let mut decision = decision_of(concluded.answer, concluded.limit, gated.shadows);
    if decision.outcome != Outcome::Allow {
        // A claim of an approval that is not there, or somebody else's, is an error whatever the outcome.
        approvals::presented(ground, question.claim)?;
        return Ok((decision, None));
    }
    let approved = approvals::approved(ground, chain, question, gated.approval_required)?;
    let mut used = None;
    match approved {
        Approved::NotNeeded => {}
        Approved::Waits => {
            decision.outcome = Outcome::RequiresApproval;
            decision.limit = Some(Limit::Approval);
            return Ok((decision, None));
        }
        Approved::By { approval, is_counted, until } => {
            decision.valid_until = answer::earlier(decision.valid_until, Some(until));
            used = Some(approval);
            if is_counted && !consume {
                decision.outcome = Outcome::RequiresConsumption;
                decision.limit = Some(Limit::Uses);
            }
        }
    }
    if gated.is_counted && !consume {
        decision.outcome = Outcome::RequiresConsumption;
        decision.limit = Some(Limit::Uses);
    }
    Ok((decision, used))
}
