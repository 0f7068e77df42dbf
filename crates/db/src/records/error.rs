//! What can be wrong with a record.

use crate::store::{Family, StoreError};

/// Why a record could not be read or written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The bytes of a record mean nothing: the store is damaged, or not written by Pemba.
    #[error(
        "record `{key}` of `{}` is damaged: {reason}; restore the data directory from a backup",
        family.name()
    )]
    Damaged {
        /// Where it lies.
        family: Family,
        /// Its key, in hexadecimal digits.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// A caveat context or transaction metadata nests deeper than it could be read again.
    #[error("context nests deeper than `{max}` levels")]
    ContextTooDeep {
        /// The most levels a context may have.
        max: usize,
    },
    /// A value could not be encoded.
    #[error("record of `{}` cannot be encoded: {reason}", family.name())]
    Unencodable {
        /// Where it was to lie.
        family: Family,
        /// What is wrong.
        reason: String,
    },
}

impl RecordError {
    /// A damaged record, by its key.
    pub(super) fn damaged(family: Family, key: &[u8], reason: impl Into<String>) -> RecordError {
        let key = key.iter().map(|byte| format!("{byte:02x}")).collect();
        RecordError::Damaged { family, key, reason: reason.into() }
    }
}
