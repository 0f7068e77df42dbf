//! Builds a set out of many small ones.

use roaring::RoaringBitmap;

use crate::graph::Members;
use crate::ids::Ordinal;

/// Members gathered so far. Small sets are collected and sorted once, or marked bit by bit where they are dense: both
/// beat a bitmap union for each.
#[derive(Debug, Default)]
pub(crate) struct Gather {
    few: Vec<u32>,
    many: RoaringBitmap,
}

/// Below so many collected members sorting is cheaper than marking bits.
const SORTED_MAX: usize = 2048;
/// Bits are marked only if at least one in so many would be set.
const SPARSENESS_MAX: usize = 512;

impl Gather {
    /// Adds a set.
    pub(crate) fn add(&mut self, members: Members<'_>) {
        match members {
            Members::Empty => {}
            Members::One(one) => self.few.push(one),
            Members::Few(few) => self.few.extend_from_slice(few),
            Members::Many(many) => many.add_to(&mut self.many),
        }
    }

    /// Adds one member.
    pub(crate) fn add_one(&mut self, member: Ordinal) {
        self.few.push(member.0);
    }

    /// The members, ascending.
    pub(crate) fn into_sorted(mut self) -> Vec<u32> {
        if !self.many.is_empty() {
            return self.finish().into_iter().collect();
        }
        self.few.sort_unstable();
        self.few.dedup();
        self.few
    }

    /// The set.
    pub(crate) fn finish(self) -> RoaringBitmap {
        let Gather { mut few, many } = self;
        let max = few.iter().copied().max().unwrap_or(0) as usize;
        let set = if few.len() > SORTED_MAX && max / SPARSENESS_MAX < few.len() {
            let mut bytes = vec![0_u8; max / 8 + 1];
            for member in few {
                if let Some(byte) = bytes.get_mut(member as usize / 8) {
                    *byte |= 1 << (member % 8);
                }
            }
            RoaringBitmap::from_lsb0_bytes(0, &bytes)
        } else {
            few.sort_unstable();
            few.dedup();
            few.into_iter().collect()
        };
        if many.is_empty() { set } else { many | set }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_of_building_gives_the_same_set() {
        for (count, stride) in [(10_u32, 7), (5000, 3), (5000, 100_000), (3000, 1)] {
            let members: Vec<u32> = (0..count).map(|at| at * stride).collect();
            let bitmap: RoaringBitmap = members.iter().copied().collect();
            let mut gather = Gather::default();
            for member in members.iter().rev().chain(&members) {
                gather.add(Members::One(*member));
            }
            gather.add(Members::Few(&members[..5]));
            gather.add(Members::Many(&bitmap.iter().collect()));
            gather.add(Members::Empty);
            assert_eq!(gather.finish(), bitmap, "{count} by {stride}");
        }
    }
}
