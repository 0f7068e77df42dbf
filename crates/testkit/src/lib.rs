//! What Pemba's tests share: the oracle that says what every answer must be, generators of schemas, relationships and
//! operation sequences, the comparison of an engine with the oracle, and the support-desk data.
//!
//! **Invariant: `oracle` shares no code with the engine; it reads expressions as written and a plain list of
//! relationships.**

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "this crate runs inside tests only, where going on after a broken assumption would hide it"
)]

pub mod agents;
pub mod cases;
pub mod caveats;
pub mod compare;
pub mod generate;
pub mod history;
pub mod oracle;

pub use pemba_workloads::support_desk;
