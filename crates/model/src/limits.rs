//! Every bound a request can meet, in one place, with its unit in its name.
//!
//! The defaults are those of the `authzed.api.v1` field where that interface has the limit, so that a client sees
//! the same borders. Each can be set by the operator; an error that reports a limit names it and its value.

/// Longest object type, prefix included, in bytes.
pub const OBJECT_TYPE_MAX_BYTES: usize = 128;
/// Longest relation or permission name, in bytes.
pub const RELATION_MAX_BYTES: usize = 64;
/// Longest object id, in bytes.
pub const OBJECT_ID_MAX_BYTES: usize = 1024;
/// Longest caveat name on a relationship, in bytes.
pub const CAVEAT_NAME_MAX_BYTES: usize = 128;
/// Longest cursor a client may send back, in bytes.
pub const CURSOR_MAX_BYTES: usize = 102_400;
/// Longest schema text, in bytes.
pub const SCHEMA_MAX_BYTES: usize = 4 * 1024 * 1024;
/// Most parameters of one caveat.
pub const CAVEAT_PARAMETERS_MAX: usize = 20;
/// Longest caveat expression source, in characters.
pub const CAVEAT_SOURCE_MAX_CHARS: usize = 100_000;
/// Deepest nesting of a caveat expression, in levels of its tree.
pub const CAVEAT_NESTING_MAX: usize = 128;
/// Most steps one evaluation of a caveat may take: parts evaluated, elements walked, pieces of 64 bytes compared.
pub const CAVEAT_STEPS_MAX: u64 = 250_000;
/// Most memory for the values that one evaluation of a caveat makes, roughly, in bytes.
pub const CAVEAT_VALUES_MAX_BYTES: u64 = 4 * 1024 * 1024;
/// Deepest nesting of parentheses and blocks that the schema parser follows, in levels.
pub const SCHEMA_NESTING_MAX: usize = 128;
/// Most checks in one bulk request; fixed by the interface.
pub const BULK_CHECK_ITEMS_MAX: usize = 10_000;
/// Most nodes in the traces of one request, as a count over all its items; each item has one at least.
pub const TRACE_NODES_MAX: usize = 10_000;
/// Most text of conditions, their values included, and of schemas in the traces of one request, in bytes; each kind has
/// this much.
pub const TRACE_TEXT_MAX_BYTES: usize = 1024 * 1024;

/// The bounds an operator may set. Counts are items, `_bytes` are bytes, `_ms` are milliseconds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most updates in one write request.
    pub write_updates_max: usize,
    /// Most preconditions in one write or delete request.
    pub preconditions_max: usize,
    /// Largest caveat context of a request, as encoded protobuf.
    pub request_context_max_bytes: usize,
    /// Largest caveat context on a relationship, as encoded protobuf.
    pub relationship_context_max_bytes: usize,
    /// Largest transaction metadata, as encoded protobuf.
    pub transaction_metadata_max_bytes: usize,
    /// Highest `optional_limit` of `ReadRelationships`.
    pub read_limit_max: u32,
    /// Highest `optional_limit` of `DeleteRelationships`.
    pub delete_limit_max: u32,
    /// Highest `optional_limit` of `LookupResources`.
    pub lookup_limit_max: u32,
    /// Highest `optional_limit` (rows a message) of `ExportBulkRelationships`.
    pub export_page_max: u32,
    /// Rows a message of `ExportBulkRelationships` when the client names no limit.
    pub export_page_default: u32,
    /// Most relationships one `ImportBulkRelationships` stream may carry: the stream is one transaction and is held
    /// in memory until it is whole.
    pub import_relationships_max: usize,
    /// Most relationships one `DeleteRelationships` without a limit may remove in its one transaction.
    pub delete_relationships_max: usize,
    /// Most evaluation steps (edges walked, plan nodes run, set members built) one query may take.
    pub query_steps_max: u64,
    /// Longest key of a document.
    pub document_key_max_bytes: usize,
    /// Largest document.
    pub document_max_bytes: usize,
    /// Most documents, relationships and new incarnations that one command may change.
    pub command_changes_max: usize,
    /// Most bytes of all documents that one command changes: keys, values before and values after.
    pub command_documents_max_bytes: usize,
    /// Most requests waiting for the sequencer; one more is refused.
    pub write_queue_max: usize,
    /// Most requests one group commit takes.
    pub commit_group_max: usize,
    /// Most changes a watch stream may have waiting for a slow consumer.
    pub watch_buffer_max: usize,
    /// Longest a server stream may go without a message taken by its consumer before it is ended.
    pub stream_stall_max_ms: u64,
    /// Largest message the server decodes.
    pub message_max_bytes: usize,
    /// Most concurrent streams on one connection.
    pub streams_per_connection_max: u32,
    /// Most long-running queries (lookups, exports, reads at old revisions) evaluated at once.
    pub concurrent_queries_max: usize,
    /// Age beyond which history is collected and an exact snapshot is refused.
    pub history_window_ms: u64,
    /// Most snapshots kept in memory besides those a reader holds.
    pub snapshots_retained_max: usize,
    /// Most memory that those snapshots may take besides what the newest needs anyway, about.
    pub snapshots_retained_max_bytes: u64,
    /// Largest log of old revisions: what is beyond is collected, whatever its age.
    pub history_max_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            write_updates_max: 1000,
            preconditions_max: 1000,
            request_context_max_bytes: 4096,
            relationship_context_max_bytes: 25_000,
            transaction_metadata_max_bytes: 65_000,
            read_limit_max: 1000,
            delete_limit_max: 1000,
            lookup_limit_max: 1000,
            export_page_max: 10_000,
            export_page_default: 1000,
            import_relationships_max: 5_000_000,
            delete_relationships_max: 5_000_000,
            query_steps_max: 50_000_000,
            document_key_max_bytes: 1024,
            document_max_bytes: 256 * 1024,
            command_changes_max: 10_000,
            command_documents_max_bytes: 64 * 1024 * 1024,
            write_queue_max: 4096,
            commit_group_max: 256,
            watch_buffer_max: 1024,
            stream_stall_max_ms: 30_000,
            message_max_bytes: 8 * 1024 * 1024,
            streams_per_connection_max: 256,
            concurrent_queries_max: 64,
            history_window_ms: 24 * 60 * 60 * 1000,
            snapshots_retained_max: 256,
            snapshots_retained_max_bytes: 64 * 1024 * 1024,
            history_max_bytes: 4 * 1024 * 1024 * 1024,
        }
    }
}
