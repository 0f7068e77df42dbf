//! Changing the tree of a version that its writer has alone: what was made in this version is changed in place, everything
//! else is copied and retired.

use std::ptr::NonNull;

use smallvec::SmallVec;

use crate::epoch::chain::Retired;
use crate::epoch::node::{Few, Inner, Leaf, Many, Node, Slot};
use crate::epoch::row::Row;
use crate::epoch::tree::Root;
use crate::graph::QualifiedEdge;
use crate::slot::{FEW_AGAIN, FEW_MAX};
use crate::slot_qualified::put;
use crate::trie::{BITS, digit, slot_of};

/// A change of one key.
///
/// Its functions are safe to call in any order as long as what `new` demands holds.
pub(super) struct Change {
    /// The version.
    id: u64,
    /// Its tree, as it becomes.
    pub(super) root: Root,
    /// What is in it no longer.
    pub(super) retired: SmallVec<[Retired; 8]>,
}

impl Change {
    /// # Safety
    ///
    /// The tree is that of version `id`, nobody else reads or writes what was born in it, and nothing in the tree is freed
    /// before the change is done.
    pub(super) unsafe fn new(id: u64, root: Root) -> Change {
        Change { id, root, retired: SmallVec::new() }
    }

    /// What a key has.
    fn slot(&self, key: u32) -> Slot {
        // SAFETY: the promise of `new`; the change itself writes only between its calls.
        unsafe { self.root.slot(key) }
    }

    fn is_own(&self, slot: Slot) -> bool {
        // SAFETY: the slot is one of the tree.
        unsafe { slot.birth() == Some(self.id) }
    }

    /// Adds a member that is not there. `None` for a key that a trie cannot hold.
    pub(super) fn insert(&mut self, key: u32, member: u32) -> Option<()> {
        let before = self.slot(key);
        let after = match before {
            Slot::Empty | Slot::Row(_) => Slot::One(member),
            Slot::One(one) => {
                let pair = [one.min(member), one.max(member)];
                Slot::Few(Few::new(self.id, 2, pair.into_iter())?)
            }
            Slot::Few(few) => {
                // SAFETY: in the tree, and nobody writes to it while the members are used.
                let members = unsafe { Few::members(few) };
                let (at, len) = (members.partition_point(|one| *one < member), members.len());
                if len >= FEW_MAX {
                    let all = members.iter().copied().chain([member]);
                    Slot::Many(Many::new(self.id, all.collect()))
                } else if self.is_own(before) {
                    // SAFETY: born in this version, so nobody else has it.
                    if unsafe { Few::insert(few, at, member) } {
                        return Some(());
                    }
                    Slot::Few(Few::new(self.id, len + 1 + len / 8, with(members, at, member))?)
                } else {
                    Slot::Few(Few::new(self.id, len + 1, with(members, at, member))?)
                }
            }
            Slot::Many(many) => {
                if self.is_own(before) {
                    // SAFETY: born in this version, so nobody else has it.
                    unsafe { Many::set_mut(many) }.insert(member);
                    return Some(());
                }
                // SAFETY: in the tree.
                let mut set = unsafe { Many::set(many) }.clone();
                set.insert(member);
                Slot::Many(Many::new(self.id, set))
            }
        };
        self.replace(key, before, after)
    }

    /// Takes a member that is there.
    pub(super) fn remove(&mut self, key: u32, member: u32) -> Option<()> {
        let before = self.slot(key);
        let after = match before {
            Slot::Empty | Slot::One(_) | Slot::Row(_) => Slot::Empty,
            Slot::Few(few) => {
                // SAFETY: in the tree, and nobody writes to it while the members are used.
                let members = unsafe { Few::members(few) };
                let at = members.binary_search(&member).ok()?;
                let mut others = members.iter().copied().filter(|one| *one != member);
                if members.len() == 2 {
                    Slot::One(others.next()?)
                } else if self.is_own(before) {
                    // SAFETY: born in this version, so nobody else has it; `at` is the place of a member.
                    unsafe { Few::remove(few, at) };
                    return Some(());
                } else {
                    Slot::Few(Few::new(self.id, members.len() - 1, others)?)
                }
            }
            Slot::Many(many) => {
                // SAFETY: in the tree, and nobody writes to it while the set is used.
                let set = unsafe { Many::set(many) };
                if set.len() <= FEW_AGAIN + 1 {
                    let others = set.iter().filter(|one| *one != member);
                    Slot::Few(Few::new(self.id, usize::try_from(set.len() - 1).ok()?, others)?)
                } else if self.is_own(before) {
                    // SAFETY: born in this version, so nobody else has it.
                    unsafe { Many::set_mut(many) }.remove(member);
                    return Some(());
                } else {
                    let mut set = set.clone();
                    set.remove(member);
                    Slot::Many(Many::new(self.id, set))
                }
            }
        };
        self.replace(key, before, after)
    }

