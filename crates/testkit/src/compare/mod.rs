//! Asks an engine snapshot everything and compares each answer with the oracle's.
//!
//! A difference comes back as a `Difference`, which prints as a validation file: schema, relationships, the question as
//! an assertion, and what was expected and given.

mod ask;
mod conditions;
mod expansions;
mod guarantees;
mod lookups;
mod report;
mod run;
mod scenario;

pub use ask::{Scene, check_once};
pub use conditions::{limits_are_errors, values_only_decide};
pub use guarantees::{expiry_is_exact, lookups_agree, nothing_is_stale, snapshots_stay};
pub use report::Difference;
pub use run::{History, Version, compare_case, compare_wide_case, replay};
pub use scenario::{compare_scenario, scenario};

/// How many steps a question of the generated size may take; far more than any needs.
pub const STEPS_MAX: u64 = 1_000_000;
