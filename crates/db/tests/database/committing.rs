//! Groups, order, acknowledgement, the full queue and the end.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use pemba_db::store::{Batch, Family, MemoryStore, Store, StoreError, StoreStatistics};
use pemba_db::{
    Committed, Consistency, CounterError, Database, DecideError, Decided, Delete, DeleteError, ImportError,
    Options, Pending, Refusal, SchemaError, State, Storage, Write, WriteError, verify_store,
};
use pemba_model::{Limits, RelationshipFilter, Revision};

use crate::deciding::{change, put};
use crate::ledger::Documents;
use crate::support::{SCHEMA, clock, create, everything, head, memory, open, open_with, texts, touch, write};

/// A store whose writes wait while its gate is closed.
pub(crate) struct Gated {
    store: MemoryStore,
    open: Mutex<bool>,
    changed: Condvar,
    /// Writes that have come to the gate.
    arrived: AtomicUsize,
    /// Writes that may pass the closed gate.
    passes: Mutex<usize>,
    /// Whether writes fail behind the gate.
    fails: AtomicBool,
}

impl Gated {
    fn new() -> Arc<Gated> {
        Arc::new(Gated {
            store: MemoryStore::new(),
            open: Mutex::new(true),
            changed: Condvar::new(),
            arrived: AtomicUsize::new(0),
            passes: Mutex::new(0),
            fails: AtomicBool::new(false),
        })
    }

    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Ordering::SeqCst)
    }

    pub(crate) fn set(&self, open: bool) {
        *self.open.lock().unwrap() = open;
        self.changed.notify_all();
    }

    /// Lets the write that waits pass, and holds the next.
    pub(crate) fn let_one_through(&self) {
        let open = self.open.lock().unwrap();
        *self.passes.lock().unwrap() += 1;
        drop(open);
        self.changed.notify_all();
    }

    /// Whether writes that pass from now on fail.
    pub(crate) fn fail(&self, fails: bool) {
        self.fails.store(fails, Ordering::SeqCst);
    }

    /// Whether a write that comes to the gate has to wait.
    fn holds(&self, open: bool) -> bool {
        let mut passes = self.passes.lock().unwrap();
        if open || *passes == 0 {
            return !open;
        }
        *passes -= 1;
        false
    }
}

impl Store for Gated {
    fn write(&self, batch: Batch) -> Result<(), StoreError> {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        drop(self.changed.wait_while(self.open.lock().unwrap(), |open| self.holds(*open)).unwrap());
        if self.fails.load(Ordering::SeqCst) {
            let cause = "scripted failure".to_owned();
            return Err(StoreError::Failed { operation: "write", cause });
        }
        self.store.write(batch)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.store.get(family, key)
    }

    fn scan(
        &self,
        family: Family,
        from: &[u8],
        to: Option<&[u8]>,
        visit: &mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        self.store.scan(family, from, to, visit)
    }

    fn checkpoint(&self, directory: &Path) -> Result<(), StoreError> {
        self.store.checkpoint(directory)
    }

    fn statistics(&self) -> StoreStatistics {
        self.store.statistics()
    }
}

pub(crate) fn gated(limits: Limits) -> (Database, Arc<Gated>) {
    let gate = Gated::new();
    let store: Arc<dyn Store> = gate.clone();
    let options = Options { limits, ledger: Documents::none(), ..Options::default() };
    let database = Database::open(Storage::Store(store), options).unwrap();
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    (database, gate)
}

pub(crate) fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..5_000 {
        if holds() {
            return;
        }
        thread::sleep(Duration::from_millis(1));
    }
    panic!("{what} did not come about");
}

#[test]
fn waiting_writes_become_one_group_and_keep_their_order() {
    let (database, gate) = gated(Limits::default());
    wait_until("the count of the schema's group", || database.statistics().groups == 1);
    let (groups, store_writes) = (database.statistics().groups, database.head());
    let before = gate.arrived();
    gate.set(false);
    let first = database.write(write([create("document:first#viewer@user:x")]));
    wait_until("the first group", || gate.arrived() == before + 1);
    let mut rest: Vec<_> =
        (0..20).map(|n| database.write(write([create(&format!("document:d{n}#viewer@user:x"))]))).collect();
    rest.push(database.write(write([create("document:d3#viewer@user:x")])));
    assert_eq!(database.statistics().queue_depth, 21);
    assert!(everything(&head(&database)).is_empty(), "nothing is seen before it is stored");
    gate.set(true);
    assert_eq!(first.wait().unwrap().revision, Revision(store_writes.0 + 1));
    let answers: Vec<_> = rest.into_iter().map(pemba_db::Pending::wait).collect();
    for (n, answer) in answers[..20].iter().enumerate() {
        assert_eq!(answer.as_ref().unwrap().revision, Revision(store_writes.0 + 2 + n as u64));
    }
    assert!(matches!(answers[20], Err(WriteError::AlreadyExists { .. })), "it sees the group it is in");
    wait_until("the count of the groups", || database.statistics().groups == groups + 2);
    assert_eq!(database.statistics().last_group_size, 21);
    // Revisions inside a group are as exact as those between groups.
    for (n, answer) in answers[..20].iter().enumerate() {
        let token = answer.as_ref().unwrap().token;
        let exact = Consistency::AtExactSnapshot(token);
        assert_eq!(database.needs_rebuild(&exact), n != 19);
        assert_eq!(everything(&database.view(&exact).unwrap()).len(), n + 2);
        assert!(!database.needs_rebuild(&exact));
    }
}

