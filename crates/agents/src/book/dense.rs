//! A persistent array for small entries found by number: a few hot steps and one place in memory.
//!
//! A tree over the digits of the number, 32 ways, with leaves of 64 entries. A clone shares every node, and a change
//! copies the nodes on its way.

use std::array;
use std::sync::Arc;

use pemba_engine::prefetch;

/// Bytes that come from memory together.
const LINE: usize = 64;
/// Bits of the number that one branch takes.
const BITS: u32 = 5;
const WAYS: usize = 1 << BITS;
/// Bits of the number that a leaf takes.
const LEAF_BITS: u32 = 6;
const LEAF: usize = 1 << LEAF_BITS;

#[derive(Debug, Clone)]
enum Node<T> {
    Empty,
    Branch(Arc<[Node<T>; WAYS]>),
    Leaf(Arc<[T; LEAF]>),
}

/// The array. Entries that were never updated, next to some that were, are as by default.
#[derive(Debug, Clone)]
pub(super) struct Dense<T> {
    root: Node<T>,
    /// How many bits of a number the tree takes; numbers with more have no entry.
    bits: u32,
}

impl<T> Default for Dense<T> {
    fn default() -> Self {
        Dense { root: Node::Empty, bits: LEAF_BITS }
    }
}

/// The digit of a number above its lowest `bits` bits.
fn digit(number: u32, bits: u32) -> usize {
    (u64::from(number) >> bits) as usize % WAYS
}

impl<T> Dense<T> {
    /// A number's entry.
    #[inline]
    pub(super) fn get(&self, number: u32) -> Option<&T> {
        let mut bits = self.bits;
        if u64::from(number) >> bits != 0 {
            return None;
        }
        let mut node = &self.root;
        loop {
            match node {
                Node::Branch(children) => {
                    bits -= BITS;
                    node = children.get(digit(number, bits))?;
                }
                Node::Leaf(entries) => return entries.get(number as usize % LEAF),
                Node::Empty => return None,
            }
        }
    }
}

impl<T> Dense<T> {
    /// Asks the processor for a number's entry, which will be read soon.
    #[inline]
    pub(super) fn ask(&self, number: u32) {
        if let Some(entry) = self.get(number) {
            ask(entry);
        }
    }
}

/// Asks the processor for an entry that will be read soon.
#[inline]
pub(super) fn ask<T>(entry: &T) {
    let first = std::ptr::from_ref(entry).cast::<u8>();
    prefetch(first);
    if align_of::<T>() < LINE || size_of::<T>() > LINE {
        prefetch(first.wrapping_add(size_of::<T>().saturating_sub(1)));
    }
}

impl<T: Clone + Default> Dense<T> {
    /// Changes a number's entry.
    pub(super) fn update(&mut self, number: u32, change: impl FnOnce(&mut T)) {
        while u64::from(number) >> self.bits != 0 {
            let before = std::mem::replace(&mut self.root, Node::Empty);
            if !matches!(before, Node::Empty) {
                let mut first = Some(before);
                self.root = Node::Branch(Arc::new(array::from_fn(|_| first.take().unwrap_or(Node::Empty))));
            }
            self.bits += BITS;
        }
        if let Some(entry) = self.root.entry(number, self.bits) {
            change(entry);
        }
    }
}

impl<T: Clone + Default> Node<T> {
    fn entry(&mut self, number: u32, bits: u32) -> Option<&mut T> {
        if bits <= LEAF_BITS {
            if let Node::Empty = self {
                *self = Node::Leaf(Arc::new(array::from_fn(|_| T::default())));
            }
            let Node::Leaf(entries) = self else { return None };
            return Arc::make_mut(entries).get_mut(number as usize % LEAF);
        }
        if let Node::Empty = self {
            *self = Node::Branch(Arc::new(array::from_fn(|_| Node::Empty)));
        }
        let Node::Branch(children) = self else { return None };
        let below = bits - BITS;
        Arc::make_mut(children).get_mut(digit(number, below))?.entry(number, below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_keeps_what_it_held() {
        let mut dense: Dense<u32> = Dense::default();
        let mut kept = Vec::new();
        let numbers = [0, 63, 64, 2047, 2048, 65_535, 65_536, 200_000, u32::MAX];
        for (at, number) in numbers.into_iter().enumerate() {
            kept.push(dense.clone());
            dense.update(number, |entry| *entry = number / 2 + 1);
            for (other, earlier) in numbers.iter().zip(&kept) {
                assert!(earlier.get(*other).is_none_or(|entry| *entry == 0), "{other}");
            }
            for number in &numbers[..=at] {
                assert_eq!(dense.get(*number), Some(&(number / 2 + 1)));
            }
        }
        assert_eq!(dense.get(1 << 30), None);
    }
}
