//! Chains of authority in a world without a store or a clock: attacks, refusals, scenarios, and generated histories
//! beside the oracle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::too_many_lines,
    missing_docs,
    unreachable_pub,
    reason = "tests"
)]

mod approvals;
mod attacks;
mod glass;
mod grants;
mod histories;
mod refusals;
mod scenarios;
mod steps;
mod told;
mod usersets;
mod world;
