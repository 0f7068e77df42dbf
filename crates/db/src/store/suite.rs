//! What every store must do, run on each of them.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;

use super::{Batch, Family, Store};

/// All entries of a range, in the order they are handed out.
pub(super) fn entries(
    store: &dyn Store,
    family: Family,
    from: &[u8],
    to: Option<&[u8]>,
) -> Vec<(Vec<u8>, Vec<u8>)> {
    let mut found = Vec::new();
    store
        .scan(family, from, to, &mut |key, value| {
            found.push((key.to_vec(), value.to_vec()));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

fn keys(store: &dyn Store, from: &[u8], to: Option<&[u8]>) -> Vec<u8> {
    entries(store, Family::Log, from, to).into_iter().flat_map(|(key, _)| key).collect()
}

fn fill(store: &dyn Store, keys: &[u8]) {
    let mut batch = Batch::new();
    for key in keys {
        batch.put(Family::Log, [*key], [*key, *key]);
    }
    store.write(batch).unwrap();
}

pub(super) fn values_are_set_replaced_and_removed(store: &dyn Store) {
    assert_eq!(store.get(Family::Meta, b"a").unwrap(), None);
    let mut batch = Batch::new();
    batch.put(Family::Meta, b"a", b"1").put(Family::Meta, b"", b"empty key").put(Family::Meta, b"e", b"");
    store.write(batch).unwrap();
    assert_eq!(store.get(Family::Meta, b"a").unwrap().as_deref(), Some(&b"1"[..]));
    assert_eq!(store.get(Family::Meta, b"").unwrap().as_deref(), Some(&b"empty key"[..]));
    assert_eq!(store.get(Family::Meta, b"e").unwrap().as_deref(), Some(&b""[..]));
    for family in Family::ALL.into_iter().filter(|family| *family != Family::Meta) {
        assert_eq!(store.get(family, b"a").unwrap(), None, "families are apart");
        assert!(entries(store, family, b"", None).is_empty());
    }
    let mut batch = Batch::new();
    batch.put(Family::Meta, b"a", b"2").delete(Family::Meta, b"e").delete(Family::Meta, b"never there");
    store.write(batch).unwrap();
    assert_eq!(store.get(Family::Meta, b"a").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get(Family::Meta, b"e").unwrap(), None);
    store.write(Batch::new()).unwrap();
}

pub(super) fn scans_keep_to_their_bounds_and_order(store: &dyn Store) {
    fill(store, &[9, 0, 255, 5, 128]);
    assert_eq!(keys(store, &[], None), [0, 5, 9, 128, 255]);
    assert_eq!(keys(store, &[5], Some(&[128])), [5, 9]);
    assert_eq!(keys(store, &[5, 0], Some(&[128, 0])), [9, 128]);
    assert_eq!(keys(store, &[6], Some(&[9])), b"");
    assert_eq!(keys(store, &[9], Some(&[9])), b"");
    assert_eq!(keys(store, &[128], Some(&[5])), b"");
    assert_eq!(keys(store, &[255, 255], None), b"");
    let mut seen = Vec::new();
    store
        .scan(Family::Log, &[], None, &mut |key, value| {
            seen.push((key[0], value.to_vec()));
            if seen.len() == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
        .unwrap();
    assert_eq!(seen, [(0, vec![0, 0]), (5, vec![5, 5])]);
}

pub(super) fn operations_apply_in_order(store: &dyn Store) {
    fill(store, &[1, 2, 3, 4, 5]);
    let mut batch = Batch::new();
    batch.delete_range(Family::Log, [2], [4]).put(Family::Log, [3], b"back");
    batch.put(Family::Log, [6], b"x").delete(Family::Log, [6]);
    batch.delete_range(Family::Log, [5], [5]).delete_range(Family::Log, [5], [1]);
    store.write(batch).unwrap();
    assert_eq!(keys(store, &[], None), [1, 3, 4, 5]);
    assert_eq!(store.get(Family::Log, &[3]).unwrap().as_deref(), Some(&b"back"[..]));
    let mut batch = Batch::new();
    batch.delete_range(Family::Log, b"", [255, 255]);
    store.write(batch).unwrap();
    assert_eq!(keys(store, &[], None), b"");
}

/// A reader must see both keys of every batch or neither, while a writer keeps changing them.
pub(super) fn scan_sees_one_instant(store: &dyn Store) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for number in 0_u32..300 {
                let mut batch = Batch::new();
                batch.put(Family::Objects, b"a", number.to_be_bytes());
                batch.put(Family::Objects, b"z", number.to_be_bytes());
                store.write(batch).unwrap();
            }
            done.store(true, Ordering::Release);
        });
        loop {
            let last = done.load(Ordering::Acquire);
            let found = entries(store, Family::Objects, b"", None);
            if let [(_, a), (_, z)] = found.as_slice() {
                assert_eq!(a, z);
            } else {
                assert!(found.is_empty(), "half a batch is visible");
            }
            if last {
                break;
            }
        }
    });
    assert_eq!(
        entries(store, Family::Objects, b"b", None),
        [(b"z".to_vec(), 299_u32.to_be_bytes().to_vec())]
    );
}

