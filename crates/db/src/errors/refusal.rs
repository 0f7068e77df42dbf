//! Why nothing that changes the database is taken.

/// Why the sequencer did not take or could not commit a request. The same for every operation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The queue of waiting writes is full; the request may be repeated as it is.
    #[error("{queue_max} writes are waiting already; try again later or raise the limit `write-queue-max`")]
    Overloaded {
        /// The limit, in requests.
        queue_max: usize,
    },
    /// The store failed to write, so no write is taken until a restart.
    #[error("the store no longer takes writes: {reason}")]
    Poisoned {
        /// What failed first.
        reason: String,
    },
    /// The database was closed.
    #[error("the database is closed")]
    Stopped,
}
