//! Commands: documents and relationships as one revision, decided on the newest state.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use pemba_db::records::documents;
use pemba_db::store::Store;
use pemba_db::{
    Command, Committed, Database, DecideError, Decided, Pending, Refusal, RelationshipError, State,
    WatchRequest, WriteError, verify_store,
};
use pemba_engine::Permissionship;
use pemba_model::{LedgerError, Limits, ObjectRef, Revision, Timestamp, Update};

use crate::committing::{gated, wait_until};
use crate::ledger::{Documents, REFUSED};
use crate::support::{
    SCHEMA, clock, create, delete, everything, head, memory, open, open_with, rel, start, texts, touch, write,
};

type Change = (Vec<u8>, Option<Vec<u8>>);

pub(crate) fn put(key: &str, value: &str) -> Change {
    (key.into(), Some(value.into()))
}

pub(crate) fn remove(key: &str) -> Change {
    (key.into(), None)
}

/// A command that changes this, whatever there is.
pub(crate) fn change(
    database: &Database,
    documents: impl IntoIterator<Item = Change>,
    updates: impl IntoIterator<Item = Update>,
) -> Pending<(Committed, ()), DecideError> {
    let (documents, updates) = (documents.into_iter().collect(), updates.into_iter().collect());
    database.decide(move |_| Ok(Decided { documents, updates, ..Decided::unchanged(()) }))
}

/// The value of a document in what a command sees.
fn seen(command: &Command<'_>, key: &str) -> Option<String> {
    let value = Documents::at(command.view).get(key.as_bytes())?;
    Some(String::from_utf8(value.clone()).unwrap())
}

fn documents_of(database: &Database) -> Vec<(String, String)> {
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
    let ledger = database.ledger();
    Documents::of(&ledger).0.iter().map(|(key, value)| (text(key), text(value))).collect()
}

fn with_schema(limits: Limits) -> (Database, Arc<dyn Store>) {
    let store = memory();
    let database = open_with(&store, limits, &clock());
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    (database, store)
}

#[test]
fn documents_and_relationships_share_one_revision() {
    let (database, store) = with_schema(Limits::default());
    let before = database.head_view();
    let (committed, told) = database
        .decide(|command| {
            assert_eq!((command.view.revision(), command.revision), (Revision(1), Revision(2)));
            assert_eq!(command.view.now(), start());
            Ok::<_, DecideError>(Decided {
                documents: vec![put("agent/a", "1"), put("agent/b", "2")],
                updates: vec![create("document:d#viewer@user:x")],
                metadata: serde_json::json!({ "by": "test" }).as_object().cloned(),
                ..Decided::unchanged("done")
            })
        })
        .wait()
        .unwrap();
    assert_eq!((committed.revision, told), (Revision(2), "done"));
    assert_eq!(committed.token, database.token(Revision(2)));
    let after = database.head_view();
    assert_eq!(after.revision(), Revision(2));
    assert_eq!(everything(&after), texts(["document:d#viewer@user:x"]));
    assert_eq!(
        documents_of(&database),
        [("agent/a", "1"), ("agent/b", "2")].map(|(k, v)| (k.into(), v.into()))
    );
    assert!(Documents::at(&before).is_empty() && everything(&before).is_empty(), "a view stays as it is");
    assert_eq!(Documents::at(&after), &Documents::of(&database.ledger()).0);
    assert_eq!(database.statistics().documents, 2);

    change(&database, [put("agent/a", "3"), remove("agent/b")], []).wait().unwrap();
    assert_eq!(documents_of(&database), [("agent/a".to_owned(), "3".to_owned())]);
    assert_eq!(Documents::at(&after).len(), 2);
    assert_eq!(database.statistics().documents, 1);
    assert_eq!(documents::get(&*store, b"agent/a").unwrap().as_deref(), Some(&b"3"[..]));
    assert_eq!(documents::get(&*store, b"agent/b").unwrap(), None);
    let report = verify_store(&*store, Documents::none()).unwrap();
    assert_eq!((report.documents, report.log_revisions, report.log_mutations), (1, 3, 5));
}

