//! A load of many relationships, all or none, that comes in parts.

use std::collections::HashMap;
use std::sync::Arc;

use pemba_engine::{Attributes, attributes_of};
use pemba_model::{ObjectRef, Relationship, SmolStr, SubjectRef};
use pemba_schema::AllowedSubject;

use crate::database::Handle;
use crate::errors::ImportError;
use crate::pending::Pending;
use crate::requests::Imported;
use crate::sequencer::Request;
use crate::validation::{check_form, subject_kind};

/// An import in the making. It is held in memory until it is finished, and nothing of it is stored when it is dropped
/// before.
pub struct Import {
    handle: Arc<Handle>,
    load: Load,
}

/// Relationships on their way to the sequencer. What many share is kept once, so that a million of them take little
/// memory and the sequencer looks at each shape once.
#[derive(Default)]
pub(crate) struct Load {
    /// The shapes, each with the first relationship that had it.
    pub(crate) shapes: Vec<Relationship>,
    /// The rows, in the parts they came in.
    pub(crate) parts: Vec<Vec<Row>>,
    numbers: HashMap<Shape, u32>,
    len: usize,
}

/// A relationship without what its shape says.
pub(crate) struct Row {
    /// Which of the shapes.
    pub(crate) shape: u32,
    pub(crate) resource_id: SmolStr,
    pub(crate) subject_id: SmolStr,
    pub(crate) attributes: Attributes,
}

/// What the schema allows or refuses as a whole.
#[derive(PartialEq, Eq, Hash)]
struct Shape {
    resource_type: SmolStr,
    relation: SmolStr,
    subject: AllowedSubject,
}

impl Load {
    fn push(&mut self, relationships: Vec<Relationship>) {
        self.len += relationships.len();
        let mut part = Vec::with_capacity(relationships.len());
        let mut last: Option<u32> = None;
        for relationship in relationships {
            let shape = match last {
                Some(shape) if self.has_shape(shape, &relationship) => shape,
                _ => self.shape(&relationship),
            };
            last = Some(shape);
            part.push(Row {
                shape,
                attributes: attributes_of(&relationship),
                resource_id: relationship.resource.object_id,
                subject_id: relationship.subject.object.object_id,
            });
        }
        self.parts.push(part);
    }

    fn has_shape(&self, shape: u32, other: &Relationship) -> bool {
        self.shapes.get(shape as usize).is_some_and(|one| {
            one.resource.object_type == other.resource.object_type
                && one.relation == other.relation
                && one.subject.object.object_type == other.subject.object.object_type
                && one.subject.relation == other.subject.relation
                && one.subject.object.is_wildcard() == other.subject.object.is_wildcard()
                && one.expires_at.is_some() == other.expires_at.is_some()
                && one.caveat.as_ref().map(|caveat| &caveat.name)
                    == other.caveat.as_ref().map(|caveat| &caveat.name)
        })
    }

    fn shape(&mut self, relationship: &Relationship) -> u32 {
        let shape = Shape {
            resource_type: relationship.resource.object_type.clone(),
            relation: relationship.relation.clone(),
            subject: subject_kind(relationship),
        };
        *self.numbers.entry(shape).or_insert_with(|| {
            let number = u32::try_from(self.shapes.len()).unwrap_or(u32::MAX);
            self.shapes.push(relationship.clone());
            number
        })
    }

    /// How many relationships.
    pub(crate) fn len(&self) -> usize {
        self.len
    }
}

impl Row {
    /// The relationship, given one of its shape.
    pub(crate) fn relationship(&self, shape: &Relationship) -> Relationship {
        let qualifier = self.attributes.as_deref();
        Relationship {
            resource: ObjectRef {
                object_type: shape.resource.object_type.clone(),
                object_id: self.resource_id.clone(),
            },
            relation: shape.relation.clone(),
            subject: SubjectRef {
                object: ObjectRef {
                    object_type: shape.subject.object.object_type.clone(),
                    object_id: self.subject_id.clone(),
                },
                relation: shape.subject.relation.clone(),
            },
            caveat: qualifier.and_then(|qualifier| qualifier.caveat.clone()),
            expires_at: qualifier.and_then(|qualifier| qualifier.expires_at),
        }
    }
}

impl Import {
    pub(crate) fn new(handle: Arc<Handle>) -> Import {
        Import { handle, load: Load::default() }
    }

    /// Adds relationships, each to be created. Refuses those outside a grammar or limit, and more than
    /// `import_relationships_max` in all; after an error the import is to be dropped.
    pub fn push(&mut self, relationships: Vec<Relationship>) -> Result<(), ImportError> {
        let limits = &self.handle.shared.limits;
        let max = limits.import_relationships_max;
        if self.load.len().saturating_add(relationships.len()) > max {
            return Err(ImportError::TooManyRelationships { max });
        }
        for relationship in &relationships {
            check_form(relationship, limits)?;
        }
        self.load.push(relationships);
        Ok(())
    }

    /// How many relationships were added so far.
    pub fn len(&self) -> usize {
        self.load.len()
    }

    /// Whether none was added so far.
    pub fn is_empty(&self) -> bool {
        self.load.len() == 0
    }

    /// Stores all of them as one revision.
    pub fn finish(self) -> Pending<Imported, ImportError> {
        let load = Box::new(self.load);
        self.handle.submit(|answer| Request::Import(load, answer))
    }
}
