//! Following the changes: read from the log when asked, so that a slow reader costs nothing but its place.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use pemba_engine::Snapshot;
use pemba_model::{Operation, Relationship, RelationshipFilter, Revision, SmolStr, Update};
use tokio::sync::watch;

use crate::blocking;
use crate::errors::WatchError;
use crate::filters::check_shape;
use crate::records::RecordError;
use crate::records::log::{self, LogRecord, Mutation};
use crate::requests::{WatchEvent, WatchRequest};
use crate::shared::{Progress, Shared};

/// Most revisions read from the log at once.
const REVISIONS_MAX: usize = 64;

/// A place in the log and a choice of what to be told.
pub struct Watch {
    shared: Arc<Shared>,
    progress: watch::Receiver<Progress>,
    choice: Choice,
    /// Everything up to and including this revision has been read from the log.
    position: Revision,
    /// Chunks read of the revision after `position`.
    chunks: u32,
    /// The last checkpoint told.
    checkpoint: Option<Revision>,
    ready: VecDeque<WatchEvent>,
}

struct Choice {
    object_types: BTreeSet<SmolStr>,
    filters: Vec<RelationshipFilter>,
    schema: bool,
    checkpoints: bool,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, request: WatchRequest) -> Result<Watch, WatchError> {
        if !request.object_types.is_empty() && !request.filters.is_empty() {
            return Err(WatchError::TypesAndFilters);
        }
        for filter in &request.filters {
            check_shape(filter)?;
        }
        let progress = shared.progress.subscribe();
        let head = shared.history.head().snapshot.revision();
        let after = request.after.unwrap_or(head);
        if after > head {
            return Err(WatchError::Future { after, head });
        }
        let choice = Choice {
            object_types: request.object_types.into_iter().collect(),
            filters: request.filters,
            schema: request.schema,
            checkpoints: request.checkpoints,
        };
        let watch = Watch {
            shared,
            progress,
            choice,
            position: after,
            chunks: 0,
            checkpoint: None,
            ready: VecDeque::new(),
        };
        watch.check_horizon()?;
        Ok(watch)
    }

    /// The next message, as soon as there is one. May be dropped before it is done and asked again.
    pub async fn next(&mut self) -> Result<WatchEvent, WatchError> {
        loop {
            if let Some(event) = self.step()? {
                return Ok(event);
            }
            if self.progress.changed().await.is_err() {
                return Err(WatchError::Stopped);
            }
        }
    }

    /// The next message; `None` when there is none within `timeout`.
    pub fn next_blocking(&mut self, timeout: Duration) -> Result<Option<WatchEvent>, WatchError> {
        blocking::block_on_for(self.next(), timeout).transpose()
    }

    /// Everything up to and including this revision has been told, or is in messages not asked for yet.
    pub fn position(&self) -> Revision {
        self.position
    }

    /// What can be told without waiting.
    fn step(&mut self) -> Result<Option<WatchEvent>, WatchError> {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return Ok(Some(event));
            }
            let stopped = self.progress.borrow_and_update().stopped;
            let head = self.shared.history.head();
            if self.position < head.snapshot.revision() {
                self.read(&head.snapshot)?;
                continue;
            }
            if self.choice.checkpoints && self.checkpoint != Some(self.position) {
                self.checkpoint = Some(self.position);
                return Ok(Some(WatchEvent { checkpoint: true, ..self.event(self.position) }));
            }
            return if stopped { Err(WatchError::Stopped) } else { Ok(None) };
        }
    }

    /// Reads on in the log, a bounded piece.
    fn read(&mut self, head: &Snapshot) -> Result<(), WatchError> {
        self.check_horizon()?;
        let shared = Arc::clone(&self.shared);
        let from = (self.position.next(), self.chunks);
        let (mut revisions, mut updates) = (0, 0);
        let updates_max = shared.limits.watch_buffer_max;
        let mut gap = false;
        let outcome =
            log::each_from(&*shared.store, from, Some(head.revision().next()), |revision, chunk, record| {
                if (revision, chunk) != (self.position.next(), self.chunks) {
                    gap = true;
                    return Ok::<_, RecordError>(ControlFlow::Break(()));
                }
                updates += record.mutations.len();
                self.take(revision, record, head);
                revisions += 1;
                let enough = updates >= updates_max || revisions >= REVISIONS_MAX;
                Ok(if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
            });
        match outcome {
            Ok(()) if !gap && revisions > 0 => Ok(()),
            // The log may have been cut while it was read.
            Ok(()) => {
                self.check_horizon()?;
                Err(WatchError::Storage {
                    reason: format!("the log has no revision {}", self.position.next()),
                })
            }
            Err(error) => {
                self.check_horizon()?;
                Err(WatchError::Storage { reason: error.to_string() })
            }
        }
    }

    /// Makes a message of one chunk, if there is anything to tell.
    fn take(&mut self, revision: Revision, record: LogRecord, head: &Snapshot) {
        let told = if record.last { revision } else { self.position };
        let updates: Vec<Update> =
            record.mutations.iter().filter_map(|mutation| self.choice.update(mutation, head)).collect();
        if !updates.is_empty() {
            let metadata = record.metadata;
            self.ready.push_back(WatchEvent { updates, metadata, ..self.event(told) });
        }
        if record.schema_changed && record.last && self.choice.schema {
            self.ready.push_back(WatchEvent { schema_changed: true, ..self.event(told) });
        }
        if record.last {
            self.position = revision;
            self.chunks = 0;
        } else {
            self.chunks = self.chunks.saturating_add(1);
        }
    }

    fn event(&self, revision: Revision) -> WatchEvent {
        WatchEvent {
            revision,
            token: self.shared.token(revision),
            updates: Vec::new(),
            metadata: None,
            schema_changed: false,
            checkpoint: false,
        }
    }

    fn check_horizon(&self) -> Result<(), WatchError> {
        let horizon = self.shared.history.horizon();
        if self.position < horizon {
            return Err(WatchError::Expired { after: self.position, horizon });
        }
        Ok(())
    }
}

impl Choice {
    /// A change as its watcher is told, if it chose to be. Names never change, so those of the head do.
    fn update(&self, mutation: &Mutation, head: &Snapshot) -> Option<Update> {
        let (operation, attributes) = match (&mutation.after, &mutation.before) {
            (Some(after), _) => (Operation::Touch, after),
            (None, Some(before)) => (Operation::Delete, before),
            (None, None) => return None,
        };
        let relationship = head.relationship(mutation.key, attributes)?;
        self.means(&relationship).then_some(Update { operation, relationship })
    }

    fn means(&self, relationship: &Relationship) -> bool {
        (self.object_types.is_empty() || self.object_types.contains(&relationship.resource.object_type))
            && (self.filters.is_empty() || self.filters.iter().any(|filter| filter.matches(relationship)))
    }
}
