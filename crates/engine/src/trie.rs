//! A persistent map from `u32` to whatever its leaves hold: a radix trie of shared nodes, fan-out 64.
//!
//! A clone shares every node. A change copies the nodes on its path that are shared, and no others; a transaction that
//! changes a path again finds it its own. Keys are dense ordinals, so the trie is only as high as its highest key needs.

use std::sync::Arc;

/// Children of a node and slots of a leaf.
pub(crate) const FAN_OUT: usize = 64;
/// Bits of a key that one level takes.
pub(crate) const BITS: u32 = FAN_OUT.ilog2();

/// What a trie holds at its ends: 64 slots.
pub(crate) trait Leaf: Clone + Default {
    /// Which slots hold something; a leaf where none does is dropped.
    fn occupied(&self) -> u64;
}

/// A node above the leaves.
#[derive(Debug, Clone)]
enum Node<L> {
    Nodes([Option<Arc<Node<L>>>; FAN_OUT]),
    Leaves([Option<Arc<L>>; FAN_OUT]),
}

/// The map. Empty slots are not told apart from missing ones.
#[derive(Debug, Clone)]
pub(crate) struct Trie<L> {
    root: Option<Arc<Node<L>>>,
    /// Bits below the root's digit; the root covers keys of `shift + BITS` bits. Unused without a root.
    shift: u32,
}

impl<L> Default for Trie<L> {
    fn default() -> Trie<L> {
        Trie { root: None, shift: BITS }
    }
}

/// The digit of a key at a level.
pub(crate) fn digit(key: u32, shift: u32) -> usize {
    (key >> shift) as usize % FAN_OUT
}

/// The slot of a key within its leaf.
pub(crate) fn slot_of(key: u32) -> u32 {
    key % FAN_OUT as u32
}

impl<L: Leaf> Node<L> {
    /// A node whose digit lies `shift` bits up, with nothing below.
    fn empty(shift: u32) -> Node<L> {
        if shift == BITS {
            Node::Leaves([const { None }; FAN_OUT])
        } else {
            Node::Nodes([const { None }; FAN_OUT])
        }
    }

    fn is_empty(&self) -> bool {
        match self {
            Node::Nodes(nodes) => nodes.iter().all(Option::is_none),
            Node::Leaves(leaves) => leaves.iter().all(Option::is_none),
        }
    }

