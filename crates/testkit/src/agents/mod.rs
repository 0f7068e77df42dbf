//! What a chain of principals must be allowed, by brute force from the rules: the root's own authority, and then every
//! rule about delegations, sessions, agents, switches and approvals, one after another, over plain lists.
//!
//! It shares no code with what it judges. The root's authority is the naive evaluator's.

mod alive;
mod approval;
mod bounds;
mod facts;
mod glass;
mod grant;
mod judge;

pub use facts::{
    Agent, Approval, Broken, Clause, Distinct, Facts, GlassPolicy, GrantRight, Hop, Human, Kind, Mode,
    Objects, Policy, Scope, Selects, Session, Status, Switch, Vote,
};
pub use grant::Grant;
pub use judge::{Ask, Authority, Judge, Verdict};
