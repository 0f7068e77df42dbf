//! Why a database does not open, back up or verify.

use std::path::PathBuf;

/// Why a database did not open. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// The folder holds something else, a newer format, or is in use; the message says what to do.
    #[error("{0}")]
    Refused(String),
    /// The store failed.
    #[error("opening the store failed: {0}")]
    Storage(String),
    /// The stored data contradicts itself; restore a backup.
    #[error("the stored data is damaged: {0}; restore it from a backup")]
    Damaged(String),
    /// A thread could not be started.
    #[error("starting the sequencer failed: {0}")]
    Thread(String),
}

/// Why a backup was not made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// The target is there already.
    #[error("the backup folder `{}` exists already; name one that does not", .0.display())]
    Exists(PathBuf),
    /// This store cannot be backed up.
    #[error("an in-memory database has no backup; export its relationships instead")]
    Unsupported,
    /// The store failed.
    #[error("the backup failed: {0}")]
    Storage(String),
}

/// Why a data folder is not fit to be served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// It does not open.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// There is no such folder.
    #[error("there is no data folder `{}`", .0.display())]
    Missing(PathBuf),
    /// Its parts contradict each other.
    #[error("the stored data contradicts itself: {0}; restore another backup")]
    Inconsistent(String),
}
