//! The bytes of names, end to end in chunks that never move: append-only, read without locks.
//!
//! A record is an ordinal, a length and the name, so that whoever finds a name has its ordinal at hand. Records are told
//! by their place, which is a number of 32 bits: a chunk and an offset in units.
#![allow(unsafe_code, reason = "names lie in raw memory that is read while more of it is written")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::num::NonZeroU32;
use std::ptr::NonNull;

use crate::names_spine::Spine;
use crate::prefetch::prefetch;
use crate::sync::{AtomicU32, Ordering};

/// Bytes of a unit: records begin at multiples of it.
const UNIT: usize = 4;
/// Bits of a place that tell the unit within a chunk.
const UNIT_BITS: u32 = 18;
/// Bytes of a chunk, unless its first record needs more.
const CHUNK_BYTES: usize = UNIT << UNIT_BITS;
/// Bytes of the first chunk; further ones double up to `CHUNK_BYTES`.
const FIRST_CHUNK_BYTES: usize = if cfg!(loom) { 16 } else { 1 << 12 };
/// Chunks there can be.
const CHUNKS: u32 = if cfg!(loom) { 4 } else { 1 << (u32::BITS - UNIT_BITS) };
/// A length byte that says that the length follows in four bytes.
const LONG: u8 = u8::MAX;

/// Where a record begins. None begins at 0, so that a place fits where 0 means none.
pub(crate) type Place = NonZeroU32;

/// A name and its ordinal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    /// The ordinal.
    pub(crate) ordinal: u32,
    /// The name.
    pub(crate) name: &'a str,
}

/// Memory for records.
#[derive(Debug)]
struct Chunk {
    bytes: NonNull<u8>,
    layout: Layout,
    /// Per unit: what loom needs to find a read of a record that races with its writing.
    #[cfg(loom)]
    marks: Box<[loom::cell::UnsafeCell<()>]>,
}

// SAFETY: the chunk owns its memory, and every byte of it is written by one thread, before its record is published, and
// only read after that (`Arena::push`, `Arena::record`).
unsafe impl Send for Chunk {}
// SAFETY: as above.
unsafe impl Sync for Chunk {}

impl Chunk {
    /// Memory for so many bytes, not initialised; `None` for more than memory can have.
    fn new(bytes: usize) -> Option<Chunk> {
        let layout = Layout::from_size_align(bytes.max(UNIT), UNIT).ok()?;
        // SAFETY: the layout's size is not 0.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        Some(Chunk {
            bytes: start,
            layout,
            #[cfg(loom)]
            marks: (0..bytes.div_ceil(UNIT)).map(|_| loom::cell::UnsafeCell::new(())).collect(),
        })
    }

    fn mark_written(&self, _offset: usize) {
        #[cfg(loom)]
        if let Some(mark) = self.marks.get(_offset / UNIT) {
            mark.with_mut(|_| {});
        }
    }

    fn mark_read(&self, _offset: usize) {
        #[cfg(loom)]
        if let Some(mark) = self.marks.get(_offset / UNIT) {
            mark.with(|_| {});
        }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // SAFETY: allocated in `new` with this layout, and nobody borrows from a chunk that is dropped.
        unsafe { dealloc(self.bytes.as_ptr(), self.layout) }
    }
}

/// Records by place.
#[derive(Debug)]
pub(crate) struct Arena {
    chunks: Spine<Chunk>,
    /// The chunk being filled, and the byte at which its free part begins. For the writer only.
    chunk: AtomicU32,
    free: AtomicU32,
}

impl Arena {
    pub(crate) fn new() -> Arena {
        Arena { chunks: Spine::new(), chunk: AtomicU32::new(0), free: AtomicU32::new(UNIT as u32) }
    }

    /// Appends a record; `None` when the arena is full. Whoever is given the place through a release and an acquire may
    /// read the record.
    ///
    /// # Safety
    ///
    /// No other thread is in this call.
    pub(crate) unsafe fn push(&self, ordinal: u32, name: &str) -> Option<Place> {
        let length = u32::try_from(name.len()).ok()?;
        let short = u8::try_from(length).ok().filter(|short| *short < LONG);
        let head = size_of::<u32>() + if short.is_some() { 1 } else { 1 + size_of::<u32>() };
        let size = (head + name.len()).checked_next_multiple_of(UNIT)?;
        let (number, chunk, offset) = self.room(size)?;
        chunk.mark_written(offset);
        // SAFETY: `room` gives `size` bytes of the chunk from `offset` on to nobody else; no place within them has been
        // given out, so nobody reads them yet. `head` and the name lie within `size`.
        unsafe {
            let start = chunk.bytes.as_ptr().add(offset);
            start.cast::<u32>().write(ordinal);
            match short {
                Some(short) => start.add(4).write(short),
                None => {
                    start.add(4).write(LONG);
                    start.add(5).cast::<u32>().write_unaligned(length);
                }
            }
            start.add(head).copy_from_nonoverlapping(name.as_ptr(), name.len());
        }
        Place::new(number << UNIT_BITS | (offset / UNIT) as u32)
    }

