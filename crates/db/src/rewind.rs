//! Old revisions that are no longer in memory: a newer version with the log undone on top of it.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::ops::ControlFlow;
use std::sync::Arc;

use pemba_engine::{Attributes, EdgeKey};
use pemba_model::{DocumentChange, Revision, Timestamp};
use pemba_schema::Schema;

use crate::errors::ViewError;
use crate::history::Version;
use crate::records::{self, RecordError};
use crate::shared::Shared;

/// Most changed edges and documents that are held to undo them. A rebuilt version of more would cost memory for all of
/// them at once, on behalf of one reader.
const UNDONE_MAX: usize = if cfg!(test) { 100 } else { 1_000_000 };

/// What lies between a revision and a newer one.
#[derive(Default)]
struct Undo {
    /// How each changed edge was at the older revision.
    edges: BTreeMap<EdgeKey, Option<Attributes>>,
    /// How each changed document was at the older revision, and how it is at the newer one.
    documents: BTreeMap<Arc<[u8]>, DocumentChange>,
    schema_changed: bool,
    /// When the older revision stopped being the head.
    superseded_at: Option<Timestamp>,
}

impl Shared {
    /// The version of a revision behind the head, and the instant it stopped being the head. Takes time and memory
    /// linear in the edges and documents changed since, up to the nearest version in memory; at most
    /// `UNDONE_MAX` of them.
    pub(crate) fn rebuild(&self, revision: Revision) -> Result<(Version, Timestamp), ViewError> {
        let _one_at_a_time = self.history.rebuilding.lock();
        if let Some(found) = self.history.at_hand(revision) {
            return Ok(found);
        }
        let base = self.history.next_above(revision);
        let undo = self.read_undo(revision, base.revision())?;
        let superseded_at = undo.superseded_at.ok_or_else(|| self.expired(revision))?;
        let mut transaction = base.snapshot.transaction();
        if undo.schema_changed {
            transaction.set_schema(self.schema_at(revision)?);
        }
        for (key, before) in undo.edges {
            match before {
                Some(attributes) => transaction.put_edge(key, attributes),
                None => transaction.remove(key),
            };
        }
        let mut ledger = base.ledger;
        if !undo.documents.is_empty() {
            let changes: Vec<DocumentChange> =
                undo.documents.into_values().map(DocumentChange::reversed).collect();
            ledger =
                ledger.apply(&changes).map_err(|error| ViewError::Storage { reason: error.to_string() })?;
        }
        let snapshot = Arc::new(transaction.finish(revision));
        let bytes = snapshot.replaced_since(&base.snapshot);
        let version = Version { snapshot, ledger };
        self.history.keep_rebuilt(version.clone(), superseded_at, bytes);
        Ok((version, superseded_at))
    }

    fn read_undo(&self, revision: Revision, base: Revision) -> Result<Undo, ViewError> {
        let mut undo = Undo::default();
        let mut expected = revision.next();
        let mut too_many = false;
        records::log::each(&*self.store, expected, Some(base.next()), |found, _, record| {
            if found != expected && found != expected.next() {
                return Ok::<_, RecordError>(ControlFlow::Break(()));
            }
            expected = found;
            undo.superseded_at.get_or_insert(record.time);
            undo.schema_changed |= record.schema_changed;
            for mutation in record.mutations {
                // The first change after the revision knows how the edge was at it.
                undo.edges.entry(mutation.key).or_insert(mutation.before);
            }
            for change in record.documents {
                match undo.documents.entry(Arc::clone(&change.key)) {
                    Entry::Vacant(first) => drop(first.insert(change)),
                    Entry::Occupied(earlier) => earlier.into_mut().after = change.after,
                }
            }
            too_many = undo.edges.len().saturating_add(undo.documents.len()) > UNDONE_MAX;
            Ok(if too_many { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })
        .map_err(|error| self.rewind_error(revision, &error.to_string()))?;
        if too_many {
            return Err(ViewError::TooManyChanges { revision, max: UNDONE_MAX });
        }
        if expected != base {
            return Err(self.rewind_error(revision, "the log has a gap"));
        }
        Ok(undo)
    }

    fn schema_at(&self, revision: Revision) -> Result<Arc<Schema>, ViewError> {
        let failed = |reason: String| ViewError::Storage { reason };
        let stored =
            records::schema::at(&*self.store, revision).map_err(|error| failed(error.to_string()))?;
        let Some((_, text)) = stored else { return Ok(Arc::default()) };
        let compiled = pemba_schema::compile(&text).map_err(|error| {
            failed(format!("the schema of revision {revision}: {}", error.message(&text)))
        })?;
        Ok(Arc::new(compiled.schema))
    }

    /// A read that failed because the log was cut meanwhile is an expired revision, anything else a failure.
    fn rewind_error(&self, revision: Revision, reason: &str) -> ViewError {
        if revision < self.history.horizon() {
            self.expired(revision)
        } else {
            ViewError::Storage { reason: reason.to_owned() }
        }
    }
}

#[cfg(test)]
mod tests {
    use pemba_model::text::parse_relationship;
    use pemba_model::{Limits, Operation, Update};

    use super::*;
    use crate::{Consistency, Database, Options, Storage, Write};

    fn write(database: &Database, from: usize, count: usize) -> crate::Token {
        let update = |n: usize| Update {
            operation: Operation::Touch,
            relationship: parse_relationship(&format!("document:d{n}#viewer@user:x")).unwrap(),
        };
        let updates = (from..from + count).map(update).collect();
        database.write(Write { updates, ..Write::default() }).wait().unwrap().token
    }

    #[test]
    fn what_is_too_far_behind_is_an_error_that_says_so() {
        let limits = Limits { snapshots_retained_max: 0, ..Limits::default() };
        let database = Database::open(Storage::Memory, Options { limits, ..Options::default() }).unwrap();
        let schema = "definition user {}\ndefinition document {\n\trelation viewer: user\n}\n";
        database.write_schema(schema.to_owned()).wait().unwrap();
        let far = write(&database, 0, 1);
        let near = write(&database, 1, 1);
        write(&database, 2, UNDONE_MAX);
        let near = database.view(&Consistency::AtExactSnapshot(near));
        assert_eq!(near.unwrap().revision(), Revision(3));
        let refused = |token: crate::Token| {
            write(&database, 200, UNDONE_MAX);
            let fresh = Database::open(
                Storage::Store(Arc::clone(&database.handle.shared.store)),
                Options { limits: database.limits().clone(), ..Options::default() },
            );
            fresh.unwrap().view(&Consistency::AtExactSnapshot(token)).map(|_| ()).unwrap_err()
        };
        let error = refused(far);
        assert_eq!(error, ViewError::TooManyChanges { revision: far.revision, max: UNDONE_MAX });
        assert!(error.to_string().contains("revision 2 is no longer in memory"), "{error}");
    }
}
