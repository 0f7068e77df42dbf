//! Who may act, with whose authority, for how long: identity, delegation, session, approval. Commands go in, mutations
//! come out.
//!
//! **Invariant: this crate never opens a store, reads a clock or knows the wire; a command is a function of an engine
//! snapshot and an instant it is given.**
//!
//! Who calls is in `client`; the agents' own semantics are not built yet.

pub mod client;
