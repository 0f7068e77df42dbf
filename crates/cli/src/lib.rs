//! The command line of Pemba, as a library so that tests can run its parts.
//!
//! **Invariant: no authorization logic lives here; every command is a translation between text and the database or a
//! server.**

pub mod validate;
