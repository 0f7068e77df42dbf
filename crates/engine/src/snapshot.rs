//! One revision, whole and immutable.

use std::sync::Arc;

use pemba_model::{
    ObjectRef, Relationship, RelationshipFilter, Revision, SubjectRef, Timestamp, WILDCARD_ID,
};
use pemba_schema::{Schema, SubjectShape};
use roaring::RoaringBitmap;

use crate::catalog::Catalog;
use crate::epoch::EpochTrie;
use crate::graph::{Attributes, Graph, Members, QualifiedEdge, Qualifier};
use crate::ids::{EdgeKey, KindId, Ordinal, TypeId};
use crate::names::Names;
use crate::names_sought::Sought;
use crate::program::Program;
use crate::scan::Scan;
use crate::sync::{Loaded, Swap};
use crate::table::{EdgeTable, QualifiedTable};
use crate::table_kind::{KindTables, Tables};
use crate::transaction::Transaction;

/// All relationships and the schema at one revision. A clone is cheap and shares everything; what a snapshot says never
/// changes. Names are shared with later snapshots too, so it may know objects that are mentioned only later: they have
/// no edges here.
///
/// A name that has got a later incarnation stands for that one, at every revision: what an earlier incarnation was
/// granted is found by no question about the name, also at a revision at which it held. From the revision of the
/// change on, no edge of the earlier one counts for anybody. A scan still shows these edges, under the name.
#[derive(Debug, Clone)]
pub struct Snapshot<T: EdgeTable = EpochTrie> {
    pub(crate) revision: Revision,
    pub(crate) schema: Arc<Schema>,
    pub(crate) program: Arc<Program>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) names: Arc<Names>,
    pub(crate) tables: Tables<T>,
    /// By type: how many objects have been handed to the store, by this revision's transaction or an earlier one.
    pub(crate) handed_over: Arc<Vec<u32>>,
    /// By type: the objects that lost their name to a later incarnation. Empty as long as none of any type has.
    pub(crate) replaced: Arc<Vec<RoaringBitmap>>,
    pub(crate) len: u64,
}

impl Snapshot {
    /// Revision 0: no relationships and an empty schema.
    pub fn empty() -> Snapshot {
        Snapshot::with_names(Names::new())
    }
}

impl<T: EdgeTable> Snapshot<T> {
    /// Revision 0 over names that nobody has used yet.
    pub fn with_names(names: Names) -> Snapshot<T> {
        Snapshot {
            revision: Revision::ZERO,
            schema: Arc::default(),
            program: Arc::new(Program::compile(&Schema::default(), &Catalog::default())),
            catalog: Arc::default(),
            names: Arc::new(names),
            tables: Tables::default(),
            handed_over: Arc::default(),
            replaced: Arc::default(),
            len: 0,
        }
    }

    /// Which revision this is.
    pub fn revision(&self) -> Revision {
        self.revision
    }

    /// The schema at this revision.
    pub fn schema(&self) -> &Arc<Schema> {
        &self.schema
    }

    /// The schema, compiled.
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// The names of objects, those of later revisions included.
    pub fn names(&self) -> &Arc<Names> {
        &self.names
    }

    /// How many relationships there are, expired ones included.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether there is no relationship.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes, about, that a snapshot this one came from by transactions holds and this one does not; and, when this one
    /// came from it while later ones had come from it too, that this one holds and it does not. Names are shared by all.
    pub fn replaced_since(&self, before: &Snapshot<T>) -> u64 {
        self.tables.replaced_since(&before.tables).saturating_add(size_of::<Snapshot<T>>() as u64)
    }

    /// The kind of a relationship's edge, whether or not the schema allows it now; `None` when no schema ever did, or
    /// when the relationship is of no kind (a wildcard as resource or as userset).
    pub fn kind_of(&self, relationship: &Relationship) -> Option<KindId> {
        self.catalog.kind_of(relationship)
    }

    /// The key of a relationship's edge; `None` when one of its names or its kind was never mentioned, so that it cannot
    /// be there. Caveat and expiry are not looked at.
    pub fn edge_key(&self, relationship: &Relationship) -> Option<EdgeKey> {
        let kind_id = self.kind_of(relationship)?;
        let kind = self.catalog.kind(kind_id)?;
        let resource = self.names.ordinal(kind.resource_type, &relationship.resource.object_id)?;
        let subject = match kind.shape {
            SubjectShape::Wildcard => Ordinal::WILDCARD,
            _ => self.names.ordinal(kind.subject_type, &relationship.subject.object.object_id)?,
        };
        Some(EdgeKey { kind: kind_id, resource, subject })
    }

