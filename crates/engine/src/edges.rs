//! What a query counts and decides as it reads edges: steps, expiry, caveats.

use pemba_model::Timestamp;
use smol_str::SmolStr;

use crate::graph::Qualifier;
use crate::query::{CaveatEvaluator, CaveatOutcome, Permissionship, QueryContext, QueryError};

/// Whether an edge counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EdgeState {
    /// It does not: expired, or its caveat says no.
    Absent,
    /// It does.
    Holds,
    /// These missing parameters decide.
    Depends(Vec<SmolStr>),
}

impl EdgeState {
    /// The state as a value.
    pub(crate) fn value(&self) -> Permissionship {
        match self {
            EdgeState::Absent => Permissionship::No,
            EdgeState::Holds => Permissionship::Yes,
            EdgeState::Depends(_) => Permissionship::Conditional,
        }
    }
}

/// The running account of one query.
pub(crate) struct Reading<'a> {
    /// The instant of the query.
    pub(crate) now: Timestamp,
    caveats: &'a dyn CaveatEvaluator,
    steps: u64,
    steps_max: u64,
    /// The earliest expiry after `now` among the edges looked at.
    pub(crate) valid_until: Option<Timestamp>,
}

impl<'a> Reading<'a> {
    /// A fresh account.
    pub(crate) fn new(context: &QueryContext<'a>) -> Reading<'a> {
        Reading {
            now: context.now,
            caveats: context.caveats,
            steps: 0,
            steps_max: context.steps_max,
            valid_until: None,
        }
    }

    /// Counts steps; an error once there are too many.
    pub(crate) fn charge(&mut self, steps: u64) -> Result<(), QueryError> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.steps_max {
            return Err(QueryError::TooManySteps { steps_max: self.steps_max });
        }
        Ok(())
    }

    /// Counts steps, one for each of so many members.
    pub(crate) fn charge_len(&mut self, len: usize) -> Result<(), QueryError> {
        self.charge(u64::try_from(len).unwrap_or(u64::MAX))
    }

    /// Whether a qualified edge is still there, whatever its caveat says; looking notes the expiry.
    pub(crate) fn is_live(&mut self, qualifier: &Qualifier) -> bool {
        match qualifier.expires_at {
            Some(expires_at) if expires_at <= self.now => false,
            Some(expires_at) => {
                self.valid_until = Some(self.valid_until.map_or(expires_at, |until| until.min(expires_at)));
                true
            }
            None => true,
        }
    }

    /// Whether a qualified edge counts.
    pub(crate) fn state(&mut self, qualifier: &Qualifier) -> Result<EdgeState, QueryError> {
        if !self.is_live(qualifier) {
            return Ok(EdgeState::Absent);
        }
        let Some(caveat) = &qualifier.caveat else { return Ok(EdgeState::Holds) };
        self.charge(1)?;
        Ok(match self.caveats.evaluate(&caveat.name, &caveat.context)? {
            CaveatOutcome::True => EdgeState::Holds,
            CaveatOutcome::False => EdgeState::Absent,
            CaveatOutcome::Missing(names) => EdgeState::Depends(names),
        })
    }
}
