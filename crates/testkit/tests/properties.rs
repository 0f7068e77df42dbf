//! The engine against the oracle on generated cases.
//!
//! `PEMBA_CASES=20000` runs ten times as many (2,000 is usual); `PEMBA_SEED=7` runs others. A failure prints the seed
//! and a minimal validation file. For hours of it see `long.rs`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

use std::sync::atomic::{AtomicU32, Ordering};

use pemba_testkit::generate::coverage::{Class, classes};
use pemba_testkit::{cases, compare, generate};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

#[test]
fn every_answer_at_every_revision_is_the_oracles() {
    cases::check(cases::count(2_000), cases::seed(1), compare::compare_case);
}

#[test]
fn every_answer_on_wider_data_is_the_oracles() {
    let wide = generate::wide_case();
    cases::check_on(&wide, cases::count(60), cases::seed(3), compare::compare_wide_case);
}

#[test]
fn guarantee_2_a_snapshot_never_changes() {
    cases::check(cases::count(200), cases::seed(2), compare::snapshots_stay);
}

#[test]
fn guarantee_4_no_answer_is_stale_after_any_write() {
    cases::check(cases::count(60), cases::seed(4), compare::nothing_is_stale);
}

#[test]
fn guarantee_5_a_relationship_ends_at_its_instant() {
    cases::check(cases::count(150), cases::seed(5), compare::expiry_is_exact);
}

#[test]
fn guarantee_6_a_limit_is_an_error_and_never_an_answer() {
    cases::check(cases::count(60), cases::seed(6), compare::limits_are_errors);
}

#[test]
fn guarantee_6_values_for_missing_parameters_flip_no_definite_answer() {
    cases::check(cases::count(100), cases::seed(66), compare::values_only_decide);
}

#[test]
fn guarantee_7_lookups_and_checks_agree() {
    cases::check(cases::count(200), cases::seed(7), compare::lookups_agree);
}

#[test]
fn guarantee_8_cycles_are_answered() {
    let cyclic = AtomicU32::new(0);
    cases::check(cases::count(300), cases::seed(8), |case| {
        if !classes(case).contains(&Class::Cycle) {
            return Ok(());
        }
        cyclic.fetch_add(1, Ordering::Relaxed);
        compare::compare_case(case)
    });
    let cyclic = cyclic.into_inner();
    assert!(cyclic >= cases::count(300) / 5, "only {cyclic} cases had a cycle");
}

#[test]
fn compiled_steps_are_the_steps() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        let case = generate::case().new_tree(&mut runner).unwrap().current();
        for step in case.steps {
            let generate::Step::Schema(schema) = step else { continue };
            let text = generate::schema_text(&schema);
            match pemba_schema::compile(&text) {
                Ok(compiled) => assert_eq!(compiled.schema, schema, "{text}"),
                Err(rejected) => panic!("{:?}\n{text}", rejected.diagnostics),
            }
        }
    }
}

#[test]
fn the_text_of_a_schema_compiles_to_it() {
    let mut runner = TestRunner::deterministic();
    for _ in 0..500 {
        let schema = generate::schema().new_tree(&mut runner).unwrap().current();
        let text = generate::schema_text(&schema);
        match pemba_schema::compile(&text) {
            Ok(compiled) => assert_eq!(compiled.schema, schema, "{text}"),
            Err(rejected) => panic!("{:?}\n{text}", rejected.diagnostics),
        }
    }
}
