//! Who may act, with whose authority, for how long: identity, delegation, session, approval. Commands go in, mutations
//! come out.
//!
//! **Invariant: this crate never opens a store, reads a clock or knows the wire; a command is a function of an engine
//! snapshot and an instant it is given.**
//!
//! The agent semantics are not built yet; until they are, this crate holds its place in the dependency order and
//! nothing else.
