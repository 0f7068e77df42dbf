//! The next revision in the making.

use std::sync::Arc;

use pemba_model::{ObjectRef, Relationship, RelationshipFilter, Revision, Timestamp};
use pemba_schema::{Schema, SubjectShape};
use smol_str::SmolStr;

use crate::catalog::Kind;
use crate::epoch::EpochTrie;
use crate::graph::Attributes;
use crate::ids::{EdgeKey, KindId, Ordinal, TypeId};
use crate::names::TooManyObjects;
use crate::program::Program;
use crate::scan::Scan;
use crate::snapshot::{Snapshot, attributes_of};
use crate::table::EdgeTable;

/// A relationship that cannot be stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PutError {
    /// No schema ever allowed such an edge, or a wildcard stands where none may.
    #[error("no relation of the schema takes `{relationship}`")]
    UnknownKind {
        /// The relationship, in its text form.
        relationship: String,
    },
    /// A type never mentioned, or a wildcard.
    #[error("`{object}` cannot get an incarnation: its type is unknown, or it stands for all objects")]
    NoObject {
        /// The object, in its text form.
        object: String,
    },
    /// The type is full.
    #[error(transparent)]
    TooManyObjects(#[from] TooManyObjects),
}

/// What a put did.
#[derive(Debug, Clone, PartialEq)]
pub struct Put {
    /// The edge.
    pub key: EdgeKey,
    /// Its attributes before; `None` when it was not there.
    pub before: Option<Attributes>,
}

/// A successor of a snapshot. The snapshot stays as it is; dropping a transaction leaves nothing behind but names that
/// no edge uses, and those are handed over by the next transaction that needs a later one.
#[derive(Debug)]
pub struct Transaction<T: EdgeTable = EpochTrie> {
    state: Snapshot<T>,
    new_types: Vec<(TypeId, SmolStr)>,
    new_kinds: Vec<(KindId, Kind)>,
    new_objects: Vec<(TypeId, Ordinal, SmolStr)>,
}

impl<T: EdgeTable> Transaction<T> {
    pub(crate) fn new(state: Snapshot<T>) -> Transaction<T> {
        Transaction { state, new_types: Vec::new(), new_kinds: Vec::new(), new_objects: Vec::new() }
    }

    /// The state so far; its revision is still the base's.
    pub fn state(&self) -> &Snapshot<T> {
        &self.state
    }

    /// The schema so far.
    pub fn schema(&self) -> &Arc<Schema> {
        self.state.schema()
    }

    /// As on a snapshot, for the state so far.
    pub fn edge_key(&self, relationship: &Relationship) -> Option<EdgeKey> {
        self.state.edge_key(relationship)
    }

    /// As on a snapshot, for the state so far.
    pub fn edge(&self, key: EdgeKey) -> Option<Attributes> {
        self.state.edge(key)
    }

    /// As on a snapshot, for the state so far.
    pub fn relationship(&self, key: EdgeKey, attributes: &Attributes) -> Option<Relationship> {
        self.state.relationship(key, attributes)
    }

