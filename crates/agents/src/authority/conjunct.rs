//! The conjuncts of a decision, and how a decision names the one that limits it.

use pemba_model::{ObjectRef, SmolStr};

use crate::chain::Over;
use crate::id::{DelegationId, SessionId};
use crate::liveness::NotLive;

/// One conjunct, as evaluation meets it. Principals and hops by their place: 0 is the root, `n` the n-th hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// The session presented is open.
    Session,
    /// The hops follow from one another.
    Connection,
    /// A hop's record holds.
    Hop(usize),
    /// Who acts by a hop that is to a userset belongs to it.
    Member(usize),
    /// A principal may act at all.
    Live(usize),
    /// A principal may do what is not reading.
    Write(usize),
    /// A hop's scope contains the action.
    Scope(usize),
    /// The session's scope does.
    SessionScope,
    /// An agent's ceiling does.
    Ceiling(usize),
    /// What an agent is for does.
    Purpose(usize),
    /// An agent that must has the permission itself.
    OwnGrants(usize),
    /// The root has the permission.
    Root,
    /// Whoever must approve has approved.
    Approval,
    /// Counted uses are used by consuming, not by asking.
    Uses,
}

/// The conjunct that limits a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Limit {
    /// The session is over.
    Session(SessionId, Over),
    /// The chain does not hold together.
    Connection(Over),
    /// A hop is over.
    Hop(DelegationId, Over),
    /// Who acts does not belong to the userset the hop is to.
    Member(DelegationId),
    /// A principal may not act.
    NotLive(ObjectRef, NotLive),
    /// A kill switch, by name, lets a principal only read.
    WriteDenied(ObjectRef, SmolStr),
    /// A hop's scope lacks the action.
    Scope(DelegationId),
    /// The session's scope does.
    SessionScope(SessionId),
    /// An agent's ceiling does.
    Ceiling(ObjectRef),
    /// What an agent is for does.
    Purpose(ObjectRef),
    /// An agent lacks the permission itself.
    OwnGrants(ObjectRef),
    /// The root lacks the permission.
    Root(ObjectRef),
    /// An approval is needed.
    Approval,
    /// A counted hop or approval is to be consumed.
    Uses,
}

impl Limit {
    /// One word for the kind of conjunct.
    pub fn as_str(&self) -> &'static str {
        match self {
            Limit::Session(..) => "session",
            Limit::Connection(_) => "connection",
            Limit::Hop(..) => "hop",
            Limit::Member(_) => "member",
            Limit::NotLive(..) => "liveness",
            Limit::WriteDenied(..) => "write_denied",
            Limit::Scope(_) => "scope",
            Limit::SessionScope(_) => "session_scope",
            Limit::Ceiling(_) => "ceiling",
            Limit::Purpose(_) => "purpose",
            Limit::OwnGrants(_) => "own_grants",
            Limit::Root(_) => "root",
            Limit::Approval => "approval",
            Limit::Uses => "uses",
        }
    }
}
