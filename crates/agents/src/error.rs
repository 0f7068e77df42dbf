//! Why a command or a question about agents is refused: one reason each, with the field that is wrong.

use std::fmt;

use pemba_engine::QueryError;

/// What the caller can do about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Correct the request.
    Invalid,
    /// Name something that exists.
    NotFound,
    /// Choose another name.
    AlreadyExists,
    /// Change the state first, or look at it again.
    Precondition,
    /// Ask somebody who may.
    NotPermitted,
    /// Ask for less, or raise the limit.
    Limit,
    /// Nothing: the query behind it has no answer.
    Query,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $kind:ident;)*) => {
        /// Why something is refused. The text of each is part of the interface.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// Every reason.
            pub const ALL: &[Reason] = &[$(Reason::$name,)*];

            /// The reason as the wire says it.
            pub fn as_str(self) -> &'static str {
                match self { $(Reason::$name => $text,)* }
            }

            /// What the caller can do about it.
            pub fn kind(self) -> Kind {
                match self { $(Reason::$name => Kind::$kind,)* }
            }
        }
    };
}

reasons! {
    /// A name, id or text is outside its grammar or size.
    InvalidValue = "INVALID_VALUE", Invalid;
    /// A value that must be given is not.
    MissingValue = "MISSING_VALUE", Invalid;
    /// An instant that must lie ahead does not, or an interval is empty.
    InvalidPeriod = "INVALID_PERIOD", Invalid;
    /// A list, a scope or a number is above its limit.
    TooMuch = "TOO_MUCH", Limit;
    /// A scope, policy or label names a type the schema lacks.
    UnknownType = "UNKNOWN_TYPE", Invalid;
    /// It names a permission or relation the type lacks.
    UnknownPermission = "UNKNOWN_PERMISSION", Invalid;
    /// It names a caveat the schema lacks, or a value that is not of its parameter's type.
    UnknownCaveat = "UNKNOWN_CAVEAT", Invalid;
    /// A scope clause selects nothing.
    EmptyScope = "EMPTY_SCOPE", Invalid;

    /// No such agent.
    AgentNotFound = "AGENT_NOT_FOUND", NotFound;
    /// The id is registered and not retired.
    AgentExists = "AGENT_EXISTS", AlreadyExists;
    /// A sponsor is not a human.
    SponsorNotHuman = "SPONSOR_NOT_HUMAN", Invalid;
    /// No sponsor is a human who still counts.
    SponsorNotLive = "SPONSOR_NOT_LIVE", Precondition;
    /// Somebody new becomes a sponsor by accepting, not by being named.
    SponsorNotAccepted = "SPONSOR_NOT_ACCEPTED", Precondition;
    /// The status does not allow the change.
    WrongStatus = "WRONG_STATUS", Precondition;
    /// The version given is not the present one.
    VersionMismatch = "VERSION_MISMATCH", Precondition;
    /// No transfer of sponsorship waits for this human.
    TransferNotFound = "TRANSFER_NOT_FOUND", NotFound;
    /// No such human.
    HumanNotFound = "HUMAN_NOT_FOUND", NotFound;
    /// The type is declared to be something else.
    TypeMismatch = "TYPE_MISMATCH", Invalid;

    /// No such kill switch.
    KillNotFound = "KILL_NOT_FOUND", NotFound;
    /// A switch of this name is on.
    KillExists = "KILL_EXISTS", AlreadyExists;

    /// No such delegation, or it was forgotten long after its end.
    DelegationNotFound = "DELEGATION_NOT_FOUND", NotFound;
    /// The delegation is over: revoked, expired, or a hop before it is.
    DelegationOver = "DELEGATION_OVER", Precondition;
    /// Who delegates is not who the hop before ends with.
    DelegatorMismatch = "DELEGATOR_MISMATCH", Invalid;
    /// The root given is not that of the hop before.
    RootMismatch = "ROOT_MISMATCH", Invalid;
    /// No further hop may follow.
    DepthExceeded = "DEPTH_EXCEEDED", Precondition;
    /// A principal would be in the chain twice.
    PrincipalTwice = "PRINCIPAL_TWICE", Invalid;
    /// The scope is wider than that of the hop before, the delegate's ceiling, or what is renewed.
    ScopeWider = "SCOPE_WIDER", Precondition;
    /// It would outlive the hop before, or its session.
    OutlivesParent = "OUTLIVES_PARENT", Precondition;
    /// A userset as delegate needs a session or counted uses.
    UsersetUnbounded = "USERSET_UNBOUNDED", Invalid;
    /// Uses may only become fewer.
    UsesWider = "USES_WIDER", Precondition;

    /// No such session, or it was forgotten long after its end.
    SessionNotFound = "SESSION_NOT_FOUND", NotFound;
    /// The session is closed or expired.
    SessionOver = "SESSION_OVER", Precondition;
    /// The session belongs to another client.
    SessionBinding = "SESSION_BINDING", NotPermitted;
    /// The session is for another chain.
    SessionMismatch = "SESSION_MISMATCH", Invalid;
    /// Nobody may grant this relation inside a session.
    GrantNotOffered = "GRANT_NOT_OFFERED", Precondition;
    /// The grantor lacks the permission that granting needs.
    GrantNotPermitted = "GRANT_NOT_PERMITTED", NotPermitted;
    /// The grant lies outside the agent's ceiling.
    GrantAboveCeiling = "GRANT_ABOVE_CEILING", Precondition;

    /// No such policy.
    PolicyNotFound = "POLICY_NOT_FOUND", NotFound;
    /// A quorum of zero, or above the limit.
    InvalidQuorum = "INVALID_QUORUM", Invalid;
    /// No such approval, or it was forgotten long after its end.
    ApprovalNotFound = "APPROVAL_NOT_FOUND", NotFound;
    /// Something else denies the action: an approval would not help.
    ApprovalNotOffered = "APPROVAL_NOT_OFFERED", Precondition;
    /// The action needs no approval.
    ApprovalNotNeeded = "APPROVAL_NOT_NEEDED", Precondition;
    /// A value the approval is bound to is missing.
    BoundValueMissing = "BOUND_VALUE_MISSING", Invalid;
    /// Too many wait for this actor.
    TooManyPending = "TOO_MANY_PENDING", Limit;
    /// The same action was rejected a short while ago.
    CoolingDown = "COOLING_DOWN", Precondition;
    /// The approval does not wait for votes.
    ApprovalNotPending = "APPROVAL_NOT_PENDING", Precondition;
    /// The voter may not approve this.
    ApproverNotEligible = "APPROVER_NOT_ELIGIBLE", NotPermitted;
    /// The voter, or the same person under another name, has voted.
    AlreadyVoted = "ALREADY_VOTED", AlreadyExists;
    /// The approval is for another action, chain or value.
    ApprovalMismatch = "APPROVAL_MISMATCH", Invalid;
    /// The approval belongs to another client.
    ApprovalBinding = "APPROVAL_BINDING", NotPermitted;
    /// The approval cannot be used: not approved, expired, used up, or an approver no longer counts.
    ApprovalNotUsable = "APPROVAL_NOT_USABLE", Precondition;

    /// Nobody may break the glass here: no policy lets them, or a kill switch or a quarantine wants the approval.
    BreakGlassNotOffered = "BREAK_GLASS_NOT_OFFERED", Precondition;
    /// Who wants to break the glass may not.
    BreakGlassNotPermitted = "BREAK_GLASS_NOT_PERMITTED", NotPermitted;
    /// What the same person broke was not reviewed in time.
    ReviewOverdue = "REVIEW_OVERDUE", Precondition;
    /// Nothing was broken under this id, or it was forgotten long after its review.
    BrokenGlassNotFound = "BROKEN_GLASS_NOT_FOUND", NotFound;
    /// Who reviews may not review this.
    ReviewerNotEligible = "REVIEWER_NOT_ELIGIBLE", NotPermitted;
    /// It has been reviewed.
    AlreadyReviewed = "ALREADY_REVIEWED", AlreadyExists;

    /// The chain names no delegation, and more than one principal.
    ChainNotDelegated = "CHAIN_NOT_DELEGATED", Invalid;
    /// Root or actors are not those of the delegation.
    ChainMismatch = "CHAIN_MISMATCH", Invalid;
    /// The delegation was made after the snapshot asked for.
    DelegationAfterSnapshot = "DELEGATION_AFTER_SNAPSHOT", Precondition;
    /// A contextual relationship is not one the schema allows.
    ContextualNotAllowed = "CONTEXTUAL_NOT_ALLOWED", Invalid;
    /// The idempotency key was used for another question.
    IdempotencyConflict = "IDEMPOTENCY_CONFLICT", Precondition;
    /// The decision is not an allow, so nothing was used.
    NotAllowed = "NOT_ALLOWED", NotPermitted;
    /// The query behind it has no answer.
    QueryFailed = "QUERY_FAILED", Query;
    /// A record could not be written down.
    NotRecorded = "NOT_RECORDED", Limit;
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A refusal: why, which field, and what is wrong in words. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct Refused {
    /// Why.
    pub reason: Reason,
    /// The field of the request that is wrong, `scope.clauses[2].permissions`.
    pub field: String,
    /// What is wrong, with the value and the limit where there is one.
    pub message: String,
    /// The query's own error, for `QueryFailed`.
    pub query: Option<Box<QueryError>>,
}

impl Refused {
    /// A refusal.
    pub fn new(reason: Reason, field: impl Into<String>, message: impl Into<String>) -> Refused {
        Refused { reason, field: field.into(), message: message.into(), query: None }
    }

    /// The refusal, about a field of the field.
    #[must_use]
    pub fn under(mut self, outer: &str) -> Refused {
        self.field = format!("{outer}.{}", self.field);
        self
    }
}

impl From<QueryError> for Refused {
    fn from(error: QueryError) -> Refused {
        Refused {
            reason: Reason::QueryFailed,
            field: "question".to_owned(),
            message: error.to_string(),
            query: Some(Box::new(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_text_of_its_own() {
        let texts: BTreeSet<_> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        assert_eq!(texts.len(), Reason::ALL.len());
    }
}
