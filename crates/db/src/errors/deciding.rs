//! Why a command did not happen.

use pemba_model::{InvalidName, LedgerError};

use super::refusal::Refusal;
use super::writing::WriteError;

/// Why the database did not take or could not commit what a command decided. Nothing of it is stored, with the same
/// exception as for `WriteError`.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum DecideError {
    /// More than `command_changes_max` documents, relationships and new incarnations together.
    #[error(
        "the command changes {count} documents, relationships and incarnations; at most {max} are allowed"
    )]
    TooManyChanges {
        /// How many there are.
        count: usize,
        /// The limit.
        max: usize,
    },
    /// A document has no key.
    #[error("the key of a document is empty")]
    EmptyDocumentKey,
    /// A document's key is longer than `document_key_max_bytes`.
    #[error("the key of document `{key}` is {size_bytes} bytes; at most {max_bytes} are allowed")]
    DocumentKeyTooLarge {
        /// The beginning of the key.
        key: String,
        /// Its size, in bytes.
        size_bytes: usize,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// A document is larger than `document_max_bytes`.
    #[error("document `{key}` is {size_bytes} bytes; at most {max_bytes} are allowed")]
    DocumentTooLarge {
        /// Its key.
        key: String,
        /// Its size, in bytes.
        size_bytes: usize,
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// The documents together are larger than `command_documents_max_bytes`.
    #[error(
        "the documents that the command changes are more than {max_bytes} bytes, their keys and what was there before \
         included; change fewer at once"
    )]
    DocumentsTooLarge {
        /// The limit, in bytes.
        max_bytes: usize,
    },
    /// Two changes name the same document.
    #[error("the command changes document `{key}` twice")]
    DuplicateDocument {
        /// Its key.
        key: String,
    },
    /// What is no object cannot get a later incarnation.
    #[error("`{object}` cannot get a later incarnation: {error}")]
    InvalidObject {
        /// The object, in its text form.
        object: String,
        /// What is wrong with its name.
        error: InvalidName,
    },
    /// The ledger does not take the documents.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// What was there before could not be read.
    #[error("reading the documents failed: {reason}")]
    Storage {
        /// What failed.
        reason: String,
    },
    /// Its relationships or its metadata are refused, as those of a write would be.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The database takes no request.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
