//! What is answered.

use pemba_model::{ObjectRef, SmolStr, Timestamp};

use super::conjunct::Limit;

/// What a chain may do. Only `Allow` lets anything happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// Not this.
    Deny,
    /// It depends on values that nobody gave.
    Conditional,
    /// Everything else allows it; somebody must approve.
    RequiresApproval,
    /// Everything allows it; it counts, so it is to be consumed.
    RequiresConsumption,
    /// This.
    Allow,
}

/// A decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// The outcome.
    pub outcome: Outcome,
    /// For `Conditional` the parameters of every conjunct that still matters; sorted, never empty. Else empty.
    pub missing: Vec<SmolStr>,
    /// The first instant at which the decision could change by the clock alone; it may be earlier than the true one.
    pub valid_until: Option<Timestamp>,
    /// The first conjunct that keeps the outcome from being `Allow`; `None` for `Allow`. For callers who may ask why.
    pub limit: Option<Limit>,
    /// Agents of the chain that act without a record.
    pub shadows: Vec<ObjectRef>,
}
