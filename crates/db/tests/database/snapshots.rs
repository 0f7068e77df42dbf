//! Exact snapshots: in memory, rewound and after a restart, against a model; and how long they last.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_db::{Consistency, Database, Delete, Token, ViewError};
use pemba_model::{Limits, RelationshipFilter, Revision};

use crate::ledger::Documents;
use crate::support::{
    Numbers, SCHEMA, clock, create, delete, everything, head, memory, open_with, rel, touch, write,
};

/// What a database must say, by revision.
struct Model {
    states: Vec<BTreeSet<String>>,
    schemas: Vec<bool>,
}

const WIDER: &str = "definition folder {\n\trelation parent: folder\n}\n";

/// A random history on a database that begins empty; the model has an entry for every revision.
fn random_history(database: &Database, seed: u64, length: usize) -> Model {
    let mut numbers = Numbers(seed);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let mut model = Model { states: vec![BTreeSet::new(); 2], schemas: vec![false; 2] };
    for step in 0..length {
        let mut state = model.states.last().unwrap().clone();
        let mut wider = *model.schemas.last().unwrap();
        match numbers.below(12) {
            0 => {
                wider = !wider;
                let text = if wider { format!("{SCHEMA}{WIDER}") } else { SCHEMA.to_owned() };
                database.write_schema(text).wait().unwrap();
            }
            1 => {
                let id = format!("d{}", numbers.below(4));
                let filter = RelationshipFilter {
                    resource_type: Some("document".into()),
                    resource_id: Some(id.as_str().into()),
                    ..RelationshipFilter::default()
                };
                state.retain(|text| !text.starts_with(&format!("document:{id}#")));
                database.delete(Delete { filter, ..Delete::default() }).wait().unwrap();
            }
            2 => {
                let texts: Vec<String> =
                    (0..3).map(|n| format!("document:i{step}x{n}#owner@user:u1")).collect();
                let mut import = database.import();
                import.push(texts.iter().map(|text| rel(text)).collect()).unwrap();
                import.finish().wait().unwrap();
                state.extend(texts);
            }
            _ => {
                let mut updates = Vec::new();
                let mut named = BTreeSet::new();
                for _ in 0..1 + numbers.below(4) {
                    let identity = random_identity(&mut numbers);
                    if !named.insert(identity.clone()) {
                        continue;
                    }
                    let there: Vec<String> =
                        state.iter().filter(|text| is_of(text, &identity)).cloned().collect();
                    for text in there {
                        state.remove(&text);
                    }
                    if numbers.below(3) == 0 {
                        updates.push(delete(&identity));
                        continue;
                    }
                    let caveat = identity.contains("viewer@user:u") && numbers.below(2) == 0;
                    let text =
                        if caveat { format!("{identity}[limit:{{\"max\":{step}}}]") } else { identity };
                    updates.push(touch(&text));
                    state.insert(text);
                }
                database.write(write(updates)).wait().unwrap();
            }
        }
        model.states.push(state);
        model.schemas.push(wider);
    }
    model
}

fn random_identity(numbers: &mut Numbers) -> String {
    let (document, user) = (numbers.below(4), numbers.below(4));
    match numbers.below(5) {
        0 => format!("document:d{document}#owner@user:u{user}"),
        1 => format!("document:d{document}#viewer@user:*"),
        2 => format!("document:d{document}#viewer@group:g{user}#member"),
        _ => format!("document:d{document}#viewer@user:u{user}"),
    }
}

fn is_of(text: &str, identity: &str) -> bool {
    text == identity || text.strip_prefix(identity).is_some_and(|rest| rest.starts_with('['))
}

fn check_all(database: &Database, model: &Model, order: impl Iterator<Item = usize>, what: &str) {
    for at in order {
        let revision = Revision(at as u64);
        let view = database.view_at(revision).unwrap_or_else(|error| panic!("{what}, {revision}: {error}"));
        assert_eq!(view.revision(), revision);
        assert_eq!(everything(&view), model.states[at], "{what}, {revision}");
        let schema = view.snapshot().schema();
        assert_eq!(schema.definitions.contains_key("folder"), model.schemas[at], "{what}, {revision}");
        assert_eq!(schema.definitions.is_empty(), at == 0, "{what}, {revision}");
    }
}

#[test]
fn every_revision_of_a_random_history_is_exact() {
    for seed in 0..6 {
        for retained in [0, 3, 1000] {
            let limits = Limits { snapshots_retained_max: retained, ..Limits::default() };
            let store = memory();
            let database = open_with(&store, limits.clone(), &clock());
            let model = random_history(&database, seed, 60);
            let count = model.states.len();
            let held: Vec<_> = (0..count).map(|at| database.view_at(Revision(at as u64)).unwrap()).collect();
            check_all(&database, &model, (0..count).rev(), "backwards");
            check_all(&database, &model, 0..count, "forwards");
            assert!(database.statistics().snapshots_retained <= retained + 16);
            database.close();
            let database = open_with(&store, limits, &clock());
            check_all(&database, &model, (0..count).map(|at| (at * 37) % count), "after a restart");
            for (at, view) in held.iter().enumerate() {
                assert_eq!(everything(view), model.states[at], "a view stays as it is");
            }
        }
    }
}

