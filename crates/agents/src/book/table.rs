//! Records by id: found in a few steps, listed in order.

use std::hash::Hash;
use std::ops::Bound;
use std::sync::Arc;

use foldhash::quality::FixedState;
use rpds::{HashTrieMapSync, RedBlackTreeSetSync};

use super::hash_trie::HashTrie;

/// A map whose order depends on nothing but what is in it.
pub(super) type Map<K, V> = HashTrieMapSync<K, V, FixedState>;

/// An empty map.
pub(super) fn empty<K: Hash + Eq, V>() -> Map<K, V> {
    Map::new_with_hasher_and_ptr_kind(FixedState::with_seed(0x0070_656d_6261))
}

/// Records of one kind.
#[derive(Debug, Clone)]
pub struct Table<K: Ord + Hash + Eq, V> {
    by_id: HashTrie<K, V>,
    in_order: RedBlackTreeSetSync<K>,
}

impl<K: Ord + Hash + Eq, V> Default for Table<K, V> {
    fn default() -> Self {
        Table { by_id: HashTrie::default(), in_order: RedBlackTreeSetSync::new_sync() }
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
        self.by_id.get(id)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.len() == 0
    }

    /// All records strictly after an id, in order of their ids.
    pub fn after(&self, id: Option<&K>) -> impl Iterator<Item = (&K, &Arc<V>)> {
        let from = id.map_or(Bound::Unbounded, |id| Bound::Excluded(id.clone()));
        self.in_order.range((from, Bound::Unbounded)).filter_map(|id| Some((id, self.by_id.get(id)?)))
    }

    pub(super) fn set(&mut self, id: K, record: Option<Arc<V>>) {
        let is_there = record.is_some();
        let was_there = self.by_id.set(id.clone(), record).is_some();
        match (was_there, is_there) {
            (false, true) => {
                self.in_order.insert_mut(id);
            }
            (true, false) => {
                self.in_order.remove_mut(&id);
            }
            _ => {}
        }
    }
}
