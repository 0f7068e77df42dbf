//! Edge tables: from an ordinal to the set of ordinals it is joined to, in one direction.

use std::fmt::Debug;

use crate::graph::{Members, QualifiedEdge};
use crate::ids::Ordinal;
use crate::slot::Slots;
use crate::slot_qualified::{QualifiedSlots, find};
use crate::trie::{Entries, Trie, slot_of};

/// A persistent map from a key to a set of members. A clone is cheap and keeps what it holds, whatever happens to the
/// original. Keys and members are at most `Ordinal::MAX`.
pub trait EdgeTable: Clone + Default + Debug + Send + Sync + 'static {
    /// The keys that have members, with them; ascending.
    type Entries<'a>: Iterator<Item = (u32, Members<'a>)>
    where
        Self: 'a;
    /// The table of qualified edges that is made alike.
    type Qualified: QualifiedTable;

    /// The members of a key.
    fn get(&self, key: u32) -> Members<'_>;
    /// Asks for the memory that `get` reads, without waiting for it.
    fn prefetch(&self, _key: u32) {}
    /// Adds a member; false when it was there.
    fn insert(&mut self, key: u32, member: u32) -> bool;
    /// Takes a member; false when it was not there.
    fn remove(&mut self, key: u32, member: u32) -> bool;
    /// Gives a key without members these: ascending, without duplicates. Fastest when keys come in order.
    fn append(&mut self, key: u32, members: &[u32]);
    /// Bytes, about, that changes have copied for clones of what this table was before, ever since it was empty: by how
    /// much this grows from a table to what comes of it, one holds that the other does not. 0 where nobody counts.
    fn replaced_bytes(&self) -> u64 {
        0
    }
    /// From a key on.
    fn iter_from(&self, key: u32) -> Self::Entries<'_>;
}

/// The table of qualified edges in one direction: a persistent map from a key to its row of edges. A clone is cheap and
/// keeps what it holds, whatever happens to the original. Keys and other ends are at most `Ordinal::MAX`.
pub trait QualifiedTable: Clone + Default + Debug + Send + Sync + 'static {
    /// The keys that have a row, with it; ascending.
    type Entries<'a>: Iterator<Item = (u32, &'a [QualifiedEdge])>
    where
        Self: 'a;

    /// A key's row, ascending by the other end.
    fn row(&self, key: u32) -> &[QualifiedEdge];
    /// Puts an edge, in the place of the one with the same other end if there is such.
    fn put(&mut self, key: u32, edge: QualifiedEdge);
    /// Takes an edge; false when it was not there.
    fn remove(&mut self, key: u32, other: Ordinal) -> bool;
    /// Gives a key without a row this one: ascending, without duplicates.
    fn append(&mut self, key: u32, row: Vec<QualifiedEdge>);
    /// As that of [`EdgeTable`].
    fn replaced_bytes(&self) -> u64 {
        0
    }
    /// From a key on.
    fn iter_from(&self, key: u32) -> Self::Entries<'_>;
}

/// The edge table as a radix trie of reference-counted nodes.
#[derive(Debug, Clone, Default)]
pub struct ArcTrie(Trie<Slots>);

impl EdgeTable for ArcTrie {
    type Entries<'a> = ArcTrieEntries<'a>;
    type Qualified = ArcRows;

    fn get(&self, key: u32) -> Members<'_> {
        self.0.leaf(key).map_or(Members::Empty, |slots| slots.members(slot_of(key)))
    }

    fn prefetch(&self, key: u32) {
        if let Some(slots) = self.0.leaf(key) {
            slots.prefetch(slot_of(key));
        }
    }

    fn insert(&mut self, key: u32, member: u32) -> bool {
        // Looked up first, so that a change that changes nothing copies nothing.
        !self.get(key).contains(Ordinal(member))
            && self.0.leaf_mut(key).is_some_and(|slots| slots.insert(slot_of(key), member))
    }

    fn remove(&mut self, key: u32, member: u32) -> bool {
        if !self.get(key).contains(Ordinal(member)) {
            return false;
        }
        let removed = self.0.leaf_mut(key).is_some_and(|slots| slots.remove(slot_of(key), member));
        self.0.prune(key);
        removed
    }

    fn append(&mut self, key: u32, members: &[u32]) {
        if let Some(slots) = self.0.leaf_mut(key).filter(|_| !members.is_empty()) {
            slots.fill(slot_of(key), members);
        }
    }

    fn iter_from(&self, key: u32) -> ArcTrieEntries<'_> {
        ArcTrieEntries(self.0.entries(key))
    }
}

/// The entries of an `ArcTrie`.
#[derive(Debug)]
pub struct ArcTrieEntries<'a>(Entries<'a, Slots>);

impl<'a> Iterator for ArcTrieEntries<'a> {
    type Item = (u32, Members<'a>);

    fn next(&mut self) -> Option<(u32, Members<'a>)> {
        self.0.next().map(|(key, slots)| (key, slots.members(slot_of(key))))
    }
}

/// The table of qualified edges as a radix trie of reference-counted nodes.
#[derive(Debug, Clone, Default)]
pub struct ArcRows(Trie<QualifiedSlots>);

impl QualifiedTable for ArcRows {
    type Entries<'a> = ArcRowsEntries<'a>;

    fn row(&self, key: u32) -> &[QualifiedEdge] {
        self.0.leaf(key).map_or(&[], |slots| slots.row(slot_of(key)))
    }

    fn put(&mut self, key: u32, edge: QualifiedEdge) {
        if let Some(slots) = self.0.leaf_mut(key) {
            slots.put(slot_of(key), edge);
        }
    }

    fn remove(&mut self, key: u32, other: Ordinal) -> bool {
        // Looked up first, so that a change that changes nothing copies nothing.
        if find(self.row(key), other).is_err() {
            return false;
        }
        let removed = self.0.leaf_mut(key).is_some_and(|slots| slots.remove(slot_of(key), other));
        self.0.prune(key);
        removed
    }

    fn append(&mut self, key: u32, row: Vec<QualifiedEdge>) {
        if let Some(slots) = self.0.leaf_mut(key).filter(|_| !row.is_empty()) {
            slots.fill(slot_of(key), row);
        }
    }

    fn iter_from(&self, key: u32) -> ArcRowsEntries<'_> {
        ArcRowsEntries(self.0.entries(key))
    }
}

/// The entries of an `ArcRows`.
#[derive(Debug)]
pub struct ArcRowsEntries<'a>(Entries<'a, QualifiedSlots>);

impl<'a> Iterator for ArcRowsEntries<'a> {
    type Item = (u32, &'a [QualifiedEdge]);

    fn next(&mut self) -> Option<(u32, &'a [QualifiedEdge])> {
        self.0.next().map(|(key, slots)| (key, slots.row(slot_of(key))))
    }
}
