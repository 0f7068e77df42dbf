//! A graph with some relationships more, for one query: what would be if they were there, or what a request brings along.
//!
//! The base is not touched, and no name is interned in it: objects that only the extra relationships mention have
//! ordinals from the top of the range downwards, which the overlay alone knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use pemba_model::Relationship;
use pemba_schema::SubjectShape;
use roaring::RoaringBitmap;
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;

use crate::catalog::Catalog;
use crate::check::qualified_edge;
use crate::graph::{Attributes, Graph, Members, QualifiedEdge, Qualifier};
use crate::ids::{EdgeKey, KindId, Ordinal, TypeId};
use crate::large_set::LargeSet;
use crate::names::TooManyObjects;
use crate::names_sought::Sought;
use crate::slot_qualified::{find, put};
use crate::snapshot::attributes_of;

/// Extra relationships that make no overlay.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OverlayError {
    /// No schema ever allowed such an edge, or a wildcard stands where none may.
    #[error("no relation of the schema takes the extra relationship `{relationship}`")]
    UnknownKind {
        /// The relationship, in its text form.
        relationship: String,
    },
    /// The base has so many objects of a type that there is no ordinal left for another.
    #[error(transparent)]
    TooManyObjects(#[from] TooManyObjects),
}

/// A base graph plus extra relationships. Every query runs on it as on the base, with the base's program.
#[derive(Debug)]
pub struct Overlay<'a, G> {
    base: &'a G,
    own: FxHashMap<TypeId, OwnNames>,
    /// By kind and resource: the rows that differ from the base's.
    forward: Rows,
    /// By kind and subject: likewise.
    reverse: Rows,
    /// Kinds of the extra edges that are plain.
    plain: FxHashSet<KindId>,
    /// Kinds of the extra edges that are qualified.
    qualified: FxHashSet<KindId>,
}

/// The objects of one type that the base does not know.
#[derive(Debug, Default)]
struct OwnNames {
    ordinals: FxHashMap<SmolStr, Ordinal>,
    /// The first has ordinal `Ordinal::MAX`, each further one the ordinal below.
    ids: Vec<SmolStr>,
}

/// Rows of one direction, whole.
#[derive(Debug, Default)]
struct Rows {
    plain: FxHashMap<(KindId, Ordinal), PlainRow>,
    qualified: FxHashMap<(KindId, Ordinal), Vec<QualifiedEdge>>,
}

#[derive(Debug)]
enum PlainRow {
    Few(Vec<u32>),
    Many(LargeSet),
}

