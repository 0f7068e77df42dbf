//! Why a delete by filter did not happen.

use pemba_model::{Precondition, RelationshipFilter};

use super::reading::{FilterError, describe_filter};
use super::refusal::Refusal;

/// Why a delete by filter did not happen. Nothing of it is stored, with the same exception as for `WriteError`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DeleteError {
    /// The filter selects nothing in particular, contradicts itself or names what the schema lacks.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// A precondition's filter is invalid.
    #[error("in a precondition: {0}")]
    PreconditionFilter(FilterError),
    /// More than `preconditions_max` preconditions.
    #[error("the request has {count} preconditions; at most {max} are allowed")]
    TooManyPreconditions {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A precondition does not hold.
    #[error("a precondition does not hold: `{}`", describe_filter(.precondition.filter()))]
    PreconditionFailed {
        /// The first that does not hold.
        precondition: Box<Precondition>,
    },
    /// Whether a precondition holds would take more work than a write may.
    #[error(
        "the preconditions look at more than {max} relationships; name a resource type and id in each, or fewer of them"
    )]
    PreconditionTooManySteps {
        /// The one at which the bound was reached.
        precondition: Box<Precondition>,
        /// The bound, in relationships looked at.
        max: u64,
    },
    /// The transaction metadata is larger than `transaction_metadata_max_bytes`.
    #[error("the transaction metadata is {size_bytes} bytes; at most {max_bytes} are allowed")]
    MetadataTooLarge {
        /// Its size, as JSON text in bytes.
        size_bytes: usize,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The transaction metadata nests too deep.
    #[error("the transaction metadata nests more than {max} levels deep")]
    MetadataTooDeep {
        /// The limit, in levels.
        max: usize,
    },
    /// More relationships match than the request's limit, and deleting a part was not allowed.
    #[error("more than {limit} relationships match `{}`; allow partial deletion or raise the request's limit", describe_filter(.filter))]
    TooManyForLimit {
        /// The request's limit.
        limit: u32,
        /// The filter.
        filter: Box<RelationshipFilter>,
    },
    /// More relationships match than one transaction may delete.
    #[error("more than {max} relationships match; delete them in parts with a limit and partial deletion")]
    TooManyRelationships {
        /// The limit, `delete_relationships_max`.
        max: usize,
    },
    /// The database takes no request that changes it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
