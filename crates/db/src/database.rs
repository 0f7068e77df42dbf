//! The embeddable database: plain data in and out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};

use crossbeam::channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use pemba_engine::{Catalog, Graph, Snapshot};
use pemba_model::{Ledger, Limits, Revision};
use tokio::sync::oneshot;

use crate::consistency::Consistency;
use crate::counting::Registered;
use crate::errors::{DeleteError, OpenError, Refusal, SchemaError, ViewError, WatchError, WriteError};
use crate::history::History;
use crate::import::Import;
use crate::pending::Pending;
use crate::requests::{
    Committed, Delete, Deleted, Options, State, Statistics, Storage, StoredSchema, WatchRequest, Write,
};
use crate::sequencer::{Answer, NewSchema, Request};
use crate::shared::Shared;
use crate::store::{MemoryStore, Store};
use crate::token::{Token, TokenError};
use crate::validation::check_updates;
use crate::view::View;
use crate::watch::Watch;
use crate::{collecting, committer, preconditions, recovery, sequencer};

/// An open database. A clone is another handle on the same one; the last one closes it.
#[derive(Clone)]
pub struct Database {
    pub(crate) handle: Arc<Handle>,
}

/// What all handles share: the way to the sequencer, and its end.
pub(crate) struct Handle {
    pub(crate) shared: Arc<Shared>,
    requests: Sender<Request>,
    running: Mutex<Option<Running>>,
}

/// The threads; they end when their channels do.
struct Running {
    sequencer: JoinHandle<()>,
    /// Ends when the sequencer has.
    committer: JoinHandle<()>,
    collector: JoinHandle<()>,
    stop_collector: Sender<()>,
}

impl Database {
    /// Opens a database, or makes an empty one where there is nothing yet. Loads every relationship, so it takes time
    /// linear in them. What is not a database of this format is refused and left untouched.
    pub fn open(storage: Storage, options: Options) -> Result<Database, OpenError> {
        let store = open_store(storage)?;
        let Options { limits, clock, ledger } = options;
        let recovered = recovery::recover(&*store, clock.now(), ledger)?;
        let history = History::new(recovered.head, recovered.horizon, &limits);
        let (requests, waiting) = bounded(limits.write_queue_max.max(1));
        let registered = Registered::load(&*store)?;
        let shared = Arc::new(Shared::new(store, clock, limits, recovered.database_id, history, registered));
        let running = start(&shared, &requests, waiting)?;
        let handle = Handle { shared, requests, running: Mutex::new(Some(running)) };
        Ok(Database { handle: Arc::new(handle) })
    }

    /// A view at the consistency asked for. Cheap, unless `needs_rebuild` says otherwise.
    pub fn view(&self, consistency: &Consistency) -> Result<View, ViewError> {
        self.handle.shared.view(consistency)
    }

    /// A view of the head, which is always there.
    pub fn head_view(&self) -> View {
        self.handle.shared.head_view()
    }

    /// What is derived from the documents, as they are at the head.
    pub fn ledger(&self) -> Arc<dyn Ledger> {
        Arc::clone(&self.handle.shared.history.head().version.ledger)
    }

    /// Waits until the head is beyond a revision and says which it is then; at once if it is already. `None` once the
    /// database is closed.
    pub async fn changed_since(&self, revision: Revision) -> Option<Revision> {
        let mut progress = self.handle.shared.progress.subscribe();
        let reached =
            progress.wait_for(|progress| progress.head > revision || progress.stopped).await.ok()?;
        (reached.head > revision).then_some(reached.head)
    }

    /// A view of exactly this revision, as cursors pin it.
    pub fn view_at(&self, revision: Revision) -> Result<View, ViewError> {
        self.handle.shared.view_at(revision)
    }

    /// Whether a view must be rebuilt from the log: then it blocks, for time and memory linear in the relationships
    /// changed since.
    pub fn needs_rebuild(&self, consistency: &Consistency) -> bool {
        match consistency {
            Consistency::AtExactSnapshot(token) if token.database_id == self.handle.shared.database_id => {
                self.handle.shared.needs_rebuild(token.revision)
            }
            _ => false,
        }
    }

