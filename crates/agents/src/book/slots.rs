//! From hashes to numbers, persistently: a trie of short arrays of slots, so that a number is found with one or two places
//! in memory that are not hot.
//!
//! A branch keeps only the children it has, 64 ways; a leaf is split when it grows. A clone shares every node, and a
//! change copies the nodes on its way. A slot knows 32 bits of its hash: who searches compares the keys. It also carries a
//! word beside its number, for what should be fetched together with the entry, not after it.

use std::sync::Arc;

/// Bits of the tag that one level takes.
const BITS: u32 = 6;
/// Most slots of a leaf that could still be split.
const LEAF_MAX: usize = 32;

/// A number and what goes with it, and the half of the hash that the trie is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Slot<B> {
    tag: u32,
    number: u32,
    beside: B,
}

#[derive(Debug, Clone)]
enum Node<B> {
    /// Which digits have a child, and their children in order.
    Branch(u64, Arc<[Node<B>]>),
    Leaf(Arc<[Slot<B>]>),
}

/// The trie.
#[derive(Debug, Clone)]
pub(super) struct Slots<B> {
    root: Node<B>,
}

impl<B> Default for Slots<B> {
    fn default() -> Self {
        Slots { root: Node::Leaf([].into()) }
    }
}

/// The part of a hash that a slot knows.
fn tag_of(hash: u64) -> u32 {
    (hash >> 32) as u32
}

/// The bit of a tag's digit at a level, and the place of its child among those of a branch.
fn place(digits: u64, tag: u32, shift: u32) -> (u64, usize) {
    let bit = 1u64 << ((tag >> shift) & 63);
    (bit, (digits & (bit - 1)).count_ones() as usize)
}

/// A copy of a slice in which `put` takes the place of `taken` elements at `at`.
fn spliced<T: Clone>(all: &[T], at: usize, taken: usize, put: Option<T>) -> Arc<[T]> {
    let (before, from) = all.split_at_checked(at).unwrap_or((all, &[]));
    let after = from.get(taken..).unwrap_or(&[]);
    before.iter().cloned().chain(put).chain(after.iter().cloned()).collect()
}

impl<B: Copy> Slots<B> {
    /// The number with this hash that `is_it`, and what goes with it.
    #[inline]
    pub(super) fn find(&self, hash: u64, is_it: impl Fn(u32) -> bool) -> Option<(u32, B)> {
        let tag = tag_of(hash);
        let mut node = &self.root;
        let mut shift = 0;
        loop {
            match node {
                Node::Branch(digits, children) => {
                    let (bit, at) = place(*digits, tag, shift);
                    if digits & bit == 0 {
                        return None;
                    }
                    node = children.get(at)?;
                    shift += BITS;
                }
                Node::Leaf(slots) => {
                    let found = slots.iter().find(|slot| slot.tag == tag && is_it(slot.number));
                    return found.map(|slot| (slot.number, slot.beside));
                }
            }
        }
    }

    /// Adds a number, or changes what goes with it.
    pub(super) fn set(&mut self, hash: u64, number: u32, beside: B) {
        self.root.set(Slot { tag: tag_of(hash), number, beside }, 0);
    }

    /// Removes a number, which must have been added with this hash.
    pub(super) fn remove(&mut self, hash: u64, number: u32) {
        if self.root.remove(tag_of(hash), number, 0) {
            *self = Slots::default();
        }
    }
}

impl<B: Copy> Node<B> {
    fn set(&mut self, slot: Slot<B>, shift: u32) {
        match self {
            Node::Branch(digits, children) => {
                let (bit, at) = place(*digits, slot.tag, shift);
                if *digits & bit == 0 {
                    *digits |= bit;
                    *children = spliced(children, at, 0, Some(Node::Leaf([slot].into())));
                } else if let Some(child) = Arc::make_mut(children).get_mut(at) {
                    child.set(slot, shift + BITS);
                }
            }
            Node::Leaf(slots) => {
                let there = slots.iter().position(|other| other.number == slot.number);
                // The last digits would be partial: what has them in common stays together.
                if there.is_none() && slots.len() >= LEAF_MAX && shift + BITS <= u32::BITS {
                    let mut branch = Node::Branch(0, [].into());
                    slots.iter().for_each(|other| branch.set(*other, shift));
                    branch.set(slot, shift);
                    *self = branch;
                    return;
                }
                let (at, taken) = there.map_or((slots.len(), 0), |at| (at, 1));
                *slots = spliced(slots, at, taken, Some(slot));
            }
        }
    }

    /// Removes a number; whether nothing is left.
    fn remove(&mut self, tag: u32, number: u32, shift: u32) -> bool {
        match self {
            Node::Branch(digits, children) => {
                let (bit, at) = place(*digits, tag, shift);
                if *digits & bit == 0 {
                    return false;
                }
                let child = Arc::make_mut(children).get_mut(at);
                if child.is_some_and(|child| child.remove(tag, number, shift + BITS)) {
                    *digits &= !bit;
                    *children = spliced(children, at, 1, None);
                }
                *digits == 0
            }
            Node::Leaf(slots) => {
                if let Some(at) = slots.iter().position(|slot| slot.number == number) {
                    *slots = spliced(slots, at, 1, None);
                }
                slots.is_empty()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn compare(hash: impl Fn(u32) -> u64) {
        let mut slots = Slots::default();
        let mut set: BTreeMap<u32, u32> = BTreeMap::new();
        let mut kept = Vec::new();
        let mut seed = 1u32;
        let agree = |slots: &Slots<u32>, set: &BTreeMap<u32, u32>| {
            for number in 0..1500 {
                let found = slots.find(hash(number), |other| other == number);
                assert_eq!(found, set.get(&number).map(|beside| (number, *beside)), "{number}");
            }
        };
        for step in 0..8000u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (seed >> 8) % 1500;
            if (seed >> 20).is_multiple_of(3) {
                set.remove(&number);
                slots.remove(hash(number), number);
            } else {
                set.insert(number, step);
                slots.set(hash(number), number, step);
            }
            if step.is_multiple_of(2000) {
                kept.push((slots.clone(), set.clone()));
            }
        }
        for (number, _) in std::mem::take(&mut set) {
            slots.remove(hash(number), number);
        }
        kept.push((slots, set));
        kept.iter().for_each(|(slots, set)| agree(slots, set));
    }

    #[test]
    fn every_version_keeps_what_it_held() {
        compare(|number| u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15));
    }

    #[test]
    fn equal_hashes_are_told_apart() {
        compare(|number| u64::from(number % 3) << 63);
    }
}
