//! Why a decision is as it is: every conjunct with its own answer, and how the root comes by its authority.

use pemba_engine::{CheckAnswer, Graph, QueryError, Trace};
use pemba_model::Timestamp;

use super::check::{conclude, direct, evaluate};
use super::conjunct::{Limit, Part};
use super::decision::Decision;
use super::{Ground, Question};
use crate::chain::{Chain, resolve};
use crate::error::Refused;

/// One conjunct.
#[derive(Debug, Clone)]
pub struct Step {
    /// Which.
    pub part: Part,
    /// What it says.
    pub answer: Result<CheckAnswer, QueryError>,
    /// How it limits the decision; `None` where it holds.
    pub limit: Option<Limit>,
    /// For a scope or a ceiling: the first clause that lets the action through, by its place.
    pub clause: Option<usize>,
    /// For a hop: when it ends by its own terms.
    pub ends_at: Option<Timestamp>,
}

/// A decision with all its conjuncts, whether or not one of them decided alone.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The decision.
    pub decision: Decision,
    /// The chain.
    pub chain: Chain,
    /// The conjuncts, in the order of evaluation: outermost first.
    pub steps: Vec<Step>,
    /// How the root comes by the permission, or fails to.
    pub trace: Result<Trace, QueryError>,
}

/// Explains a decision. The trace has at most `nodes_max` nodes.
pub fn explain<G: Graph>(
    ground: &Ground<'_, G>,
    question: &Question<'_>,
    nodes_max: usize,
) -> Result<Explanation, Refused> {
    let chain = resolve(ground.book, question.claim, ground.presenter, ground.facts.revision)?;
    let (mut concluded, gated) = evaluate(ground, &chain, question, true)?;
    let taken = std::mem::take(&mut concluded.taken);
    let (decision, _) = conclude(ground, &chain, question, concluded, gated, false)?;
    let steps = taken
        .into_iter()
        .map(|taken| Step {
            part: taken.part,
            answer: taken.answer,
            limit: taken.limit,
            clause: clause_of(ground, &chain, question, taken.part),
            ends_at: ends_at(&chain, taken.part),
        })
        .collect();
    let root = direct(&chain.root);
    let Question { resource, permission, values, .. } = *question;
    let trace = ground.judged_for_root().trace(resource, permission, &root, nodes_max, values);
    Ok(Explanation { decision, chain, steps, trace })
}

fn clause_of<G: Graph>(
    ground: &Ground<'_, G>,
    chain: &Chain,
    question: &Question<'_>,
    part: Part,
) -> Option<usize> {
    let agent = |place| ground.book.agent(chain.principals().nth(place)?);
    let scope = match part {
        Part::Scope(place) => &chain.hops.get(place.checked_sub(1)?)?.delegation.scope,
        Part::SessionScope => chain.session.as_ref()?.scope.as_ref()?,
        Part::Ceiling(place) => agent(place)?.ceiling.as_ref()?,
        _ => return None,
    };
    scope.matching(&ground.facts, question.permission, question.resource, question.values)
}

fn ends_at(chain: &Chain, part: Part) -> Option<Timestamp> {
    match part {
        Part::Hop(place) => Some(chain.hops.get(place.checked_sub(1)?)?.delegation.not_after),
        Part::Session => Some(chain.session.as_ref()?.not_after),
        _ => None,
    }
}
