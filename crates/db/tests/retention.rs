//! What is kept of old revisions: bounded in bytes, measured, and given back when the last reader lets go.
#![allow(clippy::unwrap_used, clippy::cast_precision_loss, missing_docs, reason = "tests")]

#[path = "../../engine/benches/counting/mod.rs"]
mod counting;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use pemba_db::{
    Clock, Consistency, Database, ManualClock, Options, Storage, View, ViewError, WatchError, WatchRequest,
    Write,
};
use pemba_model::text::parse_relationship;
use pemba_model::{Limits, Operation, RelationshipFilter, Revision, Timestamp, Update};

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;

const SCHEMA: &str = "definition user {}\ndefinition document {\n\trelation viewer: user\n}\n";
const DOCUMENTS: usize = 4096;

/// Memory is counted for the whole process, so tests that look at it run one at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn open(limits: Limits) -> Database {
    let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap()));
    let database = Database::open(Storage::Memory, Options { limits, clock, ..Options::default() }).unwrap();
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    database
}

/// One write: so many documents get another viewer, or lose it.
fn change(database: &Database, documents: Range<usize>, viewer: &str, operation: Operation) -> Revision {
    let update = |document: usize| {
        let relationship = parse_relationship(&format!("document:d{document}#viewer@user:{viewer}")).unwrap();
        Update { operation, relationship }
    };
    let write = Write { updates: documents.map(update).collect(), ..Write::default() };
    database.write(write).wait().unwrap().revision
}

/// Every document gets another viewer and loses it again, 64 documents a write.
fn turn_over(database: &Database) {
    for operation in [Operation::Touch, Operation::Delete] {
        for from in (0..DOCUMENTS).step_by(64) {
            change(database, from..from + 64, "other", operation);
        }
    }
}

/// A database in which every name that `turn_over` uses was used before.
fn filled(limits: Limits) -> Database {
    let database = open(limits);
    for from in (0..DOCUMENTS).step_by(64) {
        change(&database, from..from + 64, "first", Operation::Create);
    }
    turn_over(&database);
    database
}

fn count(view: &View) -> usize {
    view.read(&RelationshipFilter::default(), None).count()
}

#[test]
fn a_view_held_under_writes_stays_as_it_is_and_its_memory_returns() {
    let _alone = alone();
    let limits = Limits { snapshots_retained_max: 2, history_max_bytes: 0, ..Limits::default() };
    let database = filled(limits);
    database.collect_garbage();
    let before = counting::live();
    let held = database.head_view();
    let (revision, stopped) = (held.revision(), AtomicBool::new(false));
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut read = 0;
            while !stopped.load(Ordering::Relaxed) || read == 0 {
                assert_eq!(count(&held), DOCUMENTS);
                read += 1;
            }
        });
        for _ in 0..2 {
            turn_over(&database);
            database.collect_garbage();
        }
        stopped.store(true, Ordering::Relaxed);
        reader.join().unwrap();
    });
    assert_eq!((held.revision(), count(&held)), (revision, DOCUMENTS));
    assert!(database.head() > revision);
    let while_held = counting::live();
    drop(held);
    let after = counting::live();
    // Every leaf was replaced while it was held, 64 slots of at least 4 bytes each; and once, however much was written.
    let (grown, returned) = (while_held.saturating_sub(before), while_held.saturating_sub(after));
    assert!(returned >= 4 * DOCUMENTS, "{returned} bytes return of {grown}");
    assert!(grown < 24 * DOCUMENTS, "{grown} bytes more while it is held");
}

