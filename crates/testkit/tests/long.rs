//! Every property, for as long as one likes:
//!
//! `PEMBA_HOURS=8 cargo test --release -p pemba-testkit --test long -- --nocapture`
//!
//! Each round takes the next seed, from `PEMBA_SEED` or one that no other test uses. Without `PEMBA_HOURS` it runs one
//! short round, so that the command itself is known to work.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests; this one looks at the clock to know when to end"
)]

use std::time::{Duration, Instant};

use pemba_testkit::{cases, compare, generate};

/// One round of all properties with one seed.
fn round(seed: u64, cases: u32) {
    cases::check(cases, seed, compare::compare_case);
    cases::check_on(&generate::wide_case(), cases / 20, seed, compare::compare_wide_case);
    cases::check(cases / 10, seed, compare::snapshots_stay);
    cases::check(cases / 30, seed, compare::nothing_is_stale);
    cases::check(cases / 10, seed, compare::expiry_is_exact);
    cases::check(cases / 10, seed, compare::lookups_agree);
    cases::check(cases / 30, seed, compare::limits_are_errors);
    cases::check(cases / 10, seed, compare::values_only_decide);
}

#[test]
fn hours_of_properties() {
    let first = cases::seed(1_000_000);
    let Ok(hours) = std::env::var("PEMBA_HOURS") else { return round(first, 60) };
    let hours: f64 = hours.parse().expect("PEMBA_HOURS is a number of hours");
    let end = Instant::now() + Duration::from_secs_f64(hours * 3600.0);
    for seed in first.. {
        if Instant::now() > end {
            return;
        }
        round(seed, 600);
        println!("seed {seed}: 600 cases of everything hold");
    }
}
