//! The tree of one version: finding slots, walking over them, freeing what is newer than another version.

use std::marker::PhantomData;

use crate::epoch::node::{Inner, Leaf, Node, Slot};
use crate::graph::{Members, QualifiedEdge};
use crate::trie::{BITS, FAN_OUT, digit, slot_of};

/// Where a tree begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Root {
    /// 0, or the address of an `Inner`.
    pub(super) word: u64,
    /// The version in which that was made.
    pub(super) birth: u64,
    /// Bits below its digit; it covers keys of `shift + BITS` bits.
    pub(super) shift: u32,
}

impl Default for Root {
    fn default() -> Root {
        Root { word: 0, birth: 0, shift: BITS }
    }
}

impl Root {
    /// What a key has.
    ///
    /// # Safety
    ///
    /// Nothing in the tree is freed or written to.
    pub(super) unsafe fn slot(self, key: u32) -> Slot {
        // SAFETY: the caller's promise.
        unsafe { self.leaf(key).map_or(Slot::Empty, |leaf| leaf.slot(slot_of(key))) }
    }

    /// The members of a key.
    ///
    /// # Safety
    ///
    /// Nothing in the tree is freed or written to during `'a`.
    #[inline]
    pub(super) unsafe fn members<'a>(self, key: u32) -> Members<'a> {
        // SAFETY: the caller's promise.
        unsafe { self.leaf(key).map_or(Members::Empty, |leaf| leaf.members(slot_of(key))) }
    }

    /// Asks the processor for the memory in which a key's slot lies.
    ///
    /// # Safety
    ///
    /// As for `slot`.
    pub(super) unsafe fn prefetch(self, key: u32) {
        // SAFETY: the caller's promise.
        if let Some(leaf) = unsafe { self.leaf(key) } {
            leaf.prefetch(slot_of(key));
        }
    }

    /// The leaf with a key's slot.
    ///
    /// # Safety
    ///
    /// As for `slot`.
    pub(super) unsafe fn leaf(self, key: u32) -> Option<Leaf> {
        if u64::from(key) >> (self.shift + BITS) != 0 {
            return None;
        }
        let (mut word, mut shift) = (self.word, self.shift);
        loop {
            // SAFETY: the word is one of the tree, at a level above the leaves.
            (word, _) = unsafe { Inner::of(word)?.as_ref() }.child(digit(key, shift));
            if shift == BITS {
                return Leaf::of(word);
            }
            shift -= BITS;
        }
    }

    /// The first leaf that has something at `from` or after it, with its first key.
    ///
    /// # Safety
    ///
    /// As for `slot`.
    unsafe fn seek(self, from: u32) -> Option<(u32, Leaf)> {
        if u64::from(from) >> (self.shift + BITS) != 0 {
            return None;
        }
        // SAFETY: the caller's promise.
        unsafe { seek(Inner::of(self.word)?.as_ref(), self.shift, from) }
    }

    /// Frees what was born after a version.
    ///
    /// # Safety
    ///
    /// Nobody has those nodes, and nobody writes to the others. The tree is not used again.
    pub(super) unsafe fn free_born_after(self, version: u64) {
        // SAFETY: the caller's promise.
        unsafe { free_inner(self.word, self.birth, self.shift, version) }
    }
}