#[test]
fn commands_of_one_group_see_each_other() {
    let (database, gate) = gated(Limits::default());
    let arrived = gate.arrived();
    gate.set(false);
    let first = change(&database, [put("uses", "2")], []);
    wait_until("the first group", || gate.arrived() == arrived + 1);
    let take = |subject: &'static str| {
        database.decide(move |command| {
            let uses: u32 = seen(command, "uses").unwrap().parse().unwrap();
            let relationships = everything(command.view);
            let documents = vec![put("uses", &(uses - 1).to_string())];
            let updates = vec![create(&format!("document:d#viewer@user:{subject}"))];
            let reply = (uses, relationships, command.view.revision(), command.revision);
            Ok::<_, DecideError>(Decided { documents, updates, ..Decided::unchanged(reply) })
        })
    };
    let (one, write, other) =
        (take("one"), database.write(write([create("document:d#viewer@user:w")])), take("other"));
    assert!(documents_of(&database).is_empty(), "nothing is seen before it is stored");
    gate.set(true);
    assert_eq!(first.wait().unwrap().0.revision, Revision(2));
    let (committed, (uses, relationships, saw, gets)) = one.wait().unwrap();
    assert_eq!((uses, relationships.len(), saw, gets), (2, 0, Revision(2), committed.revision));
    assert_eq!(write.wait().unwrap().revision, committed.revision.next());
    let (committed, (uses, relationships, saw, gets)) = other.wait().unwrap();
    assert_eq!((uses, saw.next(), gets), (1, committed.revision, committed.revision));
    assert_eq!(relationships, texts(["document:d#viewer@user:one", "document:d#viewer@user:w"]));
    assert_eq!(gate.arrived(), arrived + 2, "they were one group");
    assert_eq!(documents_of(&database), [("uses".to_owned(), "0".to_owned())]);
    // The revisions inside the group are rebuilt with what they had.
    for (revision, uses) in [(2, "2"), (3, "1"), (4, "1"), (5, "0")] {
        let view = database.view_at(Revision(revision)).unwrap();
        assert_eq!(Documents::at(&view)[&b"uses"[..]], uses.as_bytes(), "revision {revision}");
    }
}

