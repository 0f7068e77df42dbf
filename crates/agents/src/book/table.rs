//! Records by id: found in a few steps, listed in order.

use std::hash::{BuildHasher, Hash};
use std::ops::Bound;
use std::sync::Arc;

use foldhash::quality::FixedState;
use rpds::{HashTrieMapSync, RedBlackTreeSetSync};

use super::numbered::Numbered;

/// A map whose order depends on nothing but what is in it.
pub(super) type Map<K, V> = HashTrieMapSync<K, V, FixedState>;

/// The hasher of every map here: the same in every process.
pub(super) fn hasher() -> FixedState {
    FixedState::with_seed(0x0070_656d_6261)
}

/// An empty map.
pub(super) fn empty<K: Hash + Eq, V>() -> Map<K, V> {
    Map::new_with_hasher_and_ptr_kind(hasher())
}

/// Records of one kind; at most as many as there are numbers of 32 bits, far above what any memory holds.
#[derive(Debug, Clone)]
pub struct Table<K: Ord + Hash + Eq, V> {
    by_id: Numbered<Option<(K, Arc<V>)>>,
    in_order: RedBlackTreeSetSync<K>,
    hasher: FixedState,
}

impl<K: Ord + Hash + Eq, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { by_id: Numbered::default(), in_order: RedBlackTreeSetSync::new_sync(), hasher: hasher() }
    }
}

impl<K: Ord + Hash + Eq + Clone, V: PartialEq> PartialEq for Table<K, V> {
    fn eq(&self, other: &Self) -> bool {
        self.in_order == other.in_order && self.in_order.iter().all(|id| self.get(id) == other.get(id))
    }
}

impl<K: Ord + Hash + Eq + Clone, V> Table<K, V> {
    /// A record.
    pub fn get(&self, id: &K) -> Option<&Arc<V>> {
        let entry = self.by_id.get(self.number(id)?)?;
        entry.as_ref().map(|(_, record)| record)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn number(&self, id: &K) -> Option<u32> {
        self.by_id.find(self.hasher.hash_one(id), is_of(id))
    }

    /// All records strictly after an id, in order of their ids.
    pub fn after(&self, id: Option<&K>) -> impl Iterator<Item = (&K, &Arc<V>)> {
        let from = id.map_or(Bound::Unbounded, |id| Bound::Excluded(id.clone()));
        self.in_order.range((from, Bound::Unbounded)).filter_map(|id| Some((id, self.get(id)?)))
    }

    pub(super) fn set(&mut self, id: K, record: Option<Arc<V>>) {
        match (self.number(&id), record) {
            (Some(number), Some(record)) => self.by_id.update(number, |entry| *entry = Some((id, record))),
            (None, Some(record)) => {
                self.in_order.insert_mut(id.clone());
                let entry = || Some((id.clone(), record));
                self.by_id.mention(self.hasher.hash_one(&id), is_of(&id), entry);
            }
            (Some(number), None) => {
                self.in_order.remove_mut(&id);
                self.by_id.release(number, |_| self.hasher.hash_one(&id));
            }
            (None, None) => {}
        }
    }
}

fn is_of<K: Eq, V>(id: &K) -> impl Fn(&Option<(K, Arc<V>)>) -> bool {
    move |entry| entry.as_ref().is_some_and(|(other, _)| other == id)
}
