//! A persistent map for reads that must be cheap: few nodes on the way to a record, and few lines of memory in each.
//!
//! A trie over the bits of the key's hash, 64 ways. A branch keeps only the children it has; a leaf is a short array that
//! is split when it grows. A clone shares every node, and a change copies the nodes on its way.

use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

use foldhash::quality::FixedState;

/// Bits of the hash that one level takes.
const BITS: u32 = 6;
/// Most entries of a leaf that could still be split.
const LEAF_MAX: usize = 8;

#[derive(Debug)]
struct Entry<K, V> {
    hash: u64,
    key: K,
    value: Arc<V>,
}

impl<K: Clone, V> Clone for Entry<K, V> {
    fn clone(&self) -> Self {
        Entry { hash: self.hash, key: self.key.clone(), value: Arc::clone(&self.value) }
    }
}

#[derive(Debug)]
enum Node<K, V> {
    /// Which digits have a child, and their children in order.
    Branch(u64, Arc<[Node<K, V>]>),
    Leaf(Arc<[Entry<K, V>]>),
}

impl<K, V> Clone for Node<K, V> {
    fn clone(&self) -> Self {
        match self {
            Node::Branch(digits, children) => Node::Branch(*digits, Arc::clone(children)),
            Node::Leaf(entries) => Node::Leaf(Arc::clone(entries)),
        }
    }
}

/// The map.
#[derive(Debug)]
pub(super) struct HashTrie<K, V> {
    root: Option<Node<K, V>>,
    len: usize,
    hasher: FixedState,
}

impl<K, V> Clone for HashTrie<K, V> {
    fn clone(&self) -> Self {
        HashTrie { root: self.root.clone(), len: self.len, hasher: self.hasher.clone() }
    }
}

impl<K, V> Default for HashTrie<K, V> {
    fn default() -> Self {
        HashTrie { root: None, len: 0, hasher: FixedState::with_seed(0x0070_656d_6261) }
    }
}

/// The bit of a hash's digit at a level, and the place of its child among those of a branch.
fn place(digits: u64, hash: u64, shift: u32) -> (u64, usize) {
    let bit = 1u64 << ((hash >> shift) & 63);
    (bit, (digits & (bit - 1)).count_ones() as usize)
}

/// A copy of a slice in which `put` takes the place of `taken` elements at `at`.
fn spliced<T: Clone>(all: &[T], at: usize, taken: usize, put: Option<T>) -> Arc<[T]> {
    let (before, from) = all.split_at_checked(at).unwrap_or((all, &[]));
    let after = from.get(taken..).unwrap_or(&[]);
    before.iter().cloned().chain(put).chain(after.iter().cloned()).collect()
}

impl<K: Hash + Eq + Clone, V> HashTrie<K, V> {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A key's value.
    pub(super) fn get(&self, key: &K) -> Option<&Arc<V>> {
        let mut node = self.root.as_ref()?;
        let hash = self.hasher.hash_one(key);
        let mut shift = 0;
        loop {
            match node {
                Node::Branch(digits, children) => {
                    let (bit, at) = place(*digits, hash, shift);
                    if digits & bit == 0 {
                        return None;
                    }
                    node = children.get(at)?;
                    shift += BITS;
                }
                Node::Leaf(entries) => {
                    let is_it = |entry: &&Entry<K, V>| entry.hash == hash && entry.key == *key;
                    return entries.iter().find(is_it).map(|entry| &entry.value);
                }
            }
        }
    }

    /// Gives a key this value, or takes it from the map; what it had.
    pub(super) fn set(&mut self, key: K, value: Option<Arc<V>>) -> Option<Arc<V>> {
        let hash = self.hasher.hash_one(&key);
        let before = self.get(&key).cloned();
        match value {
            Some(value) => {
                let entry = Entry { hash, key, value };
                match &mut self.root {
                    Some(root) => root.insert(entry, 0),
                    None => self.root = Some(Node::Leaf([entry].into())),
                }
                self.len += usize::from(before.is_none());
            }
            None if before.is_some() => {
                if self.root.as_mut().is_some_and(|root| root.remove(hash, &key, 0)) {
                    self.root = None;
                }
                self.len -= 1;
            }
            None => {}
        }
        before
    }
}

