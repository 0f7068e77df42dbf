//! From the hash of a name to the place of its record: an open-addressing table in segments, which grows by splitting
//! one segment at a time. One writer; readers wait for nobody.
//!
//! A slot holds 32 bits of the hash and a place. The first bits of the hash choose the segment, by a directory that
//! doubles when its depth no longer tells two segments apart; the last bits choose a line of the segment, which is one
//! cache line. Slots once filled stay filled, so a reader stops at the first empty one.
//!
//! A split fills two other segments and then puts them into the directory; the one that was split is filled anew by the
//! next split. A reader that was still in it may miss what is there to be found: who finds nothing looks whether the
//! directory has changed, and if so tries again. Entries of the directory are numbered, so that none comes twice.

use crate::names_arena::Place;
use crate::names_spine::Spine;
use crate::prefetch::prefetch;
use crate::sync::{AtomicU32, AtomicU64, OnceLock, Ordering};

/// Slots of a line.
const SLOTS: usize = if cfg!(loom) { 2 } else { 8 };
/// Lines of a segment; a power of two.
const LINES: usize = if cfg!(loom) { 1 } else { 256 };
/// Lines in which an entry may lie from the one that its hash chooses on; if all are full the segment is split.
const NEAR: usize = if cfg!(loom) { 1 } else { 4 };
/// Most bits of the hash that choose a segment.
const DEPTH_MAX: u32 = if cfg!(loom) { 3 } else { 24 };
/// Slabs in which the segments lie: 1, 2, 4 segments and so on, then this many in each.
const SLAB_SEGMENTS: u32 = 16;

/// One cache line of slots. A slot is 0, or the hash in the high half and the place in the low half.
#[derive(Debug)]
#[repr(align(64))]
struct Line([AtomicU64; SLOTS]);

/// An entry of the directory: its number, the depth of the segment and the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry(u64);

impl Entry {
    const SEGMENT_BITS: u32 = 26;
    const DEPTH_BITS: u32 = 6;

    fn new(number: u32, depth: u32, segment: u32) -> Entry {
        let low = u64::from(depth) << Entry::SEGMENT_BITS | u64::from(segment);
        Entry(u64::from(number) << (Entry::SEGMENT_BITS + Entry::DEPTH_BITS) | low)
    }

    fn segment(self) -> u32 {
        (self.0 & ((1 << Entry::SEGMENT_BITS) - 1)) as u32
    }

    /// How many bits of the hash all names in the segment share.
    fn depth(self) -> u32 {
        (self.0 >> Entry::SEGMENT_BITS & ((1 << Entry::DEPTH_BITS) - 1)) as u32
    }
}

/// Where a search begins.
#[derive(Clone, Copy)]
pub(crate) struct Begun<'a> {
    entry: Entry,
    /// Those of the segment.
    lines: &'a [Line],
}

/// The table.
#[derive(Debug)]
pub(crate) struct NameTable {
    slabs: Spine<Box<[Line]>>,
    /// By depth; the one of the present depth counts, the others are what stale readers hold.
    directories: [OnceLock<Box<[AtomicU64]>>; DEPTH_MAX as usize + 1],
    depth: AtomicU32,
    /// Segments there are, the number of the last entry, and the segment to be filled anew, plus one. For the writer only.
    segments: AtomicU32,
    entries: AtomicU32,
    spare: AtomicU32,
}

impl NameTable {
    pub(crate) fn new() -> NameTable {
        let table = NameTable {
            slabs: Spine::new(),
            directories: std::array::from_fn(|_| OnceLock::new()),
            depth: AtomicU32::new(0),
            segments: AtomicU32::new(0),
            entries: AtomicU32::new(0),
            spare: AtomicU32::new(0),
        };
        if let (Some(segment), Some(directory)) = (table.empty_segment(), table.directories.first()) {
            // The cell was made above, so setting it cannot fail.
            let _ = directory.set(Box::new([AtomicU64::new(Entry::new(0, 0, segment).0)]));
        }
        table
    }

    /// The first of the places under a hash that `accept` takes. A place is given to it after what was written before the
    /// place was put in.
    pub(crate) fn find<T>(&self, hash: u32, mut accept: impl FnMut(Place) -> Option<T>) -> Option<T> {
        let mut entry = self.entry(hash)?;
        loop {
            let found = probe(self.segment(entry.segment())?, hash, &mut accept);
            if found.is_some() {
                return found;
            }
            let again = self.entry(hash)?;
            if again == entry {
                return None;
            }
            entry = again;
        }
    }