    /// As `needs_rebuild`, for `view_at`.
    pub fn needs_rebuild_at(&self, revision: Revision) -> bool {
        self.handle.shared.needs_rebuild(revision)
    }

    /// The last revision.
    pub fn head(&self) -> Revision {
        self.handle.shared.history.head().version.revision()
    }

    /// The random number that tells this database from every other.
    pub fn database_id(&self) -> u64 {
        self.handle.shared.database_id
    }

    /// The bounds it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.handle.shared.limits
    }

    /// A revision as a token of this database.
    pub fn token(&self, revision: Revision) -> Token {
        self.handle.shared.token(revision)
    }

    /// Reads a token's text, of whichever database; `is_foreign` tells which.
    pub fn decode_token(&self, text: &str) -> Result<Token, TokenError> {
        Token::decode(text)
    }

    /// Whether a token was made by another database.
    pub fn is_foreign(&self, token: &Token) -> bool {
        token.database_id != self.handle.shared.database_id
    }

    /// Changes single relationships, all or none.
    pub fn write(&self, write: Write) -> Pending<Committed, WriteError> {
        match self.check_write(&write) {
            Ok(()) => self.handle.submit(|answer| Request::Write(write, answer)),
            Err(error) => Pending::known(Err(error)),
        }
    }

    /// Removes the relationships that match a filter.
    pub fn delete(&self, delete: Delete) -> Pending<Deleted, DeleteError> {
        let limits = &self.handle.shared.limits;
        match preconditions::check_sizes(&delete.preconditions, delete.metadata.as_ref(), limits) {
            Ok(()) => self.handle.submit(|answer| Request::Delete(delete, answer)),
            Err(error) => Pending::known(Err(error.into())),
        }
    }

    /// Replaces the whole schema, provided that the relationships fit the new one.
    pub fn write_schema(&self, text: String) -> Pending<Committed, SchemaError> {
        match pemba_schema::compile(&text) {
            Ok(compiled) => {
                let new = Box::new(NewSchema { text, schema: Arc::new(compiled.schema) });
                self.handle.submit(|answer| Request::Schema(new, answer))
            }
            Err(rejected) => Pending::known(Err(rejected.into())),
        }
    }

    /// The schema in force; `None` while it defines nothing.
    pub fn read_schema(&self) -> Option<StoredSchema> {
        let head = self.handle.shared.history.head();
        let schema = head.version.snapshot.schema();
        if schema.definitions.is_empty() {
            return None;
        }
        let revision = head.version.revision();
        Some(StoredSchema { text: pemba_schema::print(schema), revision, token: self.token(revision) })
    }

    /// Begins an import.
    pub fn import(&self) -> Import {
        Import::new(Arc::clone(&self.handle))
    }

    /// Follows the changes.
    pub fn watch(&self, request: WatchRequest) -> Result<Watch, WatchError> {
        Watch::new(Arc::clone(&self.handle.shared), request)
    }

    /// Whether writes are taken.
    pub fn state(&self) -> State {
        self.handle.shared.state()
    }

    /// Figures.
    pub fn statistics(&self) -> Statistics {
        let shared = &self.handle.shared;
        let head = shared.history.head();
        let (commit_micros, commit_micros_total) = shared.counters.commit_micros();
        let retained = shared.history.retained();
        Statistics {
            head: head.version.revision(),
            horizon: shared.history.horizon(),
            relationships: head.version.snapshot.len(),
            objects: count_objects(&head.version.snapshot),
            documents: head.documents,
            queue_depth: self.handle.requests.len(),
            groups: shared.counters.groups.load(Ordering::Relaxed),
            writes: shared.counters.writes.load(Ordering::Relaxed),
            last_group_size: shared.counters.last_group_size.load(Ordering::Relaxed),
            commit_micros,
            commit_micros_total,
            snapshots_retained: retained.count,
            snapshots_retained_bytes: retained.bytes,
            history_bytes: shared.counters.history_bytes.load(Ordering::Relaxed),
            store: shared.store.statistics(),
        }
    }

    /// Forgets what is beyond the history window now. It happens by itself from time to time.
    pub fn collect_garbage(&self) {
        collecting::pass(&self.handle.shared, &self.handle.requests);
    }

    /// Stops taking writes, finishes those that wait, and ends the threads. Views stay readable.
    pub fn close(self) {
        self.handle.close();
    }

    /// What needs no state.
    fn check_write(&self, write: &Write) -> Result<(), WriteError> {
        let limits = &self.handle.shared.limits;
        let (count, max) = (write.updates.len(), limits.write_updates_max);
        if count > max {
            return Err(WriteError::TooManyUpdates { count, max });
        }
        preconditions::check_sizes(&write.preconditions, write.metadata.as_ref(), limits)?;
        check_updates(&write.updates, limits)
    }
}

