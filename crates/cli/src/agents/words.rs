//! The values of the wire's enums as words, for flags, tables and JSON alike.

use clap::builder::{PossibleValuesParser, TypedValueParser};
use pemba_proto::pemba::v1::{
    AgentKind, AgentStatus, Applies, ApprovalState, Distinct, HumanStatus, KillMode, Outcome, PrincipalKind,
    TypeMode,
};

/// An enum of the wire and the words for its values; the unspecified value has none.
pub(crate) trait Word: Copy + PartialEq + Send + Sync + TryFrom<i32> + 'static {
    /// Every value with its word.
    const WORDS: &'static [(Self, &'static str)];
}

macro_rules! words {
    ($($of:ident { $($value:ident = $word:literal),* $(,)? })*) => {$(
        impl Word for $of {
            const WORDS: &'static [(Self, &'static str)] = &[$(($of::$value, $word)),*];
        }
    )*};
}

words! {
    AgentKind {
        Agent = "agent", Workflow = "workflow", Workload = "workload", MachineClient = "machine-client",
        ModelServer = "model-server", Integration = "integration", Connector = "connector",
    }
    AgentStatus {
        Proposed = "proposed", Active = "active", Suspended = "suspended", Quarantined = "quarantined",
        Retired = "retired",
    }
    HumanStatus { Active = "active", Disabled = "disabled" }
    PrincipalKind { Human = "human", Agent = "agent" }
    TypeMode { Managed = "managed", Observed = "observed" }
    KillMode { DenyAll = "deny-all", DenyWrite = "deny-write", RequireApproval = "require-approval" }
    Applies { AgentChains = "agent-chains", All = "all" }
    Distinct {
        Actor = "actor", Root = "root", Sponsor = "sponsor", Requester = "requester",
        SessionOpener = "session-opener",
    }
    ApprovalState {
        Pending = "pending", Approved = "approved", Denied = "denied", Expired = "expired",
        Cancelled = "cancelled", Consumed = "consumed",
    }
    Outcome {
        Deny = "deny", Conditional = "conditional", RequiresApproval = "requires-approval",
        RequiresConsumption = "requires-consumption", Allow = "allow",
    }
}

/// The word for a number of the wire; the number itself where this program knows no word.
pub(crate) fn word<E: Word>(number: i32) -> String {
    let known = E::try_from(number).ok();
    let found = E::WORDS.iter().find(|(value, _)| Some(*value) == known);
    found.map_or_else(|| number.to_string(), |(_, word)| (*word).to_owned())
}

/// Reads a flag.
pub(crate) fn parser<E: Word>() -> impl TypedValueParser<Value = E> {
    PossibleValuesParser::new(E::WORDS.iter().map(|(_, word)| *word)).try_map(|text| {
        let found = E::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(value, _)| *value).ok_or_else(|| format!("`{text}` is no such word"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_has_its_own_word() {
        fn all<E: Word>(count: i32) {
            let words: std::collections::BTreeSet<_> = (1..=count).map(word::<E>).collect();
            assert_eq!(words.len(), usize::try_from(count).unwrap());
            assert!(words.iter().all(|word| word.parse::<i32>().is_err()), "{words:?}");
            assert_eq!(word::<E>(count + 1), (count + 1).to_string(), "a value without a word");
        }
        all::<AgentKind>(7);
        all::<AgentStatus>(5);
        all::<HumanStatus>(2);
        all::<PrincipalKind>(2);
        all::<TypeMode>(2);
        all::<KillMode>(3);
        all::<Applies>(2);
        all::<Distinct>(5);
        all::<ApprovalState>(6);
        all::<Outcome>(5);
    }
}
