//! The server over real connections, with the generated client.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    clippy::too_many_lines,
    reason = "tests"
)]

mod abuse;
mod agents;
mod chains;
mod client_calls;
mod clients;
mod consistency;
mod errors;
mod experimental;
mod fields;
mod harness;
mod metadata;
mod paging;
mod per_token;
mod permissions;
mod reflection;
mod rest;
mod serving;
mod tracing;
mod watch;
