//! A disk that fails: the database takes no more writes, reads go on, and nothing acknowledged is lost.

use std::collections::BTreeSet;
use std::sync::Arc;

use pemba_db::store::{Fault, FaultyStore, Store};
use pemba_db::{
    Database, Delete, DeleteError, ImportError, Options, Refusal, SchemaError, State, Storage, ViewError,
    WatchError, WatchRequest, Write, WriteError, verify_store,
};
use pemba_model::{Limits, RelationshipFilter, Revision};

use crate::ledger::Documents;
use crate::support::{Numbers, SCHEMA, create, delete, everything, head, texts, touch, write};

fn open(store: &Arc<FaultyStore>, limits: Limits) -> Database {
    let store: Arc<dyn Store> = store.clone();
    Database::open(Storage::Store(store), Options { limits, ..Options::default() }).unwrap()
}

fn new(limits: Limits) -> (Database, Arc<FaultyStore>) {
    let store = Arc::new(FaultyStore::new());
    let database = open(&store, limits);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    (database, store)
}

#[test]
fn a_failed_write_poisons_the_writer_and_not_the_reader() {
    for fault in [Fault::FailedWrite, Fault::FullDisk, Fault::FailedSync { survives: false }] {
        let (database, store) = new(Limits::default());
        database.write(write([create("document:a#viewer@user:x")])).wait().unwrap();
        let before = database.head();
        store.fail_next_write(fault);
        let WriteError::Refused(Refusal::Poisoned { reason }) =
            database.write(write([create("document:b#viewer@user:x")])).wait().unwrap_err()
        else {
            panic!("{fault:?}")
        };
        assert_eq!(database.state(), State::Poisoned(reason.clone()), "{fault:?}");
        let again = database.write(Write::default()).wait();
        assert_eq!(again, Err(WriteError::Refused(Refusal::Poisoned { reason: reason.clone() })));
        let filter =
            RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() };
        let deleted = database.delete(Delete { filter, ..Delete::default() }).wait();
        assert_eq!(deleted, Err(DeleteError::Refused(Refusal::Poisoned { reason: reason.clone() })));
        let schema = database.write_schema(String::new()).wait();
        assert_eq!(schema, Err(SchemaError::Refused(Refusal::Poisoned { reason: reason.clone() })));
        let import = database.import().finish().wait();
        assert_eq!(import, Err(ImportError::Write(WriteError::Refused(Refusal::Poisoned { reason }))));
        assert_eq!(database.head(), before);
        assert_eq!(everything(&head(&database)), texts(["document:a#viewer@user:x"]), "{fault:?}");

        let database = open(&Arc::new(store.crash()), Limits::default());
        assert_eq!(database.state(), State::Serving);
        assert_eq!(everything(&head(&database)), texts(["document:a#viewer@user:x"]), "{fault:?}");
        database.write(write([create("document:b#viewer@user:x")])).wait().unwrap();
    }
}

#[test]
fn a_write_that_was_not_acknowledged_may_survive_whole() {
    let (database, store) = new(Limits::default());
    store.fail_next_write(Fault::FailedSync { survives: true });
    let updates = [create("document:a#viewer@user:x"), create("document:b#viewer@user:x")];
    assert!(database.write(write(updates)).wait().is_err());
    assert!(everything(&head(&database)).is_empty());
    let store = Arc::new(store.crash());
    let database = open(&store, Limits::default());
    assert_eq!(everything(&head(&database)).len(), 2);
    assert_eq!(verify_store(&*store, Documents::none()).unwrap().relationships, 2);
}

/// Random writes on a disk that fails at a random one: after the crash exactly what was acknowledged is there, and
/// at most the one write whose fate was unknown.
#[test]
fn nothing_acknowledged_is_lost_at_any_failure() {
    for seed in 0..60 {
        let mut numbers = Numbers(seed);
        let (database, store) = new(Limits::default());
        let fault = match numbers.below(4) {
            0 => Fault::FailedWrite,
            1 => Fault::FullDisk,
            2 => Fault::FailedSync { survives: true },
            _ => Fault::FailedSync { survives: false },
        };
        store.fail_write(store.writes() + numbers.below(15), fault);
        let mut acknowledged = vec![BTreeSet::new()];
        let mut last = database.head();
        loop {
            let mut model = acknowledged.last().unwrap().clone();
            let text = format!("document:d{}#viewer@user:u{}", numbers.below(3), numbers.below(3));
            let update = if numbers.below(3) == 0 {
                model.remove(&text);
                delete(&text)
            } else {
                model.insert(text.clone());
                touch(&text)
            };
            match database.write(write([update])).wait() {
                Ok(committed) => {
                    last = committed.revision;
                    acknowledged.push(model);
                }
                Err(WriteError::Refused(Refusal::Poisoned { .. })) => {
                    let store = Arc::new(store.crash());
                    let recovered = open(&store, Limits::default());
                    verify_store(&*store, Documents::none())
                        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
                    let survives = matches!(fault, Fault::FailedSync { survives: true });
                    let expected = if survives { &model } else { acknowledged.last().unwrap() };
                    assert_eq!(everything(&head(&recovered)), *expected, "seed {seed}, {fault:?}");
                    assert_eq!(recovered.head(), Revision(last.0 + u64::from(survives)));
                    // Tokens still hold.
                    for (n, model) in acknowledged.iter().enumerate() {
                        let view = recovered.view_at(Revision(1 + n as u64)).unwrap();
                        assert_eq!(everything(&view), *model, "seed {seed}, write {n}");
                    }
                    break;
                }
                Err(error) => panic!("{error}"),
            }
        }
    }
}

#[test]
fn a_disk_that_lies_loses_only_the_end() {
    let (database, store) = new(Limits::default());
    let start = store.writes();
    for n in 0..6 {
        store.fail_write(start + n, Fault::IgnoredSync);
    }
    for n in 0..6 {
        database.write(write([create(&format!("document:d{n}#viewer@user:x"))])).wait().unwrap();
    }
    assert_eq!(store.unsynced(), 6);
    for kept in 0..=6 {
        let store = Arc::new(store.crash_keeping(kept));
        let recovered = open(&store, Limits::default());
        assert_eq!(everything(&head(&recovered)).len(), kept);
        assert_eq!(verify_store(&*store, Documents::none()).unwrap().log_revisions, 1 + kept as u64);
    }
}

#[test]
fn a_log_that_cannot_be_read_is_an_error_and_no_gap() {
    let (database, store) = new(Limits { snapshots_retained_max: 0, ..Limits::default() });
    for n in 0..3 {
        database.write(write([create(&format!("document:d{n}#viewer@user:x"))])).wait().unwrap();
    }
    let mut watch =
        database.watch(WatchRequest { after: Some(Revision(1)), ..WatchRequest::default() }).unwrap();
    store.fail_reads(true);
    let refused = database.view_at(Revision(2)).map(|_| ());
    assert!(matches!(refused, Err(ViewError::Storage { .. })), "{refused:?}");
    let refused = watch.next_blocking(std::time::Duration::ZERO);
    assert!(matches!(refused, Err(WatchError::Storage { .. })), "{refused:?}");
    store.fail_reads(false);
    assert_eq!(everything(&database.view_at(Revision(2)).unwrap()).len(), 1);
    let event = watch.next_blocking(std::time::Duration::ZERO).unwrap().unwrap();
    assert_eq!(event.revision, Revision(2), "a watch goes on where it was");
}