    /// Gives a key without members these, in order.
    pub(super) fn append(&mut self, key: u32, members: &[u32]) -> Option<()> {
        let after = match members {
            [] => return Some(()),
            [one] => Slot::One(*one),
            few if few.len() <= FEW_MAX => Slot::Few(Few::new(self.id, few.len(), few.iter().copied())?),
            many => Slot::Many(Many::new(self.id, many.iter().copied().collect())),
        };
        self.replace(key, self.slot(key), after)
    }

    /// Puts an edge into a key's row.
    pub(super) fn put_edge(&mut self, key: u32, edge: QualifiedEdge) -> Option<()> {
        let before = self.slot(key);
        let row = match before {
            Slot::Row(row) if self.is_own(before) => {
                // SAFETY: born in this version, so nobody else has it.
                put(unsafe { Row::edges_mut(row) }, edge);
                return Some(());
            }
            _ => {
                // SAFETY: in the tree, and nobody writes to it while the row is used.
                let edges = unsafe { before.row() };
                let mut row = Vec::with_capacity(edges.len() + 1);
                row.extend_from_slice(edges);
                put(&mut row, edge);
                row
            }
        };
        self.replace(key, before, Slot::Row(Row::new(self.id, row)))
    }

    /// Takes the edge at a place of a key's row.
    pub(super) fn remove_edge(&mut self, key: u32, at: usize) -> Option<()> {
        let before = self.slot(key);
        let Slot::Row(row) = before else { return None };
        // SAFETY: in the tree, and nobody writes to it while the row is used.
        let edges = unsafe { Row::edges(row) };
        edges.get(at)?;
        if edges.len() == 1 {
            return self.replace(key, before, Slot::Empty);
        }
        if self.is_own(before) {
            // SAFETY: born in this version, so nobody else has it.
            unsafe { Row::edges_mut(row) }.remove(at);
            return Some(());
        }
        let others = edges.iter().enumerate().filter(|(other, _)| *other != at);
        let row = others.map(|(_, edge)| edge.clone()).collect();
        self.replace(key, before, Slot::Row(Row::new(self.id, row)))
    }

    /// Gives a key without a row this one, in order.
    pub(super) fn append_row(&mut self, key: u32, row: Vec<QualifiedEdge>) -> Option<()> {
        self.replace(key, self.slot(key), Slot::Row(Row::new(self.id, row)))
    }

    fn replace(&mut self, key: u32, before: Slot, after: Slot) -> Option<()> {
        // SAFETY: the slot is one of the tree.
        if let Some(birth) = unsafe { before.birth() } {
            self.retired.push((birth, Node::Slot(before)));
        }
        let leaf = self.leaf(key, before.is_set(), after.is_set())?;
        // SAFETY: the leaf was born in this version.
        let is_empty = unsafe {
            leaf.set(slot_of(key), after);
            matches!(after, Slot::Empty) && leaf.is_empty_from(0)
        };
        if is_empty {
            self.prune(key);
        }
        Some(())
    }

