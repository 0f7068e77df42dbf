//! The numbers that stand for names inside a database. All are stored, so all are stable across restarts.

/// An object type; dense from 0 in order of first mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TypeId(pub u32);

/// An edge kind: resource type, relation, subject type and subject shape; dense from 0 in order of first mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KindId(pub u32);

/// An object within its type; dense from 0 in order of first mention.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ordinal(pub u32);

impl Ordinal {
    /// Highest ordinal an object can have; the ones above are free for queries to mean "an object never mentioned".
    pub const MAX: Ordinal = Ordinal(u32::MAX - 16);
    /// In an answer: the object that the question itself names, which no relationship has mentioned.
    pub const UNMENTIONED: Ordinal = Ordinal(Ordinal::MAX.0 + 2);
    /// The subject of every edge of a wildcard kind.
    pub const WILDCARD: Ordinal = Ordinal(0);
}

/// The identity of one edge. For a kind of wildcard shape the subject is `Ordinal::WILDCARD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EdgeKey {
    /// Which table.
    pub kind: KindId,
    /// The resource, an ordinal of the kind's resource type.
    pub resource: Ordinal,
    /// The subject, an ordinal of the kind's subject type.
    pub subject: Ordinal,
}
