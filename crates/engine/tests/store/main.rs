//! Tables, snapshots, transactions, scans and loading, each against a naive model.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]
#![cfg(not(loom))]

mod epochs;
mod load;
mod model;
mod scans;
mod snapshots;
mod tables;
