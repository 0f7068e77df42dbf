//! Recovery: a snapshot built from stored rows in key order, faster and smaller than by transactions.

use std::sync::Arc;

use pemba_model::Revision;
use pemba_schema::{Schema, SubjectShape};
use smol_str::SmolStr;

use crate::catalog::{Catalog, Kind};
use crate::epoch::EpochTrie;
use crate::graph::{Attributes, QualifiedEdge, Qualifier};
use crate::ids::{EdgeKey, KindId, Ordinal, TypeId};
use crate::names::{Names, RestoreError};
use crate::program::Program;
use crate::snapshot::Snapshot;
use crate::table::{EdgeTable, QualifiedTable};
use crate::table_kind::KindTables;
use crate::transaction::allowed_subjects;

/// Stored rows that do not make a snapshot: the store is damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// A number is not the one that follows the last, or its name was there before.
    #[error("type or kind number {found} follows {expected} of them, or repeats one of them")]
    Numbering {
        /// The number that was due.
        expected: u32,
        /// The one given.
        found: u32,
    },
    /// A type, a kind or an ordinal that was never given a meaning.
    #[error("{what} {number} is used but was never stored")]
    Unknown {
        /// `type`, `kind`, `resource` or `subject`.
        what: &'static str,
        /// Its number.
        number: u32,
    },
    /// A name that does not fit those before it.
    #[error(transparent)]
    Name(#[from] RestoreError),
    /// Edges are not strictly ascending.
    #[error("edge {found:?} follows edge {last:?}")]
    EdgeOrder {
        /// The edge before.
        last: EdgeKey,
        /// The edge given.
        found: EdgeKey,
    },
    /// The schema allows an edge whose kind is not stored.
    #[error(
        "the stored schema allows `{resource_type}#{relation}@{subject_type}`, but its kind was never stored"
    )]
    MissingKind {
        /// The resource's type.
        resource_type: SmolStr,
        /// The relation.
        relation: SmolStr,
        /// The subject's type.
        subject_type: SmolStr,
    },
}

/// Takes types, kinds and objects in order of their numbers, then edges in order of their keys.
#[derive(Debug)]
pub struct Loader<T: EdgeTable = EpochTrie> {
    state: Snapshot<T>,
    last: Option<EdgeKey>,
    open: Open<T>,
}

/// The kind being loaded: forward tables grow as edges come, reverse ones are built at the end from sorted pairs.
#[derive(Debug, Default)]
struct Open<T: EdgeTable> {
    tables: KindTables<T>,
    /// Plain subjects of the current resource.
    subjects: Vec<u32>,
    /// Qualified subjects of the current resource.
    qualified: Vec<QualifiedEdge>,
    /// Subject in the high half, resource in the low one.
    pairs: Vec<u64>,
    qualified_pairs: Vec<(u64, Arc<Qualifier>)>,
}

impl Default for Loader {
    fn default() -> Loader {
        Loader::new()
    }
}

impl Loader {
    /// Nothing loaded yet.
    pub fn new() -> Loader {
        Loader::with_names(Names::new())
    }
}

impl<T: EdgeTable> Loader<T> {
    /// Nothing loaded yet, over names that nobody has used.
    pub fn with_names(names: Names) -> Loader<T> {
        Loader { state: Snapshot::with_names(names), last: None, open: Open::default() }
    }

    /// Adds the type with the next number.
    pub fn restore_type(&mut self, id: TypeId, name: &str) -> Result<(), LoadError> {
        let catalog = Arc::make_mut(&mut self.state.catalog);
        let expected = count(catalog.types());
        if id.0 != expected || catalog.intern_type(name) != id {
            return Err(LoadError::Numbering { expected, found: id.0 });
        }
        Ok(())
    }

    /// Adds the kind with the next number; its types must be there.
    pub fn restore_kind(&mut self, id: KindId, kind: Kind) -> Result<(), LoadError> {
        let catalog = Arc::make_mut(&mut self.state.catalog);
        for object_type in [kind.resource_type, kind.subject_type] {
            check_type(catalog, object_type)?;
        }
        let expected = count(catalog.kinds());
        if id.0 != expected || catalog.intern_kind(kind) != id {
            return Err(LoadError::Numbering { expected, found: id.0 });
        }
        self.state.tables.extend_to(id.0 as usize + 1);
        Ok(())
    }

    /// Adds the object with the next ordinal of its type, which must be there. A name that comes again is a later
    /// incarnation.
    pub fn restore_object(
        &mut self,
        object_type: TypeId,
        ordinal: Ordinal,
        name: &str,
    ) -> Result<(), LoadError> {
        check_type(&self.state.catalog, object_type)?;
        Ok(self.state.names.restore(object_type, ordinal, name)?)
    }

    /// Sets the schema; its kinds may come before or after.
    pub fn restore_schema(&mut self, schema: Arc<Schema>) {
        self.state.schema = schema;
    }

