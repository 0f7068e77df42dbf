//! The conjuncts that look at records only: is everything and everybody alive that the chain rests on.

use pemba_engine::{Graph, QueryError};
use pemba_model::ObjectRef;

use super::Case;
use super::conjunct::{Limit, Part};
use super::evaluation::Evaluation;
use crate::answer;
use crate::book::Known;
use crate::chain::{Hop, Over, delegation_over, is_connected, session_over};
use crate::liveness::{Liveness, NotLive, liveness};
use crate::records::label;

/// What the gates found besides their answers.
#[derive(Debug, Default)]
pub(super) struct Gated {
    /// Whether a quarantine or a switch makes the action need an approval.
    pub(super) approval_required: bool,
    /// Whether a hop counts its uses.
    pub(super) is_counted: bool,
    /// Agents without a record.
    pub(super) shadows: Vec<ObjectRef>,
}

/// Takes all gates for actions on objects of a type.
pub(super) fn take<G: Graph>(
    case: &Case<'_, G>,
    resource_type: &str,
    evaluation: &mut Evaluation,
) -> Result<Gated, QueryError> {
    let mut gated = Gated::default();
    let book = case.ground.book;
    if book.is_empty() {
        return Ok(gated);
    }
    let labels = book.labels(resource_type, case.permission).map(|found| &found.labels);
    let is_safe = labels.is_some_and(|labels| labels.contains(label::SAFE));
    let is_read = is_safe || labels.is_some_and(|labels| labels.contains(label::READ));
    session(case, evaluation)?;
    let standing = |known: Known<'_>, incarnation: Option<u32>| {
        liveness(book, case.ground.limits, known, incarnation, case.ground.facts.now)
    };
    let mut principals = case.known.iter().copied().enumerate();
    let Some((_, mut delegator)) = principals.next() else { return Ok(gated) };
    let root_incarnation =
        case.chain.hops.first().and_then(|hop| hop.delegation.incarnations.first().copied());
    let mut stands = standing(delegator, root_incarnation);
    // Why who delegates the next hop may not act.
    let mut before = stands.not_live.clone();
    principal(0, delegator.principal, stands, (is_safe, is_read), &mut gated, evaluation)?;
    if !case.chain.hops.is_empty() {
        connection(case, evaluation)?;
    }
    for (hop, (place, delegate)) in case.chain.hops.iter().zip(principals) {
        hop_alive(case, place, hop, evaluation)?;
        gated.is_counted |= hop.delegation.uses_left.is_some();
        let [_, from, to] = hop.delegation.incarnations;
        stands = standing(delegate, if to == 0 { None } else { Some(to) });
        let own = stands.not_live.clone();
        if place > 1 && own.is_none() {
            let is_other = delegator.incarnation() != from;
            stands.not_live = if is_other { Some(NotLive::OtherIncarnation) } else { before };
        }
        before = own;
        principal(place, delegate.principal, stands, (is_safe, is_read), &mut gated, evaluation)?;
        delegator = delegate;
    }
    Ok(gated)
}

fn session<G: Graph>(case: &Case<'_, G>, evaluation: &mut Evaluation) -> Result<(), QueryError> {
    let Some(session) = &case.chain.session else { return Ok(()) };
    let ground = &case.ground;
    // Whom the session is for is who acts, or the chain would not connect.
    let incarnation = case.known.last().map_or(1, Known::incarnation);
    let state = if incarnation == session.incarnation {
        session_over(session, ground.presenter.session_used_at, ground.facts.now)
    } else {
        Err((Over::OtherIncarnation, None))
    };
    let limit = || Limit::Session(session.id, state.err().map_or(Over::Ended, |(over, _)| over));
    evaluation.take(Part::Session, limit, || Ok(of_period(state)))
}

fn connection<G: Graph>(case: &Case<'_, G>, evaluation: &mut Evaluation) -> Result<(), QueryError> {
    let over = if case.chain.is_cut { Over::Cut } else { Over::Broken };
    let holds = !case.chain.is_cut && is_connected(case.ground.limits, case.chain, &case.known);
    evaluation.take(Part::Connection, || Limit::Connection(over), || Ok(answer::either(holds)))
}

fn hop_alive<G: Graph>(
    case: &Case<'_, G>,
    place: usize,
    hop: &Hop,
    evaluation: &mut Evaluation,
) -> Result<(), QueryError> {
    let session = case.chain.session.as_ref().map(|session| session.id);
    let state = delegation_over(&hop.delegation, session, case.ground.facts.now);
    let limit = || Limit::Hop(hop.delegation.id, state.err().map_or(Over::Ended, |(over, _)| over));
    evaluation.take(Part::Hop(place), limit, || Ok(of_period(state)))?;
    if hop.delegation.to.relation.is_none() {
        return Ok(());
    }
    evaluation.take(
        Part::Member(place),
        || Limit::Member(hop.delegation.id),
        || case.ground.judged().is_member(&hop.delegation.to, &hop.principal, case.values),
    )
}

fn of_period(
    state: Result<pemba_model::Timestamp, (Over, Option<pemba_model::Timestamp>)>,
) -> pemba_engine::CheckAnswer {
    match state {
        Ok(until) => pemba_engine::CheckAnswer { valid_until: Some(until), ..answer::yes() },
        Err((_, from)) => pemba_engine::CheckAnswer { valid_until: from, ..answer::no() },
    }
}

fn principal(
    place: usize,
    who: &ObjectRef,
    stands: Liveness,
    (is_safe, is_read): (bool, bool),
    gated: &mut Gated,
    evaluation: &mut Evaluation,
) -> Result<(), QueryError> {
    let until = stands.valid_until;
    if stands.is_shadow {
        gated.shadows.push(who.clone());
    }
    gated.approval_required |= stands.approval_required.is_some() || (stands.is_quarantined && !is_safe);
    match stands.not_live {
        None => evaluation.hold(Part::Live(place), until),
        Some(why) => evaluation.take(
            Part::Live(place),
            || Limit::NotLive(who.clone(), why),
            || Ok(pemba_engine::CheckAnswer { valid_until: until, ..answer::no() }),
        )?,
    }
    let Some(switch) = stands.write_denied else { return Ok(()) };
    evaluation.take(
        Part::Write(place),
        || Limit::WriteDenied(who.clone(), switch),
        || Ok(pemba_engine::CheckAnswer { valid_until: until, ..answer::either(is_read) }),
    )
}
