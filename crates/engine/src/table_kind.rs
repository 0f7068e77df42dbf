//! The tables of one edge kind, and of all kinds.

use std::sync::Arc;

use crate::graph::{Attributes, QualifiedEdge, Qualifier};
use crate::ids::{KindId, Ordinal};
use crate::slot_qualified::find;
use crate::table::{EdgeTable, QualifiedTable};

/// The edges of one kind, both ways. An edge is in the plain pair of tables or in the qualified pair, never in both.
#[derive(Debug, Clone, Default)]
pub(crate) struct KindTables<T: EdgeTable> {
    /// Resource to subjects.
    pub(crate) forward: T,
    /// Subject to resources.
    pub(crate) reverse: T,
    /// Resource to subjects, with qualifiers.
    pub(crate) qualified_forward: T::Qualified,
    /// Subject to resources, with qualifiers.
    pub(crate) qualified_reverse: T::Qualified,
    /// Plain edges.
    pub(crate) plain: u64,
    /// Qualified edges.
    pub(crate) qualified: u64,
}

impl<T: EdgeTable> KindTables<T> {
    /// The edge's attributes, if it is there.
    pub(crate) fn edge(&self, resource: Ordinal, subject: Ordinal) -> Option<Attributes> {
        edge(&self.forward, &self.qualified_forward, resource, subject)
    }

    /// The same by the tables from subject to resources.
    pub(crate) fn edge_from_subject(&self, resource: Ordinal, subject: Ordinal) -> Option<Attributes> {
        edge(&self.reverse, &self.qualified_reverse, subject, resource)
    }

    /// Puts an edge, moving it between the pairs if need be. `before` is what `edge` says.
    pub(crate) fn put(
        &mut self,
        resource: Ordinal,
        subject: Ordinal,
        before: &Option<Attributes>,
        attributes: Attributes,
    ) {
        match (before, attributes) {
            (Some(None), None) => {}
            (Some(Some(_)), Some(qualifier)) => self.put_qualified(resource, subject, qualifier),
            (_, attributes) => {
                self.remove(resource, subject, before);
                match attributes {
                    None => {
                        self.forward.insert(resource.0, subject.0);
                        self.reverse.insert(subject.0, resource.0);
                        self.plain += 1;
                    }
                    Some(qualifier) => {
                        self.put_qualified(resource, subject, qualifier);
                        self.qualified += 1;
                    }
                }
            }
        }
    }

    /// Takes an edge. `before` is what `edge` says.
    pub(crate) fn remove(&mut self, resource: Ordinal, subject: Ordinal, before: &Option<Attributes>) {
        match before {
            None => {}
            Some(None) => {
                self.forward.remove(resource.0, subject.0);
                self.reverse.remove(subject.0, resource.0);
                self.plain -= 1;
            }
            Some(Some(_)) => {
                self.qualified_forward.remove(resource.0, subject);
                self.qualified_reverse.remove(subject.0, resource);
                self.qualified -= 1;
            }
        }
    }

    fn put_qualified(&mut self, resource: Ordinal, subject: Ordinal, qualifier: Arc<Qualifier>) {
        let forward = QualifiedEdge { other: subject, qualifier: Arc::clone(&qualifier) };
        self.qualified_forward.put(resource.0, forward);
        self.qualified_reverse.put(subject.0, QualifiedEdge { other: resource, qualifier });
    }

    /// As `EdgeTable::replaced_bytes`, of all four tables.
    fn replaced_bytes(&self) -> u64 {
        let plain = [self.forward.replaced_bytes(), self.reverse.replaced_bytes()];
        let qualified = [self.qualified_forward.replaced_bytes(), self.qualified_reverse.replaced_bytes()];
        plain.into_iter().chain(qualified).fold(0, u64::saturating_add)
    }
}

/// The attributes of the edge between a key and a member, if it is there.
fn edge<T: EdgeTable>(
    plain: &T,
    qualified: &T::Qualified,
    key: Ordinal,
    member: Ordinal,
) -> Option<Attributes> {
    if plain.get(key.0).contains(member) {
        return Some(None);
    }
    let row = qualified.row(key.0);
    let edge: Option<&QualifiedEdge> = find(row, member).ok().and_then(|at| row.get(at));
    edge.map(|edge| Some(Arc::clone(&edge.qualifier)))
}

/// Kinds in one chunk: a change copies one chunk and the list of chunks.
const CHUNK: usize = 16;

/// Sixteen kinds, the last ones of which may not be there yet. In one piece, so that it takes one step less to reach a
/// table.
type Chunk<T> = [Option<Arc<KindTables<T>>>; CHUNK];

/// The tables of all kinds, shared with the snapshots they were cloned from until they change.
#[derive(Debug, Clone)]
pub(crate) struct Tables<T: EdgeTable> {
    chunks: Arc<[Arc<Chunk<T>>]>,
    kinds: usize,
}

impl<T: EdgeTable> Default for Tables<T> {
    fn default() -> Tables<T> {
        Tables { chunks: Arc::default(), kinds: 0 }
    }
}

impl<T: EdgeTable> Tables<T> {
    /// The tables of a kind.
    pub(crate) fn get(&self, kind: KindId) -> Option<&KindTables<T>> {
        let at = kind.0 as usize;
        self.chunks.get(at / CHUNK)?.get(at % CHUNK)?.as_deref()
    }

    /// Bytes, about, that tables these came from hold and these do not.
    pub(crate) fn replaced_since(&self, before: &Tables<T>) -> u64 {
        let chunks =
            self.chunks.iter().zip(before.chunks.iter()).filter(|(one, other)| !Arc::ptr_eq(one, other));
        let kinds = chunks.flat_map(|(one, other)| one.iter().flatten().zip(other.iter().flatten()));
        let changed = kinds.filter(|(one, other)| !Arc::ptr_eq(one, other));
        let bytes = changed.map(|(one, other)| {
            let own = (size_of::<KindTables<T>>() + CHUNK * size_of::<Arc<KindTables<T>>>()) as u64;
            one.replaced_bytes().saturating_sub(other.replaced_bytes()).saturating_add(own)
        });
        bytes.fold(0, u64::saturating_add)
    }

    /// The tables of a kind, to change.
    pub(crate) fn get_mut(&mut self, kind: KindId) -> Option<&mut KindTables<T>> {
        let at = kind.0 as usize;
        if at >= self.kinds {
            return None;
        }
        let chunk = Arc::make_mut(Arc::make_mut(&mut self.chunks).get_mut(at / CHUNK)?);
        chunk.get_mut(at % CHUNK)?.as_mut().map(Arc::make_mut)
    }

    /// Makes empty tables for kinds up to this number.
    pub(crate) fn extend_to(&mut self, kinds: usize) {
        if kinds <= self.kinds {
            return;
        }
        let mut chunks = self.chunks.to_vec();
        chunks.resize_with(kinds.div_ceil(CHUNK), Arc::default);
        for at in self.kinds..kinds {
            let chunk = chunks.get_mut(at / CHUNK).map(Arc::make_mut);
            if let Some(tables) = chunk.and_then(|chunk| chunk.get_mut(at % CHUNK)) {
                *tables = Some(Arc::default());
            }
        }
        self.chunks = chunks.into();
        self.kinds = kinds;
    }
}