#[test]
fn an_exact_snapshot_lasts_for_the_window() {
    for retained in [0, 100] {
        let limits =
            Limits { history_window_ms: 10_000, snapshots_retained_max: retained, ..Limits::default() };
        let (store, clock) = (memory(), clock());
        let database = open_with(&store, limits.clone(), &clock);
        database.write_schema(SCHEMA.to_owned()).wait().unwrap();
        let at = |ms: i64, text: &str| {
            clock.set(crate::support::start().plus_millis(ms));
            database.write(write([create(text)])).wait().unwrap()
        };
        let first = at(0, "document:a#viewer@user:x");
        let second = at(5_000, "document:b#viewer@user:x");
        let third = at(8_000, "document:c#viewer@user:x");
        let read = |database: &Database, token: Token| {
            database.view(&Consistency::AtExactSnapshot(token)).map(|view| everything(&view).len())
        };
        // A revision expires when the window has passed since it stopped being the head.
        clock.set(crate::support::start().plus_millis(14_999));
        assert_eq!(read(&database, first.token), Ok(1));
        clock.advance_ms(1);
        let max_bytes = limits.history_max_bytes;
        let expired = Err(ViewError::Expired { revision: first.revision, window_ms: 10_000, max_bytes });
        assert_eq!(read(&database, first.token), expired);
        assert_eq!(read(&database, second.token), Ok(2));
        database.collect_garbage();
        assert_eq!(database.statistics().horizon, second.revision);
        assert_eq!(read(&database, first.token), expired);
        assert_eq!(read(&database, second.token), Ok(2));
        clock.advance_ms(1_000_000);
        assert!(matches!(read(&database, second.token), Err(ViewError::Expired { .. })));
        assert_eq!(read(&database, third.token), Ok(3), "the head never expires");
        assert!(database.view(&Consistency::AtLeastAsFresh(first.token)).is_ok());
        database.collect_garbage();
        database.close();
        let database = open_with(&store, limits, &clock);
        assert_eq!(database.statistics().horizon, third.revision);
        assert!(matches!(read(&database, second.token), Err(ViewError::Expired { .. })));
        assert_eq!(read(&database, third.token), Ok(3));
        assert_eq!(database.read_schema().unwrap().revision, third.revision);
    }
}

#[test]
fn collecting_keeps_what_is_still_needed() {
    let limits = Limits { history_window_ms: 10_000, snapshots_retained_max: 0, ..Limits::default() };
    let (store, clock) = (memory(), clock());
    let database = open_with(&store, limits.clone(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let expiring = "document:a#viewer@user:x[expiration:2026-01-01T00:00:05Z]";
    database.write(write([create(expiring), create("document:a#owner@user:x")])).wait().unwrap();
    clock.advance_ms(9_000);
    database.write_schema(format!("{SCHEMA}{WIDER}")).wait().unwrap();
    let last = database.write(write([create("document:b#owner@user:x")])).wait().unwrap();
    clock.advance_ms(5_999);
    database.collect_garbage();
    assert_eq!(database.statistics().relationships, 3, "still in the window");
    clock.advance_ms(1);
    database.collect_garbage();
    assert_eq!(database.statistics().relationships, 2, "nobody can see it any more");
    assert_eq!(database.head(), last.revision, "which is no revision");
    // The revision at the horizon keeps the schema it had.
    let horizon = database.statistics().horizon;
    assert_eq!(horizon, Revision(2));
    let view = database.view_at(horizon).unwrap();
    assert!(!view.snapshot().schema().definitions.contains_key("folder"));
    assert_eq!(everything(&view).len(), 1);
    pemba_db::verify_store(&*store, Documents::none()).unwrap();
    database.close();
    let database = open_with(&store, limits, &clock);
    assert_eq!(database.statistics().relationships, 2);
    assert_eq!(database.statistics().horizon, horizon);
}

#[test]
fn tokens_of_the_future_and_of_others_are_told_apart() {
    let database = crate::support::open();
    let other = crate::support::open();
    assert_ne!(database.database_id(), other.database_id());
    let head_revision = database.head();
    let ahead = database.token(head_revision.next());
    let future = Err(ViewError::Future { revision: head_revision.next(), head: head_revision });
    for consistency in [Consistency::AtExactSnapshot(ahead), Consistency::AtLeastAsFresh(ahead)] {
        assert_eq!(database.view(&consistency).map(|_| ()), future);
    }
    let foreign = database.decode_token(&other.token(Revision(900)).to_string()).unwrap();
    assert!(database.is_foreign(&foreign) && !other.is_foreign(&foreign));
    let refused = database.view(&Consistency::AtExactSnapshot(foreign)).map(|_| ());
    assert_eq!(refused, Err(ViewError::Foreign));
    // Freshness asked of another database is full consistency.
    assert_eq!(database.view(&Consistency::AtLeastAsFresh(foreign)).unwrap().revision(), head_revision);
    assert!(database.decode_token("nonsense").is_err());
    assert_eq!(head(&database).token().to_string(), database.token(head_revision).to_string());
}

#[test]
fn one_old_revision_is_rebuilt_once_for_many_readers() {
    let limits = Limits { snapshots_retained_max: 0, ..Limits::default() };
    let database = Arc::new(open_with(&memory(), limits, &clock()));
    let model = random_history(&database, 3, 20);
    assert!(database.needs_rebuild_at(Revision(5)));
    let readers: Vec<_> = (0..4)
        .map(|_| {
            let database = Arc::clone(&database);
            std::thread::spawn(move || Arc::clone(database.view_at(Revision(5)).unwrap().snapshot()))
        })
        .collect();
    let snapshots: Vec<_> = readers.into_iter().map(|reader| reader.join().unwrap()).collect();
    assert!(snapshots.iter().all(|one| Arc::ptr_eq(one, &snapshots[0])));
    assert_eq!(everything(&database.view_at(Revision(5)).unwrap()), model.states[5]);
}
