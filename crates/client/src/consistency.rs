//! How fresh an answer must be.

use std::fmt;

use pemba_proto::authzed::api::v1;

/// An opaque name for a revision. Keep the one a write returned and ask for [`Consistency::AtLeastAsFresh`] with it to
/// see that write.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// A token kept as text, for instance beside the object it protects.
    pub fn new(text: impl Into<String>) -> Token {
        Token(text.into())
    }

    /// The text to keep.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn from_wire(token: Option<v1::ZedToken>) -> Token {
        Token(token.unwrap_or_default().token)
    }

    pub(crate) fn to_wire(&self) -> v1::ZedToken {
        v1::ZedToken { token: self.0.clone() }
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which revision an answer is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Consistency {
    /// Whatever the server can read fastest.
    #[default]
    MinimizeLatency,
    /// A revision that is not older than the token.
    AtLeastAsFresh(Token),
    /// Exactly the token's revision; an error once the server no longer keeps it.
    AtExactSnapshot(Token),
    /// Everything committed before the request.
    FullyConsistent,
}

impl Consistency {
    /// As a message.
    pub fn to_wire(&self) -> Option<v1::Consistency> {
        use v1::consistency::Requirement;

        let requirement = match self {
            Consistency::MinimizeLatency => Requirement::MinimizeLatency(true),
            Consistency::AtLeastAsFresh(token) => Requirement::AtLeastAsFresh(token.to_wire()),
            Consistency::AtExactSnapshot(token) => Requirement::AtExactSnapshot(token.to_wire()),
            Consistency::FullyConsistent => Requirement::FullyConsistent(true),
        };
        Some(v1::Consistency { requirement: Some(requirement) })
    }
}
