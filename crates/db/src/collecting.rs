//! Forgetting: the log beyond the history window or its largest size, and relationships that expired before it began.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use pemba_engine::{EdgeKey, Snapshot};
use pemba_model::{Revision, Timestamp};

use crate::qualified::qualified_relations;
use crate::records::{self, RecordError};
use crate::sequencer::{Garbage, Request};
use crate::shared::Shared;
use crate::store::Store;

/// Longest time between two passes.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Shortest time between two passes.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Most expired relationships taken by one pass; the next takes more.
const EXPIRED_MAX: usize = 10_000;
/// Sizes of the log are kept for stretches of about so many of them: it is cut between two.
const STRETCHES: u64 = 256;

/// How large the log is, in stretches of whole revisions.
#[derive(Debug, Default)]
pub(crate) struct LogSizes {
    /// The last revision of each stretch and the bytes of its records; ascending.
    stretches: VecDeque<(Revision, u64)>,
    bytes: u64,
    /// The next revision to look at.
    next: Revision,
}

impl LogSizes {
    /// Looks at what was appended since it last did.
    fn follow(&mut self, store: &dyn Store, head: Revision, max_bytes: u64) -> Result<(), RecordError> {
        records::log::each_size(store, self.next, head.next(), |revision, size| {
            self.bytes = self.bytes.saturating_add(size);
            self.next = revision.next();
            match self.stretches.back_mut() {
                Some((last, bytes)) if *last == revision || *bytes < max_bytes / STRETCHES => {
                    (*last, *bytes) = (revision, bytes.saturating_add(size));
                }
                _ => self.stretches.push_back((revision, size)),
            }
        })
    }

    /// Forgets what the horizon has passed, then the oldest until no more than so much is left; the horizon after that.
    fn cut(&mut self, mut horizon: Revision, max_bytes: u64) -> Revision {
        while let Some((last, bytes)) = self.stretches.front().copied() {
            if last > horizon && self.bytes <= max_bytes {
                break;
            }
            horizon = horizon.max(last);
            self.bytes = self.bytes.saturating_sub(bytes);
            self.stretches.pop_front();
        }
        horizon
    }
}

/// Runs pass after pass until `stop` is closed.
pub(crate) fn run(shared: &Shared, requests: &Sender<Request>, stop: &Receiver<()>) {
    let interval =
        Duration::from_millis(shared.limits.history_window_ms / 20).clamp(INTERVAL_MIN, INTERVAL_MAX);
    while let Err(RecvTimeoutError::Timeout) = stop.recv_timeout(interval) {
        pass(shared, requests);
    }
}

/// One pass: finds what may be forgotten and has the sequencer forget it. A pass that fails is tried again later.
pub(crate) fn pass(shared: &Shared, requests: &Sender<Request>) {
    let head = shared.history.head();
    let window_start = shared.window_start(shared.now(&head));
    let mut sizes = shared.log_sizes.lock();
    let max_bytes = shared.limits.history_max_bytes;
    let horizon = match new_horizon(shared, head.version.revision(), window_start).and_then(|horizon| {
        sizes.follow(&*shared.store, head.version.revision(), max_bytes).map(|()| horizon)
    }) {
        Ok(horizon) => sizes.cut(horizon, max_bytes),
        Err(error) => {
            tracing::warn!(%error, "the log could not be read for collection");
            return;
        }
    };
    shared.counters.history_bytes.store(sizes.bytes, Ordering::Relaxed);
    drop(sizes);
    let expired = expired_edges(&head.version.snapshot, window_start);
    if horizon == shared.history.horizon() && expired.is_empty() {
        return;
    }
    let (done, is_done) = bounded(1);
    let garbage = Garbage { horizon, expired, expired_before: window_start };
    if requests.send(Request::Collect(garbage, done)).is_ok() {
        // An error says that the request was refused or the sequencer is gone: nothing was collected.
        let _ = is_done.recv();
    }
}

/// The revision that was the head when the window began.
fn new_horizon(shared: &Shared, head: Revision, window_start: Timestamp) -> Result<Revision, RecordError> {
    let mut horizon = shared.history.horizon();
    records::log::each(&*shared.store, horizon.next(), Some(head.next()), |revision, _, record| {
        if record.time > window_start {
            return Ok::<_, RecordError>(ControlFlow::Break(()));
        }
        horizon = revision;
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(horizon)
}

/// Relationships that expired at or before an instant, at most `EXPIRED_MAX`.
fn expired_edges(snapshot: &Snapshot, before: Timestamp) -> Vec<EdgeKey> {
    let mut found = Vec::new();
    for filter in qualified_relations(snapshot) {
        let expired = snapshot.scan(&filter, None, None).filter(|(_, attributes)| {
            attributes.as_deref().and_then(|one| one.expires_at).is_some_and(|at| at <= before)
        });
        found.extend(expired.map(|(key, _)| key).take(EXPIRED_MAX.saturating_sub(found.len())));
        if found.len() >= EXPIRED_MAX {
            break;
        }
    }
    found
}
