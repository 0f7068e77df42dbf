//! How fresh a read must be.

use crate::token::Token;

/// Which revision a read sees. On one node the head is as cheap as anything older, so every mode but the exact one
/// reads the head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Consistency {
    /// Whatever is fastest: here the head.
    #[default]
    MinimizeLatency,
    /// At least what the token's holder has seen: here the head. A token of another database is taken as
    /// `FullyConsistent`.
    AtLeastAsFresh(Token),
    /// Exactly the token's revision.
    AtExactSnapshot(Token),
    /// Everything acknowledged before the read began.
    FullyConsistent,
}
