//! Object ids and their ordinals, both ways: append-only, shared by all snapshots, read without locks.
//!
//! Per type, names lie in pages by ordinal, and an open-addressing table of atomic words finds the ordinal. The writer
//! puts the name in its page before it puts the ordinal in the table; whoever finds the ordinal finds the name.
//!
//! A name can be given to another object: a later incarnation, with an ordinal of its own. The name then leads to the
//! newest only, while every ordinal keeps its name.

use std::hash::BuildHasher;
use std::sync::{Arc, PoisonError};

use foldhash::quality::FixedState;
use smallvec::SmallVec;
use smol_str::SmolStr;

use crate::ids::{Ordinal, TypeId};
use crate::names_spine::Spine;
use crate::prefetch::prefetch;
use crate::sync::{AtomicU32, AtomicU64, Mutex, OnceLock, Ordering, Swap};

/// Names in one page.
const PAGE: u32 = if cfg!(loom) { 2 } else { 256 };
/// Slots of a type's first table; a power of two.
const FIRST_SLOTS: usize = if cfg!(loom) { 2 } else { 16 };

/// A type has as many objects as it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object type holds at most {max} different object ids")]
pub struct TooManyObjects {
    /// The limit, in objects.
    pub max: u32,
}

/// A stored name that does not fit those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RestoreError {
    /// The ordinal is not the one that follows the last.
    #[error("ordinal {found} follows {expected} objects of its type")]
    OutOfOrder {
        /// The ordinal that was due.
        expected: u32,
        /// The one given.
        found: u32,
    },
    /// More than a type can have.
    #[error(transparent)]
    TooMany(#[from] TooManyObjects),
}

/// The names of all objects ever mentioned. Never shrinks; an ordinal never changes its name.
#[derive(Debug)]
pub struct Names {
    types: Spine<Box<TypeNames>>,
    /// Held while a name is added: there is one writer at a time.
    writer: Mutex<()>,
    hash: FixedState,
}

impl Default for Names {
    fn default() -> Names {
        Names::new()
    }
}

impl Names {
    /// No names, with a fixed hash.
    pub fn new() -> Names {
        Names::with_hash_seed(0x5045_4d42_4121)
    }

    /// No names, with a hash of its own, so that nobody outside can choose ids that collide. No ordinal depends on it.
    pub fn with_hash_seed(seed: u64) -> Names {
        Names { types: Spine::new(), writer: Mutex::new(()), hash: FixedState::with_seed(seed) }
    }

    /// The ordinal of an object, if it was ever mentioned; of its newest incarnation.
    pub fn ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal> {
        let names = self.types.get(object_type.0)?;
        names.find(self.tag(object_id), object_id).map(Ordinal)
    }

    /// The ordinals of several objects, in their order, as `ordinal` says of each. The memory of all is asked for before
    /// any of it is read.
    pub(crate) fn ordinals(&self, asked: &[(TypeId, &str)], found: &mut [Option<Ordinal>]) {
        let mut tags: SmallVec<[u32; 64]> = SmallVec::new();
        for (object_type, object_id) in asked {
            let tag = self.tag(object_id);
            if let Some(names) = self.types.get(object_type.0) {
                names.table.load().prefetch(tag);
            }
            tags.push(tag);
        }
        for (((object_type, _), tag), found) in asked.iter().zip(&tags).zip(found.iter_mut()) {
            *found = self.types.get(object_type.0).and_then(|names| names.candidate(*tag)).map(Ordinal);
        }
        for (((object_type, object_id), tag), found) in asked.iter().zip(&tags).zip(found) {
            let (Some(names), Some(candidate)) = (self.types.get(object_type.0), *found) else { continue };
            if names.name(candidate.0).is_none_or(|name| name != object_id) {
                *found = names.find(*tag, object_id).map(Ordinal);
            }
        }
    }

    /// The id behind an ordinal.
    pub fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str> {
        self.types.get(object_type.0)?.name(ordinal.0).map(SmolStr::as_str)
    }

