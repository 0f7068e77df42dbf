//! The view of the edges that queries run on: everything they need and nothing of how it is kept.

use std::sync::Arc;

use pemba_model::{CaveatRef, Timestamp};
use pemba_schema::SubjectShape;
use roaring::RoaringBitmap;

use crate::catalog::Catalog;
use crate::ids::{KindId, Ordinal, TypeId};
use crate::large_set::{LargeSet, LargeSetIter};
use crate::names_sought::Sought;

/// What qualifies an edge: a caveat, an expiry or both, never neither.
#[derive(Debug, Clone, PartialEq)]
pub struct Qualifier {
    /// The condition and the values bound to it.
    pub caveat: Option<CaveatRef>,
    /// The first instant at which the edge no longer counts.
    pub expires_at: Option<Timestamp>,
}

/// What a stored edge has besides its identity; `None` for a plain edge.
pub type Attributes = Option<Arc<Qualifier>>;

/// One end of a qualified edge, with its qualifier.
#[derive(Debug, Clone, PartialEq)]
pub struct QualifiedEdge {
    /// The other end.
    pub other: Ordinal,
    /// What it depends on.
    pub qualifier: Arc<Qualifier>,
}

/// A set of ordinals, borrowed from a table. Ascending.
#[derive(Debug, Clone, Copy)]
pub enum Members<'a> {
    /// Nothing.
    Empty,
    /// One ordinal.
    One(u32),
    /// A few, ascending, without duplicates.
    Few(&'a [u32]),
    /// Many.
    Many(&'a LargeSet),
}

impl<'a> Members<'a> {
    /// How many there are.
    pub fn len(self) -> usize {
        match self {
            Members::Empty => 0,
            Members::One(_) => 1,
            Members::Few(few) => few.len(),
            Members::Many(many) => usize::try_from(many.len()).unwrap_or(usize::MAX),
        }
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        matches!(self, Members::Empty)
    }

    /// Whether the ordinal is one of them.
    #[inline]
    pub fn contains(self, ordinal: Ordinal) -> bool {
        match self {
            Members::Empty => false,
            Members::One(one) => one == ordinal.0,
            Members::Few(few) => few.binary_search(&ordinal.0).is_ok(),
            Members::Many(many) => many.contains(ordinal.0),
        }
    }

    /// All of them, ascending.
    #[inline]
    pub fn iter(self) -> MembersIter<'a> {
        match self {
            Members::Empty => MembersIter::Few([].iter()),
            Members::One(one) => MembersIter::One(Some(one)),
            Members::Few(few) => MembersIter::Few(few.iter()),
            Members::Many(many) => MembersIter::Many(Box::new(many.iter())),
        }
    }

    /// Those from `first` on, ascending; found without walking over the ones before.
    pub fn iter_from(self, first: Ordinal) -> MembersIter<'a> {
        match self {
            Members::Few(few) => {
                let skipped = few.partition_point(|member| *member < first.0);
                MembersIter::Few(few.get(skipped..).unwrap_or(&[]).iter())
            }
            Members::One(one) => MembersIter::One(Some(one).filter(|one| *one >= first.0)),
            Members::Many(many) if first.0 > 0 => MembersIter::Many(Box::new(many.iter_from(first.0))),
            Members::Empty | Members::Many(_) => self.iter(),
        }
    }

    /// Adds all of them to a bitmap.
    pub fn add_to(self, bitmap: &mut RoaringBitmap) {
        match self {
            Members::Empty => {}
            Members::One(one) => {
                bitmap.insert(one);
            }
            Members::Few(few) => bitmap.extend(few.iter().copied()),
            Members::Many(many) => many.add_to(bitmap),
        }
    }
}

/// The ordinals of a `Members`, ascending.
pub enum MembersIter<'a> {
    /// At most one.
    One(Option<u32>),
    /// From a sorted array.
    Few(std::slice::Iter<'a, u32>),
    /// From a large set.
    Many(Box<LargeSetIter<'a>>),
}

impl Iterator for MembersIter<'_> {
    type Item = Ordinal;

    #[inline]
    fn next(&mut self) -> Option<Ordinal> {
        match self {
            MembersIter::One(one) => one.take(),
            MembersIter::Few(few) => few.next().copied(),
            MembersIter::Many(many) => many.next(),
        }
        .map(Ordinal)
    }
}

