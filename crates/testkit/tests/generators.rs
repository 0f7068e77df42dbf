//! The generators hold what they promise: every class of trouble occurs often enough to matter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs,
    reason = "tests"
)]

use pemba_testkit::generate::coverage::{CLASSES, Class, Coverage};
use pemba_testkit::generate::{self, Step};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

const CASES: usize = 400;

fn cases() -> Vec<generate::Case> {
    let mut runner = TestRunner::deterministic();
    (0..CASES).map(|_| generate::case().new_tree(&mut runner).unwrap().current()).collect()
}

/// The least share of cases that must have the class.
fn least_share(class: Class) -> f64 {
    match class {
        Class::EqualIdsOfDifferentTypes => 0.6,
        Class::Cycle | Class::Conditional | Class::UsersetSubject | Class::Delete => 0.3,
        Class::CaveatHolds | Class::CaveatRefuses | Class::CaveatMisses => 0.2,
        Class::CaveatFails | Class::SharedBoundValues | Class::DifferentBoundValues => 0.1,
        Class::CaveatOnUserset | Class::FaultDecides | Class::SeveralCaveats => 0.05,
        Class::ExpiryExactlyNow | Class::Stranger | Class::SchemaChange => 0.1,
        _ => 0.02,
    }
}

#[test]
fn every_class_of_trouble_is_generated_often_enough() {
    let mut coverage = Coverage::default();
    cases().iter().for_each(|case| coverage.add(case));
    for class in CLASSES {
        println!("{class:?}: {:.3}", coverage.share(class));
    }
    for class in CLASSES {
        let (share, least) = (coverage.share(class), least_share(class));
        assert!(share >= least, "{class:?} occurs in {share:.3} of the cases, at least {least} are wanted");
    }
}

#[test]
fn all_relationships_are_allowed_by_the_schema_of_their_time() {
    for case in cases() {
        for (state, step) in case.states().iter().skip(1).zip(&case.steps) {
            for relationship in state.relationships.values() {
                relationship.check_names().unwrap();
                let definition = state.schema.definition(&relationship.resource.object_type).unwrap();
                let relation = &definition.relations[&relationship.relation];
                let fits = relation.allowed.iter().any(|allowed| {
                    allowed.subject_type == relationship.subject.object.object_type
                        && allowed.caveat.as_ref() == relationship.caveat.as_ref().map(|c| &c.name)
                        && allowed.expiration == relationship.expires_at.is_some()
                });
                assert!(fits, "{relationship} after {step:?}");
            }
            if let Step::Schema(schema) = step {
                assert_eq!(*schema, state.schema);
            }
        }
    }
}
