//! What a query counts and decides as it reads edges: steps, expiry, caveats.

use std::sync::Arc;

use pemba_model::{CaveatRef, Timestamp};
use rustc_hash::{FxBuildHasher, FxHashMap};

use crate::graph::Qualifier;
use crate::query::{CaveatEvaluator, CaveatOutcome, Permissionship, QueryContext, QueryError};
use crate::reasons::Reason;

/// Whether an edge counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EdgeState {
    /// It does not: expired, or its caveat says no.
    Absent,
    /// It does.
    Holds,
    /// These decide; never empty.
    Depends(Vec<Reason>),
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

/// A query took more steps than it may. Small, since it is asked about at every step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Overrun {
    steps_max: u64,
}

impl From<Overrun> for QueryError {
    fn from(overrun: Overrun) -> QueryError {
        QueryError::TooManySteps { steps_max: overrun.steps_max }
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
    /// Whether some caveat failed so far, whether or not it matters.
    pub(crate) has_faults: bool,
    memo: Option<Memo>,
}

/// An account at one moment of a query.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark {
    steps: u64,
    valid_until: Option<Timestamp>,
}

/// Most outcomes that a query keeps.
const MEMO_MAX: usize = 1024;

/// Outcomes of caveats already evaluated in this query, by name and bound values.
#[derive(Default)]
struct Memo(FxHashMap<u64, (Arc<Qualifier>, EdgeState)>);

impl Memo {
    fn key(caveat: &CaveatRef) -> u64 {
        use std::hash::BuildHasher;
        FxBuildHasher.hash_one((&caveat.name, &caveat.context))
    }

    fn get(&self, key: u64, caveat: &CaveatRef) -> Option<&EdgeState> {
        let (known, state) = self.0.get(&key)?;
        (known.caveat.as_ref() == Some(caveat)).then_some(state)
    }

    fn put(&mut self, key: u64, qualifier: &Arc<Qualifier>, state: &EdgeState) {
        if self.0.len() < MEMO_MAX {
            self.0.entry(key).or_insert_with(|| (Arc::clone(qualifier), state.clone()));
        }
    }
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
            has_faults: false,
            memo: None,
        }
    }

    /// A fresh account that evaluates equal caveats once: for queries that look at many edges, or at one repeatedly.
    pub(crate) fn remembering(context: &QueryContext<'a>) -> Reading<'a> {
        Reading { memo: Some(Memo::default()), ..Reading::new(context) }
    }

    /// The account as it stands.
    pub(crate) fn mark(&self) -> Mark {
        Mark { steps: self.steps, valid_until: self.valid_until }
    }

    /// Takes back what an attempt counted and noted that came to nothing, given the account before it.
    pub(crate) fn rewind(&mut self, before: Mark) {
        self.steps = before.steps;
        self.valid_until = before.valid_until;
    }

    /// Counts steps; an error once there are too many.
    #[inline]
    pub(crate) fn charge(&mut self, steps: u64) -> Result<(), Overrun> {
        self.steps = self.steps.saturating_add(steps);
        if self.steps > self.steps_max {
            return Err(Overrun { steps_max: self.steps_max });
        }
        Ok(())
    }

    /// Counts steps, one for each of so many members.
    #[inline]
    pub(crate) fn charge_len(&mut self, len: usize) -> Result<(), Overrun> {
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
    pub(crate) fn state(&mut self, qualifier: &Arc<Qualifier>) -> Result<EdgeState, QueryError> {
        Ok(self.live_state(qualifier)?.unwrap_or(EdgeState::Absent))
    }

    /// As `state`, but `None` for an edge that has expired: it is no edge any more, while one whose caveat says no is one
    /// that does not hold.
    pub(crate) fn live_state(&mut self, qualifier: &Arc<Qualifier>) -> Result<Option<EdgeState>, QueryError> {
        if !self.is_live(qualifier) {
            return Ok(None);
        }
        let Some(caveat) = &qualifier.caveat else { return Ok(Some(EdgeState::Holds)) };
        self.charge(1)?;
        let Some(memo) = &self.memo else { return self.evaluate(caveat).map(Some) };
        let key = Memo::key(caveat);
        if let Some(state) = memo.get(key, caveat) {
            return Ok(Some(state.clone()));
        }
        let state = self.evaluate(caveat)?;
        if let Some(memo) = &mut self.memo {
            memo.put(key, qualifier, &state);
        }
        Ok(Some(state))
    }

    fn evaluate(&mut self, caveat: &CaveatRef) -> Result<EdgeState, QueryError> {
        Ok(match self.outcome(caveat)? {
            Ok(CaveatOutcome::True) => EdgeState::Holds,
            Ok(CaveatOutcome::False) => EdgeState::Absent,
            Ok(CaveatOutcome::Missing(names)) => {
                EdgeState::Depends(names.into_iter().map(Reason::Missing).collect())
            }
            Err(fault) => EdgeState::Depends(vec![Reason::Fault(Arc::new(fault))]),
        })
    }

    /// What a caveat says, or how it fails; any other error is the query's.
    pub(crate) fn outcome(
        &mut self,
        caveat: &CaveatRef,
    ) -> Result<Result<CaveatOutcome, QueryError>, QueryError> {
        match self.caveats.evaluate(&caveat.name, &caveat.context) {
            Err(error) if error.failed_caveat().is_some() => {
                self.has_faults = true;
                Ok(Err(error))
            }
            outcome => outcome.map(Ok),
        }
    }
}
