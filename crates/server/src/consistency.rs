//! The consistency of a request and the tokens in it.

use pemba_db::{Consistency, Token};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::consistency::Requirement;
use tonic::Status;

use crate::errors;

/// Which revision a request asks for; absent means the head, as every mode but the exact one does here.
pub(crate) fn consistency(consistency: Option<&wire::Consistency>) -> Result<Consistency, Status> {
    let requirement = consistency.and_then(|consistency| consistency.requirement.as_ref());
    Ok(match requirement {
        None | Some(Requirement::MinimizeLatency(_)) => Consistency::MinimizeLatency,
        Some(Requirement::FullyConsistent(_)) => Consistency::FullyConsistent,
        Some(Requirement::AtLeastAsFresh(token)) => Consistency::AtLeastAsFresh(decode(token)?),
        Some(Requirement::AtExactSnapshot(token)) => Consistency::AtExactSnapshot(decode(token)?),
    })
}

/// The token of a request.
pub(crate) fn decode(token: &wire::ZedToken) -> Result<Token, Status> {
    Token::decode(&token.token).map_err(|error| errors::token(&error))
}

/// The token of an answer.
pub(crate) fn encode(token: Token) -> wire::ZedToken {
    wire::ZedToken { token: token.to_string() }
}