    /// The leaf with a key's slot, born in this version, made if missing. It is wide if there is a set in another slot or
    /// is to be one in this, and narrow otherwise. A set that comes and goes costs no more copies for that, as long as it
    /// does so once a version.
    fn leaf(&mut self, key: u32, had_set: bool, has_set: bool) -> Option<Leaf> {
        let mut parent = self.parent(key)?;
        // SAFETY: born in this version, so nobody else has it.
        let (word, birth) = unsafe { parent.as_mut() }.child_mut(digit(key, BITS))?;
        let leaf = match Leaf::of(*word) {
            None => Leaf::empty(has_set),
            Some(leaf) => {
                let (is_own, is_wide) = (*birth == self.id, matches!(leaf, Leaf::Wide(_)));
                let has_others = || {
                    // What is this version's has been looked through when it was made or lost a set.
                    // SAFETY: in the tree.
                    (is_own && !had_set) || unsafe { leaf.has_set_besides(slot_of(key)) }
                };
                let wide = has_set || (is_wide && has_others());
                if is_own && wide == is_wide {
                    return Some(leaf);
                }
                self.retired.push((*birth, Node::Leaf(leaf)));
                // SAFETY: in the tree; if it is to be narrow, the slot that is written next is the only one with a set.
                unsafe { leaf.copy(wide) }
            }
        };
        (*word, *birth) = (leaf.word(), self.id);
        Some(leaf)
    }

    /// The node above a key's leaf, and with it all nodes on the way, born in this version, made if missing.
    fn parent(&mut self, key: u32) -> Option<NonNull<Inner>> {
        while u64::from(key) >> (self.root.shift + BITS) != 0 {
            self.root.shift += BITS;
            if self.root.word != 0 {
                let mut above = Inner::empty();
                // SAFETY: made here.
                let (word, birth) = unsafe { above.as_mut() }.child_mut(0)?;
                (*word, *birth) = (self.root.word, self.root.birth);
                (self.root.word, self.root.birth) = (Inner::word(above), self.id);
            }
        }
        let (mut word, mut birth) = (self.root.word, self.root.birth);
        let mut inner = self.own(&mut word, &mut birth);
        (self.root.word, self.root.birth) = (word, birth);
        let mut shift = self.root.shift;
        while shift > BITS {
            // SAFETY: born in this version, so nobody else has it.
            let (word, birth) = unsafe { inner.as_mut() }.child_mut(digit(key, shift))?;
            inner = self.own(word, birth);
            shift -= BITS;
        }
        Some(inner)
    }

    /// The node that a word leads to, replaced by a copy unless it was born in this version.
    fn own(&mut self, word: &mut u64, birth: &mut u64) -> NonNull<Inner> {
        let inner = match Inner::of(*word) {
            Some(inner) if *birth == self.id => return inner,
            None => Inner::empty(),
            Some(inner) => {
                self.retired.push((*birth, Node::Inner(inner)));
                // SAFETY: in the tree.
                unsafe { inner.as_ref() }.copy()
            }
        };
        (*word, *birth) = (Inner::word(inner), self.id);
        inner
    }

    /// Takes out the key's leaf, which is empty and with all above it born in this version, and what is empty above it.
    fn prune(&mut self, key: u32) -> Option<()> {
        let mut path: SmallVec<[(NonNull<Inner>, usize); 6]> = SmallVec::new();
        let (mut word, mut shift) = (self.root.word, self.root.shift);
        loop {
            let inner = Inner::of(word)?;
            path.push((inner, digit(key, shift)));
            // SAFETY: in the tree.
            (word, _) = unsafe { inner.as_ref() }.child(digit(key, shift));
            if shift == BITS {
                break;
            }
            shift -= BITS;
        }
        self.retired.push((self.id, Node::Leaf(Leaf::of(word)?)));
        for (mut inner, at) in path.into_iter().rev() {
            // SAFETY: born in this version, so nobody else has it.
            let inner_mut = unsafe { inner.as_mut() };
            let (word, birth) = inner_mut.child_mut(at)?;
            (*word, *birth) = (0, 0);
            if !inner_mut.is_empty() {
                return Some(());
            }
            self.retired.push((self.id, Node::Inner(inner)));
        }
        self.root = Root::default();
        Some(())
    }
}

/// Members with one more at a place.
fn with(members: &[u32], at: usize, member: u32) -> impl Iterator<Item = u32> {
    let (before, after) = members.split_at_checked(at).unwrap_or((members, &[]));
    before.iter().copied().chain([member]).chain(after.iter().copied())
}
