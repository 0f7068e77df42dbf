//! Why a read at a revision, a filter or a watch is refused.

use pemba_model::{RelationFilter, RelationshipFilter, Revision, SmolStr};

/// Why there is no view at a revision.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ViewError {
    /// The revision is older than the history window, or was collected because the log grew too large.
    #[error(
        "revision {revision} has expired: exact reads reach back {window_ms} ms, or less where the log would exceed \
         {max_bytes} bytes; raise the limit `history-window-ms` or `history-max-bytes` to keep more"
    )]
    Expired {
        /// The revision asked for.
        revision: Revision,
        /// The window, in milliseconds.
        window_ms: u64,
        /// Largest log, in bytes.
        max_bytes: u64,
    },
    /// The revision is ahead of the head: this database has not committed it.
    #[error("revision {revision} is ahead of this database, whose head is {head}")]
    Future {
        /// The revision asked for.
        revision: Revision,
        /// The head.
        head: Revision,
    },
    /// The token is of another database, where its revision means something else.
    #[error("the token belongs to another database; an exact snapshot must name a revision of this one")]
    Foreign,
    /// So much changed since the revision that it is not rebuilt.
    #[error(
        "revision {revision} is no longer in memory and more than {max} changes behind; read at a newer revision, or raise \
         the limit `snapshots-retained-max`"
    )]
    TooManyChanges {
        /// The revision asked for.
        revision: Revision,
        /// The limit, in relationships and documents.
        max: usize,
    },
    /// The history could not be read or is damaged.
    #[error("reading the history failed: {reason}")]
    Storage {
        /// What failed.
        reason: String,
    },
}

/// Why a filter is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It selects nothing in particular or contradicts itself.
    #[error("invalid filter `{}`: {reason}", describe_filter(.filter))]
    Invalid {
        /// The filter.
        filter: Box<RelationshipFilter>,
        /// What is wrong.
        reason: String,
    },
    /// The schema has no such object type.
    #[error("object definition `{definition}` not found")]
    UnknownDefinition {
        /// The type.
        definition: SmolStr,
    },
    /// The type has no such relation or permission.
    #[error("relation or permission `{relation}` not found under definition `{definition}`")]
    UnknownRelation {
        /// The type.
        definition: SmolStr,
        /// The name it lacks.
        relation: SmolStr,
    },
}

/// Why a watch does not begin or go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The history after this revision was collected: read everything anew and watch from there.
    #[error(
        "the changes after revision {after} were collected; the oldest revision to watch from is {horizon}"
    )]
    Expired {
        /// Where the watch stands.
        after: Revision,
        /// The oldest revision that can be watched from.
        horizon: Revision,
    },
    /// The revision is ahead of the head.
    #[error("revision {after} is ahead of this database, whose head is {head}")]
    Future {
        /// The revision asked for.
        after: Revision,
        /// The head.
        head: Revision,
    },
    /// A filter is invalid.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// Both object types and filters are given.
    #[error("a watch takes object types or relationship filters, not both")]
    TypesAndFilters,
    /// More relationships would expire than a watch that tells of it may keep.
    #[error(
        "more than {max} relationships that the watch selects will expire; select fewer, or watch without expirations"
    )]
    TooManyExpiring {
        /// The limit.
        max: usize,
    },
    /// The log could not be read or is damaged.
    #[error("reading the log failed: {reason}")]
    Storage {
        /// What failed.
        reason: String,
    },
    /// The database was closed; everything committed before was delivered.
    #[error("the database is closed")]
    Stopped,
}

/// A filter's set fields, as `resource_type=document relation=viewer`.
pub(crate) fn describe_filter(filter: &RelationshipFilter) -> String {
    let mut parts = Vec::new();
    let mut add = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            parts.push(format!("{key}={value}"));
        }
    };
    add("resource_type", filter.resource_type.as_deref());
    add("resource_id", filter.resource_id.as_deref());
    add("resource_id_prefix", filter.resource_id_prefix.as_deref());
    add("relation", filter.relation.as_deref());
    if let Some(subject) = &filter.subject {
        add("subject_type", Some(&subject.subject_type));
        add("subject_id", subject.subject_id.as_deref());
        add(
            "subject_relation",
            match &subject.relation {
                RelationFilter::Any => None,
                RelationFilter::NoRelation => Some(""),
                RelationFilter::Is(relation) => Some(relation),
            },
        );
    }
    parts.join(" ")
}
