//! An edge table and its earlier versions against maps of sets.

use std::collections::{BTreeMap, BTreeSet};

use pemba_engine::{ArcTrie, EdgeTable, EpochTrie, Ordinal};
use proptest::prelude::*;

type Model = BTreeMap<u32, BTreeSet<u32>>;

#[derive(Debug, Clone)]
enum Step {
    Insert(u32, u32),
    Remove(u32, u32),
    InsertRun(u32, u32, u32),
    RemoveRun(u32, u32, u32),
    Append(u32, u32),
    Keep,
}

/// Keys on both sides of every border at which a trie grows by a level.
fn key() -> impl Strategy<Value = u32> {
    prop_oneof![
        0..3u32,
        62..66u32,
        4094..4098u32,
        262_142..262_146u32,
        (1 << 24) - 1..(1 << 24) + 1u32,
        Just(1 << 30),
        Just(Ordinal::MAX.0),
    ]
}

fn member() -> impl Strategy<Value = u32> {
    prop_oneof![4 => 0..400u32, 1 => Just(70_000), 1 => Just(Ordinal::MAX.0)]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (key(), member()).prop_map(|(k, m)| Step::Insert(k, m)),
        4 => (key(), member()).prop_map(|(k, m)| Step::Remove(k, m)),
        1 => (key(), 0..40u32, 1..400u32).prop_map(|(k, from, len)| Step::InsertRun(k, from, len)),
        1 => (key(), 0..200u32, 1..400u32).prop_map(|(k, from, len)| Step::RemoveRun(k, from, len)),
        1 => (key(), 1..300u32).prop_map(|(k, len)| Step::Append(k, len)),
        2 => Just(Step::Keep),
    ]
}

fn remove(model: &mut Model, key: u32, member: u32) -> bool {
    let removed = model.get_mut(&key).is_some_and(|set| set.remove(&member));
    model.retain(|_, set| !set.is_empty());
    removed
}

fn apply(table: &mut impl EdgeTable, model: &mut Model, step: &Step) {
    match *step {
        Step::Insert(key, member) => {
            assert_eq!(table.insert(key, member), model.entry(key).or_default().insert(member));
        }
        Step::Remove(key, member) => assert_eq!(table.remove(key, member), remove(model, key, member)),
        Step::InsertRun(key, from, len) => {
            for member in from..from + len {
                apply(table, model, &Step::Insert(key, member));
            }
        }
        Step::RemoveRun(key, from, len) => {
            for member in (from..from + len).rev() {
                apply(table, model, &Step::Remove(key, member));
            }
        }
        Step::Append(key, len) => {
            model.entry(key).or_insert_with(|| {
                let members: Vec<u32> = (0..len).map(|n| n * 5).collect();
                table.append(key, &members);
                members.into_iter().collect()
            });
        }
        Step::Keep => {}
    }
}

fn assert_equal(table: &impl EdgeTable, model: &Model, probes: &[u32]) {
    let all: Model = table.iter_from(0).map(|(key, set)| (key, set.iter().map(|m| m.0).collect())).collect();
    assert_eq!(&all, model);
    let keys: Vec<u32> = table.iter_from(0).map(|(key, _)| key).collect();
    assert!(keys.is_sorted());
    for probe in probes {
        let from: Vec<u32> = table.iter_from(*probe).map(|(key, _)| key).collect();
        assert_eq!(from, model.range(probe..).map(|(key, _)| *key).collect::<Vec<_>>());
        let expected = model.get(probe).cloned().unwrap_or_default();
        let set = table.get(*probe);
        assert_eq!(set.len(), expected.len());
        assert_eq!(set.is_empty(), expected.is_empty());
        for first in [0, 1, 63, 256, 70_000, 70_001, u32::MAX] {
            let tail: Vec<u32> = set.iter_from(Ordinal(first)).map(|m| m.0).collect();
            assert_eq!(tail, expected.range(first..).copied().collect::<Vec<_>>());
            assert_eq!(set.contains(Ordinal(first)), expected.contains(&first));
        }
    }
}

fn assert_history<T: EdgeTable>(steps: &[Step], probes: &[u32]) {
    let (mut table, mut model) = (T::default(), Model::new());
    let mut kept = Vec::new();
    for step in steps {
        if matches!(step, Step::Keep) {
            kept.push((table.clone(), model.clone()));
        }
        apply(&mut table, &mut model, step);
    }
    kept.push((table, model));
    for (table, model) in &kept {
        assert_equal(table, model, probes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_table_and_its_earlier_versions_equal_their_models(
        steps in prop::collection::vec(step(), 1..60),
        probes in prop::collection::vec(key(), 5),
    ) {
        assert_history::<ArcTrie>(&steps, &probes);
        assert_history::<EpochTrie>(&steps, &probes);
    }
}

fn assert_emptied<T: EdgeTable>() {
    let mut table = T::default();
    for key in [5, 5000, Ordinal::MAX.0] {
        assert!(table.insert(key, 1));
    }
    for key in [Ordinal::MAX.0, 5, 5000] {
        assert!(table.remove(key, 1));
        assert!(!table.remove(key, 1));
    }
    assert_eq!(table.iter_from(0).count(), 0);
    assert!(table.insert(9, 9));
    assert_equal(&table, &Model::from([(9, BTreeSet::from([9]))]), &[0, 9, 10]);
}

#[test]
fn an_emptied_table_is_as_good_as_new() {
    assert_emptied::<ArcTrie>();
    assert_emptied::<EpochTrie>();
}
