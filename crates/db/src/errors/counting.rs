//! Why a counter was not registered, unregistered or read.

use pemba_model::{RelationshipFilter, SmolStr};

use super::reading::FilterError;
use super::refusal::Refusal;

/// Why a counter was not registered, unregistered or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CounterError {
    /// The name is none.
    #[error("invalid name of a counter: {reason}")]
    InvalidName {
        /// What is wrong, with the value and the bound.
        reason: String,
    },
    /// Its filter selects nothing in particular, contradicts itself or names what the schema lacks.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// There is a counter of this name.
    #[error("counter `{name}` is registered already; unregister it first, or choose another name")]
    AlreadyRegistered {
        /// The name.
        name: SmolStr,
        /// The filter of the request.
        filter: Box<RelationshipFilter>,
    },
    /// There is no counter of this name.
    #[error("counter `{name}` is not registered")]
    NotRegistered {
        /// The name.
        name: SmolStr,
    },
    /// There are as many counters as there may be.
    #[error("{max} counters are registered, which is the limit; unregister one first")]
    TooMany {
        /// The limit.
        max: usize,
    },
    /// Counting would take more work than a query may.
    #[error(
        "counting `{name}` needs more than {steps_max} steps; narrow its filter, or raise the limit `query-steps-max`"
    )]
    TooManySteps {
        /// The counter.
        name: SmolStr,
        /// The limit, in steps.
        steps_max: u64,
    },
    /// The database takes no request that changes it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
