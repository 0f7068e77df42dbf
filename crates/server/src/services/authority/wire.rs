//! Between the messages of `pemba.v1.AuthorityService` and the nouns of chains.

use pemba_agents::authority::{Decision, Limit, Outcome, Part};
use pemba_agents::chain::Claim;
use pemba_agents::id::InvalidId;
use pemba_agents::{ApprovalId, DelegationId, SessionId};
use pemba_model::{ObjectRef, Relationship};
use pemba_proto::authzed::api::v1 as wire;
use pemba_proto::pemba::v1 as own;
use tonic::Status;

use crate::convert::{object, object_to_wire, partial_caveat_info, relationship, timestamp_to_wire};
use crate::validate::{Invalid, Path};

/// The claim of a chain that validation has passed.
pub(super) fn claim(at: Path<'_>, chain: Option<&own::Chain>) -> Result<Claim, Invalid> {
    let Some(chain) = chain else { return Ok(Claim::default()) };
    Ok(Claim {
        root: chain.root.as_ref().map(|root| object(Some(root))),
        actors: chain.actors.iter().map(|actor| object(Some(actor))).collect(),
        either_end: None,
        delegation: id(at.field("delegation_id"), &chain.delegation_id, DelegationId::parse)?,
        session: id(at.field("session_id"), &chain.session_id, SessionId::parse)?,
        approval: id(at.field("approval_id"), &chain.approval_id, ApprovalId::parse)?,
    })
}

fn id<T>(at: Path<'_>, text: &str, parse: fn(&str) -> Result<T, InvalidId>) -> Result<Option<T>, Invalid> {
    if text.is_empty() {
        return Ok(None);
    }
    parse(text).map(Some).map_err(|error| Invalid::at(at, error.to_string()))
}

/// What a request brings along.
pub(super) fn brought(relationships: &[wire::Relationship]) -> Result<Vec<Relationship>, Status> {
    let mut brought = Vec::with_capacity(relationships.len());
    for (index, given) in relationships.iter().enumerate() {
        brought.push(relationship(Path::Root.item("contextual_relationships", index), given)?);
    }
    Ok(brought)
}

pub(super) fn outcome(outcome: Outcome) -> own::Outcome {
    match outcome {
        Outcome::Deny => own::Outcome::Deny,
        Outcome::Conditional => own::Outcome::Conditional,
        Outcome::RequiresApproval => own::Outcome::RequiresApproval,
        Outcome::RequiresConsumption => own::Outcome::RequiresConsumption,
        Outcome::Allow => own::Outcome::Allow,
    }
}

/// A decision; why only for those who may ask.
pub(super) fn decision(decision: &Decision, is_explained: bool) -> own::Decision {
    own::Decision {
        outcome: outcome(decision.outcome).into(),
        partial_caveat_info: partial_caveat_info(&decision.missing),
        valid_until: decision.valid_until.map(timestamp_to_wire),
        limit: decision.limit.as_ref().filter(|_| is_explained).map(limit),
        shadows: decision.shadows.iter().map(object_to_wire).collect(),
    }
}

/// The conjunct that limits a decision.
pub(super) fn limit(limit: &Limit) -> own::Limit {
    let (principal, id, detail): (Option<&ObjectRef>, String, &str) = match limit {
        Limit::Session(id, over) => (None, id.to_string(), over.as_str()),
        Limit::Connection(over) => (None, String::new(), over.as_str()),
        Limit::Hop(id, over) => (None, id.to_string(), over.as_str()),
        Limit::Member(id) | Limit::Scope(id) => (None, id.to_string(), ""),
        Limit::NotLive(principal, why) => (Some(principal), String::new(), why.as_str()),
        Limit::WriteDenied(principal, switch) => (Some(principal), String::new(), switch.as_str()),
        Limit::SessionScope(id) => (None, id.to_string(), ""),
        Limit::Ceiling(principal)
        | Limit::Purpose(principal)
        | Limit::OwnGrants(principal)
        | Limit::Root(principal) => (Some(principal), String::new(), ""),
        Limit::Approval | Limit::Uses => (None, String::new(), ""),
    };
    own::Limit {
        kind: limit.as_str().to_owned(),
        principal: principal.map(object_to_wire),
        id,
        detail: detail.to_owned(),
    }
}

/// The kind of a conjunct, as `Limit.kind`, and its place in the chain.
pub(super) fn part(part: Part) -> (&'static str, usize) {
    match part {
        Part::Session => ("session", 0),
        Part::Connection => ("connection", 0),
        Part::Hop(place) => ("hop", place),
        Part::Member(place) => ("member", place),
        Part::Live(place) => ("liveness", place),
        Part::Write(place) => ("write_denied", place),
        Part::Scope(place) => ("scope", place),
        Part::SessionScope => ("session_scope", 0),
        Part::Ceiling(place) => ("ceiling", place),
        Part::Purpose(place) => ("purpose", place),
        Part::OwnGrants(place) => ("own_grants", place),
        Part::Root => ("root", 0),
        Part::Approval => ("approval", 0),
        Part::Uses => ("uses", 0),
    }
}
