//! One error type per operation.

mod counting;
mod deciding;
mod deleting;
mod opening;
mod reading;
mod refusal;
mod relationship;
mod schema;
mod writing;

pub use counting::CounterError;
pub use deciding::DecideError;
pub use deleting::DeleteError;
pub use opening::{BackupError, OpenError, VerifyError};
pub use reading::{FilterError, ViewError, WatchError};
pub use refusal::Refusal;
pub use relationship::RelationshipError;
pub use schema::{SchemaError, SchemaOperation};
pub use writing::{ImportError, WriteError};