    /// The attributes of an edge, if it is there; an expired one still is.
    pub fn edge(&self, key: EdgeKey) -> Option<Attributes> {
        self.tables.get(key.kind)?.edge(key.resource, key.subject)
    }

    /// What `edge` says, by the tables from subject to resources: for those who verify that both agree.
    pub fn edge_from_subject(&self, key: EdgeKey) -> Option<Attributes> {
        self.tables.get(key.kind)?.edge_from_subject(key.resource, key.subject)
    }

    /// An edge in names; `None` when its numbers stand for nothing.
    pub fn relationship(&self, key: EdgeKey, attributes: &Attributes) -> Option<Relationship> {
        let kind = self.catalog.kind(key.kind)?;
        let object = |object_type: TypeId, ordinal: Ordinal| {
            Some(ObjectRef {
                object_type: self.catalog.type_name(object_type)?.clone(),
                object_id: self.names.object_id(object_type, ordinal)?.into(),
            })
        };
        let subject = match &kind.shape {
            SubjectShape::Wildcard => {
                SubjectRef::direct(self.catalog.type_name(kind.subject_type)?.clone(), WILDCARD_ID)
            }
            SubjectShape::Direct => {
                SubjectRef { object: object(kind.subject_type, key.subject)?, relation: None }
            }
            SubjectShape::Userset(relation) => SubjectRef {
                object: object(kind.subject_type, key.subject)?,
                relation: Some(relation.clone()),
            },
        };
        let qualifier = attributes.as_deref();
        Some(Relationship {
            resource: object(kind.resource_type, key.resource)?,
            relation: kind.relation.clone(),
            subject,
            caveat: qualifier.and_then(|qualifier| qualifier.caveat.clone()),
            expires_at: qualifier.and_then(|qualifier| qualifier.expires_at),
        })
    }

    /// The relationships that match, ascending by key, strictly after `after`; with `now`, only those not expired then.
    /// Lazy: each step looks at one edge, starting from the resource's edges, the subject's or all of a kind, whichever
    /// the filter allows. A filter by an object's id finds the edges of its newest incarnation; those of earlier ones are
    /// found by filters that leave this id out, and shown under it.
    pub fn scan<'a>(
        &'a self,
        filter: &'a RelationshipFilter,
        after: Option<EdgeKey>,
        now: Option<Timestamp>,
    ) -> Scan<'a, T> {
        Scan::new(self, filter, after, now)
    }

    /// The beginning of a later revision. One at a time: two that intern names at once are safe, but only one may become
    /// the next revision.
    pub fn transaction(&self) -> Transaction<T> {
        Transaction::new(self.clone())
    }
}

/// The object whose row is asked for.
#[derive(Clone, Copy)]
enum End {
    Resource(Ordinal),
    Subject(Ordinal),
}

impl<T: EdgeTable> Snapshot<T> {
    /// The tables of a kind, for the row of one object; `None` for an object without rows because it lost its name.
    #[inline]
    fn tables_of(&self, kind: KindId, end: End) -> Option<&KindTables<T>> {
        if !self.replaced.is_empty() && self.is_replaced_end(kind, end) {
            return None;
        }
        self.tables.get(kind)
    }

    #[cold]
    fn is_replaced_end(&self, kind: KindId, end: End) -> bool {
        let Some(kind) = self.catalog.kind(kind) else { return false };
        let (object_type, object) = match end {
            End::Resource(resource) => (kind.resource_type, resource),
            End::Subject(_) if kind.shape == SubjectShape::Wildcard => return false,
            End::Subject(subject) => (kind.subject_type, subject),
        };
        self.replaced(object_type).is_some_and(|replaced| replaced.contains(object.0))
    }

    /// Notes which objects of a type lost their names to those with ordinals in `from..to`.
    pub(crate) fn note_replaced(&mut self, object_type: TypeId, from: u32, to: u32) {
        let at = object_type.0 as usize;
        let recent = self.names.replaced(object_type).rev().take_while(|(_, later)| later.0 >= from);
        for (earlier, _) in recent.filter(|(_, later)| later.0 < to) {
            let replaced = Arc::make_mut(&mut self.replaced);
            if replaced.len() <= at {
                replaced.resize(at + 1, RoaringBitmap::new());
            }
            if let Some(replaced) = replaced.get_mut(at) {
                replaced.insert(earlier.0);
            }
        }
    }
}

