//! Copies, and whether a data folder is fit to be served.

use std::path::Path;
use std::sync::Arc;

use pemba_model::Ledger;

use crate::database::Database;
use crate::errors::{BackupError, VerifyError};
use crate::requests::{BackupReport, VerifyReport};
use crate::store::StoreError;

impl Database {
    /// Writes a complete copy into a folder that does not exist yet. Writes go on meanwhile; the copy holds at least
    /// what was acknowledged before the call.
    pub fn backup(&self, directory: &Path) -> Result<BackupReport, BackupError> {
        if directory.exists() {
            return Err(BackupError::Exists(directory.to_owned()));
        }
        let head = self.handle.shared.history.head();
        self.handle.shared.store.checkpoint(directory).map_err(|error| match error {
            StoreError::Unsupported { .. } => BackupError::Unsupported,
            error => BackupError::Storage(error.to_string()),
        })?;
        let (revision, relationships) = (head.version.revision(), head.version.snapshot.len());
        Ok(BackupReport { revision, relationships, documents: head.documents })
    }
}

/// Loads a data folder that no process has open and checks that its parts agree: every record readable, names and
/// numbers without gaps, the counts right, forward and reverse tables the same, the documents as the ledger wants them,
/// which is that of no documents, and the log whole up to the head and in agreement with relationships and documents.
pub fn verify(directory: &Path, ledger: Arc<dyn Ledger>) -> Result<VerifyReport, VerifyError> {
    if !directory.is_dir() {
        return Err(VerifyError::Missing(directory.to_owned()));
    }
    #[cfg(feature = "rocks")]
    {
        let store =
            crate::store::RocksStore::open_read_only(directory).map_err(crate::errors::OpenError::from)?;
        crate::verification::verify_store(&store, ledger)
    }
    #[cfg(not(feature = "rocks"))]
    drop(ledger);
    #[cfg(not(feature = "rocks"))]
    Err(crate::errors::OpenError::Refused("this build has no store on disk".to_owned()).into())
}
