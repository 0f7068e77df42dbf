//! A trie's leaf for plain edges: 64 sets of ordinals, each as small as its size allows.
//!
//! Nothing and one ordinal need no memory of their own; a few are a sorted array; many are a set in pieces.

use std::sync::Arc;

use crate::graph::Members;
use crate::large_set::LargeSet;
use crate::prefetch::prefetch;
use crate::trie::{FAN_OUT, Leaf};

/// Most members of a sorted array; with one more it becomes a large set.
pub(crate) const FEW_MAX: usize = 256;
/// A large set with no more members than this becomes an array again. Lower than `FEW_MAX`, so that a set whose size
/// swings around the border is not rebuilt at every change.
pub(crate) const FEW_AGAIN: u64 = 192;

/// Two members or more.
#[derive(Debug, Clone)]
enum Set {
    /// Two to `FEW_MAX`, ascending.
    Few(Arc<[u32]>),
    /// More than `FEW_AGAIN`.
    Many(Arc<LargeSet>),
}

/// 64 sets.
#[derive(Debug, Clone)]
pub(crate) struct Slots {
    /// Which slots have a member.
    occupied: u64,
    /// Which of those have two or more.
    with_set: u64,
    /// The member of each slot that has exactly one.
    ones: [u32; FAN_OUT],
    /// The sets of the slots in `with_set`, in their order.
    sets: Vec<Set>,
}

impl Default for Slots {
    fn default() -> Slots {
        Slots { occupied: 0, with_set: 0, ones: [0; FAN_OUT], sets: Vec::new() }
    }
}

impl Leaf for Slots {
    fn occupied(&self) -> u64 {
        self.occupied
    }
}

/// The place of slot `at` among the slots of a mask.
pub(crate) fn rank(mask: u64, at: u32) -> usize {
    (mask & (bit(at) - 1)).count_ones() as usize
}

pub(crate) fn bit(at: u32) -> u64 {
    1u64 << (at & 63)
}

/// Inserts into a vector of at most 64, growing it by little: most leaves never grow again.
pub(crate) fn insert_tight<V>(vector: &mut Vec<V>, at: usize, value: V) {
    if vector.len() == vector.capacity() {
        vector.reserve_exact(if vector.is_empty() { 1 } else { 4 });
    }
    vector.insert(at.min(vector.len()), value);
}

impl Slots {
    /// The set in slot `at`, 0 to 63.
    pub(crate) fn members(&self, at: u32) -> Members<'_> {
        if self.occupied & bit(at) == 0 {
            return Members::Empty;
        }
        if self.with_set & bit(at) == 0 {
            return self.ones.get(at as usize).map_or(Members::Empty, |one| Members::One(*one));
        }
        match self.sets.get(rank(self.with_set, at)) {
            Some(Set::Few(few)) => Members::Few(few),
            Some(Set::Many(many)) => Members::Many(many),
            None => Members::Empty,
        }
    }

    /// Asks for the memory that `members` reads first.
    pub(crate) fn prefetch(&self, at: u32) {
        prefetch(&self.occupied);
        prefetch(&self.sets);
        if let Some(one) = self.ones.get(at as usize) {
            prefetch(one);
        }
    }

    /// Adds a member to slot `at`; false when it was there.
    pub(crate) fn insert(&mut self, at: u32, member: u32) -> bool {
        if self.occupied & bit(at) == 0 {
            self.occupied |= bit(at);
            self.set_one(at, member);
            return true;
        }
        let place = rank(self.with_set, at);
        if self.with_set & bit(at) != 0 {
            return self.sets.get_mut(place).is_some_and(|set| set.insert(member));
        }
        let Some(one) = self.ones.get(at as usize).copied().filter(|one| *one != member) else {
            return false;
        };
        self.with_set |= bit(at);
        let pair = [one.min(member), one.max(member)];
        insert_tight(&mut self.sets, place, Set::Few(Arc::from(pair)));
        true
    }

    /// Takes a member from slot `at`; false when it was not there.
    pub(crate) fn remove(&mut self, at: u32, member: u32) -> bool {
        if self.occupied & bit(at) == 0 {
            return false;
        }
        if self.with_set & bit(at) == 0 {
            let found = self.ones.get(at as usize) == Some(&member);
            if found {
                self.occupied &= !bit(at);
            }
            return found;
        }
        let place = rank(self.with_set, at);
        let Some(set) = self.sets.get_mut(place) else { return false };
        if !set.remove(member) {
            return false;
        }
        if let Some(last) = set.only_member() {
            self.sets.remove(place);
            self.with_set &= !bit(at);
            self.set_one(at, last);
        }
        true
    }

    /// Fills the empty slot `at` with ascending members.
    pub(crate) fn fill(&mut self, at: u32, members: &[u32]) {
        let set = match members {
            [] => return,
            [one] => {
                self.occupied |= bit(at);
                return self.set_one(at, *one);
            }
            few if few.len() <= FEW_MAX => Set::Few(Arc::from(few)),
            many => Set::Many(Arc::new(many.iter().copied().collect())),
        };
        self.occupied |= bit(at);
        insert_tight(&mut self.sets, rank(self.with_set, at), set);
        self.with_set |= bit(at);
    }

    fn set_one(&mut self, at: u32, member: u32) {
        if let Some(one) = self.ones.get_mut(at as usize) {
            *one = member;
        }
    }
}

