//! An import in the sequencer: one revision, checked and applied as a whole.

use std::collections::HashSet;
use std::sync::Arc;

use pemba_engine::{Attributes, EdgeKey, Graph, KindId, Ordinal, TypeId};
use pemba_model::Operation;

use crate::caveats::check_bound_values;
use crate::errors::{ImportError, Refusal, WriteError};
use crate::group::{Group, is_live, not_put};
use crate::import::Load;
use crate::records::log::LogEntry;
use crate::requests::{Committed, Imported};
use crate::storing::Bulk;
use crate::validation::check_allowed;

impl Group<'_> {
    pub(crate) fn import(&mut self, load: Load) -> Result<Imported, ImportError> {
        let edges = self.edges_of(load)?;
        let replaced = self.put_edges(&edges)?;
        let count = u64::try_from(edges.len()).unwrap_or(u64::MAX);
        let entry =
            LogEntry { time: self.time, metadata: None, schema_changed: false, documents: Vec::new() };
        let Committed { revision, token } = self.record_bulk(Bulk { edges, replaced, entry });
        Ok(Imported { count, revision, token })
    }

    /// The edges of a load, in order, if the schema allows all of them and none is there twice.
    fn edges_of(&mut self, load: Load) -> Result<Vec<(EdgeKey, Attributes)>, ImportError> {
        let schema = Arc::clone(self.transaction.schema());
        for shape in &load.shapes {
            check_allowed(&schema, &shape.first, Operation::Create)?;
        }
        let mut edges = load.edges;
        if load.shapes.iter().any(|shape| shape.first.caveat.is_some()) {
            for (key, attributes) in &edges {
                let Some(caveat) = attributes.as_deref().and_then(|one| one.caveat.as_ref()) else {
                    continue;
                };
                if let Some(relationship) = self.transaction.relationship(*key, attributes) {
                    check_bound_values(&schema, caveat, &relationship)?;
                }
            }
        }
        self.follow_names(&mut edges);
        // Tables, store and log take edges that lie side by side faster, and equal ones stand next to each other.
        edges.sort_unstable_by_key(|(key, _)| *key);
        let twice = edges.windows(2).find_map(|pair| match pair {
            [(one, attributes), (other, _)] if one == other => Some((*one, attributes)),
            _ => None,
        });
        match twice {
            Some((key, attributes)) => Err(self.exists(key, attributes)),
            None => {
                self.hand_over(&edges).map_err(ImportError::from)?;
                Ok(edges)
            }
        }
    }

    /// Moves edges to the objects that have got the names of theirs since they were numbered.
    fn follow_names(&self, edges: &mut [(EdgeKey, Attributes)]) {
        let (catalog, names) = (self.transaction.state().catalog(), self.transaction.state().names());
        let lost = |object_type| names.replaced(object_type).map(move |(earlier, _)| (object_type, earlier));
        let lost: HashSet<(TypeId, Ordinal)> = catalog.types().flat_map(|(id, _)| lost(id)).collect();
        if lost.is_empty() {
            return;
        }
        let newest = |object_type, ordinal: Ordinal| {
            let found = lost
                .contains(&(object_type, ordinal))
                .then(|| names.ordinal(object_type, names.object_id(object_type, ordinal)?));
            found.flatten().unwrap_or(ordinal)
        };
        for (key, _) in edges {
            let Some(kind) = catalog.kind(key.kind) else { continue };
            key.resource = newest(kind.resource_type, key.resource);
            key.subject = newest(kind.subject_type, key.subject);
        }
    }

    /// Has the transaction hand over the names of all objects that sorted edges mention: by the highest number of each
    /// type it hands over those below.
    fn hand_over(&mut self, edges: &[(EdgeKey, Attributes)]) -> Result<(), WriteError> {
        for same_kind in edges.chunk_by(|(one, _), (other, _)| one.kind == other.kind) {
            let Some((last, _)) = same_kind.last() else { continue };
            let subject = same_kind.iter().map(|(key, _)| key.subject).max().unwrap_or(last.subject);
            let (resource_id, subject_id) = self.ids(last.kind, last.resource, subject);
            self.transaction.key(last.kind, &resource_id, &subject_id).map_err(not_put)?;
        }
        Ok(())
    }

    fn ids(&self, kind: KindId, resource: Ordinal, subject: Ordinal) -> (String, String) {
        let (catalog, names) = (self.transaction.state().catalog(), self.transaction.state().names());
        let Some(kind) = catalog.kind(kind) else { return Default::default() };
        let id = |object_type, ordinal| names.object_id(object_type, ordinal).unwrap_or_default().to_owned();
        (id(kind.resource_type, resource), id(kind.subject_type, subject))
    }

    /// Puts edges of which none may be there and alive; those that had expired as they were. After an error nothing has
    /// changed.
    fn put_edges(
        &mut self,
        edges: &[(EdgeKey, Attributes)],
    ) -> Result<Vec<(EdgeKey, Attributes)>, ImportError> {
        let mut replaced = Vec::new();
        for (at, (key, attributes)) in edges.iter().enumerate() {
            let Some(before) = self.transaction.put_edge(*key, attributes.clone()) else { continue };
            let existed = is_live(&before, self.time);
            replaced.push((*key, before));
            if existed {
                for (key, _) in edges.iter().take(at + 1) {
                    self.transaction.remove(*key);
                }
                for (key, before) in replaced {
                    self.transaction.put_edge(key, before);
                }
                return Err(self.exists(*key, &None));
            }
        }
        Ok(replaced)
    }

    /// The error for an edge that was there.
    fn exists(&self, key: EdgeKey, attributes: &Attributes) -> ImportError {
        match self.transaction.relationship(key, attributes) {
            Some(relationship) => WriteError::AlreadyExists { relationship: Box::new(relationship) }.into(),
            // The key was made from names of this very database.
            None => Refusal::Stopped.into(),
        }
    }
}
