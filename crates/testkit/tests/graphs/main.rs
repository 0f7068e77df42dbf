//! Graphs that are not just what was written, each beside a snapshot that is.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod asked;
mod incarnations;
mod overlays;
mod withholding;