    /// A free piece of a chunk: the chunk's number, the chunk and the first byte. For `push` only.
    fn room(&self, size: usize) -> Option<(u32, &Chunk, usize)> {
        let (mut number, mut offset) =
            (self.chunk.load(Ordering::Relaxed), self.free.load(Ordering::Relaxed) as usize);
        if self.chunks.get(number).is_some_and(|chunk| offset + size > chunk.layout.size()) {
            (number, offset) = (number + 1, 0);
        }
        if number >= CHUNKS {
            return None;
        }
        if self.chunks.get(number).is_none() {
            let usual =
                FIRST_CHUNK_BYTES.checked_shl(number).map_or(CHUNK_BYTES, |size| size.min(CHUNK_BYTES));
            // Only the first record of a chunk can be longer than the usual chunk, so every offset fits a place.
            self.chunks.set(number, Chunk::new(usual.max(offset + size))?);
        }
        self.chunk.store(number, Ordering::Relaxed);
        self.free.store(u32::try_from(offset + size).ok()?, Ordering::Relaxed);
        Some((number, self.chunks.get(number)?, offset))
    }

    /// The record at a place.
    ///
    /// # Safety
    ///
    /// The place was returned by a `push` of this arena that happened before.
    pub(crate) unsafe fn record(&self, place: Place) -> Option<Record<'_>> {
        // SAFETY: the caller's promise.
        self.at(place).map(|record| unsafe { record.read() })
    }

    /// Where the record at a place is; asks the processor for it.
    pub(crate) fn begin(&self, place: Place) -> Option<Unread<'_>> {
        let record = self.at(place)?;
        prefetch(record.chunk.bytes.as_ptr().wrapping_add(record.offset));
        Some(record)
    }

    fn at(&self, place: Place) -> Option<Unread<'_>> {
        let chunk = self.chunks.get(place.get() >> UNIT_BITS)?;
        Some(Unread { chunk, offset: (place.get() as usize % (1 << UNIT_BITS)) * UNIT })
    }
}

/// A record that has been found and not been read.
#[derive(Clone, Copy)]
pub(crate) struct Unread<'a> {
    chunk: &'a Chunk,
    offset: usize,
}

impl<'a> Unread<'a> {
    /// The record.
    ///
    /// # Safety
    ///
    /// Its place was returned by a `push` of the arena that happened before.
    pub(crate) unsafe fn read(self) -> Record<'a> {
        let Unread { chunk, offset } = self;
        chunk.mark_read(offset);
        // SAFETY: `push` wrote a whole record here, from a `str`, and nobody writes to it again; chunks stay where they are
        // as long as the arena is borrowed.
        unsafe {
            let start = chunk.bytes.as_ptr().add(offset);
            let ordinal = start.cast::<u32>().read();
            let (name, length) = match start.add(4).read() {
                LONG => (start.add(9), start.add(5).cast::<u32>().read_unaligned() as usize),
                short => (start.add(5), usize::from(short)),
            };
            let name = std::str::from_utf8_unchecked(std::slice::from_raw_parts(name, length));
            Record { ordinal, name }
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn records_of_every_length_are_read_as_written() {
        let arena = Arena::new();
        let mut places = Vec::new();
        for (ordinal, length) in
            (0..300).chain([1023, 1024, 4096, CHUNK_BYTES, 3 * CHUNK_BYTES, 5]).chain(900..1100).enumerate()
        {
            let name: String = "äb".chars().cycle().take(length).collect();
            // SAFETY: there is one thread.
            let place = unsafe { arena.push(ordinal as u32, &name) }.unwrap();
            places.push((place, ordinal as u32, name));
        }
        for (place, ordinal, name) in &places {
            assert!(arena.begin(*place).is_some());
            // SAFETY: pushed above.
            let record = unsafe { arena.record(*place) }.unwrap();
            assert_eq!((record.ordinal, record.name), (*ordinal, name.as_str()));
        }
        assert!(places.is_sorted_by(|(a, ..), (b, ..)| a < b));
    }
}