impl Handle {
    /// Puts a request into the queue.
    pub(crate) fn submit<T, E: From<Refusal>>(
        &self,
        request: impl FnOnce(Answer<T, E>) -> Request,
    ) -> Pending<T, E> {
        self.submit_with(request, E::from)
    }

    /// Puts a request into the queue; `refused` makes the error when it is not taken.
    pub(crate) fn submit_with<T, E>(
        &self,
        request: impl FnOnce(Answer<T, E>) -> Request,
        refused: fn(Refusal) -> E,
    ) -> Pending<T, E> {
        if let Some(refusal) = self.shared.refusal() {
            return Pending::known(Err(refused(refusal)));
        }
        let (answer, pending) = oneshot::channel();
        match self.requests.try_send(request(answer)) {
            Ok(()) => Pending::waiting(pending, refused),
            Err(TrySendError::Full(_)) => {
                let queue_max = self.shared.limits.write_queue_max;
                Pending::known(Err(refused(Refusal::Overloaded { queue_max })))
            }
            Err(TrySendError::Disconnected(_)) => Pending::known(Err(refused(Refusal::Stopped))),
        }
    }

    fn close(&self) {
        self.shared.stop();
        let Some(running) = self.running.lock().take() else { return };
        drop(running.stop_collector);
        // A thread that panicked has said so; there is nothing more to do about it here.
        let _ = running.collector.join();
        let _ = self.requests.send(Request::Stop);
        let _ = running.sequencer.join();
        let _ = running.committer.join();
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.close();
    }
}

fn open_store(storage: Storage) -> Result<Arc<dyn Store>, OpenError> {
    match storage {
        Storage::Memory => Ok(Arc::new(MemoryStore::new())),
        Storage::Store(store) => Ok(store),
        #[cfg(feature = "rocks")]
        Storage::Directory(directory) => Ok(Arc::new(crate::store::RocksStore::open(&directory)?)),
        #[cfg(not(feature = "rocks"))]
        Storage::Directory(_) => Err(OpenError::Refused("this build has no store on disk".to_owned())),
    }
}

fn start(
    shared: &Arc<Shared>,
    requests: &Sender<Request>,
    waiting: Receiver<Request>,
) -> Result<Running, OpenError> {
    let spawn = |name: &str, body: Box<dyn FnOnce() + Send>| {
        thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .map_err(|error| OpenError::Thread(error.to_string()))
    };
    let (stop_collector, stop) = bounded(0);
    let (to_committer, applied) = committer::committer();
    let state = Arc::clone(shared);
    // Without a later thread the earlier ones end: their channels are dropped.
    let committer = spawn("pemba-committer", Box::new(move || committer::run(&state, &applied)))?;
    let state = Arc::clone(shared);
    let body = Box::new(move || sequencer::run(&state, waiting, to_committer));
    let sequencer = spawn("pemba-sequencer", body)?;
    let (to, state) = (requests.clone(), Arc::clone(shared));
    let collector = spawn("pemba-collector", Box::new(move || collecting::run(&state, &to, &stop)));
    match collector {
        Ok(collector) => Ok(Running { sequencer, committer, collector, stop_collector }),
        Err(error) => {
            let _ = requests.send(Request::Stop);
            let _ = sequencer.join();
            let _ = committer.join();
            Err(error)
        }
    }
}

fn count_objects(snapshot: &Snapshot) -> u64 {
    let catalog: &Catalog = snapshot.catalog();
    catalog.types().map(|(id, _)| u64::from(snapshot.names().len(id))).sum()
}
