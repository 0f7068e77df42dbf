//! Why a write or an import did not happen.

use pemba_engine::PutError;
use pemba_model::{Precondition, Relationship};

use super::reading::FilterError;
use super::refusal::Refusal;
use super::relationship::RelationshipError;

/// Why a write did not happen. After any error nothing of it is stored, but for `Refusal::Poisoned`, where the part of the
/// last group that reached the disk is known only after a restart.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum WriteError {
    /// More than `write_updates_max` updates.
    #[error("the write has {count} updates; at most {max} are allowed")]
    TooManyUpdates {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// More than `preconditions_max` preconditions.
    #[error("the request has {count} preconditions; at most {max} are allowed")]
    TooManyPreconditions {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// Two updates name the same relationship; caveat and expiry do not tell them apart.
    #[error("the write names `{relationship}` twice; each relationship may be updated once")]
    DuplicateUpdate {
        /// The relationship, as in the second update.
        relationship: Box<Relationship>,
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
    /// A relationship is not allowed.
    #[error(transparent)]
    Relationship(#[from] RelationshipError),
    /// A precondition's filter selects nothing in particular, contradicts itself or names what the schema lacks.
    #[error("in a precondition: {0}")]
    Filter(#[from] FilterError),
    /// A precondition does not hold.
    #[error("the precondition {} does not hold", describe(.precondition))]
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
    /// A `Create` of a relationship that is there and has not expired.
    #[error("relationship `{relationship}` exists already")]
    AlreadyExists {
        /// The relationship, as in the request.
        relationship: Box<Relationship>,
    },
    /// A type would have more different objects than it can.
    #[error("the write names too many new objects: {message}")]
    TooManyObjects {
        /// Which limit.
        message: String,
    },
    /// The database takes no request that changes it.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl WriteError {
    /// For a relationship of a kind that no schema has allowed so far.
    pub(crate) fn unknown_kind(relationship: &Relationship) -> WriteError {
        let relationship = relationship.to_string();
        WriteError::TooManyObjects { message: PutError::UnknownKind { relationship }.to_string() }
    }
}

/// Why an import did not happen. Nothing of it is stored.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ImportError {
    /// More than `import_relationships_max` relationships.
    #[error(
        "the import has more than {max} relationships; split it, or raise the limit `import-relationships-max`"
    )]
    TooManyRelationships {
        /// The limit.
        max: usize,
    },
    /// As for a write; `AlreadyExists` also when the import itself names a relationship twice.
    #[error(transparent)]
    Write(#[from] WriteError),
}

impl From<RelationshipError> for ImportError {
    fn from(error: RelationshipError) -> ImportError {
        ImportError::Write(error.into())
    }
}

impl From<Refusal> for ImportError {
    fn from(refusal: Refusal) -> ImportError {
        ImportError::Write(refusal.into())
    }
}

/// The precondition in words, without its filter's empty fields.
fn describe(precondition: &Precondition) -> String {
    let (verb, filter) = match precondition {
        Precondition::MustMatch(filter) => ("must-match", filter),
        Precondition::MustNotMatch(filter) => ("must-not-match", filter),
    };
    format!("`{verb} {}`", super::reading::describe_filter(filter))
}
