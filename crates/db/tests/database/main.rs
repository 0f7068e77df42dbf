//! The database as those who embed it see it, on stores in memory, on stores that fail, and on disk.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::too_many_lines,
    missing_docs,
    reason = "tests"
)]

mod committing;
mod counting;
mod deciding;
mod deleting;
mod documents;
mod failing;
mod generated;
#[path = "../ledger/mod.rs"]
mod ledger;
#[cfg(feature = "rocks")]
mod on_disk;
mod recovering;
mod schemas;
mod snapshots;
mod support;
mod viewing;
mod watching;
mod writing;
