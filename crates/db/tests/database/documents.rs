//! Documents after a restart, at older revisions, and beyond the history window.

use std::collections::BTreeMap;
use std::sync::Arc;

use pemba_db::records::meta;
use pemba_db::store::{Batch, Family, MemoryStore, Store};
use pemba_db::{Database, OpenError, Options, Storage, VerifyError, ViewError, verify_store};
use pemba_model::{Limits, Revision};

use crate::deciding::{change, put, remove};
use crate::ledger::{Documents, REFUSED};
use crate::support::{
    Numbers, SCHEMA, clock, create, everything, head, memory, open_with, texts, touch, write,
};

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// Random commands, some with relationships and some between writes; what the documents are at each revision.
fn fill(database: &Database, seed: u64, commands: usize) -> Vec<(Revision, Model)> {
    let mut numbers = Numbers(seed);
    let mut model = Model::new();
    let mut points = Vec::new();
    for number in 0..commands {
        let mut changes = BTreeMap::new();
        for _ in 0..=numbers.below(3) {
            let key = format!("key/{}", numbers.below(6));
            let value = format!("{number}-{}", "v".repeat(numbers.below(40) as usize));
            let removed = numbers.below(3) == 0;
            changes.insert(key.clone(), if removed { remove(&key) } else { put(&key, &value) });
        }
        for (key, value) in changes.values() {
            match value {
                Some(value) => model.insert(key.clone(), value.clone()),
                None => model.remove(key),
            };
        }
        let relationship = touch(&format!("document:d{}#viewer@user:u{number}", numbers.below(4)));
        let revision = match numbers.below(4) {
            0 => {
                change(database, changes.into_values(), []).wait().unwrap();
                database.write(write([relationship])).wait().unwrap().revision
            }
            1 => change(database, changes.into_values(), []).wait().unwrap().0.revision,
            _ => change(database, changes.into_values(), [relationship]).wait().unwrap().0.revision,
        };
        points.push((revision, model.clone()));
    }
    points
}

#[test]
fn the_ledger_of_every_older_revision_is_as_it_was() {
    for (seed, retained) in [(1, 0), (2, 1), (3, 5), (4, 1000)] {
        let (store, clock) = (memory(), clock());
        let limits = Limits { snapshots_retained_max: retained, ..Limits::default() };
        let database = open_with(&store, limits.clone(), &clock);
        database.write_schema(SCHEMA.to_owned()).wait().unwrap();
        let points = fill(&database, seed, 60);
        let check = |database: &Database| {
            let mut numbers = Numbers(seed);
            for _ in 0..150 {
                let (revision, model) = &points[numbers.below(points.len() as u64) as usize];
                let view = database.view_at(*revision).unwrap();
                assert_eq!(Documents::at(&view), model, "seed {seed}, revision {revision}");
            }
            assert!(Documents::at(&database.view_at(Revision(1)).unwrap()).is_empty());
            assert_eq!(&Documents::of(&database.ledger()).0, &points.last().unwrap().1);
        };
        check(&database);
        database.close();
        let database = open_with(&store, limits, &clock);
        check(&database);
        verify_store(&*store, Documents::none()).unwrap();
    }
}

#[test]
fn the_ledger_after_reopening_is_the_one_before() {
    let (store, clock) = (memory(), clock());
    let database = open_with(&store, Limits::default(), &clock);
    // More than are told to a ledger at once, by number and by size.
    let many = (0..2_500).map(|n| put(&format!("many/{n}"), "v"));
    change(&database, many, []).wait().unwrap();
    let large = "v".repeat(200 * 1024);
    let big = (0..50).map(|n| put(&format!("large/{n}"), &large));
    change(&database, big, []).wait().unwrap();
    change(&database, [remove("many/7"), put("many/8", "")], []).wait().unwrap();
    let before = database.ledger();
    assert_eq!(Documents::of(&before).0.len(), 2_549);
    let head = database.head();
    database.close();
    let database = open_with(&store, Limits::default(), &clock);
    assert_eq!(Documents::of(&database.ledger()), Documents::of(&before));
    assert_eq!((database.head(), database.statistics().documents), (head, 2_549));
    // Changes go on from what is stored.
    change(&database, [put("many/8", "w"), remove("many/9")], []).wait().unwrap();
    assert_eq!(database.statistics().documents, 2_548);
    let report = verify_store(&*store, Documents::none()).unwrap();
    assert_eq!((report.documents, report.log_mutations), (2_548, 2_554));
}

