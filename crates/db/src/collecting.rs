//! Forgetting: the log beyond the history window, and relationships that expired before it began.

use std::ops::ControlFlow;
use std::time::Duration;

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use pemba_engine::{EdgeKey, Snapshot};
use pemba_model::{Revision, Timestamp};

use crate::qualified::qualified_relations;
use crate::records::{self, RecordError};
use crate::sequencer::{Garbage, Request};
use crate::shared::Shared;

/// Longest time between two passes.
const INTERVAL_MAX: Duration = Duration::from_secs(60);
/// Shortest time between two passes.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// Most expired relationships taken by one pass; the next takes more.
const EXPIRED_MAX: usize = 10_000;

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
    let horizon = match new_horizon(shared, head.version.revision(), window_start) {
        Ok(horizon) => horizon,
        Err(error) => {
            tracing::warn!(%error, "the log could not be read for collection");
            return;
        }
    };
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
