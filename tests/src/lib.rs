//! What the tests that need the whole product share: finding the checkout and the built binary, running a server.
//!
//! **Invariant: nothing here is linked into the product.**
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "this crate is test support: a failure is a failed test"
)]

pub mod checkout;
pub mod command_line;
pub mod crosscheck;
pub mod differential;
pub mod error_table;
pub mod process;
pub mod wire;
