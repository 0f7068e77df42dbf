//! What an answer says beside its message: for which chain it is, and why a denial could yet become a grant.

use http::{HeaderName, HeaderValue};
use pemba_agents::authority::Outcome;
use pemba_agents::chain::Chain;
use tonic::Response;
use tonic::metadata::MetadataValue;

use crate::front::LastWords;

/// The chain that was applied: root, then who acts, outermost first and with commas, then the last hop; with semicolons.
/// A caller that presented something and does not find it was answered by a server that does not know chains.
const CHAIN_APPLIED: &str = "pemba-chain-applied";
/// What keeps a denied action from being allowed, when that can be got.
const OUTCOME: &str = "pemba-outcome";

/// What is told beside an answer, in its header and again in its trailer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Told {
    applied: Option<HeaderValue>,
    outcome: Option<&'static str>,
}

impl Told {
    /// That the answer is for a chain that was presented.
    pub(crate) fn applied(chain: &Chain) -> Told {
        let actors: Vec<String> = chain.actors().map(ToString::to_string).collect();
        let leaf = chain.leaf().map(|leaf| leaf.to_string()).unwrap_or_default();
        let text = format!("{};{};{leaf}", chain.root, actors.join(","));
        // Names and ids have nothing that a header could not hold.
        Told { applied: HeaderValue::from_str(&text).ok(), outcome: None }
    }

    /// What the outcome was; only those that somebody can do something about are told.
    #[must_use]
    pub(crate) fn with(self, outcome: Outcome) -> Told {
        let outcome = match outcome {
            Outcome::RequiresApproval => Some("requires_approval"),
            Outcome::RequiresConsumption => Some("requires_consumption"),
            Outcome::Deny | Outcome::Conditional | Outcome::Allow => None,
        };
        Told { outcome, ..self }
    }

    /// The answer with it.
    pub(crate) fn beside<T>(self, mut response: Response<T>) -> Response<T> {
        let mut last_words = LastWords(Vec::new());
        let outcome = self.outcome.map(HeaderValue::from_static);
        for (name, value) in [(CHAIN_APPLIED, self.applied), (OUTCOME, outcome)] {
            let Some(value) = value else { continue };
            if let Ok(text) = MetadataValue::try_from(value.as_bytes()) {
                response.metadata_mut().insert(name, text);
            }
            last_words.0.push((HeaderName::from_static(name), value));
        }
        if !last_words.0.is_empty() {
            response.extensions_mut().insert(last_words);
        }
        response
    }
}
