//! A load of many relationships, all or none, that comes in parts.

use std::collections::HashMap;
use std::sync::Arc;

use pemba_engine::{Attributes, EdgeKey, Graph, KindId, Names, Ordinal, TypeId, attributes_of};
use pemba_model::{Operation, Relationship, SmolStr, names};
use pemba_schema::AllowedSubject;

use crate::database::Handle;
use crate::errors::{ImportError, WriteError};
use crate::group::not_put;
use crate::pending::Pending;
use crate::requests::Imported;
use crate::sequencer::Request;
use crate::shared::Shared;
use crate::validation::{check_allowed, check_form, subject_kind};

/// An import in the making. It is held in memory until it is finished, in numbers, and nothing of it is stored when it is
/// dropped before; objects it was the first to mention keep their numbers all the same.
pub struct Import {
    handle: Arc<Handle>,
    load: Load,
}

/// Relationships on their way to the sequencer, in numbers. What many share is looked at once.
#[derive(Default)]
pub(crate) struct Load {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) edges: Vec<(EdgeKey, Attributes)>,
    numbers: HashMap<ShapeKey, usize>,
    last: usize,
}

/// What many relationships share.
pub(crate) struct Shape {
    /// The first relationship that had it.
    pub(crate) first: Relationship,
    kind: KindId,
    resource_type: TypeId,
    /// `None` for the wildcard, which has no number of its own.
    subject_type: Option<TypeId>,
    names: Arc<Names>,
}

/// What the schema allows or refuses as a whole.
#[derive(PartialEq, Eq, Hash)]
struct ShapeKey {
    resource_type: SmolStr,
    relation: SmolStr,
    subject: AllowedSubject,
}

impl Shape {
    /// The shape of a relationship, which must be one that the newest schema allows.
    fn of(relationship: &Relationship, shared: &Shared) -> Result<Shape, ImportError> {
        let snapshot = &shared.history.head().version.snapshot;
        let kind = snapshot.kind_of(relationship);
        let Some((kind, parts)) = kind.and_then(|kind| Some((kind, snapshot.catalog().kind(kind)?))) else {
            check_allowed(snapshot.schema(), relationship, Operation::Create)?;
            return Err(WriteError::unknown_kind(relationship).into());
        };
        let is_wildcard = relationship.subject.object.is_wildcard();
        Ok(Shape {
            first: relationship.clone(),
            kind,
            resource_type: parts.resource_type,
            subject_type: (!is_wildcard).then_some(parts.subject_type),
            names: Arc::clone(snapshot.names()),
        })
    }

    fn is_of(&self, other: &Relationship) -> bool {
        let one = &self.first;
        one.resource.object_type == other.resource.object_type
            && one.relation == other.relation
            && one.subject.object.object_type == other.subject.object.object_type
            && one.subject.relation == other.subject.relation
            && one.subject.object.is_wildcard() == other.subject.object.is_wildcard()
            && one.expires_at.is_some() == other.expires_at.is_some()
            && one.caveat.as_ref().map(|caveat| &caveat.name)
                == other.caveat.as_ref().map(|caveat| &caveat.name)
    }

    /// The edge of a relationship of this shape; its objects get numbers.
    fn key(&self, relationship: &Relationship) -> Result<EdgeKey, WriteError> {
        let number = |object_type, id: &str| {
            self.names
                .intern(object_type, id)
                .map(|(ordinal, _)| ordinal)
                .map_err(|error| not_put(error.into()))
        };
        let resource = number(self.resource_type, &relationship.resource.object_id)?;
        let subject = match self.subject_type {
            Some(subject_type) => number(subject_type, &relationship.subject.object.object_id)?,
            None => Ordinal::WILDCARD,
        };
        Ok(EdgeKey { kind: self.kind, resource, subject })
    }
}

impl Load {
    fn push(&mut self, relationships: Vec<Relationship>, shared: &Shared) -> Result<(), ImportError> {
        self.edges.reserve(relationships.len());
        for relationship in relationships {
            let key = self.shape(&relationship, shared)?.key(&relationship)?;
            self.edges.push((key, attributes_of(&relationship)));
        }
        Ok(())
    }

    /// The shape of a relationship, once its form is checked.
    fn shape(&mut self, relationship: &Relationship, shared: &Shared) -> Result<&Shape, ImportError> {
        let same = self.shapes.get(self.last).is_some_and(|shape| shape.is_of(relationship));
        // The names of a shape are checked once, so most relationships have only their ids to check.
        let checked = same && relationship.caveat.is_none() && has_valid_ids(relationship);
        if !checked {
            check_form(relationship, &shared.limits)?;
        }
        if !same {
            let key = ShapeKey {
                resource_type: relationship.resource.object_type.clone(),
                relation: relationship.relation.clone(),
                subject: subject_kind(relationship),
            };
            self.last = match self.numbers.get(&key) {
                Some(number) => *number,
                None => {
                    self.shapes.push(Shape::of(relationship, shared)?);
                    self.numbers.insert(key, self.shapes.len() - 1);
                    self.shapes.len() - 1
                }
            };
        }
        self.shapes.get(self.last).ok_or_else(|| WriteError::unknown_kind(relationship).into())
    }
}

fn has_valid_ids(relationship: &Relationship) -> bool {
    let subject = &relationship.subject.object;
    !relationship.resource.is_wildcard()
        && names::check_object_id(&relationship.resource.object_id).is_ok()
        && (subject.is_wildcard() || names::check_object_id(&subject.object_id).is_ok())
}

impl Import {
    pub(crate) fn new(handle: Arc<Handle>) -> Import {
        Import { handle, load: Load::default() }
    }

    /// Adds relationships, each to be created. Refuses those outside a grammar or limit or of a kind that no schema has
    /// allowed, and more than `import_relationships_max` in all; after an error the import is to be dropped.
    pub fn push(&mut self, relationships: Vec<Relationship>) -> Result<(), ImportError> {
        let shared = &self.handle.shared;
        let max = shared.limits.import_relationships_max;
        if self.len().saturating_add(relationships.len()) > max {
            return Err(ImportError::TooManyRelationships { max });
        }
        self.load.push(relationships, shared)
    }

    /// How many relationships were added so far.
    pub fn len(&self) -> usize {
        self.load.edges.len()
    }

    /// Whether none was added so far.
    pub fn is_empty(&self) -> bool {
        self.load.edges.is_empty()
    }

    /// Stores all of them as one revision.
    pub fn finish(self) -> Pending<Imported, ImportError> {
        let load = Box::new(self.load);
        self.handle.submit(|answer| Request::Import(load, answer))
    }
}
