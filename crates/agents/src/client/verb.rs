//! What a client may be allowed to do, one word each.

use std::fmt;
use std::str::FromStr;

use pemba_model::suggest::nearest;

/// One right of a client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// Ask whether a subject has a permission.
    Check,
    /// List the resources or the subjects of a permission.
    Lookup,
    /// Read and count relationships, and name them in preconditions.
    Read,
    /// Create and touch relationships.
    Write,
    /// Delete relationships, by name or by filter.
    Delete,
    /// Follow changes.
    Watch,
    /// Write the schema, and register counters.
    Schema,
    /// Read relationships in bulk.
    Export,
    /// Create relationships in bulk.
    Import,
    /// See how an answer came about: expansions and traces.
    Explain,
    /// Change the lives of agents and humans.
    Agents,
    /// Stop agents at once.
    Kill,
    /// Make and revoke delegations.
    Delegate,
    /// Open and close sessions.
    Session,
    /// Vote on approvals.
    Approve,
    /// Change policies of approvals and types, and labels.
    Policy,
    /// Everything.
    Admin,
}

/// A word that is no verb.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{word}` is no verb{hint}; the verbs are {}", Verb::words())]
pub struct UnknownVerb {
    /// The word, as given.
    pub word: String,
    hint: String,
}

impl Verb {
    /// All of them.
    pub const ALL: [Verb; 17] = [
        Verb::Check,
        Verb::Lookup,
        Verb::Read,
        Verb::Write,
        Verb::Delete,
        Verb::Watch,
        Verb::Schema,
        Verb::Export,
        Verb::Import,
        Verb::Explain,
        Verb::Agents,
        Verb::Kill,
        Verb::Delegate,
        Verb::Session,
        Verb::Approve,
        Verb::Policy,
        Verb::Admin,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Verb::Check => "check",
            Verb::Lookup => "lookup",
            Verb::Read => "read",
            Verb::Write => "write",
            Verb::Delete => "delete",
            Verb::Watch => "watch",
            Verb::Schema => "schema",
            Verb::Export => "export",
            Verb::Import => "import",
            Verb::Explain => "explain",
            Verb::Agents => "agents",
            Verb::Kill => "kill",
            Verb::Delegate => "delegate",
            Verb::Session => "session",
            Verb::Approve => "approve",
            Verb::Policy => "policy",
            Verb::Admin => "admin",
        }
    }

    /// Whether it is about relationships or permissions, so that a rule must say which; the others are about the whole
    /// database.
    pub fn is_scoped(self) -> bool {
        match self {
            Verb::Check
            | Verb::Lookup
            | Verb::Read
            | Verb::Write
            | Verb::Delete
            | Verb::Watch
            | Verb::Export
            | Verb::Import
            | Verb::Explain => true,
            Verb::Schema
            | Verb::Agents
            | Verb::Kill
            | Verb::Delegate
            | Verb::Session
            | Verb::Approve
            | Verb::Policy
            | Verb::Admin => false,
        }
    }

    fn words() -> String {
        Verb::ALL.map(|verb| format!("`{verb}`")).join(", ")
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Verb {
    type Err = UnknownVerb;

    fn from_str(word: &str) -> Result<Verb, UnknownVerb> {
        Verb::ALL.into_iter().find(|verb| verb.word() == word).ok_or_else(|| {
            let near = nearest(word, Verb::ALL.iter().map(|verb| verb.word()));
            let hint = near.map(|near| format!(", did you mean `{near}`?")).unwrap_or_default();
            UnknownVerb { word: word.chars().take(64).collect(), hint }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back_and_slips_are_told() {
        for verb in Verb::ALL {
            assert_eq!(verb.word().parse(), Ok(verb));
        }
        let error = "chek".parse::<Verb>().unwrap_err().to_string();
        assert!(error.contains("did you mean `check`?") && error.contains("`policy`"), "{error}");
        assert!("Check".parse::<Verb>().is_err() && "".parse::<Verb>().is_err());
    }
}
