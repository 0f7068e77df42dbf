//! What a write asks for.

use crate::filter::RelationshipFilter;
use crate::relationship::Relationship;

/// How one relationship is to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Add it; an error if it is there already.
    Create,
    /// Add it, or replace its caveat and expiry.
    Touch,
    /// Remove it; no error if it is not there.
    Delete,
}

/// One change of one relationship.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// What to do.
    pub operation: Operation,
    /// To which relationship; on `Delete` only its identity counts.
    pub relationship: Relationship,
}

/// A condition on the relationships as they stand before the write; the write happens only if all hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// At least one relationship matches.
    MustMatch(RelationshipFilter),
    /// No relationship matches.
    MustNotMatch(RelationshipFilter),
}

impl Precondition {
    /// The filter, whichever way it must hold.
    pub fn filter(&self) -> &RelationshipFilter {
        match self {
            Precondition::MustMatch(filter) | Precondition::MustNotMatch(filter) => filter,
        }
    }
}
