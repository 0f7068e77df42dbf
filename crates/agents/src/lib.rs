//! Who may act, with whose authority, for how long: identity, delegation, session, approval. Commands go in, mutations
//! come out.
//!
//! What is remembered is a set of records (`records`), each one document of the log. `Book` is what follows from all of
//! them at one revision. `command` holds the functions that change records: each looks at a moment (the relationships,
//! the book and the instant) and returns the records to put, or a refusal. `authority` answers questions for a chain of
//! principals: the root's own authority and every conjunct on top of it. `client` says what an API client may do and for
//! whom it may speak.
//!
//! **Invariant: this crate never opens a store, reads a clock, draws a random number or knows the wire; a command is a
//! function of a moment, and a gate is a conjunct on a result, never a hidden edge.**

mod answer;
pub mod authority;
pub mod book;
pub mod chain;
pub mod client;
pub mod command;
pub mod contextual;
pub mod error;
pub mod id;
pub mod judged;
pub mod limits;
pub mod liveness;
pub mod moment;
pub mod records;
pub mod scope;
mod scope_sets;
pub mod standing;

pub use book::Book;
pub use error::{Kind, Reason, Refused};
pub use id::{ApprovalId, DelegationId, SessionId};
pub use limits::AgentLimits;
pub use moment::{Facts, Moment};