/// The objects at one end of a kind that lost their name to a later incarnation.
#[derive(Debug, Clone, Copy)]
pub struct Replaced<'a>(Option<&'a RoaringBitmap>);

impl Replaced<'_> {
    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0.is_none()
    }

    /// Whether the object is one of them.
    pub fn contains(self, object: Ordinal) -> bool {
        self.0.is_some_and(|replaced| replaced.contains(object.0))
    }
}

/// The edges at one revision. An edge is either plain or qualified, never both; expired qualified edges may still be
/// there, and whoever reads them compares the expiry with the instant of the query.
pub trait Graph {
    /// The types and kinds.
    fn catalog(&self) -> &Catalog;
    /// The ordinal of an object, if it was ever mentioned; of its newest incarnation. An ordinal newer than this revision
    /// has no edges in it.
    fn ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal>;
    /// The ordinals of several objects, in their order, as `ordinal` says of each; what is past the shorter of the two
    /// slices is left alone. A graph that has to wait for memory waits for all of them at once.
    fn ordinals(&self, asked: &[(TypeId, &str)], found: &mut [Option<Ordinal>]) {
        for ((object_type, object_id), found) in asked.iter().zip(found) {
            *found = self.ordinal(*object_type, object_id);
        }
    }
    /// Begins to look for an object, and asks for the memory that this takes; what comes of it is what `ordinal` says.
    fn seek<'a>(&'a self, object_type: TypeId, object_id: &'a str) -> Sought<'a> {
        Sought::known(self.ordinal(object_type, object_id))
    }
    /// The id of an object.
    fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str>;
    /// Whether any object of any type lost its name to a later incarnation at this revision or before.
    fn has_replaced(&self) -> bool;
    /// The objects of a type that lost their name to a later incarnation at this revision or before; `None` when there are
    /// none. They count for nothing: they have no rows here. They may still stand in the rows of others, and whoever
    /// would go on from there leaves them out.
    fn replaced(&self, object_type: TypeId) -> Option<&RoaringBitmap>;
    /// Takes out of a set of objects those whose name has gone to a later incarnation, by a later revision too: an answer
    /// names objects, and none may name one by what another was granted.
    fn keep_named(&self, object_type: TypeId, objects: &mut RoaringBitmap);
    /// Subjects of the resource's plain edges of a kind.
    fn subjects(&self, kind: KindId, resource: Ordinal) -> Members<'_>;
    /// Resources of the subject's plain edges of a kind.
    fn resources(&self, kind: KindId, subject: Ordinal) -> Members<'_>;
    /// Asks for the memory that `subjects` reads, without waiting for it. No answer depends on it.
    fn prefetch_subjects(&self, _kind: KindId, _resource: Ordinal) {}
    /// Asks for the memory that `resources` reads, without waiting for it. No answer depends on it.
    fn prefetch_resources(&self, _kind: KindId, _subject: Ordinal) {}
    /// The resource's qualified edges of a kind, ascending by subject.
    fn qualified_subjects(&self, kind: KindId, resource: Ordinal) -> &[QualifiedEdge];
    /// The subject's qualified edges of a kind, ascending by resource.
    fn qualified_resources(&self, kind: KindId, subject: Ordinal) -> &[QualifiedEdge];
    /// As `replaced`, for the resources of a kind.
    fn replaced_resources(&self, kind: KindId) -> Replaced<'_> {
        if !self.has_replaced() {
            return Replaced(None);
        }
        Replaced(self.catalog().kind(kind).and_then(|kind| self.replaced(kind.resource_type)))
    }
    /// As `replaced`, for the subjects of a kind.
    fn replaced_subjects(&self, kind: KindId) -> Replaced<'_> {
        if !self.has_replaced() {
            return Replaced(None);
        }
        let kind = self.catalog().kind(kind).filter(|kind| kind.shape != SubjectShape::Wildcard);
        Replaced(kind.and_then(|kind| self.replaced(kind.subject_type)))
    }
    /// Whether the kind has any plain edge.
    fn has_plain(&self, kind: KindId) -> bool;
    /// Whether the kind has any qualified edge.
    fn has_qualified(&self, kind: KindId) -> bool;
}
