//! A load of many relationships, all or none, that comes in parts.

use std::sync::Arc;

use pemba_model::Relationship;

use crate::database::Handle;
use crate::errors::{ImportError, WriteError};
use crate::pending::Pending;
use crate::requests::Imported;
use crate::sequencer::Request;
use crate::validation::check_form;

/// An import in the making. It is held in memory until it is finished, and nothing of it is stored when it is dropped
/// before.
pub struct Import {
    handle: Arc<Handle>,
    relationships: Vec<Relationship>,
}

impl Import {
    pub(crate) fn new(handle: Arc<Handle>) -> Import {
        Import { handle, relationships: Vec::new() }
    }

    /// Adds relationships, each to be created. Refuses those outside a grammar or limit, and more than
    /// `import_relationships_max` in all; after an error the import is to be dropped.
    pub fn push(&mut self, relationships: Vec<Relationship>) -> Result<(), ImportError> {
        let limits = &self.handle.shared.limits;
        let max = limits.import_relationships_max;
        if self.relationships.len().saturating_add(relationships.len()) > max {
            return Err(ImportError::TooManyRelationships { max });
        }
        for relationship in &relationships {
            check_form(relationship, limits)?;
        }
        if self.relationships.is_empty() {
            self.relationships = relationships;
        } else {
            self.relationships.extend(relationships);
        }
        Ok(())
    }

    /// How many relationships were added so far.
    pub fn len(&self) -> usize {
        self.relationships.len()
    }

    /// Whether none was added so far.
    pub fn is_empty(&self) -> bool {
        self.relationships.is_empty()
    }

    /// Stores all of them as one revision.
    pub fn finish(self) -> Pending<Imported, ImportError> {
        let relationships = self.relationships;
        self.handle.submit(
            |answer| Request::Import(relationships, answer),
            || ImportError::Write(WriteError::Stopped),
        )
    }
}
