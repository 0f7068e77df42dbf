//! Generated schemas and histories: every revision reads as the plain list of its relationships, now and later.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_db::store::Store;
use pemba_db::{Database, WatchRequest, Write, verify_store};
use pemba_model::{Limits, Operation, Revision, Timestamp, Update};
use pemba_testkit::generate::{Case, State, Step, case, identity, schema_text};
use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use crate::ledger::Documents;
use crate::support::{clock, everything, memory, open_with};

/// Before every expiry there is, so that nothing of the history has expired when it happens.
fn early() -> Timestamp {
    Timestamp::parse("1000-01-01T00:00:00Z").unwrap()
}

fn live(state: &State, now: Timestamp) -> BTreeSet<String> {
    let counts = |expires_at: Option<Timestamp>| expires_at.is_none_or(|at| at > now);
    state.relationships.values().filter(|one| counts(one.expires_at)).map(ToString::to_string).collect()
}

fn run(database: &Database, case: &Case) {
    database.write_schema(schema_text(&case.schema)).wait().unwrap();
    let mut states = case.states().into_iter();
    for step in &case.steps {
        let before = states.next().unwrap();
        match step {
            Step::Schema(schema) => {
                database.write_schema(schema_text(schema)).wait().unwrap();
            }
            Step::Write(updates) => {
                let is_there =
                    |update: &Update| before.relationships.contains_key(&identity(&update.relationship));
                let keep = |update: &&Update| update.operation != Operation::Create || !is_there(update);
                let updates = updates.iter().filter(keep).cloned().collect();
                database.write(Write { updates, ..Write::default() }).wait().unwrap();
            }
        }
    }
}

fn check(database: &Database, case: &Case, now: Timestamp, what: &str) -> Result<(), TestCaseError> {
    for (at, state) in case.states().iter().enumerate().rev() {
        let view = database.view_at(Revision(1 + at as u64)).unwrap();
        prop_assert_eq!(everything(&view), live(state, now), "{} at step {} and {}", what, at, now);
        prop_assert_eq!(&view.snapshot().schema().definitions, &state.schema.definitions, "{}", what);
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_revision_reads_as_its_relationships(case in case()) {
        let (store, clock): (Arc<dyn Store>, _) = (memory(), clock());
        clock.set(early());
        let limits = Limits { snapshots_retained_max: 1, history_window_ms: u64::MAX, ..Limits::default() };
        let database = open_with(&store, limits.clone(), &clock);
        run(&database, &case);
        let instants: Vec<Timestamp> = std::iter::once(early()).chain(case.instants.iter().copied()).collect();
        for now in &instants {
            clock.set(*now);
            check(&database, &case, *now, "while it is open")?;
        }
        verify_store(&*store, Documents::none()).unwrap();

        // A watcher who folds the changes has the same.
        clock.set(early());
        let mut watch = database.watch(WatchRequest { after: Some(Revision(1)), ..WatchRequest::default() }).unwrap();
        let mut folded = BTreeSet::new();
        while let Some(event) = watch.next_blocking(std::time::Duration::ZERO).unwrap() {
            for update in event.updates {
                let gone = identity(&update.relationship);
                folded.retain(|text: &String| identity(&crate::support::rel(text)) != gone);
                if update.operation == Operation::Touch {
                    folded.insert(update.relationship.to_string());
                }
            }
        }
        prop_assert_eq!(&folded, &live(case.states().last().unwrap(), early()));

        database.close();
        let database = open_with(&store, limits, &clock);
        for now in &instants {
            clock.set(*now);
            check(&database, &case, *now, "after a restart")?;
        }
    }
}