#[test]
fn snapshots_are_kept_up_to_their_bytes_and_measured() {
    let _alone = alone();
    let max_bytes = 600_000;
    let limits = Limits {
        snapshots_retained_max: 100_000,
        snapshots_retained_max_bytes: max_bytes,
        ..Limits::default()
    };
    let database = filled(limits.clone());
    let statistics = database.statistics();
    let kept = statistics.snapshots_retained;
    assert!(statistics.snapshots_retained_bytes <= max_bytes && kept > 10, "{statistics:?}");
    let head = database.head();
    let at = |revision: u64| database.view_at(Revision(revision)).unwrap();
    assert!(!database.needs_rebuild_at(Revision(head.0 - 5)));
    assert!(database.needs_rebuild_at(Revision(20)), "there was no room for all");
    // What is no longer in memory is rebuilt, and kept within the same bytes.
    for revision in 2..=64 {
        assert_eq!(count(&at(revision)), 64 * (revision as usize - 1));
    }
    assert!(database.statistics().snapshots_retained_bytes <= 2 * max_bytes);

    // The measure is about what the allocator says.
    let roomy = filled(Limits { snapshots_retained_max_bytes: u64::MAX, ..limits });
    let (claimed, live) = (roomy.statistics().snapshots_retained_bytes, counting::live());
    let retained = roomy.statistics().snapshots_retained;
    for document in 0..500 {
        change(&roomy, document * 8..document * 8 + 1, "third", Operation::Create);
    }
    assert_eq!(roomy.statistics().snapshots_retained, retained + 500);
    let claimed = (roomy.statistics().snapshots_retained_bytes - claimed) as f64;
    let found = (counting::live() - live) as f64;
    assert!(claimed < 1.5 * found && found < 1.5 * claimed, "{claimed} bytes are claimed and {found} found");
}

#[test]
fn history_that_grows_too_large_is_collected_and_says_so() {
    let _alone = alone();
    let limits = Limits { history_max_bytes: 20_000, snapshots_retained_max: 0, ..Limits::default() };
    let database = open(limits);
    let first = change(&database, 0..1, "first", Operation::Create);
    let mut watch = database.watch(WatchRequest { after: Some(first), ..WatchRequest::default() }).unwrap();
    for document in 1..1000 {
        change(&database, document..document + 1, "first", Operation::Create);
    }
    assert!(database.view_at(first).is_ok(), "nothing was collected so far");
    database.collect_garbage();
    let statistics = database.statistics();
    assert!(statistics.history_bytes <= 20_000 && statistics.history_bytes > 10_000, "{statistics:?}");
    let horizon = statistics.horizon;
    assert!(horizon > first && horizon < database.head());
    assert_eq!(count(&database.view_at(horizon).unwrap()) as u64, horizon.0 - 1);

    let error = database.view(&Consistency::AtExactSnapshot(database.token(first))).map(|_| ()).unwrap_err();
    let Limits { history_window_ms: window_ms, history_max_bytes: max_bytes, .. } = *database.limits();
    assert_eq!(error, ViewError::Expired { revision: first, window_ms, max_bytes });
    let text = error.to_string();
    assert!(text.contains("20000 bytes") && text.contains("`history-max-bytes`"), "{text}");
    let expired = watch.next_blocking(std::time::Duration::ZERO);
    assert_eq!(expired, Err(WatchError::Expired { after: first, horizon }));

    // As long as nothing is written nothing more goes, and what is written next moves it on.
    database.collect_garbage();
    assert_eq!(database.statistics().horizon, horizon);
    for document in 0..50 {
        change(&database, document..document + 1, "second", Operation::Create);
    }
    database.collect_garbage();
    assert!(database.statistics().horizon > horizon && database.statistics().history_bytes <= 20_000);
}

#[test]
fn without_room_for_history_the_head_is_still_there() {
    let _alone = alone();
    let limits = Limits { history_max_bytes: 0, snapshots_retained_max_bytes: 0, ..Limits::default() };
    let database = open(limits);
    let first = change(&database, 0..10, "first", Operation::Create);
    change(&database, 0..10, "second", Operation::Create);
    assert_eq!(database.statistics().snapshots_retained, 0);
    database.collect_garbage();
    assert_eq!(database.statistics().horizon, database.head());
    assert_eq!(database.statistics().history_bytes, 0);
    assert_eq!(count(&database.view_at(database.head()).unwrap()), 20);
    assert!(matches!(database.view_at(first), Err(ViewError::Expired { .. })));
}
