//! Object ids and their ordinals, both ways: append-only, shared by all snapshots, read without locks.
//!
//! Per type, names lie end to end in an arena, a table finds the record of a name by its hash, and an index finds it by
//! ordinal. The writer writes the record before it puts its place into either; whoever finds the place finds the name.
//!
//! A name can be given to another object: a later incarnation, with an ordinal of its own. The name then leads to the
//! newest only, while every ordinal keeps its name.
#![allow(
    unsafe_code,
    reason = "places of records are passed through atomic words, where no type vouches for them"
)]

use std::hash::{BuildHasher, Hasher};
use std::sync::PoisonError;

use foldhash::quality::FixedState;

use crate::ids::{Ordinal, TypeId};
use crate::names_arena::{Arena, Place, Record, Unread};
use crate::names_sought::Sought;
use crate::names_spine::Spine;
use crate::names_table::{Begun, NameTable};
use crate::prefetch::prefetch;
use crate::sync::{AtomicU32, Mutex, Ordering};

/// So many names are looked for at a time.
const BATCH: usize = 16;
/// Ordinals in one page of the index.
const PAGE: u32 = if cfg!(loom) { 2 } else { 1024 };

/// A type has as many objects as it can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an object type holds at most {max} objects with ids of this length")]
pub struct TooManyObjects {
    /// How many objects of the type there are; 16 GiB of ids bound them, or the ordinals do.
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

/// The hash of a name, by the `Names` that made it; it means nothing to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NameHash(pub(crate) u32);

/// The names of all objects ever mentioned. Never shrinks; an ordinal never changes its name.
#[derive(Debug)]
pub struct Names {
    types: Spine<Box<TypeNames>>,
    /// Held while a name is added: there is one writer at a time.
    writer: Mutex<Writer>,
    hash: FixedState,
}

/// Stands for the right to add names.
#[derive(Debug)]
struct Writer;

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
        Names { types: Spine::new(), writer: Mutex::new(Writer), hash: FixedState::with_seed(seed) }
    }

    /// The ordinal of an object, if it was ever mentioned; of its newest incarnation.
    pub fn ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal> {
        let (_, ordinal) = self.types.get(object_type.0)?.find(self.hash(object_id), object_id)?;
        Some(Ordinal(ordinal))
    }

    fn hash(&self, object_id: &str) -> NameHash {
        let mut hasher = self.hash.build_hasher();
        hasher.write(object_id.as_bytes());
        NameHash((hasher.finish() >> 32) as u32)
    }

    /// The ordinals of several objects, in their order, as `ordinal` says of each; what is past the shorter of the two
    /// slices is left alone. The memory of many is asked for before any of it is read.
    pub(crate) fn ordinals(&self, asked: &[(TypeId, &str)], found: &mut [Option<Ordinal>]) {
        let (asked_batches, asked_rest) = asked.as_chunks::<BATCH>();
        let (found_batches, found_rest) = found.as_chunks_mut::<BATCH>();
        for (asked, found) in asked_batches.iter().zip(found_batches) {
            self.batch(asked, found);
        }
        let (asked_pairs, asked_last) = asked_rest.as_chunks::<2>();
        let (found_pairs, found_last) = found_rest.as_chunks_mut::<2>();
        for (asked, found) in asked_pairs.iter().zip(found_pairs) {
            self.batch(asked, found);
        }
        for ((object_type, object_id), found) in asked_last.iter().zip(found_last) {
            *found = self.ordinal(*object_type, object_id);
        }
    }

    fn batch<const N: usize>(&self, asked: &[(TypeId, &str); N], found: &mut [Option<Ordinal>; N]) {
        let begun = asked.each_ref().map(|(object_type, object_id)| {
            let names = self.types.get(object_type.0)?;
            let hash = self.hash(object_id);
            Some((names.as_ref(), hash, names.table.begin(hash.0)?))
        });
        let candidates = begun.each_ref().map(|begun| {
            let (names, hash, begun) = begun.as_ref()?;
            Some((*names, *hash, names.candidate(*hash, *begun)?))
        });
        // Without a candidate nobody has the hash.
        for (((_, object_id), candidate), found) in asked.iter().zip(candidates).zip(found) {
            *found = candidate.and_then(|(names, hash, record)| names.settle(hash, record, object_id));
        }
    }

    /// Begins to look for an object; what comes of it is what `ordinal` says.
    pub(crate) fn seek<'a>(&'a self, object_type: TypeId, object_id: &'a str) -> Sought<'a> {
        let begin = || {
            let names = self.types.get(object_type.0)?;
            let hash = self.hash(object_id);
            Some(Sought::in_line(object_id, names, hash, names.table.begin(hash.0)?))
        };
        begin().unwrap_or(Sought::known(None))
    }

    /// The id behind an ordinal.
    pub fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str> {
        self.types.get(object_type.0)?.name(ordinal.0)
    }

    /// Asks the processor for the id of an object that will be asked for soon.
    pub fn prefetch(&self, object_type: TypeId, ordinal: Ordinal) {
        if let Some(names) = self.types.get(object_type.0)
            && let Some(place) = names.place(ordinal.0)
        {
            let _ = names.arena.begin(place);
        }
    }

    /// Asks the processor for what `prefetch` has to read before it can ask: to be called a while before it.
    pub fn prefetch_place(&self, object_type: TypeId, ordinal: Ordinal) {
        if let Some(names) = self.types.get(object_type.0)
            && let Some(page) = names.index.get(ordinal.0 / PAGE)
            && let Some(place) = page.get((ordinal.0 % PAGE) as usize)
        {
            prefetch(place);
        }
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
        let hash = self.hash(object_id);
        if let Some((_, ordinal)) =
            self.types.get(object_type.0).and_then(|names| names.find(hash, object_id))
        {
            return Ok((Ordinal(ordinal), false));
        }
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let names = self.type_names(&mut writer, object_type)?;
        match names.find(hash, object_id) {
            Some((_, ordinal)) => Ok((Ordinal(ordinal), false)),
            None => Ok((Ordinal(names.add(&mut writer, hash, object_id, None)?), true)),
        }
    }

    /// Gives a name to another object and returns that object's ordinal; from then on `ordinal` finds only this one. A
    /// name that nobody has is given as by `intern`. The type as for `intern`.
    pub fn reincarnate(&self, object_type: TypeId, object_id: &str) -> Result<Ordinal, TooManyObjects> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = self.hash(object_id);
        let names = self.type_names(&mut writer, object_type)?;
        names.add(&mut writer, hash, object_id, names.find(hash, object_id)).map(Ordinal)
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
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let hash = self.hash(object_id);
        let names = self.type_names(&mut writer, object_type)?;
        let expected = names.count.load(Ordering::Relaxed);
        if ordinal.0 != expected {
            return Err(RestoreError::OutOfOrder { expected, found: ordinal.0 });
        }
        names.add(&mut writer, hash, object_id, names.find(hash, object_id))?;
        Ok(())
    }

    /// The names of a type, made if missing.
    fn type_names(&self, _writer: &mut Writer, object_type: TypeId) -> Result<&TypeNames, TooManyObjects> {
        if self.types.get(object_type.0).is_none() {
            self.types.set(object_type.0, Box::new(TypeNames::new()));
        }
        self.types.get(object_type.0).map(Box::as_ref).ok_or(TooManyObjects { max: 0 })
    }
}

