//! What is remembered and in which order: sequencer, log, store, recovery, watch, tokens. `Database` is the embeddable
//! API: plain data in and out, no gRPC, no sockets, no runtime.
//!
//! **Invariant: what is acknowledged is durable and seen by every view opened afterwards; revisions follow one another
//! without gaps, and a view shows exactly one of them.**

mod backup;
mod blocking;
mod caveats;
mod clock;
mod collecting;
mod committer;
mod consistency;
mod context;
mod counters;
mod counting;
mod database;
mod deciding;
mod errors;
mod filters;
mod group;
mod history;
mod import;
mod importing;
mod pending;
mod preconditions;
mod qualified;
pub mod records;
mod recovery;
mod requests;
mod rewind;
mod schema_safety;
mod sequencer;
mod shared;
pub mod store;
mod storing;
mod token;
mod validation;
mod verification;
mod view;
mod watch;
mod watch_expiring;

pub use backup::verify;
pub use clock::{Clock, ManualClock, StoppableClock, SystemClock};
pub use consistency::Consistency;
pub use counting::COUNTERS_MAX;
pub use database::Database;
pub use deciding::{Command, Decided};
pub use errors::{
    BackupError, CounterError, DecideError, DeleteError, FilterError, ImportError, OpenError, Refusal,
    RelationshipError, SchemaError, SchemaOperation, VerifyError, ViewError, WatchError, WriteError,
};
pub use import::Import;
pub use pending::Pending;
pub use requests::{
    BackupReport, COMMIT_MICROS_BOUNDS, Committed, Counted, Delete, Deleted, Imported, Options, State,
    Statistics, Storage, StoredSchema, VerifyReport, WatchEvent, WatchRequest, Write,
};
pub use token::{Token, TokenError};
pub use verification::verify_store;
pub use view::{CheckRequest, View};
pub use watch::Watch;
