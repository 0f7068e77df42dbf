//! One revision, whole and immutable.

use std::sync::Arc;

use pemba_model::{
    ObjectRef, Relationship, RelationshipFilter, Revision, SubjectRef, Timestamp, WILDCARD_ID,
};
use pemba_schema::{Schema, SubjectShape};

use crate::catalog::{Catalog, Kind};
use crate::graph::{Attributes, Graph, Members, QualifiedEdge, Qualifier};
use crate::ids::{EdgeKey, KindId, Ordinal, TypeId};
use crate::names::Names;
use crate::program::Program;
use crate::scan::Scan;
use crate::sync::{Loaded, Swap};
use crate::table::{ArcTrie, EdgeTable};
use crate::table_kind::Tables;
use crate::transaction::Transaction;

/// All relationships and the schema at one revision. A clone is cheap and shares everything; what a snapshot says never
/// changes. Names are shared with later snapshots too, so it may know objects that are mentioned only later: they have
/// no edges here.
#[derive(Debug, Clone)]
pub struct Snapshot<T: EdgeTable = ArcTrie> {
    pub(crate) revision: Revision,
    pub(crate) schema: Arc<Schema>,
    pub(crate) program: Arc<Program>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) names: Arc<Names>,
    pub(crate) tables: Tables<T>,
    /// By type: how many objects have been handed to the store, by this revision's transaction or an earlier one.
    pub(crate) handed_over: Arc<Vec<u32>>,
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

    /// The kind of a relationship's edge, whether or not the schema allows it now; `None` when no schema ever did, or
    /// when the relationship is of no kind (a wildcard as resource or as userset).
    pub fn kind_of(&self, relationship: &Relationship) -> Option<KindId> {
        let shape = match &relationship.subject.relation {
            None if relationship.subject.object.is_wildcard() => SubjectShape::Wildcard,
            None => SubjectShape::Direct,
            Some(_) if relationship.subject.object.is_wildcard() => return None,
            Some(relation) => SubjectShape::Userset(relation.clone()),
        };
        if relationship.resource.is_wildcard() {
            return None;
        }
        self.catalog.kind_id(&Kind {
            resource_type: self.catalog.type_id(&relationship.resource.object_type)?,
            relation: relationship.relation.clone(),
            subject_type: self.catalog.type_id(&relationship.subject.object.object_type)?,
            shape,
        })
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

    /// An edge in names; `None` when its numbers stand for nothing.
    pub fn relationship(&self, key: EdgeKey, attributes: &Attributes) -> Option<Relationship> {
        let kind = self.catalog.kind(key.kind)?;
        let object = |object_type: TypeId, ordinal: Ordinal| {
            Some(ObjectRef {
                object_type: self.catalog.type_name(object_type)?.clone(),
                object_id: self.names.shared_id(object_type, ordinal)?.clone(),
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
    /// the filter allows.
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

impl<T: EdgeTable> Graph for Snapshot<T> {
    fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    fn ordinal(&self, object_type: TypeId, object_id: &str) -> Option<Ordinal> {
        self.names.ordinal(object_type, object_id)
    }

    fn object_id(&self, object_type: TypeId, ordinal: Ordinal) -> Option<&str> {
        self.names.object_id(object_type, ordinal)
    }

    fn subjects(&self, kind: KindId, resource: Ordinal) -> Members<'_> {
        self.tables.get(kind).map_or(Members::Empty, |tables| tables.forward.get(resource.0))
    }

    fn resources(&self, kind: KindId, subject: Ordinal) -> Members<'_> {
        self.tables.get(kind).map_or(Members::Empty, |tables| tables.reverse.get(subject.0))
    }

    fn qualified_subjects(&self, kind: KindId, resource: Ordinal) -> &[QualifiedEdge] {
        self.tables.get(kind).map_or(&[], |tables| tables.qualified_forward.row(resource.0))
    }

    fn qualified_resources(&self, kind: KindId, subject: Ordinal) -> &[QualifiedEdge] {
        self.tables.get(kind).map_or(&[], |tables| tables.qualified_reverse.row(subject.0))
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
pub struct Published<T: EdgeTable = ArcTrie>(Swap<Snapshot<T>>);

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
