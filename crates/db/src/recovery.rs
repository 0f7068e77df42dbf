//! From a store to a database: what is checked, loaded or made when one opens.

use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::{mem, thread};

use crossbeam::channel::{Sender, bounded};
use pemba_engine::{Attributes, EdgeKey, LoadError, Loader, Names, Snapshot};
use pemba_model::{DocumentChange, Ledger, LedgerError, Revision, Timestamp};

use crate::errors::OpenError;
use crate::history::{Head, Version};
use crate::records::meta::{self, Meta};
use crate::records::{self, RecordError};
use crate::store::{Batch, Store, StoreError};

/// A database as its store has it.
pub(crate) struct Recovered {
    pub(crate) database_id: u64,
    pub(crate) head: Head,
    pub(crate) horizon: Revision,
}

/// Edges that the thread that reads them hands over at once, and how many times it may do so ahead of the one that loads
/// them.
const EDGES_AT_ONCE: usize = 4096;
const PARTS_WAITING_MAX: usize = 32;
/// Documents told to a ledger at once: at most this many, and no further one beyond this many bytes.
const DOCUMENTS_AT_ONCE_MAX: usize = 1000;
const DOCUMENTS_AT_ONCE_MAX_BYTES: usize = 4 * 1024 * 1024;

/// Loads the database, or makes an empty one in an empty store; `ledger` is that of no documents. Anything else is
/// refused and left untouched. A store of an older format is raised to this build's once everything is loaded.
pub(crate) fn recover(
    store: &dyn Store,
    now: Timestamp,
    ledger: Arc<dyn Ledger>,
) -> Result<Recovered, OpenError> {
    let Some(meta) = meta::read(store)? else { return create(store, now, ledger) };
    let snapshot = load(store, &meta)?;
    let ledger = load_documents(store, &meta, ledger)?;
    if meta.format < meta::FORMAT_VERSION {
        let mut batch = Batch::new();
        meta::upgrade(&mut batch, meta.head)?;
        store.write(batch).map_err(RecordError::from)?;
    }
    let horizon = records::log::first(store)?
        .map_or(meta.head.revision, |first| Revision(first.0.saturating_sub(1)))
        .min(meta.head.revision);
    let version = Version { snapshot: Arc::new(snapshot), ledger };
    let head = Head { version, time: meta.head.time, documents: meta.head.documents };
    Ok(Recovered { database_id: meta.database_id, head, horizon })
}

fn create(store: &dyn Store, now: Timestamp, ledger: Arc<dyn Ledger>) -> Result<Recovered, OpenError> {
    // The standard library's hash keys are its only source of randomness.
    let database_id = RandomState::new().hash_one(b"database id");
    let head = meta::Head { revision: Revision::ZERO, time: now, relationships: 0, documents: 0 };
    let mut batch = Batch::new();
    meta::initialize(&mut batch, database_id, head)?;
    store.write(batch).map_err(|error| OpenError::from(RecordError::from(error)))?;
    let version = Version { snapshot: Arc::new(Snapshot::with_names(names())), ledger };
    let head = Head { version, time: now, documents: 0 };
    Ok(Recovered { database_id, head, horizon: Revision::ZERO })
}

/// Names whose hash nobody outside knows.
fn names() -> Names {
    Names::with_hash_seed(RandomState::new().hash_one(b"names"))
}

/// The snapshot of the head, from what the store holds in key order.
pub(crate) fn load(store: &dyn Store, meta: &Meta) -> Result<Snapshot, OpenError> {
    let mut loader: Loader = Loader::with_names(names());
    let (to, parts) = bounded(PARTS_WAITING_MAX);
    thread::scope(|scope| {
        let reader = scope.spawn(move || read_edges(store, &to));
        load_names(store, meta, &mut loader)?;
        for (key, attributes) in parts.into_iter().flatten() {
            loader.edge(key, attributes)?;
        }
        reader.join().map_err(|_| OpenError::Thread("the reader of relationships panicked".to_owned()))??;
        Ok::<_, OpenError>(())
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

/// Everything that edges refer to, while they are read already.
fn load_names(store: &dyn Store, meta: &Meta, loader: &mut Loader) -> Result<(), OpenError> {
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
    Ok(())
}

/// Reads the edges in order, as long as anybody wants them.
fn read_edges(store: &dyn Store, to: &Sender<Vec<(EdgeKey, Attributes)>>) -> Result<(), RecordError> {
    let mut part = Vec::with_capacity(EDGES_AT_ONCE);
    let read = records::relationships::each(store, |key, attributes| {
        part.push((key, attributes));
        if part.len() < EDGES_AT_ONCE {
            return Ok(());
        }
        let full = mem::replace(&mut part, Vec::with_capacity(EDGES_AT_ONCE));
        to.send(full).map_err(|_| Stopped::Unwanted)
    });
    match read {
        Err(Stopped::Failed(error)) => Err(error),
        // Who loads the edges has met an error of its own when it takes no more.
        Ok(()) | Err(Stopped::Unwanted) => {
            let _ = to.send(part);
            Ok(())
        }
    }
}

/// Why reading ended early.
enum Stopped {
    Failed(RecordError),
    Unwanted,
}

impl From<RecordError> for Stopped {
    fn from(error: RecordError) -> Stopped {
        Stopped::Failed(error)
    }
}

/// The ledger of the stored documents.
pub(crate) fn load_documents(
    store: &dyn Store,
    meta: &Meta,
    mut ledger: Arc<dyn Ledger>,
) -> Result<Arc<dyn Ledger>, OpenError> {
    let (mut changes, mut size_bytes, mut count) = (Vec::new(), 0, 0_u64);
    records::documents::each(store, |key, value| {
        let change = DocumentChange { key: key.into(), before: None, after: Some(value.into()) };
        size_bytes += change.size_bytes();
        changes.push(change);
        count += 1;
        if changes.len() >= DOCUMENTS_AT_ONCE_MAX || size_bytes >= DOCUMENTS_AT_ONCE_MAX_BYTES {
            ledger = ledger.apply(&changes)?;
            changes.clear();
            size_bytes = 0;
        }
        Ok::<_, OpenError>(())
    })?;
    if !changes.is_empty() {
        ledger = ledger.apply(&changes)?;
    }
    if count != meta.head.documents {
        return Err(OpenError::Damaged(format!(
            "{count} documents are stored and {} were counted",
            meta.head.documents
        )));
    }
    Ok(ledger)
}

impl From<LedgerError> for OpenError {
    fn from(error: LedgerError) -> OpenError {
        OpenError::Damaged(error.to_string())
    }
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