#[test]
fn documents_outlive_the_history_window() {
    let (store, clock) = (memory(), clock());
    let limits = Limits { history_window_ms: 10_000, ..Limits::default() };
    let database = open_with(&store, limits.clone(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let (first, ()) = change(&database, [put("a", "1"), put("b", "1")], []).wait().unwrap();
    clock.advance_ms(5_000);
    let (second, ()) = change(&database, [put("a", "2")], []).wait().unwrap();
    assert_eq!(Documents::at(&database.view_at(first.revision).unwrap())[&b"a"[..]], b"1");
    clock.advance_ms(20_000);
    database.collect_garbage();
    assert_eq!(database.statistics().horizon, second.revision);
    let expired = database.view_at(first.revision).map(|_| ());
    assert!(matches!(expired, Err(ViewError::Expired { .. })), "{expired:?}");
    let expected = Model::from([(b"a".to_vec(), b"2".to_vec()), (b"b".to_vec(), b"1".to_vec())]);
    assert_eq!(Documents::of(&database.ledger()).0, expected);
    // A clock that went back does not bring anything back.
    clock.advance_ms(-60_000);
    database.collect_garbage();
    assert_eq!(Documents::of(&database.ledger()).0, expected);
    database.close();
    let database = open_with(&store, limits, &clock);
    assert_eq!(Documents::of(&database.ledger()).0, expected);
    assert_eq!(verify_store(&*store, Documents::none()).unwrap().documents, 2);
}

/// Changes a store with two documents behind its database's back and says how it opens and verifies then.
fn tampered(tamper: impl FnOnce(&mut Batch)) -> (Result<(), OpenError>, Result<(), VerifyError>) {
    let store = memory();
    let database = open_with(&store, Limits::default(), &clock());
    change(&database, [put("a", "1"), put("b", "1")], []).wait().unwrap();
    database.close();
    let mut batch = Batch::new();
    tamper(&mut batch);
    store.write(batch).unwrap();
    let verified = verify_store(&*store, Documents::none()).map(|_| ());
    let options = Options { ledger: Documents::none(), ..Options::default() };
    (Database::open(Storage::Store(store), options).map(|_| ()), verified)
}

#[test]
fn lost_and_damaged_documents_are_found_when_it_opens() {
    const A: &[u8] = b"\0\0\0\0a";
    let refused = [&[1], REFUSED].concat();
    let cases = [
        (
            tampered(|batch| {
                batch.delete(Family::Documents, A);
            }),
            "1 documents are stored and 2 were counted",
        ),
        (
            tampered(|batch| {
                batch.put(Family::Documents, b"\0\0\0\0c", b"\x01x");
            }),
            "3 documents are stored",
        ),
        (
            tampered(|batch| {
                batch.put(Family::Documents, A, b"\x09x");
            }),
            "version `9`",
        ),
        (
            tampered(|batch| {
                batch.put(Family::Documents, A, &refused);
            }),
            "document `a`: it is refused",
        ),
    ];
    for ((opened, verified), expected) in cases {
        let Err(OpenError::Damaged(message)) = &opened else { panic!("{opened:?}") };
        assert!(message.contains(expected), "{message}");
        assert_eq!(verified, Err(VerifyError::Open(opened.unwrap_err())));
    }
}

#[test]
fn verification_finds_documents_that_the_log_does_not_know() {
    let (opened, verified) = tampered(|batch| {
        batch.put(Family::Documents, b"\0\0\0\0a", b"\x012");
    });
    opened.unwrap();
    let Err(VerifyError::Inconsistent(message)) = &verified else { panic!("{verified:?}") };
    assert!(message.contains("disagree about `a`"), "{message}");
}

/// A store as builds of the first format left it: no documents, a head that does not count them, and a log of the first
/// two shapes.
pub(crate) fn first_format(batch: &mut Batch) {
    batch.put(Family::Meta, b"\0\0\0\0format", [0, 0, 0, 0, 0, 0, 0, 1]);
    batch.put(Family::Meta, b"\0\0\0\0database_id", [1, 253, 8, 7, 6, 5, 4, 3, 2, 1]);
    batch.put(Family::Meta, b"\0\0\0\0head", [1, 2, 252, 0, 114, 171, 210, 0, 1]);
    batch.put(Family::Catalog, b"\0\0\0\0\x01\0\0\0\0", b"\x01document");
    batch.put(Family::Catalog, b"\0\0\0\0\x01\0\0\0\x01", b"\x01user");
    batch.put(Family::Catalog, b"\0\0\0\0\x02\0\0\0\0", b"\x01\0\x06viewer\x01\0");
    batch.put(Family::Objects, [0; 12], b"\x01d");
    batch.put(Family::Objects, [0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0], b"\x01x");
    batch.put(Family::Relationships, [0; 16], b"");
    let schema = "definition user {}\n\ndefinition document {\n\trelation viewer: user\n}\n";
    let key = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    batch.put(Family::Schema, key, [&b"\x01"[..], schema.as_bytes()].concat());
    let log = |revision: u8| [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, revision, 0, 0, 0, 0];
    batch.put(Family::Log, log(1), [1, 252, 0, 114, 171, 210, 0, 0, 1, 1, 0]);
    batch.put(Family::Log, log(2), [1, 252, 0, 114, 171, 210, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]);
}

#[test]
fn a_store_of_the_first_format_opens_and_is_raised() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let mut batch = Batch::new();
    first_format(&mut batch);
    store.write(batch).unwrap();
    let report = verify_store(&*store, Documents::none()).unwrap();
    assert_eq!((report.head, report.relationships, report.documents), (Revision(2), 1, 0));
    assert_eq!(meta::read(&*store).unwrap().unwrap().format, 1, "verification changes nothing");
    let database = open_with(&store, Limits::default(), &clock());
    assert_eq!(everything(&head(&database)), texts(["document:d#viewer@user:x"]));
    assert_eq!(meta::read(&*store).unwrap().unwrap().format, meta::FORMAT_VERSION);
    assert!(everything(&database.view_at(Revision(1)).unwrap()).is_empty());
    change(&database, [put("a", "1")], [create("document:e#viewer@user:x")]).wait().unwrap();
    database.close();
    let database = open_with(&store, Limits::default(), &clock());
    assert_eq!(Documents::of(&database.ledger()).0.len(), 1);
    let report = verify_store(&*store, Documents::none()).unwrap();
    assert_eq!((report.head, report.relationships, report.documents), (Revision(3), 2, 1));
}