impl<'a, G: Graph> Overlay<'a, G> {
    /// Lays relationships over a graph. Costs a copy of each row that changes, so they should be few; the caller bounds
    /// their number.
    ///
    /// Where an edge is there already, in the base or earlier in the list, the stronger of the two holds: plain over
    /// qualified, and under the same caveat (or under none) the later expiry. Of two different caveats there is no
    /// stronger one: the later in the list holds, as if it were written, and the other does not.
    pub fn new(base: &'a G, relationships: &[Relationship]) -> Result<Overlay<'a, G>, OverlayError> {
        let mut overlay = Overlay {
            base,
            own: FxHashMap::default(),
            forward: Rows::default(),
            reverse: Rows::default(),
            plain: FxHashSet::default(),
            qualified: FxHashSet::default(),
        };
        let mut edges: BTreeMap<EdgeKey, Attributes> = BTreeMap::new();
        for relationship in relationships {
            let key = overlay.key(relationship)?;
            let there = edges.get(&key).cloned().or_else(|| edge(base, key));
            let extra = attributes_of(relationship);
            edges.insert(key, there.map_or_else(|| extra.clone(), |there| stronger(there, extra.clone())));
        }
        for (key, attributes) in edges {
            overlay.put(key, attributes);
        }
        Ok(overlay)
    }

    fn key(&mut self, relationship: &Relationship) -> Result<EdgeKey, OverlayError> {
        let catalog = self.base.catalog();
        let found = catalog.kind_of(relationship).and_then(|id| Some((id, catalog.kind(id)?)));
        let (id, kind) =
            found.ok_or_else(|| OverlayError::UnknownKind { relationship: relationship.to_string() })?;
        let resource = self.object(kind.resource_type, &relationship.resource.object_id)?;
        let subject = match kind.shape {
            SubjectShape::Wildcard => Ordinal::WILDCARD,
            _ => self.object(kind.subject_type, &relationship.subject.object.object_id)?,
        };
        Ok(EdgeKey { kind: id, resource, subject })
    }

    /// The ordinal of an object, an own one if the base has none.
    fn object(&mut self, object_type: TypeId, object_id: &str) -> Result<Ordinal, TooManyObjects> {
        if let Some(ordinal) = self.ordinal(object_type, object_id) {
            return Ok(ordinal);
        }
        let own = self.own.entry(object_type).or_default();
        let too_many = TooManyObjects { max: Ordinal::MAX.0 };
        let count = u32::try_from(own.ids.len()).map_err(|_| too_many)?;
        let ordinal = Ordinal::MAX.0.checked_sub(count).map(Ordinal).ok_or(too_many)?;
        if self.base.object_id(object_type, ordinal).is_some() {
            return Err(too_many);
        }
        own.ids.push(SmolStr::new(object_id));
        own.ordinals.insert(SmolStr::new(object_id), ordinal);
        Ok(ordinal)
    }

    fn put(&mut self, key: EdgeKey, attributes: Attributes) {
        let EdgeKey { kind, resource, subject } = key;
        let base = self.base;
        match attributes {
            None => {
                self.plain.insert(kind);
                self.forward.put_plain((kind, resource), subject, base.subjects(kind, resource));
                self.reverse.put_plain((kind, subject), resource, base.resources(kind, subject));
                if qualified_edge(base, kind, resource, subject).is_some() {
                    self.forward.take_qualified(
                        (kind, resource),
                        subject,
                        base.qualified_subjects(kind, resource),
                    );
                    self.reverse.take_qualified(
                        (kind, subject),
                        resource,
                        base.qualified_resources(kind, subject),
                    );
                }
            }
            Some(qualifier) => {
                self.qualified.insert(kind);
                let forward = QualifiedEdge { other: subject, qualifier: Arc::clone(&qualifier) };
                let reverse = QualifiedEdge { other: resource, qualifier };
                let (subjects, resources) =
                    (base.qualified_subjects(kind, resource), base.qualified_resources(kind, subject));
                self.forward.put_qualified((kind, resource), forward, subjects);
                self.reverse.put_qualified((kind, subject), reverse, resources);
            }
        }
    }
}

/// The attributes of an edge of a graph, if it is there.
fn edge<G: Graph>(graph: &G, key: EdgeKey) -> Option<Attributes> {
    if graph.subjects(key.kind, key.resource).contains(key.subject) {
        return Some(None);
    }
    let edge = qualified_edge(graph, key.kind, key.resource, key.subject)?;
    Some(Some(Arc::clone(&edge.qualifier)))
}

/// What an edge has that is there twice.
fn stronger(there: Attributes, extra: Attributes) -> Attributes {
    let (there, extra) = (there?, extra?);
    if there.caveat != extra.caveat {
        return Some(extra);
    }
    let expires_at = there.expires_at.zip(extra.expires_at).map(|(one, other)| one.max(other));
    Some(Arc::new(Qualifier { caveat: extra.caveat.clone(), expires_at }))
}

impl Rows {
    fn put_plain(&mut self, at: (KindId, Ordinal), other: Ordinal, base: Members<'_>) {
        match self.plain.entry(at).or_insert_with(|| PlainRow::of(base)) {
            PlainRow::Few(few) => {
                if let Err(free) = few.binary_search(&other.0) {
                    few.insert(free, other.0);
                }
            }
            PlainRow::Many(many) => {
                many.insert(other.0);
            }
        }
    }

