//! One question about one object, with everything it takes to decide it.

use std::sync::Arc;

use pemba_agents::Refused;
use pemba_agents::authority::{Decision, Question};
use pemba_agents::chain::{Chain, Claim};
use pemba_engine::QueryError;
use pemba_model::{Context, ObjectRef, Relationship};
use tonic::Status;

use super::basis::Basis;
use crate::errors;
use crate::state::State;

/// Steps that a decision takes on the thread of its connection, well below a millisecond; a longer one starts again on
/// a query thread.
const INLINE_STEPS_MAX: u64 = 10_000;

/// What is asked, for a chain that is resolved.
pub(crate) struct Case {
    pub(crate) claim: Claim,
    pub(crate) chain: Chain,
    pub(crate) resource: ObjectRef,
    pub(crate) permission: String,
    pub(crate) values: Option<Context>,
    pub(crate) brought: Vec<Relationship>,
}

impl Case {
    /// The question.
    pub(crate) fn question(&self) -> Question<'_> {
        Question {
            claim: &self.claim,
            permission: &self.permission,
            resource: &self.resource,
            values: self.values.as_ref(),
        }
    }

    /// Decides, and remembers that the session was used.
    pub(crate) fn decide(&self, basis: &Basis) -> Result<Decision, Refused> {
        let decision = basis.decide(&self.chain, &self.brought, &self.question())?;
        basis.used(&self.chain, decision.limit.as_ref());
        Ok(decision)
    }

    /// Decides here when that is quick, else on a query thread.
    pub(crate) async fn decide_soon(
        self: &Arc<Case>,
        state: &State,
        basis: &Basis,
    ) -> Result<Decision, Status> {
        match self.decide(&basis.bounded(INLINE_STEPS_MAX)) {
            Err(Refused { query: Some(error), .. }) if matches!(*error, QueryError::TooManySteps { .. }) => {
                let (case, basis) = (Arc::clone(self), basis.clone());
                state
                    .queries
                    .run(move || case.decide(&basis).map_err(|refused| errors::agents(&refused)))
                    .await
            }
            decided => decided.map_err(|refused| errors::agents(&refused)),
        }
    }
}
