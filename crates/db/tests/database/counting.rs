//! Counters: registered once, counted at the head, there after a restart.

use pemba_db::{COUNTERS_MAX, CounterError, Database, WatchRequest, verify_store};
use pemba_model::{Limits, RelationFilter, RelationshipFilter, SubjectFilter};

use crate::ledger::Documents;
use crate::support::*;

fn documents() -> RelationshipFilter {
    RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() }
}

fn count(database: &Database, name: &str) -> u64 {
    database.count(name).unwrap().count
}

#[test]
fn a_counter_counts_what_is_live_at_the_head() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let registered = database.register_counter("docs".into(), documents()).wait().unwrap();
    assert_eq!(registered.revision, database.head());
    assert_eq!(count(&database, "docs"), 0);
    let written = database
        .write(write([
            create("document:a#viewer@user:x"),
            create("document:b#viewer@user:x[expiration:2026-01-01T00:01:00Z]"),
            create("group:g#member@user:x"),
        ]))
        .wait()
        .unwrap();
    let counted = database.count("docs").unwrap();
    assert_eq!((counted.count, counted.token), (2, written.token));
    clock.advance_ms(60_000);
    assert_eq!(count(&database, "docs"), 1);

    let subject = SubjectFilter {
        subject_type: "user".into(),
        subject_id: Some("x".into()),
        relation: RelationFilter::Any,
    };
    let of_user = RelationshipFilter { subject: Some(subject), ..RelationshipFilter::default() };
    database.register_counter("of_x".into(), of_user).wait().unwrap();
    assert_eq!(count(&database, "of_x"), 2);
    assert_eq!(database.counters().len(), 2);
}

#[test]
fn names_and_filters_are_checked() {
    let database = open();
    for name in ["", "ab", "Docs", "docs_"] {
        let error = database.register_counter(name.into(), documents()).wait().unwrap_err();
        assert!(matches!(error, CounterError::InvalidName { .. }), "{name}: {error}");
    }
    let empty = RelationshipFilter::default();
    let error = database.register_counter("docs".into(), empty).wait().unwrap_err();
    assert!(matches!(error, CounterError::Filter(_)), "{error}");
    let unknown =
        RelationshipFilter { resource_type: Some("folder".into()), ..RelationshipFilter::default() };
    let error = database.register_counter("docs".into(), unknown).wait().unwrap_err();
    assert!(matches!(error, CounterError::Filter(_)), "{error}");
    assert_eq!(database.count("docs"), Err(CounterError::NotRegistered { name: "docs".into() }));
    let error = database.unregister_counter("docs".into()).wait().unwrap_err();
    assert_eq!(error, CounterError::NotRegistered { name: "docs".into() });
    database.register_counter("docs".into(), documents()).wait().unwrap();
    let error = database.register_counter("docs".into(), documents()).wait().unwrap_err();
    assert!(matches!(error, CounterError::AlreadyRegistered { .. }), "{error}");
    database.unregister_counter("docs".into()).wait().unwrap();
    database.register_counter("docs".into(), documents()).wait().unwrap();
}

#[test]
fn refused_requests_of_one_group_leave_the_others_alone() {
    let database = open();
    let pending: Vec<_> =
        (0..20).map(|n| database.register_counter(format!("docs{}", n % 10).into(), documents())).collect();
    let results: Vec<bool> = pending.into_iter().map(|pending| pending.wait().is_ok()).collect();
    assert_eq!(results.iter().filter(|is_ok| **is_ok).count(), 10);
    assert_eq!(database.counters().len(), 10);
}

#[test]
fn there_is_a_limit() {
    let database = open();
    let pending: Vec<_> = (0..=COUNTERS_MAX)
        .map(|n| database.register_counter(format!("docs{n}").into(), documents()))
        .collect();
    let last = pending.into_iter().map(pemba_db::Pending::wait).next_back().unwrap();
    assert_eq!(last, Err(CounterError::TooMany { max: COUNTERS_MAX }));
}

#[test]
fn a_count_beyond_its_steps_is_an_error() {
    let database = open_with(&memory(), Limits { query_steps_max: 10, ..Limits::default() }, &clock());
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    database.register_counter("docs".into(), documents()).wait().unwrap();
    database.write(write((0..20).map(|n| create(&format!("document:d{n}#viewer@user:x"))))).wait().unwrap();
    assert_eq!(
        database.count("docs"),
        Err(CounterError::TooManySteps { name: "docs".into(), steps_max: 10 })
    );
}

#[test]
fn counters_survive_a_restart_and_watchers_are_told_nothing_of_them() {
    let (store, clock) = (memory(), clock());
    let database = open_with(&store, Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let mut watch = database.watch(WatchRequest { checkpoints: true, ..WatchRequest::default() }).unwrap();
    database.register_counter("docs".into(), documents()).wait().unwrap();
    database.register_counter("gone".into(), documents()).wait().unwrap();
    let last = database.unregister_counter("gone".into()).wait().unwrap();
    loop {
        let event = watch.next_blocking(std::time::Duration::from_secs(5)).unwrap().unwrap();
        assert!(event.checkpoint && event.updates.is_empty() && !event.schema_changed);
        if event.token == last.token {
            break;
        }
    }
    database.close();
    verify_store(&*store, Documents::none()).unwrap();
    let database = open_with(&store, Limits::default(), &clock);
    assert_eq!(database.counters(), [("docs".into(), documents())]);
    assert_eq!(database.head(), last.revision);
    // An older revision is rebuilt across the records of counters.
    drop(database.view_at(pemba_model::Revision(1)).unwrap());
}