/// The names of one type.
#[derive(Debug)]
pub(crate) struct TypeNames {
    arena: Arena,
    /// Places by hash. Only what `arena` returned.
    table: NameTable,
    /// Pages of places by ordinal; 0 where there is none yet. Only what `arena` returned.
    index: Spine<Box<[AtomicU32]>>,
    count: AtomicU32,
    /// Ordinals that lost their name, with the ordinal that got it, in the order in which that happened.
    replaced: Spine<(u32, u32)>,
    replaced_len: AtomicU32,
}

impl TypeNames {
    fn new() -> TypeNames {
        TypeNames {
            arena: Arena::new(),
            table: NameTable::new(),
            index: Spine::new(),
            count: AtomicU32::new(0),
            replaced: Spine::new(),
            replaced_len: AtomicU32::new(0),
        }
    }

    fn name(&self, ordinal: u32) -> Option<&str> {
        let place = self.place(ordinal)?;
        // SAFETY: the index holds only places of this arena, each stored with a release after its push.
        unsafe { self.arena.record(place) }.map(|record| record.name)
    }

    /// Where the record of an ordinal is.
    fn place(&self, ordinal: u32) -> Option<Place> {
        let page = self.index.get(ordinal / PAGE)?;
        Place::new(page.get((ordinal % PAGE) as usize)?.load(Ordering::Acquire))
    }

