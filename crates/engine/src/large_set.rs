//! A set of many ordinals in pieces: a change of a shared set copies one piece, never all.

use std::sync::Arc;

use roaring::RoaringBitmap;

/// Members of a piece from which on it is split, if its members differ in their high halves.
const PIECE_MAX: u64 = 4096;
/// Bits of a member below its high half. Members of one high half are in one piece: a bitmap keeps them in one block of
/// at most 8 KiB.
const LOW_BITS: u32 = 16;
/// What the members of one high half take at most.
const BLOCK_MAX_BYTES: usize = (1 << LOW_BITS) / 8;

/// The set. A clone shares all pieces.
#[derive(Debug, Clone, Default)]
pub struct LargeSet {
    /// Ascending; none is empty.
    pieces: Vec<Piece>,
    len: u64,
}

/// The members from one border to the next.
#[derive(Debug, Clone)]
struct Piece {
    /// No member of it is less; those of earlier pieces are.
    first: u32,
    members: Arc<RoaringBitmap>,
}

/// The members of a `LargeSet`, ascending.
pub struct LargeSetIter<'a> {
    piece: Option<roaring::bitmap::Iter<'a>>,
    later: std::slice::Iter<'a, Piece>,
}

impl LargeSet {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether this is a member.
    pub fn contains(&self, member: u32) -> bool {
        self.pieces.get(self.place(member)).is_some_and(|piece| piece.members.contains(member))
    }

    /// About how many bytes a copy with one change does not share with this set: the list of pieces and one piece.
    pub(crate) fn change_bytes(&self) -> usize {
        let members = usize::try_from(self.len).unwrap_or(usize::MAX) / self.pieces.len().max(1);
        self.pieces.len() * size_of::<Piece>() + BLOCK_MAX_BYTES.min(members.saturating_mul(size_of::<u16>()))
    }

    /// All of them, ascending.
    pub fn iter(&self) -> LargeSetIter<'_> {
        let mut later = self.pieces.iter();
        LargeSetIter { piece: later.next().map(|piece| piece.members.iter()), later }
    }

    /// Those from `first` on, ascending.
    pub fn iter_from(&self, first: u32) -> LargeSetIter<'_> {
        let mut later = self.pieces.get(self.place(first)..).unwrap_or(&[]).iter();
        LargeSetIter { piece: later.next().map(|piece| piece.members.range(first..)), later }
    }

    /// Adds all of them to a bitmap.
    pub fn add_to(&self, bitmap: &mut RoaringBitmap) {
        for piece in &self.pieces {
            *bitmap |= &*piece.members;
        }
    }

    /// Adds a member; false when it was there.
    pub fn insert(&mut self, member: u32) -> bool {
        let at = self.place(member);
        let Some(piece) = self.pieces.get_mut(at) else {
            self.pieces.push(Piece { first: 0, members: Arc::new([member].into_iter().collect()) });
            self.len = 1;
            return true;
        };
        if piece.members.contains(member) {
            return false;
        }
        Arc::make_mut(&mut piece.members).insert(member);
        if let Some(later) = piece.split() {
            self.pieces.insert(at + 1, later);
        }
        self.len += 1;
        true
    }

    /// Takes a member; false when it was not there.
    pub fn remove(&mut self, member: u32) -> bool {
        let at = self.place(member);
        let Some(piece) = self.pieces.get_mut(at).filter(|piece| piece.members.contains(member)) else {
            return false;
        };
        let members = Arc::make_mut(&mut piece.members);
        members.remove(member);
        if members.is_empty() {
            self.pieces.remove(at);
            if let Some(first) = self.pieces.first_mut() {
                first.first = 0;
            }
        }
        self.len -= 1;
        true
    }

    /// The piece that a member is in, if it is in any.
    fn place(&self, member: u32) -> usize {
        match self.pieces.as_slice() {
            [] | [_] => 0,
            pieces => pieces.partition_point(|piece| piece.first <= member).saturating_sub(1),
        }
    }
}