#[test]
fn a_full_queue_is_told_at_once() {
    let (database, gate) = gated(Limits { write_queue_max: 2, ..Limits::default() });
    let before = gate.arrived();
    gate.set(false);
    let mut pending = vec![database.write(write([create("document:a#viewer@user:x")]))];
    wait_until("the first group", || gate.arrived() == before + 1);
    pending.extend((0..2).map(|n| database.write(write([create(&format!("document:d{n}#viewer@user:x"))]))));
    assert_eq!(
        database.write(Write::default()).wait(),
        Err(WriteError::Refused(Refusal::Overloaded { queue_max: 2 }))
    );
    let filter =
        RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() };
    let delete = database.delete(Delete { filter, ..Delete::default() }).wait();
    assert_eq!(delete, Err(DeleteError::Refused(Refusal::Overloaded { queue_max: 2 })));
    let schema = database.write_schema(String::new()).wait();
    assert_eq!(schema, Err(SchemaError::Refused(Refusal::Overloaded { queue_max: 2 })));
    let import = database.import().finish().wait();
    assert_eq!(import, Err(ImportError::Write(WriteError::Refused(Refusal::Overloaded { queue_max: 2 }))));
    gate.set(true);
    for one in pending {
        one.wait().unwrap();
    }
    assert_eq!(everything(&head(&database)).len(), 3);
}

#[test]
fn every_acknowledged_write_is_seen_at_once_and_in_order() {
    let limits = Limits { snapshots_retained_max: 4, ..Limits::default() };
    let database = open_with(&memory(), limits, &clock());
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let writer = |thread: usize| {
        let database = database.clone();
        move || {
            let mut history = Vec::new();
            for n in 0..40 {
                let text = format!("document:t{thread}#viewer@user:u{}", n % 5);
                let update = if n % 10 < 5 { touch(&text) } else { crate::support::delete(&text) };
                let inserts = n % 10 < 5;
                let committed = database.write(write([update])).wait().unwrap();
                for consistency in [
                    Consistency::MinimizeLatency,
                    Consistency::AtLeastAsFresh(committed.token),
                    Consistency::AtExactSnapshot(committed.token),
                ] {
                    let view = database.view(&consistency).unwrap();
                    assert!(view.revision() >= committed.revision);
                    // Nobody else writes on this document.
                    assert_eq!(everything(&view).contains(&text), inserts, "{consistency:?}");
                }
                history.push((committed.revision, text, inserts));
            }
            assert!(history.is_sorted_by(|one, next| one.0 < next.0));
            history
        }
    };
    let threads: Vec<_> = (0..6).map(|thread| thread::spawn(writer(thread))).collect();
    let mut changes = BTreeMap::new();
    for thread in threads {
        for (revision, text, inserts) in thread.join().unwrap() {
            assert!(changes.insert(revision, (text, inserts)).is_none(), "a revision is one write");
        }
    }
    let revisions: Vec<u64> = changes.keys().map(|revision| revision.0).collect();
    assert_eq!(revisions, (2..242).collect::<Vec<u64>>(), "revisions follow one another without gaps");
    let mut model = BTreeSet::new();
    for (revision, (text, inserts)) in changes {
        if inserts {
            model.insert(text)
        } else {
            model.remove(&text)
        };
        assert_eq!(everything(&database.view_at(revision).unwrap()), model, "{revision}");
    }
    assert_eq!(database.statistics().writes, 241);
}

#[test]
fn closing_serves_what_waits_and_refuses_what_comes() {
    let (database, gate) = gated(Limits::default());
    let other = database.clone();
    gate.set(false);
    let waiting: Vec<_> =
        (0..5).map(|n| database.write(write([create(&format!("document:d{n}#viewer@user:x"))]))).collect();
    let opener = {
        let gate = Arc::clone(&gate);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(20));
            gate.set(true);
        })
    };
    let held = head(&database);
    database.close();
    opener.join().unwrap();
    for one in waiting {
        one.wait().unwrap();
    }
    assert_eq!(other.state(), State::Stopped);
    assert_eq!(other.write(Write::default()).wait(), Err(WriteError::Refused(Refusal::Stopped)));
    assert_eq!(other.write_schema(String::new()).wait(), Err(SchemaError::Refused(Refusal::Stopped)));
    assert_eq!(
        other.import().finish().wait(),
        Err(ImportError::Write(WriteError::Refused(Refusal::Stopped)))
    );
    let filter =
        RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() };
    assert_eq!(
        other.delete(Delete { filter, ..Delete::default() }).wait(),
        Err(DeleteError::Refused(Refusal::Stopped))
    );
    other.collect_garbage();
    assert!(everything(&held).is_empty());
    assert_eq!(everything(&head(&other)).len(), 5, "reads go on");
    other.close();
}

