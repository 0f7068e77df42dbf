//! One error type per operation.

mod counting;
mod deleting;
mod opening;
mod reading;
mod relationship;
mod schema;
mod writing;

pub use counting::CounterError;
pub use deleting::DeleteError;
pub use opening::{BackupError, OpenError, VerifyError};
pub use reading::{FilterError, ViewError, WatchError};
pub use relationship::RelationshipError;
pub use schema::{SchemaError, SchemaOperation};
pub(crate) use writing::Refusal;
pub use writing::{ImportError, WriteError};