/// # Safety
///
/// As for `Root::slot`; the node is one at this level.
unsafe fn seek(inner: &Inner, shift: u32, from: u32) -> Option<(u32, Leaf)> {
    let first = digit(from, shift);
    for at in first..FAN_OUT {
        // Keys below the digit: those of `from` in its own child, all in later ones.
        let above = u64::from(from) >> (shift + BITS) << (shift + BITS);
        let start = if at == first { from } else { (above | (at as u64) << shift) as u32 };
        let (word, _) = inner.child(at);
        // SAFETY: the words are ones of the tree, at the level that the shift says.
        let found = unsafe {
            if shift == BITS {
                let leaf = Leaf::of(word).filter(|leaf| !leaf.is_empty_from(slot_of(start)));
                leaf.map(|leaf| (start - slot_of(start), leaf))
            } else {
                Inner::of(word).and_then(|inner| seek(inner.as_ref(), shift - BITS, start))
            }
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// A node is no older than what lies below it, so nothing newer lies below one that is old.
///
/// # Safety
///
/// As for `Root::free_born_after`; the word is one at this level.
unsafe fn free_inner(word: u64, birth: u64, shift: u32, version: u64) {
    let Some(inner) = Inner::of(word).filter(|_| birth > version) else { return };
    for at in 0..FAN_OUT {
        // SAFETY: the words are ones of the tree, at the level that the shift says.
        unsafe {
            let (word, birth) = inner.as_ref().child(at);
            if shift == BITS {
                free_leaf(word, birth, version);
            } else {
                free_inner(word, birth, shift - BITS, version);
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { Node::Inner(inner).free() }
}

/// # Safety
///
/// As for `free_inner`.
unsafe fn free_leaf(word: u64, birth: u64, version: u64) {
    let Some(leaf) = Leaf::of(word).filter(|_| birth > version) else { return };
    for at in 0..FAN_OUT as u32 {
        // SAFETY: the slot is one of the tree; the rest is the caller's promise.
        unsafe {
            let slot = leaf.slot(at);
            if slot.birth().is_some_and(|birth| birth > version) {
                Node::Slot(slot).free();
            }
        }
    }
    // SAFETY: the caller's promise.
    unsafe { Node::Leaf(leaf).free() }
}

/// The slots of a tree that hold something, with their keys, from some key on.
#[derive(Debug)]
pub(super) struct Occupied<'a> {
    root: Root,
    leaf: Option<Leaf>,
    /// First key of `leaf`, and its slot to look at next.
    base: u32,
    at: u32,
    /// Where to look for the leaf after this one; `None` at the end.
    next: Option<u32>,
    tree: PhantomData<&'a ()>,
}

// SAFETY: nodes belong to no thread, and this only reads them, while the tree is borrowed.
unsafe impl Send for Occupied<'_> {}
// SAFETY: as above.
unsafe impl Sync for Occupied<'_> {}

impl<'a> Occupied<'a> {
    /// # Safety
    ///
    /// Nothing in the tree is freed or written to during `'a`.
    pub(super) unsafe fn new(root: Root, from: u32) -> Occupied<'a> {
        Occupied { root, leaf: None, base: 0, at: 0, next: Some(from), tree: PhantomData }
    }
}

impl Iterator for Occupied<'_> {
    type Item = (u32, Slot);

    fn next(&mut self) -> Option<(u32, Slot)> {
        loop {
            let Some(leaf) = self.leaf.filter(|_| self.at < FAN_OUT as u32) else {
                let from = self.next?;
                // SAFETY: the promise of `new`.
                let Some((base, leaf)) = (unsafe { self.root.seek(from) }) else {
                    self.next = None;
                    return None;
                };
                self.at = if from > base { slot_of(from) } else { 0 };
                (self.leaf, self.base) = (Some(leaf), base);
                self.next = base.checked_add(FAN_OUT as u32);
                continue;
            };
            let at = self.at;
            self.at += 1;
            // SAFETY: the promise of `new`.
            let slot = unsafe { leaf.slot(at) };
            if !matches!(slot, Slot::Empty) {
                return Some((self.base + at, slot));
            }
        }
    }
}

/// The keys of a tree that have members, with them, from some key on.
#[derive(Debug)]
pub struct EpochEntries<'a>(pub(super) Occupied<'a>);

impl<'a> Iterator for EpochEntries<'a> {
    type Item = (u32, Members<'a>);

    fn next(&mut self) -> Option<(u32, Members<'a>)> {
        // SAFETY: the promise of `Occupied::new`.
        self.0.next().map(|(key, slot)| (key, unsafe { slot.members() }))
    }
}

/// The keys of a tree that have a row, with it, from some key on.
#[derive(Debug)]
pub struct EpochRowsEntries<'a>(pub(super) Occupied<'a>);

impl<'a> Iterator for EpochRowsEntries<'a> {
    type Item = (u32, &'a [QualifiedEdge]);

    fn next(&mut self) -> Option<(u32, &'a [QualifiedEdge])> {
        // SAFETY: the promise of `Occupied::new`.
        self.0.next().map(|(key, slot)| (key, unsafe { slot.row() }))
    }
}