    /// As `object_id`, to keep.
    pub(crate) fn shared_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&SmolStr> {
        self.types.get(object_type.0)?.name(ordinal.0)
    }

    /// How many objects of a type there are; their ordinals are those below.
    pub fn len(&self, object_type: TypeId) -> u32 {
        self.types.get(object_type.0).map_or(0, |names| names.count.load(Ordering::Acquire))
    }

    /// Whether no object of the type was ever mentioned.
    pub fn is_empty(&self, object_type: TypeId) -> bool {
        self.len(object_type) == 0
    }

    /// The ordinal of an object, given one if it has none; with whether it is new. The type must be one of a
    /// catalog's: memory grows with the highest type number.
    pub fn intern(&self, object_type: TypeId, object_id: &str) -> Result<(Ordinal, bool), TooManyObjects> {
        let tag = self.tag(object_id);
        if let Some(ordinal) = self.types.get(object_type.0).and_then(|names| names.find(tag, object_id)) {
            return Ok((Ordinal(ordinal), false));
        }
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.type_names(object_type)?;
        match names.find(tag, object_id) {
            Some(ordinal) => Ok((Ordinal(ordinal), false)),
            None => Ok((Ordinal(names.add(tag, object_id, None)?), true)),
        }
    }

    /// Gives a name to another object and returns that object's ordinal; from then on `ordinal` finds only this one. A
    /// name that nobody has is given as by `intern`. The type as for `intern`.
    pub fn reincarnate(&self, object_type: TypeId, object_id: &str) -> Result<Ordinal, TooManyObjects> {
        let tag = self.tag(object_id);
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.type_names(object_type)?;
        names.add(tag, object_id, names.find(tag, object_id)).map(Ordinal)
    }

    /// The objects of a type that lost their name to another, each with the one that got it; ascending by the latter.
    pub fn replaced(&self, object_type: TypeId) -> impl DoubleEndedIterator<Item = (Ordinal, Ordinal)> + '_ {
        let names = self.types.get(object_type.0);
        let len = names.map_or(0, |names| names.replaced_len.load(Ordering::Acquire));
        let pairs = (0..len).filter_map(move |at| names?.replaced.get(at));
        pairs.map(|(earlier, later)| (Ordinal(*earlier), Ordinal(*later)))
    }

    /// Adds a stored name; one that is there already is a later incarnation. Ordinals of a type must come in order,
    /// without gaps; the type as for `intern`.
    pub fn restore(
        &self,
        object_type: TypeId,
        ordinal: Ordinal,
        object_id: &str,
    ) -> Result<(), RestoreError> {
        let _writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let tag = self.tag(object_id);
        let names = self.type_names(object_type)?;
        let expected = names.count.load(Ordering::Relaxed);
        if ordinal.0 != expected {
            return Err(RestoreError::OutOfOrder { expected, found: ordinal.0 });
        }
        names.add(tag, object_id, names.find(tag, object_id))?;
        Ok(())
    }

    fn tag(&self, object_id: &str) -> u32 {
        (self.hash.hash_one(object_id) >> 32) as u32
    }

    /// The names of a type, made if missing. For the writer only.
    fn type_names(&self, object_type: TypeId) -> Result<&TypeNames, TooManyObjects> {
        if self.types.get(object_type.0).is_none() {
            self.types.set(object_type.0, Box::new(TypeNames::new()));
        }
        self.types.get(object_type.0).map(Box::as_ref).ok_or(TooManyObjects { max: 0 })
    }
}

/// The names of one type.
#[derive(Debug)]
struct TypeNames {
    table: Swap<NameTable>,
    pages: Spine<Box<[OnceLock<SmolStr>]>>,
    count: AtomicU32,
    /// Ordinals that lost their name, with the ordinal that got it, in the order in which that happened.
    replaced: Spine<(u32, u32)>,
    replaced_len: AtomicU32,
}

