//! Which records belong to what.

use std::borrow::Borrow;
use std::hash::Hash;
use std::ops::Bound;

use rpds::RedBlackTreeSetSync;

use super::table::{Map, empty};

/// Ids by something they have in common, in order. What has none takes no place.
#[derive(Debug, Clone)]
pub(super) struct Index<K: Hash + Eq, I: Ord> {
    sets: Map<K, RedBlackTreeSetSync<I>>,
}

impl<K: Hash + Eq, I: Ord> Default for Index<K, I> {
    fn default() -> Self {
        Index { sets: empty() }
    }
}

impl<K: Hash + Eq, I: Ord> PartialEq for Index<K, I> {
    fn eq(&self, other: &Self) -> bool {
        self.sets == other.sets
    }
}

impl<K: Hash + Eq + Clone, I: Ord + Clone + 'static> Index<K, I> {
    pub(super) fn of<Q>(&self, key: &Q) -> impl Iterator<Item = &I>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.after(key, None)
    }

    /// Those strictly after an id.
    pub(super) fn after<Q>(&self, key: &Q, id: Option<I>) -> impl Iterator<Item = &I>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let from = id.map_or(Bound::Unbounded, Bound::Excluded);
        self.sets.get(key).into_iter().flat_map(move |set| set.range((from.clone(), Bound::Unbounded)))
    }

    pub(super) fn count<Q>(&self, key: &Q) -> usize
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.sets.get(key).map_or(0, RedBlackTreeSetSync::size)
    }

    pub(super) fn insert(&mut self, key: &K, id: I) {
        match self.sets.get_mut(key) {
            Some(set) => {
                set.insert_mut(id);
            }
            None => {
                let mut set = RedBlackTreeSetSync::new_sync();
                set.insert_mut(id);
                self.sets.insert_mut(key.clone(), set);
            }
        }
    }

    pub(super) fn remove(&mut self, key: &K, id: &I) {
        let Some(set) = self.sets.get_mut(key) else { return };
        set.remove_mut(id);
        if set.is_empty() {
            self.sets.remove_mut(key);
        }
    }
}