    /// Puts a place under a hash, instead of an earlier one or as another; false when there is no room. For the writer
    /// only.
    pub(crate) fn put(&self, hash: u32, place: Place, earlier: Option<Place>) -> bool {
        let word = word(hash, place);
        loop {
            let Some(entry) = self.entry(hash) else { return false };
            if let Some(earlier) = earlier {
                return self.fill(entry.segment(), hash, word, self::word(hash, earlier), LINES);
            }
            let near = if entry.depth() < DEPTH_MAX { NEAR } else { LINES };
            if self.fill(entry.segment(), hash, word, 0, near) {
                return true;
            }
            if entry.depth() == DEPTH_MAX || self.split(hash, entry).is_none() {
                return false;
            }
        }
    }

    /// Where a search for the hash begins; asks the processor for the line there.
    pub(crate) fn begin(&self, hash: u32) -> Option<Begun<'_>> {
        let entry = self.entry(hash)?;
        let lines = self.segment(entry.segment())?;
        prefetch(lines.get(hash as usize % LINES)?);
        Some(Begun { entry, lines })
    }

    /// The place that `find` looks at first, given where it begins.
    pub(crate) fn first(&self, begun: Begun<'_>, hash: u32) -> Option<Place> {
        let first = probe(begun.lines, hash, &mut Some);
        if first.is_some() || self.entry(hash)? == begun.entry { first } else { self.find(hash, Some) }
    }

    fn entry(&self, hash: u32) -> Option<Entry> {
        let depth = self.depth.load(Ordering::Acquire);
        let directory = self.directories.get(depth as usize)?.get()?;
        directory.get(first_bits(hash, depth)).map(|entry| Entry(entry.load(Ordering::Acquire)))
    }

    fn segment(&self, segment: u32) -> Option<&[Line]> {
        let (slab, offset) = place_of(segment);
        let start = offset as usize * LINES;
        self.slabs.get(slab)?.get(start..start + LINES)
    }

    /// Stores a word in the first slot for the hash that holds `before`, in so many lines; false when there is none.
    fn fill(&self, segment: u32, hash: u32, word: u64, before: u64, near: usize) -> bool {
        let Some(lines) = self.segment(segment) else { return false };
        let slots = (0..near).flat_map(|near| {
            let line = lines.get((hash as usize).wrapping_add(near) % LINES);
            (0..SLOTS).filter_map(move |turn| line?.0.get(slot(hash, turn)))
        });
        let mut slots = slots;
        match slots.find(|slot| slot.load(Ordering::Relaxed) == before) {
            Some(slot) => slot.store(word, Ordering::Release),
            None => return false,
        }
        true
    }

    /// Replaces the segment of an entry by two, told apart by one more bit of the hash.
    fn split(&self, hash: u32, entry: Entry) -> Option<()> {
        let depth = entry.depth();
        if depth == self.depth.load(Ordering::Relaxed) {
            self.double()?;
        }
        let halves = [self.empty_segment()?, self.empty_segment()?];
        let half_of = |hash: u32| (hash >> (31 - depth) & 1) as usize;
        let slots = self.segment(entry.segment())?.iter().flat_map(|line| line.0.iter());
        for word in slots.map(|slot| slot.load(Ordering::Relaxed)).filter(|word| *word != 0) {
            let hash = (word >> 32) as u32;
            // A half holds no more than the whole did, so there is room.
            self.fill(*halves.get(half_of(hash))?, hash, word, 0, LINES);
        }

        let number = self.entries.load(Ordering::Relaxed).wrapping_add(1);
        self.entries.store(number, Ordering::Relaxed);
        let below = self.depth.load(Ordering::Relaxed) - depth;
        let first = first_bits(hash, depth) << below;
        let entries =
            self.directories.get((depth + below) as usize)?.get()?.get(first..first + (1 << below))?;
        for (at, slot) in entries.iter().enumerate() {
            let half = *halves.get(at >> (below - 1))?;
            slot.store(Entry::new(number, depth + 1, half).0, Ordering::Release);
        }
        self.spare.store(entry.segment() + 1, Ordering::Relaxed);
        Some(())
    }

    /// Publishes a directory with two entries for each of the present one.
    fn double(&self) -> Option<()> {
        let depth = self.depth.load(Ordering::Relaxed);
        let entries = self.directories.get(depth as usize)?.get()?.iter();
        let doubled = entries.map(|entry| entry.load(Ordering::Relaxed)).flat_map(|entry| [entry, entry]);
        self.directories.get(depth as usize + 1)?.set(doubled.map(AtomicU64::new).collect()).ok()?;
        self.depth.store(depth + 1, Ordering::Release);
        Some(())
    }

    /// A segment that no entry leads to, with nothing in it.
    fn empty_segment(&self) -> Option<u32> {
        if let Some(spare) = self.spare.load(Ordering::Relaxed).checked_sub(1) {
            self.spare.store(0, Ordering::Relaxed);
            for slot in self.segment(spare)?.iter().flat_map(|line| line.0.iter()) {
                // A stale reader that sees this has seen the directory change, and will try again.
                slot.store(0, Ordering::Release);
            }
            return Some(spare);
        }
        let segment = self.segments.load(Ordering::Relaxed);
        let (slab, offset) = place_of(segment);
        if segment >= 1 << Entry::SEGMENT_BITS {
            return None;
        }
        if offset == 0 {
            let lines = LINES << slab.min(SLAB_SEGMENTS.ilog2());
            let empty = || Line(std::array::from_fn(|_| AtomicU64::new(0)));
            self.slabs.set(slab, (0..lines).map(|_| empty()).collect());
        }
        self.segments.store(segment + 1, Ordering::Relaxed);
        Some(segment)
    }
}