impl<T: EdgeTable> Graph for Snapshot<T> {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal> {
        self.names.ordinal(object_type, object_id)
    }

    fn seek<'a>(&'a self, object_type: TypeId, object_id: &'a str) -> Sought<'a> {
        self.names.seek(object_type, object_id)
    }

    fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str> {
        self.names.object_id(object_type, ordinal)
    }

    #[inline]
    fn has_replaced(&self) -> bool {
        !self.replaced.is_empty()
    }

    fn replaced(&self, object_type: TypeId) -> Option<&RoaringBitmap> {
        self.replaced.get(object_type.0 as usize).filter(|replaced| !replaced.is_empty())
    }

    fn keep_named(&self, object_type: TypeId, objects: &mut RoaringBitmap) {
        for (earlier, _) in self.names.replaced(object_type) {
            objects.remove(earlier.0);
        }
    }

    #[inline]
    fn subjects(&self, kind: KindId, resource: Ordinal) -> Members<'_> {
        self.tables_of(kind, End::Resource(resource))
            .map_or(Members::Empty, |tables| tables.forward.get(resource.0))
    }

    #[inline]
    fn resources(&self, kind: KindId, subject: Ordinal) -> Members<'_> {
        self.tables_of(kind, End::Subject(subject))
            .map_or(Members::Empty, |tables| tables.reverse.get(subject.0))
    }

    fn ordinals(&self, asked: &[(TypeId, &str)], found: &mut [Option<Ordinal>]) {
        self.names.ordinals(asked, found);
    }

    fn prefetch_subjects(&self, kind: KindId, resource: Ordinal) {
        if let Some(tables) = self.tables.get(kind) {
            tables.forward.prefetch(resource.0);
        }
    }

    fn prefetch_resources(&self, kind: KindId, subject: Ordinal) {
        if let Some(tables) = self.tables.get(kind) {
            tables.reverse.prefetch(subject.0);
        }
    }

    fn qualified_subjects(&self, kind: KindId, resource: Ordinal) -> &[QualifiedEdge] {
        self.tables_of(kind, End::Resource(resource))
            .map_or(&[], |tables| tables.qualified_forward.row(resource.0))
    }

    fn qualified_resources(&self, kind: KindId, subject: Ordinal) -> &[QualifiedEdge] {
        self.tables_of(kind, End::Subject(subject))
            .map_or(&[], |tables| tables.qualified_reverse.row(subject.0))
    }

    fn has_plain(&self, kind: KindId) -> bool {
        self.tables.get(kind).is_some_and(|tables| tables.plain > 0)
    }

    fn has_qualified(&self, kind: KindId) -> bool {
        self.tables.get(kind).is_some_and(|tables| tables.qualified > 0)
    }
}

/// What qualifies a relationship, if anything does.
pub fn attributes_of(relationship: &Relationship) -> Attributes {
    let (caveat, expires_at) = (&relationship.caveat, relationship.expires_at);
    (caveat.is_some() || expires_at.is_some())
        .then(|| Arc::new(Qualifier { caveat: caveat.clone(), expires_at }))
}

/// The one place where readers find the newest snapshot. Loading waits for nobody; whoever sees a snapshot sees its
/// names and edges.
#[derive(Debug)]
pub struct Published<T: EdgeTable = EpochTrie>(Swap<Snapshot<T>>);

impl<T: EdgeTable> Published<T> {
    /// Publishes a first snapshot.
    pub fn new(snapshot: Arc<Snapshot<T>>) -> Published<T> {
        Published(Swap::new(snapshot))
    }

    /// The newest snapshot, for one short query on this thread; dereferences to the `Arc`.
    pub fn load(&self) -> Loaded<Snapshot<T>> {
        self.0.load()
    }

    /// The newest snapshot, to keep.
    pub fn load_full(&self) -> Arc<Snapshot<T>> {
        self.0.load_full()
    }

    /// Makes this the newest snapshot.
    pub fn store(&self, snapshot: Arc<Snapshot<T>>) {
        self.0.store(snapshot);
    }
}
