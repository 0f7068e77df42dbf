//! Following the changes: read from the log when asked, so that a slow reader costs nothing but its place.

use std::collections::{BTreeSet, VecDeque};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Duration;

use pemba_engine::{Attributes, EdgeKey, Snapshot};
use pemba_model::{Operation, Relationship, RelationshipFilter, Revision, SmolStr, Update};
use tokio::sync::watch;

use crate::blocking;
use crate::errors::{ViewError, WatchError};
use crate::filters::check_shape;
use crate::history::Head;
use crate::records::RecordError;
use crate::records::log::{self, LogRecord, Mutation};
use crate::requests::{WatchEvent, WatchRequest};
use crate::shared::{Progress, Shared};
use crate::watch_expiring::{EXPIRING_MAX, Expiring, TooMany};

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
    /// What is to be told when it expires; nothing when expirations are not.
    expiring: Option<Expiring>,
    /// Too much would have to be kept: the watch is over.
    is_overfull: bool,
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
        let head = shared.history.head().version.revision();
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
        let mut watch = Watch {
            shared,
            progress,
            choice,
            position: after,
            chunks: 0,
            checkpoint: None,
            ready: VecDeque::new(),
            expiring: None,
            is_overfull: false,
        };
        watch.check_horizon()?;
        if request.expirations {
            watch.expiring = Some(watch.expiring_at_start(request.after)?);
        }
        Ok(watch)
    }

    /// What will expire at the place where the watch begins.
    fn expiring_at_start(&self, after: Option<Revision>) -> Result<Expiring, WatchError> {
        if self.position == Revision::ZERO {
            return Ok(Expiring::default());
        }
        let head = self.shared.history.head();
        let view = self.shared.view_at(self.position).map_err(|error| match error {
            ViewError::Storage { reason } => WatchError::Storage { reason },
            _ => WatchError::Expired { after: self.position, horizon: self.shared.history.horizon() },
        })?;
        let since = match after {
            None => self.shared.now(&head),
            Some(after) if after == head.version.revision() => head.time,
            // Where the log has forgotten the revision, what expired before the window may be forgotten too.
            Some(after) => log::time_of(&*self.shared.store, after)
                .map_err(|error| WatchError::Storage { reason: error.to_string() })?
                .unwrap_or_else(|| self.shared.window_start(self.shared.now(&head))),
        };
        let snapshot = view.snapshot();
        let wanted = |key, attributes: &_| {
            snapshot
                .relationship(key, attributes)
                .is_some_and(|relationship| self.choice.means(&relationship))
        };
        Expiring::of(snapshot, since, wanted).map_err(|TooMany| too_many())
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
        let started = std::time::Instant::now();
        loop {
            let left = timeout.saturating_sub(started.elapsed());
            let wait = self.until_expiration().map_or(left, |expiration| left.min(expiration));
            let event = blocking::block_on_for(self.next(), wait).transpose()?;
            if event.is_some() || started.elapsed() >= timeout {
                return Ok(event);
            }
        }
    }

    /// How long until something expires that is to be told; `None` when nothing will. `next` does not end by itself
    /// then: whoever waits for it asks again after this time.
    pub fn until_expiration(&self) -> Option<Duration> {
        let at = self.expiring.as_ref()?.next()?;
        let now = self.shared.now(&self.shared.history.head());
        let left_ms = at.as_millis().saturating_sub(now.as_millis());
        // A millisecond more than the difference of whole milliseconds is never too early.
        Some(Duration::from_millis(u64::try_from(left_ms).map_or(0, |left| left.saturating_add(1))))
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
            if self.position < head.version.revision() {
                self.read(&head.version.snapshot)?;
                continue;
            }
            if self.is_overfull {
                return Err(too_many());
            }
            if let Some(event) = self.expired(&head) {
                return Ok(Some(event));
            }
            if self.choice.checkpoints && self.checkpoint != Some(self.position) {
                self.checkpoint = Some(self.position);
                return Ok(Some(WatchEvent { checkpoint: true, ..self.event(self.position) }));
            }
            return if stopped { Err(WatchError::Stopped) } else { Ok(None) };
        }
    }

    /// What has expired by now, once everything committed has been read.
    fn expired(&mut self, head: &Head) -> Option<WatchEvent> {
        let now = self.shared.now(head);
        let count_max = self.shared.limits.watch_buffer_max.max(1);
        let due = self.expiring.as_mut()?.take_due(now, count_max);
        self.expirations(due, &head.version.snapshot)
    }

    fn expirations(&self, due: Vec<(EdgeKey, Attributes)>, head: &Snapshot) -> Option<WatchEvent> {
        let relationships = due.iter().filter_map(|(key, attributes)| head.relationship(*key, attributes));
        let updates: Vec<Update> =
            relationships.map(|relationship| Update { operation: Operation::Delete, relationship }).collect();
        (!updates.is_empty()).then(|| WatchEvent { updates, ..self.event(self.position) })
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
                let enough = updates >= updates_max || revisions >= REVISIONS_MAX || self.is_overfull;
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
        self.take_expiring(&record, head);
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

    /// Tells what had expired when a chunk was committed, then takes note of what it changes.
    fn take_expiring(&mut self, record: &LogRecord, head: &Snapshot) {
        let Some(expiring) = &mut self.expiring else { return };
        let due = expiring.take_due(record.time, usize::MAX);
        for mutation in &record.mutations {
            let wanted = self.choice.update(mutation, head).is_some();
            self.is_overfull |= expiring.change(mutation, wanted).is_err();
        }
        if let Some(event) = self.expirations(due, head) {
            self.ready.push_back(event);
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

fn too_many() -> WatchError {
    WatchError::TooManyExpiring { max: EXPIRING_MAX }
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