impl<K: Eq + Clone, V> Node<K, V> {
    fn insert(&mut self, entry: Entry<K, V>, shift: u32) {
        match self {
            Node::Branch(digits, children) => {
                let (bit, at) = place(*digits, entry.hash, shift);
                if *digits & bit == 0 {
                    *digits |= bit;
                    *children = spliced(children, at, 0, Some(Node::Leaf([entry].into())));
                } else if let Some(child) = Arc::make_mut(children).get_mut(at) {
                    child.insert(entry, shift + BITS);
                }
            }
            Node::Leaf(entries) => {
                let there =
                    entries.iter().position(|other| other.hash == entry.hash && other.key == entry.key);
                if there.is_none() && entries.len() >= LEAF_MAX && shift < u64::BITS {
                    let mut branch = Node::Branch(0, Arc::from(Vec::new()));
                    entries.iter().cloned().for_each(|other| branch.insert(other, shift));
                    branch.insert(entry, shift);
                    *self = branch;
                    return;
                }
                let (at, taken) = there.map_or((entries.len(), 0), |at| (at, 1));
                *entries = spliced(entries, at, taken, Some(entry));
            }
        }
    }

    /// Removes a key that is there; whether nothing is left.
    fn remove(&mut self, hash: u64, key: &K, shift: u32) -> bool {
        match self {
            Node::Branch(digits, children) => {
                let (bit, at) = place(*digits, hash, shift);
                let child = Arc::make_mut(children).get_mut(at);
                if child.is_some_and(|child| child.remove(hash, key, shift + BITS)) {
                    *digits &= !bit;
                    *children = spliced(children, at, 1, None);
                }
                *digits == 0
            }
            Node::Leaf(entries) => {
                if let Some(at) = entries.iter().position(|entry| entry.hash == hash && entry.key == *key) {
                    *entries = spliced(entries, at, 1, None);
                }
                entries.is_empty()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::hash::Hasher;

    use super::*;

    /// A key whose hash leaves few differences, so that leaves collide at every level.
    #[derive(Debug, Clone, PartialEq, Eq)]
    struct Clash(u32);

    impl Hash for Clash {
        fn hash<H: Hasher>(&self, state: &mut H) {
            state.write_u32(self.0 % 3);
        }
    }

    fn compare<K: Hash + Eq + Clone + std::fmt::Debug>(key: impl Fn(u32) -> K) {
        let mut trie = HashTrie::default();
        let mut map: BTreeMap<u32, u32> = BTreeMap::new();
        let mut kept = Vec::new();
        let mut seed = 1u32;
        for step in 0..6000u32 {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let number = (seed >> 8) % 400;
            let value = (!(seed >> 20).is_multiple_of(3)).then_some(step);
            let before = trie.set(key(number), value.map(Arc::new));
            let expected = match value {
                Some(value) => map.insert(number, value),
                None => map.remove(&number),
            };
            assert_eq!(before.as_deref(), expected.as_ref());
            assert_eq!(trie.len(), map.len());
            if step.is_multiple_of(1000) {
                kept.push((trie.clone(), map.clone()));
            }
        }
        map.keys().copied().collect::<Vec<_>>().into_iter().for_each(|number| {
            map.remove(&number);
            trie.set(key(number), None);
        });
        kept.push((trie, map));
        for (trie, map) in kept {
            for number in 0..400 {
                assert_eq!(
                    trie.get(&key(number)).map(|value| **value),
                    map.get(&number).copied(),
                    "{number}"
                );
            }
        }
    }

    #[test]
    fn every_version_keeps_what_it_held() {
        compare(|number| number);
    }

    #[test]
    fn equal_hashes_are_told_apart() {
        compare(Clash);
    }
}
