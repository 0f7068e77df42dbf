//! What is asked of a database and what it answers.

use std::path::PathBuf;
use std::sync::Arc;

use pemba_model::{
    Context, Ledger, Limits, NoLedger, Precondition, RelationshipFilter, Revision, SmolStr, Update,
};

use crate::clock::{Clock, SystemClock};
use crate::store::{Store, StoreStatistics};
use crate::token::Token;

/// Where a database lives.
#[derive(Clone)]
pub enum Storage {
    /// In memory, gone when it is closed.
    Memory,
    /// In a folder, which is created if it is not there.
    Directory(PathBuf),
    /// In a store that is open already.
    Store(Arc<dyn Store>),
}

/// How a database behaves.
#[derive(Clone)]
pub struct Options {
    /// Its bounds.
    pub limits: Limits,
    /// Where its time comes from.
    pub clock: Arc<dyn Clock>,
    /// What derives its state from the documents, as it is when there are none.
    pub ledger: Arc<dyn Ledger>,
}

impl Default for Options {
    fn default() -> Options {
        Options { limits: Limits::default(), clock: Arc::new(SystemClock), ledger: Arc::new(NoLedger) }
    }
}

/// Changes to single relationships, all or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Write {
    /// At most `write_updates_max`, no relationship twice.
    pub updates: Vec<Update>,
    /// What must hold before; at most `preconditions_max`.
    pub preconditions: Vec<Precondition>,
    /// What watchers are told with the changes; at most `transaction_metadata_max_bytes`.
    pub metadata: Option<Context>,
}

/// The removal of all relationships that match a filter and have not expired.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Delete {
    /// Which.
    pub filter: RelationshipFilter,
    /// What must hold before; at most `preconditions_max`.
    pub preconditions: Vec<Precondition>,
    /// Most to remove; `None` removes all.
    pub limit: Option<u32>,
    /// Whether removing only `limit` of more is fine; else more is an error.
    pub allow_partial: bool,
    /// As for a write.
    pub metadata: Option<Context>,
}

/// A write that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Committed {
    /// Its revision.
    pub revision: Revision,
    /// A token that makes later reads see it.
    pub token: Token,
}

/// A delete that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deleted {
    /// Its revision.
    pub revision: Revision,
    /// A token that makes later reads see it.
    pub token: Token,
    /// How many relationships were removed.
    pub count: u64,
    /// False when the limit was reached: more may match. Then the same request is to be sent again.
    pub complete: bool,
}

/// What a counter counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// How many relationships match and have not expired.
    pub count: u64,
    /// The revision at which they were counted.
    pub revision: Revision,
    /// The same as a token.
    pub token: Token,
}

/// An import that is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Imported {
    /// How many relationships were added.
    pub count: u64,
    /// Its revision.
    pub revision: Revision,
    /// A token that makes later reads see it.
    pub token: Token,
}

/// The schema in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSchema {
    /// Its text in canonical form.
    pub text: String,
    /// The revision at which it was read.
    pub revision: Revision,
    /// The same as a token.
    pub token: Token,
}

/// Which changes to follow.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct WatchRequest {
    /// Changes after this revision; `None` follows from the head.
    pub after: Option<Revision>,
    /// Only relationships of resources of these types; empty means all. Excludes `filters`.
    pub object_types: Vec<SmolStr>,
    /// Only relationships that match any of these; empty means all. Excludes `object_types`.
    pub filters: Vec<RelationshipFilter>,
    /// Whether schema changes are told too.
    pub schema: bool,
    /// Whether to be told, whenever everything committed has been looked at, how far that is.
    pub checkpoints: bool,
    /// Whether a relationship that expires is told as deleted, at its instant and once. A watch that begins after a
    /// revision is told of everything that expired since that revision was committed, as far back as the history
    /// window reaches: resuming may repeat, and misses nothing of the window. A watch without `after` begins now.
    pub expirations: bool,
}

/// One message of a watch.
#[derive(Debug, Clone, PartialEq)]
pub struct WatchEvent {
    /// Everything up to and including this revision has been told once this message is read: a watch that resumes
    /// after it misses nothing. The changes of a revision come in one message, but for revisions of more than
    /// 1,000 changes: their parts carry the revision before, all but the last.
    pub revision: Revision,
    /// The same as a token.
    pub token: Token,
    /// What changed: `Touch` for added or replaced, `Delete` for removed. Expirations come in messages of their own,
    /// with the revision that was told last.
    pub updates: Vec<Update>,
    /// What the writer said about it.
    pub metadata: Option<Context>,
    /// Whether the schema was written.
    pub schema_changed: bool,
    /// Whether this only tells how far the watch has come.
    pub checkpoint: bool,
}

/// Whether the database takes writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It does.
    Serving,
    /// It does not, because the store failed; reads go on. With what failed.
    Poisoned(String),
    /// It was closed.
    Stopped,
}

/// Upper bounds of the commit histogram's buckets, in microseconds; a last bucket holds what is above.
pub const COMMIT_MICROS_BOUNDS: [u64; 12] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 100_000, 1_000_000, 10_000_000];

/// Figures about a database, all as of about the same instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statistics {
    /// The last revision.
    pub head: Revision,
    /// The oldest revision that can still be read exactly.
    pub horizon: Revision,
    /// How many relationships there are, expired ones included.
    pub relationships: u64,
    /// How many objects were ever mentioned.
    pub objects: u64,
    /// How many documents there are.
    pub documents: u64,
    /// Requests waiting for the sequencer.
    pub queue_depth: usize,
    /// Commit groups since the start.
    pub groups: u64,
    /// Revisions committed since the start.
    pub writes: u64,
    /// Requests in the last group, refused ones included.
    pub last_group_size: usize,
    /// Time from taking a group to acknowledging it: counts by `COMMIT_MICROS_BOUNDS`, then those above.
    pub commit_micros: [u64; COMMIT_MICROS_BOUNDS.len() + 1],
    /// Sum of those times, in microseconds.
    pub commit_micros_total: u64,
    /// Snapshots kept for reads at older revisions.
    pub snapshots_retained: usize,
    /// Memory that these take besides what the newest needs, about, in bytes.
    pub snapshots_retained_bytes: u64,
    /// The log, as of the last collection, in bytes.
    pub history_bytes: u64,
    /// What the store occupies.
    pub store: StoreStatistics,
}

/// A copy of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupReport {
    /// The copy holds at least everything up to this revision.
    pub revision: Revision,
    /// How many relationships there are at it.
    pub relationships: u64,
    /// How many documents there are at it.
    pub documents: u64,
}

/// What a verified data folder holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifyReport {
    /// The database's identity.
    pub database_id: u64,
    /// The last revision.
    pub head: Revision,
    /// How many relationships there are, expired ones included.
    pub relationships: u64,
    /// How many objects were ever mentioned.
    pub objects: u64,
    /// How many documents there are.
    pub documents: u64,
    /// Revisions in the log.
    pub log_revisions: u64,
    /// Changes in the log, of relationships and of documents.
    pub log_mutations: u64,
}
