//! How a store fails.

use std::path::PathBuf;

/// Why a store could not be opened, read or written. Causes are kept as text, so that one failure can be reported to
/// everyone who meets it later.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another handle, most likely another process, has the directory open.
    #[error(
        "data directory `{}` is in use by another process ({cause}); stop that process or name another directory",
        path.display()
    )]
    Locked {
        /// The directory.
        path: PathBuf,
        /// What the lock said.
        cause: String,
    },
    /// The directory holds something that is not a store.
    #[error(
        "directory `{}` is not a Pemba store: it holds `{found}` but no valid `{marker}`; nothing was touched; name an \
         empty directory or one that Pemba wrote",
        path.display()
    )]
    Foreign {
        /// The directory.
        path: PathBuf,
        /// One of the entries found there.
        found: String,
        /// The file by which a store is known.
        marker: &'static str,
    },
    /// The store was written in a format this build does not know.
    #[error(
        "the store has format version `{found}` and this build reads only `{supported}`; nothing was touched; open it \
         with the version of Pemba that wrote it, or export from there and import here"
    )]
    UnknownFormat {
        /// The version found.
        found: u64,
        /// The version this build reads and writes.
        supported: u64,
    },
    /// Bytes on disk are not what was written.
    #[error("the store is damaged: {cause}; restore the data directory from a backup")]
    Damaged {
        /// What was found, with the file where it is known.
        cause: String,
    },
    /// The operation failed; for a write: this store takes no further one.
    #[error("store {operation} failed: {cause}")]
    Failed {
        /// `open`, `read`, `write` or `checkpoint`.
        operation: &'static str,
        /// What the layer below said.
        cause: String,
    },
    /// An earlier write failed, so what the disk holds is not known until the store is opened anew.
    #[error("the store takes no more writes because an earlier one failed ({cause}); restart to recover")]
    Refused {
        /// The first failure.
        cause: String,
    },
    /// This kind of store cannot do that.
    #[error("a {store} store does not support `{operation}`")]
    Unsupported {
        /// `memory`, `read-only`.
        store: &'static str,
        /// The operation.
        operation: &'static str,
    },
}