    /// As on a snapshot, for the state so far.
    pub fn scan<'a>(
        &'a self,
        filter: &'a RelationshipFilter,
        after: Option<EdgeKey>,
        now: Option<Timestamp>,
    ) -> Scan<'a, T> {
        self.state.scan(filter, after, now)
    }

    /// Puts a relationship, or replaces the attributes of the one that is there. Names get ordinals; the kind must be
    /// one that a schema has allowed. On an error nothing changes.
    pub fn put(&mut self, relationship: &Relationship) -> Result<Put, PutError> {
        let unknown = || PutError::UnknownKind { relationship: relationship.to_string() };
        let kind = self.state.kind_of(relationship).ok_or_else(unknown)?;
        let key = self.key(kind, &relationship.resource.object_id, &relationship.subject.object.object_id)?;
        Ok(Put { key, before: self.put_edge(key, attributes_of(relationship)) })
    }

    /// The edge of a kind between two objects, which get ordinals. Under a wildcard kind the subject is not looked at.
    pub fn key(&mut self, kind: KindId, resource_id: &str, subject_id: &str) -> Result<EdgeKey, PutError> {
        let Some(known) = self.state.catalog.kind(kind) else {
            return Err(PutError::UnknownKind { relationship: format!("{resource_id}@{subject_id}") });
        };
        let (resource_type, subject_type) = (known.resource_type, known.subject_type);
        let is_wildcard = known.shape == SubjectShape::Wildcard;
        let resource = self.intern(resource_type, resource_id)?;
        let subject = if is_wildcard { Ordinal::WILDCARD } else { self.intern(subject_type, subject_id)? };
        Ok(EdgeKey { kind, resource, subject })
    }

    /// Puts an edge by its numbers, which must stand for something, and returns its attributes before. An edge whose
    /// kind or ordinals are none that exist is not put.
    pub fn put_edge(&mut self, key: EdgeKey, attributes: Attributes) -> Option<Attributes> {
        if key.resource > Ordinal::MAX || key.subject > Ordinal::MAX {
            return None;
        }
        let attributes = attributes.filter(|one| one.caveat.is_some() || one.expires_at.is_some());
        let before = self.state.edge(key);
        if matches!((&before, &attributes), (Some(None), None)) {
            return before;
        }
        let tables = self.state.tables.get_mut(key.kind)?;
        tables.put(key.resource, key.subject, &before, attributes);
        self.state.len += u64::from(before.is_none());
        before
    }

    /// Takes an edge and returns its attributes, if it was there.
    pub fn remove(&mut self, key: EdgeKey) -> Option<Attributes> {
        let before = self.state.edge(key)?;
        let before = Some(before);
        self.state.tables.get_mut(key.kind)?.remove(key.resource, key.subject, &before);
        self.state.len -= 1;
        before
    }

    /// Gives an object's name to a later incarnation, with an ordinal of its own that comes with `new_objects`. No edge of
    /// the earlier one counts from the revision in the making on, and none is found under the name at any revision, even
    /// if this transaction is dropped: names are shared. An object never mentioned gets its first ordinal.
    pub fn reincarnate(&mut self, object: &ObjectRef) -> Result<Ordinal, PutError> {
        let no_object = || PutError::NoObject { object: object.to_string() };
        let known = self.state.catalog.type_id(&object.object_type).filter(|_| !object.is_wildcard());
        let object_type = known.ok_or_else(no_object)?;
        let ordinal = self.state.names.reincarnate(object_type, &object.object_id)?;
        self.hand_over(object_type, ordinal);
        Ok(ordinal)
    }

    /// Replaces the schema. Types and kinds it allows for the first time get numbers; relationships stay.
    pub fn set_schema(&mut self, schema: Arc<Schema>) {
        let catalog = Arc::make_mut(&mut self.state.catalog);
        let (types_before, kinds_before) = (catalog.types().count(), catalog.kinds().count());
        for name in schema.definitions.keys() {
            catalog.intern_type(name);
        }
        for (resource, relation, allowed) in allowed_subjects(&schema) {
            let resource_type = catalog.intern_type(resource);
            let subject_type = catalog.intern_type(&allowed.subject_type);
            let shape = allowed.shape.clone();
            catalog.intern_kind(Kind { resource_type, relation: relation.clone(), subject_type, shape });
        }
        let types = catalog.types().skip(types_before);
        self.new_types.extend(types.map(|(id, name)| (id, name.clone())));
        let kinds = catalog.kinds().skip(kinds_before);
        self.new_kinds.extend(kinds.map(|(id, kind)| (id, kind.clone())));
        self.state.tables.extend_to(catalog.kinds().count());
        self.state.program = Arc::new(Program::compile(&schema, catalog));
        self.state.schema = schema;
    }

    /// Types that got their number since the base; the store must keep them with this revision.
    pub fn new_types(&self) -> &[(TypeId, SmolStr)] {
        &self.new_types
    }

    /// Kinds that got their number since the base; likewise.
    pub fn new_kinds(&self) -> &[(KindId, Kind)] {
        &self.new_kinds
    }

    /// Objects whose names no earlier revision has handed over; likewise. By type ascending and without gaps.
    pub fn new_objects(&self) -> &[(TypeId, Ordinal, SmolStr)] {
        &self.new_objects
    }

    /// As `new_objects`, which has none of them then.
    pub fn take_new_objects(&mut self) -> Vec<(TypeId, Ordinal, SmolStr)> {
        std::mem::take(&mut self.new_objects)
    }

    /// The finished revision.
    pub fn finish(self, revision: Revision) -> Snapshot<T> {
        Snapshot { revision, ..self.state }
    }

    fn intern(&mut self, object_type: TypeId, object_id: &str) -> Result<Ordinal, TooManyObjects> {
        let (ordinal, _) = self.state.names.intern(object_type, object_id)?;
        self.hand_over(object_type, ordinal);
        Ok(ordinal)
    }

    /// Hands an object's name over to the store, unless that was done before.
    fn hand_over(&mut self, object_type: TypeId, ordinal: Ordinal) {
        let at = object_type.0 as usize;
        let known = self.state.handed_over.get(at).copied().unwrap_or(0);
        if ordinal.0 < known {
            return;
        }
        // A dropped transaction may have given out ordinals before this one: without gaps means with those.
        for new in known..=ordinal.0 {
            if let Some(name) = self.state.names.object_id(object_type, Ordinal(new)) {
                self.new_objects.push((object_type, Ordinal(new), name.into()));
            }
        }
        let handed_over = Arc::make_mut(&mut self.state.handed_over);
        if handed_over.len() <= at {
            handed_over.resize(at + 1, 0);
        }
        if let Some(count) = handed_over.get_mut(at) {
            *count = ordinal.0 + 1;
        }
        self.state.note_replaced(object_type, known, ordinal.0 + 1);
    }
}

/// Everything a schema's relations take: resource type, relation, subject.
pub(crate) fn allowed_subjects(
    schema: &Schema,
) -> impl Iterator<Item = (&SmolStr, &SmolStr, &pemba_schema::AllowedSubject)> {
    schema.definitions.iter().flat_map(|(resource, definition)| {
        definition.relations.iter().flat_map(move |(relation, body)| {
            body.allowed.iter().map(move |allowed| (resource, relation, allowed))
        })
    })
}
