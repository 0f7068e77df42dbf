//! The edge table as a radix trie without reference counts: fan-out 64, one writer at a time, every node owned by the
//! version in which it was made, and freed when no version is alive that has it.
//!
//! - `node`: nodes, packed slots and sets as raw memory;
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
mod tree;

use std::fmt;
use std::sync::Arc;

use crate::epoch::chain::Version;
use crate::epoch::change::Change;
use crate::epoch::tree::Root;
use crate::graph::Members;
use crate::ids::Ordinal;
use crate::table::EdgeTable;

pub use crate::epoch::tree::EpochEntries;

/// The edge table as an epoch trie. A clone shares the version; the first change of a version that is shared begins the
/// next one. A change of a version that is not the latest costs no more, but keeps that version's nodes for as long as
/// what comes of it.
#[derive(Clone, Default)]
pub struct EpochTrie {
    /// That of the version, at hand.
    root: Root,
    version: Option<Arc<Version>>,
}

impl EpochTrie {
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
}

impl EdgeTable for EpochTrie {
    type Entries<'a> = EpochEntries<'a>;

    fn get(&self, key: u32) -> Members<'_> {
        // SAFETY: the table holds the version, and for as long as it is borrowed nobody changes it.
        unsafe { self.root.slot(key).members() }
    }

    fn prefetch(&self, key: u32) {
        // SAFETY: as in `get`.
        unsafe { self.root.prefetch(key) }
    }

    fn insert(&mut self, key: u32, member: u32) -> bool {
        // Looked up first, so that a change that changes nothing copies nothing.
        !self.get(key).contains(Ordinal(member)) && self.change(|change| change.insert(key, member))
    }

    fn remove(&mut self, key: u32, member: u32) -> bool {
        self.get(key).contains(Ordinal(member)) && self.change(|change| change.remove(key, member))
    }

    fn append(&mut self, key: u32, members: &[u32]) {
        if !members.is_empty() {
            self.change(|change| change.append(key, members));
        }
    }

    fn replaced_bytes(&self) -> u64 {
        self.version.as_ref().map_or(0, |version| version.replaced_bytes)
    }

    fn iter_from(&self, key: u32) -> EpochEntries<'_> {
        // SAFETY: as in `get`.
        unsafe { EpochEntries::new(self.root, key) }
    }
}

impl fmt::Debug for EpochTrie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter_from(0).map(|(key, members)| (key, members.iter().count()))).finish()
    }
}