impl TypeNames {
    fn new() -> TypeNames {
        TypeNames {
            table: Swap::new(Arc::new(NameTable::new(FIRST_SLOTS))),
            pages: Spine::new(),
            count: AtomicU32::new(0),
            replaced: Spine::new(),
            replaced_len: AtomicU32::new(0),
        }
    }

    fn name(&self, ordinal: u32) -> Option<&SmolStr> {
        self.pages.get(ordinal / PAGE)?.get((ordinal % PAGE) as usize)?.get()
    }

    /// The ordinal whose name `find` compares first; asks for that name.
    fn candidate(&self, tag: u32) -> Option<u32> {
        let ordinal = self.table.load().probe(tag).next()?;
        if let Some(cell) =
            self.pages.get(ordinal / PAGE).and_then(|page| page.get((ordinal % PAGE) as usize))
        {
            prefetch(cell);
        }
        Some(ordinal)
    }

    fn find(&self, tag: u32, name: &str) -> Option<u32> {
        let table = self.table.load();
        table.probe(tag).find(|ordinal| self.name(*ordinal).is_some_and(|found| found == name))
    }

    /// Adds a name, in the place of the ordinal that has it. For the writer only.
    fn add(&self, tag: u32, name: &str, earlier: Option<u32>) -> Result<u32, TooManyObjects> {
        let too_many = TooManyObjects { max: Ordinal::MAX.0 };
        let ordinal = self.count.load(Ordering::Relaxed);
        if ordinal >= Ordinal::MAX.0 {
            return Err(too_many);
        }
        let page = ordinal / PAGE;
        if self.pages.get(page).is_none() {
            self.pages.set(page, (0..PAGE).map(|_| OnceLock::new()).collect());
        }
        let cell =
            self.pages.get(page).and_then(|page| page.get((ordinal % PAGE) as usize)).ok_or(too_many)?;
        cell.set(SmolStr::new(name)).map_err(|_| too_many)?;
        if let Some(earlier) = earlier {
            let at = self.replaced_len.load(Ordering::Relaxed);
            self.replaced.set(at, (earlier, ordinal));
            self.replaced_len.store(at + 1, Ordering::Release);
        }

        let table = self.table.load();
        // At most two thirds full, so that a probe ends soon.
        if (ordinal as usize + 1) * 3 > table.slots.len() * 2 {
            let grown = table.doubled();
            grown.put(tag, ordinal, earlier);
            drop(table);
            self.table.store(Arc::new(grown));
        } else {
            table.put(tag, ordinal, earlier);
        }
        self.count.store(ordinal + 1, Ordering::Release);
        Ok(ordinal)
    }
}

/// Open addressing with linear probing. A slot is 0 or a tag in the high half and an ordinal plus one in the low half.
/// The tag alone places an entry, so a table grows without looking at names.
#[derive(Debug)]
struct NameTable {
    slots: Box<[AtomicU64]>,
}

impl NameTable {
    /// An empty table; `slots` is a power of two.
    fn new(slots: usize) -> NameTable {
        NameTable { slots: (0..slots).map(|_| AtomicU64::new(0)).collect() }
    }

    /// Asks for the slot that an entry with this tag is likely in.
    fn prefetch(&self, tag: u32) {
        if let Some(slot) = self.slots.get(tag as usize & (self.slots.len() - 1)) {
            prefetch(slot);
        }
    }

    /// The slots an entry with this tag may be in, in the order they are tried.
    fn places(&self, tag: u32) -> impl Iterator<Item = &AtomicU64> {
        let mask = self.slots.len() - 1;
        (0..self.slots.len()).filter_map(move |step| self.slots.get((tag as usize).wrapping_add(step) & mask))
    }

    /// The ordinals of entries that have the tag.
    fn probe(&self, tag: u32) -> impl Iterator<Item = u32> {
        self.places(tag)
            .map(|slot| slot.load(Ordering::Acquire))
            .take_while(|entry| *entry != 0)
            .filter(move |entry| (*entry >> 32) as u32 == tag)
            .map(|entry| (entry as u32).wrapping_sub(1))
    }

