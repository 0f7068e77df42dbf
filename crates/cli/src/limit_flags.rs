//! The limits an operator may set, as flags with the defaults of the model crate.

use clap::Args;
use pemba_model::Limits;

/// One flag a limit, each with its `PEMBA_` twin. Absent means the default.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Limits")]
pub struct LimitFlags {
    /// Most updates in one write [default: 1000].
    #[arg(long, env = "PEMBA_WRITE_UPDATES_MAX", value_name = "N")]
    pub write_updates_max: Option<usize>,
    /// Most preconditions in one write or delete [default: 1000].
    #[arg(long, env = "PEMBA_PRECONDITIONS_MAX", value_name = "N")]
    pub preconditions_max: Option<usize>,
    /// Largest caveat context of a request, in bytes [default: 4096].
    #[arg(long, env = "PEMBA_REQUEST_CONTEXT_MAX_BYTES", value_name = "BYTES")]
    pub request_context_max_bytes: Option<usize>,
    /// Largest caveat context on a relationship, in bytes [default: 25000].
    #[arg(long, env = "PEMBA_RELATIONSHIP_CONTEXT_MAX_BYTES", value_name = "BYTES")]
    pub relationship_context_max_bytes: Option<usize>,
    /// Largest transaction metadata, in bytes [default: 65000].
    #[arg(long, env = "PEMBA_TRANSACTION_METADATA_MAX_BYTES", value_name = "BYTES")]
    pub transaction_metadata_max_bytes: Option<usize>,
    /// Highest limit of a read [default: 1000].
    #[arg(long, env = "PEMBA_READ_LIMIT_MAX", value_name = "N")]
    pub read_limit_max: Option<u32>,
    /// Highest limit of a delete [default: 1000].
    #[arg(long, env = "PEMBA_DELETE_LIMIT_MAX", value_name = "N")]
    pub delete_limit_max: Option<u32>,
    /// Highest limit of a lookup of resources [default: 1000].
    #[arg(long, env = "PEMBA_LOOKUP_LIMIT_MAX", value_name = "N")]
    pub lookup_limit_max: Option<u32>,
    /// Highest rows a message of an export [default: 10000].
    #[arg(long, env = "PEMBA_EXPORT_PAGE_MAX", value_name = "N")]
    pub export_page_max: Option<u32>,
    /// Most relationships in one import stream [default: 5000000].
    #[arg(long, env = "PEMBA_IMPORT_RELATIONSHIPS_MAX", value_name = "N")]
    pub import_relationships_max: Option<usize>,
    /// Most relationships one delete without a limit may remove [default: 5000000].
    #[arg(long, env = "PEMBA_DELETE_RELATIONSHIPS_MAX", value_name = "N")]
    pub delete_relationships_max: Option<usize>,
    /// Most evaluation steps of one query [default: 50000000].
    #[arg(long, env = "PEMBA_QUERY_STEPS_MAX", value_name = "N")]
    pub query_steps_max: Option<u64>,
    /// Most writes waiting for the log [default: 4096].
    #[arg(long, env = "PEMBA_WRITE_QUEUE_MAX", value_name = "N")]
    pub write_queue_max: Option<usize>,
    /// Most writes in one commit group [default: 256].
    #[arg(long, env = "PEMBA_COMMIT_GROUP_MAX", value_name = "N")]
    pub commit_group_max: Option<usize>,
    /// Most watch messages waiting for a slow consumer [default: 1024].
    #[arg(long, env = "PEMBA_WATCH_BUFFER_MAX", value_name = "N")]
    pub watch_buffer_max: Option<usize>,
    /// Longest a stream waits for its consumer, in milliseconds [default: 30000].
    #[arg(long, env = "PEMBA_STREAM_STALL_MAX_MS", value_name = "MS")]
    pub stream_stall_max_ms: Option<u64>,
    /// Largest request message, in bytes [default: 8388608].
    #[arg(long, env = "PEMBA_MESSAGE_MAX_BYTES", value_name = "BYTES")]
    pub message_max_bytes: Option<usize>,
    /// Most streams at once on one connection [default: 256].
    #[arg(long, env = "PEMBA_STREAMS_PER_CONNECTION_MAX", value_name = "N")]
    pub streams_per_connection_max: Option<u32>,
    /// Most long queries at once [default: 64].
    #[arg(long, env = "PEMBA_CONCURRENT_QUERIES_MAX", value_name = "N")]
    pub concurrent_queries_max: Option<usize>,
    /// How long old revisions can be read, in milliseconds [default: 86400000].
    #[arg(long, env = "PEMBA_HISTORY_WINDOW_MS", value_name = "MS")]
    pub history_window_ms: Option<u64>,
    /// Most snapshots kept in memory [default: 256].
    #[arg(long, env = "PEMBA_SNAPSHOTS_RETAINED_MAX", value_name = "N")]
    pub snapshots_retained_max: Option<usize>,
    /// Most memory for those snapshots, in bytes [default: 67108864].
    #[arg(long, env = "PEMBA_SNAPSHOTS_RETAINED_MAX_BYTES", value_name = "BYTES")]
    pub snapshots_retained_max_bytes: Option<u64>,
    /// Largest log of old revisions, in bytes [default: 4294967296].
    #[arg(long, env = "PEMBA_HISTORY_MAX_BYTES", value_name = "BYTES")]
    pub history_max_bytes: Option<u64>,
}