    /// The first leaf with an occupied slot at `from` or after, within this node; with the leaf's first key.
    fn seek(&self, shift: u32, from: u32) -> Option<(u32, &L)> {
        let first = digit(from, shift);
        for at in first..FAN_OUT {
            // Keys below the digit: those of `from` in its own child, all in later ones.
            let above = u64::from(from) >> (shift + BITS) << (shift + BITS);
            let start = if at == first { from } else { (above | (at as u64) << shift) as u32 };
            let found = match self {
                Node::Nodes(nodes) => nodes.get(at)?.as_ref().and_then(|node| node.seek(shift - BITS, start)),
                Node::Leaves(leaves) => leaves
                    .get(at)?
                    .as_ref()
                    .filter(|leaf| leaf.occupied() >> slot_of(start) != 0)
                    .map(|leaf| (start - slot_of(start), leaf.as_ref())),
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// Drops the key's leaf if it is empty, and the nodes above it that are empty then.
    fn prune(&mut self, shift: u32, key: u32) {
        let at = digit(key, shift);
        match self {
            Node::Nodes(nodes) => {
                let Some(child) = nodes.get_mut(at) else { return };
                let Some(node) = child else { return };
                let node = Arc::make_mut(node);
                node.prune(shift - BITS, key);
                if node.is_empty() {
                    *child = None;
                }
            }
            Node::Leaves(leaves) => {
                if let Some(child) = leaves.get_mut(at)
                    && child.as_ref().is_some_and(|leaf| leaf.occupied() == 0)
                {
                    *child = None;
                }
            }
        }
    }
}

impl<L: Leaf> Trie<L> {
    /// The leaf that holds a key's slot, if there is one.
    pub(crate) fn leaf(&self, key: u32) -> Option<&L> {
        let mut node = self.root.as_deref()?;
        let mut shift = self.shift;
        if u64::from(key) >> (shift + BITS) != 0 {
            return None;
        }
        loop {
            match node {
                Node::Nodes(nodes) => {
                    node = nodes.get(digit(key, shift))?.as_deref()?;
                    shift -= BITS;
                }
                Node::Leaves(leaves) => return leaves.get(digit(key, shift))?.as_deref(),
            }
        }
    }

    /// The leaf that holds a key's slot, the trie's own, made if missing. Who empties it calls `prune`.
    pub(crate) fn leaf_mut(&mut self, key: u32) -> Option<&mut L> {
        while u64::from(key) >> (self.shift + BITS) != 0 {
            self.shift += BITS;
            if let Some(root) = self.root.take() {
                let mut children = [const { None }; FAN_OUT];
                if let Some(first) = children.first_mut() {
                    *first = Some(root);
                }
                self.root = Some(Arc::new(Node::Nodes(children)));
            }
        }
        let mut shift = self.shift;
        let mut node = Arc::make_mut(self.root.get_or_insert_with(|| Arc::new(Node::empty(shift))));
        loop {
            match node {
                Node::Nodes(nodes) => {
                    let child = nodes.get_mut(digit(key, shift))?;
                    shift -= BITS;
                    node = Arc::make_mut(child.get_or_insert_with(|| Arc::new(Node::empty(shift))));
                }
                Node::Leaves(leaves) => {
                    return leaves
                        .get_mut(digit(key, shift))
                        .map(|child| Arc::make_mut(child.get_or_insert_default()));
                }
            }
        }
    }

    /// Drops the key's leaf if it is empty, and what is empty above it.
    pub(crate) fn prune(&mut self, key: u32) {
        if self.leaf(key).is_none_or(|leaf| leaf.occupied() != 0) {
            return;
        }
        let Some(root) = self.root.as_mut().map(Arc::make_mut) else { return };
        root.prune(self.shift, key);
        if root.is_empty() {
            *self = Trie::default();
        }
    }

    /// The leaves with an occupied slot at `from` or after, in order, as single slots: key and leaf.
    pub(crate) fn entries(&self, from: u32) -> Entries<'_, L> {
        Entries { trie: self, leaf: None, left: 0, base: 0, next: Some(from) }
    }

    fn seek(&self, from: u32) -> Option<(u32, &L)> {
        let root = self.root.as_deref()?;
        if u64::from(from) >> (self.shift + BITS) != 0 {
            return None;
        }
        root.seek(self.shift, from)
    }
}

/// The occupied slots of a trie from some key on, ascending.
#[derive(Debug)]
pub(crate) struct Entries<'a, L> {
    trie: &'a Trie<L>,
    leaf: Option<&'a L>,
    /// Occupied slots of `leaf` still to come.
    left: u64,
    /// First key of `leaf`.
    base: u32,
    /// Where to look for the leaf after this one; `None` at the end.
    next: Option<u32>,
}

impl<'a, L: Leaf> Iterator for Entries<'a, L> {
    /// A key and the leaf its slot is in.
    type Item = (u32, &'a L);

    fn next(&mut self) -> Option<(u32, &'a L)> {
        if self.left == 0 {
            let from = self.next?;
            let Some((base, leaf)) = self.trie.seek(from) else {
                self.next = None;
                return None;
            };
            let skipped = from.saturating_sub(base);
            self.leaf = Some(leaf);
            self.left = leaf.occupied() >> skipped << skipped;
            self.base = base;
            self.next = base.checked_add(FAN_OUT as u32);
        }
        let at = self.left.trailing_zeros();
        self.left &= self.left.wrapping_sub(1);
        self.leaf.map(|leaf| (self.base + at, leaf))
    }
}
