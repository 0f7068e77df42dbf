//! Copies, and whether a data folder is fit to be served.

use std::path::Path;

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
        let (revision, relationships) = (head.snapshot.revision(), head.snapshot.len());
        Ok(BackupReport { revision, relationships })
    }
}

/// Loads a data folder that no process has open and checks that its parts agree: every record readable, names and
/// numbers without gaps, the counts right, forward and reverse tables the same, and the log whole up to the head and
/// in agreement with the relationships.
pub fn verify(directory: &Path) -> Result<VerifyReport, VerifyError> {
    if !directory.is_dir() {
        return Err(VerifyError::Missing(directory.to_owned()));
    }
    #[cfg(feature = "rocks")]
    {
        let store =
            crate::store::RocksStore::open_read_only(directory).map_err(crate::errors::OpenError::from)?;
        crate::verification::verify_store(&store)
    }
    #[cfg(not(feature = "rocks"))]
    Err(crate::errors::OpenError::Refused("this build has no store on disk".to_owned()).into())
}