#[derive(Debug, PartialEq, thiserror::Error)]
enum TakeError {
    #[error("no use is left")]
    UsedUp,
    #[error(transparent)]
    Decide(#[from] DecideError),
}

#[test]
fn of_many_callers_at_once_exactly_one_takes_the_only_use() {
    let (database, store) = with_schema(Limits::default());
    for round in 0..20 {
        let key = format!("approval/{round}");
        let (given, _) = change(&database, [put(&key, "1")], []).wait().unwrap();
        let take = |number: usize| {
            let (database, key) = (database.clone(), key.clone());
            move || {
                let taken = database.decide(move |command| match seen(command, &key).as_deref() {
                    Some("1") => Ok(Decided {
                        documents: vec![put(&key, "0"), put(&format!("{key}/winner"), &number.to_string())],
                        ..Decided::unchanged(number)
                    }),
                    _ => Err(TakeError::UsedUp),
                });
                taken.wait()
            }
        };
        let callers: Vec<_> = (0..64).map(|number| thread::spawn(take(number))).collect();
        let answers: Vec<_> = callers.into_iter().map(|caller| caller.join().unwrap()).collect();
        let winners: Vec<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
        assert_eq!(winners.len(), 1, "{answers:?}");
        assert_eq!(answers.iter().filter(|answer| **answer == Err(TakeError::UsedUp)).count(), 63);
        let (committed, number) = winners[0];
        assert_eq!(committed.revision, given.revision.next(), "the losers got no revision");
        let ledger = database.ledger();
        let winner = &Documents::of(&ledger).0[format!("{key}/winner").as_bytes()];
        assert_eq!(*winner, number.to_string().into_bytes());
    }
    verify_store(&*store, Documents::none()).unwrap();
}

/// Every way in which what a command decides is refused.
fn refused() -> Vec<(DecideError, Vec<Change>, Vec<Update>)> {
    let not_allowed = RelationshipError::UnknownDefinition {
        definition: "dokument".into(),
        suggestion: Some("document".into()),
    };
    let exists = "document:there#viewer@user:x";
    vec![
        (DecideError::EmptyDocumentKey, vec![put("", "1")], vec![]),
        (
            DecideError::DocumentKeyTooLarge {
                key: format!("{}...", "k".repeat(64)),
                size_bytes: 101,
                max_bytes: 100,
            },
            vec![put(&"k".repeat(101), "1")],
            vec![],
        ),
        (
            DecideError::DocumentTooLarge { key: "big".into(), size_bytes: 41, max_bytes: 40 },
            vec![put("big", &"v".repeat(41))],
            vec![],
        ),
        (
            DecideError::DocumentsTooLarge { max_bytes: 100 },
            vec![put("one", &"v".repeat(40)), put("two", &"v".repeat(40)), put("three", &"v".repeat(40))],
            vec![],
        ),
        (
            DecideError::DuplicateDocument { key: "twice".into() },
            vec![put("twice", "1"), remove("twice")],
            vec![],
        ),
        (
            DecideError::TooManyChanges { count: 5, max: 4 },
            vec![put("a", "1"), put("b", "1"), put("c", "1")],
            vec![touch("document:a#viewer@user:x"), touch("document:b#viewer@user:x")],
        ),
        (
            LedgerError { key: b"bad"[..].into(), message: "it is refused".into() }.into(),
            vec![put("good", "1"), (b"bad".to_vec(), Some(REFUSED.to_vec()))],
            vec![create("document:new#viewer@user:x")],
        ),
        (
            WriteError::from(not_allowed).into(),
            vec![put("good", "1")],
            vec![create("document:new#viewer@user:x"), create("dokument:a#viewer@user:x")],
        ),
        (
            WriteError::DuplicateUpdate { relationship: Box::new(rel("document:new#viewer@user:x")) }.into(),
            vec![put("good", "1")],
            vec![create("document:new#viewer@user:x"), delete("document:new#viewer@user:x")],
        ),
        (
            WriteError::AlreadyExists { relationship: Box::new(rel(exists)) }.into(),
            vec![put("good", "1")],
            vec![create("document:new#viewer@user:x"), create(exists)],
        ),
    ]
}

#[test]
fn a_refused_command_leaves_nothing() {
    let limits = Limits {
        command_changes_max: 4,
        document_key_max_bytes: 100,
        document_max_bytes: 40,
        command_documents_max_bytes: 100,
        ..Limits::default()
    };
    let (database, store) = with_schema(limits);
    let there = change(&database, [put("there", "1")], [create("document:there#viewer@user:x")]);
    let (committed, ()) = there.wait().unwrap();
    for (expected, documents, updates) in refused() {
        let answer = change(&database, documents, updates).wait();
        assert_eq!(answer, Err(expected.clone()));
        assert_eq!(database.head(), committed.revision, "{expected}");
        assert_eq!(documents_of(&database), [("there".to_owned(), "1".to_owned())], "{expected}");
        assert_eq!(everything(&head(&database)), texts(["document:there#viewer@user:x"]), "{expected}");
        assert_eq!(database.statistics().documents, 1, "{expected}");
        let report = verify_store(&*store, Documents::none()).unwrap();
        assert_eq!((report.documents, report.log_revisions), (1, 2), "{expected}");
    }
    let own: Result<(Committed, ()), TakeError> = database.decide(|_| Err(TakeError::UsedUp)).wait();
    assert_eq!(own, Err(TakeError::UsedUp));
    // What was there before counts too: 2 * 40 bytes and the key for each replaced one.
    change(&database, [put("big", &"a".repeat(40)), put("there", "2")], []).wait().unwrap();
    let both = change(&database, [put("big", &"b".repeat(40)), put("large", &"b".repeat(30))], []);
    assert_eq!(both.wait(), Err(DecideError::DocumentsTooLarge { max_bytes: 100 }));
}

/// A command that gives these objects later incarnations.
fn begin_anew(
    database: &Database,
    objects: &[&str],
    updates: impl IntoIterator<Item = Update>,
) -> Result<(Committed, ()), DecideError> {
    let (updates, documents) = (updates.into_iter().collect(), vec![put("anew", "1")]);
    let object = |text: &&str| {
        let (object_type, object_id) = text.split_once(':').unwrap();
        ObjectRef { object_type: object_type.into(), object_id: object_id.into() }
    };
    let reincarnate = objects.iter().map(object).collect();
    let answer =
        database.decide(move |_| Ok(Decided { documents, updates, reincarnate, ..Decided::unchanged(()) }));
    answer.wait()
}

#[test]
fn a_name_begins_anew_with_the_documents_that_say_so() {
    let (database, store) = with_schema(Limits::default());
    let has = |database: &Database, document: &str| {
        let (resource, subject) = (rel(document).resource, rel(document).subject);
        let answer = database.head_view().check(&resource, "view", &subject, None).unwrap();
        answer.permissionship == Permissionship::Yes
    };
    let (old, new) = ("document:old#viewer@user:x", "document:new#viewer@user:x");
    change(&database, [], [create(old), create("document:old#viewer@user:y")]).wait().unwrap();
    // An equal relationship of the later incarnation is another one.
    let (committed, ()) = begin_anew(&database, &["user:x"], [create(new)]).unwrap();
    assert_eq!(committed.revision, Revision(3));
    assert!(has(&database, new) && !has(&database, old) && has(&database, "document:old#viewer@user:y"));
    begin_anew(&database, &["user:x"], [create(new)]).unwrap();
    assert!(has(&database, new) && !has(&database, old));
    database.close();
    let database = open_with(&store, Limits::default(), &clock());
    assert!(has(&database, new) && !has(&database, old));
    begin_anew(&database, &["user:x"], []).unwrap();
    assert!(!has(&database, new), "an incarnation alone is a change");
    assert_eq!(database.head(), Revision(5));
    verify_store(&*store, Documents::none()).unwrap();
}

#[test]
fn a_refused_command_lets_no_name_begin_anew() {
    let (database, _) = with_schema(Limits::default());
    let there = "document:there#viewer@user:x";
    change(&database, [], [create(there)]).wait().unwrap();
    let unknown = begin_anew(&database, &["user:x", "uzer:y"], []);
    let expected =
        RelationshipError::UnknownDefinition { definition: "uzer".into(), suggestion: Some("user".into()) };
    assert_eq!(unknown, Err(WriteError::from(expected).into()));
    let wildcard = begin_anew(&database, &["user:x", "user:*"], []);
    let expected = "`user:*` cannot get a later incarnation";
    assert!(matches!(&wildcard, Err(error) if error.to_string().starts_with(expected)), "{wildcard:?}");
    change(&database, [], [create("document:there#viewer@user:y")]).wait().unwrap();
    let exists = begin_anew(&database, &["user:x"], [create("document:there#viewer@user:y")]);
    assert!(matches!(exists, Err(DecideError::Write(WriteError::AlreadyExists { .. }))), "{exists:?}");
    let refused = database.decide(|_| {
        let documents = vec![(b"bad".to_vec(), Some(REFUSED.to_vec()))];
        let reincarnate = vec![rel("document:there#viewer@user:x").subject.object];
        Ok::<_, DecideError>(Decided { documents, reincarnate, ..Decided::unchanged(()) })
    });
    assert!(matches!(refused.wait(), Err(DecideError::Ledger(_))));
    let again = database.write(write([create(there)])).wait();
    assert!(matches!(again, Err(WriteError::AlreadyExists { .. })), "{again:?}");
    assert!(documents_of(&database).is_empty());
}

#[test]
fn too_much_metadata_is_refused_like_that_of_a_write() {
    let (database, _) = with_schema(Limits { transaction_metadata_max_bytes: 8, ..Limits::default() });
    let metadata = serde_json::json!({ "by": "somebody" }).as_object().cloned();
    let answer = database.decide(move |_| {
        let documents = vec![put("a", "1")];
        Ok::<_, DecideError>(Decided { documents, metadata, ..Decided::unchanged(()) })
    });
    let error = answer.wait().unwrap_err();
    assert!(
        matches!(error, DecideError::Write(WriteError::MetadataTooLarge { max_bytes: 8, .. })),
        "{error}"
    );
    assert!(documents_of(&database).is_empty());
}

#[test]
fn what_changes_nothing_gets_no_revision() {
    let (database, store) = with_schema(Limits::default());
    let (committed, ()) =
        change(&database, [put("a", "1")], [touch("document:d#viewer@user:x")]).wait().unwrap();
    let same = change(
        &database,
        [put("a", "1"), remove("absent")],
        [touch("document:d#viewer@user:x"), delete("document:absent#viewer@user:x")],
    );
    assert_eq!(same.wait().unwrap().0, committed);
    let (seen, reply) = database.decide(|_| Ok::<_, DecideError>(Decided::unchanged(7))).wait().unwrap();
    assert_eq!((seen, reply), (committed, 7));
    assert_eq!(database.head(), committed.revision);
    assert_eq!(verify_store(&*store, Documents::none()).unwrap().log_revisions, 2);
}

#[test]
fn an_answer_that_rests_on_its_group_waits_for_it_and_fails_with_it() {
    for fails in [false, true] {
        let (database, gate) = gated(Limits::default());
        let arrived = gate.arrived();
        gate.set(false);
        let first = database.write(write([create("document:first#viewer@user:x")]));
        wait_until("the first group", || gate.arrived() == arrived + 1);
        let writes = change(&database, [put("a", "1")], []);
        let was_run = Arc::new(AtomicBool::new(false));
        let reads = database.decide({
            let was_run = Arc::clone(&was_run);
            move |command| {
                was_run.store(true, Ordering::SeqCst);
                Ok::<_, DecideError>(Decided::unchanged(seen(command, "a")))
            }
        });
        gate.let_one_through();
        first.wait().unwrap();
        wait_until("the second group", || gate.arrived() == arrived + 2);
        assert!(was_run.load(Ordering::SeqCst));
        gate.fail(fails);
        gate.set(true);
        let (wrote, read) = (writes.wait(), reads.wait());
        if fails {
            assert!(matches!(wrote, Err(DecideError::Refused(Refusal::Poisoned { .. }))), "{wrote:?}");
            assert!(matches!(read, Err(DecideError::Refused(Refusal::Poisoned { .. }))), "{read:?}");
            assert!(documents_of(&database).is_empty());
        } else {
            let (committed, ()) = wrote.unwrap();
            assert_eq!(read.unwrap(), (committed, Some("1".to_owned())));
        }
    }
}

#[test]
fn a_command_that_panics_closes_the_database_for_writes() {
    let (database, _) = with_schema(Limits::default());
    change(&database, [put("a", "1")], []).wait().unwrap();
    let answer: Result<(Committed, ()), DecideError> =
        database.decide(|_| panic!("this command is broken")).wait();
    assert_eq!(answer, Err(DecideError::Refused(Refusal::Stopped)));
    wait_until("the poison", || database.state() != State::Serving);
    let State::Poisoned(reason) = database.state() else { panic!("{:?}", database.state()) };
    assert!(reason.contains("panicked"), "{reason}");
    let refused = change(&database, [put("b", "1")], []).wait();
    assert_eq!(refused, Err(DecideError::Refused(Refusal::Poisoned { reason })));
    assert_eq!(documents_of(&database), [("a".to_owned(), "1".to_owned())], "reads go on");
}

#[test]
fn commands_are_refused_by_a_full_queue_and_a_closed_database() {
    let (database, gate) = gated(Limits { write_queue_max: 1, ..Limits::default() });
    let arrived = gate.arrived();
    gate.set(false);
    let first = change(&database, [put("a", "1")], []);
    wait_until("the first group", || gate.arrived() == arrived + 1);
    let waits = change(&database, [put("b", "1")], []);
    let refused = change(&database, [put("c", "1")], []).wait();
    assert_eq!(refused, Err(DecideError::Refused(Refusal::Overloaded { queue_max: 1 })));
    gate.set(true);
    first.wait().unwrap();
    waits.wait().unwrap();
    let other = database.clone();
    database.close();
    let refused = change(&other, [put("c", "1")], []).wait();
    assert_eq!(refused, Err(DecideError::Refused(Refusal::Stopped)));
    assert_eq!(documents_of(&other).len(), 2);
}

#[test]
fn no_reader_sees_relationships_without_their_documents() {
    let (database, _) = with_schema(Limits::default());
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let readers: Vec<_> = (0..3)
            .map(|_| {
                scope.spawn(|| {
                    let mut looks = 0_u32;
                    while !done.load(Ordering::SeqCst) || looks == 0 {
                        let view = database.head_view();
                        assert_eq!(everything(&view).len(), Documents::at(&view).len());
                        looks += 1;
                    }
                })
            })
            .collect();
        let pending: Vec<_> = (0..300)
            .map(|n| {
                let relationship = create(&format!("document:d{n}#viewer@user:x"));
                change(&database, [put(&format!("d{n}"), "1")], [relationship])
            })
            .collect();
        for one in pending {
            one.wait().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        readers.into_iter().for_each(|reader| reader.join().unwrap());
    });
    assert_eq!(database.statistics().documents, 300);
}

