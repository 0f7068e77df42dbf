//! The edge table as a radix trie without reference counts: fan-out 64, one writer at a time, every node owned by the
//! version in which it was made, and freed when no version is alive that has it.
//!
//! - `node`: nodes, packed slots and sets as raw memory, and `row`, rows of qualified edges;
//! - `tree`: reading the tree of a version;
//! - `change`: changing it;
//! - `chain`: which versions are alive, and what may be freed.
#![allow(
    unsafe_code,
    reason = "nodes are shared by versions without being counted; `ArcTrie` is the safe oracle"
)]

mod chain;
mod change;
mod node;
mod row;
mod tree;

use std::fmt;
use std::sync::Arc;

use crate::epoch::chain::Version;
use crate::epoch::change::Change;
use crate::epoch::tree::{Occupied, Root};
use crate::graph::{Members, QualifiedEdge};
use crate::ids::Ordinal;
use crate::slot_qualified::find;
use crate::table::{EdgeTable, QualifiedTable};

pub use crate::epoch::tree::{EpochEntries, EpochRowsEntries};

/// A version of a trie. A clone shares it; the first change of a version that is shared begins the next one. A change of
/// a version that is not the latest costs no more, but keeps that version's nodes for as long as what comes of it.
#[derive(Clone, Default)]
struct Versioned {
    /// That of the version, at hand.
    root: Root,
    version: Option<Arc<Version>>,
}

impl Versioned {
    fn change(&mut self, apply: impl FnOnce(&mut Change) -> Option<()>) -> bool {
        let Some(version) = Version::own(&mut self.version) else { return false };
        // SAFETY: the version is this table's alone, and stays so for the borrow.
        let mut change = unsafe { Change::new(version.id, version.root) };
        let done = apply(&mut change).is_some();
        version.root = change.root;
        self.root = change.root;
        // SAFETY: the change put other words where these nodes were.
        unsafe { version.retire(&change.retired) };
        done
    }

    fn replaced_bytes(&self) -> u64 {
        self.version.as_ref().map_or(0, |version| version.replaced_bytes)
    }

    fn occupied(&self, from: u32) -> Occupied<'_> {
        // SAFETY: the version is held, and for as long as it is borrowed nobody changes it.
        unsafe { Occupied::new(self.root, from) }
    }
}

/// The edge table as an epoch trie.
#[derive(Clone, Default)]
pub struct EpochTrie(Versioned);

/// The table of qualified edges as an epoch trie.
#[derive(Clone, Default)]
pub struct EpochRows(Versioned);

impl EdgeTable for EpochTrie {
    type Entries<'a> = EpochEntries<'a>;
    type Qualified = EpochRows;

    fn get(&self, key: u32) -> Members<'_> {
        // SAFETY: the table holds the version, and for as long as it is borrowed nobody changes it.
        unsafe { self.0.root.members(key) }
    }

    fn prefetch(&self, key: u32) {
        // SAFETY: as in `get`.
        unsafe { self.0.root.prefetch(key) }
    }

    fn insert(&mut self, key: u32, member: u32) -> bool {
        // Looked up first, so that a change that changes nothing copies nothing.
        !self.get(key).contains(Ordinal(member)) && self.0.change(|change| change.insert(key, member))
    }

    fn remove(&mut self, key: u32, member: u32) -> bool {
        self.get(key).contains(Ordinal(member)) && self.0.change(|change| change.remove(key, member))
    }

    fn append(&mut self, key: u32, members: &[u32]) {
        if !members.is_empty() {
            self.0.change(|change| change.append(key, members));
        }
    }

    fn replaced_bytes(&self) -> u64 {
        self.0.replaced_bytes()
    }

    fn iter_from(&self, key: u32) -> EpochEntries<'_> {
        EpochEntries(self.0.occupied(key))
    }
}

impl QualifiedTable for EpochRows {
    type Entries<'a> = EpochRowsEntries<'a>;

    fn row(&self, key: u32) -> &[QualifiedEdge] {
        // SAFETY: the table holds the version, and for as long as it is borrowed nobody changes it.
        unsafe { self.0.root.slot(key).row() }
    }

    fn put(&mut self, key: u32, edge: QualifiedEdge) {
        self.0.change(|change| change.put_edge(key, edge));
    }

    fn remove(&mut self, key: u32, other: Ordinal) -> bool {
        // Looked up first, so that a change that changes nothing copies nothing.
        let found = find(self.row(key), other);
        found.is_ok_and(|at| self.0.change(|change| change.remove_edge(key, at)))
    }

    fn append(&mut self, key: u32, row: Vec<QualifiedEdge>) {
        if !row.is_empty() {
            self.0.change(|change| change.append_row(key, row));
        }
    }

    fn replaced_bytes(&self) -> u64 {
        self.0.replaced_bytes()
    }

    fn iter_from(&self, key: u32) -> EpochRowsEntries<'_> {
        EpochRowsEntries(self.0.occupied(key))
    }
}

impl fmt::Debug for EpochRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter_from(0)).finish()
    }
}

impl fmt::Debug for EpochTrie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter_from(0).map(|(key, members)| (key, members.iter().count()))).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::epoch::node::Leaf;

    /// Whether a leaf is wide, and whether it has to be; `None` where there is none.
    fn shape(table: &EpochTrie, key: u32) -> Option<(bool, bool)> {
        // SAFETY: the table holds the version and is borrowed.
        unsafe {
            let leaf = table.0.root.leaf(key)?;
            Some((matches!(leaf, Leaf::Wide(_)), (0..64).any(|at| leaf.slot(at).is_set())))
        }
    }

    proptest! {
        #[test]
        fn a_leaf_is_wide_exactly_while_it_has_a_set(
            steps in prop::collection::vec((any::<bool>(), 0..130u32, 0..3u32, 0..4u32), 1..200),
        ) {
            let (mut table, mut kept) = (EpochTrie::default(), Vec::new());
            for (is_insert, key, member, keep) in steps {
                if is_insert {
                    table.insert(key, member);
                } else {
                    table.remove(key, member);
                }
                // Some changes are made in a version of their own, others in that of the one before.
                if keep == 0 {
                    kept.push(table.clone());
                }
                for table in kept.iter().rev().take(3).chain([&table]) {
                    for key in [0, 64, 128] {
                        let shape = shape(table, key);
                        prop_assert!(shape.is_none_or(|(is_wide, has_set)| is_wide == has_set));
                    }
                }
            }
        }
    }

    #[test]
    fn a_leaf_whose_sets_all_go_becomes_narrow_in_one_version_and_in_many() {
        for is_kept in [false, true] {
            let (mut table, mut kept) = (EpochTrie::default(), Vec::new());
            for key in 0..64 {
                table.append(key, &[1, 2]);
            }
            assert_eq!(shape(&table, 0), Some((true, true)));
            for key in 0..64 {
                if is_kept {
                    kept.push(table.clone());
                }
                assert!(table.remove(key, 1));
                assert_eq!(shape(&table, 0), Some((key < 63, key < 63)));
            }
            assert!(table.insert(7, 9));
            assert_eq!(shape(&table, 0), Some((true, true)));
            assert!((0..64).all(|key| table.get(key).contains(Ordinal(2))));
            assert!(kept.iter().all(|table| table.get(63).contains(Ordinal(1))));
        }
    }
}
