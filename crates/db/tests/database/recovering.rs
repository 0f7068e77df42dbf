//! Opening what was closed, and refusing what is damaged.

use std::sync::Arc;

use pemba_db::records::log::{self, LogEntry};
use pemba_db::records::{meta, relationships};
use pemba_db::store::{Batch, Family, Store};
use pemba_db::{Database, OpenError, Options, Storage, VerifyError, verify_store};
use pemba_engine::{EdgeKey, KindId, Ordinal};
use pemba_model::{Limits, RelationshipFilter, Revision};

use crate::ledger::Documents;
use crate::support::{
    SCHEMA, clock, create, delete, everything, head, memory, open_with, start, touch, write,
};

fn filled(store: &Arc<dyn Store>) -> Database {
    let database = open_with(store, Limits::default(), &clock());
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    for n in 0..50 {
        let updates = [
            touch(&format!("document:d{n}#viewer@user:u{}", n % 7)),
            touch(&format!("document:d{}#viewer@group:g{n}#member", n % 5)),
            touch(&format!(
                "document:d{n}#viewer@user:v[limit:{{\"max\":{n}}}][expiration:2999-01-01T00:00:00.5Z]"
            )),
        ];
        database.write(write(updates)).wait().unwrap();
        database
            .write(write([delete(&format!("document:d{}#viewer@user:u{}", n / 2, n / 2 % 7))]))
            .wait()
            .unwrap();
    }
    database
}

#[test]
fn what_was_closed_opens_the_same() {
    let store = memory();
    let database = filled(&store);
    let refused = create("document:stranger#viewer@user:v[limit:{\"no\":1}]");
    assert!(database.write(write([refused])).wait().is_err());
    let filter = RelationshipFilter::default();
    let read = |database: &Database| -> Vec<_> {
        let view = head(database);
        view.read(&filter, None).map(|(key, relationship)| (key, relationship.to_string())).collect()
    };
    let (before, schema, statistics) = (read(&database), database.read_schema(), database.statistics());
    let (id, token) = (database.database_id(), head(&database).token());
    database.close();
    let database = open_with(&store, Limits::default(), &clock());
    assert_eq!(read(&database), before, "numbers and order too");
    assert_eq!(database.read_schema(), schema);
    assert_eq!((database.database_id(), head(&database).token()), (id, token));
    let again = database.statistics();
    assert_eq!(
        (again.head, again.horizon, again.relationships, again.objects),
        (statistics.head, statistics.horizon, statistics.relationships, statistics.objects)
    );
    let committed = database.write(write([create("document:new#viewer@user:new")])).wait().unwrap();
    assert_eq!(committed.revision, token.revision.next());
    let report = verify_store(&*store, Documents::none()).unwrap();
    assert_eq!((report.database_id, report.head), (id, committed.revision));
    assert_eq!(report.relationships, database.statistics().relationships);
    assert_eq!(report.log_revisions, committed.revision.0);
}

#[test]
fn time_goes_on_from_where_it_was() {
    let (store, clock) = (memory(), clock());
    let database = open_with(&store, Limits::default(), &clock);
    clock.advance_ms(3_600_000);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    database.close();
    clock.set(start());
    let database = open_with(&store, Limits::default(), &clock);
    assert_eq!(head(&database).now(), start().plus_millis(3_600_000));
}

/// Changes a store behind the database's back and says how it opens and verifies then.
fn tampered(change: impl FnOnce(&dyn Store, &mut Batch)) -> (Result<(), OpenError>, Result<(), VerifyError>) {
    let store = memory();
    let database = filled(&store);
    database.close();
    let mut batch = Batch::new();
    change(&*store, &mut batch);
    store.write(batch).unwrap();
    let verified = verify_store(&*store, Documents::none()).map(|_| ());
    (Database::open(Storage::Store(store), Options::default()).map(|_| ()), verified)
}

fn head_of(store: &dyn Store) -> meta::Head {
    meta::read(store).unwrap().unwrap().head
}

#[test]
fn damage_is_found_when_it_opens() {
    let first_edge = |store: &dyn Store| {
        let mut first = None;
        relationships::each(store, |key, _| {
            first.get_or_insert(key);
            Ok::<_, pemba_db::records::RecordError>(())
        })
        .unwrap();
        first.unwrap()
    };
    let damaged = [
        tampered(|store, batch| relationships::delete(batch, first_edge(store))),
        tampered(|_, batch| {
            let nothing = EdgeKey { kind: KindId(77), resource: Ordinal(0), subject: Ordinal(0) };
            relationships::put(batch, nothing, &None).unwrap();
        }),
        tampered(|store, batch| {
            let head = head_of(store);
            meta::put_head(batch, meta::Head { relationships: head.relationships + 1, ..head }).unwrap();
        }),
        tampered(|_, batch| {
            batch.delete_range(Family::Objects, [0], [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
        }),
    ];
    for (opened, verified) in damaged {
        assert!(matches!(opened, Err(OpenError::Damaged(_))), "{opened:?}");
        assert!(matches!(verified, Err(VerifyError::Open(OpenError::Damaged(_)))), "{verified:?}");
    }
    let (opened, _) = tampered(|_, batch| {
        batch.put(Family::Meta, b"\0\0\0\0format", 99_u64.to_be_bytes());
    });
    let Err(OpenError::Refused(message)) = opened else { panic!("{opened:?}") };
    assert!(message.contains("99"), "{message}");
}

#[test]
fn verification_finds_what_opening_does_not_look_for() {
    let beyond = tampered(|store, batch| {
        let head = head_of(store);
        let entry =
            LogEntry { time: head.time, metadata: None, schema_changed: false, documents: Vec::new() };
        log::append(batch, head.revision.next(), entry, Vec::new()).unwrap();
    });
    let gap = tampered(|_, batch| {
        batch.delete(Family::Log, log::key(Revision(5), 0));
    });
    let disagreeing = tampered(|store, batch| {
        let head = head_of(store);
        let mut last = None;
        log::each(store, Revision::ZERO, None, |_, _, record| {
            last = record.mutations.into_iter().next_back().or(last.take());
            Ok::<_, pemba_db::records::RecordError>(std::ops::ControlFlow::Continue(()))
        })
        .unwrap();
        let mut mutation = last.unwrap();
        mutation.after = Some(None);
        let entry =
            LogEntry { time: head.time, metadata: None, schema_changed: false, documents: Vec::new() };
        log::append(batch, head.revision, entry, vec![mutation]).unwrap();
    });
    for (opened, verified) in [beyond, gap, disagreeing] {
        opened.unwrap();
        assert!(matches!(verified, Err(VerifyError::Inconsistent(_))), "{verified:?}");
    }
    assert!(matches!(verify_store(&*memory(), Documents::none()), Err(VerifyError::Inconsistent(_))));
    let everything_fine = tampered(|_, _| {});
    assert!(everything_fine.0.is_ok() && everything_fine.1.is_ok());
}

#[test]
fn a_store_in_memory_has_no_backup() {
    let database = crate::support::open();
    let directory = std::env::temp_dir().join("pemba-no-backup-of-memory");
    assert_eq!(database.backup(&directory), Err(pemba_db::BackupError::Unsupported));
    assert!(!directory.exists());
    let missing = pemba_db::verify(&directory, Documents::none());
    assert_eq!(missing, Err(VerifyError::Missing(directory)));
    assert!(everything(&head(&database)).is_empty());
}