#[test]
fn documents_alone_are_a_checkpoint_to_a_watch_of_relationships() {
    let (database, _) = with_schema(Limits::default());
    let request = WatchRequest { checkpoints: true, ..WatchRequest::default() };
    let mut watch = database.watch(request).unwrap();
    let mut next = || watch.next_blocking(Duration::ZERO).unwrap();
    assert!(next().unwrap().checkpoint);
    let (committed, ()) = change(&database, [put("a", "1")], []).wait().unwrap();
    let event = next().unwrap();
    assert_eq!((event.revision, event.checkpoint), (committed.revision, true));
    assert!(event.updates.is_empty());
    assert_eq!(next(), None);
    let (committed, ()) =
        change(&database, [put("a", "2")], [create("document:d#viewer@user:x")]).wait().unwrap();
    let event = next().unwrap();
    assert_eq!((event.revision, event.checkpoint), (committed.revision, false));
    assert_eq!(event.updates, [touch("document:d#viewer@user:x")]);
}

/// Counts how often it was woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Woken>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn whoever_waits_for_a_change_is_woken() {
    let (database, _) = with_schema(Limits::default());
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    let mut known = pin!(database.changed_since(Revision::ZERO));
    assert_eq!(known.as_mut().poll(&mut context), Poll::Ready(Some(Revision(1))), "it has changed already");
    let mut waits = pin!(database.changed_since(Revision(1)));
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Pending);
    assert_eq!(woken.0.load(Ordering::SeqCst), 0);
    let (committed, ()) = change(&database, [put("a", "1")], []).wait().unwrap();
    assert!(woken.0.load(Ordering::SeqCst) > 0, "before the command is acknowledged");
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(Some(committed.revision)));
    assert_eq!(database.head_view().revision(), committed.revision);
    let mut waits = pin!(database.changed_since(committed.revision));
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Pending);
    database.clone().close();
    assert_eq!(waits.as_mut().poll(&mut context), Poll::Ready(None));
    let mut known = pin!(database.changed_since(Revision(1)));
    assert_eq!(known.as_mut().poll(&mut context), Poll::Ready(Some(committed.revision)));
}

