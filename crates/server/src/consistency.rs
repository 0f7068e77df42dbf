//! The consistency of a request and the tokens in it.

use pemba_db::{Consistency, Token};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::authzed::api::v1::consistency::Requirement;
use tonic::Status;

use crate::direct::Wanted;
use crate::errors;

/// Which revision a request asks for; absent means the head, as every mode but the exact one does here.
pub(crate) fn consistency(consistency: Option<&wire::Consistency>) -> Result<Consistency, Status> {
    resolve(wanted(consistency))
}

/// What a request says about its revision.
pub(crate) fn wanted(consistency: Option<&wire::Consistency>) -> Wanted<'_> {
    match consistency.and_then(|consistency| consistency.requirement.as_ref()) {
        None | Some(Requirement::MinimizeLatency(_)) => Wanted::MinimizeLatency,
        Some(Requirement::FullyConsistent(_)) => Wanted::FullyConsistent,
        Some(Requirement::AtLeastAsFresh(token)) => Wanted::AtLeastAsFresh(&token.token),
        Some(Requirement::AtExactSnapshot(token)) => Wanted::AtExactSnapshot(&token.token),
    }
}

/// The same with its token read.
pub(crate) fn resolve(wanted: Wanted<'_>) -> Result<Consistency, Status> {
    Ok(match wanted {
        Wanted::MinimizeLatency => Consistency::MinimizeLatency,
        Wanted::FullyConsistent => Consistency::FullyConsistent,
        Wanted::AtLeastAsFresh(token) => Consistency::AtLeastAsFresh(read(token)?),
        Wanted::AtExactSnapshot(token) => Consistency::AtExactSnapshot(read(token)?),
    })
}

/// The token of a request.
pub(crate) fn decode(token: &wire::ZedToken) -> Result<Token, Status> {
    read(&token.token)
}

fn read(token: &str) -> Result<Token, Status> {
    Token::decode(token).map_err(|error| errors::token(&error))
}

/// The token of an answer.
pub(crate) fn encode(token: Token) -> wire::ZedToken {
    wire::ZedToken { token: token.to_string() }
}
