//! The protocols between the writer and its readers, in every order the memory model allows.
//!
//! Readers run in threads of their own: loom explores few orders for what a model's first thread does.
//!
//! `RUSTFLAGS="--cfg loom" cargo test -p pemba-engine --test loom --release`
#![cfg(loom)]
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs, reason = "tests")]

use std::collections::BTreeMap;
use std::sync::Arc;

use loom::model::Builder;
use loom::thread;
use pemba_engine::sync::Swap;
use pemba_engine::{EdgeTable, EpochTrie, Names, Ordinal, Published, Snapshot, TypeId};
use pemba_model::{ObjectRef, Relationship, Revision, SubjectRef};
use pemba_schema::{AllowedSubject, Definition, Relation, Schema, SubjectShape};

const USER: TypeId = TypeId(0);

/// Under loom the first table has two slots and a page two names, so three names make both grow.
#[test]
fn who_finds_an_ordinal_finds_its_name_while_tables_grow() {
    loom::model(|| {
        let names = Arc::new(Names::new());
        let writer = thread::spawn({
            let names = Arc::clone(&names);
            move || {
                for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
                    assert_eq!(names.intern(USER, name).unwrap(), (Ordinal(n as u32), true));
                }
            }
        });
        let reader = thread::spawn({
            let names = Arc::clone(&names);
            move || {
                for name in ["c", "a"] {
                    let Some(ordinal) = names.ordinal(USER, name) else { continue };
                    assert_eq!(names.object_id(USER, ordinal), Some(name));
                    assert_eq!(names.ordinal(USER, name), Some(ordinal), "found once, found for good");
                }
            }
        });
        reader.join().unwrap();
        writer.join().unwrap();
        for (n, name) in ["a", "b", "c"].into_iter().enumerate() {
            assert_eq!(names.ordinal(USER, name), Some(Ordinal(n as u32)));
        }
    });
}

#[test]
fn whoever_sees_the_count_sees_the_names_below_it() {
    loom::model(|| {
        let names = Arc::new(Names::new());
        let writer = thread::spawn({
            let names = Arc::clone(&names);
            move || ["a", "b", "c"].into_iter().for_each(|name| assert!(names.intern(USER, name).unwrap().1))
        });
        let reader = thread::spawn(move || {
            if let Some(last) = names.len(USER).checked_sub(1) {
                let name = names.object_id(USER, Ordinal(last)).map(str::to_owned).unwrap();
                assert_eq!(names.ordinal(USER, &name), Some(Ordinal(last)));
            }
        });
        reader.join().unwrap();
        writer.join().unwrap();
    });
}

#[test]
fn two_who_intern_one_name_get_one_ordinal() {
    loom::model(|| {
        let names = Arc::new(Names::new());
        let other = thread::spawn({
            let names = Arc::clone(&names);
            move || (names.intern(USER, "x").unwrap(), names.intern(USER, "a").unwrap())
        });
        let one = thread::spawn({
            let names = Arc::clone(&names);
            move || names.intern(USER, "a").unwrap()
        });
        let (mine, mine_new) = one.join().unwrap();
        let (_, (theirs, theirs_new)) = other.join().unwrap();
        assert_eq!(mine, theirs);
        assert!(mine_new != theirs_new, "new to exactly one");
        assert_eq!(names.len(USER), 2);
    });
}

/// The third name makes the table grow while `a` has a later incarnation in it.
#[test]
fn who_finds_an_incarnation_finds_its_name_and_never_an_earlier_one_again() {
    loom::model(|| {
        let names = Arc::new(Names::new());
        names.intern(USER, "a").unwrap();
        let writer = thread::spawn({
            let names = Arc::clone(&names);
            move || {
                assert_eq!(names.reincarnate(USER, "a").unwrap(), Ordinal(1));
                assert_eq!(names.intern(USER, "b").unwrap(), (Ordinal(2), true));
            }
        });
        let reader = thread::spawn({
            let names = Arc::clone(&names);
            move || {
                let first = names.ordinal(USER, "a").unwrap();
                assert_eq!(names.object_id(USER, first), Some("a"));
                if first == Ordinal(1) {
                    assert_eq!(names.replaced(USER).next(), Some((Ordinal(0), Ordinal(1))));
                }
                assert!(names.ordinal(USER, "a").unwrap() >= first);
            }
        });
        reader.join().unwrap();
        writer.join().unwrap();
        assert_eq!(names.ordinal(USER, "a"), Some(Ordinal(1)));
        assert_eq!(names.object_id(USER, Ordinal(0)), Some("a"));
    });
}

/// A table with the members of key 5 that revision `n` has: 0 to `n`, without those below `n - 1`.
fn assert_revision(table: &EpochTrie, n: u32) {
    let members: Vec<u32> = table.get(5).iter().map(|member| member.0).collect();
    assert_eq!(members, (n.saturating_sub(1)..=n).collect::<Vec<_>>());
    assert_eq!(table.get(64).len(), 1);
}