/// Looks through the lines of a segment.
#[inline]
fn probe<T>(lines: &[Line], hash: u32, accept: &mut impl FnMut(Place) -> Option<T>) -> Option<T> {
    for near in 0..LINES {
        let line = lines.get((hash as usize).wrapping_add(near) % LINES)?;
        for turn in 0..SLOTS {
            // Pairs with the release in `fill`: who sees the place sees the record.
            let word = line.0.get(slot(hash, turn))?.load(Ordering::Acquire);
            if (word >> 32) as u32 == hash
                && let Some(found) = Place::new(word as u32).and_then(&mut *accept)
            {
                return Some(found);
            }
            if word == 0 {
                return None;
            }
        }
    }
    None
}

fn word(hash: u32, place: Place) -> u64 {
    u64::from(hash) << 32 | u64::from(place.get())
}

/// The first bits of a hash, as a number.
fn first_bits(hash: u32, bits: u32) -> usize {
    (u64::from(hash) >> (32 - bits)) as usize
}

/// The slot of a line that is tried at this turn.
fn slot(hash: u32, turn: usize) -> usize {
    ((hash as usize >> LINES.ilog2()) + turn) % SLOTS
}

/// Which slab a segment lies in, and where in it.
fn place_of(segment: u32) -> (u32, u32) {
    let doubling = SLAB_SEGMENTS - 1;
    match segment.checked_sub(doubling) {
        None => {
            let slab = (segment + 1).ilog2();
            (slab, segment + 1 - (1 << slab))
        }
        Some(beyond) => (SLAB_SEGMENTS.ilog2() + beyond / SLAB_SEGMENTS, beyond % SLAB_SEGMENTS),
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn segments_lie_densely_in_slabs() {
        let mut expected = (0u32, 0u32);
        for segment in 0..1000 {
            assert_eq!(place_of(segment), expected);
            let segments = 1 << expected.0.min(SLAB_SEGMENTS.ilog2());
            expected =
                if expected.1 + 1 == segments { (expected.0 + 1, 0) } else { (expected.0, expected.1 + 1) };
        }
    }

    #[test]
    fn hashes_that_agree_in_their_first_bits_are_found_and_equal_ones_end_in_a_refusal() {
        let table = NameTable::new();
        let place = |n: u32| Place::new(n).unwrap();
        // One segment has room for 2048; these share their first 16 bits.
        for n in 1..5000u32 {
            assert!(table.put(0xabcd_0000 | n.wrapping_mul(7919) & 0xffff, place(n), None));
        }
        for n in 1..5000u32 {
            let hash = 0xabcd_0000 | n.wrapping_mul(7919) & 0xffff;
            assert_eq!(table.find(hash, |found| (found == place(n)).then_some(n)), Some(n));
            assert_eq!(table.find(hash, |found| (found == place(n + 5000)).then_some(n)), None);
        }
        let full = (0..).find(|n| !table.put(5, place(n + 1), None)).unwrap();
        assert_eq!(full as usize, LINES * SLOTS);
        assert_eq!(table.find(5, |found| (found == place(full)).then_some(())), Some(()));
        assert!(table.put(5, place(full + 9), Some(place(full))));
        assert_eq!(table.find(5, |found| (found == place(full)).then_some(())), None);
        assert_eq!(table.find(5, |found| (found == place(full + 9)).then_some(())), Some(()));
    }
}