    /// Puts an entry in the place of an earlier one, or else into the first free place. For the writer only; there is
    /// always one free.
    fn put(&self, tag: u32, ordinal: u32, earlier: Option<u32>) {
        let entry = |ordinal: u32| u64::from(tag) << 32 | (u64::from(ordinal) + 1);
        let before = earlier.map_or(0, entry);
        if let Some(slot) = self.places(tag).find(|slot| slot.load(Ordering::Relaxed) == before) {
            // Pairs with the acquire in `probe`: who sees the entry sees the name.
            slot.store(entry(ordinal), Ordering::Release);
        }
    }

    fn doubled(&self) -> NameTable {
        let larger = NameTable::new(self.slots.len() * 2);
        for entry in self.slots.iter().map(|slot| slot.load(Ordering::Relaxed)).filter(|entry| *entry != 0) {
            larger.put((entry >> 32) as u32, (entry as u32).wrapping_sub(1), None);
        }
        larger
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn names_and_ordinals_agree_through_growth() {
        let names = Names::new();
        let (users, docs) = (TypeId(0), TypeId(3));
        for n in 0..5000u32 {
            assert_eq!(names.intern(users, &format!("u{n}")), Ok((Ordinal(n), true)));
            assert_eq!(names.intern(users, &format!("u{}", n / 2)), Ok((Ordinal(n / 2), false)));
        }
        assert_eq!(names.intern(docs, "u7"), Ok((Ordinal(0), true)));
        for n in 0..5000u32 {
            assert_eq!(names.ordinal(users, &format!("u{n}")), Some(Ordinal(n)));
            assert_eq!(names.object_id(users, Ordinal(n)), Some(format!("u{n}").as_str()));
        }
        assert_eq!((names.len(users), names.len(docs), names.len(TypeId(1))), (5000, 1, 0));
        assert_eq!(names.ordinal(users, "u5000"), None);
        assert_eq!(names.ordinal(TypeId(1), "u1"), None);
        assert_eq!(names.object_id(users, Ordinal(5000)), None);
    }

    #[test]
    fn restoring_demands_order() {
        let names = Names::new();
        names.restore(TypeId(0), Ordinal(0), "a").unwrap();
        assert_eq!(
            names.restore(TypeId(0), Ordinal(2), "c"),
            Err(RestoreError::OutOfOrder { expected: 1, found: 2 })
        );
        names.restore(TypeId(0), Ordinal(1), "b").unwrap();
        assert_eq!(names.intern(TypeId(0), "b"), Ok((Ordinal(1), false)));
    }

    #[test]
    fn a_name_leads_to_its_newest_incarnation_through_growth_and_restoring() {
        let names = Names::new();
        let users = TypeId(0);
        let mut newest = std::collections::BTreeMap::new();
        for n in 0..2000u32 {
            let name = format!("u{}", n / 3 * 7 % 300);
            let before = names.ordinal(users, &name);
            assert_eq!(names.reincarnate(users, &name), Ok(Ordinal(n)));
            assert_eq!(before, newest.insert(name, Ordinal(n)));
        }
        assert_eq!(names.len(users), 2000);
        let restored = Names::with_hash_seed(7);
        for n in 0..2000u32 {
            restored.restore(users, Ordinal(n), names.object_id(users, Ordinal(n)).unwrap()).unwrap();
        }
        for names in [&names, &restored] {
            for (name, ordinal) in &newest {
                assert_eq!(names.ordinal(users, name), Some(*ordinal));
                assert_eq!(names.intern(users, name), Ok((*ordinal, false)));
            }
            let replaced: Vec<_> = names.replaced(users).collect();
            assert_eq!(replaced.len(), 2000 - newest.len());
            assert!(replaced.is_sorted_by_key(|(_, later)| *later));
            for (earlier, later) in replaced {
                assert!(earlier < later);
                let id = names.object_id(users, earlier).unwrap();
                assert_eq!(names.object_id(users, later), Some(id));
                assert!(newest[id] >= later);
            }
        }
        assert_eq!(names.replaced(TypeId(1)).count(), 0);
    }
}