impl LimitFlags {
    /// The limits, with the default where no flag was given.
    pub fn limits(&self) -> Limits {
        let default = Limits::default();
        Limits {
            write_updates_max: self.write_updates_max.unwrap_or(default.write_updates_max),
            preconditions_max: self.preconditions_max.unwrap_or(default.preconditions_max),
            request_context_max_bytes: self
                .request_context_max_bytes
                .unwrap_or(default.request_context_max_bytes),
            relationship_context_max_bytes: self
                .relationship_context_max_bytes
                .unwrap_or(default.relationship_context_max_bytes),
            transaction_metadata_max_bytes: self
                .transaction_metadata_max_bytes
                .unwrap_or(default.transaction_metadata_max_bytes),
            read_limit_max: self.read_limit_max.unwrap_or(default.read_limit_max),
            delete_limit_max: self.delete_limit_max.unwrap_or(default.delete_limit_max),
            lookup_limit_max: self.lookup_limit_max.unwrap_or(default.lookup_limit_max),
            export_page_max: self.export_page_max.unwrap_or(default.export_page_max),
            import_relationships_max: self
                .import_relationships_max
                .unwrap_or(default.import_relationships_max),
            delete_relationships_max: self
                .delete_relationships_max
                .unwrap_or(default.delete_relationships_max),
            query_steps_max: self.query_steps_max.unwrap_or(default.query_steps_max),
            write_queue_max: self.write_queue_max.unwrap_or(default.write_queue_max),
            commit_group_max: self.commit_group_max.unwrap_or(default.commit_group_max),
            watch_buffer_max: self.watch_buffer_max.unwrap_or(default.watch_buffer_max),
            stream_stall_max_ms: self.stream_stall_max_ms.unwrap_or(default.stream_stall_max_ms),
            message_max_bytes: self.message_max_bytes.unwrap_or(default.message_max_bytes),
            streams_per_connection_max: self
                .streams_per_connection_max
                .unwrap_or(default.streams_per_connection_max),
            concurrent_queries_max: self.concurrent_queries_max.unwrap_or(default.concurrent_queries_max),
            history_window_ms: self.history_window_ms.unwrap_or(default.history_window_ms),
            snapshots_retained_max: self.snapshots_retained_max.unwrap_or(default.snapshots_retained_max),
            snapshots_retained_max_bytes: self
                .snapshots_retained_max_bytes
                .unwrap_or(default.snapshots_retained_max_bytes),
            history_max_bytes: self.history_max_bytes.unwrap_or(default.history_max_bytes),
            ..default
        }
    }
}