#[test]
fn figures_are_told() {
    let database = open();
    database
        .write(write([create("document:a#viewer@user:x"), create("document:a#owner@user:y")]))
        .wait()
        .unwrap();
    assert!(database.write(write([create("document:a#viewer@user:x")])).wait().is_err());
    wait_until("the count of the groups", || database.statistics().groups == 3);
    let statistics = database.statistics();
    assert_eq!((statistics.head, statistics.horizon), (Revision(2), Revision(0)));
    assert_eq!((statistics.relationships, statistics.objects), (2, 3));
    assert_eq!((statistics.writes, statistics.last_group_size, statistics.queue_depth), (2, 1, 0));
    assert_eq!(statistics.commit_micros.iter().sum::<u64>(), 3);
    assert_eq!(statistics.snapshots_retained, 2);
    assert_eq!(everything(&head(&database)), texts(["document:a#viewer@user:x", "document:a#owner@user:y"]));
}

/// A group of two writes at the closed gate, and behind it a command and a counter that rest on it, applied already.
struct TwoGroups {
    database: Database,
    gate: Arc<Gated>,
    stored: Vec<Pending<Committed, WriteError>>,
    resting: Pending<(Committed, usize), DecideError>,
    counter: Pending<Committed, CounterError>,
}

fn two_groups() -> TwoGroups {
    let (database, gate) = gated(Limits::default());
    wait_until("the schema's group", || database.statistics().groups == 1);
    let before = gate.arrived();
    gate.set(false);
    let first = database.write(write([create("document:first#viewer@user:x")]));
    wait_until("the first group", || gate.arrived() == before + 1);
    let documents = change(&database, [put("a", "1")], []);
    let counted = database.register_counter("docs".into(), documents_filter());
    let stored = vec![database.write(write([create("document:a#viewer@user:x")]))];
    gate.let_one_through();
    first.wait().unwrap();
    wait_until("the second group", || gate.arrived() == before + 2);
    let (ran, has_run) = (Arc::new(AtomicBool::new(false)), Ordering::SeqCst);
    let flag = Arc::clone(&ran);
    let resting = database.decide(move |command| {
        flag.store(true, has_run);
        let seen = everything(command.view).len();
        let documents = vec![(b"a".to_vec(), Some(b"2".to_vec()))];
        Ok::<_, DecideError>(Decided { documents, ..Decided::unchanged(seen) })
    });
    let counter = database.register_counter("docs".into(), documents_filter());
    wait_until("the third group, while the second is stored", || ran.load(has_run));
    assert_eq!(gate.arrived(), before + 2, "one group is stored at a time");
    assert_eq!(everything(&head(&database)).len(), 1, "nothing is seen before it is stored");
    drop((documents, counted));
    TwoGroups { database, gate, stored, resting, counter }
}

fn documents_filter() -> RelationshipFilter {
    RelationshipFilter { resource_type: Some("document".into()), ..RelationshipFilter::default() }
}

#[test]
fn a_group_is_applied_on_top_of_one_that_is_being_stored() {
    let TwoGroups { database, gate, stored, resting, counter } = two_groups();
    gate.set(true);
    let stored: Vec<_> = stored.into_iter().map(|one| one.wait().unwrap().revision).collect();
    let (committed, seen) = resting.wait().unwrap();
    assert_eq!((committed.revision, seen), (Revision(stored[0].0 + 1), 2));
    assert!(matches!(counter.wait(), Err(CounterError::AlreadyRegistered { .. })));
    let shared: Arc<dyn Store> = gate;
    assert_eq!(database.head(), committed.revision);
    database.close();
    // The log tells what the document was before: what the group in between made of it.
    verify_store(&*shared, Documents::none()).unwrap();
}

#[test]
fn a_group_falls_with_the_one_it_rests_on() {
    let TwoGroups { database, gate, stored, resting, counter } = two_groups();
    let before = database.head();
    gate.fail(true);
    gate.set(true);
    for one in stored {
        assert!(matches!(one.wait(), Err(WriteError::Refused(Refusal::Poisoned { .. }))));
    }
    assert!(matches!(resting.wait(), Err(DecideError::Refused(Refusal::Poisoned { .. }))));
    assert!(matches!(counter.wait(), Err(CounterError::Refused(Refusal::Poisoned { .. }))));
    assert_eq!((database.head(), everything(&head(&database)).len()), (before, 1));
    let shared: Arc<dyn Store> = gate.clone();
    gate.fail(false);
    let recovered = open_with(&shared, Limits::default(), &clock());
    assert_eq!((recovered.head(), everything(&head(&recovered)).len()), (before, 1));
}
