//! A name that is given to another object: every answer is that of a snapshot without the earlier one's relationships.

use std::cell::RefCell;
use std::collections::BTreeSet;

use pemba_engine::{QueryContext, Snapshot};
use pemba_model::{ObjectRef, Relationship};
use pemba_testkit::cases;
use pemba_testkit::compare::{Difference, STEPS_MAX, replay};
use pemba_testkit::generate::{Case, State};

use crate::asked::Asked;

fn touches(relationship: &Relationship, object: &ObjectRef) -> bool {
    relationship.resource == *object || relationship.subject.object == *object
}

/// How many cases lost answers by what the object was a part of, and by what it stood between.
#[derive(Debug, Default)]
struct Counts {
    of_the_object: u32,
    of_others: u32,
}

fn compare(case: &Case, counts: &RefCell<Counts>) -> Result<(), Box<Difference>> {
    let history = replay(case);
    let before = &history.head().snapshot;
    let state = &history.head().state;
    let objects = case.objects();
    // The object with the most relationships.
    let degree = |object: &ObjectRef| state.relationships.values().filter(|one| touches(one, object)).count();
    let mentioned = state.mentioned();
    let Some(object) = mentioned.iter().max_by_key(|object| degree(object)) else { return Ok(()) };

    let (mut left, mut without) = (state.clone(), before.transaction());
    left.relationships.retain(|_, one| !touches(one, object));
    for one in state.relationships.values().filter(|one| touches(one, object)) {
        let key = without.edge_key(one).unwrap();
        without.remove(key).unwrap();
    }
    let without = without.finish(before.revision().next());
    let caveats = case.caveats(&state.schema);
    let now = case.instants[0];
    let context = QueryContext { now, steps_max: STEPS_MAX, caveats: &caveats };
    let ask = |snapshot: &Snapshot, state: &State| {
        Asked { graph: snapshot, base: snapshot, state, context, answers: Vec::new() }.all(&objects)
    };
    let whole = ask(before, state);
    let expected = ask(&without, &left);

    let mut transaction = before.transaction();
    transaction.reincarnate(object).unwrap();
    let after = transaction.finish(before.revision().next());
    for (expected, got) in expected.iter().zip(&ask(&after, &left)) {
        if expected != got {
            let question = format!("{} after {object} became another", expected.0);
            let (expected, got) = (expected.1.clone(), got.1.clone());
            let state = state.clone();
            return Err(Box::new(Difference { state, now, caveats, question, check: None, expected, got }));
        }
    }
    // At the revision before, answers name nobody by what the earlier one had: `Asked` makes sure.
    assert_eq!(ask(before, state).len(), whole.len());

    let is_of_object = |question: &str| question.contains(&object.to_string());
    let lost: BTreeSet<bool> = whole
        .iter()
        .zip(&expected)
        .filter(|(whole, expected)| whole != expected && whole.0.starts_with("check"))
        .map(|(whole, _)| is_of_object(&whole.0))
        .collect();
    counts.borrow_mut().of_the_object += u32::from(lost.contains(&true));
    counts.borrow_mut().of_others += u32::from(lost.contains(&false));
    Ok(())
}

#[test]
fn every_answer_is_that_without_the_earlier_ones_relationships() {
    let counts = RefCell::default();
    let cases = cases::count(120);
    cases::check(cases, cases::seed(13), |case| compare(case, &counts));
    let Counts { of_the_object, of_others } = counts.into_inner();
    assert!(
        of_the_object * 2 >= cases && of_others * 10 >= cases,
        "{of_the_object} and {of_others} of {cases}"
    );
}
