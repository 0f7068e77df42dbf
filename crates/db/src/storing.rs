//! A commit group that is applied: what of it goes into the store, and what the store's answer means for everybody.

use std::collections::HashMap;
use std::sync::Arc;

use pemba_engine::{Attributes, EdgeKey, Ordinal, TypeId};
use pemba_model::{Revision, SmolStr};

use crate::counting::Register;
use crate::errors::Refusal;
use crate::history::Head;
use crate::records::log::{LogEntry, Mutation};
use crate::records::{self, RecordError};
use crate::shared::Shared;
use crate::store::{Batch, Family, PutRow, StoreError};

/// Edges, or new objects, from which on a group is stored as a load: table files cost some milliseconds, which is what so
/// many rows cost in a batch.
pub(crate) const LOAD_ROWS_MIN: usize = 5000;

/// Tells an asker its answer, once it is known whether the group is stored.
pub(crate) type Acknowledgement = Box<dyn FnOnce(Result<(), Refusal>) + Send>;

/// The edges that one revision creates, when they are many.
pub(crate) struct Bulk {
    /// Ascending.
    pub(crate) edges: Vec<(EdgeKey, Attributes)>,
    /// Those that were there before, expired, as they were; ascending.
    pub(crate) replaced: Vec<(EdgeKey, Attributes)>,
    /// What else the log says of the revision.
    pub(crate) entry: LogEntry,
}

/// Documents that changed, as they are since.
pub(crate) type Documents = HashMap<Arc<[u8]>, Option<Arc<[u8]>>>;

/// What the next group begins with: the state after the last one that was applied, stored or not.
#[derive(Clone)]
pub(crate) struct Tip {
    pub(crate) head: Arc<Head>,
    pub(crate) counters: Arc<Register>,
    /// What the last group changed, which the store may not have yet.
    pub(crate) documents: Arc<Documents>,
}

impl Tip {
    /// The tip while no group is on its way.
    pub(crate) fn published(shared: &Shared) -> Tip {
        let (head, counters) = (shared.history.head(), shared.registered.current());
        Tip { head, counters, documents: Arc::default() }
    }
}

/// A group as it goes to the store.
pub(crate) struct Applied {
    pub(crate) tip: Tip,
    pub(crate) batch: Batch,
    /// The names of new objects, when they are many.
    pub(crate) objects: Vec<(TypeId, Ordinal, SmolStr)>,
    pub(crate) bulk: Option<(Revision, Bulk)>,
    pub(crate) acknowledgements: Vec<Acknowledgement>,
    /// Revisions given.
    pub(crate) writes: u64,
    /// Why it cannot be stored.
    pub(crate) failure: Option<RecordError>,
}

impl Bulk {
    /// The changes as the log records them.
    pub(crate) fn mutations(
        edges: Vec<(EdgeKey, Attributes)>,
        replaced: Vec<(EdgeKey, Attributes)>,
    ) -> impl Iterator<Item = Mutation> {
        let mut replaced = replaced.into_iter().peekable();
        edges.into_iter().map(move |(key, attributes)| {
            let before = replaced.next_if(|(replaced, _)| *replaced == key).map(|(_, before)| before);
            Mutation { key, before, after: Some(attributes) }
        })
    }
}

impl Applied {
    /// Stores the group, publishes it and answers everybody; the number of revisions it has. After an earlier group
    /// failed, this one, which rests on it, is refused.
    pub(crate) fn commit(mut self, shared: &Arc<Shared>) -> u64 {
        let stored = match shared.refusal() {
            Some(refusal @ Refusal::Poisoned { .. }) => Err(refusal),
            _ => match self.store(shared) {
                Ok(false) => Ok(()),
                Ok(true) => {
                    shared.registered.publish(self.tip.counters);
                    shared.publish(self.tip.head);
                    Ok(())
                }
                Err(reason) => {
                    shared.poison(&reason);
                    Err(Refusal::Poisoned { reason })
                }
            },
        };
        let writes = if stored.is_ok() { self.writes } else { 0 };
        for acknowledge in self.acknowledgements {
            acknowledge(stored.clone());
        }
        writes
    }

    /// Whether there was anything to store, and is durable from here on.
    fn store(&mut self, shared: &Shared) -> Result<bool, String> {
        if let Some(error) = self.failure.take() {
            return Err(error.to_string());
        }
        let batch = std::mem::take(&mut self.batch);
        let stored = if self.objects.is_empty() && self.bulk.is_none() {
            if batch.is_empty() {
                return Ok(false);
            }
            shared.store.write(batch)
        } else {
            let mut objects = std::mem::take(&mut self.objects);
            objects.sort_unstable_by_key(|(object_type, ordinal, _)| (*object_type, *ordinal));
            let mut bulk = self.bulk.take();
            shared.store.load(&mut |put| put_rows(&objects, &mut bulk, put), batch)
        };
        stored.map(|()| true).map_err(|error| error.to_string())
    }
}

/// The rows of a load, in the order of their families.
fn put_rows(
    objects: &[(TypeId, Ordinal, SmolStr)],
    bulk: &mut Option<(Revision, Bulk)>,
    put: PutRow<'_>,
) -> Result<(), StoreError> {
    for (object_type, ordinal, name) in objects {
        let value = records::objects::encode(name);
        put(Family::Objects, &records::objects::key(*object_type, *ordinal), &value)?;
    }
    let Some((revision, Bulk { edges, replaced, entry })) = bulk.take() else { return Ok(()) };
    for (key, attributes) in &edges {
        let value = records::relationships::encode(attributes).map_err(not_encoded)?;
        put(Family::Relationships, &records::relationships::key(*key), &value)?;
    }
    records::log::each_chunk(revision, entry, Bulk::mutations(edges, replaced), |key, record| {
        put(Family::Log, &key, &records::log::encode(&record).map_err(not_encoded)?)
    })
}

fn not_encoded(error: RecordError) -> StoreError {
    StoreError::Failed { operation: "write", cause: error.to_string() }
}