pub(super) fn large_batch_is_one(store: &dyn Store) {
    const COUNT: u32 = 100_000;
    let mut batch = Batch::new();
    for number in 0..COUNT {
        batch.put(Family::Relationships, number.to_be_bytes(), b"");
    }
    store.write(batch).unwrap();
    let mut next = 0_u32;
    store
        .scan(Family::Relationships, &[], None, &mut |key, value| {
            assert_eq!((key, value), (&next.to_be_bytes()[..], &b""[..]));
            next += 1;
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(next, COUNT);
    assert!(store.statistics().memory_bytes > u64::from(COUNT), "{:?}", store.statistics());
}

/// A load is one write: its rows among those that were there, and its batch.
pub(super) fn a_load_is_one_write(store: &dyn Store) {
    const COUNT: u32 = 20_000;
    let mut batch = Batch::new();
    for number in (0..COUNT).step_by(2) {
        batch.put(Family::Objects, number.to_be_bytes(), b"old");
    }
    batch.put(Family::Meta, b"head", b"1").put(Family::Relationships, b"a", b"kept");
    store.write(batch).unwrap();
    let mut batch = Batch::new();
    batch.put(Family::Meta, b"head", b"2").delete(Family::Relationships, b"a");
    let rows = &mut |put: super::PutRow<'_>| {
        for number in (0..COUNT).filter(|number| number % 2 == 1 || number % 10 == 0) {
            put(Family::Objects, &number.to_be_bytes(), b"new")?;
        }
        put(Family::Log, b"1", b"")
    };
    store.load(rows, batch).unwrap();
    assert_eq!(store.get(Family::Meta, b"head").unwrap().as_deref(), Some(&b"2"[..]));
    assert_eq!(store.get(Family::Relationships, b"a").unwrap(), None);
    assert_eq!(entries(store, Family::Log, b"", None), [(b"1".to_vec(), Vec::new())]);
    let found = entries(store, Family::Objects, b"", None);
    assert_eq!(found.len(), COUNT as usize);
    for (number, (key, value)) in (0..COUNT).zip(found) {
        let expected: &[u8] = if number % 2 == 1 || number % 10 == 0 { b"new" } else { b"old" };
        assert_eq!((key.as_slice(), value.as_slice()), (&number.to_be_bytes()[..], expected));
    }
    let mut batch = Batch::new();
    batch.put(Family::Objects, 1_u32.to_be_bytes(), b"newest").delete(Family::Objects, 3_u32.to_be_bytes());
    store.write(batch).unwrap();
    assert_eq!(store.get(Family::Objects, &1_u32.to_be_bytes()).unwrap().as_deref(), Some(&b"newest"[..]));
    assert_eq!(store.get(Family::Objects, &3_u32.to_be_bytes()).unwrap(), None);
    store.load(&mut |_| Ok(()), Batch::new()).unwrap();
}

/// Rows that cannot be handed out leave nothing behind.
pub(super) fn a_load_whose_rows_fail_leaves_nothing(store: &dyn Store) {
    let mut batch = Batch::new();
    batch.put(Family::Meta, b"head", b"1");
    let cause = "no rows".to_owned();
    let failure = super::StoreError::Failed { operation: "write", cause };
    let loaded = store.load(
        &mut |put| {
            put(Family::Objects, b"a", b"")?;
            Err(failure.clone())
        },
        batch,
    );
    assert_eq!(loaded, Err(failure.clone()));
    assert_eq!(store.get(Family::Meta, b"head").unwrap(), None);
    assert!(entries(store, Family::Objects, b"", None).is_empty());
}

/// One operation of the model test: verb, family and two short keys.
type Step = (u8, u8, u8, u8);

/// Random batches against an ordered map for each family. The store may hold entries of earlier cases only as far as
/// the model knows them, so it is emptied first.
pub(super) fn agrees_with_the_model(store: &dyn Store) {
    let batches = prop::collection::vec(prop::collection::vec(any::<Step>(), 0..12), 1..8);
    let config = ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() };
    proptest::test_runner::TestRunner::new(config)
        .run(&batches, |batches| {
            clear(store);
            let mut model: [BTreeMap<Vec<u8>, Vec<u8>>; 6] = Default::default();
            for steps in batches {
                let mut batch = Batch::new();
                for step in steps {
                    apply_step(&mut batch, &mut model, step);
                }
                store.write(batch).unwrap();
                for (family, expected) in Family::ALL.into_iter().zip(&model) {
                    let expected: Vec<_> =
                        expected.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
                    prop_assert_eq!(entries(store, family, b"", None), expected);
                }
            }
            Ok(())
        })
        .unwrap();
}

fn clear(store: &dyn Store) {
    let mut batch = Batch::new();
    for family in Family::ALL {
        batch.delete_range(family, b"", [255; 8]);
    }
    store.write(batch).unwrap();
}

fn apply_step(batch: &mut Batch, model: &mut [BTreeMap<Vec<u8>, Vec<u8>>; 6], step: Step) {
    let (verb, family, a, b) = step;
    let number = usize::from(family % 6);
    let (family, map) = (Family::ALL[number], &mut model[number]);
    // Few different keys, some of which are prefixes of others.
    let key = |byte: u8| vec![byte % 4; usize::from(byte / 4 % 3)];
    let (first, second) = (key(a), key(b));
    match verb % 4 {
        0 | 1 => {
            batch.put(family, &first, [b]);
            map.insert(first, vec![b]);
        }
        2 => {
            batch.delete(family, &first);
            map.remove(&first);
        }
        _ => {
            batch.delete_range(family, &first, &second);
            map.retain(|key, _| *key < first || *key >= second);
        }
    }
}

/// Runs the suite on the stores that `$make` makes; it returns the store and whatever must live as long.
macro_rules! suite {
    ($make:expr) => {
        $crate::store::suite::suite!(
            $make,
            values_are_set_replaced_and_removed,
            scans_keep_to_their_bounds_and_order,
            operations_apply_in_order,
            scan_sees_one_instant,
            large_batch_is_one,
            a_load_is_one_write,
            a_load_whose_rows_fail_leaves_nothing,
            agrees_with_the_model
        );
    };
    ($make:expr, $($name:ident),*) => {
        $(#[test]
        fn $name() {
            let (store, _keep) = $make;
            $crate::store::suite::$name(&store);
        })*
    };
}
pub(super) use suite;