    /// The record of a name's newest incarnation: its place and its ordinal.
    fn find(&self, hash: NameHash, name: &str) -> Option<(Place, u32)> {
        self.table.find(hash.0, |place| self.at(place, name))
    }

    /// The record at a place that the table had, if it is of this name.
    fn at(&self, place: Place, name: &str) -> Option<(Place, u32)> {
        // SAFETY: the table holds only places of this arena, each stored with a release after its push.
        let record: Record<'_> = unsafe { self.arena.record(place) }?;
        (record.name == name).then_some((place, record.ordinal))
    }

    /// The record that `find` looks at first, given where the search begins; asks the processor for it.
    #[inline]
    pub(crate) fn candidate(&self, hash: NameHash, begun: Begun<'_>) -> Option<Unread<'_>> {
        self.arena.begin(self.table.first(begun, hash.0)?)
    }

    /// The ordinal of a name, given the record that `find` looks at first; one of another name says nothing of those
    /// behind it.
    #[inline]
    pub(crate) fn settle(&self, hash: NameHash, candidate: Unread<'_>, name: &str) -> Option<Ordinal> {
        // SAFETY: the table holds only places of this arena, each stored with a release after its push.
        let record = unsafe { candidate.read() };
        if record.name == name {
            return Some(Ordinal(record.ordinal));
        }
        self.find(hash, name).map(|(_, ordinal)| Ordinal(ordinal))
    }

    /// Adds a name, in the place of the record that has it.
    fn add(
        &self,
        _writer: &mut Writer,
        hash: NameHash,
        name: &str,
        earlier: Option<(Place, u32)>,
    ) -> Result<u32, TooManyObjects> {
        let ordinal = self.count.load(Ordering::Relaxed);
        let too_many = TooManyObjects { max: ordinal };
        if ordinal >= Ordinal::MAX.0 {
            return Err(too_many);
        }
        // SAFETY: there is one `Writer`, behind a lock, and it is borrowed here.
        let place = unsafe { self.arena.push(ordinal, name) }.ok_or(too_many)?;
        let page = ordinal / PAGE;
        if self.index.get(page).is_none() {
            self.index.set(page, (0..PAGE).map(|_| AtomicU32::new(0)).collect());
        }
        let cell = self.index.get(page).and_then(|page| page.get((ordinal % PAGE) as usize));
        cell.ok_or(too_many)?.store(place.get(), Ordering::Release);
        if let Some((_, earlier)) = earlier {
            let at = self.replaced_len.load(Ordering::Relaxed);
            self.replaced.set(at, (earlier, ordinal));
            self.replaced_len.store(at + 1, Ordering::Release);
        }
        if !self.table.put(hash.0, place, earlier.map(|(place, _)| place)) {
            return Err(too_many);
        }
        self.count.store(ordinal + 1, Ordering::Release);
        Ok(ordinal)
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
