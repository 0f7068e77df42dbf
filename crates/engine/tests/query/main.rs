//! The queries, operator by operator, each answer checked by every way there is to it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod cycles;
mod expanding;
mod incarnations;
mod large;
mod operators;
mod qualified;
mod random;
mod subjects;
mod subtrees;
mod tracing;
mod world;