impl Piece {
    /// Takes off the upper half, if there are too many members and their high halves differ.
    fn split(&mut self) -> Option<Piece> {
        let len = self.members.len();
        let (least, greatest) = (self.members.min()? >> LOW_BITS, self.members.max()? >> LOW_BITS);
        if len <= PIECE_MAX || least == greatest {
            return None;
        }
        let middle = self.members.select(u32::try_from(len / 2).ok()?)? >> LOW_BITS;
        let first = middle.max(least + 1) << LOW_BITS;
        let upper = self.members.range(first..).collect();
        Arc::make_mut(&mut self.members).remove_range(first..);
        Some(Piece { first, members: Arc::new(upper) })
    }
}

impl FromIterator<u32> for LargeSet {
    /// Fastest for ascending members.
    fn from_iter<I: IntoIterator<Item = u32>>(members: I) -> LargeSet {
        let members: RoaringBitmap = members.into_iter().collect();
        let len = members.len();
        let mut pieces = vec![Piece { first: 0, members: Arc::new(members) }];
        if len == 0 {
            pieces.clear();
        }
        let mut at = 0;
        while let Some(piece) = pieces.get_mut(at) {
            match piece.split() {
                Some(later) => pieces.insert(at + 1, later),
                None => at += 1,
            }
        }
        LargeSet { pieces, len }
    }
}

impl Iterator for LargeSetIter<'_> {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        loop {
            let member = self.piece.as_mut()?.next();
            if member.is_some() {
                return member;
            }
            self.piece = self.later.next().map(|piece| piece.members.iter());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers without an order, the same on every run.
    fn numbers(count: u32, below: u32) -> impl Iterator<Item = u32> {
        (1..=count).map(move |n| (u64::from(n).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u32 % below)
    }

    fn assert_same(set: &LargeSet, model: &RoaringBitmap) {
        assert_eq!((set.len(), set.is_empty()), (model.len(), model.is_empty()));
        assert!(set.iter().eq(model.iter()));
        for first in numbers(50, 6_000_000).chain([0, 65_535, 65_536, u32::MAX]) {
            assert!(set.iter_from(first).eq(model.range(first..)), "{first}");
            assert_eq!(set.contains(first), model.contains(first));
        }
        let mut sum = RoaringBitmap::from_iter([3]);
        set.add_to(&mut sum);
        assert_eq!(sum, model | RoaringBitmap::from_iter([3]));
        assert!(set.pieces.iter().all(|piece| !piece.members.is_empty()));
        assert!(set.pieces.first().is_none_or(|piece| piece.first == 0));
    }

    #[test]
    fn a_set_and_its_clones_equal_their_models_however_they_are_scattered() {
        for below in [1000, 70_000, 200_000, 5_000_000, u32::MAX] {
            let mut set = LargeSet::default();
            let mut model = RoaringBitmap::new();
            let mut kept = vec![(set.clone(), model.clone())];
            for member in numbers(20_000, below) {
                assert_eq!(set.insert(member), model.insert(member));
                if model.len().is_multiple_of(5000) {
                    kept.push((set.clone(), model.clone()));
                }
            }
            kept.push((model.iter().collect(), model.clone()));
            kept.push((set.clone(), model.clone()));
            for member in numbers(20_000, below).skip(100).chain(numbers(99, 77)) {
                assert_eq!(set.remove(member), model.remove(member));
            }
            kept.push((set.clone(), model.clone()));
            for member in numbers(100, below) {
                assert_eq!(set.remove(member), model.remove(member));
            }
            kept.push((set, model));
            kept.iter().for_each(|(set, model)| assert_same(set, model));
        }
    }

    #[test]
    fn a_change_of_a_shared_set_copies_one_small_piece() {
        let set: LargeSet = (0..100_000).map(|n| n * 50).collect();
        assert!(set.pieces.len() > 16);
        assert!(set.pieces.iter().all(|piece| piece.members.len() <= PIECE_MAX));
        let mut changed = set.clone();
        assert!(changed.insert(2_500_001));
        let pairs = set.pieces.iter().zip(&changed.pieces);
        let shared = pairs.filter(|(a, b)| Arc::ptr_eq(&a.members, &b.members)).count();
        assert_eq!(shared, set.pieces.len() - 1);
    }
}