/// What is freed is overwritten, and under loom stays allocated like that: who reads it sees no revision.
#[test]
fn who_holds_a_table_sees_one_revision_whoever_lets_go_first() {
    const REVISIONS: u32 = 3;
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let mut first = EpochTrie::default();
        assert!(first.insert(5, 0) && first.insert(64, 7));
        let published = Arc::new(Swap::new(Arc::new((0, first))));
        let writer = thread::spawn({
            let published = Arc::clone(&published);
            move || {
                for n in 1..=REVISIONS {
                    let (_, mut next) = (*published.load_full()).clone();
                    assert!(next.insert(5, n));
                    if n > 1 {
                        assert!(next.remove(5, n - 2));
                    }
                    // One that is begun and given up leaves the latest as it was.
                    if n == 2 {
                        let mut dropped = next.clone();
                        assert!(dropped.insert(5, 99) && dropped.remove(64, 7));
                    }
                    published.store(Arc::new((n, next)));
                }
            }
        });
        let reader = || {
            let published = Arc::clone(&published);
            thread::spawn(move || {
                let held = published.load_full();
                assert_revision(&held.1, held.0);
                let later = published.load_full();
                drop(held);
                assert_revision(&later.1, later.0);
            })
        };
        let readers = [reader(), reader()];
        readers.into_iter().for_each(|reader| reader.join().unwrap());
        writer.join().unwrap();
        let last = published.load_full();
        assert_revision(&last.1, REVISIONS);
    });
}

/// A table that follows one that is not the latest shares its nodes and frees none of them.
#[test]
fn who_goes_on_from_an_earlier_table_keeps_it() {
    loom::model(|| {
        let mut first = EpochTrie::default();
        assert!(first.insert(5, 0) && first.insert(64, 7));
        let mut second = first.clone();
        assert!(second.insert(5, 1));
        let other = thread::spawn({
            let mut fork = first.clone();
            move || {
                assert!(fork.remove(64, 7) && fork.insert(64, 8) && fork.insert(5, 1));
                assert_revision(&fork, 1);
            }
        });
        let holder = thread::spawn(move || {
            assert_revision(&first, 0);
            drop(first);
        });
        assert_revision(&second, 1);
        drop(second);
        holder.join().unwrap();
        other.join().unwrap();
    });
}

fn with_schema() -> Snapshot {
    let allowed = AllowedSubject {
        subject_type: "user".into(),
        shape: SubjectShape::Direct,
        caveat: None,
        expiration: false,
    };
    let relation = Relation { name: "owner".into(), doc: None, allowed: vec![allowed] };
    let user = Definition {
        name: "user".into(),
        doc: None,
        relations: BTreeMap::from([("owner".into(), relation)]),
        permissions: BTreeMap::new(),
        order: Vec::new(),
    };
    let mut transaction = Snapshot::empty().transaction();
    let definitions = BTreeMap::from([("user".into(), user)]);
    transaction.set_schema(Arc::new(Schema { definitions, ..Schema::default() }));
    transaction.finish(Revision(0))
}

/// The relationship that revision `n` adds, from 1.
fn added_by(n: u64) -> Relationship {
    Relationship::new(ObjectRef::new("user", format!("r{n}")), "owner", SubjectRef::direct("user", "s"))
}

#[test]
fn who_sees_a_revision_sees_its_names_and_edges_and_no_later_edge() {
    const REVISIONS: u64 = 2;
    let mut builder = Builder::new();
    builder.preemption_bound = Some(3);
    builder.check(|| {
        let published = Arc::new(Published::new(Arc::new(with_schema())));
        let writer = thread::spawn({
            let published = Arc::clone(&published);
            move || {
                for n in 1..=REVISIONS {
                    let mut transaction = published.load_full().transaction();
                    transaction.put(&added_by(n)).unwrap();
                    published.store(Arc::new(transaction.finish(Revision(n))));
                }
            }
        });
        let reader = thread::spawn({
            let published = Arc::clone(&published);
            move || {
                let snapshot = published.load_full();
                let seen = snapshot.revision().0;
                assert_eq!(snapshot.len(), seen);
                for n in 1..=REVISIONS {
                    let key = snapshot.edge_key(&added_by(n));
                    let edge = key.and_then(|key| snapshot.edge(key));
                    assert_eq!(edge, (n <= seen).then_some(None));
                    if let (Some(key), Some(attributes)) = (key, edge) {
                        assert_eq!(snapshot.relationship(key, &attributes), Some(added_by(n)));
                    }
                }
            }
        });
        reader.join().unwrap();
        writer.join().unwrap();
        assert_eq!(published.load().revision(), Revision(REVISIONS));
    });
}
