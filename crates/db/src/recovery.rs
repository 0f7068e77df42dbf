//! From a store to a database: what is checked, loaded or made when one opens.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;

use pemba_engine::{LoadError, Loader, Names, Snapshot};
use pemba_model::{Revision, Timestamp};

use crate::errors::OpenError;
use crate::history::Head;
use crate::records::meta::{self, Meta};
use crate::records::{self, RecordError};
use crate::store::{Batch, Store, StoreError};

/// A database as its store has it.
pub(crate) struct Recovered {
    pub(crate) database_id: u64,
    pub(crate) head: Head,
    pub(crate) horizon: Revision,
}

/// Loads the database, or makes an empty one in an empty store. Anything else is refused and left untouched.
pub(crate) fn recover(store: &dyn Store, now: Timestamp) -> Result<Recovered, OpenError> {
    let Some(meta) = meta::read(store)? else { return create(store, now) };
    let snapshot = load(store, &meta)?;
    let horizon = records::log::first(store)?
        .map_or(meta.head.revision, |first| Revision(first.0.saturating_sub(1)))
        .min(meta.head.revision);
    let head = Head { snapshot: Arc::new(snapshot), time: meta.head.time };
    Ok(Recovered { database_id: meta.database_id, head, horizon })
}

fn create(store: &dyn Store, now: Timestamp) -> Result<Recovered, OpenError> {
    // The standard library's hash keys are its only source of randomness.
    let database_id = RandomState::new().hash_one(b"database id");
    let head = meta::Head { revision: Revision::ZERO, time: now, relationships: 0 };
    let mut batch = Batch::new();
    meta::initialize(&mut batch, Meta { database_id, head })?;
    store.write(batch).map_err(|error| OpenError::from(RecordError::from(error)))?;
    let head = Head { snapshot: Arc::new(Snapshot::with_names(names())), time: now };
    Ok(Recovered { database_id, head, horizon: Revision::ZERO })
}

/// Names whose hash nobody outside knows.
fn names() -> Names {
    Names::with_hash_seed(RandomState::new().hash_one(b"names"))
}

/// The snapshot of the head, from what the store holds in key order.
pub(crate) fn load(store: &dyn Store, meta: &Meta) -> Result<Snapshot, OpenError> {
    let mut loader: Loader = Loader::with_names(names());
    records::catalog::each_type(store, |id, name| loader.restore_type(id, name).map_err(OpenError::from))?;
    records::catalog::each_kind(store, |id, kind| loader.restore_kind(id, kind).map_err(OpenError::from))?;
    records::objects::each(store, |object_type, ordinal, name| {
        loader.restore_object(object_type, ordinal, name).map_err(OpenError::from)
    })?;
    if let Some((revision, text)) = records::schema::at(store, meta.head.revision)? {
        let compiled = pemba_schema::compile(&text).map_err(|rejected| {
            OpenError::Damaged(format!("the schema of revision {revision}: {}", rejected.message(&text)))
        })?;
        loader.restore_schema(Arc::new(compiled.schema));
    }
    records::relationships::each(store, |key, attributes| {
        loader.edge(key, attributes).map_err(OpenError::from)
    })?;
    let snapshot = loader.finish(meta.head.revision)?;
    if snapshot.len() != meta.head.relationships {
        return Err(OpenError::Damaged(format!(
            "{} relationships are stored and {} were counted",
            snapshot.len(),
            meta.head.relationships
        )));
    }
    Ok(snapshot)
}

impl From<RecordError> for OpenError {
    fn from(error: RecordError) -> OpenError {
        match error {
            RecordError::Store(error) => error.into(),
            error => OpenError::Damaged(error.to_string()),
        }
    }
}

impl From<StoreError> for OpenError {
    fn from(error: StoreError) -> OpenError {
        match error {
            StoreError::Locked { .. } | StoreError::Foreign { .. } | StoreError::UnknownFormat { .. } => {
                OpenError::Refused(error.to_string())
            }
            StoreError::Damaged { .. } => OpenError::Damaged(error.to_string()),
            error => OpenError::Storage(error.to_string()),
        }
    }
}

impl From<LoadError> for OpenError {
    fn from(error: LoadError) -> OpenError {
        OpenError::Damaged(error.to_string())
    }
}
