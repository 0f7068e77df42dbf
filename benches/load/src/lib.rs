//! The load generator: asks any `authzed.api.v1` server pre-encoded questions over bare HTTP/2 and measures the answers.
//!
//! A [`Plan`] has flows, each so many connections with so many requests in flight on each, in a closed loop (the next
//! request follows an answer) or an open one (requests follow a clock, and latency counts from when a request was due,
//! so that a server that stalls is not spared). Answers are compared with what is expected of them.
//!
//! **Invariant: every request that was begun is answered, counted and compared, or counted as an error.**

mod connection;
mod cpu;
mod pace;
pub mod plot;
pub mod process;
pub mod questions;
pub mod report;
mod request;
mod run;
mod scan;
pub mod setup;

pub use report::{FlowReport, Report};
pub use request::{Asked, Call, Prepared, Verdict};
pub use run::{Flow, Pace, Plan, Target, once, run};