    /// Adds an edge. Keys must ascend, and what they name must be there.
    pub fn edge(&mut self, key: EdgeKey, attributes: Attributes) -> Result<(), LoadError> {
        if let Some(last) = self.last.filter(|last| *last >= key) {
            return Err(LoadError::EdgeOrder { last, found: key });
        }
        self.check_names(key)?;
        match self.last {
            Some(last) if last.kind != key.kind => self.close_kind(),
            Some(last) if last.resource != key.resource => self.open.close_resource(last.resource),
            _ => {}
        }
        self.last = Some(key);
        self.state.len += 1;
        let pair = u64::from(key.subject.0) << 32 | u64::from(key.resource.0);
        match attributes.filter(|one| one.caveat.is_some() || one.expires_at.is_some()) {
            None => {
                self.open.subjects.push(key.subject.0);
                self.open.pairs.push(pair);
            }
            Some(qualifier) => {
                self.open.qualified_pairs.push((pair, Arc::clone(&qualifier)));
                self.open.qualified.push(QualifiedEdge { other: key.subject, qualifier });
            }
        }
        Ok(())
    }

    /// The snapshot.
    pub fn finish(mut self, revision: Revision) -> Result<Snapshot<T>, LoadError> {
        self.close_kind();
        let Snapshot { catalog, schema, names, .. } = &self.state;
        for (resource, relation, allowed) in allowed_subjects(schema) {
            let found = catalog.type_id(resource).zip(catalog.type_id(&allowed.subject_type)).and_then(
                |(resource_type, subject_type)| {
                    let shape = allowed.shape.clone();
                    catalog.kind_id(&Kind { resource_type, relation: relation.clone(), subject_type, shape })
                },
            );
            if found.is_none() {
                return Err(LoadError::MissingKind {
                    resource_type: resource.clone(),
                    relation: relation.clone(),
                    subject_type: allowed.subject_type.clone(),
                });
            }
        }
        let program = Arc::new(Program::compile(schema, catalog));
        let lens: Vec<u32> = catalog.types().map(|(id, _)| names.len(id)).collect();
        for (object_type, len) in (0..).map(TypeId).zip(&lens) {
            self.state.note_replaced(object_type, 0, *len);
        }
        let handed_over = Arc::new(lens);
        Ok(Snapshot { revision, program, handed_over, ..self.state })
    }

    fn check_names(&self, key: EdgeKey) -> Result<(), LoadError> {
        let unknown = |what, number| LoadError::Unknown { what, number };
        let kind = self.state.catalog.kind(key.kind).ok_or(unknown("kind", key.kind.0))?;
        if key.resource.0 >= self.state.names.len(kind.resource_type) {
            return Err(unknown("resource", key.resource.0));
        }
        let subject_is_known = match kind.shape {
            SubjectShape::Wildcard => key.subject == Ordinal::WILDCARD,
            _ => key.subject.0 < self.state.names.len(kind.subject_type),
        };
        if subject_is_known { Ok(()) } else { Err(unknown("subject", key.subject.0)) }
    }

    /// Finishes the current kind's tables and puts them in their place.
    fn close_kind(&mut self) {
        let Some(last) = self.last else { return };
        self.open.close_resource(last.resource);
        self.open.close_reverse();
        if let Some(tables) = self.state.tables.get_mut(last.kind) {
            *tables = std::mem::take(&mut self.open.tables);
        }
    }
}

impl<T: EdgeTable> Open<T> {
    fn close_resource(&mut self, resource: Ordinal) {
        self.tables.plain += self.subjects.len() as u64;
        self.tables.qualified += self.qualified.len() as u64;
        self.tables.forward.append(resource.0, &self.subjects);
        self.subjects.clear();
        if !self.qualified.is_empty() {
            self.tables.qualified_forward.append(resource.0, self.qualified.drain(..).collect());
        }
    }

    fn close_reverse(&mut self) {
        let mut pairs = std::mem::take(&mut self.pairs);
        pairs.sort_unstable();
        for same_subject in pairs.chunk_by(|a, b| a >> 32 == b >> 32) {
            self.subjects.clear();
            self.subjects.extend(same_subject.iter().map(|pair| *pair as u32));
            if let Some(first) = same_subject.first() {
                self.tables.reverse.append((first >> 32) as u32, &self.subjects);
            }
        }
        self.subjects.clear();

        let mut pairs = std::mem::take(&mut self.qualified_pairs);
        pairs.sort_unstable_by_key(|(pair, _)| *pair);
        for same_subject in pairs.chunk_by(|(a, _), (b, _)| a >> 32 == b >> 32) {
            let row = same_subject
                .iter()
                .map(|(pair, qualifier)| QualifiedEdge {
                    other: Ordinal(*pair as u32),
                    qualifier: Arc::clone(qualifier),
                })
                .collect();
            if let Some((first, _)) = same_subject.first() {
                self.tables.qualified_reverse.append((first >> 32) as u32, row);
            }
        }
    }
}

fn check_type(catalog: &Catalog, object_type: TypeId) -> Result<(), LoadError> {
    match catalog.type_name(object_type) {
        Some(_) => Ok(()),
        None => Err(LoadError::Unknown { what: "type", number: object_type.0 }),
    }
}

fn count<T>(items: impl Iterator<Item = T>) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}