impl Set {
    fn insert(&mut self, member: u32) -> bool {
        match self {
            Set::Few(few) => {
                let Err(at) = few.binary_search(&member) else { return false };
                let (before, after) = few.split_at_checked(at).unwrap_or((few, &[]));
                let members =
                    before.iter().copied().chain(std::iter::once(member)).chain(after.iter().copied());
                *self = if few.len() < FEW_MAX {
                    Set::Few(members.collect())
                } else {
                    Set::Many(Arc::new(members.collect()))
                };
                true
            }
            // Looked up first: a set that other snapshots share is copied only for a change.
            Set::Many(many) => !many.contains(member) && Arc::make_mut(many).insert(member),
        }
    }

    fn remove(&mut self, member: u32) -> bool {
        match self {
            Set::Few(few) => {
                let Ok(at) = few.binary_search(&member) else { return false };
                let (before, from) = few.split_at_checked(at).unwrap_or((few, &[]));
                let after = from.get(1..).unwrap_or(&[]);
                *few = before.iter().copied().chain(after.iter().copied()).collect();
                true
            }
            Set::Many(many) => {
                if !many.contains(member) {
                    return false;
                }
                if many.len() > FEW_AGAIN + 1 {
                    return Arc::make_mut(many).remove(member);
                }
                *self = Set::Few(many.iter().filter(|other| *other != member).collect());
                true
            }
        }
    }

    /// The member, when there is no other.
    fn only_member(&self) -> Option<u32> {
        match self {
            Set::Few(few) => match few.as_ref() {
                [one] => Some(*one),
                _ => None,
            },
            Set::Many(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::Ordinal;

    fn shape(slots: &Slots, at: u32) -> &'static str {
        match slots.members(at) {
            Members::Empty => "empty",
            Members::One(_) => "one",
            Members::Few(_) => "few",
            Members::Many(_) => "many",
        }
    }

    #[test]
    fn a_set_changes_shape_at_its_borders_both_ways() {
        let mut slots = Slots::default();
        slots.insert(62, 1);
        let mut seen = vec![shape(&slots, 63)];
        // Descending and with gaps, so that every insert goes in front.
        for n in (0..300).rev() {
            assert!(slots.insert(63, n * 7));
            assert!(!slots.insert(63, n * 7));
            seen.push(shape(&slots, 63));
        }
        assert_eq!(seen.iter().position(|s| *s == "few"), Some(2));
        assert_eq!(seen.iter().position(|s| *s == "many"), Some(FEW_MAX + 1));
        for n in 0..300 {
            assert!(slots.members(63).contains(Ordinal(n * 7)));
            assert!(slots.remove(63, n * 7));
            assert!(!slots.remove(63, n * 7));
            let left = 299 - n as usize;
            assert_eq!(slots.members(63).len(), left);
            assert_eq!(slots.members(63).iter().count(), left);
            let expected = match left {
                0 => "empty",
                1 => "one",
                2.. if left as u64 <= FEW_AGAIN => "few",
                _ => "many",
            };
            assert_eq!(shape(&slots, 63), expected, "{left}");
        }
        assert_eq!(shape(&slots, 62), "one");
    }

    #[test]
    fn filling_equals_inserting() {
        for len in [0u32, 1, 2, 256, 257, 1000] {
            let members: Vec<u32> = (0..len).map(|n| n * 3).collect();
            let (mut filled, mut inserted) = (Slots::default(), Slots::default());
            filled.fill(5, &members);
            members.iter().for_each(|member| assert!(inserted.insert(5, *member)));
            assert_eq!(shape(&filled, 5), shape(&inserted, 5));
            assert!(filled.members(5).iter().eq(inserted.members(5).iter()));
            assert_eq!(filled.occupied(), inserted.occupied());
        }
    }
}