#[test]
fn commands_have_the_databases_time_which_never_goes_back() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let now = || -> Timestamp {
        let documents = vec![put("a", &clock_text(&database))];
        let answer = database.decide(move |command| {
            Ok::<_, DecideError>(Decided { documents, ..Decided::unchanged(command.view.now()) })
        });
        answer.wait().unwrap().1
    };
    assert_eq!(now(), start());
    clock.advance_ms(60_000);
    assert_eq!(now(), start().plus_millis(60_000));
    assert_eq!(head(&database).now(), start().plus_millis(60_000));
    // The revision was committed a minute after the start, so that is the least there can be.
    clock.set(start());
    assert_eq!((now(), head(&database).now()), (start().plus_millis(60_000), start().plus_millis(60_000)));
    clock.advance_ms(120_000);
    assert_eq!(now(), start().plus_millis(120_000));
}

/// Something that differs from revision to revision.
fn clock_text(database: &Database) -> String {
    database.head().to_string()
}

#[test]
fn what_expired_does_not_count_in_a_command() {
    let clock = clock();
    let database = open_with(&memory(), Limits::default(), &clock);
    database.write_schema(SCHEMA.to_owned()).wait().unwrap();
    let relationship = "document:d#viewer@user:x[expiration:2026-01-01T00:01:00Z]";
    change(&database, [], [create(relationship)]).wait().unwrap();
    let count = || {
        let counted = database
            .decide(|command| Ok::<_, DecideError>(Decided::unchanged(everything(command.view).len())));
        counted.wait().unwrap().1
    };
    assert_eq!(count(), 1);
    clock.advance_ms(60_000);
    assert_eq!(count(), 0);
    change(&database, [], [create(relationship)]).wait().unwrap();
}

#[test]
fn a_database_without_a_ledger_keeps_documents_too() {
    let database = open();
    change(&database, [put("a", "1")], []).wait().unwrap();
    assert_eq!(database.statistics().documents, 1);
    assert!(database.ledger().as_any().is::<pemba_model::NoLedger>());
}