    fn put_qualified(&mut self, at: (KindId, Ordinal), edge: QualifiedEdge, base: &[QualifiedEdge]) {
        put(self.qualified.entry(at).or_insert_with(|| base.to_vec()), edge);
    }

    fn take_qualified(&mut self, at: (KindId, Ordinal), other: Ordinal, base: &[QualifiedEdge]) {
        let row = self.qualified.entry(at).or_insert_with(|| base.to_vec());
        if let Ok(found) = find(row, other) {
            row.remove(found);
        }
    }
}

impl PlainRow {
    fn of(members: Members<'_>) -> PlainRow {
        match members {
            Members::Many(many) => PlainRow::Many(many.clone()),
            few => PlainRow::Few(few.iter().map(|member| member.0).collect()),
        }
    }

    fn members(&self) -> Members<'_> {
        match self {
            PlainRow::Few(few) => Members::Few(few),
            PlainRow::Many(many) => Members::Many(many),
        }
    }
}

impl<G: Graph> Overlay<'_, G> {
    /// The number of an object that only the overlay mentions.
    fn own_ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal> {
        self.own.get(&object_type).and_then(|own| own.ordinals.get(object_id)).copied()
    }
}

impl<G: Graph> Graph for Overlay<'_, G> {
    fn catalog(&self) -> &Catalog {
        self.base.catalog()
    }

    fn ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal> {
        // The own ones first: the base may come to know the name while the query runs.
        self.own_ordinal(object_type, object_id).or_else(|| self.base.ordinal(object_type, object_id))
    }

    fn seek<'a>(&'a self, object_type: TypeId, object_id: &'a str) -> Sought<'a> {
        match self.own_ordinal(object_type, object_id) {
            None => self.base.seek(object_type, object_id),
            own => Sought::known(own),
        }
    }

    fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str> {
        let place = Ordinal::MAX.0.checked_sub(ordinal.0);
        let own = self.own.get(&object_type).zip(place).and_then(|(own, place)| own.ids.get(place as usize));
        own.map(SmolStr::as_str).or_else(|| self.base.object_id(object_type, ordinal))
    }

    fn has_replaced(&self) -> bool {
        self.base.has_replaced()
    }

    fn replaced(&self, object_type: TypeId) -> Option<&RoaringBitmap> {
        self.base.replaced(object_type)
    }

    fn keep_named(&self, object_type: TypeId, objects: &mut RoaringBitmap) {
        self.base.keep_named(object_type, objects);
    }

    fn subjects(&self, kind: KindId, resource: Ordinal) -> Members<'_> {
        let own = self.forward.plain.get(&(kind, resource));
        own.map_or_else(|| self.base.subjects(kind, resource), PlainRow::members)
    }

    fn resources(&self, kind: KindId, subject: Ordinal) -> Members<'_> {
        let own = self.reverse.plain.get(&(kind, subject));
        own.map_or_else(|| self.base.resources(kind, subject), PlainRow::members)
    }

    fn prefetch_subjects(&self, kind: KindId, resource: Ordinal) {
        self.base.prefetch_subjects(kind, resource);
    }

    fn prefetch_resources(&self, kind: KindId, subject: Ordinal) {
        self.base.prefetch_resources(kind, subject);
    }

    fn qualified_subjects(&self, kind: KindId, resource: Ordinal) -> &[QualifiedEdge] {
        let own = self.forward.qualified.get(&(kind, resource));
        own.map_or_else(|| self.base.qualified_subjects(kind, resource), Vec::as_slice)
    }

    fn qualified_resources(&self, kind: KindId, subject: Ordinal) -> &[QualifiedEdge] {
        let own = self.reverse.qualified.get(&(kind, subject));
        own.map_or_else(|| self.base.qualified_resources(kind, subject), Vec::as_slice)
    }

    fn has_plain(&self, kind: KindId) -> bool {
        self.plain.contains(&kind) || self.base.has_plain(kind)
    }

    fn has_qualified(&self, kind: KindId) -> bool {
        self.qualified.contains(&kind) || self.base.has_qualified(kind)
    }
}
